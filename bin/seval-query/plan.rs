//! What a run would take.

use crate::flags::Flags;
use seval_core::cli::{self, count};
use seval_core::{Result, Rows, output};
use seval_net::plan::{as_rows, plan as count_requests};
use seval_net::rows::{Settings, requests};
use seval_net::{Known, Model};

/// Counts, and shows it as a table.
pub fn plan(
    rows: Rows,
    models: &[Model],
    known: &Known,
    settings: &Settings,
    flags: &Flags,
) -> Result<()> {
    let plan = count_requests(models, known, requests(rows, models, settings)?)?;
    // The place of the responses is not the plan's.
    let options = output::Options { path: None, ..(&flags.output).into() };
    output::write(as_rows(&plan)?, &options)?;
    for difference in &plan.differences {
        cli::warn(format_args!(
            "the journal has answers to the same prompts, asked differently: {difference}"
        ));
    }
    let too_long: u64 = plan.lines.iter().map(|line| line.too_long).sum();
    if too_long > 0 {
        cli::warn(format_args!(
            "{} requests may be longer than the model can hold",
            count(too_long)
        ));
    }
    let to_send = count(plan.lines.iter().map(|line| line.to_send).sum());
    let cost: Option<f64> = plan.lines.iter().map(|line| line.cost).sum();
    let cost = cost.map_or_else(String::new, |cost| format!(", about ${cost:.2}"));
    cli::note(format_args!("{to_send} requests to send{cost}; nothing was sent"));
    Ok(())
}
