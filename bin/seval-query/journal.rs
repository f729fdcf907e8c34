//! What a journal holds.

use crate::flags::JournalFlags;
use seval_core::cli;
use seval_core::output;
use seval_core::{Result, Rows};
use seval_net::totals::{self, answers, as_rows};

/// Counts by model.
pub fn status(flags: &JournalFlags) -> Result<()> {
    check_output(flags)?;
    write(as_rows(&totals::totals(&flags.journal)?)?, flags).map(|_| ())
}

/// The answers as rows.
pub fn export(flags: &JournalFlags) -> Result<()> {
    check_output(flags)?;
    let written = write(answers(&flags.journal)?, flags)?;
    cli::note(format_args!("{} answers", cli::count(written)));
    Ok(())
}

/// Whether all is as it was written.
pub fn verify(flags: &JournalFlags) -> Result<()> {
    let answers = totals::verify(&flags.journal)?;
    let place = flags.journal.to_string_lossy();
    cli::note(format_args!("{place}: {} answers, all as written", cli::count(answers)));
    Ok(())
}

/// Refuses to write over the journal.
fn check_output(flags: &JournalFlags) -> Result<()> {
    let output = flags.output.output.as_deref().unwrap_or("-");
    output::refuse_over("-o", output, [flags.journal.to_string_lossy().as_ref()])
}

fn write(rows: Rows, flags: &JournalFlags) -> Result<u64> {
    output::write(rows, &(&flags.output).into())
}
