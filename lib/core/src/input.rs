//! Reading rows: from files, globs, folders and standard input, in any format that [`detect`] knows, inside
//! gzip, zstd or zip. Several inputs are one stream: columns are joined by name, in order of appearance.

mod arrow_ipc;
mod bytes;
mod csv;
pub mod detect;
mod json;
mod json_types;
mod leaves;
mod numbers;
mod parquet_file;
pub(crate) mod spool;
mod tables;
pub(crate) mod unify;

pub use bytes::Source;
pub use json::of_text;
pub use leaves::PATH;
pub use tables::{INPUT, NamedTable, table, tables};

use crate::provenance::{self, Stage};
use crate::rows::{Batches, Rows};
use crate::{Error, Result, plain};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use detect::Format;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;

/// Rows of a batch are at most this many, and its bytes about [`BATCH_BYTES`].
pub const BATCH_ROWS: usize = 8192;
/// A batch is cut where it would hold more than about this many bytes.
pub const BATCH_BYTES: usize = 8 << 20;

/// What helps where the bytes are no UTF-8.
const NOT_UTF8: &str = "texts are UTF-8: convert it, with iconv -f LATIN1 -t UTF-8 say";

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Adds `_file` (name), `_file_index` (from 0) and `_row` (from 1 within its file).
    pub positions: bool,
    /// Only these columns, where the format can leave others unread.
    pub columns: Option<Vec<String>>,
    /// JSON as a row for each leaf, whatever its shape; the first key of JSON lines is the line, from 0.
    pub leaves: bool,
}

/// One source made ready: its columns are known, its rows are still to be read.
struct Part {
    name: String,
    schema: SchemaRef,
    history: Vec<Stage>,
    batches: Box<dyn FnOnce() -> Result<Batches> + Send>,
}

/// The sources named on a command line: files, globs, folders, `-`; nothing named means standard input.
pub fn sources(paths: &[String]) -> Result<Vec<Source>> {
    if paths.is_empty() {
        return Ok(vec![Source::Stdin]);
    }
    let mut found = Vec::new();
    for path in paths {
        bytes::resolve(path, &mut found)?;
    }
    if found.iter().filter(|source| matches!(source, Source::Stdin)).count() > 1 {
        return Err(Error::usage("-", "standard input is named twice"));
    }
    Ok(found)
}

/// Whether standard input is a terminal, so that waiting for rows from it would look like a hang.
pub fn nothing_piped() -> bool {
    std::io::stdin().is_terminal()
}

/// The rows of the sources, one after the other.
pub fn read(sources: Vec<Source>, options: &Options) -> Result<Rows> {
    if nothing_piped() && sources.iter().any(|source| matches!(source, Source::Stdin)) {
        return Err(Error::usage("standard input", "no rows are piped in and no file is named")
            .hint("name a file, or see --help"));
    }
    let parts = sources
        .into_iter()
        .map(|source| prepare(source, options))
        .collect::<Result<Vec<Part>>>()?;
    let mut history: Vec<Stage> = Vec::new();
    for stage in parts.iter().flat_map(|part| &part.history) {
        if !history.contains(stage) {
            history.push(stage.clone());
        }
    }
    let joined = unify::join(parts.iter().map(|part| (part.name.as_str(), &part.schema)))?;
    let schema = match options.positions {
        true => with_positions(&joined)?,
        false => joined.clone(),
    };
    let (positions, with_positions) = (options.positions, schema.clone());
    let batches = parts.into_iter().enumerate().flat_map(move |(index, part)| {
        let place = part.name.clone();
        let (joined, schema) = (joined.clone(), with_positions.clone());
        let mut read = 0;
        open(part).map(move |batch| {
            let batch = unify::adapt(&batch?, &joined, &place)?;
            match positions {
                true => unify::positioned(&batch, &schema, &place, index, &mut read),
                false => Ok(batch),
            }
        })
    });
    Ok(Rows { schema, batches: Box::new(batches), history })
}

