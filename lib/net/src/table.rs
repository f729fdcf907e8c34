//! Small tables from JSON objects.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use serde_json::Value;
use seval_core::{Error, Result, Rows};

/// A schema of columns that may be null.
pub fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, of): &(&str, DataType)| Field::new(*name, of.clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// One object a row; a member that is missing is null.
pub fn batch(schema: &SchemaRef, rows: &[Value]) -> Result<RecordBatch> {
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    let decode = || {
        let builder = ReaderBuilder::new(schema.clone()).with_batch_size(rows.len());
        let mut decoder = builder.build_decoder()?;
        decoder.serialize(rows)?;
        decoder.flush()
    };
    let batch = decode().map_err(|error| Error::data("", error))?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema.clone())))
}

/// A whole table.
pub fn rows(schema: SchemaRef, rows: &[Value]) -> Result<Rows> {
    let batch = batch(&schema, rows)?;
    Ok(Rows { schema, batches: Box::new(std::iter::once(Ok(batch))), history: Vec::new() })
}
