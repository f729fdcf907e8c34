//! Stages that tell of each row by itself, or by those before it: rows stream through.

use crate::Result;
use crate::rows::Rows;
use crate::select::ledger::StageLedger;
use crate::select::{Drop, Stage};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

/// Judges rows as they come. Batches come in order.
pub trait Judge: Send {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// Checks that the columns it needs are there.
    fn check(&self, schema: &Schema) -> Result<()>;

    /// The rows that are dropped, in ascending order, and why.
    fn judge(&mut self, batch: &RecordBatch, ledger: &StageLedger) -> Result<Vec<(usize, Drop)>>;
}

/// The stage that a judge makes.
pub struct Rowwise<J>(pub J);

impl<J: Judge + 'static> Stage for Rowwise<J> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn apply(self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows> {
        let mut judge = self.0;
        judge.check(&rows.schema)?;
        let batches = rows.batches.map(move |batch| {
            let batch = batch?;
            let drops = judge.judge(&batch, &ledger)?;
            ledger.pass(&batch, &drops)
        });
        Ok(Rows { batches: Box::new(batches), ..rows })
    }
}