/// The names of the columns that [`Options::positions`] adds.
pub const POSITIONS: [&str; 3] = ["_file", "_file_index", "_row"];

fn with_positions(schema: &SchemaRef) -> Result<SchemaRef> {
    if let Some(name) = POSITIONS.iter().find(|name| schema.index_of(name).is_ok()) {
        return Err(Error::data("", format!("the input has a column `{name}` of its own"))
            .hint("rename it: the reader adds one of that name"));
    }
    let types = [DataType::Utf8, DataType::Int64, DataType::Int64];
    let added = POSITIONS.iter().zip(types).map(|(name, of)| Arc::new(Field::new(*name, of, true)));
    let fields: Vec<_> = schema.fields().iter().cloned().chain(added).collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// The batches of a part, in plain types; a parser that panics on hostile bytes is an error like others.
fn open(part: Part) -> Batches {
    let name = part.name;
    match (part.batches)() {
        Ok(batches) => {
            let mut batches = guarded(batches);
            let schema = part.schema;
            Box::new(std::iter::from_fn(move || {
                batches.next().map(|batch| {
                    let batch = batch.map_err(|error| error.at(&name))?;
                    plain::to_plain(&batch, &schema, &name)
                })
            }))
        }
        Err(error) => Box::new(std::iter::once(Err(error.at(name)))),
    }
}

/// arrow-rs calls panics on malformed input ordinary bugs: they must not take the process down.
fn guarded(mut batches: Batches) -> Batches {
    let mut over = false;
    Box::new(std::iter::from_fn(move || {
        if over {
            return None;
        }
        let next = guard(|| batches.next().transpose()).transpose();
        over = !matches!(next, Some(Ok(_)));
        next
    }))
}

/// Runs a parser; its panic becomes a data error.
fn guard<T>(parse: impl FnOnce() -> Result<T>) -> Result<T> {
    crate::cli::quietly(parse).unwrap_or_else(|| {
        Err(Error::data("", "the bytes are damaged: its parser gave up")
            .hint("make the file again, or fetch it again"))
    })
}

fn prepare(source: Source, options: &Options) -> Result<Part> {
    let name = source.name();
    let mut part = guard(|| {
        let opened = source.open()?;
        match opened.format {
            Format::Parquet => parquet_file::prepare(opened, options),
            Format::ArrowFile => arrow_ipc::prepare_file(opened),
            Format::ArrowStream => arrow_ipc::prepare_stream(opened),
            Format::JsonLines if options.leaves => Ok(leaves::prepare_lines(opened)),
            Format::JsonLines => json::prepare_lines(source, opened),
            Format::JsonDocument => json::prepare_document(opened, options.leaves),
            Format::Csv => csv::prepare(opened),
        }
    })
    .map_err(|error| error.at(&name))?;
    part.name = name;
    part.schema = match part.schema.fields().iter().any(|f| f.data_type() == &DataType::Null) {
        // A column without a single value in this file takes its type from the others, see `unify`.
        true => plain_but_null(&part.schema, &part.name)?,
        false => plain::plain_schema(&part.schema, &part.name)?,
    };
    Ok(part)
}

fn plain_but_null(schema: &SchemaRef, place: &str) -> Result<SchemaRef> {
    let plain = plain::plain_schema(schema, place)?;
    let fields = plain.fields().iter().zip(schema.fields()).map(|(plain, was)| {
        match was.data_type() == &DataType::Null {
            true => was.clone(),
            false => plain.clone(),
        }
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// Hashes of the regular files, for the provenance. A pipe's rows carry their own history.
pub fn hashes(sources: &[Source]) -> Result<BTreeMap<String, String>> {
    let mut hashes = BTreeMap::new();
    for source in sources {
        if let Some(path) = source.file() {
            let name = path.to_string_lossy().into_owned();
            if path.is_file() && !hashes.contains_key(&name) {
                let hash = provenance::file_hash(path).map_err(|e| Error::io(&name, &e))?;
                hashes.insert(name, hash);
            }
        }
    }
    Ok(hashes)
}
