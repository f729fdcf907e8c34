//! What became of every row: counts and reasons for people, the dropped rows themselves for a file.

use crate::input::unify;
use crate::output::{self, Writer};
use crate::plain::with_columns;
use crate::provenance::Stage as History;
use crate::select::{Drop, failed};
use crate::{Error, Result, Rows, cli};
use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Float64Array, RecordBatch, StringArray,
    UInt32Array, new_null_array,
};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a stage did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The stage's name.
    pub stage: &'static str,
    /// Rows that reached it.
    pub read: u64,
    /// Rows it let pass.
    pub kept: u64,
    /// Reasons of the others, with counts, in order of appearance.
    pub dropped: Reasons,
    /// How alike dropped rows are to those kept instead: rows by the hundredth that the similarity is in.
    pub similarities: Vec<u64>,
    /// Warnings about rows that are kept, with counts.
    pub warnings: Reasons,
    /// Rows go in and others come out: a query made them.
    pub remade: bool,
    /// Other facts, for people.
    pub notes: Vec<String>,
    /// Other figures, for the report.
    pub measures: Vec<Measure>,
}

/// A figure of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What it is part of: quota, diversity, small set…
    pub part: String,
    /// What it is the figure of: a stratum, a set, a model.
    pub of: String,
    /// What it measures.
    pub measure: String,
    /// Its value, if it is defined.
    pub value: Option<f64>,
}

/// The batch with nulls in these columns.
fn without(batch: &RecordBatch, columns: &[String]) -> Result<RecordBatch> {
    let fields = batch.schema_ref().fields().iter().zip(batch.columns());
    let columns = fields.map(|(field, column)| match columns.contains(field.name()) {
        true => new_null_array(field.data_type(), batch.num_rows()),
        false => column.clone(),
    });
    with_columns(batch.schema_ref(), columns.collect(), batch.num_rows())
}

/// Reasons that are said; a rule may have one for every row.
const SAID: usize = 20;

/// Hundredths of a similarity, and one for 1 itself.
const HUNDREDTHS: usize = 101;

/// The ledger of a run, shared by its stages.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    summaries: Vec<Summary>,
    rejects: Option<Rejects>,
    /// Columns that stages of this run have added.
    added: Vec<String>,
    /// Columns that nobody reads after the last stage.
    unwanted: Vec<String>,
}

impl Ledger {
    /// The page of a further stage.
    pub fn stage(&self, name: &'static str) -> StageLedger {
        let mut entries = self.entries();
        entries.summaries.push(Summary { stage: name, ..Summary::default() });
        StageLedger { ledger: self.clone(), stage: entries.summaries.len() - 1 }
    }

    /// Writes the dropped rows, whose columns are those of the stages' rows, each with the stage's name.
    pub(super) fn keep_rejects(
        &self,
        options: &output::Options,
        schemas: &[(&str, SchemaRef)],
        history: &[History],
    ) -> Result<()> {
        self.entries().rejects = Some(Rejects::create(options, schemas, history)?);
        Ok(())
    }

    /// These columns are read by nobody after the last stage, which need not copy them.
    pub fn nobody_wants(&self, columns: Vec<String>) {
        self.entries().unwanted = columns;
    }

