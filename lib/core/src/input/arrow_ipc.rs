//! Arrow IPC. A stream must end with its end-of-stream marker and nothing after it: the format lets a
//! reader take a stream cut between two messages for a shorter one, and a killed upstream would silently
//! halve a benchmark. So the frames are walked here, and only their bodies are left to arrow-rs.

use super::bytes::Opened;
use super::{BATCH_BYTES, BATCH_ROWS, Part, spool};
use crate::checksum;
use crate::provenance::{self, Stage};
use crate::rows::{Batches, sliced_bytes};
use crate::{Error, Result};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, StreamDecoder, read_footer_length};
use arrow::ipc::{Block, Message, root_as_footer, root_as_message};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

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
        let (header, body) = message[8..].split_at(length);
        root_as_message(header)
            .map_err(|error| error.to_string())
            .and_then(|header| check_sizes(&header, body).map_err(str::to_owned))
            .map_err(|what| self.damaged(what))?;
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

/// An Arrow file, read at any place. Its blocks are read here: arrow-rs allocates what a footer says, and a
/// damaged length would end the process.
pub fn prepare_file(mut opened: Opened) -> Result<Part> {
    let mut file = match opened.file {
        Some(file) => file,
        None => spool::spool(&mut opened.bytes)?,
    };
    let (start, bytes) = footer(&mut file).map_err(|error| error.at("footer"))?;
    let footer = root_as_footer(&bytes).map_err(|error| damaged_file("footer", error))?;
    let described = footer.schema().ok_or_else(|| damaged_file("footer", "no schema"))?;
    if !described.endianness().equals_to_target_endianness() {
        return Err(Error::data("", "the numbers are in the byte order of another machine")
            .hint("write it again as Parquet"));
    }
    let schema = Arc::new(fb_to_schema(described));
    let pairs = footer.custom_metadata().into_iter().flatten();
    let metadata: HashMap<String, String> =
        pairs.filter_map(|pair| Some((pair.key()?.to_owned(), pair.value()?.to_owned()))).collect();
    let mut decoder = FileDecoder::new(schema.clone(), footer.version());
    for block in footer.dictionaries().into_iter().flatten() {
        let bytes = block_bytes(&mut file, block).map_err(|error| error.at("dictionary"))?;
        let read = decoder.read_dictionary(block, &bytes);
        read.map_err(|error| damaged_file("dictionary", error))?;
    }
    let blocks: Vec<Block> = footer.recordBatches().into_iter().flatten().copied().collect();
    let known = footer.dictionaries().into_iter().flatten().chain(&blocks);
    if !reaches(&mut file, known, start)? {
        return Err(damaged_file("footer", "it leaves out a part of the file"));
    }
    let batches = Box::new(blocks.into_iter().enumerate().map(move |(index, block)| {
        let place = format!("batch {}", index + 1);
        let bytes = block_bytes(&mut file, &block).map_err(|error| error.at(&place))?;
        let batch = decoder.read_record_batch(&block, &bytes);
        let batch = batch.map_err(|error| damaged_file(&place, error))?;
        batch.ok_or_else(|| damaged_file(&place, "no rows in it"))
    }));
    let ours = [checksum::KEY, provenance::HISTORY].iter().any(|key| metadata.contains_key(*key));
    let expected = match ours {
        true => {
            let text = metadata.get(checksum::KEY).map(String::as_str);
            Some(checksum::expected(text, &schema)?)
        }
        false => None,
    };
    let checked = checksum::verified(&schema, batches, expected);
    Ok(Part {
        name: opened.name,
        schema,
        history: history(&metadata),
        batches: Box::new(move || Ok(cut(checked))),
    })
}

fn damaged_file(place: &str, what: impl std::fmt::Display) -> Error {
    Error::data(place, format!("damaged Arrow file: {what}"))
}

