//! seval-sql: DataFusion behind a small face. One read-only SELECT over named tables of Arrow
//! batches in, Arrow batches out.
//!
//! Invariants: a leaf, it knows nothing of prompts, files or formats. It opens no file and no
//! socket (but spills to the temporary folder when memory is limited). A statement sees the given
//! tables and nothing else. What comes out has plain types only (see [`Rows`]). No public function
//! is generic, so an edit elsewhere never compiles DataFusion again.

mod engine;
mod error;
mod functions;
mod plain;
mod statement;
mod table;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

pub use engine::query;
pub use error::Error;

/// A stream of batches. After an error nothing more comes.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Starts one scan of a table: gets the indices of the columns wanted, in the order wanted.
pub type Open = Arc<dyn Fn(&[usize]) -> Result<Batches, ArrowError> + Send + Sync>;

/// A named input.
pub struct Table {
    /// The name in the statement. SQL folds unquoted names to lower case, so this should be lower
    /// case.
    pub name: String,
    /// Every column there is.
    pub schema: SchemaRef,
    /// Starts a scan. It is called once for each place the statement reads the table at (so often
    /// more than once), and from other threads. Its batches must have exactly the columns asked
    /// for; asked for none, as `count(*)` does, they have no column but still a number of rows, as
    /// `RecordBatch::project(&[])` gives.
    pub open: Open,
}

/// What a query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Memory of sorts, joins and groupings; above it they spill to disk, and what cannot spill
    /// fails with [`Error::Resources`]. `None` is no limit.
    pub memory_bytes: Option<usize>,
    /// Threads of the engine; 0 counts as 1. Values never depend on it as long as the statement
    /// sums whole numbers. The order of rows may, where the statement leaves it open: grouped or
    /// joined rows without an `ORDER BY` that breaks all ties. With 1 it is always the same.
    pub threads: usize,
    /// How long planning and running may take together; over it the query ends with
    /// [`Error::Resources`]. `None` is no limit.
    pub time: Option<Duration>,
}

/// The rows of a query, computed while they are read.
///
/// Types are plain ones: no view, large, dictionary or null type, counts are Int64. An error of the
/// run is an [`ArrowError`] here; `Error::from` gives it back in its kind. Dropping the rows ends
/// the query at its next batch.
pub struct Rows {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Batches,
}
