//! The names of rows: their prompt_id or, without one, the content id of their text.

use super::texts::Texts;
use crate::random::{content_hash, hex};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use std::collections::HashMap;

/// A row's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// 32 hex digits, as ours are, as a number.
    Hex(u128),
    /// Any other text.
    Text(String),
    /// It has neither id nor text.
    None,
}

/// The names of a batch's rows.
pub struct BatchIds<'a> {
    ids: Option<&'a StringArray>,
    texts: Option<&'a Texts<'a>>,
}

impl<'a> BatchIds<'a> {
    /// The names by the column `prompt_id`, and by the texts where it says nothing.
    pub fn new(batch: &'a RecordBatch, texts: Option<&'a Texts<'a>>) -> Self {
        let ids = batch.column_by_name("prompt_id").and_then(|c| c.as_string_opt::<i32>());
        Self { ids, texts }
    }

    /// A row's name.
    pub fn get(&self, row: usize) -> Id {
        if let Some(ids) = self.ids.filter(|ids| ids.is_valid(row)) {
            let id = ids.value(row);
            return number(id).map_or_else(|| Id::Text(id.to_owned()), Id::Hex);
        }
        match self.texts.and_then(|texts| texts.get(row)) {
            Some(text) => Id::Hex(content_hash(&text)),
            None => Id::None,
        }
    }
}

/// The name of every row: 16 bytes each where it is 32 hex digits.
#[derive(Default)]
pub struct Ids {
    hex: Vec<u128>,
    /// What is no number; the number of such a row is 0.
    other: HashMap<u32, Id>,
}

impl Ids {
    /// Adds the rows of a batch.
    pub fn add(&mut self, batch: &RecordBatch, texts: Option<&Texts<'_>>) {
        let ids = BatchIds::new(batch, texts);
        for row in 0..batch.num_rows() {
            let number = match ids.get(row) {
                Id::Hex(number) => number,
                other => {
                    self.other.insert(self.hex.len() as u32, other);
                    0
                }
            };
            self.hex.push(number);
        }
    }

    /// A row's name.
    pub fn id(&self, row: u32) -> Id {
        match self.hex.get(row as usize) {
            Some(0) => self.other.get(&row).cloned().unwrap_or(Id::Hex(0)),
            Some(number) => Id::Hex(*number),
            None => Id::None,
        }
    }

    /// A row's name as text; none if the row has neither id nor text.
    pub fn get(&self, row: u32) -> Option<String> {
        self.id(row).text()
    }
}

impl Id {
    /// As text.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Hex(number) => Some(hex(number)),
            Self::Text(text) => Some(text),
            Self::None => None,
        }
    }
}

/// The number that is written as 32 lower-case hex digits.
fn number(id: &str) -> Option<u128> {
    if id.len() != 32 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    id.bytes().try_fold(0, |number, byte| Some(number << 4 | u128::from(digit(byte)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_form_is_a_number() {
        for value in [0, 77, u128::MAX] {
            assert_eq!(number(&hex(value)), Some(value));
        }
        for other in ["", "77", &"F".repeat(32), &"+".repeat(32), &"0".repeat(33)] {
            assert_eq!(number(other), None);
        }
    }
}
