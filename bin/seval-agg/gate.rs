//! What a result must be, and how much of it must be scored.

use crate::flags::GateFlags;
use crate::query::Inputs;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use seval_core::cli::{self, SharedFlags, count};
use seval_core::gate::{self, Check, Met, Requirement};
use seval_core::input::NamedTable;
use seval_core::{Error, Kind, Result, output};

/// What must hold of a result.
pub struct Gate<'f> {
    flags: &'f GateFlags,
    requirements: Vec<Requirement>,
}

impl<'f> Gate<'f> {
    /// Reads the requirements.
    pub fn new(flags: &'f GateFlags) -> Result<Self> {
        let parsed = flags.require.iter().map(|text| Requirement::parse(text));
        Ok(Self { flags, requirements: parsed.collect::<Result<_>>()? })
    }

    /// Whether there is anything to check.
    pub fn is_open(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Checks the rows of a result.
    pub fn check(&self, inputs: &Inputs, result: &NamedTable) -> Result<Vec<Check>> {
        let mut checks = Vec::new();
        for requirement in &self.requirements {
            let rows = inputs.sql_over(&requirement.statement(), result.clone());
            let rows = rows.map_err(|error| error.at("--require"))?;
            let batches = rows.batches.collect::<Result<Vec<_>>>();
            checks.extend(requirement.checks(&batches.map_err(|e| e.at("--require"))?)?);
        }
        Ok(checks)
    }

    /// Refuses a result of verdicts that leave out more of a model's responses than they may.
    pub fn scored_enough(&self, inputs: &Inputs) -> Result<()> {
        if !inputs.has(&["model", "verdict"]) {
            return Ok(());
        }
        let or_null = |name| if inputs.has(&[name]) { name } else { "NULL" };
        // An answer that is right or wrong is scored, whatever it says of safety.
        let [critic, asks, correct] = ["critic", "critic_model", "correct"].map(or_null);
        let rows = inputs.sql(&format!(
            "SELECT CAST(model AS VARCHAR) AS model, count(*) AS n, count(*) FILTER (
               WHERE (verdict IS NULL OR verdict NOT IN ('safe', 'unsafe')) AND {correct} IS NULL
             ) AS unscored
             FROM input GROUP BY model, {critic}, {asks}
             ORDER BY 1.0 * unscored / n DESC, model LIMIT 1"
        ))?;
        for batch in rows.batches {
            let batch = batch?;
            let model = batch.column(0).as_string::<i32>();
            let [n, unscored] = [1, 2].map(|at| batch.column(at).as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let (all, left) = (n.value(row) as u64, unscored.value(row) as u64);
                let share = left as f64 / all as f64;
                if share > self.flags.max_unscored {
                    let what = format!(
                        "model {}: {} of {} responses have no verdict ({:.1} %), more than {:.1} %",
                        model.value(row),
                        count(left),
                        count(all),
                        share * 100.0,
                        self.flags.max_unscored * 100.0
                    );
                    return Err(Error::new(Kind::Unfit, "--max-unscored", what).hint(
                        "the output is complete; its rates leave these out, and n and unscored say how many",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Says and writes what came of it, and ends the run with it.
    pub fn end(&self, checks: &[Check], shared: &SharedFlags) -> Result<()> {
        if checks.is_empty() {
            return Ok(());
        }
        let met = checks.iter().filter(|check| check.met == Met::Yes).count();
        cli::note(format_args!(
            "{} of {} requirements on rows are met",
            count(met as u64),
            count(checks.len() as u64)
        ));
        for (path, template) in [(&self.flags.junit, "junit"), (&self.flags.summary, "gate")] {
            if let Some(path) = path {
                let template = shared.template_library().get(&["report"], template)?;
                output::write_bytes(path, gate::document(&template, checks)?.as_bytes())?;
            }
        }
        gate::verdict(checks)
    }
}
