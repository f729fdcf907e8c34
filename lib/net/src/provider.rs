//! Files of providers: what differs from a dialect in address, headers and names only is a file,
//! not code.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use seval_core::{Error, Result};

use crate::dialect::{self, Dialect};
use crate::exchange::{Answer, Decoding, Message, Outcome, Request, Traits};
use crate::reply::{self, Reply};

/// Files: the name and the text of each.
macro_rules! built_in {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../templates/provider/", $name, ".toml")))),*]
    };
}

/// The files that come with the program.
pub(crate) const BUILT_IN: [(&str, &str); 14] = built_in![
    "anthropic",
    "azure",
    "completions",
    "dashscope",
    "deepseek",
    "gemini",
    "groq",
    "llama_cpp",
    "mistral",
    "ollama",
    "openai",
    "openrouter",
    "together",
    "vllm"
];

/// Headers that carry a key: a file that others may read must not hold one.
const KEY_HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "x-auth-token",
];

/// Fields of a body that no file may set: they are the request.
const OWN_FIELDS: [&str; 6] = ["model", "messages", "prompt", "system", "contents", "stream"];

/// A kind of server, as its file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    #[serde(rename = "about")]
    _about: String,
    /// The dialect that all else differs from.
    pub dialect: Dialect,
    /// The base address, for who gives none.
    pub base_url: Option<String>,
    /// The environment variable that holds the key, for who names none.
    pub api_key_env: Option<String>,
    key_header: Option<String>,
    key_prefix: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The dialect's name of a field: the server's, or nothing if it is to be left out.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    #[serde(default)]
    body: Map<String, Value>,
    #[serde(default)]
    read: Read,
    example: Option<Example>,
}

/// Where a reply holds what, as JSON pointers; `None` is the dialect's own place.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Read {
    response: Option<String>,
    reasoning: Option<String>,
    finish_reason: Option<String>,
    input_tokens: Option<String>,
    output_tokens: Option<String>,
}

/// A request, a reply and what is read of it: the file's own test.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// As JSON: what model `m` is sent to be asked `Why?` at temperature 0, with seed 7, for 5
    /// tokens.
    request: String,
    /// As JSON.
    reply: String,
    /// What is known of the answer, under the names of the columns.
    answer: Map<String, Value>,
}

impl Provider {
    /// Reads a file, which `place` names in errors, and tries its example.
    pub fn parse(place: &str, text: &str) -> Result<Self> {
        let provider: Self = toml::from_str(text).map_err(|error| {
            let lines = |end: usize| text.as_bytes()[..end].iter().filter(|b| **b == b'\n').count();
            let line = error.span().map(|span| lines(span.start) + 1);
            let place = line.map_or(place.to_owned(), |line| format!("{place}:{line}"));
            Error::usage(place, error.message().replace('\n', " "))
        })?;
        provider.check().map_err(|error| error.at(place))?;
        if let Some(example) = &provider.example {
            provider.check_example(example).map_err(|what| {
                Error::usage(place, format!("example.{what}"))
                    .hint("correct the example, or what the file says before it")
            })?;
        }
        Ok(provider)
    }

    /// A server that speaks the dialect as it is.
    pub fn of(dialect: Dialect) -> Self {
        Self {
            _about: String::new(),
            dialect,
            base_url: None,
            api_key_env: None,
            key_header: None,
            key_prefix: None,
            headers: BTreeMap::new(),
            rename: BTreeMap::new(),
            body: Map::new(),
            read: Read::default(),
            example: None,
        }
    }

    /// The header that carries the key, and what stands in it before the key.
    pub fn key_header(&self) -> (&str, &str) {
        let (header, prefix) = self.dialect.key_header();
        let prefix = if self.key_header.is_some() { "" } else { prefix };
        (self.key_header.as_deref().unwrap_or(header), self.key_prefix.as_deref().unwrap_or(prefix))
    }

