//! A [`crate::Table`] as DataFusion wants it: a provider whose scan is one stream over the caller's
//! batches. The first error of any table is noted in [`Fault`] before the engine can wrap it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use crate::{Batches, Open, Table};

/// What went wrong first while a table was read.
pub(crate) type Fault = Arc<OnceLock<String>>;

/// A table the statement may name.
pub(crate) struct Source {
    table: Table,
    fault: Fault,
}

impl Source {
    pub(crate) fn new(table: Table, fault: &Fault) -> Self {
        Self { table, fault: Arc::clone(fault) }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.table.name)
    }
}

type Planned<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

impl TableProvider for Source {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // Written out as `#[async_trait]` would: nothing here waits, and the macro would be a
    // dependency.
    fn scan<'a, 'b, 'c, 'd, 'out>(
        &'a self,
        _: &'b dyn Session,
        projection: Option<&'c Vec<usize>>,
        _: &'d [Expr],
        limit: Option<usize>,
    ) -> Planned<'out>
    where
        'a: 'out,
        'b: 'out,
        'c: 'out,
        'd: 'out,
        Self: 'out,
    {
        let every = || (0..self.table.schema.fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(every);
        let planned = self.table.schema.project(&columns).map_err(DataFusionError::from);
        let planned = planned.and_then(|schema| {
            let schema = Arc::new(schema);
            let scan = Scan {
                columns,
                schema: Arc::clone(&schema),
                open: Arc::clone(&self.table.open),
                fault: Arc::clone(&self.fault),
            };
            let parts: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(scan)];
            let exec = StreamingTableExec::try_new(schema, parts, None, [], false, limit)?;
            Ok(Arc::new(exec) as Arc<dyn ExecutionPlan>)
        });
        Box::pin(std::future::ready(planned))
    }
}

/// One scan of some columns.
struct Scan {
    columns: Vec<usize>,
    schema: SchemaRef,
    open: Open,
    fault: Fault,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scan({:?})", self.columns)
    }
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches: Batches = match (self.open)(&self.columns) {
            Ok(batches) => batches,
            Err(error) => Box::new(std::iter::once(Err(error))),
        };
        let schema = Arc::clone(&self.schema);
        let fault = Arc::clone(&self.fault);
        let checked = batches.map(move |batch| {
            batch.and_then(|batch| in_schema(&batch, &schema)).map_err(|error| {
                // Only the first fault counts; later ones are often its consequence.
                let _ = fault.set(text(&error));
                DataFusionError::from(error)
            })
        });
        let stream = futures::stream::iter(checked);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

/// The batch under the schema the engine planned with: names and metadata may differ, types may
/// not.
fn in_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &rows)
}

/// The caller's own words: an error of another crate travels as an external one.
fn text(error: &ArrowError) -> String {
    match error {
        ArrowError::ExternalError(inner) => inner.to_string(),
        other => other.to_string(),
    }
}