/// Whether the last block, or the schema where there is none, reaches to the footer but for an end marker.
fn reaches<'a>(
    file: &mut File,
    blocks: impl Iterator<Item = &'a Block>,
    footer: u64,
) -> Result<bool> {
    let mut head = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(80).read_to_end(&mut head));
    read.map_err(|error| Error::io("", &error))?;
    // The magic word and zeros up to 8 or 64 bytes, then the schema with its length.
    let start = head.iter().skip(6).position(|&byte| byte != 0).map_or(8, |at| (at + 6) & !7);
    let length = |at: usize| {
        let bytes = head.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |&bytes| u32::from_le_bytes(bytes))
    };
    let schema = match length(start) {
        u32::MAX => start as u64 + 8 + u64::from(length(start + 4)),
        length => start as u64 + 4 + u64::from(length),
    };
    let ends = blocks.map(|block| {
        let parts = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()];
        parts.into_iter().fold(0, |sum: u64, part| sum.saturating_add(part.unsigned_abs()))
    });
    let end = ends.fold(schema, u64::max);
    Ok(footer.saturating_sub(end) <= 64)
}

/// Where the footer starts, and its bytes. The last ten bytes of a file are its length and the magic word.
fn footer(file: &mut File) -> Result<(u64, Vec<u8>)> {
    let io = |error: std::io::Error| Error::io("", &error);
    let size = file.seek(SeekFrom::End(0)).map_err(io)?;
    let at = size.checked_sub(10).ok_or_else(|| damaged_file("", "it is cut short"))?;
    let mut last = [0; 10];
    file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut last)).map_err(io)?;
    let length = read_footer_length(last).map_err(|_| damaged_file("", "it is cut short"))?;
    let start = at.checked_sub(length as u64).ok_or_else(|| damaged_file("", "its length"))?;
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes)).map_err(io)?;
    Ok((start, bytes))
}

/// The bytes of a block, which must lie within the file.
fn block_bytes(file: &mut File, block: &Block) -> Result<Buffer> {
    let io = |error: std::io::Error| Error::io("", &error);
    let size = file.metadata().map_err(io)?.len();
    let (start, head, body) = (block.offset(), block.metaDataLength(), block.bodyLength());
    let (Ok(start), Ok(head), Ok(body)) =
        (u64::try_from(start), u64::try_from(head), u64::try_from(body))
    else {
        return Err(damaged_file("", "a block of impossible size"));
    };
    let length = head
        .checked_add(body)
        .filter(|&length| head > 8 && start.checked_add(length).is_some_and(|end| end <= size));
    let length = length.ok_or_else(|| damaged_file("", "a block lies beyond its end"))?;
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes)).map_err(io)?;
    let (header, body) = bytes.split_at(head as usize);
    let header = match header {
        [0xff, 0xff, 0xff, 0xff, _, _, _, _, rest @ ..] => rest,
        rest => &rest[4..],
    };
    let message = root_as_message(header).map_err(|error| damaged_file("", error))?;
    check_sizes(&message, body).map_err(|what| damaged_file("", what))?;
    Ok(Buffer::from_vec(bytes))
}

/// Refuses lengths that arrow-rs would allocate unseen: of what is compressed, and of rows that take no bytes.
fn check_sizes(message: &Message<'_>, body: &[u8]) -> Result<(), &'static str> {
    let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
    let Some(batch) = message.header_as_record_batch().or(dictionary) else { return Ok(()) };
    if !(0..=i64::from(i32::MAX)).contains(&batch.length()) {
        return Err("a batch of an impossible number of rows");
    }
    if batch.compression().is_none() {
        return Ok(());
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let start = usize::try_from(buffer.offset()).unwrap_or(usize::MAX);
        let length = body.get(start..).and_then(|bytes| bytes.first_chunk::<8>());
        let length = length.filter(|_| buffer.length() > 0).map(|&bytes| i64::from_le_bytes(bytes));
        // -1: this buffer is not compressed.
        if length.is_some_and(|length| length < -1 || length > MAX_BODY as i64) {
            return Err("a compressed buffer of impossible size");
        }
    }
    Ok(())
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
        // Not `get_array_memory_size`: every column is a slice of the same bytes.
        let row_bytes = sliced_bytes(&batch) / rows;
        let step = (BATCH_BYTES / row_bytes.max(1)).clamp(1, BATCH_ROWS);
        let starts = (0..rows).step_by(step);
        Box::new(starts.map(move |at| Ok(batch.slice(at, step.min(batch.num_rows() - at)))))
    }))
}
