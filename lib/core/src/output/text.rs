//! Text outputs: CSV, Markdown, and the table for a terminal.

use super::{Options, cells};
use crate::safe_text::SafeText;
use crate::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use comfy_table::{CellAlignment, Table, TableStyle, presets};
use std::io::Write;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// What people look for in rows, the newest first.
const INTEREST: [&str; 9] = [
    "verdict",
    "risk_score",
    "outcome",
    "response",
    "model",
    "prompt",
    "attack",
    "language",
    "risk_dimension",
];

/// Rows that a terminal table shows.
const PREVIEW: usize = 20;

/// CSV. With `guarded`, a text cell that a spreadsheet would run as a formula gets a ' in front.
pub struct CsvWriter<W: Write> {
    place: W,
    /// Formatted here, since arrow's writer would turn a broken pipe into text.
    text: Vec<u8>,
    header: bool,
    guarded: bool,
}

impl<W: Write> CsvWriter<W> {
    /// A writer that has written the header.
    pub fn new(place: W, schema: &Schema, guarded: bool) -> Result<Self> {
        let mut writer = Self { place, text: Vec::new(), header: true, guarded };
        // The header is there even if no row comes.
        writer.write(&RecordBatch::new_empty(Arc::new(schema.clone())))?;
        Ok(writer)
    }

    /// Adds a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        let mut fields = Vec::with_capacity(batch.num_columns());
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let text = matches!(field.data_type(), DataType::Utf8) && self.guarded;
            let column: ArrayRef = match text || field.data_type().is_nested() {
                true => {
                    let cells = cells::exact(column)?.into_iter();
                    let guard = |cell: String| {
                        if text && is_formula(&cell) { format!("'{cell}") } else { cell }
                    };
                    Arc::new(StringArray::from_iter(cells.map(|cell| cell.map(guard))))
                }
                false => column.clone(),
            };
            fields.push(Field::new(field.name(), column.data_type().clone(), true));
            columns.push(column);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = crate::plain::with_columns(&schema, columns, batch.num_rows())?;
        self.text.clear();
        let header = std::mem::take(&mut self.header);
        let mut csv = WriterBuilder::new().with_header(header).build(&mut self.text);
        csv.write(&batch).map_err(super::failed)?;
        drop(csv);
        self.place.write_all(&self.text).map_err(|error| Error::io("output", &error))
    }

    /// The place, with all rows written.
    pub fn finish(mut self) -> Result<W> {
        self.place.flush().map_err(|error| Error::io("output", &error))?;
        Ok(self.place)
    }
}

/// Whether a spreadsheet would take the cell for a formula (ASVS 1.2.10).
fn is_formula(cell: &str) -> bool {
    let first = cell.trim_start_matches(' ').chars().next();
    matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\0' | '＝' | '＋' | '－' | '＠'))
}

/// A table for people: of all rows, or of the first and of the columns that the terminal has room for.
pub struct TableWriter<W: Write> {
    place: W,
    schema: SchemaRef,
    style: TableStyle,
    show_content: bool,
    /// What to show; the others are only counted. None: everything.
    preview: Option<Preview>,
    /// Cells by column.
    cells: Vec<Vec<String>>,
    rows: usize,
}

/// The bounds of a preview.
#[derive(Clone, Copy)]
struct Preview {
    rows: usize,
    width: usize,
}

impl<W: Write> TableWriter<W> {
    /// A Markdown table of all rows.
    pub fn markdown(place: W, schema: &SchemaRef, options: &Options) -> Self {
        Self::new(place, schema, options, presets::ASCII_MARKDOWN, None)
    }

    /// The first rows for a terminal, or all.
    pub fn terminal(place: W, schema: &SchemaRef, options: &Options) -> Self {
        let preview = Preview { rows: PREVIEW, width: terminal_width() };
        let preview = (!options.all_rows).then_some(preview);
        Self::new(place, schema, options, presets::UTF8_BORDERS_ONLY, preview)
    }

