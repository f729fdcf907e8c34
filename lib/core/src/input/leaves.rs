//! JSON of any shape as rows: one for each leaf, with `_path`, the keys and positions that lead to it, and
//! `_value`, its text. SQL reaches whatever is in it, and keys that differ from line to line make no columns.

use super::bytes::Opened;
use super::json::{Lines, damaged, decoder, flush, parse};
use super::{BATCH_BYTES, BATCH_ROWS, Part};
use crate::plain::list_of;
use crate::rows::Batches;
use crate::{Error, Result};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The column of keys and positions.
pub const PATH: &str = "_path";

/// The columns.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(PATH, list_of(DataType::Utf8), true),
        Field::new("_value", DataType::Utf8, true),
    ]))
}

/// The leaves of JSON lines; a path begins with the line's position.
pub fn prepare_lines(opened: Opened) -> Part {
    let mut lines = Lines::new(opened.bytes);
    let (mut rows, mut line) = (Vec::new(), 0);
    let mut read = move || -> Result<Vec<Value>> {
        let mut bytes = 0;
        while rows.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some((number, text)) = lines.next()? else { break };
            bytes += text.len();
            let (value, _) = parse(text).map_err(|error| damaged(number, &error))?;
            of(&value, &mut vec![line.to_string().into()], &mut rows);
            line += 1;
        }
        let rest = rows.split_off(rows.len().min(BATCH_ROWS));
        Ok(std::mem::replace(&mut rows, rest))
    };
    let batches = move || batches(move || Ok(Some(read()?).filter(|rows| !rows.is_empty())));
    Part { name: opened.name, schema: schema(), history: Vec::new(), batches: Box::new(batches) }
}

/// Rows as batches, until there are no more.
fn batches(
    mut rows: impl FnMut() -> Result<Option<Vec<Value>>> + Send + 'static,
) -> Result<Batches> {
    let mut decoder = decoder(&schema())?;
    let mut next = move || {
        let Some(rows) = rows()? else { return Ok(None) };
        decoder.serialize(&rows).map_err(|error| Error::data("", error))?;
        flush(&mut decoder)
    };
    Ok(Box::new(std::iter::from_fn(move || next().transpose())))
}

/// One row for each scalar: the keys and positions that lead to it, and its text.
pub fn of(value: &Value, path: &mut Vec<Value>, rows: &mut Vec<Value>) {
    let mut inside = |key: Value, value: &Value| {
        path.push(key);
        of(value, path, rows);
        path.pop();
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, item)| inside(at.to_string().into(), item));
        }
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(key, member)| inside(key.clone().into(), member));
        }
        scalar => {
            let text = match scalar {
                Value::Null => Value::Null,
                Value::String(text) => text.clone().into(),
                other => other.to_string().into(),
            };
            let row = [(PATH.into(), path.clone().into()), ("_value".into(), text)];
            rows.push(Value::Object(Map::from_iter(row)));
        }
    }
}
