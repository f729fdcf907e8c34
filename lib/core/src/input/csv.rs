//! CSV with a header line, after comments if there are any. Every column is text: guessing types would turn
//! `007` into 7. An empty cell is null.

use super::bytes::Opened;
use super::{BATCH_ROWS, NOT_UTF8, Part};
use crate::{Error, Result};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

/// A header longer than this is not one.
const MAX_HEADER: u64 = 1 << 20;

/// Lines before the header that begin so are about the file (PyRIT's are).
const COMMENT: &[u8] = b"# ";

pub fn prepare(opened: Opened) -> Result<Part> {
    let mut bytes = BufReader::with_capacity(1 << 17, opened.bytes);
    let read = |error: io::Error| Error::io("line 1", &error);
    let mut header = without_mark(header(&mut bytes).map_err(read)?);
    while header.starts_with(COMMENT) {
        header = self::header(&mut bytes).map_err(read)?;
        if header.is_empty() {
            return Err(Error::data(
                "",
                "after its comments there is no header line: it is cut short",
            ));
        }
    }
    let delimiter = match header.contains(&b'\t') && !header.contains(&b',') {
        true => b'\t',
        false => b',',
    };
    let format = Format::default().with_header(true).with_delimiter(delimiter);
    let (names, _) = format
        .infer_schema(header.as_slice(), Some(0))
        .map_err(|error| Error::data("line 1", error))?;
    let fields: Vec<Field> = names
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| match field.name().trim() {
            "" => Field::new(format!("column_{}", index + 1), DataType::Utf8, true),
            name => Field::new(name, DataType::Utf8, true),
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let quotes = Quotes { bytes: Cursor::new(header).chain(bytes), state: Cell::Start, delimiter };
    let reader = ReaderBuilder::new(schema.clone())
        .with_format(format)
        .with_batch_size(BATCH_ROWS)
        .build(quotes)
        .map_err(|error| Error::data("line 1", error))?;
    let batches = reader.map(|batch| batch.map_err(said));
    Ok(Part {
        name: opened.name,
        schema,
        history: Vec::new(),
        batches: Box::new(move || Ok(Box::new(batches))),
    })
}

fn without_mark(line: Vec<u8>) -> Vec<u8> {
    line.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(line)
}

/// A line, which goes on where a quoted name holds a line break.
fn header(bytes: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    let mut bytes = bytes.take(MAX_HEADER);
    loop {
        let read = bytes.read_until(b'\n', &mut header)?;
        let quotes = header.iter().filter(|&&byte| byte == b'"').count();
        if read == 0 || quotes % 2 == 0 {
            return Ok(header);
        }
    }
}

/// The parser's words, which name the line.
fn said(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::io("", &error),
        ArrowError::CsvError(what) if what.contains("UTF-8") => {
            Error::data("", what).hint(NOT_UTF8)
        }
        ArrowError::CsvError(what) => Error::data("", what),
        other => Error::data("", other),
    }
}

/// Passes the bytes on and fails if they end inside a quoted cell, which the parser would take for the
/// cell's end: that is what a truncated file looks like.
struct Quotes<R> {
    bytes: R,
    state: Cell,
    delimiter: u8,
}

#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Start,
    Bare,
    Quoted,
    /// A quote inside a quoted cell: its end, or the first half of a quote in its text.
    Quote,
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        for &byte in &buffer[..read] {
            self.state = match (self.state, byte) {
                (Cell::Start | Cell::Quote, b'"') => Cell::Quoted,
                (Cell::Quoted, b'"') => Cell::Quote,
                (Cell::Quoted, _) => Cell::Quoted,
                (_, b'\n' | b'\r') => Cell::Start,
                (_, byte) if byte == self.delimiter => Cell::Start,
                _ => Cell::Bare,
            };
        }
        if read == 0 && !buffer.is_empty() && self.state == Cell::Quoted {
            let cut = "the file ends inside a quoted cell: it is cut short";
            return Err(io::Error::new(io::ErrorKind::InvalidData, cut));
        }
        Ok(read)
    }
}
