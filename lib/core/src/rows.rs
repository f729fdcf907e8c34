//! Rows: a schema, the batches that follow it, and what made them.
//!
//! Everything that flows between the programs is a [`Rows`]. Batches are pulled, never collected, so
//! that memory is bounded by batches and not by the input.

use crate::provenance::Stage;
use crate::{Error, Result};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use rayon::prelude::*;
use std::sync::mpsc;

/// Batches in order; the first error ends them.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A stream of rows.
pub struct Rows {
    /// Names and plain types (see [`crate::plain`]) of the columns, in order.
    pub schema: SchemaRef,
    /// The rows. Every batch has exactly `schema`.
    pub batches: Batches,
    /// The programs that made the rows, oldest first.
    pub history: Vec<Stage>,
}

/// Batches that are worked on at once, for every thread.
const AHEAD: usize = 2;

impl Rows {
    /// A table that is there as a whole.
    pub fn of(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        Self { schema, batches: Box::new(std::iter::once(Ok(batch))), history: Vec::new() }
    }

    /// The same rows through `f`, which keeps order and gives batches of `schema`; batches are worked on
    /// in parallel, with at most a few in memory.
    pub fn map_parallel<F>(self, schema: SchemaRef, f: F) -> Self
    where
        F: Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync + 'static,
    {
        let window = AHEAD * rayon::current_num_threads();
        let mut source = prefetch(self.batches, window);
        let mut ready = Vec::new().into_iter();
        let mut failed = None;
        let batches = std::iter::from_fn(move || {
            loop {
                if let Some(batch) = ready.next() {
                    return Some(Ok(batch));
                }
                if let Some(error) = failed.take() {
                    source = Box::new(std::iter::empty());
                    return Some(Err(error));
                }
                let mut taken = Vec::with_capacity(window);
                for batch in source.by_ref().take(window) {
                    match batch {
                        Ok(batch) => taken.push(batch),
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
                if taken.is_empty() && failed.is_none() {
                    return None;
                }
                // A failure inside the window comes after the batches that precede it.
                let done: Vec<Result<RecordBatch>> = taken.into_par_iter().map(&f).collect();
                let mut good = Vec::new();
                for result in done {
                    match result {
                        Ok(batch) => good.push(batch),
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
                ready = good.into_iter();
            }
        });
        Self { schema, batches: Box::new(batches), history: self.history }
    }

    /// The same rows in batches of at most `rows` rows.
    pub fn cut(self, rows: usize) -> Self {
        let batches = self.batches.flat_map(move |batch| -> Batches {
            match batch {
                Ok(batch) => {
                    let starts = (0..batch.num_rows()).step_by(rows.max(1));
                    Box::new(
                        starts.map(move |at| Ok(batch.slice(at, rows.min(batch.num_rows() - at)))),
                    )
                }
                error => Box::new(std::iter::once(error)),
            }
        });
        Self { schema: self.schema, batches: Box::new(batches), history: self.history }
    }

    /// The first `limit` rows, and no more are read than needed.
    pub fn limit(self, limit: usize) -> Self {
        let mut left = limit;
        let mut source = self.batches;
        let batches = std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let batch = match source.next()? {
                Ok(batch) => batch.slice(0, left.min(batch.num_rows())),
                error => return Some(error),
            };
            left -= batch.num_rows();
            Some(Ok(batch))
        });
        Self { schema: self.schema, batches: Box::new(batches), history: self.history }
    }
}

/// The bytes that belong to the rows of a batch, not to the buffers it is a slice of.
pub(crate) fn sliced_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

/// Reads ahead on a thread of its own, at most `depth` batches.
fn prefetch(source: Batches, depth: usize) -> Batches {
    let (send, receive) = mpsc::sync_channel(depth);
    let reader = std::thread::Builder::new().name("reader".into()).spawn(move || {
        for batch in source {
            if send.send(batch).is_err() {
                return;
            }
        }
    });
    match reader {
        Ok(_) => Box::new(receive.into_iter()),
        Err(error) => {
            let error = Error::world("reader", format!("no thread to be had: {error}"));
            Box::new(std::iter::once(Err(error)))
        }
    }
}
