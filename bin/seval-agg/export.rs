//! Data sets for others.

use crate::flags::ExportFlags;
use crate::query::{Inputs, Metric};
use seval_core::cli::{self, SharedFlags, count};
use seval_core::input::{INPUT, NamedTable};
use seval_core::{Result, Rows, export, output};

/// A folder of data sets, or rows in another program's form.
pub fn export(flags: &ExportFlags, shared: &SharedFlags) -> Result<()> {
    let mut inputs = Inputs::open(&flags.input, shared, false)?;
    flags.output.refuse_over(inputs.stage.inputs.keys())?;
    let redacted = |rows: Rows| if flags.redact { export::redact(rows) } else { Ok(rows) };
    let Some(folder) = &flags.hf else {
        let metric = Metric::open(shared, "export", flags.as_form.as_deref().unwrap_or_default())?;
        inputs.stage.files.insert(metric.file.name.clone(), metric.file.hash());
        let mut rows = redacted(inputs.metric(&metric)?)?;
        rows.history.push(inputs.stage.clone());
        return output::write(rows, &(&flags.output).into()).map(|_| ());
    };
    let sets = inputs.table(INPUT).into_iter().chain(inputs.named());
    let sets = sets.map(|table: &NamedTable| {
        let mut rows = redacted(
            inputs.sql_over(&format!("SELECT * FROM \"{}\"", table.name), table.clone())?,
        )?;
        rows.history.push(inputs.stage.clone());
        let name = if table.name == INPUT { "default" } else { &table.name };
        Ok((name.to_owned(), rows))
    });
    let sets = sets.collect::<Result<Vec<_>>>()?;
    let title = folder.file_name().unwrap_or_default().to_string_lossy();
    for set in export::folder(folder, &title, sets)? {
        let (rows, shards) = (count(set.rows), count(set.shards as u64));
        cli::note(format_args!("{}: {rows} rows in {shards} files", set.name));
    }
    Ok(())
}
