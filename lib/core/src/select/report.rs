//! What a selection did, for people and for other reports: one long table with the columns `part`, `stage`,
//! `of`, `measure` and `value`, or the same as a Markdown page.

use crate::output::{self, Format, Options, Writer};
use crate::plain::with_columns;
use crate::rows::Rows;
use crate::safe_text::SafeText;
use crate::select::ledger::Summary;
use crate::{Error, Result, cli};
use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// The columns whose values are counted, where no others are named.
const COUNTED: [&str; 4] = ["language", "risk_dimension", "risk_category", "attack"];

/// Column and value → rows before and after.
type Counted = BTreeMap<(String, String), [u64; 2]>;

/// How many rows there are of each value of some columns, before the stages and after.
#[derive(Clone)]
pub struct Counts {
    columns: Vec<String>,
    counts: Arc<Mutex<Counted>>,
}

impl Counts {
    /// Counts by these columns or, without any, by the usual ones that there are; nothing if not `wanted`.
    pub fn new(wanted: bool, by: &[String], schema: &Schema) -> Self {
        let usual = || COUNTED.map(str::to_owned).to_vec();
        let columns = if by.is_empty() { usual() } else { by.to_vec() };
        let is_there = |name: &String| {
            schema.field_with_name(name).is_ok_and(|field| !field.data_type().is_nested())
        };
        let columns = columns.into_iter().filter(|name| wanted && is_there(name)).collect();
        Self { columns, counts: Arc::default() }
    }

    /// The rows, counted as they come in.
    pub fn before(&self, rows: Rows) -> Rows {
        self.counted(rows, 0)
    }

    /// The rows, counted as they go out.
    pub fn after(&self, rows: Rows) -> Rows {
        self.counted(rows, 1)
    }

    fn counted(&self, rows: Rows, when: usize) -> Rows {
        if self.columns.is_empty() {
            return rows;
        }
        let counts = self.clone();
        let batches = rows.batches.map(move |batch| {
            let batch = batch?;
            counts.count(&batch, when)?;
            Ok(batch)
        });
        Rows { batches: Box::new(batches), ..rows }
    }

    fn count(&self, batch: &RecordBatch, when: usize) -> Result<()> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.columns {
            let Some(column) = batch.column_by_name(name) else { continue };
            let column = cast(column, &DataType::Utf8).map_err(crate::select::failed)?;
            for value in column.as_string::<i32>() {
                let key = (name.clone(), value.unwrap_or("(none)").to_owned());
                counts.entry(key).or_default()[when] += 1;
            }
        }
        Ok(())
    }
}

/// A row of the table.
struct Line {
    part: String,
    stage: String,
    of: String,
    measure: String,
    value: Option<f64>,
}

/// Checks, before any work is done, that a report can be written there.
pub fn check(path: &str) -> Result<()> {
    if Format::of_name(path).is_none() {
        return Err(Error::usage("--report", format!("{path}: the extension says no format"))
            .hint("use .md, .parquet, .csv or .jsonl, or - for standard error"));
    }
    let folder = std::path::Path::new(path).parent();
    match folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => Err(Error::world(path, format!("{} is no folder", folder.display()))),
        None => Ok(()),
    }
}

/// Writes the report: a table by the extension, a page for `.md`, and the page on standard error for `-`.
pub fn write(path: &str, summaries: &[Summary], counts: &Counts) -> Result<()> {
    let lines = lines(summaries, counts);
    if path == "-" {
        page(&lines).lines().for_each(cli::print_line);
        return Ok(());
    }
    let options = Options { path: Some(path.to_owned()), ..Options::default() };
    if Format::of_name(path) == Some(Format::Md) {
        return output::write_text(&options, |place| {
            place.write_all(page(&lines).as_bytes()).map_err(|error| Error::io(path, &error))
        });
    }
    let text = |of: fn(&Line) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(lines.iter().map(of)))
    };
    let names = ["part", "stage", "of", "measure"];
    let fields = names.map(|name| Field::new(name, DataType::Utf8, true));
    let value = Field::new("value", DataType::Float64, true);
    let schema: SchemaRef = Arc::new(Schema::new([fields.to_vec(), vec![value]].concat()));
    let columns: Vec<ArrayRef> = vec![
        text(|line| &line.part),
        text(|line| &line.stage),
        text(|line| &line.of),
        text(|line| &line.measure),
        Arc::new(Float64Array::from_iter(lines.iter().map(|line| line.value))),
    ];
    let mut writer = Writer::create(&options, &schema, &[])?;
    writer.write(&with_columns(&schema, columns, lines.len())?)?;
    writer.finish().map(|_| ())
}

