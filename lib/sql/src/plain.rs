//! Plain types: what every reader of our files knows. The engine's own choices (views,
//! dictionaries, unsigned counts) stop here.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

/// The schema with plain types; metadata of the inputs is not carried over.
pub(crate) fn schema(from: &Schema) -> SchemaRef {
    Arc::new(Schema::new(from.fields().iter().map(plain_field).collect::<Vec<_>>()))
}

/// The batch in the schema that [`schema`] gave; a count that does not fit Int64 is an error.
pub(crate) fn batch(from: &RecordBatch, to: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let columns = from
        .columns()
        .iter()
        .zip(to.fields())
        .map(|(column, field)| match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast_with_options(column, field.data_type(), &strict),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(from.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(to), columns, &rows)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    match plain == *field.data_type() && field.metadata().is_empty() {
        true => Arc::clone(field),
        false => {
            let nullable = field.is_nullable() || field.data_type().is_null();
            Arc::new(Field::new(field.name(), plain, nullable))
        }
    }
}

fn plain_type(from: &DataType) -> DataType {
    match from {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt64 => DataType::Int64,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(plain_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{
        Array, ArrayRef, AsArray, LargeStringArray, NullArray, StringViewArray, UInt64Array,
    };
    use arrow::datatypes::Int64Type;

    fn made_plain(column: ArrayRef) -> Result<ArrayRef, ArrowError> {
        let given = RecordBatch::try_from_iter([("c", column)])?;
        let to = schema(&given.schema());
        Ok(Arc::clone(batch(&given, &to)?.column(0)))
    }

    #[test]
    fn texts_become_utf8() {
        let view = made_plain(Arc::new(StringViewArray::from(vec![Some("a"), None]))).unwrap();
        assert_eq!(view.as_string::<i32>().value(0), "a");
        assert!(view.is_null(1));
        let large = made_plain(Arc::new(LargeStringArray::from(vec!["b"]))).unwrap();
        assert_eq!(large.as_string::<i32>().value(0), "b");
        let null = made_plain(Arc::new(NullArray::new(2))).unwrap();
        assert_eq!((null.data_type(), null.null_count()), (&DataType::Utf8, 2));
    }

    #[test]
    fn counts_become_int64_or_an_error() {
        let fits = made_plain(Arc::new(UInt64Array::from(vec![7]))).unwrap();
        assert_eq!(fits.as_primitive::<Int64Type>().value(0), 7);
        assert!(made_plain(Arc::new(UInt64Array::from(vec![u64::MAX]))).is_err());
    }

    #[test]
    fn nested_types_are_plain_too() {
        let item = Arc::new(Field::new("item", DataType::Utf8View, true));
        let plain = plain_type(&DataType::LargeList(item));
        assert_eq!(plain, DataType::new_list(DataType::Utf8, true));
    }
}
