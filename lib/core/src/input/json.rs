//! JSON lines and JSON documents.
//!
//! Lines are read twice, first for the types ([`super::json_types`]), then for the values; so a pipe is put
//! into a temporary file. A document is read whole. One whose top is not a list of objects becomes a row
//! for each leaf, with `_path` and `_value`, so that SQL reaches any shape.

use super::bytes::{Opened, Source};
use super::json_types::{Kind, Observe};
use super::{BATCH_BYTES, BATCH_ROWS, Part, spool};
use crate::plain::list_of;
use crate::rows::{Batches, Rows};
use crate::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use serde::de::DeserializeSeed;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read, Seek};
use std::sync::Arc;

/// A longer line is refused: it is damage, or not JSON lines.
const MAX_LINE: usize = 16 << 20;

type Bytes = Box<dyn Read + Send>;

/// One object a line.
pub fn prepare_lines(source: Source, mut opened: Opened) -> Result<Part> {
    let (first, again): (Bytes, Box<dyn FnOnce() -> Result<Bytes> + Send>) = match source {
        source if source.is_once() => {
            let mut file = spool::spool(&mut opened.bytes)?;
            let copy = file.try_clone().map_err(|error| Error::io("", &error))?;
            let again = move || {
                file.rewind().map_err(|error| Error::io("", &error))?;
                Ok(Box::new(file) as Bytes)
            };
            (Box::new(copy), Box::new(again))
        }
        source => (opened.bytes, Box::new(move || Ok(source.open()?.bytes))),
    };
    let kind = observe_lines(first)?;
    let schema = with_columns(kind.schema())?;
    let part_schema = schema.clone();
    let batches = move || decode_lines(again()?, kind, part_schema);
    Ok(Part { name: opened.name, schema, history: Vec::new(), batches: Box::new(batches) })
}

/// The rows of a text of JSON lines.
pub fn of_text(text: &str) -> Result<Rows> {
    let bytes = || Box::new(std::io::Cursor::new(text.as_bytes().to_vec())) as Bytes;
    let kind = observe_lines(bytes())?;
    let schema = with_columns(kind.schema())?;
    let batches = decode_lines(bytes(), kind, schema.clone())?;
    Ok(Rows { schema, batches, history: Vec::new() })
}

/// Rows without a single key have no columns, and would be gone.
fn with_columns(schema: Schema) -> Result<SchemaRef> {
    match schema.fields().is_empty() {
        true => Err(Error::data("", "the objects have no keys")),
        false => Ok(Arc::new(schema)),
    }
}

/// The lines that are not blank, with their numbers from 1.
struct Lines {
    bytes: BufReader<Bytes>,
    line: Vec<u8>,
    number: usize,
}

impl Lines {
    fn new(bytes: Bytes) -> Self {
        Self { bytes: BufReader::with_capacity(1 << 17, bytes), line: Vec::new(), number: 0 }
    }

    fn next(&mut self) -> Result<Option<(usize, &[u8])>> {
        loop {
            self.line.clear();
            self.number += 1;
            let place = format_args!("line {}", self.number).to_string();
            let read = (&mut self.bytes)
                .take(MAX_LINE as u64 + 1)
                .read_until(b'\n', &mut self.line)
                .map_err(|error| Error::io(&place, &error))?;
            if read == 0 {
                return Ok(None);
            }
            if read > MAX_LINE {
                return Err(Error::data(place, format!("a line of more than {MAX_LINE} bytes")));
            }
            let start = match self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                true => 3,
                false => 0,
            };
            if self.line[start..].iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Ok(Some((self.number, &self.line[start..])));
            }
        }
    }
}

fn observe_lines(bytes: Bytes) -> Result<Kind> {
    let mut kind = Kind::Object(Vec::new());
    let mut objects = 0;
    let mut lines = Lines::new(bytes);
    while let Some((number, line)) = lines.next()? {
        if line.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Error::data(format!("line {number}"), "expected a JSON object"));
        }
        observe(line, &mut kind, &mut objects)
            .map_err(|error| Error::data(format!("line {number}"), said(&error)))?;
    }
    Ok(kind)
}

fn observe(text: &[u8], kind: &mut Kind, objects: &mut u64) -> serde_json::Result<()> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    Observe { kind, objects }.deserialize(&mut parser)?;
    parser.end()
}

