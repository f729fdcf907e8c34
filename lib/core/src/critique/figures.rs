//! Figures as rows of a table: what a measurement gives, in one form for files, pages and SQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::calibrate::Rate;
use crate::Result;
use crate::plain::with_columns;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The part of the measurement that it belongs to.
    pub part: String,
    /// What it is a figure of: a class, a critic, a pair, a group.
    pub of: String,
    /// What was measured.
    pub measure: &'static str,
    /// The figure; none where it is not defined.
    pub value: Option<f64>,
    /// The ends of the 95 % interval; none where there is none.
    pub interval: Option<(f64, f64)>,
    /// How many rows it stands on; none where that says nothing.
    pub n: Option<u64>,
}

impl Figure {
    /// A figure without an interval.
    pub fn new(part: &str, of: &str, measure: &'static str, value: Option<f64>) -> Self {
        let (part, of) = (part.to_owned(), of.to_owned());
        Self { part, of, measure, value, interval: None, n: None }
    }

    /// A number of rows.
    pub fn count(part: &str, of: &str, measure: &'static str, rows: u64) -> Self {
        Self::new(part, of, measure, Some(rows as f64))
    }

    /// A rate with its interval.
    pub fn rate(part: &str, of: &str, measure: &'static str, rate: Rate) -> Self {
        let (interval, n) = (rate.interval(), Some(rate.of));
        Self { interval, n, ..Self::new(part, of, measure, rate.value()) }
    }
}

/// The figures as a table: `part`, `of`, `measure`, `value`, `low`, `high`, `n`.
pub fn as_batch(figures: &[Figure]) -> Result<RecordBatch> {
    let text = |of: fn(&Figure) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(figures.iter().map(of)))
    };
    let number = |of: fn(&Figure) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(figures.iter().map(of)))
    };
    let n = figures.iter().map(|figure| figure.n.and_then(|n| i64::try_from(n).ok()));
    let columns: [(&str, ArrayRef); 7] = [
        ("part", text(|figure| &figure.part)),
        ("of", text(|figure| &figure.of)),
        ("measure", text(|figure| figure.measure)),
        ("value", number(|figure| figure.value)),
        ("low", number(|figure| figure.interval.map(|(low, _)| low))),
        ("high", number(|figure| figure.interval.map(|(_, high)| high))),
        ("n", Arc::new(Int64Array::from_iter(n))),
    ];
    let kind = |name: &str, of: &DataType| Field::new(name, of.clone(), true);
    let fields: Vec<Field> = columns.iter().map(|(name, a)| kind(name, a.data_type())).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    with_columns(&Arc::new(Schema::new(fields)), columns, figures.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::Float64Type;

    #[test]
    fn figures_become_rows() {
        let rate = Figure::rate("class", "unsafe", "recall", Rate { hits: 5, of: 10 });
        let none = Figure::rate("class", "safe", "recall", Rate { hits: 0, of: 0 });
        let batch = as_batch(&[rate, none]).unwrap();
        let value = batch.column_by_name("value").unwrap().as_primitive::<Float64Type>();
        assert_eq!(value.iter().collect::<Vec<_>>(), [Some(0.5), None]);
        let low = batch.column_by_name("low").unwrap().as_primitive::<Float64Type>();
        assert!((low.value(0) - 0.2366).abs() < 5e-5);
        assert_eq!(as_batch(&[]).unwrap().num_rows(), 0);
    }
}
