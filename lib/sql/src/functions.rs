//! What our SQL knows beyond DataFusion's: statistics with their intervals, xxh3, a look into JSON texts,
//! and what a text shows of its language, of damage and of repetition.
//!
//! Null in, null out. All are pure, so the engine may fold and share calls.

mod aggregate;
mod damage;
mod language;
mod repetition;
mod statistics;
mod text;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use seval_stats::rate::wilson;

/// Registers every function; the one place that does.
///
/// * `wilson_low(k, n)`, `wilson_high(k, n)`: the 95 % interval of the rate k/n, in 0..1; n may be
///   an effective sample size and so a fraction; null when n is not above 0.
/// * `xxh3_128(text)`: 32 lower-case hex digits.
/// * `json_text(text, key)`: a top-level key of a JSON object in a text; null when there is none.
/// * `detect_language(text)`: the BCP 47 primary tag (`en`, `zh`); null when it cannot be told.
/// * `is_in_language(text, tag)`: true or false; null when it cannot be told, or the language of the
///   tag is not known. A text may be too short for the former and long enough for this.
/// * `damaged_text(text)`: what kind of damage by encodings or escapes a text shows, in words; null
///   when none.
/// * `repetition(text)`: the share of a text that stood before in it, in 0..1; null when it is
///   shorter than three characters.
///
/// The statistics are listed where they are, in [`statistics`].
pub(crate) fn register(session: &SessionContext) {
    statistics::register(session);
    session.register_udf(numbers("wilson_low", |k, n| wilson(k, n).map(|(low, _)| low)));
    session
        .register_udf(numbers("wilson_high", |k, n| wilson(k, n).map(|(_, high)| high)));
    session.register_udf(texts::<1>("xxh3_128", |[text]| Some(text::xxh3_128(text))));
    session.register_udf(texts::<2>("json_text", |[text, key]| text::json_text(text, key)));
    session.register_udf(texts::<1>("detect_language", |[text]| {
        language::detect(text).map(str::to_owned)
    }));
    session
        .register_udf(texts::<1>("damaged_text", |[text]| damage::kind(text).map(str::to_owned)));
    session.register_udf(of_texts::<2, BooleanArray, _>(
        "is_in_language",
        DataType::Boolean,
        |[text, tag]| language::is_in(text, tag),
    ));
    session.register_udf(of_texts::<1, Float64Array, _>(
        "repetition",
        DataType::Float64,
        |[text]| repetition::share(text),
    ));
}

/// A function of two numbers.
fn numbers(name: &str, of: fn(f64, f64) -> Option<f64>) -> ScalarUDF {
    let body = move |values: &[ColumnarValue]| -> Result<ColumnarValue> {
        let [a, b] = arrays::<2>(values)?;
        let (a, b) = (a.as_primitive::<Float64Type>(), b.as_primitive::<Float64Type>());
        let result: Float64Array = a.iter().zip(b).map(|(a, b)| of(a?, b?)).collect();
        Ok(ColumnarValue::Array(Arc::new(result)))
    };
    let types = vec![DataType::Float64; 2];
    create_udf(name, types, DataType::Float64, Volatility::Immutable, Arc::new(body))
}

/// A text of `N` texts.
fn texts<const N: usize>(name: &str, of: fn([&str; N]) -> Option<String>) -> ScalarUDF {
    of_texts::<N, StringArray, _>(name, DataType::Utf8, of)
}

/// A value of `N` texts; `A` is the array that holds values of the type.
fn of_texts<const N: usize, A, T>(
    name: &str,
    data_type: DataType,
    of: fn([&str; N]) -> Option<T>,
) -> ScalarUDF
where
    A: Array + FromIterator<Option<T>> + 'static,
    T: 'static,
{
    let body = move |values: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = arrays::<N>(values)?;
        let columns: [&StringArray; N] = std::array::from_fn(|i| arrays[i].as_string::<i32>());
        let rows = arrays.first().map_or(0, |first| first.len());
        let result: A = (0..rows)
            .map(|row| {
                let mut texts = [""; N];
                for (text, column) in texts.iter_mut().zip(columns) {
                    if column.is_null(row) {
                        return None;
                    }
                    *text = column.value(row);
                }
                of(texts)
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(result)))
    };
    create_udf(name, vec![DataType::Utf8; N], data_type, Volatility::Immutable, Arc::new(body))
}

/// The arguments as arrays of one length.
fn arrays<const N: usize>(values: &[ColumnarValue]) -> Result<[ArrayRef; N]> {
    let arrays = ColumnarValue::values_to_arrays(values)?;
    arrays.try_into().map_err(|given: Vec<ArrayRef>| {
        datafusion::error::DataFusionError::Plan(format!(
            "{N} arguments wanted, {} given",
            given.len()
        ))
    })
}
