//! Writing rows. A file is written beside its place and renamed into it when it is complete, so that a
//! failed run leaves nothing half-written; a pipe gets an Arrow stream whose end marker comes only with
//! success; a terminal gets a short table, never binary.

mod cells;
mod parquet_writer;
mod place;
mod text;

pub use cells::{exact, is_content};
pub use place::{Place, remove_at_end, remove_unfinished};

use crate::provenance::{self, Stage};
use crate::rows::Rows;
use crate::{Error, Result, checksum, plain};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

/// What the rows are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Parquet, zstd-compressed.
    Parquet,
    /// Arrow IPC stream, as pipes carry it.
    Arrow,
    /// Arrow IPC file.
    Feather,
    /// One JSON object a line.
    Jsonl,
    /// CSV; cells that a spreadsheet would take for a formula get a ' in front.
    Csv,
    /// CSV with every cell as it is.
    CsvRaw,
    /// A Markdown table.
    Md,
    /// A table for the terminal: the first rows, cells shortened.
    Table,
}

impl Format {
    /// The format that a file's extension says.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        Some(match extension.to_ascii_lowercase().as_str() {
            "parquet" => Self::Parquet,
            "arrow" | "feather" => Self::Feather,
            "arrows" => Self::Arrow,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" => Self::Csv,
            "md" => Self::Md,
            _ => return None,
        })
    }

    fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::Feather)
    }
}

/// Where and how rows are written.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The file; none is standard output.
    pub path: Option<String>,
    /// The format; none is found from the name, or from what standard output is.
    pub format: Option<Format>,
    /// Shows prompts and responses in tables instead of their lengths.
    pub show_content: bool,
    /// Writes binary to a terminal all the same.
    pub force: bool,
    /// A terminal table shows all rows, not only the first: for results, which are short.
    pub all_rows: bool,
}

impl Options {
    /// Refuses a format other than JSON lines, for what comes in no other.
    pub fn only_lines(&self, what: &str) -> Result<()> {
        let of_name = || Format::of_name(self.path.as_deref()?);
        match self.format.or_else(of_name) {
            None | Some(Format::Jsonl) => Ok(()),
            Some(_) => {
                let place = if self.format.is_some() { "--format" } else { "-o" };
                Err(Error::usage(place, format!("{what} are JSON lines"))
                    .hint("give -o a name that ends in .jsonl, and no other --format"))
            }
        }
    }
}

/// The names of standard output.
const STDOUT: [&str; 2] = ["-", "/dev/stdout"];

/// Rows on their way out.
pub struct Writer {
    sink: Sink,
    schema: SchemaRef,
    rows: u64,
}

/// A place that takes bytes and publishes them on success.
type Bytes = Box<Place>;

enum Sink {
    Parquet(parquet_writer::ParquetWriter),
    Stream(StreamWriter<Bytes>),
    File(FileWriter<Bytes>, checksum::Checksums),
    Lines(arrow::json::Writer<Bytes, LineDelimited>),
    Csv(text::CsvWriter<Bytes>),
    Table(text::TableWriter<Bytes>),
}

impl Writer {
    /// Creates the output, so that a wrong path costs nothing; `history` is what made the rows.
    pub fn create(options: &Options, schema: &Schema, history: &[Stage]) -> Result<Self> {
        if let Some(field) =
            schema.fields().iter().find(|field| !plain::is_plain(field.data_type()))
        {
            return Err(Error::data(
                format!("column `{}`", field.name()),
                format!("type {} is not written: other readers do not know it", field.data_type()),
            ));
        }
        let schema: SchemaRef = Arc::new(Schema::new(schema.fields().clone()));
        let (place, format) = Self::place(options)?;
        let metadata =
            HashMap::from([(provenance::HISTORY.to_owned(), provenance::to_text(history))]);
        let described = Schema::new_with_metadata(schema.fields().clone(), metadata.clone());
        let sink = match format {
            Format::Parquet => {
                Sink::Parquet(parquet_writer::ParquetWriter::new(place, schema.clone(), metadata)?)
            }
            Format::Arrow => {
                Sink::Stream(StreamWriter::try_new(place, &described).map_err(failed)?)
            }
            Format::Feather => {
                let mut writer = FileWriter::try_new(place, &schema).map_err(failed)?;
                for (key, value) in metadata {
                    writer.write_metadata(key, value);
                }
                Sink::File(writer, checksum::Checksums::new(&schema))
            }
            Format::Jsonl => {
                // A column without a value would be gone when the lines are read again.
                Sink::Lines(WriterBuilder::new().with_explicit_nulls(true).build(place))
            }
            Format::Csv => Sink::Csv(text::CsvWriter::new(place, &schema, true)?),
            Format::CsvRaw => Sink::Csv(text::CsvWriter::new(place, &schema, false)?),
            Format::Md => Sink::Table(text::TableWriter::markdown(place, &schema, options)),
            Format::Table => Sink::Table(text::TableWriter::terminal(place, &schema, options)),
        };
        Ok(Self { sink, schema, rows: 0 })
    }

