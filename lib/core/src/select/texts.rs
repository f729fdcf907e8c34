//! The text of a row that is compared: of one column, or of all turns of a conversation.

use crate::contract::Contract;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, ListArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Schema};
use std::borrow::Cow;

/// The column of prompts, which for a conversation holds its last turn only.
const PROMPT: &str = "prompt";

/// Which column is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextColumn(pub String);

impl Default for TextColumn {
    fn default() -> Self {
        Self(PROMPT.to_owned())
    }
}

impl TextColumn {
    /// Checks that the column is there and holds text, as rows' ids do where there are some.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        self.check_ids(schema)?;
        if let (PROMPT, Ok(turns)) = (self.0.as_str(), schema.field_with_name("messages")) {
            let turns = Schema::new(vec![turns.clone()]);
            Contract::prompts()?.check(&turns, &[], "the input")?;
        }
        text_column(schema, &self.0)
    }

    /// Checks that rows can be named: by text in `prompt_id` or, without that column, by their own text.
    pub fn check_ids(&self, schema: &Schema) -> Result<()> {
        match schema.field_with_name("prompt_id") {
            Ok(field) if field.data_type() == &DataType::Utf8 => Ok(()),
            Ok(field) => {
                let what = format!("the type is {}, and ids are text", field.data_type());
                Err(Error::data("column `prompt_id`", what).hint("cast it with --sql"))
            }
            Err(_) => text_column(schema, &self.0),
        }
    }

    /// The texts of a batch.
    pub fn of<'a>(&self, batch: &'a RecordBatch) -> Result<Texts<'a>> {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let conversations = match self.0 == PROMPT {
            true => batch.column_by_name("messages").and_then(|c| c.as_list_opt::<i32>()),
            false => None,
        };
        let texts = text(&self.0).ok_or_else(|| missing(batch.schema_ref(), &self.0))?;
        Ok(Texts { texts, conversations, languages: text("language") })
    }
}

/// The texts of a batch.
pub struct Texts<'a> {
    texts: &'a StringArray,
    conversations: Option<&'a ListArray>,
    languages: Option<&'a StringArray>,
}

impl<'a> Texts<'a> {
    /// A row's text, if it has any. The turns of a conversation are set apart by control characters, so that
    /// no prompt reads like one by chance.
    pub fn get(&self, row: usize) -> Option<Cow<'a, str>> {
        match self.conversations.filter(|turns| turns.is_valid(row)) {
            Some(turns) => Some(Cow::Owned(conversation(turns.value(row).as_struct()))),
            None => self.texts.is_valid(row).then(|| Cow::Borrowed(self.texts.value(row))),
        }
    }

    /// A row's language, if it is known.
    pub fn language(&self, row: usize) -> Option<&'a str> {
        let languages = self.languages.filter(|languages| languages.is_valid(row))?;
        Some(languages.value(row)).filter(|tag| !tag.is_empty())
    }
}

fn conversation(turns: &StructArray) -> String {
    let text = |name: &str| turns.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let parts = [(text("role"), '\u{1f}'), (text("content"), '\u{1e}')];
    let mut all = String::new();
    for turn in 0..turns.len() {
        for (part, end) in &parts {
            if let Some(part) = part.filter(|part| part.is_valid(turn)) {
                all.push_str(part.value(turn));
            }
            all.push(*end);
        }
    }
    all
}

/// Checks that a column is there and holds text.
pub fn text_column(schema: &Schema, name: &str) -> Result<()> {
    match schema.field_with_name(name) {
        Ok(field) if field.data_type() == &DataType::Utf8 => Ok(()),
        Ok(field) => Err(Error::data(
            format!("column `{name}`"),
            format!("the type is {}, and texts are compared", field.data_type()),
        )
        .hint("cast it with --sql, or name another column with --text")),
        Err(_) => Err(missing(schema, name)),
    }
}

/// A column that is not there.
pub fn missing(schema: &Schema, name: &str) -> Error {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Error::data("the input", format!("column `{name}` is missing; there are: {}", names.join(", ")))
}
