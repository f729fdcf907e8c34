//! Strata: rows that are the same in some columns, such as a risk dimension or a language.

use crate::select::failed;
use crate::select::texts::missing;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use std::collections::HashMap;
use std::fmt::Write;

/// The stratum of every row.
#[derive(Default)]
pub struct Strata {
    columns: Vec<String>,
    /// Values with their lengths, so that no two strata look alike → number and name.
    known: HashMap<String, (u32, String)>,
    of: Vec<u32>,
}

/// All strata by name, and the number of each row's.
pub struct Sorted {
    /// What tells them apart.
    pub keys: Vec<String>,
    /// The values of the columns, with commas between them, in order.
    pub names: Vec<String>,
    /// By row.
    pub of: Vec<u32>,
}

impl Strata {
    /// The strata that these columns make; one without any.
    pub fn new(columns: &[String]) -> Self {
        Self { columns: columns.to_vec(), ..Self::default() }
    }

    /// Checks that the columns are there and hold single values.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        for name in &self.columns {
            match schema.field_with_name(name) {
                Ok(field) if !field.data_type().is_nested() => {}
                Ok(field) => {
                    let what = format!("the type is {}, and strata need values", field.data_type());
                    return Err(Error::data(format!("column `{name}`"), what));
                }
                Err(_) => return Err(missing(schema, name)),
            }
        }
        Ok(())
    }

    /// Adds the rows of a batch.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self.columns.iter().map(|name| {
            let column = batch.column_by_name(name);
            let column = column.ok_or_else(|| missing(batch.schema_ref(), name))?;
            cast(column, &DataType::Utf8).map_err(failed)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let mut key = String::new();
        for row in 0..batch.num_rows() {
            key.clear();
            let values = columns
                .iter()
                .map(|column| column.is_valid(row).then(|| column.as_string::<i32>().value(row)));
            for value in values.clone() {
                let (length, value) = value.map_or((-1, ""), |value| (value.len() as i64, value));
                // Writing into a text cannot fail.
                let _ = write!(key, "{value}\u{1f}{length}\u{1f}");
            }
            let number = match self.known.get(&key) {
                Some((number, _)) => *number,
                None => {
                    let name: Vec<&str> = values.map(|value| value.unwrap_or("(none)")).collect();
                    let number = self.known.len() as u32;
                    self.known.insert(key.clone(), (number, name.join(", ")));
                    number
                }
            };
            self.of.push(number);
        }
        Ok(())
    }

    /// The strata in the order of their values, which does not depend on the order of rows.
    pub fn sorted(&mut self) -> Sorted {
        let mut strata: Vec<(String, (u32, String))> =
            std::mem::take(&mut self.known).into_iter().collect();
        strata.sort_unstable();
        let mut places = vec![0; strata.len()];
        for (place, (_, (number, _))) in (0..).zip(&strata) {
            places[*number as usize] = place;
        }
        let of = std::mem::take(&mut self.of).into_iter().map(|of| places[of as usize]).collect();
        let (keys, names) = strata.into_iter().map(|(key, (_, name))| (key, name)).unzip();
        Sorted { keys, names, of }
    }
}