    fn place(options: &Options) -> Result<(Bytes, Format)> {
        let Some(path) = options.path.as_deref().filter(|path| !STDOUT.contains(path)) else {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
            let format = options.format.unwrap_or(match terminal {
                true => Format::Table,
                false => Format::Arrow,
            });
            if terminal && format.is_binary() && !options.force {
                return Err(Error::usage(
                    "standard output",
                    "is a terminal, and this format is binary",
                )
                .hint("name a file with -o, pipe it on, or use --force"));
            }
            let place = match terminal && !format.is_binary() {
                true => Place::terminal(),
                false => Place::stdout(),
            };
            return Ok((Box::new(place), format));
        };
        let format = options.format.or_else(|| Format::of_name(path)).ok_or_else(|| {
            Error::usage(path, "the extension says no format")
                .hint("use .parquet, .arrow, .arrows, .jsonl, .csv or .md, or --format")
        })?;
        Ok((Box::new(Place::create(path)?), format))
    }

    /// Writes a batch of the schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = plain::with_columns(&self.schema, batch.columns().to_vec(), batch.num_rows())?;
        self.rows += batch.num_rows() as u64;
        match &mut self.sink {
            Sink::Parquet(writer) => writer.write(batch),
            Sink::Stream(writer) => writer.write(&batch).map_err(failed),
            Sink::File(writer, sums) => {
                sums.update(&batch)?;
                writer.write(&batch).map_err(failed)
            }
            Sink::Lines(writer) => writer.write(&batch).map_err(failed),
            Sink::Csv(writer) => writer.write(&batch),
            Sink::Table(writer) => writer.write(&batch),
        }
    }

    /// Completes and publishes the output; the number of rows written.
    pub fn finish(self) -> Result<u64> {
        let place = match self.sink {
            Sink::Parquet(writer) => writer.finish()?,
            Sink::Stream(mut writer) => {
                writer.finish().map_err(failed)?;
                writer.into_inner().map_err(failed)?
            }
            Sink::File(mut writer, sums) => {
                writer.write_metadata(checksum::KEY, sums.to_text());
                writer.finish().map_err(failed)?;
                writer.into_inner().map_err(failed)?
            }
            Sink::Lines(mut writer) => {
                writer.finish().map_err(failed)?;
                writer.into_inner()
            }
            Sink::Csv(writer) => writer.finish()?,
            Sink::Table(writer) => writer.finish()?,
        };
        place.publish()?;
        Ok(self.rows)
    }
}

/// Writes all rows; the number written.
pub fn write(rows: Rows, options: &Options) -> Result<u64> {
    let mut writer = Writer::create(options, &rows.schema, &rows.history)?;
    for batch in rows.batches {
        writer.write(&batch?)?;
    }
    writer.finish()
}

/// Whether two paths name one file, which need not be there yet, or both standard output.
pub fn same_place(a: &str, b: &str) -> bool {
    let is_stdout = |path: &str| STDOUT.contains(&path);
    let real = |path: &str| {
        let path = std::path::Path::new(path);
        if let Ok(real) = std::fs::canonicalize(path) {
            return Some(real);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = std::fs::canonicalize(folder.unwrap_or(std::path::Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    (is_stdout(a) && is_stdout(b)) || a == b || (real(a).is_some() && real(a) == real(b))
}

/// Refuses an output that would be written over what is read; `flag` names it.
pub fn refuse_over<'r>(
    flag: &str,
    output: &str,
    read: impl IntoIterator<Item = &'r str>,
) -> Result<()> {
    let is_file = !STDOUT.contains(&output);
    match read.into_iter().find(|file| is_file && same_place(output, file)) {
        None => Ok(()),
        Some(file) => {
            Err(Error::usage(flag, format!("would be written over {file}"))
                .hint("name another file"))
        }
    }
}

/// Writes a text of our own to the file or standard output that the options name, complete or not at all.
pub fn write_text(
    options: &Options,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut place = match options.path.as_deref().filter(|path| !STDOUT.contains(path)) {
        Some(path) => Place::create(path)?,
        None if std::io::IsTerminal::is_terminal(&std::io::stdout()) => Place::terminal(),
        None => Place::stdout(),
    };
    write(&mut place)?;
    place.publish()
}

/// An error of a writer: a broken pipe keeps its kind.
fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::io("output", &error),
        ArrowError::ExternalError(error) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::world("output", error),
        },
        other => Error::world("output", other),
    }
}

/// Flushes what a writer left in its buffer.
fn flush(place: &mut Bytes) -> Result<()> {
    place.flush().map_err(|error| Error::io("output", &error))
}
/// Writes a file that is no table: whole, or not at all.
pub fn write_bytes(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    let place = path.to_string_lossy();
    let mut file = Place::create(&place)?;
    file.write_all(bytes).map_err(|error| Error::io(&place, &error))?;
    file.publish()
}
