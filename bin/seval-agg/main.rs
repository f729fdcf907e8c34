//! seval-agg: SQL, metrics, comparisons, reports and gates over any rows.

#[path = "../sql.rs"]
mod sql;

mod compare;
mod export;
mod flags;
mod gate;
mod query;
mod report;

use flags::{Action, Flags};
use gate::Gate;
use query::{Inputs, Metric};
use seval_core::input::NamedTable;
use seval_core::{Error, Result, Rows, cli, output};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main("seval-agg", |flags: &Flags| &flags.shared, run)
}

fn run(mut flags: Flags) -> Result<()> {
    if flags.shared.shown(&["metric", "report", "export"])? {
        return Ok(());
    }
    match flags.command.take() {
        Some(Action::Compare(wanted)) => compare::compare(&wanted, &flags.shared),
        Some(Action::Report(wanted)) => report::report(&wanted, &flags.shared),
        Some(Action::Export(wanted)) => export::export(&wanted, &flags.shared),
        None => answer(&flags),
    }
}

/// A query or a metric, and what its result must be.
fn answer(flags: &Flags) -> Result<()> {
    flags.check_order()?;
    let gate = Gate::new(&flags.gate)?;
    let mut inputs = Inputs::open(&flags.input, &flags.shared, flags.positions)?;
    flags.output.refuse_over(inputs.stage.inputs.keys())?;
    let rows = rows(flags, &mut inputs)?;
    let options = output::Options { all_rows: true, ..(&flags.output).into() };
    let checks = match gate.is_open() {
        true => output::write(rows, &options).map(|_| Vec::new())?,
        false => {
            let history = rows.history.clone();
            let result = NamedTable::of_rows("result", rows);
            let checks = gate.check(&inputs, &result)?;
            let written = inputs.sql_over("SELECT * FROM result", result)?;
            output::write(Rows { history, ..written }, &options)?;
            checks
        }
    };
    gate.end(&checks, &flags.shared)?;
    if flags.metric.is_some() {
        gate.scored_enough(&inputs)?;
    }
    Ok(())
}

/// What the query or metric makes of the tables.
fn rows(flags: &Flags, inputs: &mut Inputs) -> Result<Rows> {
    let mut rows = match (&flags.sql, &flags.metric) {
        (Some(sql), _) => inputs.sql(sql)?,
        (None, Some(name)) => {
            let metric = Metric::open(&flags.shared, "metric", name)?;
            inputs.stage.files.insert(metric.file.name.clone(), metric.file.hash());
            inputs.metric(&metric)?
        }
        (None, None) => {
            return Err(Error::usage("command line", "neither --sql nor --metric is given")
                .hint("try --metric leaderboard; --list shows the metrics"));
        }
    };
    rows.history.push(inputs.stage.clone());
    Ok(rows)
}
