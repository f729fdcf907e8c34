//! Rendering: a row of columns into a prompt.
//!
//! A name that the row does not have is an error, and so is printing a null: a hole in a prompt would
//! silently weaken an attack. Steps and output are bounded. Rows are data and never parsed as templates.

use super::filters::NULL;
use super::metadata::{self, PromptMetadata};
use super::{File, constants, filters};
use crate::encode;
use crate::random::Draws;
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use minijinja::value::{Object, Value, ValueKind};
use minijinja::{Environment, ErrorKind, State, UndefinedBehavior, escape_formatter};
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::Mutex;

/// Steps that one rendering may take.
const FUEL: u64 = 50_000;
/// Bytes that one rendering may write.
const MAX_OUTPUT: usize = 1 << 20;

/// A compiled template. What its leading comment holds depends on what it is for.
pub struct Template<M = PromptMetadata> {
    /// Where it comes from and what it is called.
    pub file: File,
    /// Its leading comment.
    pub metadata: M,
    /// `file.id()`, made once.
    pub id: String,
    plan: Plan,
    lines_before: usize,
}

/// How a template is rendered.
enum Plan {
    /// Nothing but text and columns: put together without the engine, ten times as fast.
    Pieces(Vec<Piece>),
    Engine(Box<Environment<'static>>),
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Column(String),
}

/// A row for rendering.
pub struct Row<'a> {
    /// The batch it stands in.
    pub batch: &'a Arc<RecordBatch>,
    /// Its place there.
    pub row: usize,
    /// The user's seed.
    pub seed: u64,
    /// What identifies the row: its prompt_id.
    pub id: &'a str,
    /// What a template before this one made, which stands in for the row's own `prompt`.
    pub prompt: Option<&'a str>,
}

impl Template {
    /// Parses and compiles a file that makes prompts.
    pub fn compile(file: File) -> Result<Self> {
        Self::of(file)
    }

    /// Whether it has wording for a language.
    pub fn speaks(&self, language: Option<&str>) -> bool {
        metadata::speaks(&self.metadata.languages, language)
    }
}

impl<M: DeserializeOwned> Template<M> {
    /// Parses and compiles a file of any kind.
    pub fn of(file: File) -> Result<Self> {
        let parts = metadata::jinja::<M>(&file)?;
        let plan = match split(&parts.body) {
            Some(pieces) => Plan::Pieces(pieces),
            None => Plan::Engine(Box::new(engine(&file, &parts.body, parts.lines_before)?)),
        };
        let id = file.id();
        Ok(Self { file, metadata: parts.metadata, id, plan, lines_before: parts.lines_before })
    }
}

