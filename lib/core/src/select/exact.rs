//! Exact duplicates: rows whose prompts are the same text once Unicode form (NFKC), case and white space
//! are made equal. The first is kept. Memory: 32 bytes for each distinct prompt.

use super::{Drop, Stage};
use crate::random::content_id;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch, StringArray, StructArray};
use rayon::prelude::*;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Keeps the first row of each text.
#[derive(Default)]
pub struct Exact {
    /// Hash of the normalised text → prompt_id of the row kept.
    seen: HashMap<u128, String>,
}

impl Stage for Exact {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn judge(&mut self, batch: &RecordBatch) -> Result<Vec<Option<Drop>>> {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let prompts =
            text("prompt").ok_or_else(|| Error::data("the input", "column `prompt` is missing"))?;
        let ids = text("prompt_id");
        let conversations = batch.column_by_name("messages").and_then(|c| c.as_list_opt::<i32>());
        let hash = |row: usize| match conversations.filter(|turns| turns.is_valid(row)) {
            Some(turns) => Some(conversation(turns.value(row).as_struct())),
            None => {
                prompts.is_valid(row).then(|| xxh3_128(normalise(prompts.value(row)).as_bytes()))
            }
        };
        let hashes: Vec<Option<u128>> = (0..batch.num_rows()).into_par_iter().map(hash).collect();
        let id = |row: usize| match ids.filter(|ids: &&StringArray| ids.is_valid(row)) {
            Some(ids) => ids.value(row).to_owned(),
            None => content_id(prompts.value(row)),
        };
        let judged =
            hashes.into_iter().enumerate().map(|(row, hash)| match self.seen.entry(hash?) {
                Entry::Vacant(free) => {
                    free.insert(id(row));
                    None
                }
                Entry::Occupied(first) => Some(Drop {
                    reason: "the same text as another prompt".into(),
                    duplicate_of: Some(first.get().clone()),
                }),
            });
        Ok(judged.collect())
    }
}

/// A hash of all turns: the prompt of a conversation is only its last one.
fn conversation(turns: &StructArray) -> u128 {
    let text = |name: &str| turns.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let (roles, contents) = (text("role"), text("content"));
    let mut all = Xxh3::new();
    for turn in 0..turns.len() {
        for part in [roles, contents].into_iter().flatten().filter(|part| part.is_valid(turn)) {
            let part = normalise(part.value(turn));
            all.update(&(part.len() as u64).to_le_bytes());
            all.update(part.as_bytes());
        }
    }
    all.digest128()
}

/// The text in NFKC, lower case, with single spaces.
fn normalise(text: &str) -> String {
    let nfkc = match is_nfkc_quick(text.chars()) {
        IsNormalized::Yes => text.to_lowercase(),
        _ => text.nfkc().collect::<String>().to_lowercase(),
    };
    let mut spaced = String::with_capacity(nfkc.len());
    for word in nfkc.split_whitespace() {
        if !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push_str(word);
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn form_case_and_space_do_not_make_a_text_another() {
        assert_eq!(normalise(" Ｈｏｗ\u{a0}\tDO  I\n"), "how do i");
        assert_eq!(normalise("怎样　做？"), "怎样 做?");
        assert_ne!(normalise("do it"), normalise("do it!"));
    }
}