    /// Publishes the dropped rows and says what each stage did; their summaries.
    pub fn finish(self) -> Result<Vec<Summary>> {
        let rejects = self.entries().rejects.take();
        rejects.map_or(Ok(()), Rejects::finish)?;
        let summaries = std::mem::take(&mut self.entries().summaries);
        summaries.iter().for_each(say);
        Ok(summaries)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what a stage kept, dropped and found odd.
fn say(summary: &Summary) {
    let (read, kept) = (cli::count(summary.read), cli::count(summary.kept));
    let dropped = cli::count(summary.read.saturating_sub(summary.kept));
    match summary.remade {
        true => cli::note(format_args!("{}: {read} rows in, {kept} rows out", summary.stage)),
        false => cli::note(format_args!(
            "{}: {read} rows in, {kept} kept, {dropped} dropped",
            summary.stage
        )),
    }
    summary.dropped.say(|reason, rows| cli::note(format_args!("  dropped {rows}: {reason}")));
    for note in &summary.notes {
        cli::note(format_args!("  {note}"));
    }
    summary.warnings.say(|warning, rows| cli::warn(format_args!("{rows} rows: {warning}")));
}

/// One stage's page of the ledger.
#[derive(Clone)]
pub struct StageLedger {
    ledger: Ledger,
    stage: usize,
}

impl StageLedger {
    /// Whether dropped rows go to a file, with all that is said of them.
    pub fn keeps_rejects(&self) -> bool {
        self.ledger.entries().rejects.is_some()
    }

    /// The rows of a batch that are kept; the others, in ascending order, are entered with their reasons.
    pub fn pass(&self, batch: &RecordBatch, drops: &[(usize, Drop)]) -> Result<RecordBatch> {
        let mut entries = self.ledger.entries();
        let Entries { summaries, rejects, unwanted, .. } = &mut *entries;
        let summary = &mut summaries[self.stage];
        summary.read += batch.num_rows() as u64;
        summary.kept += (batch.num_rows() - drops.len()) as u64;
        if drops.is_empty() {
            return Ok(batch.clone());
        }
        for (_, drop) in drops {
            summary.dropped.add(&drop.reason, 1);
            if let Some(similarity) = drop.similarity {
                summary.similarities.resize(HUNDREDTHS, 0);
                summary.similarities[(similarity.clamp(0.0, 1.0) * 100.0 + 1e-9) as usize] += 1;
            }
        }
        if let Some(rejects) = rejects {
            rejects.write(batch, summary.stage, drops)?;
        }
        let mut kept = BooleanBufferBuilder::new(batch.num_rows());
        kept.append_n(batch.num_rows(), true);
        drops.iter().for_each(|(row, _)| kept.set_bit(*row, false));
        let kept = BooleanArray::new(kept.finish(), None);
        let last = self.stage + 1 == summaries.len();
        match last && !unwanted.is_empty() {
            true => filter_record_batch(&without(batch, unwanted)?, &kept),
            false => filter_record_batch(batch, &kept),
        }
        .map_err(failed)
    }

    /// The stage adds these columns. It may replace those that another stage of this run has made, or of a run
    /// whose file this is, and no column of the user's.
    pub fn adds(&self, names: &[&String], rows: &Rows) -> Result<()> {
        let added = &mut self.ledger.entries().added;
        // The last one is this run.
        let selected = rows.history.iter().rev().skip(1).any(|run| run.tool == "seval-select");
        for name in names {
            if rows.schema.index_of(name).is_ok() && !selected && !added.contains(name) {
                return Err(taken(name));
            }
            added.push((*name).clone());
        }
        Ok(())
    }

    /// A query has read and made so many rows more.
    pub fn made(&self, read: u64, made: u64) {
        let summary = &mut self.ledger.entries().summaries[self.stage];
        summary.remade = true;
        summary.read += read;
        summary.kept += made;
    }

    /// Something is odd about so many rows that are kept.
    pub fn warn(&self, warning: &str, rows: u64) {
        self.ledger.entries().summaries[self.stage].warnings.add(warning, rows);
    }

    /// A figure for the report.
    pub fn measure(&self, part: &str, of: &str, measure: &str, value: Option<f64>) {
        let [part, of, measure] = [part, of, measure].map(str::to_owned);
        let measure = Measure { part, of, measure, value };
        self.ledger.entries().summaries[self.stage].measures.push(measure);
    }

    /// A fact about the stage.
    pub fn note(&self, note: impl Into<String>) {
        self.ledger.entries().summaries[self.stage].notes.push(note.into());
    }
}

/// A column of the input has the name of one that is to be added.
fn taken(name: &str) -> Error {
    let hint = format!("rename it, or leave it out: --sql 'SELECT * EXCLUDE ({name}) FROM input'");
    Error::data("the input", format!("there is a column `{name}` already")).hint(hint)
}

/// Reasons with the number of their rows, in order of appearance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasons {
    counts: Vec<(String, u64)>,
    places: HashMap<String, usize>,
}

impl Reasons {
    fn add(&mut self, reason: &str, rows: u64) {
        match self.places.get(reason) {
            Some(place) => self.counts[*place].1 += rows,
            None => {
                self.places.insert(reason.to_owned(), self.counts.len());
                self.counts.push((reason.to_owned(), rows));
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(String, u64)> {
        self.counts.iter()
    }

    /// Says the first of them.
    fn say(&self, say: impl Fn(&str, String)) {
        for (reason, rows) in self.counts.iter().take(SAID) {
            say(reason, cli::count(*rows));
        }
        let left = self.counts.iter().skip(SAID).map(|(_, rows)| rows).sum::<u64>();
        if left > 0 {
            let others = cli::count((self.counts.len() - SAID) as u64);
            say(
                &format!("{others} other reasons; --rejects and --report have them"),
                cli::count(left),
            );
        }
    }
}

/// The file of dropped rows.
struct Rejects {
    writer: Writer,
    /// The columns of the rows of all stages.
    rows: SchemaRef,
    schema: SchemaRef,
}

impl Rejects {
    fn create(
        options: &output::Options,
        schemas: &[(&str, SchemaRef)],
        history: &[History],
    ) -> Result<Self> {
        let added = [
            ("stage", DataType::Utf8),
            ("reason", DataType::Utf8),
            ("duplicate_of", DataType::Utf8),
            ("similarity", DataType::Float64),
        ];
        let is_added = |name: &str| added.iter().any(|(known, _)| *known == name);
        let mut fields = schemas.iter().flat_map(|(_, schema)| schema.fields());
        if let Some(field) = fields.find(|field| is_added(field.name())) {
            return Err(taken(field.name()));
        }
        let rows = unify::join(schemas.iter().map(|(stage, schema)| (*stage, schema)))?;
        let added = added.iter().map(|(name, of)| Arc::new(Field::new(*name, of.clone(), true)));
        let fields: Vec<_> = rows.fields().iter().cloned().chain(added).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { writer: Writer::create(options, &schema, history)?, rows, schema })
    }

    fn write(&mut self, batch: &RecordBatch, stage: &str, drops: &[(usize, Drop)]) -> Result<()> {
        let dropped = UInt32Array::from_iter_values(drops.iter().map(|(row, _)| *row as u32));
        let rows = take_record_batch(batch, &dropped).map_err(failed)?;
        let drops: Vec<&Drop> = drops.iter().map(|(_, drop)| drop).collect();
        let mut columns = unify::adapt(&rows, &self.rows, stage)?.columns().to_vec();
        let added: [ArrayRef; 4] = [
            Arc::new(StringArray::from(vec![stage; drops.len()])),
            Arc::new(StringArray::from_iter_values(drops.iter().map(|drop| &drop.reason))),
            Arc::new(StringArray::from_iter(drops.iter().map(|drop| drop.duplicate_of.as_deref()))),
            Arc::new(Float64Array::from_iter(drops.iter().map(|drop| drop.similarity))),
        ];
        columns.extend(added);
        self.writer.write(&with_columns(&self.schema, columns, rows.num_rows())?)
    }

    fn finish(self) -> Result<()> {
        self.writer.finish().map(|_| ())
    }
}
