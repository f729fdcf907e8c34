//! JSON lines and JSON documents.
//!
//! Lines are read twice, first for the types ([`super::json_types`]), then for the values; so a pipe is put
//! into a temporary file. A document is read whole. One whose top is not a list of objects becomes a row
//! for each leaf ([`super::leaves`]). `NaN` and infinities, which Python writes, are read as null.

use super::bytes::{Opened, Source};
use super::json_types::{Kind, Observe};
use super::{BATCH_BYTES, BATCH_ROWS, NOT_UTF8, Part, leaves, numbers, spool};
use crate::rows::{Batches, Rows};
use crate::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use serde::de::DeserializeSeed;
use serde_json::Value;
use std::borrow::Cow;
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
    let seen = observe_lines(first)?;
    let schema = with_columns(seen.kind.schema())?;
    let part_schema = schema.clone();
    let batches = move || decode_lines(again()?, seen, part_schema);
    Ok(Part { name: opened.name, schema, history: Vec::new(), batches: Box::new(batches) })
}

/// The rows of a text of JSON lines.
pub fn of_text(text: &str) -> Result<Rows> {
    let bytes = || Box::new(std::io::Cursor::new(text.as_bytes().to_vec())) as Bytes;
    let seen = observe_lines(bytes())?;
    let schema = with_columns(seen.kind.schema())?;
    let batches = decode_lines(bytes(), seen, schema.clone())?;
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
pub struct Lines {
    bytes: BufReader<Bytes>,
    line: Vec<u8>,
    number: usize,
}

impl Lines {
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes: BufReader::with_capacity(1 << 17, bytes), line: Vec::new(), number: 0 }
    }

    pub fn next(&mut self) -> Result<Option<(usize, &[u8])>> {
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

/// What the lines hold.
struct Seen {
    kind: Kind,
    /// Some number is none in JSON.
    has_nan: bool,
}

fn observe_lines(bytes: Bytes) -> Result<Seen> {
    let (mut kind, mut has_nan) = (Kind::Object(Vec::new()), false);
    let mut objects = 0;
    let mut lines = Lines::new(bytes);
    while let Some((number, line)) = lines.next()? {
        if line.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Error::data(format!("line {number}"), "expected a JSON object"));
        }
        let observed = observe(line, &mut kind, &mut objects).or_else(|error| {
            match numbers::without_nan(line) {
                Cow::Borrowed(_) => Err(error),
                Cow::Owned(line) => {
                    has_nan = true;
                    observe(&line, &mut kind, &mut objects)
                }
            }
        });
        observed.map_err(|error| damaged(number, &error))?;
    }
    Ok(Seen { kind, has_nan })
}

fn observe(text: &[u8], kind: &mut Kind, objects: &mut u64) -> serde_json::Result<()> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    Observe { kind, objects }.deserialize(&mut parser)?;
    parser.end()
}

/// What the parser says of a line.
pub fn damaged(line: usize, error: &serde_json::Error) -> Error {
    let what = error.to_string();
    let at = format!(" at line {} column {}", error.line(), error.column());
    let what = match error.is_eof() {
        true => "the JSON text is cut short".into(),
        false => format!("{} (column {})", what.trim_end_matches(&at), error.column()),
    };
    let is_text = !what.starts_with("invalid unicode");
    let error = Error::data(format!("line {line}"), what);
    if is_text { error } else { error.hint(NOT_UTF8) }
}

fn decode_lines(bytes: Bytes, seen: Seen, schema: SchemaRef) -> Result<Batches> {
    let Seen { kind, has_nan } = seen;
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
                    let line = match has_nan {
                        true => numbers::without_nan(line),
                        false => Cow::Borrowed(line),
                    };
                    let done = match rewrite {
                        true => decode_rewritten(&mut decoder, &kind, &line),
                        false => decode_line(&mut decoder, &line),
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

pub fn decoder(schema: &SchemaRef) -> Result<Decoder> {
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

pub fn flush(decoder: &mut Decoder) -> Result<Option<RecordBatch>> {
    decoder.flush().map_err(|error| Error::data("", error))
}

/// A JSON value and what it holds.
pub fn parse(text: &[u8]) -> serde_json::Result<(Value, Kind)> {
    let parse = |text: &[u8]| {
        let mut kind = Kind::Null;
        // Finds keys that stand twice, which the parser below would drop.
        observe(text, &mut kind, &mut 0)?;
        Ok((serde_json::from_slice(text)?, kind))
    };
    parse(text).or_else(|error| match numbers::without_nan(text) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(text) => parse(&text),
    })
}

/// One JSON value.
pub fn prepare_document(mut opened: Opened, as_leaves: bool) -> Result<Part> {
    let mut text = Vec::new();
    opened.bytes.read_to_end(&mut text).map_err(|error| Error::io("", &error))?;
    let (document, kind) = parse(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text))
        .map_err(|error| damaged(error.line(), &error))?;
    drop(text);
    let (schema, rows) = match document {
        Value::Array(rows)
            if !as_leaves && !rows.is_empty() && rows.iter().all(Value::is_object) =>
        {
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
                leaves::of(&other, &mut Vec::new(), &mut rows);
            }
            (leaves::schema(), rows)
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
