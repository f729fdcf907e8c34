//! Selection: stages that keep or drop rows, one after the other, in the order given. Every dropped row has a
//! reason; rows read are rows kept and rows dropped, at every stage.
//!
//! A stage that can tell of each row by itself streams ([`rowwise`]); one that has to see all rows keeps them
//! in a spool meanwhile ([`whole`]), so that the rows themselves are in memory only
//! while they are few. What it knows of each row, a name and a cluster say, is: some 30 bytes.

pub mod columns;
pub mod diversify;
pub mod duplicates;
pub mod ids;
pub mod import;
pub mod ledger;
pub mod quality;
pub mod reasons;
pub mod report;
pub mod rowwise;
pub mod sized;
pub mod spool;
pub mod strata;
pub mod texts;
pub mod victims;
pub mod whole;

use crate::rows::{Batches, Rows};
use crate::{Error, Result, output};
use arrow::datatypes::SchemaRef;
use ledger::{Ledger, StageLedger};

/// Why a row is dropped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drop {
    /// In words.
    pub reason: String,
    /// The row that is kept instead: its prompt_id, or FILE:ROW in a file of its own.
    pub duplicate_of: Option<String>,
    /// How alike the two are: 1 is the same.
    pub similarity: Option<f64>,
}

/// One stage of a selection.
pub trait Stage {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// The rows that the stage lets pass, in order. What it drops goes to the ledger as the rows are pulled;
    /// nothing is read before.
    fn apply(self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows>;
}

/// The rows that pass all stages. Dropped rows go to `rejects`, if it is named, with their columns and
/// `stage`, `reason`, `duplicate_of` and `similarity`. Once the rows have been written,
/// [`Ledger::finish`] is due.
pub fn select(
    mut rows: Rows,
    stages: Vec<Box<dyn Stage>>,
    rejects: Option<&output::Options>,
) -> Result<(Rows, Ledger)> {
    let ledger = Ledger::default();
    let mut schemas: Vec<(&str, SchemaRef)> = vec![("the input", rows.schema.clone())];
    for stage in stages {
        let name = stage.name();
        rows = stage.apply(rows, ledger.stage(name))?;
        schemas.push((name, rows.schema.clone()));
    }
    if let Some(options) = rejects {
        ledger.keep_rejects(options, &schemas, &rows.history)?;
    }
    Ok((rows, ledger))
}

/// Batches that are made when the first of them is pulled.
pub fn lazily(make: impl FnOnce() -> Result<Batches> + Send + 'static) -> Batches {
    let mut make = Some(make);
    let mut batches: Batches = Box::new(std::iter::empty());
    Box::new(std::iter::from_fn(move || {
        if let Some(make) = make.take() {
            match make() {
                Ok(made) => batches = made,
                Err(error) => return Some(Err(error)),
            }
        }
        batches.next()
    }))
}

/// A fault of arrow's that no input should bring about.
pub(crate) fn failed(error: arrow::error::ArrowError) -> Error {
    Error::data("the input", error)
}
