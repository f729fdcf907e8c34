//! What became of every row: counts and reasons for people, the dropped rows themselves for a file.

use crate::input::unify;
use crate::output::{self, Writer};
use crate::plain::with_columns;
use crate::provenance::Stage as History;
use crate::select::{Drop, failed};
use crate::{Result, cli};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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
    pub dropped: Vec<(String, u64)>,
    /// How alike dropped rows are to those kept instead: rows by the hundredth that the similarity is in.
    pub similarities: Vec<u64>,
    /// Warnings about rows that are kept, with counts.
    pub warnings: Vec<(String, u64)>,
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

/// Hundredths of a similarity, and one for 1 itself.
const HUNDREDTHS: usize = 101;

/// The ledger of a run, shared by its stages.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    summaries: Vec<Summary>,
    rejects: Option<Rejects>,
}

impl Ledger {
    /// The page of a further stage.
    pub fn stage(&self, name: &'static str) -> StageLedger {
        let mut entries = self.entries();
        entries.summaries.push(Summary { stage: name, ..Summary::default() });
        StageLedger { ledger: self.clone(), stage: entries.summaries.len() - 1 }
    }

    /// Writes the dropped rows, whose columns are those of the stages' rows.
    pub(super) fn keep_rejects(
        &self,
        options: &output::Options,
        schemas: &[SchemaRef],
        history: &[History],
    ) -> Result<()> {
        self.entries().rejects = Some(Rejects::create(options, schemas, history)?);
        Ok(())
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
    for (reason, rows) in &summary.dropped {
        cli::note(format_args!("  dropped {}: {reason}", cli::count(*rows)));
    }
    for note in &summary.notes {
        cli::note(format_args!("  {note}"));
    }
    for (warning, rows) in &summary.warnings {
        cli::warn(format_args!("{} rows: {warning}", cli::count(*rows)));
    }
}

/// One stage's page of the ledger.
#[derive(Clone)]
pub struct StageLedger {
    ledger: Ledger,
    stage: usize,
}

impl StageLedger {
    /// The rows of a batch that are kept; the others are entered with their reasons.
    pub fn pass(&self, batch: &RecordBatch, drops: &[Option<Drop>]) -> Result<RecordBatch> {
        let mut entries = self.ledger.entries();
        let Entries { summaries, rejects } = &mut *entries;
        let summary = &mut summaries[self.stage];
        summary.read += batch.num_rows() as u64;
        let dropped = drops.iter().flatten().count();
        summary.kept += (batch.num_rows() - dropped) as u64;
        if dropped == 0 {
            return Ok(batch.clone());
        }
        for drop in drops.iter().flatten() {
            count(&mut summary.dropped, &drop.reason, 1);
            if let Some(similarity) = drop.similarity {
                summary.similarities.resize(HUNDREDTHS, 0);
                summary.similarities[(similarity.clamp(0.0, 1.0) * 100.0 + 1e-9) as usize] += 1;
            }
        }
        if let Some(rejects) = rejects {
            rejects.write(batch, summary.stage, drops)?;
        }
        let kept: BooleanArray = drops.iter().map(|drop| Some(drop.is_none())).collect();
        filter_record_batch(batch, &kept).map_err(failed)
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
        count(&mut self.ledger.entries().summaries[self.stage].warnings, warning, rows);
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

fn count(counts: &mut Vec<(String, u64)>, what: &str, rows: u64) {
    match counts.iter_mut().find(|(known, _)| known == what) {
        Some((_, count)) => *count += rows,
        None => counts.push((what.to_owned(), rows)),
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
        schemas: &[SchemaRef],
        history: &[History],
    ) -> Result<Self> {
        let added = [
            ("stage", DataType::Utf8),
            ("reason", DataType::Utf8),
            ("duplicate_of", DataType::Utf8),
            ("similarity", DataType::Float64),
        ];
        let is_added = |name: &str| added.iter().any(|(known, _)| *known == name);
        let own = schemas.iter().map(|schema| {
            let fields = schema.fields().iter().filter(|field| !is_added(field.name())).cloned();
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        });
        let own: Vec<SchemaRef> = own.collect();
        let rows = unify::join(own.iter().map(|schema| ("a stage", schema)))?;
        let added = added.iter().map(|(name, of)| Arc::new(Field::new(*name, of.clone(), true)));
        let fields: Vec<_> = rows.fields().iter().cloned().chain(added).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { writer: Writer::create(options, &schema, history)?, rows, schema })
    }

    fn write(&mut self, batch: &RecordBatch, stage: &str, drops: &[Option<Drop>]) -> Result<()> {
        let dropped: BooleanArray = drops.iter().map(|drop| Some(drop.is_some())).collect();
        let rows = filter_record_batch(batch, &dropped).map_err(failed)?;
        let drops: Vec<&Drop> = drops.iter().flatten().collect();
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
