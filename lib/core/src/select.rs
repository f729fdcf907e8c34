//! Selection: stages that keep or drop rows, in the order given. Every dropped row has a reason; rows read
//! are rows kept and rows dropped, at every stage.

pub mod exact;
pub mod import;
pub mod quality;

use crate::output::{self, Writer};
use crate::plain::with_columns;
use crate::provenance::Stage as History;
use crate::rows::Rows;
use crate::{Error, Result, cli};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a row is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// In words.
    pub reason: String,
    /// The prompt_id of the row that is kept instead.
    pub duplicate_of: Option<String>,
}

/// One stage of a selection. Batches come in order.
pub trait Stage: Send {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// For each row, why it is dropped; none: it is kept.
    fn judge(&mut self, batch: &RecordBatch) -> Result<Vec<Option<Drop>>>;

    /// Warnings about rows that are kept: text, and how many rows.
    fn warnings(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}

/// What a stage did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The stage's name.
    pub stage: &'static str,
    /// Rows that reached it.
    pub read: u64,
    /// Rows it let pass.
    pub kept: u64,
    /// Reasons of the others, with counts, in order of appearance.
    pub dropped: Vec<(String, u64)>,
    /// Warnings, with counts.
    pub warnings: Vec<(String, u64)>,
}

/// A selection under way.
pub struct Selection {
    summaries: Arc<Mutex<Vec<Summary>>>,
    rejects: Arc<Mutex<Option<Rejects>>>,
}

/// The rows that pass all stages. Dropped rows go to `rejects`, if one is named, with the columns
/// `stage`, `reason` and `duplicate_of`. Once the rows have been written, [`Selection::finish`] is due.
pub fn select(
    rows: Rows,
    mut stages: Vec<Box<dyn Stage>>,
    rejects: Option<&output::Options>,
) -> Result<(Rows, Selection)> {
    let start = stages.iter().map(|stage| Summary { stage: stage.name(), ..Summary::default() });
    let rejects = match rejects {
        Some(options) => Some(Rejects::create(options, &rows.schema, &rows.history)?),
        None => None,
    };
    let selection = Selection {
        summaries: Arc::new(Mutex::new(start.collect())),
        rejects: Arc::new(Mutex::new(rejects)),
    };
    let (summaries, rejects) = (selection.summaries.clone(), selection.rejects.clone());
    let batches = rows.batches.map(move |batch| {
        let mut summaries = summaries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rejects = rejects.lock().unwrap_or_else(PoisonError::into_inner);
        pass(batch?, &mut stages, &mut summaries, rejects.as_mut())
    });
    Ok((Rows { schema: rows.schema, batches: Box::new(batches), history: rows.history }, selection))
}

impl Selection {
    /// Publishes the dropped rows, and says what each stage did.
    pub fn finish(self) -> Result<()> {
        let rejects = self.rejects.lock().unwrap_or_else(PoisonError::into_inner).take();
        rejects.map_or(Ok(()), Rejects::finish)?;
        report(&self.summaries.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

/// Says what each stage kept, dropped and found odd.
fn report(summaries: &[Summary]) {
    for summary in summaries {
        let (read, kept) = (cli::count(summary.read), cli::count(summary.kept));
        let dropped = cli::count(summary.read - summary.kept);
        cli::note(format_args!(
            "{}: {read} rows in, {kept} kept, {dropped} dropped",
            summary.stage
        ));
        for (reason, rows) in &summary.dropped {
            cli::note(format_args!("  dropped {}: {reason}", cli::count(*rows)));
        }
        for (warning, rows) in &summary.warnings {
            cli::warn(format_args!("{} rows: {warning}", cli::count(*rows)));
        }
    }
}

fn pass(
    mut batch: RecordBatch,
    stages: &mut [Box<dyn Stage>],
    summaries: &mut [Summary],
    mut rejects: Option<&mut Rejects>,
) -> Result<RecordBatch> {
    for (stage, summary) in stages.iter_mut().zip(summaries) {
        let drops = stage.judge(&batch)?;
        summary.read += batch.num_rows() as u64;
        summary.warnings = stage.warnings();
        for drop in drops.iter().flatten() {
            match summary.dropped.iter_mut().find(|(reason, _)| *reason == drop.reason) {
                Some((_, count)) => *count += 1,
                None => summary.dropped.push((drop.reason.clone(), 1)),
            }
        }
        let kept: BooleanArray = drops.iter().map(|drop| Some(drop.is_none())).collect();
        summary.kept += kept.true_count() as u64;
        if kept.true_count() == batch.num_rows() {
            continue;
        }
        if let Some(rejects) = rejects.as_deref_mut() {
            rejects.write(&batch, stage.name(), &drops)?;
        }
        batch = filter_record_batch(&batch, &kept).map_err(|error| Error::data("", error))?;
    }
    Ok(batch)
}

/// The file of dropped rows.
struct Rejects {
    writer: Writer,
    schema: SchemaRef,
}

/// What the file adds to the columns of the rows.
const REJECT_COLUMNS: [&str; 3] = ["stage", "reason", "duplicate_of"];

impl Rejects {
    fn create(options: &output::Options, schema: &Schema, history: &[History]) -> Result<Self> {
        let added =
            REJECT_COLUMNS.iter().map(|name| Arc::new(Field::new(*name, DataType::Utf8, true)));
        let own = schema.fields().iter().filter(|f| !REJECT_COLUMNS.contains(&f.name().as_str()));
        let schema = Arc::new(Schema::new(own.cloned().chain(added).collect::<Vec<_>>()));
        Ok(Self { writer: Writer::create(options, &schema, history)?, schema })
    }

    fn write(&mut self, batch: &RecordBatch, stage: &str, drops: &[Option<Drop>]) -> Result<()> {
        let dropped: BooleanArray = drops.iter().map(|drop| Some(drop.is_some())).collect();
        let rows = filter_record_batch(batch, &dropped).map_err(|error| Error::data("", error))?;
        let drops: Vec<&Drop> = drops.iter().flatten().collect();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for field in self.schema.fields() {
            columns.push(match field.name().as_str() {
                "stage" => Arc::new(StringArray::from(vec![stage; drops.len()])),
                "reason" => {
                    Arc::new(StringArray::from_iter_values(drops.iter().map(|d| &d.reason)))
                }
                "duplicate_of" => Arc::new(StringArray::from_iter(
                    drops.iter().map(|d| d.duplicate_of.as_deref()),
                )),
                name => match rows.column_by_name(name) {
                    Some(column) => column.clone(),
                    None => arrow::array::new_null_array(field.data_type(), rows.num_rows()),
                },
            });
        }
        self.writer.write(&with_columns(&self.schema, columns, rows.num_rows())?)
    }

    fn finish(self) -> Result<()> {
        self.writer.finish().map(|_| ())
    }
}
