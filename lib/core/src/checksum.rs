//! Checksums of columns. Neither Arrow files nor Parquet as arrow-rs writes it protect their content: a
//! flipped bit is read as another value. So a file carries a checksum of every column, over its values and
//! not over their encoding, and whoever reads a column to its end compares.

use crate::rows::Batches;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter, is_not_null};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::Xxh3;

/// The metadata key of a file's checksums.
pub const KEY: &str = "seval.checksums";

/// The checksums of a stream of batches, which do not depend on where one batch ends.
pub struct Checksums {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: u64,
}

/// The parts of a column: nulls leave no value, a list leaves its length here and its items to a child.
struct Column {
    /// The type is part of it: the bytes of an integer are also those of some float.
    of: String,
    validity: Xxh3,
    lengths: Xxh3,
    values: Xxh3,
    children: Vec<Column>,
}

impl Checksums {
    /// Checksums of no rows yet.
    pub fn new(schema: &SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| Column::new(field.data_type())).collect();
        Self { schema: schema.clone(), columns, rows: 0 }
    }

    /// Adds the rows of a batch.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.update(array.as_ref()).map_err(|error| Error::data("", error))?;
        }
        Ok(())
    }

    /// The checksums as text: a JSON object, column name → 16 hex digits.
    pub fn to_text(&self) -> String {
        let names = self.schema.fields().iter().map(|field| field.name().clone());
        let digests =
            self.columns.iter().map(|column| format!("{:016x}", column.digest(self.rows)));
        serde_json::to_string(&names.zip(digests).collect::<BTreeMap<_, _>>()).unwrap_or_default()
    }
}

impl Column {
    fn new(data_type: &DataType) -> Self {
        let of = match data_type {
            // What writers call the items is not part of it, and the children have types of their own.
            DataType::List(_) => "List".to_owned(),
            DataType::FixedSizeList(_, size) => format!("FixedSizeList {size}"),
            DataType::Struct(fields) => {
                let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
                format!("Struct {names:?}")
            }
            other => other.to_string(),
        };
        let part = Xxh3::new;
        Self { of, validity: part(), lengths: part(), values: part(), children: Vec::new() }
    }

    fn update(&mut self, array: &dyn Array) -> Result<(), arrow::error::ArrowError> {
        if array.is_empty() {
            return Ok(());
        }
        if array.null_count() > 0 {
            let valid: BooleanArray = is_not_null(array)?;
            let bytes: Vec<u8> = valid.values().iter().map(u8::from).collect();
            self.validity.update(&bytes);
            return self.values(filter(array, &valid)?.as_ref());
        }
        self.validity.update(&vec![1; array.len()]);
        self.values(array)
    }

    /// `array` has no nulls.
    fn values(&mut self, array: &dyn Array) -> Result<(), arrow::error::ArrowError> {
        match array.data_type() {
            DataType::Utf8 => {
                let array = array.as_string::<i32>();
                self.slices(array.value_offsets(), array.value_data());
            }
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                self.slices(array.value_offsets(), array.value_data());
            }
            DataType::Boolean => {
                let bytes: Vec<u8> = array.as_boolean().values().iter().map(u8::from).collect();
                self.values.update(&bytes);
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let offsets = list.value_offsets();
                self.lengths(offsets);
                if let [first, .., last] = offsets {
                    let items = list.values().slice(*first as usize, (last - first) as usize);
                    self.child(0, items.as_ref())?;
                }
            }
            DataType::FixedSizeList(_, size) => {
                let list = array.as_fixed_size_list();
                let (start, size) = (list.value_offset(0) as usize, *size as usize);
                let items = list.values().slice(start, size * list.len());
                self.child(0, items.as_ref())?;
            }
            DataType::Struct(_) => {
                for (index, column) in array.as_struct().columns().iter().enumerate() {
                    self.child(index, column.as_ref())?;
                }
            }
            fixed => {
                let width = fixed.primitive_width().unwrap_or(0);
                let data = array.to_data();
                if let (true, Some(buffer)) = (width > 0, data.buffers().first()) {
                    let start = data.offset() * width;
                    self.values.update(&buffer.as_slice()[start..start + array.len() * width]);
                }
            }
        }
        Ok(())
    }

    fn slices(&mut self, offsets: &[i32], bytes: &[u8]) {
        self.lengths(offsets);
        if let [first, .., last] = offsets {
            self.values.update(&bytes[*first as usize..*last as usize]);
        }
    }

    fn lengths(&mut self, offsets: &[i32]) {
        let bytes: Vec<u8> =
            offsets.windows(2).flat_map(|pair| (pair[1] - pair[0]).to_le_bytes()).collect();
        self.lengths.update(&bytes);
    }

    fn child(&mut self, index: usize, array: &dyn Array) -> Result<(), arrow::error::ArrowError> {
        if self.children.len() == index {
            self.children.push(Self::new(array.data_type()));
        }
        self.children[index].update(array)
    }

    fn digest(&self, rows: u64) -> u64 {
        let mut all = Xxh3::new();
        all.update(&rows.to_le_bytes());
        all.update(self.of.as_bytes());
        for part in [&self.validity, &self.lengths, &self.values] {
            all.update(&part.digest().to_le_bytes());
        }
        for child in &self.children {
            all.update(&child.digest(0).to_le_bytes());
        }
        all.digest()
    }
}

/// Column name → checksum.
pub type Expected = BTreeMap<String, String>;

/// The checksums that a file of ours carries, which has exactly these columns.
pub fn expected(text: Option<&str>, schema: &Schema) -> Result<Expected> {
    let expected: Expected =
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let names = schema.fields().iter().map(|field| field.name());
    match expected.keys().eq(names.collect::<BTreeSet<_>>()) {
        true => Ok(expected),
        false => Err(Error::data("footer", "the columns are not those that were written")
            .hint("the file is damaged: make it again")),
    }
}

/// The batches, and after the last one an error if a column is not what its checksum says. Without
/// checksums (a file of another program) nothing is checked.
pub fn verified(schema: &SchemaRef, mut batches: Batches, expected: Option<Expected>) -> Batches {
    let Some(expected) = expected else { return batches };
    let mut found = Some(Checksums::new(schema));
    Box::new(std::iter::from_fn(move || match batches.next() {
        Some(Ok(batch)) => {
            let sums = found.as_mut()?;
            Some(sums.update(&batch).map(|()| batch))
        }
        Some(Err(error)) => {
            found = None;
            Some(Err(error))
        }
        None => {
            let found: Expected =
                serde_json::from_str(&found.take()?.to_text()).unwrap_or_default();
            let (name, _) = found.iter().find(|(name, sum)| expected.get(*name) != Some(sum))?;
            Some(Err(Error::data(
                format!("column `{name}`"),
                "the values are not the ones that were written (checksum differs)",
            )
            .hint("the file is damaged: make it again")))
        }
    }))
}
