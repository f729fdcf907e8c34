//! Cells as text: for CSV every digit, for people a few.

use crate::safe_text::SafeText;
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use arrow::json::{EncoderOptions, writer::make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::sync::Arc;

/// Columns that hold what people wrote or models answered: tables show their length only, because they may
/// be upsetting to read and are long.
const CONTENT: &[&str] = &["prompt", "messages", "response", "reasoning", "explanation", "choices"];

/// The width of a terminal cell.
const WIDTH: usize = 40;

/// Whether a table shows the lengths of this column's values instead of the values.
pub fn is_content(name: &str) -> bool {
    CONTENT.contains(&name)
}

/// A column's cells as CSV has them: nested values as JSON, null as nothing.
pub fn exact(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let failed = |error: arrow::error::ArrowError| Error::world("output", error);
    if !array.data_type().is_nested() {
        let formatter =
            ArrayFormatter::try_new(array, &FormatOptions::default()).map_err(failed)?;
        return Ok((0..array.len())
            .map(|row| array.is_valid(row).then(|| formatter.value(row).to_string()))
            .collect());
    }
    let field = Arc::new(Field::new("item", array.data_type().clone(), true));
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(&field, array.as_ref(), &options).map_err(failed)?;
    let mut cells = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        cells.push(match array.is_valid(row) {
            true => {
                let mut bytes = Vec::new();
                encoder.encode(row, &mut bytes);
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            false => None,
        });
    }
    Ok(cells)
}

/// A column's cells for people: control characters stripped, floats in a few digits, shortened if `short`.
pub fn shown(array: &ArrayRef, hidden: bool, short: bool) -> Result<Vec<String>> {
    let floats: Option<Vec<Option<f64>>> = match array.data_type() {
        DataType::Float64 => Some(array.as_primitive::<Float64Type>().iter().collect()),
        DataType::Float32 => Some(
            array.as_primitive::<Float32Type>().iter().map(|value| value.map(f64::from)).collect(),
        ),
        _ => None,
    };
    if let Some(floats) = floats {
        return Ok(floats
            .into_iter()
            .map(|value| value.map_or_else(String::new, few_digits))
            .collect());
    }
    Ok(exact(array)?
        .into_iter()
        .map(|cell| match cell {
            None => String::new(),
            Some(text) if hidden => format!("({} characters)", text.chars().count()),
            Some(text) if short => SafeText::cell(&text, WIDTH).to_string(),
            Some(text) => SafeText::cell(&text, usize::MAX).to_string(),
        })
        .collect())
}

/// Three digits or more, and one after the point at least.
fn few_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let before = value.abs().log10().floor() as i32 + 1;
    if before < -3 {
        return format!("{value:.2e}");
    }
    let after = (3 - before).clamp(1, 6) as usize;
    format!("{value:.after$}")
}

#[cfg(test)]
mod tests {
    use super::few_digits;

    #[test]
    fn people_see_three_digits() {
        let shown = [100.0, 99.96, 12.34, 1.234, 0.2366, 0.000412, 1.5e-8, 0.0].map(few_digits);
        assert_eq!(shown, ["100.0", "100.0", "12.3", "1.23", "0.237", "0.000412", "1.50e-8", "0"]);
    }
}