impl<M> Template<M> {
    /// Appends the rendered text to `out`.
    pub fn render(&self, row: &Row<'_>, out: &mut String) -> Result<()> {
        match &self.plan {
            Plan::Pieces(pieces) => {
                for (at, piece) in pieces.iter().enumerate() {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Column(name) => self.column(row, name, &pieces[..at], out)?,
                    }
                }
                match out.len() > MAX_OUTPUT {
                    true => Err(self.too_large(row)),
                    false => Ok(()),
                }
            }
            Plan::Engine(engine) => self.run(engine, row, out),
        }
    }

    /// Appends a column; `before` is what stands before it in the body.
    fn column(&self, row: &Row<'_>, name: &str, before: &[Piece], out: &mut String) -> Result<()> {
        if let (Some(prompt), "prompt") = (row.prompt, name) {
            out.push_str(prompt);
            return Ok(());
        }
        let column = row.batch.column_by_name(name).ok_or_else(|| {
            let lines = |piece: &Piece| match piece {
                Piece::Text(text) => text.matches('\n').count(),
                Piece::Column(_) => 0,
            };
            let line = self.lines_before + 1 + before.iter().map(lines).sum::<usize>();
            Error::usage(format!("{}:{line}", self.file.place), format!("undefined value `{name}`"))
                .hint(names(row.batch))
        })?;
        if column.is_null(row.row) {
            return Err(self.null(name));
        }
        match column.data_type() {
            DataType::Utf8 => out.push_str(column.as_string::<i32>().value(row.row)),
            _ => out.push_str(&value(column, row.row).to_string()),
        }
        Ok(())
    }

    fn too_large(&self, row: &Row<'_>) -> Error {
        let prompts = row.batch.column_by_name("prompt").and_then(|c| c.as_string_opt::<i32>());
        let bytes = prompts.filter(|p| p.is_valid(row.row)).map_or(0, |p| p.value(row.row).len());
        if bytes > MAX_OUTPUT / 4 {
            let what = format!("a prompt of {bytes} bytes is too long for {}", self.file.name);
            return Error::data("", format!("{what}, which may write {MAX_OUTPUT}")).hint(
                "leave it out: seval-agg --sql 'SELECT * FROM input WHERE octet_length(prompt) < 100000'",
            );
        }
        Error::usage(&self.file.place, format!("the template writes more than {MAX_OUTPUT} bytes"))
            .hint("a prompt has to be shorter: see what its loops and columns add up to")
    }

    fn null(&self, name: &str) -> Error {
        Error::data("", format!("{} needs `{name}`, which is null here", self.file.name))
            .hint("fill the column, or leave the template out")
    }

    fn run(&self, engine: &Environment<'static>, row: &Row<'_>, out: &mut String) -> Result<()> {
        let explain = |error| self.explain(&error, engine, row);
        let context = Context {
            batch: row.batch.clone(),
            row: row.row,
            prompt: row.prompt.map(Value::from),
            random: Value::from_object(Random(Mutex::new(Draws::new(
                row.seed,
                &self.file.name,
                row.id,
            )))),
        };
        let mut limited = Limited { text: Vec::new() };
        let template = engine.get_template(&self.file.name).map_err(explain)?;
        template.render_captured_to(Value::from_object(context), &mut limited).map_err(explain)?;
        let text = String::from_utf8(limited.text)
            .map_err(|_| Error::usage(&self.file.place, "the output is not UTF-8"))?;
        out.push_str(&text);
        Ok(())
    }

    /// The names that the template uses and the rows have not.
    fn unknown(
        &self,
        engine: &Environment<'_>,
        batch: &RecordBatch,
    ) -> impl Iterator<Item = String> {
        let used = engine.get_template(&self.file.name).map(|t| t.undeclared_variables(false));
        let known = |name: &String| {
            batch.column_by_name(name).is_some()
                || name == "random"
                || engine.globals().any(|(global, _)| global == name)
        };
        let mut unknown: Vec<String> = used.into_iter().flatten().filter(|n| !known(n)).collect();
        unknown.sort();
        unknown.into_iter()
    }

    fn explain(&self, error: &minijinja::Error, engine: &Environment<'_>, row: &Row<'_>) -> Error {
        let batch = row.batch;
        let place = match error.line() {
            Some(line) => format!("{}:{}", self.file.place, line + self.lines_before),
            None => self.file.place.clone(),
        };
        let source = error.template_source().unwrap_or_default();
        let code = error.range().and_then(|range| source.get(range)).unwrap_or_default();
        match error.kind() {
            ErrorKind::UndefinedError => {
                let mut unknown = self.unknown(engine, batch);
                let what = unknown.next().unwrap_or_else(|| code.to_owned());
                Error::usage(place, format!("undefined value `{what}`")).hint(names(batch))
            }
            ErrorKind::OutOfFuel => {
                Error::usage(place, format!("the template takes more than {FUEL} steps"))
                    .hint("let its loops go round less often")
            }
            ErrorKind::WriteFailure => self.too_large(row),
            ErrorKind::InvalidOperation if error.detail() == Some(NULL) => {
                self.null(code.split('|').next().unwrap_or_default().trim())
            }
            _ => said_by_the_engine(place, error),
        }
    }
}

/// An error of the engine that there is nothing to add to; it names the place by itself, in lines of the
/// body.
fn said_by_the_engine(place: String, error: &minijinja::Error) -> Error {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let what = format!("{}{detail}", error.kind()).replace('\n', " ");
    Error::usage(place, what).hint(match error.kind() {
        ErrorKind::UnknownFilter => format!("there are Jinja's and: {}", filters::names()),
        _ => "correct the template; --show prints one that works".into(),
    })
}

fn names(batch: &RecordBatch) -> String {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    format!("the rows have: {}", names.join(", "))
}

