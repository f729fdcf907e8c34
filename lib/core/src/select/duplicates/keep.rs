//! Which row of a cluster of duplicates is kept.

use crate::select::failed;
use crate::select::texts::{Texts, missing};
use crate::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};

/// The rule; of rows that are equal by it, the first is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The first row.
    #[default]
    First,
    /// The one with the most characters.
    Longest,
    /// The one with the greatest number in this column.
    Max(String),
}

impl Keep {
    /// Reads `first`, `longest` or `max:COLUMN`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("max:")) {
            ("first", _) => Ok(Self::First),
            ("longest", _) => Ok(Self::Longest),
            (_, Some(column)) if !column.is_empty() => Ok(Self::Max(column.to_owned())),
            _ => Err("write first, longest or max:COLUMN".into()),
        }
    }
}

/// What the rule goes by, for each row.
pub struct Values {
    keep: Keep,
    values: Vec<f64>,
}

impl Values {
    /// No rows yet.
    pub fn new(keep: Keep) -> Self {
        Self { keep, values: Vec::new() }
    }

    /// Checks that the column is there and holds numbers.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let Keep::Max(name) = &self.keep else { return Ok(()) };
        match schema.field_with_name(name) {
            Ok(field) if field.data_type().is_numeric() => Ok(()),
            Ok(field) => Err(Error::data(
                format!("column `{name}`"),
                format!("the type is {}, and --keep max wants numbers", field.data_type()),
            )
            .hint("cast it with --sql")),
            Err(_) => Err(missing(schema, name)),
        }
    }

    /// Adds the rows of a batch.
    pub fn add(&mut self, batch: &RecordBatch, texts: &Texts<'_>) -> Result<()> {
        match &self.keep {
            Keep::First => {}
            Keep::Longest => self.values.extend(
                (0..batch.num_rows())
                    .map(|row| texts.get(row).map_or(-1.0, |text| text.chars().count() as f64)),
            ),
            Keep::Max(name) => {
                let column =
                    batch.column_by_name(name).ok_or_else(|| missing(batch.schema_ref(), name))?;
                let numbers = cast(column, &DataType::Float64).map_err(failed)?;
                let numbers = numbers.as_primitive::<Float64Type>();
                // No number is less than any.
                let number =
                    |row: usize| match numbers.is_valid(row) && !numbers.value(row).is_nan() {
                        true => numbers.value(row),
                        false => f64::NEG_INFINITY,
                    };
                self.values.extend((0..numbers.len()).map(number));
            }
        }
        Ok(())
    }

    /// Whether a row is kept rather than an earlier one.
    pub fn is_better(&self, row: u32, earlier: u32) -> bool {
        let value = |row: u32| self.values.get(row as usize).copied();
        value(row) > value(earlier)
    }
}
