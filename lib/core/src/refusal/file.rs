//! What stands in a rules file.

use std::collections::BTreeMap;

use super::Example;
use crate::{Error, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub about: String,
    #[serde(rename = "source")]
    _source: String,
    kind: String,
    pub limits: Limits,
    pub words: BTreeMap<String, Vec<String>>,
    pub phrases: Vec<Group>,
    pub example: Vec<Example>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub opening: usize,
    pub reproach_opening: u32,
    pub reproach: u32,
    pub items: u32,
    pub announced: u32,
    pub answers: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    #[serde(rename = "language")]
    _language: String,
    pub class: Class,
    pub opening: Option<bool>,
    pub points: Option<u32>,
    pub first: Option<u32>,
    pub then: Option<String>,
    pub reach: Option<usize>,
    pub phrases: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    Refusal,
    Reproach,
    Inability,
    Apology,
    Privacy,
    Premise,
    Answer,
    Turn,
    Item,
    Frame,
    Pardon,
}

impl File {
    pub fn parse(toml: &str) -> Result<Self> {
        let file: Self =
            toml::from_str(toml).map_err(|e| Error::usage("", e.to_string().trim()))?;
        match file.kind.as_str() {
            "rules" => Ok(file),
            kind => Err(Error::usage("kind", format!("expected `rules`, found `{kind}`"))),
        }
    }
}

/// The phrase once for every form of every `{word}` in it.
pub(super) fn expand(phrase: &str, words: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>> {
    let Some((head, rest)) = phrase.split_once('{') else { return Ok(vec![phrase.to_owned()]) };
    let word = rest.split_once('}').and_then(|(name, tail)| Some((words.get(name)?, tail)));
    let (forms, tail) = word.ok_or_else(|| Error::usage(phrase, "no such word list"))?;
    let tails = expand(tail, words)?;
    Ok(forms.iter().flat_map(|f| tails.iter().map(move |t| format!("{head}{f}{t}"))).collect())
}
