//! Plain types: the only ones that leave a program, because every reader knows them (pyarrow, pandas,
//! polars, DuckDB, Hugging Face datasets). Anything else is turned, on reading, into the plain type that
//! keeps every value; where there is none, the column is refused by name.

use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// A list of `item`.
pub fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// Whether a column of this type may be written as it is.
pub fn is_plain(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary => true,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => zone.as_ref() == "UTC",
        DataType::List(item) => is_plain(item.data_type()),
        DataType::FixedSizeList(item, _) => item.data_type() == &DataType::Float32,
        DataType::Struct(fields) => {
            !fields.is_empty() && fields.iter().all(|field| is_plain(field.data_type()))
        }
        _ => false,
    }
}

/// The plain type that keeps every value of `data_type`, or why there is none.
pub fn plain_type(data_type: &DataType) -> Result<DataType, String> {
    use DataType as T;
    Ok(match data_type {
        plain if matches!(plain, T::List(_) | T::FixedSizeList(..) | T::Struct(_)) => {
            nested(plain)?
        }
        plain if is_plain(plain) => plain.clone(),
        T::Utf8View | T::LargeUtf8 | T::Null => T::Utf8,
        T::BinaryView | T::LargeBinary | T::FixedSizeBinary(_) => T::Binary,
        T::Dictionary(_, values) => plain_type(values)?,
        T::RunEndEncoded(_, values) => plain_type(values.data_type())?,
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => T::Int32,
        T::UInt32 | T::UInt64 => T::Int64,
        T::Float16 => T::Float32,
        T::Date32 | T::Date64 | T::Timestamp(..) => {
            T::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        // Digits that a float would round are kept as text.
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => T::Utf8,
        T::LargeList(_) | T::ListView(_) | T::LargeListView(_) | T::Map(..) => nested(data_type)?,
        other => return Err(format!("type {other} has no plain equivalent")),
    })
}

fn nested(data_type: &DataType) -> Result<DataType, String> {
    use DataType as T;
    Ok(match data_type {
        T::FixedSizeList(item, size) if item.data_type() == &T::Float32 => {
            T::FixedSizeList(Arc::new(Field::new("item", T::Float32, true)), *size)
        }
        T::List(item)
        | T::LargeList(item)
        | T::ListView(item)
        | T::LargeListView(item)
        | T::FixedSizeList(item, _)
        | T::Map(item, _) => list_of(plain_type(item.data_type())?),
        T::Struct(fields) if fields.is_empty() => return Err("a struct without fields".into()),
        T::Struct(fields) => T::Struct(
            fields
                .iter()
                .map(|field| Ok(Field::new(field.name(), plain_type(field.data_type())?, true)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

/// The schema with plain types. Metadata is dropped: it describes columns as another program left them
/// (Hugging Face's `huggingface` key makes its own reader fail once a column is added).
pub fn plain_schema(schema: &Schema, place: &str) -> Result<SchemaRef> {
    let fields = schema
        .fields()
        .iter()
        .map(|field| {
            let plain = plain_type(field.data_type()).map_err(|why| {
                Error::data(format!("{place}: column `{}`", field.name()), why)
                    .hint("cast it to a text or a number before")
            })?;
            Ok(Arc::new(Field::new(field.name(), plain, true)))
        })
        .collect::<Result<Vec<FieldRef>>>()?;
    let mut names: Vec<&String> = fields.iter().map(|field| field.name()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::data(place, format!("two columns are named `{}`", twice[0])));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The batch in the types of `schema`, which [`plain_schema`] made from the batch's own.
pub fn to_plain(batch: &RecordBatch, schema: &SchemaRef, place: &str) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            to_type(column, field.data_type())
                .map_err(|why| Error::data(format!("{place}: column `{}`", field.name()), why))
        })
        .collect::<Result<Vec<_>>>()?;
    with_columns(schema, columns, batch.num_rows())
}

/// A batch of `rows` rows; the columns must fit the schema.
pub fn with_columns(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|error| Error::data("", error))
}

/// The column as `wanted`, every value kept: a value that would change is an error.
pub fn to_type(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, String> {
    if column.data_type() == wanted {
        return Ok(column.clone());
    }
    if column.data_type() == &DataType::Null {
        return Ok(new_null_array(wanted, column.len()));
    }
    if let Some(map) = column.as_map_opt() {
        let list: ArrayRef = Arc::new(ListArray::from(map.clone()));
        return to_type(&list, wanted);
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let cast = cast_with_options(column, wanted, &strict).map_err(|error| error.to_string())?;
    // The casts here that round instead of failing.
    let rounds = match column.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Some("a time stamp is finer than a microsecond")
        }
        DataType::Int64 if wanted == &DataType::Float64 => {
            Some("a whole number is too large for a float")
        }
        _ => None,
    };
    if let Some(why) = rounds {
        let back =
            cast_with_options(&cast, column.data_type(), &strict).map_err(|e| e.to_string())?;
        if back.to_data() != column.to_data() {
            return Err(why.into());
        }
    }
    Ok(cast)
}
