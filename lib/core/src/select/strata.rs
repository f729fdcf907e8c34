//! Strata: rows that are the same in some columns, such as a risk dimension or a language.

use crate::select::failed;
use crate::select::texts::missing;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use std::collections::HashMap;

/// Between the values of several columns, where no value has it.
const BETWEEN: &str = "\u{1f}";

/// The stratum of every row.
#[derive(Default)]
pub struct Strata {
    columns: Vec<String>,
    known: HashMap<String, u32>,
    of: Vec<u32>,
}

/// All strata by name, and the number of each row's.
pub struct Sorted {
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
        let mut name = String::new();
        for row in 0..batch.num_rows() {
            name.clear();
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    name.push_str(BETWEEN);
                }
                match column.is_valid(row) {
                    true => name.push_str(column.as_string::<i32>().value(row)),
                    false => name.push_str("(none)"),
                }
            }
            let new = self.known.len() as u32;
            let number = match self.known.get(&name) {
                Some(number) => *number,
                None => *self.known.entry(name.clone()).or_insert(new),
            };
            self.of.push(number);
        }
        Ok(())
    }

    /// The strata in the order of their names, which does not depend on the order of rows.
    pub fn sorted(&mut self) -> Sorted {
        let mut names: Vec<(String, u32)> = std::mem::take(&mut self.known).into_iter().collect();
        names.sort_unstable();
        let mut places = vec![0; names.len()];
        for (place, (_, number)) in (0..).zip(&names) {
            places[*number as usize] = place;
        }
        let of = std::mem::take(&mut self.of).into_iter().map(|of| places[of as usize]).collect();
        let names = names.into_iter().map(|(name, _)| name.replace(BETWEEN, ", ")).collect();
        Sorted { names, of }
    }
}
