//! Rows that a query has judged: it gives two columns about a row beside the row's own, `_reject`, why it is
//! dropped, and `_warning`, what is odd about it. They end here.

use crate::Result;
use crate::rows::Rows;
use crate::select::ledger::StageLedger;
use crate::select::rowwise::{Judge, Rowwise};
use crate::select::texts::text_column;
use crate::select::{Drop, Stage};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};

/// The columns about a row.
const ABOUT: [&str; 2] = ["_reject", "_warning"];

/// Drops the rows that have a reason, and counts warnings.
pub struct Reasons {
    /// What the command line calls the stage.
    pub name: &'static str,
    /// A column of text without which a row is dropped.
    pub wanted: Option<&'static str>,
}

impl Stage for Reasons {
    fn name(&self) -> &'static str {
        self.name
    }

    fn apply(self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows> {
        let own: Vec<usize> = (0..rows.schema.fields().len())
            .filter(|at| !ABOUT.contains(&rows.schema.field(*at).name().as_str()))
            .collect();
        let rows = Box::new(Rowwise(*self)).apply(rows, ledger)?;
        let schema = rows.schema.project(&own).map_err(crate::select::failed)?;
        let batches =
            rows.batches.map(move |batch| batch?.project(&own).map_err(crate::select::failed));
        Ok(Rows { schema: schema.into(), batches: Box::new(batches), history: rows.history })
    }
}

impl Judge for Reasons {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        let given = |name: &&&str| {
            // A query that never has a reason gives a column of nothing.
            schema.field_with_name(name).is_ok_and(|field| field.data_type() != &DataType::Null)
        };
        ABOUT.iter().filter(given).try_for_each(|name| text_column(schema, name))
    }

    fn judge(&mut self, batch: &RecordBatch, ledger: &StageLedger) -> Result<Vec<(usize, Drop)>> {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        if let Some(warnings) = text("_warning") {
            // Two warnings about one row are two.
            for warning in warnings.iter().flatten().flat_map(|both| both.split("; ")) {
                ledger.warn(warning, 1);
            }
        }
        let rejects = text("_reject");
        let judge = |row: usize| {
            let reason = rejects.filter(|r| r.is_valid(row)).map(|r| r.value(row).to_owned());
            let lacking = self.wanted.filter(|name| text(name).is_none_or(|t| t.is_null(row)));
            let reason = reason.or(lacking.map(|name| format!("no {name}")))?;
            Some((row, Drop { reason, ..Drop::default() }))
        };
        Ok((0..batch.num_rows()).filter_map(judge).collect())
    }
}
