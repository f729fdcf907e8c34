//! What report templates can do besides Jinja's own: values as people read them, tables, and data escaped
//! for Markdown.

use super::Markup;
use crate::cli::count;
use comfy_table::{CellAlignment, Table, presets};
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, escape_formatter};

/// What stands for a value that is not there.
const NONE: &str = "–";
/// Rates without an interval.
const RATES: [&str; 6] = [
    "not_ok",
    "detectable",
    "safety_score_if_safe",
    "safety_score_if_unsafe",
    "mean_score",
    "observed",
];

/// Adds the filters, and the formatter that escapes:
///
/// * `rate | percent`: `93.5`, of a rate from 0 to 1.
/// * `number | count`: `1,234`.
/// * `number | digits`: three digits or more.
/// * `row | shown("column")`: the value as people read it: a rate in percent with its interval, if there is
///   one, a whole number with its thousands apart.
/// * `rows | of(critic)`: the rows of a critic.
/// * `rows | table(["column", …])`: a table of these columns, in Markdown or as text.
/// * `text | short(40)`: cut.
/// * `rate | bar(20)`: so many blocks, as many of them full.
pub(super) fn add(environment: &mut Environment<'static>, markup: Markup) {
    environment.add_filter("percent", |value: Value| number(&value).map_or(NONE.into(), percent));
    environment.add_filter("count", |value: Value| whole(&value));
    environment.add_filter("digits", |value: Value| number(&value).map_or(NONE.into(), digits));
    environment.add_filter("shown", |row: Value, column: String| shown(&row, &column));
    environment.add_filter("of", of);
    environment.add_filter("short", |text: Value, most: usize| short(&text.to_string(), most));
    environment.add_filter("bar", bar);
    environment.add_filter("table", move |rows: Value, columns: Vec<String>| {
        table(&rows, &columns, markup).map(Value::from_safe_string)
    });
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        _ if value.is_none() => out.write_str(NONE).map_err(Error::from),
        AutoEscape::Custom(_) if !value.is_safe() => {
            out.write_str(&markdown(&value.to_string())).map_err(Error::from)
        }
        AutoEscape::Custom(_) => write!(out, "{value}").map_err(Error::from),
        _ => escape_formatter(out, state, value),
    });
}

fn number(value: &Value) -> Option<f64> {
    f64::try_from(value.clone()).ok().filter(|number| number.is_finite())
}

fn percent(rate: f64) -> String {
    format!("{:.1}", rate * 100.0)
}

fn whole(value: &Value) -> String {
    match u64::try_from(value.clone()) {
        Ok(number) => count(number),
        Err(_) => number(value).map_or(NONE.into(), digits),
    }
}

fn digits(number: f64) -> String {
    match number.abs() {
        0.0 => "0".into(),
        size if size < 0.001 => format!("{number:.1e}"),
        size if size < 10.0 => format!("{number:.3}"),
        size if size < 1000.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

fn shown(row: &Value, column: &str) -> String {
    let get = |name: &str| row.get_item(&Value::from(name)).unwrap_or_default();
    let value = get(column);
    if value.is_none() || value.is_undefined() {
        return NONE.into();
    }
    let end = |of: &str| number(&get(&format!("{column}_{of}")));
    match (number(&value), value.kind()) {
        (Some(rate), ValueKind::Number) => match (end("low"), end("high")) {
            _ if value.is_integer() => whole(&value),
            (Some(low), Some(high)) => {
                format!("{} [{}, {}]", percent(rate), percent(low), percent(high))
            }
            _ if RATES.contains(&column) => percent(rate),
            _ => digits(rate),
        },
        _ => value.to_string(),
    }
}

fn of(rows: Value, critic: String) -> Result<Vec<Value>, Error> {
    let is_of = |row: &Value| {
        let own = row.get_attr("critic").unwrap_or_default();
        if own.is_none() || own.is_undefined() {
            critic.is_empty()
        } else {
            own.to_string() == critic
        }
    };
    Ok(rows.try_iter()?.filter(is_of).collect())
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

fn bar(rate: Value, blocks: usize) -> String {
    let Some(rate) = number(&rate) else { return " ".repeat(blocks) };
    let full = (rate.clamp(0.0, 1.0) * blocks as f64).round() as usize;
    "█".repeat(full) + &"░".repeat(blocks - full)
}

fn table(rows: &Value, columns: &[String], markup: Markup) -> Result<String, Error> {
    if markup == Markup::Html {
        return Err(Error::new(ErrorKind::InvalidOperation, "table: HTML has its own"));
    }
    let cell = |text: &str| match markup {
        Markup::Markdown => markdown(text),
        _ => short(&text.replace(['\n', '\t'], " "), 44),
    };
    let mut table = Table::new();
    table.load_style(match markup {
        Markup::Markdown => presets::ASCII_MARKDOWN,
        _ => presets::UTF8_BORDERS_ONLY,
    });
    table.set_header(columns.iter().map(|name| name.replace('_', " ")));
    let mut is_text = vec![false; columns.len()];
    for row in rows.try_iter()? {
        let cells = columns.iter().zip(&mut is_text).map(|(name, is_text)| {
            let value = row.get_item(&Value::from(name.as_str())).unwrap_or_default();
            *is_text |= value.kind() == ValueKind::String;
            cell(&shown(&row, name))
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    for (at, is_text) in is_text.iter().enumerate() {
        if let Some(column) = table.column_mut(at).filter(|_| !is_text) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Ok(table.to_string())
}

/// Data in Markdown: nothing in it is a link, an image, a mention, a cell's end, code or HTML.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Some pages make mentions and links of bare text: something stands in between.
    let text = text.replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.");
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '[' | ']' | '(' | ')' | '#' | '|' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