fn lines(summaries: &[Summary], counts: &Counts) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |part: &str, stage: &str, of: &str, measure: &str, value: Option<f64>| {
        let [part, stage, of, measure] = [part, stage, of, measure].map(str::to_owned);
        lines.push(Line { part, stage, of, measure, value });
    };
    for summary in summaries {
        let stage = summary.stage;
        add("stage", stage, "rows", "read", Some(summary.read as f64));
        add("stage", stage, "rows", "kept", Some(summary.kept as f64));
        for (reason, rows) in summary.dropped.iter() {
            add("dropped", stage, reason, "rows", Some(*rows as f64));
        }
        for (warning, rows) in summary.warnings.iter() {
            add("warning", stage, warning, "rows", Some(*rows as f64));
        }
        for (hundredth, rows) in summary.similarities.iter().enumerate() {
            if *rows > 0 {
                let from = format!("{:.2}", hundredth as f64 / 100.0);
                add("similarity", stage, &from, "rows", Some(*rows as f64));
            }
        }
        for measure in &summary.measures {
            add(&measure.part, stage, &measure.of, &measure.measure, measure.value);
        }
    }
    let counts = counts.counts.lock().unwrap_or_else(PoisonError::into_inner);
    for ((column, value), [before, after]) in counts.iter() {
        let of = format!("{column}={value}");
        add("rows by value", "", &of, "before", Some(*before as f64));
        add("rows by value", "", &of, "after", Some(*after as f64));
    }
    lines
}

/// The parts of the page, with what each says of itself.
const PARTS: [(&str, &str); 4] = [
    ("stage", "Rows that each stage read and kept."),
    ("dropped", "Rows that were dropped, by reason."),
    (
        "similarity",
        "Dropped rows by how alike they are to the row that is kept instead, in hundredths.",
    ),
    ("rows by value", "Rows before the stages and after."),
];

/// The report as Markdown.
fn page(lines: &[Line]) -> String {
    let mut page = String::from("# Selection\n");
    let mut parts: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
    for line in lines {
        if !parts.contains(&line.part.as_str()) {
            parts.push(&line.part);
        }
    }
    for part in parts {
        let of_part: Vec<&Line> = lines.iter().filter(|line| line.part == part).collect();
        if of_part.is_empty() {
            continue;
        }
        // Writing into a text cannot fail.
        let _ = write!(page, "\n## {}{}\n", part[..1].to_uppercase(), &part[1..]);
        if let Some((_, about)) = PARTS.iter().find(|(known, _)| *known == part) {
            let _ = write!(page, "\n{about}\n");
        }
        table(&of_part, &mut page);
    }
    page
}

/// One table of a part: a row for each stage and thing, a column for each measure.
fn table(lines: &[&Line], page: &mut String) {
    let mut measures: Vec<&str> = Vec::new();
    // By stage and thing.
    let mut keys: Vec<(&str, &str)> = Vec::new();
    let mut rows: Vec<Vec<Option<f64>>> = Vec::new();
    for line in lines {
        let column = measures.iter().position(|measure| *measure == line.measure);
        let column = column.unwrap_or_else(|| {
            measures.push(&line.measure);
            measures.len() - 1
        });
        let key = (line.stage.as_str(), line.of.as_str());
        // The figures of one thing follow each other.
        if keys.last() != Some(&key) {
            keys.push(key);
            rows.push(Vec::new());
        }
        let Some(values) = rows.last_mut() else { continue };
        values.resize(values.len().max(column + 1), None);
        values[column] = line.value;
    }
    let bars = lines.first().is_some_and(|line| line.part == "similarity");
    let most = rows.iter().filter_map(|values| values[0]).fold(0.0, f64::max);
    let head = if bars { " |" } else { "" };
    let _ = write!(page, "\n| stage | of | {} |{head}\n", measures.join(" | "));
    let _ = writeln!(
        page,
        "|---|---|{}{}",
        "---:|".repeat(measures.len()),
        if bars { "---|" } else { "" }
    );
    for ((stage, of), values) in keys.into_iter().zip(rows) {
        let value = |at: usize| values.get(at).copied().flatten().map_or_else(String::new, shown);
        let cells: Vec<String> = (0..measures.len()).map(value).collect();
        let of = SafeText::cell(of, usize::MAX).to_string().replace('|', "\\|");
        let _ = write!(page, "| {stage} | {of} | {} |", cells.join(" | "));
        if bars {
            let share = values[0].unwrap_or(0.0) / f64::max(most, 1.0);
            let _ = write!(page, " {} |", "█".repeat((share * 30.0).ceil() as usize));
        }
        page.push('\n');
    }
}

/// Whole numbers as they are, others with four digits.
fn shown(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 1e15 {
        true if value >= 0.0 => cli::count(value as u64),
        true => format!("{value}"),
        false => format!("{value:.4}"),
    }
}
