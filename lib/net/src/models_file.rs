//! The models file: a TOML table for each model, with where it is, how it is asked, what it may be
//! asked and what it costs.
//!
//! A key itself never stands in it, only where the key is found. Since one may be there by mistake,
//! no error shows a text that the file holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use seval_core::{Error, Result};
use toml::de::DeTable;

use crate::exchange::Decoding;
use crate::grid;
use crate::key;
use crate::price::Price;

/// Names under which people put the key itself.
const SECRETS: [&str; 4] = ["api_key", "key", "token", "authorization"];

/// What to write in place of a key.
const NO_KEY: &str = "put the key in an environment variable and write api_key_env = \"ITS_NAME\"";

/// The models of a file, by name.
#[derive(Debug)]
pub struct ModelsFile(BTreeMap<String, ModelEntry>);

/// A model of the file. What is `None` is not in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelEntry {
    /// A provider's name, or the path of its file (as it is written); without one it is any
    /// OpenAI-compatible server.
    pub provider: Option<String>,
    /// Where its API begins.
    pub base_url: Option<String>,
    /// The model's name as the server knows it: the table's, if nothing is said.
    pub model: String,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The file that holds the key; at most one of the two is there.
    pub api_key_file: Option<PathBuf>,
    /// Settings that hold where none are given with the request.
    pub decoding: Decoding,
    /// The most requests under way at any time: 1 or more.
    pub max_connections: Option<usize>,
    /// The most requests in a minute: 1 or more.
    pub requests_per_minute: Option<u64>,
    /// The most tokens in a minute, in and out: 1 or more.
    pub tokens_per_minute: Option<u64>,
    /// How many tokens a conversation and its answer may have: 1 or more.
    pub context_tokens: Option<u64>,
    /// What is put before each conversation that has no system prompt.
    pub system: Option<String>,
    /// Whether the answer is to come in pieces.
    pub stream: Option<bool>,
    /// What it costs.
    pub price: Option<Price>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: BTreeMap<String, Table>,
}

/// A table as it is written: serde flattens no struct into one that refuses unknown keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    provider: Option<String>,
    base_url: Option<String>,
    model: Option<String>,
    api_key_env: Option<String>,
    api_key_file: Option<PathBuf>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<i64>,
    max_tokens: Option<i64>,
    seed: Option<i64>,
    top_logprobs: Option<i64>,
    max_connections: Option<i64>,
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    context_tokens: Option<i64>,
    system: Option<String>,
    stream: Option<bool>,
    price: Option<Price>,
}

impl ModelsFile {
    /// Reads the file. What it lacks or has too much is an error that names the line or the key.
    pub fn read(path: &Path) -> Result<Self> {
        let place = path.to_string_lossy();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::usage(&place, error).hint("a models file has a table [model.NAME] for each")
        })?;
        parse(&place, &text)
    }

    /// The model of that name.
    pub fn get(&self, name: &str) -> Option<&ModelEntry> {
        self.0.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn parse(place: &str, text: &str) -> Result<ModelsFile> {
    let at = |start: usize| {
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{place}:{line}")
    };
    let unread = |error: toml::de::Error| {
        let place = error.span().map_or(place.to_owned(), |span| at(span.start));
        Error::usage(place, without_texts(error.message()))
    };
    let tables = DeTable::parse(text).map_err(unread)?;
    let tables = tables.get_ref();
    // Before anything else is read, so that no other error comes first.
    let models = tables.get("model").and_then(|models| models.get_ref().as_table());
    for (name, table) in models.into_iter().flatten() {
        for (key, _) in table.get_ref().as_table().into_iter().flatten() {
            if SECRETS.iter().any(|secret| key.get_ref().eq_ignore_ascii_case(secret)) {
                let key_of = format!("model.{}.{}", name.get_ref(), key.get_ref());
                return Err(Error::usage(at(key.span().start), format!("{key_of}: holds a key"))
                    .hint(NO_KEY));
            }
        }
    }
    let file: File = toml::from_str(text).map_err(unread)?;
    if file.model.is_empty() {
        return Err(Error::usage(place, "no model in it").hint("add a table [model.NAME]"));
    }
    let entry = |(name, table): (String, Table)| {
        let entry = table.entry(&name).map_err(|(key, what)| {
            let start = key_start(models, &name, &key);
            let place = start.map_or(place.to_owned(), at);
            let hint = if key == "api_key_env" { NO_KEY } else { "" };
            Error::usage(place, format!("model.{name}.{key}: {what}")).hint(hint)
        })?;
        Ok((name, entry))
    };
    file.model.into_iter().map(entry).collect::<Result<_>>().map(ModelsFile)
}

/// Where a key of a model begins, `price.input` say.
fn key_start(models: Option<&DeTable<'_>>, name: &str, key: &str) -> Option<usize> {
    let mut table = models?.get(name)?.get_ref().as_table()?;
    let (outer, last) = key.rsplit_once('.').map_or((None, key), |(o, last)| (Some(o), last));
    if let Some(outer) = outer {
        table = table.get(outer)?.get_ref().as_table()?;
    }
    table.get_key_value(last).map(|(key, _)| key.span().start)
}

/// A message of the reader without the text that it found in place of something else.
fn without_texts(message: &str) -> String {
    let message = message.replace('\n', " ");
    match (message.find("string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}text{}", &message[..start], &message[end + 1..])
        }
        _ => message,
    }
}

