//! Aggregates over all rows of a group at once: the rows are kept, and a statistic is computed of them at
//! the end. What several statistics have in common stands here: what they are called with, and that a
//! row with a null among its arguments counts for nothing.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray, new_empty_array,
};
use arrow::compute::{concat, filter, is_not_null, kernels::boolean::and};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, AggregateUDF, Volatility, create_udaf};
use datafusion::scalar::ScalarValue;

/// The columns of a group, all of one length and without nulls.
pub(super) struct Columns(Vec<ArrayRef>);

impl Columns {
    /// The texts of an argument.
    pub(super) fn texts(&self, at: usize) -> &StringArray {
        self.0[at].as_string()
    }

    /// The numbers of an argument.
    pub(super) fn numbers(&self, at: usize) -> &Float64Array {
        self.0[at].as_primitive::<Float64Type>()
    }

    /// The truths of an argument.
    pub(super) fn booleans(&self, at: usize) -> &BooleanArray {
        self.0[at].as_boolean()
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.0.first().map_or(0, |column| column.len())
    }
}

/// A statistic of the rows of a group: none is null.
pub(super) type Statistic = fn(&Columns) -> Result<ScalarValue>;

/// An aggregate that is called with columns of these types and gives a value of that type.
pub(super) fn of_all(
    name: &str,
    takes: &[DataType],
    gives: DataType,
    statistic: Statistic,
) -> AggregateUDF {
    let kept = takes.iter().map(|of| DataType::new_list(of.clone(), true)).collect();
    let types: Arc<[DataType]> = takes.into();
    let accumulator = move |_: datafusion::logical_expr::function::AccumulatorArgs<'_>| {
        let kept = vec![Vec::new(); types.len()];
        let rows = Kept { types: Arc::clone(&types), kept, statistic };
        Ok(Box::new(rows) as Box<dyn Accumulator>)
    };
    create_udaf(
        name,
        takes.to_vec(),
        Arc::new(gives),
        Volatility::Immutable,
        Arc::new(accumulator),
        Arc::new(kept),
    )
}

/// The rows of one group, in pieces as they came, by argument.
struct Kept {
    types: Arc<[DataType]>,
    kept: Vec<Vec<ArrayRef>>,
    statistic: Statistic,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({:?})", self.types)
    }
}

impl Kept {
    fn column(&self, at: usize) -> Result<ArrayRef> {
        let pieces: Vec<&dyn Array> = self.kept[at].iter().map(AsRef::as_ref).collect();
        match pieces.is_empty() {
            true => Ok(new_empty_array(&self.types[at])),
            false => Ok(concat(&pieces)?),
        }
    }

    fn columns(&self) -> Result<Vec<ArrayRef>> {
        (0..self.types.len()).map(|at| self.column(at)).collect()
    }

    fn keep(&mut self, columns: impl IntoIterator<Item = ArrayRef>) {
        for (kept, column) in self.kept.iter_mut().zip(columns) {
            if !column.is_empty() {
                kept.push(column);
            }
        }
    }
}

impl Accumulator for Kept {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.iter().all(|column| column.null_count() == 0) {
            self.keep(values.iter().map(Arc::clone));
            return Ok(());
        }
        let mut whole = is_not_null(&values[0])?;
        for column in &values[1..] {
            whole = and(&whole, &is_not_null(column)?)?;
        }
        let columns = values.iter().map(|column| filter(column, &whole));
        self.keep(columns.collect::<Result<Vec<_>, _>>()?);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        (self.statistic)(&Columns(self.columns()?))
    }

    fn size(&self) -> usize {
        // A piece is often a slice of a batch that other groups hold too.
        let bytes = |column: &ArrayRef| {
            let slice = column.to_data().get_slice_memory_size();
            slice.unwrap_or_else(|_| column.get_array_memory_size())
        };
        size_of::<Self>() + self.kept.iter().flatten().map(bytes).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |column: ArrayRef| {
            let one = datafusion::common::utils::SingleRowListArrayBuilder::new(column);
            one.build_list_scalar()
        };
        Ok(self.columns()?.into_iter().map(list).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        // Every state is one list for each argument: together they are the values of the column.
        let parts = states.iter().map(|column| {
            let lists = column.as_list::<i32>();
            let values: Vec<ArrayRef> = lists.iter().flatten().collect();
            let pieces: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
            match pieces.is_empty() {
                true => Ok(new_empty_array(&lists.value_type())),
                false => Ok(concat(&pieces)?),
            }
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        self.keep(parts);
        Ok(())
    }
}
