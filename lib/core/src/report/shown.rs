//! What report templates can do besides Jinja's own: rows picked, and values as people read them.

use super::{Markup, text};
use crate::cli::count;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, escape_formatter};

/// What stands for a value that is not there.
const NONE: &str = "–";
/// Rates without an interval.
const RATES: [&str; 4] = ["not_ok", "detectable", "safety_score_if_safe", "safety_score_if_unsafe"];
/// Probabilities that a test gives.
const P_VALUES: [&str; 3] = ["p", "p_holm", "p_bh"];

/// Adds the filters, and the formatter that escapes:
///
/// * `rows | where(column=value, …)`: the rows with these values; none is a value as well.
/// * `rows | distinct("column")`: the column's values, each once, in the order of the rows.
/// * `rate | percent`: `93.5`, of a rate from 0 to 1.
/// * `number | count`: `1,234`.
/// * `number | digits`: three digits or more.
/// * `number | p_value`: `0.012`, or `< 0.001`.
/// * `row | shown("column")`: the value as people read it: a rate in percent with its interval, if there is
///   one, a whole number with its thousands apart.
/// * `rows | table(["column", …])`: a table of these columns, in Markdown or as text.
/// * `text | short(40)`: cut to so many columns.
/// * `text | line`: without breaks.
/// * `text | wrapped(2)`: in lines as a terminal has them, so far from its edge.
/// * `text | pad(8)`: so wide, on the right.
/// * `rate | bar(20)`: so many blocks, as many of them full.
/// * `rate | block`: one block, as high.
pub(super) fn add(environment: &mut Environment<'static>, markup: Markup) {
    environment.add_filter("where", with);
    environment.add_filter("distinct", distinct);
    environment.add_filter("percent", |value: Value| number(&value).map_or(NONE.into(), percent));
    environment.add_filter("count", |value: Value| whole(&value));
    environment.add_filter("digits", |value: Value| number(&value).map_or(NONE.into(), digits));
    environment.add_filter("p_value", |value: Value| number(&value).map_or(NONE.into(), p_value));
    environment.add_filter("shown", |row: Value, column: String| shown(&row, &column));
    environment.add_filter("short", |text: Value, most: usize| text::short(&said(&text), most));
    environment.add_filter("line", |text: Value| text::line(&said(&text)));
    environment.add_filter("wrapped", |text: Value, indent: usize| {
        Value::from_safe_string(text::wrapped(&said(&text), indent))
    });
    environment.add_filter("pad", |text: Value, width: usize| format!("{:>width$}", said(&text)));
    environment.add_filter("bar", |rate: Value, blocks: usize| bar(number(&rate), blocks));
    environment.add_filter("block", |rate: Value| number(&rate).map_or(' ', block));
    environment.add_filter("table", move |rows: Value, columns: Vec<String>| {
        text::table(&rows, &columns, markup).map(Value::from_safe_string)
    });
    environment.set_formatter(move |out, state, value| match state.auto_escape() {
        _ if value.is_none() => out.write_str(NONE).map_err(Error::from),
        AutoEscape::Html => escape_formatter(out, state, value),
        _ if value.is_safe() || value.kind() != ValueKind::String => {
            write!(out, "{value}").map_err(Error::from)
        }
        _ => {
            let escape = if markup == Markup::Markdown { text::markdown } else { text::line };
            out.write_str(&escape(&value.to_string())).map_err(Error::from)
        }
    });
}

fn get(row: &Value, column: &str) -> Value {
    let value = row.get_attr(column).unwrap_or_default();
    if value.is_undefined() { Value::from(()) } else { value }
}

/// The text of a value.
fn said(value: &Value) -> String {
    if value.is_none() { NONE.into() } else { value.to_string() }
}

fn with(rows: Value, wanted: Kwargs) -> Result<Vec<Value>, Error> {
    let wanted: Vec<(&str, Value)> =
        wanted.args().map(|name| Ok((name, wanted.get(name)?))).collect::<Result<_, Error>>()?;
    let is_it = |row: &Value| wanted.iter().all(|(name, value)| get(row, name) == *value);
    Ok(rows.try_iter()?.filter(is_it).collect())
}

/// Jinja's own `unique` takes names that differ in case for one.
fn distinct(rows: Value, column: String) -> Result<Vec<Value>, Error> {
    let mut seen = std::collections::BTreeSet::new();
    let values = rows.try_iter()?.map(|row| get(&row, &column));
    Ok(values.filter(|value| seen.insert(value.clone())).collect())
}

pub(super) fn number(value: &Value) -> Option<f64> {
    f64::try_from(value.clone()).ok().filter(|number| number.is_finite())
}

/// With a minus as long as a plus, and none before what is shown as zero.
fn signed(shown: &str) -> String {
    match shown.strip_prefix('-') {
        Some(size) if size.bytes().all(|byte| matches!(byte, b'0' | b'.')) => size.into(),
        Some(size) => format!("−{size}"),
        None => shown.into(),
    }
}

fn percent(rate: f64) -> String {
    signed(&format!("{:.1}", rate * 100.0))
}

fn whole(value: &Value) -> String {
    match u64::try_from(value.clone()) {
        Ok(number) => count(number),
        Err(_) => number(value).map_or(NONE.into(), |number| match number.fract() == 0.0 {
            true if (0.0..1e15).contains(&number) => count(number as u64),
            _ => digits(number),
        }),
    }
}

fn digits(number: f64) -> String {
    match number.abs() {
        0.0 => "0".into(),
        size if size < 0.001 => signed(&format!("{number:.1e}")),
        size if size < 10.0 => signed(&format!("{number:.3}")),
        size if size < 1000.0 => signed(&format!("{number:.1}")),
        size => signed(&format!(
            "{}{}",
            if number < 0.0 { "-" } else { "" },
            count(size.round() as u64)
        )),
    }
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

/// A rate and its interval are in percent, but for those of a calibration, some of which are no rates.
pub(super) fn shown(row: &Value, column: &str) -> String {
    let value = get(row, column);
    let Some(rate) = number(&value).filter(|_| value.kind() == ValueKind::Number) else {
        return said(&value);
    };
    let form: fn(f64) -> String = if column == "value" { digits } else { percent };
    let prefix = if column == "value" { String::new() } else { format!("{column}_") };
    let end = |of: &str| number(&get(row, &format!("{prefix}{of}")));
    match (end("low"), end("high")) {
        _ if P_VALUES.contains(&column) => p_value(rate),
        _ if value.is_integer() => whole(&value),
        (Some(low), Some(high)) => format!("{} [{}, {}]", form(rate), form(low), form(high)),
        _ if RATES.contains(&column) => percent(rate),
        _ if column == "cost" => format!("{rate:.2}"),
        _ => whole(&value),
    }
}

fn bar(rate: Option<f64>, blocks: usize) -> String {
    let Some(rate) = rate else { return " ".repeat(blocks) };
    let full = (rate.clamp(0.0, 1.0) * blocks as f64).round() as usize;
    "█".repeat(full) + &"░".repeat(blocks - full)
}

/// The least that is not nothing shows as well.
fn block(rate: f64) -> char {
    const HIGH: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    HIGH[(rate.clamp(0.0, 1.0) * 8.0).ceil() as usize]
}