impl Table {
    /// The model of that name, or the key that is out of range, and how.
    fn entry(self, name: &str) -> Result<ModelEntry, (String, String)> {
        let wrong = |(key, what): (&str, String)| (key.to_owned(), what);
        let decoding = Decoding {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            max_tokens: self.max_tokens,
            seed: self.seed,
            top_logprobs: self.top_logprobs,
        };
        grid::check(&decoding).map_err(wrong)?;
        if let Some(price) = &self.price {
            price.check().map_err(|(key, what)| (format!("price.{key}"), what))?;
        }
        let model = self.model.unwrap_or_else(|| name.to_owned());
        let provider = self.provider;
        for (key, text) in [
            ("model", Some(model.as_str())),
            ("provider", provider.as_deref()),
            ("base_url", self.base_url.as_deref()),
            ("api_key_file", self.api_key_file.as_deref().and_then(Path::to_str)),
        ] {
            if text.is_some_and(|text| text.trim().is_empty()) {
                return Err(wrong((key, "is empty".to_owned())));
            }
        }
        if let Some(variable) = &self.api_key_env {
            check_variable(variable).map_err(|what| wrong(("api_key_env", what)))?;
            if self.api_key_file.is_some() {
                return Err(wrong(("api_key_file", "api_key_env is there as well".to_owned())));
            }
        }
        let rate = |key, rate: Option<i64>| match rate {
            None => Ok(None),
            Some(rate) => u64::try_from(rate)
                .ok()
                .filter(|rate| *rate > 0)
                .map(Some)
                .ok_or_else(|| wrong((key, format!("expected 1 or more, found {rate}")))),
        };
        let connections = rate("max_connections", self.max_connections)?;
        Ok(ModelEntry {
            provider,
            base_url: self.base_url,
            model,
            api_key_env: self.api_key_env,
            api_key_file: self.api_key_file,
            decoding,
            max_connections: connections.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            requests_per_minute: rate("requests_per_minute", self.requests_per_minute)?,
            tokens_per_minute: rate("tokens_per_minute", self.tokens_per_minute)?,
            context_tokens: rate("context_tokens", self.context_tokens)?,
            system: self.system,
            stream: self.stream,
            price: self.price,
        })
    }
}

/// Keys hold small letters or dashes, nearly all of them; names of variables are written without.
/// So a key that stands here by mistake goes no further, into an error that names the variable say.
fn check_variable(name: &str) -> Result<(), String> {
    match key::is_variable(name) {
        true => Ok(()),
        false => Err("is no variable's name of capital letters, digits and `_`".to_owned()),
    }
}

#[cfg(test)]
mod tests;
