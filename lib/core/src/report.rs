//! Reports for people: tables into a text, by a template that anyone may copy and change.
//!
//! A template names the tables that it shows, and its markup says how data are escaped: what a model or a
//! file says is text on the page, never markup, script or terminal control. Charts are drawn by the
//! template; a report needs no other file, no network and no script.

mod shown;
#[cfg(test)]
mod tests;
mod text;

use crate::safe_text::SafeText;
use crate::template::File;
use crate::template::metadata::{self, Parts};
use crate::{Error, Result, output};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Steps that a report may take: some thousand for each row that it shows.
const FUEL: u64 = 200_000_000;
/// The longest text of a row that is shown.
const LONGEST: usize = 20_000;

/// What is said of a report's template.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportMetadata {
    /// What it is, in a sentence.
    pub about: String,
    /// Whose idea it is.
    pub source: String,
    /// The tables that it shows: metrics, and those that commands make.
    pub tables: Vec<String>,
    /// How data are escaped.
    pub markup: Markup,
    /// A table and what the report says of it.
    pub example: ReportExample,
}

/// What a report is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Markup {
    /// HTML, or XML.
    Html,
    /// Markdown.
    Markdown,
    /// Text.
    Text,
}

/// Tables as JSON lines, and texts that the report must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportExample {
    /// Name → rows.
    pub tables: BTreeMap<String, String>,
    /// Texts.
    pub holds: Vec<String>,
}

/// What a report is made of.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The title.
    pub title: String,
    /// The folder beside the report that holds its tables as Parquet; empty if there is none.
    pub data: String,
    /// The files that were read, and their hashes.
    pub inputs: BTreeMap<String, String>,
    /// What the reader must know.
    pub notes: Vec<String>,
    /// The tables.
    pub tables: BTreeMap<String, Vec<RecordBatch>>,
}

/// A compiled report.
pub struct ReportTemplate {
    /// Its head.
    pub metadata: ReportMetadata,
    place: String,
    environment: Environment<'static>,
}

impl ReportTemplate {
    /// Parses and compiles a file.
    pub fn open(file: &File) -> Result<Self> {
        let Parts { metadata, body, lines_before } = metadata::jinja::<ReportMetadata>(file)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(true);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| failed(&file.place, &error))?);
        let markup = metadata.markup;
        environment.set_auto_escape_callback(move |_| match markup {
            Markup::Html => AutoEscape::Html,
            // With a name of its own: what a macro has written is not escaped again.
            Markup::Markdown => AutoEscape::Custom("markdown".into()),
            Markup::Text => AutoEscape::Custom("text".into()),
        });
        shown::add(&mut environment, markup);
        // So that an error is reported at the file's own line.
        let body = "\n".repeat(lines_before) + &body;
        environment
            .add_template_owned("report", body)
            .map_err(|error| failed(&file.place, &error))?;
        Ok(Self { metadata, place: file.place.clone(), environment })
    }

    /// The report's text.
    pub fn render(&self, report: &Report) -> Result<String> {
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        for name in &self.metadata.tables {
            let rows = report.tables.get(name).map_or_else(Default::default, |table| rows(table));
            values.insert(name.clone(), Value::from(rows));
        }
        let text = |text: &str| Value::from(clean(text));
        values.insert("title".into(), text(&report.title));
        values.insert("data".into(), text(&report.data));
        values.insert("version".into(), Value::from(env!("CARGO_PKG_VERSION")));
        values.insert("notes".into(), report.notes.iter().map(|note| text(note)).collect());
        let inputs = report.inputs.iter();
        let inputs = inputs.map(|(name, hash)| Value::from(vec![text(name), text(hash)]));
        values.insert("inputs".into(), inputs.collect());
        values.insert("critics".into(), critics(report).into_iter().map(Value::from).collect());
        let template = self.environment.get_template("report");
        let rendered = template.and_then(|template| template.render(Value::from(values)));
        let rendered = rendered.map_err(|error| failed(&self.place, &error))?;
        Ok(rendered.trim_start_matches('\n').to_owned() + "\n")
    }

    /// What its example should hold and does not.
    pub fn check_example(&self) -> Result<Vec<String>> {
        let mut report = Report { title: "Example".into(), ..Report::default() };
        for (name, lines) in &self.metadata.example.tables {
            let rows = crate::input::of_text(lines.trim_start())?;
            let batches = rows.batches.collect::<Result<Vec<_>>>()?;
            report.tables.insert(name.clone(), batches);
        }
        let text = self.render(&report)?;
        let missing = self.metadata.example.holds.iter().filter(|held| !text.contains(*held));
        Ok(missing.cloned().collect())
    }
}

fn failed(place: &str, error: &minijinja::Error) -> Error {
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    let mut what = error.to_string();
    if let Some(at) = what.find(" (in ") {
        what.truncate(at);
    }
    Error::usage(format!("{place}{line}"), what)
}

/// The critics in the tables, in order of their names; none is one as well.
fn critics(report: &Report) -> Vec<Option<String>> {
    let mut names = BTreeSet::new();
    for batch in report.tables.values().flatten() {
        let Some(column) = batch.column_by_name("critic") else { continue };
        match column.as_string_opt::<i32>() {
            Some(column) => names.extend(column.iter().map(|name| name.map(clean))),
            None if batch.num_rows() > 0 => {
                names.insert(None);
            }
            None => {}
        }
    }
    names.into_iter().collect()
}

/// A text of the data without what could control a terminal or turn the line.
fn clean(text: &str) -> String {
    let mut safe = SafeText::message(text).to_string();
    if let Some((at, _)) = safe.char_indices().nth(LONGEST) {
        safe.truncate(at);
        safe.push('…');
    }
    safe
}

fn rows(table: &[RecordBatch]) -> Vec<Value> {
    let mut rows = Vec::new();
    for batch in table {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let columns = schema.fields().iter().zip(batch.columns());
            let values = columns.map(|(field, column)| (field.name().clone(), value(column, row)));
            rows.push(Value::from(values.collect::<BTreeMap<String, Value>>()));
        }
    }
    rows
}

fn value(column: &ArrayRef, row: usize) -> Value {
    // A column of nulls alone has no list of them.
    if column.is_null(row) || column.data_type() == &DataType::Null {
        return Value::from(());
    }
    match column.data_type() {
        DataType::Utf8 => Value::from(clean(column.as_string::<i32>().value(row))),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => match column.as_primitive::<Float64Type>().value(row) {
            number if number.is_finite() => Value::from(number),
            _ => Value::from(()),
        },
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        _ => {
            let cells = output::exact(&column.slice(row, 1)).unwrap_or_default();
            Value::from(clean(cells.into_iter().flatten().next().unwrap_or_default().as_str()))
        }
    }
}
