//! A plan: what an expansion would make and ask, counted by rendering it, before anything is sent or
//! written.

use super::Expansion;
use crate::Result;
use crate::plain::with_columns;
use crate::rows::Rows;
use crate::template::chain::Chain;
use crate::template::metadata::ReplyForm;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Int64Type, Schema};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What one chain would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The chain, with content hashes.
    pub template: String,
    /// Prompts that it makes; of a model's replies as many as are asked for.
    pub rows: u64,
    /// Bytes of the prompts; none if a model writes them.
    pub bytes: Option<u64>,
    /// Requests to the generation model.
    pub requests: u64,
    /// Tokens of the requests, as [`tokens`] estimates them.
    pub input_tokens: u64,
}

/// The lines of an expansion, complete once its rows have been taken.
pub type Lines = Arc<Mutex<Vec<Line>>>;

/// The rows that the expansion makes without a model, and what it would do. `coming` is how many rows
/// there will be besides in each language, since a model is to write them first; `system` is what the
/// model is told with each request.
pub fn plan(
    rows: Rows,
    expansion: Expansion,
    coming: &BTreeMap<String, u64>,
    system: Option<&str>,
) -> (Rows, Lines) {
    let line = |chain: &Chain| {
        let spoken = coming.iter().filter(|(language, _)| chain.speaks(Some(language)));
        let rows: u64 = spoken.map(|(_, rows)| rows).sum();
        let is_known = rows == 0 && chain.reply().is_none();
        Line { template: chain.id.clone(), rows, bytes: is_known.then_some(0), ..Line::default() }
    };
    let lines: Lines = Arc::new(Mutex::new(expansion.chains.iter().map(line).collect()));
    let system = system.map_or(0, tokens);
    let (shared, schema, step) = (lines.clone(), expansion.schema.clone(), expansion.step_rows());
    let rows = rows.cut(step).map_parallel(schema, move |batch| {
        let made = expansion.rows(&batch, Vec::new())?;
        let mut lines = shared.lock().unwrap_or_else(PoisonError::into_inner);
        count_requests(&expansion, &batch, system, &mut lines)?;
        count_rows(&made, &mut lines);
        Ok(made)
    });
    (rows, lines)
}

fn count_requests(
    expansion: &Expansion,
    batch: &RecordBatch,
    system: u64,
    lines: &mut [Line],
) -> Result<()> {
    for ask in expansion.requests(batch)? {
        let wanted = match ask.form {
            ReplyForm::Prompt => 1,
            ReplyForm::List => wanted(batch, ask.row),
        };
        if let Some(line) = lines.iter_mut().find(|line| line.template == ask.chain.id) {
            line.requests += 1;
            line.rows += wanted as u64;
            let turns = ask.turns.iter().map(|turn| tokens(&turn.content));
            line.input_tokens += system + turns.sum::<u64>();
        }
    }
    Ok(())
}

/// How many prompts a row of [`crate::taxonomy::Taxonomy::request_rows`] asks for.
pub fn wanted(batch: &RecordBatch, row: usize) -> usize {
    let counts =
        batch.column_by_name("count").and_then(|column| column.as_primitive_opt::<Int64Type>());
    counts.filter(|c| c.is_valid(row)).map_or(1, |counts| counts.value(row).max(0) as usize)
}

fn count_rows(made: &RecordBatch, lines: &mut [Line]) {
    let text = |name: &str| made.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let (Some(templates), Some(prompts)) = (text("template"), text("prompt")) else { return };
    for row in (0..made.num_rows()).filter(|&row| templates.is_valid(row)) {
        let of = |line: &&mut Line| line.template == templates.value(row);
        if let Some(line) = lines.iter_mut().find(of) {
            line.rows += 1;
            line.bytes = line.bytes.map(|bytes| bytes + prompts.value_length(row) as u64);
        }
    }
}

/// An estimate: four ASCII characters are a token, and every other character is one.
pub fn tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let others = text.chars().count() - ascii;
    (ascii.div_ceil(4) + others) as u64
}

/// Dollars for a million tokens.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    /// Of what is sent.
    pub input: f64,
    /// Of what comes back.
    pub output: f64,
}

/// The step whose prompts only serve the next one: the file has none of them.
pub const LEFT_OUT: &str = "base prompts, left out";

/// The plan as a table: `step`, `template`, `rows`, `bytes`, `requests`, `input_tokens`, `output_tokens` and
/// `cost` in dollars, at the most; the last two are known only with a token limit and a price. `kept` are
/// rows that go through as they are.
pub fn table(
    steps: &[(&str, Lines)],
    kept: Option<u64>,
    max_tokens: Option<i64>,
    price: Option<Price>,
) -> Result<Rows> {
    let mut lines: Vec<(&str, Line)> = Vec::new();
    if let Some(rows) = kept {
        let line = Line { template: "rows as they come".into(), rows, ..Line::default() };
        lines.push(("input", line));
    }
    for (step, of_step) in steps {
        let of_step = of_step.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(of_step.iter().map(|line| (*step, line.clone())));
    }
    let sum = |value: &dyn Fn(&Line) -> u64| lines.iter().map(|(_, line)| value(line)).sum();
    let written = || lines.iter().filter(|(step, _)| *step != LEFT_OUT);
    let bytes = written().filter(|(step, _)| *step != "input").map(|(_, line)| line.bytes);
    let total = Line {
        template: "all".into(),
        rows: written().map(|(_, line)| line.rows).sum(),
        bytes: bytes.sum(),
        requests: sum(&|line| line.requests),
        input_tokens: sum(&|line| line.input_tokens),
    };
    lines.push(("all", total));
    let output = |line: &Line| max_tokens.map(|most| line.requests as i64 * most);
    let cost = |line: &Line| match (price, output(line)) {
        _ if line.requests == 0 => Some(0.0),
        (Some(price), Some(output)) => Some(
            (line.input_tokens as f64 * price.input + output as f64 * price.output) / 1_000_000.0,
        ),
        _ => None,
    };
    let whole = |value: &dyn Fn(&Line) -> Option<i64>| -> ArrayRef {
        Arc::new(lines.iter().map(|(_, line)| value(line)).collect::<Int64Array>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("step", Arc::new(StringArray::from_iter_values(lines.iter().map(|(step, _)| step)))),
        (
            "template",
            Arc::new(StringArray::from_iter_values(lines.iter().map(|(_, line)| &line.template))),
        ),
        ("rows", whole(&|line| Some(line.rows as i64))),
        ("bytes", whole(&|line| line.bytes.map(|bytes| bytes as i64))),
        ("requests", whole(&|line| Some(line.requests as i64))),
        ("input_tokens", whole(&|line| Some(line.input_tokens as i64))),
        ("output_tokens", whole(&output)),
        ("cost", Arc::new(lines.iter().map(|(_, line)| cost(line)).collect::<Float64Array>())),
    ];
    let fields =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let rows = lines.len();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = with_columns(&schema, columns, rows)?;
    Ok(Rows { schema, batches: Box::new(std::iter::once(Ok(batch))), history: Vec::new() })
}
