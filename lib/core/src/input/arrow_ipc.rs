//! Arrow IPC. A stream must end with its end-of-stream marker and nothing after it: the format lets a
//! reader take a stream cut between two messages for a shorter one, and a killed upstream would silently
//! halve a benchmark. So the frames are walked here, and only their bodies are left to arrow-rs.

use super::bytes::Opened;
use super::{BATCH_BYTES, BATCH_ROWS, Part, spool};
use crate::checksum;
use crate::provenance::{self, Stage};
use crate::rows::Batches;
use crate::{Error, Result};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::{FileReaderBuilder, StreamDecoder};
use arrow::ipc::root_as_message;
use std::collections::{HashMap, VecDeque};
use std::io::{BufReader, Read};

/// A message's metadata and body are refused beyond these sizes: a damaged length must not become an
/// allocation.
const MAX_METADATA: usize = 64 << 20;
const MAX_BODY: usize = 2 << 30;

/// An Arrow stream: a pipe, or a file that holds what a pipe carried.
pub fn prepare_stream(opened: Opened) -> Result<Part> {
    let mut frames = Frames {
        bytes: opened.bytes,
        decoder: StreamDecoder::new(),
        ready: VecDeque::new(),
        offset: 0,
        ended: false,
    };
    let schema = frames.schema()?;
    let history = history(schema.metadata());
    let batches = std::iter::from_fn(move || frames.next_batch().transpose());
    Ok(Part {
        name: opened.name,
        schema,
        history,
        batches: Box::new(move || Ok(cut(Box::new(batches)))),
    })
}

struct Frames {
    bytes: Box<dyn Read + Send>,
    decoder: StreamDecoder,
    /// The decoder finishes a message without a body only when the next one comes, so that one frame may
    /// give two batches.
    ready: VecDeque<RecordBatch>,
    offset: u64,
    ended: bool,
}

impl Frames {
    fn schema(&mut self) -> Result<SchemaRef> {
        loop {
            if let Some(schema) = self.decoder.schema() {
                return Ok(schema);
            }
            if self.ended {
                return Err(self.damaged("no schema before the end marker"));
            }
            self.frame()?;
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.ready.is_empty() && !self.ended {
            self.frame()?;
        }
        Ok(self.ready.pop_front())
    }

    /// One message: `ffffffff`, the metadata's length, the metadata, the body. Length 0 is the end marker.
    fn frame(&mut self) -> Result<()> {
        let start = self.offset;
        let mut message = Vec::with_capacity(1 << 12);
        self.read(&mut message, 8)?;
        let length = match message.as_slice() {
            [0xff, 0xff, 0xff, 0xff, a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
            [] => {
                return Err(Error::data(
                    format!("byte {start}"),
                    "the stream stops without its end marker",
                )
                .hint(KILLED));
            }
            head if head.len() < 8 => return Err(self.cut_short()),
            _ => return Err(self.damaged("no message starts here")),
        };
        if length == 0 {
            return self.end(message);
        }
        if length > MAX_METADATA {
            return Err(self.damaged(format!("a message header of {length} bytes")));
        }
        self.read(&mut message, length)?;
        if message.len() < 8 + length {
            return Err(self.cut_short());
        }
        let body =
            root_as_message(&message[8..]).map_err(|error| self.damaged(error))?.bodyLength();
        let body = usize::try_from(body).ok().filter(|&body| body <= MAX_BODY);
        let body = body.ok_or_else(|| self.damaged("a message body of impossible size"))?;
        self.read(&mut message, body)?;
        if message.len() < 8 + length + body {
            return Err(self.cut_short());
        }
        self.decode(message, start)
    }

    fn end(&mut self, marker: Vec<u8>) -> Result<()> {
        let start = self.offset;
        let mut after = Vec::new();
        self.read(&mut after, 1)?;
        self.ended = true;
        match after.is_empty() {
            true => self.decode(marker, start),
            false => Err(self.damaged("bytes follow the end marker")),
        }
    }

    fn decode(&mut self, message: Vec<u8>, start: u64) -> Result<()> {
        let mut buffer = Buffer::from_vec(message);
        while !buffer.is_empty() {
            let batch = self.decoder.decode(&mut buffer).map_err(|error| {
                Error::data(format!("byte {start}"), format!("damaged message: {error}"))
            })?;
            self.ready.extend(batch);
        }
        Ok(())
    }

    /// Appends up to `wanted` bytes; fewer only where the stream ends.
    fn read(&mut self, into: &mut Vec<u8>, wanted: usize) -> Result<()> {
        let read = self.bytes.by_ref().take(wanted as u64).read_to_end(into);
        let read = read.map_err(|error| Error::io(format!("byte {}", self.offset), &error))?;
        self.offset += read as u64;
        Ok(())
    }

    fn cut_short(&self) -> Error {
        Error::data(format!("byte {}", self.offset), "the stream is cut short inside a message")
            .hint(KILLED)
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::data(format!("byte {}", self.offset), format!("damaged Arrow stream: {what}"))
    }
}

const KILLED: &str =
    "the program that wrote it failed or was killed: see its message, run it again";

/// An Arrow file, read at any place.
pub fn prepare_file(mut opened: Opened) -> Result<Part> {
    let file = match opened.file {
        Some(file) => file,
        None => spool::spool(&mut opened.bytes)?,
    };
    let reader = FileReaderBuilder::new()
        .build(BufReader::with_capacity(1 << 17, file))
        .map_err(|error| Error::data("", format!("damaged Arrow file: {error}")))?;
    let schema = reader.schema();
    let metadata = reader.custom_metadata().clone();
    let mut number = 0;
    let batches = Box::new(reader.map(move |batch| {
        number += 1;
        batch.map_err(|error| {
            Error::data(format!("batch {number}"), format!("damaged Arrow file: {error}"))
        })
    }));
    let expected = metadata.get(checksum::KEY).map(String::as_str);
    let checked = checksum::verified(&schema, batches, expected);
    Ok(Part {
        name: opened.name,
        schema,
        history: history(&metadata),
        batches: Box::new(move || Ok(cut(checked))),
    })
}

fn history(metadata: &HashMap<String, String>) -> Vec<Stage> {
    metadata.get(provenance::HISTORY).map(|text| provenance::from_text(text)).unwrap_or_default()
}

/// Batches of bounded rows and bytes, whatever their writer chose.
fn cut(batches: Batches) -> Batches {
    Box::new(batches.flat_map(|batch| -> Batches {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let rows = batch.num_rows().max(1);
        let row_bytes = batch.get_array_memory_size() / rows;
        let step = (BATCH_BYTES / row_bytes.max(1)).clamp(1, BATCH_ROWS);
        let starts = (0..rows).step_by(step);
        Box::new(starts.map(move |at| Ok(batch.slice(at, step.min(batch.num_rows() - at)))))
    }))
}
