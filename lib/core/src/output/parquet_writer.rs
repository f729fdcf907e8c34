//! Parquet. Encoding is what most stages cost, so that it runs on a thread of its own, one row group at a
//! time, the columns of a group in parallel; and a text column whose values do not repeat gets no dictionary.
//!
//! The bytes do not depend on the number of threads: groups are cut by rows and bytes alone.

use super::{Bytes, flush};
use crate::checksum::{self, Checksums};
use crate::rows::sliced_bytes;
use crate::{Error, Result};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::add_encoded_arrow_schema_to_metadata;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// A row group is closed at this many rows, or at about this many bytes in memory.
const GROUP_ROWS: usize = 100_000;
const GROUP_BYTES: usize = 24 << 20;
/// Values looked at to see whether they repeat.
const SAMPLE: usize = 4096;

/// Rows on their way into a Parquet file.
pub struct ParquetWriter {
    group: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    sums: Checksums,
    /// None once the encoder has been told that no more groups come.
    groups: Option<SyncSender<Vec<RecordBatch>>>,
    encoder: Option<JoinHandle<Result<Encoder>>>,
}

impl ParquetWriter {
    /// A writer to `place`; `metadata` goes into the footer.
    pub fn new(place: Bytes, schema: SchemaRef, metadata: HashMap<String, String>) -> Result<Self> {
        // No queue: one group is gathered while another is encoded, and no third one waits.
        let (groups, receive) = sync_channel::<Vec<RecordBatch>>(0);
        let sums = Checksums::new(&schema);
        let mut encoder = Encoder { place: Some(place), schema, metadata, file: None };
        let encoder = std::thread::Builder::new()
            .name("parquet".into())
            .spawn(move || {
                for group in receive {
                    encoder.group(&group)?;
                }
                Ok(encoder)
            })
            .map_err(|error| Error::io("output", &error))?;
        Ok(Self {
            group: Vec::new(),
            rows: 0,
            bytes: 0,
            sums,
            groups: Some(groups),
            encoder: Some(encoder),
        })
    }

    /// Adds a batch.
    pub fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.sums.update(&batch)?;
        self.rows += batch.num_rows();
        self.bytes += sliced_bytes(&batch);
        self.group.push(batch);
        match self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            true => self.send(),
            false => Ok(()),
        }
    }

    fn send(&mut self) -> Result<()> {
        (self.rows, self.bytes) = (0, 0);
        let group = std::mem::take(&mut self.group);
        let sent = self.groups.as_ref().is_some_and(|groups| groups.send(group).is_ok());
        match sent {
            true => Ok(()),
            // The encoder has stopped: its error says why.
            false => self.join().map(|_| ()),
        }
    }

    fn join(&mut self) -> Result<Encoder> {
        self.groups = None;
        let stopped = || Error::world("output", "the Parquet encoder stopped");
        let encoder = self.encoder.take().ok_or_else(stopped)?;
        encoder.join().map_err(|_| stopped())?
    }

    /// Writes the footer; the place is complete and not yet published.
    pub fn finish(mut self) -> Result<Bytes> {
        if !self.group.is_empty() {
            self.send()?;
        }
        let sums = self.sums.to_text();
        self.join()?.finish(sums)
    }
}

struct Encoder {
    place: Option<Bytes>,
    schema: SchemaRef,
    metadata: HashMap<String, String>,
    /// Opened with the first group, whose values decide about dictionaries.
    file: Option<(SerializedFileWriter<Bytes>, ArrowRowGroupWriterFactory)>,
}

impl Encoder {
    fn open(&mut self, first: &[RecordBatch]) -> Result<()> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(failed)?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by(concat!("seval ", env!("CARGO_PKG_VERSION")).to_owned());
        for (index, field) in self.schema.fields().iter().enumerate() {
            if field.data_type() == &DataType::Utf8 && !repeats(first, index) {
                let path = ColumnPath::new(vec![field.name().clone()]);
                properties = properties.set_column_dictionary_enabled(path, false);
            }
        }
        let mut properties = properties.build();
        // Parquet has no lists of fixed size: only these need the Arrow schema to come back as they were.
        if self.schema.fields().iter().any(|f| matches!(f.data_type(), DataType::FixedSizeList(..)))
        {
            add_encoded_arrow_schema_to_metadata(&self.schema, &mut properties);
        }
        let parquet = ArrowSchemaConverter::new().convert(&self.schema).map_err(failed)?;
        let place = self.place.take().ok_or_else(|| Error::world("output", "opened twice"))?;
        let file =
            SerializedFileWriter::new(place, parquet.root_schema_ptr(), Arc::new(properties))
                .map_err(failed)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, self.schema.clone());
        self.file = Some((file, factory));
        Ok(())
    }

    fn group(&mut self, batches: &[RecordBatch]) -> Result<()> {
        if self.file.is_none() {
            self.open(batches)?;
        }
        let Some((file, factory)) = &mut self.file else { return Ok(()) };
        let index = file.flushed_row_groups().len();
        let mut writers = factory.create_column_writers(index).map_err(failed)?.into_iter();
        let columns: Vec<(usize, Vec<ArrowColumnWriter>)> = self
            .schema
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| {
                (index, writers.by_ref().take(leaves(field.data_type())).collect())
            })
            .collect();
        let schema = &self.schema;
        let chunks: Vec<Result<Vec<ArrowColumnChunk>, ParquetError>> = columns
            .into_par_iter()
            .map(|(index, mut writers)| {
                for batch in batches {
                    let leaves = compute_leaves(schema.field(index), batch.column(index))?;
                    for (writer, leaf) in writers.iter_mut().zip(&leaves) {
                        writer.write(leaf)?;
                    }
                }
                writers.into_iter().map(ArrowColumnWriter::close).collect()
            })
            .collect();
        let mut group = file.next_row_group().map_err(failed)?;
        for chunk in chunks {
            for chunk in chunk.map_err(failed)? {
                chunk.append_to_row_group(&mut group).map_err(failed)?;
            }
        }
        group.close().map_err(failed)?;
        Ok(())
    }

    fn finish(mut self, sums: String) -> Result<Bytes> {
        if self.file.is_none() {
            self.open(&[])?;
        }
        let Some((mut file, _)) = self.file else {
            return Err(Error::world("output", "no Parquet file was opened"));
        };
        let mut metadata: Vec<(String, String)> = self.metadata.into_iter().collect();
        metadata.push((checksum::KEY.to_owned(), sums));
        metadata.sort();
        for (key, value) in metadata {
            file.append_key_value_metadata(KeyValue::new(key, value));
        }
        let mut place = file.into_inner().map_err(failed)?;
        flush(&mut place)?;
        Ok(place)
    }
}

/// Parquet columns of an Arrow column.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(item) | DataType::FixedSizeList(item, _) => leaves(item.data_type()),
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        _ => 1,
    }
}

/// Whether the first values of a text column are the same often enough for a dictionary to pay.
fn repeats(batches: &[RecordBatch], index: usize) -> bool {
    let mut distinct = HashSet::new();
    let values =
        batches.iter().flat_map(|batch| batch.column(index).as_string::<i32>().iter().flatten());
    let seen = values.take(SAMPLE).map(|value| distinct.insert(value)).count();
    distinct.len() * 2 <= seen || seen == 0
}

fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Error::io("output", &error),
            Err(error) => Error::world("output", error),
        },
        other => Error::world("output", other),
    }
}
