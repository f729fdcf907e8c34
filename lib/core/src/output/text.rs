//! Text outputs: CSV, Markdown, and the table for a terminal.

use super::{Options, cells};
use crate::safe_text::SafeText;
use crate::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use comfy_table::{Cell, CellAlignment, Table, TableStyle, presets};
use std::io::Write;
use std::sync::Arc;

/// Rows that a terminal table shows.
const PREVIEW: usize = 20;

/// CSV. With `guarded`, a text cell that a spreadsheet would run as a formula gets a ' in front.
pub struct CsvWriter<W: Write> {
    csv: arrow::csv::Writer<W>,
    guarded: bool,
}

impl<W: Write> CsvWriter<W> {
    /// A writer that has written the header.
    pub fn new(place: W, schema: &Schema, guarded: bool) -> Result<Self> {
        let mut writer = Self { csv: WriterBuilder::new().build(place), guarded };
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
        self.csv.write(&batch).map_err(super::failed)
    }

    /// The place, with all rows written.
    pub fn finish(self) -> Result<W> {
        let mut place = self.csv.into_inner();
        place.flush().map_err(|error| Error::io("output", &error))?;
        Ok(place)
    }
}

/// Whether a spreadsheet would take the cell for a formula (ASVS 1.2.10).
fn is_formula(cell: &str) -> bool {
    let first = cell.trim_start_matches(' ').chars().next();
    matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\0' | '＝' | '＋' | '－' | '＠'))
}

/// A table for people.
pub struct TableWriter<W: Write> {
    place: W,
    schema: SchemaRef,
    table: Table,
    show_content: bool,
    /// Rows to show; the others are only counted.
    limit: usize,
    rows: usize,
}

impl<W: Write> TableWriter<W> {
    /// A Markdown table of all rows.
    pub fn markdown(place: W, schema: &SchemaRef, show_content: bool) -> Self {
        Self::new(place, schema, show_content, presets::ASCII_MARKDOWN, usize::MAX)
    }

    /// The first rows for a terminal, or all.
    pub fn terminal(place: W, schema: &SchemaRef, options: &Options) -> Self {
        let limit = if options.all_rows { usize::MAX } else { PREVIEW };
        Self::new(place, schema, options.show_content, presets::UTF8_HORIZONTAL_ONLY, limit)
    }

    fn new(
        place: W,
        schema: &SchemaRef,
        show_content: bool,
        style: TableStyle,
        limit: usize,
    ) -> Self {
        let mut table = Table::new();
        table.load_style(style);
        let header =
            schema.fields().iter().map(|field| SafeText::cell(field.name(), 60).to_string());
        table.set_header(header);
        for (index, field) in schema.fields().iter().enumerate() {
            if let (true, Some(column)) = (field.data_type().is_numeric(), table.column_mut(index))
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { place, schema: schema.clone(), table, show_content, limit, rows: 0 }
    }

    /// Adds a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let shown = batch.num_rows().min(self.limit.saturating_sub(self.rows));
        self.rows += batch.num_rows();
        if shown == 0 {
            return Ok(());
        }
        let batch = batch.slice(0, shown);
        let columns = self.schema.fields().iter().zip(batch.columns());
        let columns = columns
            .map(|(field, column)| {
                let hidden = !self.show_content && cells::is_content(field.name());
                cells::shown(column, hidden, self.limit != usize::MAX)
            })
            .collect::<Result<Vec<_>>>()?;
        for row in 0..shown {
            // A bar would end a Markdown cell.
            let cell = |column: &Vec<String>| Cell::new(column[row].replace('|', "\\|"));
            self.table.add_row(columns.iter().map(cell));
        }
        Ok(())
    }

    /// Writes the table.
    pub fn finish(mut self) -> Result<W> {
        let failed = |error: std::io::Error| Error::io("output", &error);
        for line in self.table.lines() {
            writeln!(self.place, "{}", line.trim_end()).map_err(failed)?;
        }
        if self.rows > self.limit {
            let rest = format!("{} of {} rows; all of them: -o FILE", self.limit, self.rows);
            writeln!(self.place, "{rest}").map_err(failed)?;
        }
        self.place.flush().map_err(failed)?;
        Ok(self.place)
    }
}
