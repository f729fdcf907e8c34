//! Parquet. It is read from its end, so what comes through a pipe or a wrapping is put into a temporary file first.

use super::bytes::Opened;
use super::{BATCH_BYTES, BATCH_ROWS, Options, Part, spool};
use crate::rows::Batches;
use crate::{Error, Result, checksum, provenance};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;

pub fn prepare(mut opened: Opened, options: &Options) -> Result<Part> {
    let file = match opened.file {
        Some(file) => file,
        None => spool::spool(&mut opened.bytes)?,
    };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| Error::data("footer", format!("damaged Parquet file: {error}")))?;
    // Another program that rewrites a file of ours may keep our metadata beside its own values.
    let ours = builder.metadata().file_metadata().created_by().unwrap_or_default();
    let expected = match ours.starts_with(provenance::WRITER) {
        true => {
            let text = metadata(builder.metadata(), checksum::KEY);
            Some(checksum::expected(text.as_deref(), builder.schema())?)
        }
        false => None,
    };
    let batch_rows = batch_rows(builder.metadata());
    builder = builder.with_batch_size(batch_rows);
    if let Some(wanted) = &options.columns {
        let names = builder.schema().fields().iter().enumerate();
        let roots =
            names.filter(|(_, field)| wanted.contains(field.name())).map(|(index, _)| index);
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.collect::<Vec<_>>());
        builder = builder.with_projection(mask);
    }
    let history = metadata(builder.metadata(), provenance::HISTORY)
        .map(|text| provenance::from_text(&text))
        .unwrap_or_default();
    let reader = builder
        .build()
        .map_err(|error| Error::data("", format!("damaged Parquet file: {error}")))?;
    let schema = parquet_schema(&reader);
    let mut rows = 0;
    let batches: Batches = Box::new(reader.map(move |batch| match batch {
        Ok(batch) => {
            rows += batch.num_rows();
            Ok(batch)
        }
        Err(error) => {
            Err(Error::data(format!("after row {rows}"), format!("damaged Parquet file: {error}")))
        }
    }));
    let checked = checksum::verified(&schema, batches, expected);
    Ok(Part { name: opened.name, schema, history, batches: Box::new(move || Ok(checked)) })
}

fn parquet_schema(reader: &impl arrow::array::RecordBatchReader) -> arrow::datatypes::SchemaRef {
    reader.schema()
}

fn metadata(of: &ParquetMetaData, key: &str) -> Option<String> {
    let pairs = of.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.clone()
}

/// Rows of a batch such that its bytes stay within bounds: a limit in rows alone would let a small file of
/// long or repeated values fill the memory.
fn batch_rows(of: &ParquetMetaData) -> usize {
    let row_bytes = |group: &parquet::file::metadata::RowGroupMetaData| -> i64 {
        let columns = group.columns().iter();
        let bytes: i64 = columns
            .map(|column| {
                let decoded = column.unencoded_byte_array_data_bytes().unwrap_or(0);
                decoded.max(column.uncompressed_size())
            })
            .sum();
        bytes / group.num_rows().max(1)
    };
    let largest = of.row_groups().iter().map(row_bytes).max().unwrap_or(0).max(1);
    (BATCH_BYTES / usize::try_from(largest).unwrap_or(usize::MAX)).clamp(1, BATCH_ROWS)
}
