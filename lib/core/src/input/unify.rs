//! Several inputs as one table: columns by name, in order of first appearance; a column that an input lacks
//! is null in its rows. The same name with two types is an error that names both inputs.

use crate::contract::Contract;
use crate::plain::{self, with_columns};
use crate::{Error, Result};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use std::sync::Arc;

/// The joint schema of named inputs.
pub fn join<'a>(parts: impl Iterator<Item = (&'a str, &'a SchemaRef)>) -> Result<SchemaRef> {
    let mut fields: Vec<(FieldRef, &str)> = Vec::new();
    for (name, schema) in parts {
        for field in schema.fields() {
            match fields.iter_mut().find(|(known, _)| known.name() == field.name()) {
                None => fields.push((field.clone(), name)),
                Some((known, first)) => {
                    let types = (known.data_type(), field.data_type());
                    match common(types.0, types.1) {
                        Some(data_type) => {
                            *known = Arc::new(Field::new(field.name(), data_type, true))
                        }
                        None => {
                            let what = format!("{} here, {} in {first}", types.1, types.0);
                            return Err(Error::data(
                                format!("{name}: column `{}`", field.name()),
                                what,
                            )
                            .hint("cast one of them, or read them apart"));
                        }
                    }
                }
            }
        }
    }
    // A column without a value in any input is what its name says to our programs, or else text.
    let fields = fields.into_iter().map(|(field, _)| match field.data_type() {
        DataType::Null => Arc::new(
            Contract::any_field(field.name())
                .unwrap_or_else(|| Field::new(field.name(), DataType::Utf8, true)),
        ),
        _ => field,
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// The type that holds the values of both.
fn common(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Float32, Float64, Int32, Int64, Null};
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (Null, other) | (other, Null) => Some(other.clone()),
        (Int32, Int64) | (Int64, Int32) => Some(Int64),
        (Float32, Float64)
        | (Float64, Float32)
        | (Int32, Float64)
        | (Float64, Int32)
        | (Int64, Float64)
        | (Float64, Int64) => Some(Float64),
        _ => None,
    }
}

/// The batch with the columns of the joint schema.
pub fn adapt(batch: &RecordBatch, schema: &SchemaRef, place: &str) -> Result<RecordBatch> {
    if batch.schema_ref().fields() == schema.fields() {
        return with_columns(schema, batch.columns().to_vec(), batch.num_rows());
    }
    let column = |field: &FieldRef| -> Result<ArrayRef> {
        match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) => plain::to_type(column, field.data_type())
                .map_err(|why| Error::data(format!("{place}: column `{}`", field.name()), why)),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    with_columns(schema, columns, batch.num_rows())
}

/// The batch with its rows' positions; `read` counts the rows of its file.
pub fn positioned(
    batch: &RecordBatch,
    schema: &SchemaRef,
    file: &str,
    index: usize,
    read: &mut i64,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let first = *read + 1;
    *read += rows as i64;
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec![file; rows])));
    columns.push(Arc::new(Int64Array::from(vec![index as i64; rows])));
    columns.push(Arc::new(Int64Array::from_iter_values(first..=*read)));
    with_columns(schema, columns, rows)
}
