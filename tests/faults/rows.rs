//! Rows to damage: written in every format as the programs write them, and read as they read.

use crate::run::Folder;
use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float32Array, Int64Array, MapBuilder};
use arrow::array::{NullArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use seval_core::output::Format;
use seval_core::plain::list_of;
use seval_core::{Error, Rows, input, output};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const LINES: &str = r#"
{"prompt":"How, \"exactly\"?\nAnd 'why'?","language":"en","response":"I can't.","n":9007199254740993,"i":-1,"x":0.1,"f":0.5,"ok":true,"at":"2026-01-02T03:04:05.000006Z","tags":["a","b,c"],"pair":{"a":1,"b":"x"},"bytes":"00ff"}
{"prompt":"怎么做？","language":"en","response":null,"n":null,"i":null,"x":null,"f":null,"ok":null,"at":null,"tags":null,"pair":null,"bytes":null}
{"prompt":"=1+1","language":"en","response":"Sure: 🙂","n":-7,"i":8,"x":-2.5e300,"f":-1.25,"ok":false,"at":"1969-12-31T23:59:59Z","tags":[],"pair":{"a":null,"b":"y\tz"},"bytes":"61"}
{"prompt":"last","language":"en","response":"No.","n":0,"i":0,"x":3.0,"f":2.0,"ok":true,"at":"2026-01-02T00:00:00Z","tags":[null,"c"],"pair":{"a":3,"b":null},"bytes":"62"}"#;

/// A column of every plain type, with nulls.
pub fn sample() -> RecordBatch {
    let pair = [("a", DataType::Int64), ("b", DataType::Utf8)];
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let types = [
        ("prompt", DataType::Utf8),
        ("response", DataType::Utf8),
        ("language", DataType::Utf8),
        ("n", DataType::Int64),
        ("i", DataType::Int32),
        ("x", DataType::Float64),
        ("f", DataType::Float32),
        ("ok", DataType::Boolean),
        ("at", time),
        ("tags", list_of(DataType::Utf8)),
        ("pair", DataType::Struct(fields(pair).into())),
        ("bytes", DataType::Binary),
    ];
    let schema = Arc::new(Schema::new(fields(types)));
    let mut decoder = arrow::json::ReaderBuilder::new(schema).build_decoder().unwrap();
    decoder.decode(LINES.as_bytes()).unwrap();
    let rows = decoder.flush().unwrap().unwrap();
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let values = Arc::new(Float32Array::from_iter_values((0..8u8).map(f32::from)));
    let vectors = FixedSizeListArray::new(item, 2, values, None);
    let columns = rows.columns().iter().cloned().chain([Arc::new(vectors) as ArrayRef]);
    let names = rows.schema();
    let names = names.fields().iter().map(|field| field.name().as_str()).chain(["vector"]);
    table(names.zip(columns))
}

fn fields<const N: usize>(types: [(&str, DataType); N]) -> Vec<Field> {
    types.into_iter().map(|(name, of)| Field::new(name, of, true)).collect()
}

/// Columns in types that other programs write, and what they are here.
pub fn foreign() -> Vec<(&'static str, ArrayRef, DataType)> {
    use DataType as T;
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("é"), None, Some("")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(100)]));
    let days: ArrayRef =
        Arc::new(StringArray::from(vec![Some("2026-01-02"), None, Some("1969-12-31")]));
    let prices: ArrayRef = Arc::new(StringArray::from(vec![Some("1.50"), None, Some("-0.01")]));
    let lists = cast(&texts, &list_of(T::Utf8)).unwrap();
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in 0..3 {
        map.keys().append_value("k");
        map.values().append_option((row != 1).then_some("v"));
        map.append(true).unwrap();
    }
    let entries = vec![Field::new("keys", T::Utf8, true), Field::new("values", T::Utf8, true)];
    let time = T::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let item = Arc::new(Field::new("item", T::Utf8, true));
    let as_ = |column: &ArrayRef, of: DataType| cast(column, &of).unwrap();
    vec![
        ("dictionary", as_(&texts, T::Dictionary(Box::new(T::Int8), Box::new(T::Utf8))), T::Utf8),
        ("large", as_(&texts, T::LargeUtf8), T::Utf8),
        ("view", as_(&texts, T::Utf8View), T::Utf8),
        ("blob", as_(&texts, T::LargeBinary), T::Binary),
        ("int8", as_(&numbers, T::Int8), T::Int32),
        ("uint16", as_(&numbers, T::UInt16), T::Int32),
        ("uint64", as_(&numbers, T::UInt64), T::Int64),
        ("half", as_(&numbers, T::Float16), T::Float32),
        ("date", as_(&days, T::Date32), time.clone()),
        ("nanos", as_(&days, T::Timestamp(TimeUnit::Nanosecond, None)), time.clone()),
        ("elsewhere", as_(&days, T::Timestamp(TimeUnit::Millisecond, Some("+02:00".into()))), time),
        ("price", as_(&prices, T::Decimal128(10, 2)), T::Utf8),
        ("large list", as_(&lists, T::LargeList(item.clone())), list_of(T::Utf8)),
        ("map", Arc::new(map.finish()), list_of(T::Struct(entries.into()))),
        ("nothing", Arc::new(NullArray::new(3)), T::Utf8),
        ("list view", as_(&lists, T::ListView(item)), list_of(T::Utf8)),
    ]
}

