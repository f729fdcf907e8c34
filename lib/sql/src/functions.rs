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

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
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
/// * `turns(text, user, assistant)`: list of struct of `role` (`user` or `assistant`) and `content`: the turns of a
///   transcript whose paragraphs begin with these names and a colon.
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
    session.register_udf(numbers("wilson_high", |k, n| wilson(k, n).map(|(_, high)| high)));
    session.register_udf(texts::<1>("xxh3_128", |[text]| Some(text::xxh3_128(text))));
    session.register_udf(texts::<2>("json_text", |[text, key]| text::json_text(text, key)));
    session.register_udf(turns());
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

/// `turns(text, user, assistant)`; null in, null out.
fn turns() -> ScalarUDF {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let fields: Fields = vec![text("role"), text("content")].into();
    let turn = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
    let gives = DataType::List(Arc::clone(&turn));
    let body = move |values: &[ColumnarValue]| -> Result<ColumnarValue> {
        let [text, user, assistant] = arrays::<3>(values)?;
        let [text, user, assistant] = [&text, &user, &assistant].map(|a| a.as_string::<i32>());
        let (mut roles, mut contents) = (Vec::new(), Vec::new());
        let (mut lengths, mut there) = (Vec::new(), Vec::new());
        for ((text, user), assistant) in text.iter().zip(user).zip(assistant) {
            let given = text.zip(user).zip(assistant);
            let found = given.map(|((text, user), assistant)| text::turns(text, user, assistant));
            there.push(found.is_some());
            let found = found.unwrap_or_default();
            lengths.push(found.len());
            for (is_assistant, content) in found {
                roles.push(if is_assistant { "assistant" } else { "user" });
                contents.push(content);
            }
        }
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(roles)), Arc::new(StringArray::from(contents))];
        let turns = StructArray::try_new(fields.clone(), columns, None)?;
        let ends = OffsetBuffer::from_lengths(lengths);
        let list = ListArray::try_new(turn.clone(), ends, Arc::new(turns), Some(there.into()))?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    };
    create_udf("turns", vec![DataType::Utf8; 3], gives, Volatility::Immutable, Arc::new(body))
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