    /// The other headers that each request has; of two with one name the later counts.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.dialect.headers().iter().copied().chain(own)
    }

    /// The settings that are set and the fields that are always sent, as they are sent.
    pub fn settings(&self, decoding: &Decoding) -> Map<String, Value> {
        let mut settings = Value::Object(self.renamed(self.dialect.settings(decoding)));
        add(&mut settings, &self.body);
        match settings {
            Value::Object(settings) => settings,
            _ => Map::new(),
        }
    }

    /// The request as it is sent. What it sets itself goes before what the file sets.
    pub fn body(&self, model: &str, request: &Request, stream: bool) -> Value {
        let mut body = self.dialect.body(model, request, stream);
        if let Some(settings) = self.dialect.settings_in(&mut body) {
            *settings = self.renamed(std::mem::take(settings));
        }
        add(&mut body, &self.body);
        body
    }

    /// The answer in a whole reply of the commonest shape; none of any other.
    pub fn read_plain(&self, body: &[u8]) -> Option<Box<Answer>> {
        (self.read == Read::default()).then(|| self.dialect.read_plain(body)).flatten()
    }

    /// The answer in a whole reply that is no error.
    pub fn read(&self, value: &Value) -> Answer {
        let mut answer = self.dialect.read(value);
        let number = |pointer: &String| reply::count(value.pointer(pointer)?);
        if let Some(pointer) = &self.read.input_tokens {
            answer.usage.input_tokens = number(pointer);
        }
        if let Some(pointer) = &self.read.output_tokens {
            answer.usage.output_tokens = number(pointer);
        }
        let text = |pointer: &String| reply::text(value.pointer(pointer)?);
        if let Some(pointer) = &self.read.reasoning {
            answer.reasoning = text(pointer);
        }
        if let Some(pointer) = &self.read.finish_reason {
            answer.finish_reason = text(pointer);
        }
        if let Some(pointer) = &self.read.response {
            if value.pointer(pointer).is_none() {
                let cause = format!("the answer has no `{pointer}`, where its text should be");
                return Answer { outcome: Outcome::Failed, error: Some(cause), ..answer };
            }
            answer.response = text(pointer);
        }
        if self.read.response.is_some()
            || self.read.finish_reason.is_some() && answer.error.is_none()
        {
            answer.error = None;
            dialect::settle(&mut answer);
        }
        answer
    }

    /// Whether a stream can be read: where a reply's parts have other places, those of the events
    /// are not known.
    pub fn streams(&self) -> bool {
        let Read { response, reasoning, finish_reason, input_tokens, output_tokens } = &self.read;
        [response, reasoning, finish_reason, input_tokens, output_tokens]
            .iter()
            .all(|pointer| pointer.is_none())
    }

    fn renamed(&self, fields: Map<String, Value>) -> Map<String, Value> {
        let renamed = |(name, value): (String, Value)| match self.rename.get(&name) {
            Some(new) if new.is_empty() => None,
            Some(new) => Some((new.clone(), value)),
            None => Some((name, value)),
        };
        fields.into_iter().filter_map(renamed).collect()
    }

    fn check(&self) -> Result<()> {
        let error = |key: &str, what: &str| Err(Error::usage("", format!("{key}: {what}")));
        if self.base_url.as_deref().is_some_and(|url| url.to_lowercase().contains("key=")) {
            return error("base_url", "it holds a key; addresses are shown and stored");
        }
        let variable =
            |name: &str| name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        if self.api_key_env.as_deref().is_some_and(|name| name.is_empty() || !variable(name)) {
            return error("api_key_env", "not the name of a variable, such as OPENAI_API_KEY");
        }
        let visible = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let header = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !self.key_header.as_deref().is_none_or(header) {
            return error("key_header", "not the name of a header");
        }
        if !self.key_prefix.as_deref().is_none_or(visible) {
            return error("key_prefix", "it holds characters that no header can carry");
        }
        for (name, value) in &self.headers {
            let key = format!("headers.{name}");
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if !header(name) {
                return error(&key, "not the name of a header");
            }
            if !visible(value) {
                return error(&key, "it holds characters that no header can carry");
            }
            if KEY_HEADERS.into_iter().any(is)
                || is(self.key_header().0)
                || value.to_lowercase().starts_with("bearer ")
            {
                return error(&key, "it would hold a key; name its variable by api_key_env");
            }
        }
        let fields = self.dialect.fields();
        if let Some(name) = self.rename.keys().find(|name| !fields.contains(&name.as_str())) {
            let what = format!("no such field; there are: {}", fields.join(", "));
            return error(&format!("rename.{name}"), &what);
        }
        if let Some(name) = self.body.keys().find(|name| OWN_FIELDS.contains(&name.as_str())) {
            return error(&format!("body.{name}"), "each request sets it itself");
        }
        let Read { response, reasoning, finish_reason, input_tokens, output_tokens } = &self.read;
        for pointer in [response, reasoning, finish_reason, input_tokens, output_tokens] {
            if let Some(pointer) = pointer.as_deref().filter(|pointer| !pointer.starts_with('/')) {
                let what = format!("{pointer:?} is no JSON pointer, such as \"/output/text\"");
                return error("read", &what);
            }
        }
        Ok(())
    }

    fn check_example(&self, example: &Example) -> std::result::Result<(), String> {
        let request = Request {
            model: 0,
            sample: 0,
            decoding: Decoding {
                temperature: Some(0.0),
                max_tokens: Some(5),
                seed: Some(7),
                ..Decoding::default()
            },
            messages: vec![Message::user("Why?")],
            traits: Traits::default(),
        };
        let wanted: Value = serde_json::from_str(&example.request)
            .map_err(|error| format!("request: not JSON: {error}"))?;
        let sent = self.body("m", &request, false);
        if sent != wanted {
            return Err(format!("request: what is sent is {sent}"));
        }
        let answer = match reply::read(example.reply.as_bytes(), |value| self.read(value)) {
            Ok(Reply::Answer(answer)) => shown(&answer),
            Ok(Reply::Complaint(complaint)) => {
                return Err(format!("reply: it is an error: {}", complaint.message));
            }
            Err(cause) => return Err(format!("reply: {cause}")),
        };
        match answer == example.answer {
            true => Ok(()),
            false => Err(format!("answer: what is read is {}", Value::Object(answer))),
        }
    }
}

