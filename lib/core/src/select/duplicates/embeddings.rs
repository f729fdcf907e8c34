//! Embeddings of rows, from a column of lists of numbers: all of one length, all finite. A row without one is
//! compared with none.

use crate::select::failed;
use crate::select::texts::missing;
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Schema};

/// The vectors of the rows that have one, in order.
#[derive(Default)]
pub struct Vectors {
    /// Numbers of a vector; 0 before the first.
    pub dim: usize,
    /// The vectors, one after the other.
    pub values: Vec<f32>,
    /// The row of each vector.
    pub rows: Vec<u32>,
    /// Rows so far.
    read: u32,
}

impl Vectors {
    /// Adds the next row's vector, if it has one.
    pub fn push(&mut self, vector: Option<&[f32]>) -> Result<()> {
        let row = self.read;
        self.read += 1;
        let Some(vector) = vector else { return Ok(()) };
        let wrong = |what: String| {
            Err(Error::data(format!("row {}", row + 1), what)
                .hint("embeddings that are compared come from one model"))
        };
        if self.dim == 0 {
            self.dim = vector.len();
        }
        if vector.len() != self.dim || vector.is_empty() {
            let what =
                format!("the embedding has {} numbers, the first {}", vector.len(), self.dim);
            return wrong(what);
        }
        if vector.iter().any(|number| !number.is_finite()) {
            return wrong("the embedding has a number that is none (NaN or infinite)".into());
        }
        if vector.iter().all(|number| *number == 0.0) {
            return wrong("the embedding is all zeros".into());
        }
        self.values.extend_from_slice(vector);
        self.rows.push(row);
        Ok(())
    }

    /// Adds the rows of a batch.
    pub fn add(&mut self, batch: &RecordBatch, column: &str) -> Result<()> {
        let lists = lists(batch, column)?;
        for row in 0..lists.len() {
            let vector = lists.is_valid(row).then(|| lists.value(row));
            let numbers = vector.as_ref().map(|vector| vector.as_primitive::<Float32Type>());
            if numbers.is_some_and(|numbers| numbers.null_count() > 0) {
                let row = format!("row {}", self.read + 1);
                return Err(Error::data(row, "the embedding has a number that is null"));
            }
            self.push(numbers.map(|numbers| numbers.values().as_ref()))?;
        }
        Ok(())
    }

    /// A row's vector.
    pub fn of_row(&self, row: u32) -> Option<&[f32]> {
        let at = self.rows.binary_search(&row).ok()?;
        Some(&self.values[at * self.dim..(at + 1) * self.dim])
    }
}

/// Checks that a column is there and holds lists of numbers.
pub fn check(schema: &Schema, name: &str) -> Result<()> {
    let field = schema.field_with_name(name).map_err(|_| missing(schema, name))?;
    let item = match field.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => item.data_type(),
        other => other,
    };
    match item.is_numeric() && field.data_type().is_nested() {
        true => Ok(()),
        false => Err(Error::data(
            format!("column `{name}`"),
            format!("the type is {}, and embeddings are lists of numbers", field.data_type()),
        )),
    }
}

fn lists(batch: &RecordBatch, name: &str) -> Result<ListArray> {
    let column = batch.column_by_name(name);
    let column: &ArrayRef = column.ok_or_else(|| missing(batch.schema_ref(), name))?;
    let lists = cast(column, &crate::plain::list_of(DataType::Float32)).map_err(failed)?;
    Ok(lists.as_list::<i32>().clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Vectors;

    #[test]
    fn what_cannot_be_compared_is_said_with_its_row() {
        let after_one = |vector: &[f32]| {
            let mut vectors = Vectors::default();
            vectors.push(Some(&[1.0, 2.0])).unwrap();
            vectors.push(None).unwrap();
            vectors.push(Some(vector)).map(|()| vectors.of_row(2).map(<[f32]>::to_vec))
        };
        assert_eq!(after_one(&[3.0, 4.0]).unwrap(), Some(vec![3.0, 4.0]));
        for (vector, said) in [
            (vec![1.0], "row 3: the embedding has 1 numbers, the first 2"),
            (vec![1.0, f32::NAN], "row 3: the embedding has a number that is none"),
            (vec![0.0, 0.0], "row 3: the embedding is all zeros"),
        ] {
            let error = after_one(&vector).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
