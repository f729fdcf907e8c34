//! How requests and replies of each kind of server look: pure functions, no sockets, no clock.
//!
//! Nothing here fails: what cannot be read is [`Outcome::Failed`] and says why.

mod anthropic;
mod chat;
mod completions;
mod gemini;
mod logprobs;
mod plain_chat;
pub(crate) mod stream;
pub(crate) mod usage;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::exchange::{Answer, Decoding, Outcome, Request};
use crate::reply;

/// How requests and replies of a kind of server look.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dialect {
    /// OpenAI's chat, which most servers speak.
    Chat,
    /// OpenAI's older one: a text goes on.
    Completions,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
}

impl Dialect {
    /// The end of the API's address under the base address; it may hold a query.
    pub fn api(self, model: &str, stream: bool) -> String {
        match self {
            Self::Chat => "/chat/completions".to_owned(),
            Self::Completions => "/completions".to_owned(),
            Self::Anthropic => "/messages".to_owned(),
            Self::Gemini => gemini::api(model, stream),
        }
    }

    /// The header that carries the key, and what stands in it before the key.
    pub fn key_header(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat | Self::Completions => ("authorization", "Bearer "),
            Self::Anthropic => ("x-api-key", ""),
            Self::Gemini => ("x-goog-api-key", ""),
        }
    }

    /// The other headers that each request has.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Anthropic => &[("anthropic-version", "2023-06-01")],
            Self::Chat | Self::Completions | Self::Gemini => &[],
        }
    }

    /// The fields that a file of a provider may rename: all but those without which it would be
    /// another dialect.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Chat => &chat::FIELDS,
            Self::Completions => &completions::FIELDS,
            Self::Anthropic => &anthropic::FIELDS,
            Self::Gemini => &gemini::FIELDS,
        }
    }

    /// The limit on an answer's tokens that is sent where none is set.
    pub fn most_tokens(self) -> Option<i64> {
        match self {
            Self::Anthropic => Some(anthropic::MAX_TOKENS),
            Self::Chat | Self::Completions | Self::Gemini => None,
        }
    }

    /// The settings that are set, as they are sent.
    pub fn settings(self, decoding: &Decoding) -> Map<String, Value> {
        match self {
            Self::Chat => chat::settings(decoding),
            Self::Completions => completions::settings(decoding),
            Self::Anthropic => anthropic::settings(decoding),
            Self::Gemini => gemini::settings(decoding),
        }
    }

    /// The request as it is sent: only settings that are set.
    pub fn body(self, model: &str, request: &Request, stream: bool) -> Value {
        match self {
            Self::Chat => chat::body(model, request, stream),
            Self::Completions => completions::body(model, request, stream),
            Self::Anthropic => anthropic::body(model, request, stream),
            // Whether it streams stands in the address, and so does the model.
            Self::Gemini => gemini::body(request),
        }
    }

    /// The object in a body that holds the settings.
    pub fn settings_in(self, body: &mut Value) -> Option<&mut Map<String, Value>> {
        match self {
            Self::Gemini => body.get_mut(gemini::SETTINGS)?.as_object_mut(),
            Self::Chat | Self::Completions | Self::Anthropic => body.as_object_mut(),
        }
    }

    /// The answer in a whole reply of the dialect's commonest shape, which is read quickly; none of
    /// any other.
    pub fn read_plain(self, body: &[u8]) -> Option<Box<Answer>> {
        match self {
            Self::Chat => plain_chat::read(body),
            Self::Completions | Self::Anthropic | Self::Gemini => None,
        }
    }

    /// The answer in a whole reply that is no error.
    pub fn read(self, value: &Value) -> Answer {
        match self {
            Self::Chat => chat::read(value),
            Self::Completions => completions::read(value),
            Self::Anthropic => anthropic::read(value),
            Self::Gemini => gemini::read(value),
        }
    }
}

/// The settings among these that are set.
fn set<const N: usize>(settings: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let set = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
    settings.into_iter().filter_map(set).collect()
}

/// Adding zero makes -0 and 0 one number.
fn number(number: Option<f64>) -> Option<Value> {
    number.map(|number| Value::from(number + 0.0))
}

/// The texts of these roles, with a blank line between them; `None` without any.
fn joined(request: &Request, role: impl Fn(&str) -> bool) -> Option<String> {
    let turns = request.messages.iter().filter(|message| role(&message.role));
    let texts: Vec<&str> = turns.map(|message| message.content.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

/// Decides the outcome by why the server stopped and by whether there is text.
pub(crate) fn settle(answer: &mut Answer) {
    let reason = reply::lower(answer.finish_reason.as_deref().unwrap_or_default());
    answer.outcome = match &*reason {
        "length"
        | "max_tokens"
        | "model_length"
        | "model_context_window_exceeded"
        | "pause_turn" => Outcome::Truncated,
        // Anthropic, Gemini, Zhipu, Bedrock; all others by the words of errors.
        "refusal"
        | "safety"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii"
        | "image_safety"
        | "sensitive"
        | "guardrail_intervened" => Outcome::Filtered,
        reason if reply::names_filter(reason) => Outcome::Filtered,
        "error"
        | "abort"
        | "other"
        | "language"
        | "insufficient_system_resource"
        | "network_error"
        | "malformed_response" => {
            let word = answer.finish_reason.as_deref().unwrap_or_default();
            answer.error =
                Some(format!("the server broke the answer off (finish_reason `{word}`)"));
            Outcome::Failed
        }
        _ if answer.response.as_deref().is_none_or(|text| text.trim().is_empty()) => Outcome::Empty,
        _ => Outcome::Answered,
    };
}
