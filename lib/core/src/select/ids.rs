//! The names of rows: their prompt_id or, without one, the content id of their text.

use crate::random::content_id;
use crate::select::texts::Texts;
use arrow::array::{Array, AsArray, RecordBatch};
use std::collections::HashMap;

/// The name of every row: 16 bytes each where it is 32 hex digits, as ours are.
#[derive(Default)]
pub struct Ids {
    /// 0: this row has no name, or one of another form.
    hex: Vec<u128>,
    other: HashMap<u32, String>,
}

impl Ids {
    /// Adds the rows of a batch.
    pub fn add(&mut self, batch: &RecordBatch, texts: Option<&Texts<'_>>) {
        let ids = batch.column_by_name("prompt_id").and_then(|c| c.as_string_opt::<i32>());
        for row in 0..batch.num_rows() {
            let id = match ids.filter(|ids| ids.is_valid(row)) {
                Some(ids) => Some(ids.value(row).to_owned()),
                None => texts.and_then(|texts| texts.get(row)).map(|text| content_id(&text)),
            };
            let Some(id) = id else {
                self.hex.push(0);
                continue;
            };
            let number = number(&id);
            if number == 0 {
                self.other.insert(self.hex.len() as u32, id);
            }
            self.hex.push(number);
        }
    }

    /// A row's name; none if the row has neither id nor text.
    pub fn get(&self, row: u32) -> Option<String> {
        match self.hex.get(row as usize).copied().unwrap_or(0) {
            0 => self.other.get(&row).cloned(),
            number => Some(format!("{number:032x}")),
        }
    }
}

/// The number that is written as 32 lower-case hex digits; 0 for any other text.
pub fn number(id: &str) -> u128 {
    let hex = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex { u128::from_str_radix(id, 16).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn only_our_form_is_a_number() {
        assert_eq!(number(&format!("{:032x}", 77)), 77);
        for other in ["", "77", &"F".repeat(32), &"+".repeat(32)] {
            assert_eq!(number(other), 0);
        }
    }
}
