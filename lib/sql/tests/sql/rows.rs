//! Tables from JSON lines and JSON rows from answers.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;
use arrow::json::writer::{JsonArray, WriterBuilder};
use serde_json::Value;
use seval_sql::{Batches, Error, Limits, Table};

/// A small batch size, so that every test sees several batches.
const BATCH: usize = 64;

pub fn limits(threads: usize) -> Limits {
    Limits { memory_bytes: None, threads, time: None }
}

/// A table over batches of one schema.
pub fn table(name: &str, schema: &SchemaRef, batches: Vec<RecordBatch>) -> Table {
    let open = move |columns: &[usize]| -> Result<Batches, ArrowError> {
        let columns = columns.to_vec();
        Ok(Box::new(batches.clone().into_iter().map(move |batch| batch.project(&columns))))
    };
    Table { name: name.into(), schema: Arc::clone(schema), open: Arc::new(open) }
}

/// A table from JSON lines.
pub fn lines(name: &str, text: &str) -> Table {
    let schema = inferred(text, &[]);
    table(name, &schema, batches(text, &schema))
}

/// The table `input` as the programs make it: all files in order, with `_file`, `_file_index` and
/// `_row`, and a null column for each of `optional` that no file has.
pub fn files(files: &[(String, String)], optional: &[(String, DataType)]) -> Table {
    let all: String = files.iter().map(|(_, text)| format!("{}\n", text.trim())).collect();
    let schema = inferred(&all, optional);
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| (**field).clone()).collect();
    fields.push(Field::new("_file", DataType::Utf8, true));
    fields.push(Field::new("_file_index", DataType::Int64, true));
    fields.push(Field::new("_row", DataType::Int64, true));
    let complete = Arc::new(Schema::new(fields));
    let mut read = Vec::new();
    for (index, (name, text)) in files.iter().enumerate() {
        let mut row = 0;
        for batch in batches(text, &schema) {
            let n = batch.num_rows();
            let numbers = Int64Array::from_iter_values(row + 1..row + 1 + n as i64);
            row += n as i64;
            let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
            columns.push(Arc::new(StringArray::from(vec![name.as_str(); n])));
            columns.push(Arc::new(Int64Array::from(vec![index as i64; n])));
            columns.push(Arc::new(numbers));
            read.push(RecordBatch::try_new(Arc::clone(&complete), columns).unwrap());
        }
    }
    table("input", &complete, read)
}

/// The columns of the lines, texts where all values are null, and the optional ones.
fn inferred(text: &str, optional: &[(String, DataType)]) -> SchemaRef {
    let (schema, _) = infer_json_schema(Cursor::new(text), None).unwrap();
    let typed = |field: &Arc<Field>| match field.data_type() {
        DataType::Null => Field::new(field.name(), DataType::Utf8, true),
        _ => (**field).clone(),
    };
    let mut fields: Vec<Field> = schema.fields().iter().map(typed).collect();
    for (name, kind) in optional {
        if fields.iter().all(|field| field.name() != name) {
            fields.push(Field::new(name, kind.clone(), true));
        }
    }
    Arc::new(Schema::new(fields))
}

fn batches(text: &str, schema: &SchemaRef) -> Vec<RecordBatch> {
    let reader = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(BATCH);
    let read = reader.build(Cursor::new(text)).unwrap();
    read.map(|batch| with_missing(&batch.unwrap(), schema)).collect()
}

/// The batch under the whole schema.
fn with_missing(batch: &RecordBatch, schema: &SchemaRef) -> RecordBatch {
    let columns = schema.fields().iter().map(|field| {
        let missing = || new_null_array(field.data_type(), batch.num_rows());
        batch.column_by_name(field.name()).cloned().unwrap_or_else(missing)
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
}

/// All rows of an answer as batches.
pub fn ask(sql: &str, tables: Vec<Table>, limits: &Limits) -> Result<Vec<RecordBatch>, Error> {
    let rows = seval_sql::query(sql, tables, limits)?;
    let schema = rows.schema;
    let batches = rows.batches.collect::<Result<Vec<_>, _>>().map_err(Error::from)?;
    assert!(batches.iter().all(|batch| batch.schema() == schema));
    Ok(batches)
}

/// All rows of an answer as JSON objects, with nulls.
pub fn rows(sql: &str, tables: Vec<Table>, threads: usize) -> Result<Vec<Value>, Error> {
    ask(sql, tables, &limits(threads)).map(|batches| json(&batches))
}

pub fn json(batches: &[RecordBatch]) -> Vec<Value> {
    let mut bytes = Vec::new();
    let mut writer =
        WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut bytes);
    writer.write_batches(&batches.iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    match bytes.is_empty() {
        true => Vec::new(),
        false => serde_json::from_slice(&bytes).unwrap(),
    }
}

/// The values of one column.
pub fn column<'a>(rows: &'a [Value], name: &str) -> Vec<&'a Value> {
    rows.iter().map(|row| row.get(name).unwrap_or_else(|| panic!("no column {name}"))).collect()
}