/// Adds fields that are not there yet, also within an object that both have.
fn add(to: &mut Value, from: &Map<String, Value>) {
    let Value::Object(to) = to else { return };
    for (name, value) in from {
        match (to.get_mut(name), value) {
            (None, _) => {
                to.insert(name.clone(), value.clone());
            }
            (Some(inner @ Value::Object(_)), Value::Object(value)) => add(inner, value),
            (Some(_), _) => {}
        }
    }
}

/// What is known of an answer, under the names of the columns.
fn shown(answer: &Answer) -> Map<String, Value> {
    let fields = [
        ("outcome", json!(answer.outcome.as_str())),
        ("response", json!(answer.response)),
        ("reasoning", json!(answer.reasoning)),
        ("finish_reason", json!(answer.finish_reason)),
        ("input_tokens", json!(answer.usage.input_tokens)),
        ("cached_tokens", json!(answer.usage.cached_tokens)),
        ("cache_write_tokens", json!(answer.usage.cache_write_tokens)),
        ("output_tokens", json!(answer.usage.output_tokens)),
        ("reasoning_tokens", json!(answer.usage.reasoning_tokens)),
        ("served_model", json!(answer.served_model)),
        ("system_fingerprint", json!(answer.system_fingerprint)),
        ("error", json!(answer.error)),
    ];
    let known = |(name, value): (&str, Value)| (!value.is_null()).then(|| (name.to_owned(), value));
    fields.into_iter().filter_map(known).collect()
}

#[cfg(test)]
mod tests;
