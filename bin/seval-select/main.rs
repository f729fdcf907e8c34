//! seval-select: imports data sets and keeps the rows worth testing.

mod flags;
mod query;
#[path = "../server.rs"]
mod server;
#[path = "../sql.rs"]
mod sql;
mod stages;

use flags::Flags;
use seval_core::cli;
use seval_core::output::Writer;
use seval_core::provenance::Stage as History;
use seval_core::select::report::Counts;
use seval_core::{Error, Result, output, select};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main("seval-select", |flags: &Flags| &flags.shared, run)
}

fn run(flags: Flags) -> Result<()> {
    if flags.shared.shown(&["import", "quality"])? {
        return Ok(());
    }
    check_places(&flags)?;
    let mut history = History::new("seval-select");
    let inputs = stages::inputs(&flags, &mut history)?;
    let (mut rows, stages) = stages::stages(&flags, inputs, &mut history)?;
    rows.history.push(history);
    let counts = Counts::new(flags.report.is_some(), &flags.share.by, &rows.schema);
    let rows = counts.before(rows);
    let rejects = flags
        .rejects
        .as_ref()
        .map(|path| output::Options { path: Some(path.clone()), ..output::Options::default() });
    let (rows, ledger) = select::select(rows, stages, rejects.as_ref())?;
    if flags.report.is_none() {
        ledger.nobody_wants(select::columns::others(&rows, &flags.columns));
    }
    let rows = select::columns::only(counts.after(rows), &flags.columns)?;
    let mut writer = Writer::create(&(&flags.output).into(), &rows.schema, &rows.history)?;
    for batch in cli::with_progress(rows).batches {
        writer.write(&batch?)?;
    }
    // The rows last: where they are, all is there.
    let summaries = ledger.finish()?;
    if let Some(path) = &flags.report {
        select::report::write(path, &summaries, &counts)?;
    }
    let written = writer.finish()?;
    cli::note(format_args!("{} rows out", cli::count(written)));
    Ok(())
}

/// No two outputs in one place, none over what is read, and a report that can be written.
fn check_places(flags: &Flags) -> Result<()> {
    let output = flags.output.output.as_deref();
    let report = flags.report.as_deref().filter(|path| *path != "-");
    let outputs = [("-o", output), ("--rejects", flags.rejects.as_deref()), ("--report", report)];
    let read: Vec<String> = stages::files(flags).into_iter().filter(|path| path != "-").collect();
    for (at, (flag, path)) in outputs.iter().enumerate() {
        let Some(path) = path else { continue };
        let is_stdout = at > 0 && output::same_place(path, "-");
        let mut earlier = outputs[..at].iter().filter_map(|(_, path)| *path);
        if is_stdout || earlier.any(|other| output::same_place(path, other)) {
            return Err(Error::usage(flag, "is where other rows go").hint("name another file"));
        }
        output::refuse_over(flag, path, read.iter().map(String::as_str))?;
    }
    report.map_or(Ok(()), select::report::check)
}