fn engine(file: &File, body: &str, lines_before: usize) -> Result<Environment<'static>> {
    let mut engine = Environment::new();
    engine.set_debug(true);
    engine.set_fuel(Some(FUEL));
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_formatter(|out, state, value| match value.is_none() {
        true => Err(minijinja::Error::new(ErrorKind::InvalidOperation, NULL)),
        false => escape_formatter(out, state, value),
    });
    filters::add(&mut engine);
    let body = constants::hoist(&mut engine, body);
    engine.add_template_owned(file.name.clone(), body).map_err(|error| {
        let line = error.line().unwrap_or(1) + lines_before;
        said_by_the_engine(format!("{}:{line}", file.place), &error)
    })?;
    Ok(engine)
}

/// The body as text and bare `{{ name }}`; none if there is more to it.
fn split(body: &str) -> Option<Vec<Piece>> {
    // Jinja drops one newline at the end of a file.
    let line = body.strip_suffix('\n').unwrap_or(body);
    let mut rest = line.strip_suffix('\r').unwrap_or(line);
    if rest.contains("{%") || rest.contains("{#") {
        return None;
    }
    let mut pieces = Vec::new();
    while let Some((text, tail)) = rest.split_once("{{") {
        let (name, tail) = tail.split_once("}}")?;
        let name = name.trim_matches(' ');
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let literal = ["true", "false", "none", "True", "False", "None", "loop", "self", "random"];
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !named || !name.chars().all(plain) || literal.contains(&name) {
            return None;
        }
        pieces.push(Piece::Text(text.to_owned()));
        pieces.push(Piece::Column(name.to_owned()));
        rest = tail;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Some(pieces)
}

/// The names a template sees: the row's columns, and `random`.
struct Context {
    batch: Arc<RecordBatch>,
    row: usize,
    prompt: Option<Value>,
    random: Value,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)
    }
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if let (Some(prompt), "prompt") = (&self.prompt, name) {
            return Some(prompt.clone());
        }
        match self.batch.column_by_name(name) {
            Some(column) => Some(value(column, self.row)),
            None if name == "random" => Some(self.random.clone()),
            None => None,
        }
    }
}

/// `random.choice(list)`, `random.number(low, high)` and `random.perturb(text)`.
#[derive(Debug)]
struct Random(Mutex<Draws>);

impl Object for Random {
    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, minijinja::Error> {
        let wrong = |what: &'static str| minijinja::Error::new(ErrorKind::InvalidOperation, what);
        let mut draws = self.0.lock().map_err(|_| wrong("a draw failed before"))?;
        match (method, args) {
            ("choice", [list]) => {
                let empty = || wrong("random.choice of an empty list");
                if let (ValueKind::Seq, Some(items)) = (list.kind(), list.len()) {
                    let at = draws.below(items as u64) as usize;
                    return (at < items).then(|| list.get_item_by_index(at)).ok_or_else(empty)?;
                }
                let items: Vec<Value> = list.try_iter()?.collect();
                let at = draws.below(items.len() as u64) as usize;
                items.into_iter().nth(at).ok_or_else(empty)
            }
            ("number", [low, high]) => match (low.as_i64(), high.as_i64()) {
                (Some(low), Some(high)) if low <= high => {
                    Ok(Value::from(low + draws.below(high.abs_diff(low) + 1) as i64))
                }
                _ => Err(wrong("random.number wants two whole numbers, the lower first")),
            },
            ("perturb", [text]) => match text.as_str() {
                Some(text) => Ok(Value::from(encode::perturb(text, &mut draws))),
                None => Err(wrong("random.perturb wants a text")),
            },
            _ => Err(wrong("random has choice(list), number(low, high) and perturb(text)")),
        }
    }
}

/// A cell as a template sees it.
fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::from(());
    }
    match column.data_type() {
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| value(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let members = fields.iter().zip(column.as_struct().columns());
            members.map(|(field, column)| (field.name().clone(), value(column, row))).collect()
        }
        _ => Value::from(
            arrow::util::display::array_value_to_string(column, row).unwrap_or_default(),
        ),
    }
}

/// Output that stops at its bound: fuel counts steps, and one step can write megabytes.
struct Limited {
    text: Vec<u8>,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("too much output"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
