//! seval-select: imports data sets and keeps the rows worth testing.

mod flags;
mod query;
#[path = "../sql.rs"]
mod sql;
mod stages;

use flags::Flags;
use seval_core::cli;
use seval_core::provenance::Stage as History;
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
    let rejects = flags
        .rejects
        .as_ref()
        .map(|path| output::Options { path: Some(path.clone()), ..output::Options::default() });
    let (rows, ledger) = select::select(rows, stages, rejects.as_ref())?;
    let rows = select::columns::only(rows, &flags.columns)?;
    let written = output::write(cli::with_progress(rows), &(&flags.output).into())?;
    ledger.finish()?;
    cli::note(format_args!("{} rows out", cli::count(written)));
    Ok(())
}

/// No two outputs in one place, and none over an input.
fn check_places(flags: &Flags) -> Result<()> {
    let Some(rejects) = &flags.rejects else { return Ok(()) };
    let output = flags.output.output.as_deref().unwrap_or("-");
    if output::same_place(rejects, output) {
        return Err(Error::usage("--rejects", "is where the rows that are kept go")
            .hint("give dropped rows a file of their own"));
    }
    match flags.files.iter().find(|file| output::same_place(rejects, file)) {
        Some(file) => Err(Error::usage("--rejects", format!("would be written over {file}"))
            .hint("give dropped rows a file of their own")),
        None => Ok(()),
    }
}
