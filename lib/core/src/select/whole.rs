//! Stages that have to see all rows before they know which to keep. Meanwhile the rows lie in a spool.

use crate::plain::with_columns;
use crate::rows::{Batches, Rows};
use crate::select::ledger::StageLedger;
use crate::select::spool::{Spool, Spooled};
use crate::select::{Drop, Stage, lazily};
use crate::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use std::ops::Range;
use std::sync::Arc;

/// A row that is not kept: its number from 0, and what else the stage knows by that number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropped {
    /// The row.
    pub row: u32,
    /// The row that is kept instead.
    pub of: Option<u32>,
    /// How alike the two are.
    pub similarity: Option<f64>,
}

impl Dropped {
    /// A row for which no other is kept.
    pub fn alone(row: u32) -> Self {
        Self { row, of: None, similarity: None }
    }
}

/// Decides about all rows at once.
pub trait Decide: Send {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// Checks that the columns it needs are there; the columns it adds.
    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>>;

    /// How often it reads the rows, as far as is known.
    fn readings(&self) -> usize {
        1
    }

    /// Reads some batches, the first of whose rows has the number `row`: all in order, then all again for
    /// each further reading (numbered from 0).
    fn read(&mut self, reading: usize, row: usize, batches: &[RecordBatch]) -> Result<()>;

    /// The rows that are not kept, in ascending order.
    fn decide(&mut self, rows: usize, ledger: &StageLedger) -> Result<Vec<Dropped>>;

    /// Why a row is not kept.
    fn why(&self, dropped: &Dropped) -> Drop;

    /// The values of the columns it adds, for these rows.
    fn columns(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let _ = rows;
        Ok(Vec::new())
    }
}

/// The stage that a decision makes; with bytes of memory for the rows themselves.
pub struct Whole<D> {
    /// Who decides.
    pub decide: D,
    /// Bytes of rows kept in memory, at about the most.
    pub memory: usize,
}

impl<D: Decide + 'static> Stage for Whole<D> {
    fn name(&self) -> &'static str {
        self.decide.name()
    }

    fn apply(mut self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows> {
        let added = self.decide.check(&rows.schema)?;
        let added: Vec<_> = added.into_iter().map(Arc::new).collect();
        let names: Vec<&String> = added.iter().map(|field| field.name()).collect();
        ledger.adds(&names, &rows)?;
        // A column that an earlier stage of the same kind made gives way to this one's.
        let is_added = |name: &String| added.iter().any(|field| field.name() == name);
        let own = rows.schema.fields().iter().filter(|field| !is_added(field.name())).cloned();
        let fields: Vec<_> = own.chain(added.iter().cloned()).collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let (input, output) = (rows.schema, schema.clone());
        let batches = lazily(move || run(*self, input, rows.batches, output, ledger));
        Ok(Rows { schema, batches, history: rows.history })
    }
}

fn run<D: Decide + 'static>(
    stage: Whole<D>,
    input: SchemaRef,
    batches: Batches,
    output: SchemaRef,
    ledger: StageLedger,
) -> Result<Batches> {
    let mut decide = stage.decide;
    let mut spool = Spool::new(input, stage.memory);
    let mut rows = 0;
    windows(batches, |window| {
        decide.read(0, rows, &window)?;
        rows += window.iter().map(RecordBatch::num_rows).sum::<usize>();
        window.into_iter().try_for_each(|batch| spool.write(batch))
    })?;
    if u32::try_from(rows).is_err() {
        return Err(Error::data("the input", format!("{rows} rows are too many for one run"))
            .hint("select from parts of them first"));
    }
    let spooled = spool.finish()?;
    let mut reading = 1;
    while reading < decide.readings() {
        let mut row = 0;
        windows(spooled.read()?, |window| {
            decide.read(reading, row, &window)?;
            row += window.iter().map(RecordBatch::num_rows).sum::<usize>();
            Ok(())
        })?;
        reading += 1;
    }
    let dropped = decide.decide(rows, &ledger)?;
    replay(decide, spooled, dropped, output, ledger)
}

/// Gives batches to `read`, several at a time so that they can be worked on in parallel.
fn windows(
    mut batches: Batches,
    mut read: impl FnMut(Vec<RecordBatch>) -> Result<()>,
) -> Result<()> {
    let many = 2 * rayon::current_num_threads();
    loop {
        let window = batches.by_ref().take(many).collect::<Result<Vec<_>>>()?;
        if window.is_empty() {
            return Ok(());
        }
        read(window)?;
    }
}

/// The rows once more, with the columns that were added, without those that were dropped.
fn replay<D: Decide + 'static>(
    mut decide: D,
    spooled: Spooled,
    dropped: Vec<Dropped>,
    schema: SchemaRef,
    ledger: StageLedger,
) -> Result<Batches> {
    let mut dropped = dropped.into_iter().peekable();
    let mut row = 0;
    let batches = spooled.read()?;
    Ok(Box::new(batches.map(move |batch| {
        let batch = batch?;
        let range = row..row + batch.num_rows();
        row = range.end;
        let mut drops = Vec::new();
        while let Some(next) = dropped.next_if(|dropped| (dropped.row as usize) < range.end) {
            drops.push((next.row as usize - range.start, decide.why(&next)));
        }
        let added = decide.columns(range)?;
        let first = schema.fields().len() - added.len();
        let kept = schema.fields()[..first].iter().map(|field| {
            batch.column_by_name(field.name()).cloned().ok_or_else(|| {
                Error::data("the input", format!("column `{}` is gone", field.name()))
            })
        });
        let columns: Vec<ArrayRef> =
            kept.chain(added.into_iter().map(Ok)).collect::<Result<_>>()?;
        let batch = with_columns(&schema, columns, batch.num_rows())?;
        ledger.pass(&batch, &drops)
    })))
}