    fn new(
        place: W,
        schema: &SchemaRef,
        options: &Options,
        style: TableStyle,
        preview: Option<Preview>,
    ) -> Self {
        let cells = vec![Vec::new(); schema.fields().len()];
        let show_content = options.show_content;
        Self { place, schema: schema.clone(), style, show_content, preview, cells, rows: 0 }
    }

    /// Adds a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let limit = self.preview.map_or(usize::MAX, |preview| preview.rows);
        let shown = batch.num_rows().min(limit.saturating_sub(self.rows));
        self.rows += batch.num_rows();
        let batch = batch.slice(0, shown);
        let columns = self.schema.fields().iter().zip(batch.columns());
        for ((field, column), cells) in columns.zip(&mut self.cells) {
            let hidden = !self.show_content && cells::is_content(field.name());
            cells.extend(cells::shown(column, hidden, self.preview.is_some())?);
        }
        Ok(())
    }

    /// Writes the table.
    pub fn finish(mut self) -> Result<W> {
        let failed = |error: std::io::Error| Error::io("output", &error);
        let columns = self.columns();
        for line in self.table(&columns).lines() {
            writeln!(self.place, "{}", line.trim_end()).map_err(failed)?;
        }
        let (rows, all) = (self.cells.first().map_or(0, Vec::len), self.cells.len());
        if rows < self.rows || columns.len() < all {
            let shown = format!("{rows} of {} rows, {} of {all} columns", self.rows, columns.len());
            writeln!(self.place, "{shown}; all of them: -o FILE or --format jsonl")
                .map_err(failed)?;
        }
        self.place.flush().map_err(failed)?;
        Ok(self.place)
    }

    /// The columns to show: all; or those with a value as far as the width reaches: the first, those that
    /// people look for, and then the last.
    fn columns(&self) -> Vec<usize> {
        let all = 0..self.cells.len();
        let Some(preview) = self.preview else { return all.collect() };
        let filled =
            |cells: &Vec<String>| cells.is_empty() || cells.iter().any(|cell| !cell.is_empty());
        let some: Vec<usize> = all.filter(|&index| filled(&self.cells[index])).collect();
        let named = |name: &&str| self.schema.index_of(name).ok();
        let known: Vec<usize> =
            INTEREST.iter().filter_map(named).filter(|at| some.contains(at)).collect();
        let others = some.iter().skip(1).rev().filter(|at| !known.contains(at));
        let first = some.iter().take(1).filter(|at| !known.contains(at));
        let by_interest = first.chain(&known).chain(others);
        let mut used = 2;
        let mut columns: Vec<usize> = by_interest
            .copied()
            .take_while(|&index| {
                let texts = self.cells[index].iter().chain([self.schema.field(index).name()]);
                used += texts.map(|text| text.width()).max().unwrap_or(0) + 3;
                used <= preview.width
            })
            .collect();
        columns.sort_unstable();
        columns
    }

    fn table(&self, columns: &[usize]) -> Table {
        let mut table = Table::new();
        table.load_style(self.style);
        // A bar would end a Markdown cell.
        let cell = |text: &str| match self.style == presets::ASCII_MARKDOWN {
            true => text.replace('|', "\\|"),
            false => text.to_owned(),
        };
        let name = |&index: &usize| SafeText::cell(self.schema.field(index).name(), 60).to_string();
        table.set_header(columns.iter().map(|index| cell(&name(index))));
        for row in 0..self.cells.first().map_or(0, Vec::len) {
            table.add_row(columns.iter().map(|&index| cell(&self.cells[index][row])));
        }
        for (at, &index) in columns.iter().enumerate() {
            let numeric = self.schema.field(index).data_type().is_numeric();
            if let (true, Some(column)) = (numeric, table.column_mut(at)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// The columns of the terminal; what COLUMNS says, or 120, where there is none.
fn terminal_width() -> usize {
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    match terminal_size::terminal_size() {
        Some((width, _)) => usize::from(width.0),
        None => said().unwrap_or(120),
    }
}
