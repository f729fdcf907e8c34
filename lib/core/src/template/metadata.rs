//! The leading comment of a template.

use super::File;
use crate::contract::parse_type;
use crate::input::INPUT;
use crate::{Error, Result};
use arrow::datatypes::DataType;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// A file in its two parts.
pub struct Parts<M> {
    /// The comment, parsed.
    pub metadata: M,
    /// What follows it.
    pub body: String,
    /// Lines before the body, so that an error in it is reported at the file's own line.
    pub lines_before: usize,
}

/// What is said of a Jinja template that makes prompts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptMetadata {
    /// What it does, in a sentence.
    pub about: String,
    /// The paper it is from, or `seval`.
    pub source: String,
    /// Columns it cannot do without, beside `prompt`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The languages it has wording for; empty: any.
    #[serde(default)]
    pub languages: Vec<String>,
    /// What the text that it writes is.
    #[serde(default)]
    pub makes: Makes,
    /// The text is not the prompt but a request to a generation model (S-Eval's Mt), whose reply is the
    /// prompt, or a list of prompts.
    pub reply: Option<ReplyForm>,
    /// A row and what it becomes.
    pub example: PromptExample,
}

/// What a template writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Makes {
    /// One user turn: the text as it is.
    #[default]
    Prompt,
    /// A conversation: a JSON list of `{"role": …, "content": …}`, whose last turn is the user's.
    Messages,
}

/// What a generation model is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyForm {
    /// One prompt: the whole reply.
    Prompt,
    /// Prompts: a JSON list, a numbered list, or one on each line.
    List,
}

/// A row and what a template makes of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptExample {
    /// The row's columns: text, numbers, lists of text.
    pub row: toml::Table,
    /// The prompt.
    pub output: String,
}

/// What is said of a query over rows: an importer or a metric.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryMetadata {
    /// What it does, in a sentence.
    pub about: String,
    /// The paper it is from, or `seval`.
    pub source: String,
    /// Tables that must be given by name, beside or instead of the files without one.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Columns the input must have; `TABLE.COLUMN` is one of another table.
    #[serde(default)]
    needs: Vec<String>,
    /// Columns the input may lack, with their types: they are null then. Named as in `needs`.
    #[serde(default)]
    optional: BTreeMap<String, String>,
    /// Input files and what comes out.
    pub example: QueryExample,
}

/// Input rows and the rows a query makes of them, as JSON lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryExample {
    /// Files: name → JSON lines.
    pub input: BTreeMap<String, String>,
    /// The rows in order; only the keys given are compared.
    pub output: String,
}

impl QueryMetadata {
    /// The columns that a table must have.
    pub fn needs(&self, table: &str) -> Vec<String> {
        self.needs.iter().filter_map(|name| of_table(name, table)).map(str::to_owned).collect()
    }

    /// The columns that a table may lack, with their types.
    pub fn optional(&self, table: &str, place: &str) -> Result<Vec<(String, DataType)>> {
        let named = self.optional.iter();
        let types = named.filter_map(|(name, of)| Some((of_table(name, table)?, of)));
        let types = types.map(|(name, type_name)| {
            let parsed = match type_name.as_str() {
                "Utf8" => Some(DataType::Utf8),
                "Int64" => Some(DataType::Int64),
                "Float64" => Some(DataType::Float64),
                "Boolean" => Some(DataType::Boolean),
                other => parse_type(other),
            };
            let data_type = parsed.ok_or_else(|| {
                Error::usage(place, format!("optional column `{name}`: `{type_name}` is no type"))
            })?;
            Ok((name.to_owned(), data_type))
        });
        types.collect()
    }
}

/// The column that a name stands for, if it is one of the table's.
fn of_table<'n>(name: &'n str, table: &str) -> Option<&'n str> {
    match name.split_once('.') {
        Some((of, column)) => (of == table).then_some(column),
        None => (table == INPUT).then_some(name),
    }
}

/// Whether a template with wording for these languages (empty: any) has some for this one.
pub fn speaks(languages: &[String], language: Option<&str>) -> bool {
    let primary = |tag: &str| tag.split('-').next().unwrap_or(tag).to_ascii_lowercase();
    let known = |tag: &str| languages.iter().any(|known| primary(known) == primary(tag));
    languages.is_empty() || language.is_some_and(known)
}

/// Splits a Jinja template.
pub fn jinja<M: DeserializeOwned>(file: &File) -> Result<Parts<M>> {
    split(file, "{#", "#}")
}

/// Splits an SQL template.
pub fn sql<M: DeserializeOwned>(file: &File) -> Result<Parts<M>> {
    split(file, "/*", "*/")
}

fn split<M: DeserializeOwned>(file: &File, open: &str, close: &str) -> Result<Parts<M>> {
    let missing = |what: String| {
        Error::usage(format!("{}:1", file.place), what).hint(
            "put about, source and an example into it, as TOML; see --show of another template",
        )
    };
    // What some editors put before a text says nothing.
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let inside = text.strip_prefix(open).ok_or_else(|| {
        missing(format!("the file does not start with a comment {open} … {close}"))
    })?;
    let (comment, body) = inside.split_once(close).ok_or_else(|| {
        missing(format!("the comment that {open} begins does not end in {close}"))
    })?;
    let metadata = toml::from_str(comment).map_err(|error| {
        let before = comment.get(..error.span().map_or(0, |span| span.start)).unwrap_or(comment);
        let line = before.matches('\n').count() + 1;
        Error::usage(format!("{}:{line}", file.place), error.message().replace('\n', " ")).hint(
            "the first comment is TOML with about, source and example; --show prints one that works",
        )
    })?;
    let body = body.strip_prefix('\n').or_else(|| body.strip_prefix("\r\n")).unwrap_or(body);
    let lines_before = file.text[..file.text.len() - body.len()].matches('\n').count();
    Ok(Parts { metadata, body: body.to_owned(), lines_before })
}