/// The rows of named columns.
pub fn table<'a>(columns: impl IntoIterator<Item = (&'a str, ArrayRef)>) -> RecordBatch {
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns
        .into_iter()
        .map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// The rows as the programs write them.
pub fn written(rows: &RecordBatch, folder: &Folder, format: Format) -> Vec<u8> {
    let path = folder.path(".written");
    let path_text = path.to_string_lossy().into_owned();
    let options =
        output::Options { path: Some(path_text), format: Some(format), ..Default::default() };
    let batches = Box::new(vec![Ok(rows.clone())].into_iter());
    output::write(Rows { schema: rows.schema(), batches, history: Vec::new() }, &options).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}

/// The rows as text: what formats without types keep.
pub fn text(rows: &RecordBatch, folder: &Folder) -> String {
    String::from_utf8(written(rows, folder, Format::CsvRaw)).unwrap()
}

/// Every format and wrapping: name, bytes.
pub fn files(rows: &RecordBatch, folder: &Folder) -> Vec<(&'static str, Vec<u8>)> {
    let of = |format| written(rows, folder, format);
    let (parquet, lines, csv) = (of(Format::Parquet), of(Format::Jsonl), of(Format::CsvRaw));
    let objects: Vec<&str> = std::str::from_utf8(&lines).unwrap().lines().collect();
    let document = format!("[\n{}\n]", objects.join(",\n")).into_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&lines).unwrap();
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zstd.include_checksum(true).unwrap();
    zstd.write_all(&parquet).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("inside.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&csv).unwrap();
    vec![
        ("a.jsonl.gz", gzip.finish().unwrap()),
        ("a.parquet.zst", zstd.finish().unwrap()),
        ("a.zip", zip.finish().unwrap().into_inner()),
        ("a.parquet", parquet),
        ("a.arrow", of(Format::Feather)),
        ("a.arrows", of(Format::Arrow)),
        ("a.jsonl", lines),
        ("a.json", document),
        ("a.csv", csv),
    ]
}

/// All rows of a file.
pub fn read(path: &Path) -> Result<RecordBatch, Error> {
    let sources = input::sources(&[path.to_string_lossy().into_owned()])?;
    let rows = input::read(sources, &input::Options::default())?;
    let batches = rows.batches.collect::<Result<Vec<_>, Error>>()?;
    Ok(concat_batches(&rows.schema, &batches).unwrap())
}

/// All rows of a file that holds the bytes.
pub fn read_bytes(folder: &Folder, name: &str, bytes: &[u8]) -> Result<RecordBatch, Error> {
    folder.write(name, bytes);
    read(&folder.path(name))
}