/// What the parser says, without the line.
fn said(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let at = format!(" at line {} column {}", error.line(), error.column());
    match error.is_eof() {
        true => "the JSON text is cut short".into(),
        false => format!("{} (column {})", what.trim_end_matches(&at), error.column()),
    }
}

fn decode_lines(bytes: Bytes, kind: Kind, schema: SchemaRef) -> Result<Batches> {
    let mut decoder = decoder(&schema)?;
    let mut lines = Lines::new(bytes);
    let rewrite = kind.has_json_text();
    Ok(Box::new(std::iter::from_fn(move || {
        let mut bytes = 0;
        while decoder.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            match lines.next() {
                Ok(None) => break,
                Ok(Some((number, line))) => {
                    bytes += line.len();
                    let done = match rewrite {
                        true => decode_rewritten(&mut decoder, &kind, line),
                        false => decode_line(&mut decoder, line),
                    };
                    if let Err(what) = done {
                        return Some(Err(Error::data(format!("line {number}"), what)));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
        flush(&mut decoder).transpose()
    })))
}

fn decoder(schema: &SchemaRef) -> Result<Decoder> {
    ReaderBuilder::new(schema.clone())
        .with_coerce_primitive(true)
        .with_batch_size(BATCH_ROWS + 1)
        .build_decoder()
        .map_err(|error| Error::data("", error))
}

fn decode_line(decoder: &mut Decoder, line: &[u8]) -> Result<(), String> {
    decoder.decode(line).map_err(|error| error.to_string())?;
    match decoder.has_partial_record() {
        true => Err("the JSON text is cut short".into()),
        false => Ok(()),
    }
}

fn decode_rewritten(decoder: &mut Decoder, kind: &Kind, line: &[u8]) -> Result<(), String> {
    let mut row: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    kind.to_text(&mut row);
    decoder.serialize(&[row]).map_err(|error| error.to_string())
}

fn flush(decoder: &mut Decoder) -> Result<Option<RecordBatch>> {
    decoder.flush().map_err(|error| Error::data("", error))
}

/// One JSON value.
pub fn prepare_document(mut opened: Opened) -> Result<Part> {
    let mut text = Vec::new();
    opened.bytes.read_to_end(&mut text).map_err(|error| Error::io("", &error))?;
    let body = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut kind = Kind::Null;
    // Finds keys that stand twice, which the parser below would drop.
    observe(body, &mut kind, &mut 0)
        .map_err(|error| Error::data(format!("line {}", error.line()), said(&error)))?;
    let document: Value = serde_json::from_slice(body).map_err(|error| Error::data("", error))?;
    drop(text);
    let (schema, rows) = match document {
        Value::Array(rows) if !rows.is_empty() && rows.iter().all(Value::is_object) => {
            let item = match kind {
                Kind::List(item) => *item,
                other => other,
            };
            let rewrite = item.has_json_text();
            let schema = with_columns(item.schema())?;
            let rows = rows.into_iter().map(move |mut row| {
                if rewrite {
                    item.to_text(&mut row);
                }
                row
            });
            (schema, rows.collect::<Vec<_>>())
        }
        other => {
            let mut rows = Vec::new();
            if other != Value::Array(Vec::new()) {
                leaves(&other, &mut Vec::new(), &mut rows);
            }
            (leaf_schema(), rows)
        }
    };
    let batch_schema = schema.clone();
    let batches = move || {
        let mut decoder = decoder(&batch_schema)?;
        let mut rows = rows.into_iter();
        Ok(Box::new(std::iter::from_fn(move || {
            let some: Vec<Value> = rows.by_ref().take(BATCH_ROWS).collect();
            if some.is_empty() {
                return None;
            }
            let decoded = decoder.serialize(&some).map_err(|error| Error::data("", error));
            decoded.and_then(|()| flush(&mut decoder)).transpose()
        })) as Batches)
    };
    Ok(Part { name: opened.name, schema, history: Vec::new(), batches: Box::new(batches) })
}

fn leaf_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("_path", list_of(DataType::Utf8), true),
        Field::new("_value", DataType::Utf8, true),
    ]))
}

/// One row for each scalar: the keys and positions that lead to it, and its text.
fn leaves(value: &Value, path: &mut Vec<Value>, rows: &mut Vec<Value>) {
    let mut inside = |key: Value, value: &Value| {
        path.push(key);
        leaves(value, path, rows);
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
            let row = [("_path".into(), path.clone().into()), ("_value".into(), text)];
            rows.push(Value::Object(Map::from_iter(row)));
        }
    }
}
