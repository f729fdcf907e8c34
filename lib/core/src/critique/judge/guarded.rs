//! What is judged is data that somebody else wrote, and may speak to the judge. So the judge gets
//! copies in which nothing can be taken for a command by a model or its server; a judge that we
//! word ourselves gets them as one JSON string, and has to give back a nonce with its verdict,
//! which whoever wrote the response could not know. Nothing of this makes a judge immune: it keeps
//! a text from *being* a verdict, not from swaying one.

mod reserved;

use super::metadata::{Judged, Metadata};
use crate::plain::with_columns;
use crate::template::render::Row;
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub use self::reserved::{neutralised, suspected};

/// The column of the base prompt of an attack: critics see it beside the prompt where it is there.
pub const BASE_PROMPT: &str = "base_prompt";

/// The nonce for a row: 32 hex digits, 128 bits of SHA-256. The same for the same critic, prompt,
/// response and seed, so that a reply is found again; it hangs on the whole response, which
/// therefore cannot hold it.
pub fn nonce(critic_id: &str, prompt: &str, response: &str, seed: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(b"seval nonce 1");
    hash.update(seed.to_le_bytes());
    for text in [critic_id, prompt, response] {
        // With its length: no two triples are one text.
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The texts of a row that a critic looks at.
pub(super) struct Texts<'a> {
    /// Name and text: `prompt`, `response`, and the columns needed that hold text.
    all: Vec<(&'a str, &'a str)>,
    judged: &'static str,
}

impl<'a> Texts<'a> {
    /// Those of a row; a column that is missing, or null, is an error.
    pub(super) fn of(metadata: &'a Metadata, row: &Row<'a>) -> Result<Self> {
        let (judged, own): (_, &[&str]) = match metadata.judges {
            Judged::Response => ("response", &["prompt", "response"]),
            Judged::Prompt => ("prompt", &["prompt"]),
        };
        let mut all = Vec::new();
        for name in own.iter().copied().chain(metadata.needs.iter().map(String::as_str)) {
            let column = row.batch.column_by_name(name).ok_or_else(|| {
                Error::data(format!("column `{name}`"), "is missing, and the critic needs it")
                    .hint("see the critic's needs with --show")
            })?;
            if column.is_null(row.row) {
                return Err(Error::data(format!("column `{name}`"), "is null, and is judged")
                    .hint("fill it, or leave the row out"));
            }
            if let Some(texts) = column.as_string_opt::<i32>() {
                all.push((name, texts.value(row.row)));
            }
        }
        // What an attack hides, where whoever runs the critic has given it.
        let base =
            row.batch.column_by_name(BASE_PROMPT).and_then(|base| base.as_string_opt::<i32>());
        if let Some(base) = base.filter(|base| base.is_valid(row.row)) {
            all.push((BASE_PROMPT, base.value(row.row)));
        }
        Ok(Self { all, judged })
    }

    /// Whether what is judged looks as if it spoke to the critic.
    pub(super) fn suspected(&self) -> bool {
        self.all.iter().any(|(name, text)| name.starts_with(self.judged) && suspected(text))
    }

    /// The row by itself, for the body of a critic: every text as a neutralised copy, `data`, and
    /// `named`.
    pub(super) fn copy(
        &self,
        row: &Row<'_>,
        nonce: &str,
        named: &[(&str, &str)],
        is_swapped: bool,
    ) -> Result<Arc<RecordBatch>> {
        let source = |name: &str| match name {
            "response" if is_swapped => "response_b".to_owned(),
            "response_b" if is_swapped => "response".to_owned(),
            _ => name.to_owned(),
        };
        let mut fields: Vec<Field> = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        };
        for field in row.batch.schema().fields() {
            let name = field.name().as_str();
            let Some(column) = row.batch.column_by_name(&source(name)) else { continue };
            if name == "data" || named.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let cell = column.slice(row.row, 1);
            add(
                name,
                match cell.as_string_opt::<i32>() {
                    Some(text) if text.is_valid(0) => one(&neutralised(text.value(0), nonce)),
                    _ => cell,
                },
            );
        }
        let mut data = Map::new();
        for (name, _) in &self.all {
            let from = source(name);
            let text = self.all.iter().find(|(known, _)| *known == from).map(|(_, text)| *text);
            let copy = neutralised(text.unwrap_or_default(), nonce);
            data.insert((*name).to_owned(), Value::from(copy));
        }
        add("data", one(&Value::Object(data).to_string()));
        for (name, text) in named {
            add(name, one(text));
        }
        Ok(Arc::new(with_columns(&Arc::new(Schema::new(fields)), columns, 1)?))
    }
}

fn one(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

#[cfg(test)]
mod tests;
