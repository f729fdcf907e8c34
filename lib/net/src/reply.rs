//! Reads the body of a server's reply, however it strays from the documented shape.
//!
//! - Nothing here panics or fails: what cannot be read is [`Outcome::Failed`] and says why.
//! - Bodies come from strangers. Depth is limited by the JSON reader, size by the caller.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::Value;

use crate::exchange::{Answer, Outcome};

/// Words by which providers name their filter in an error's code or type.
const FILTERS: [&str; 8] = [
    "content_filter",               // OpenAI, Azure
    "contentfilter",                // Zhipu
    "content_policy",               // OpenAI images, LiteLLM
    "responsibleaipolicyviolation", // Azure's inner error
    "data_inspection_failed",       // Alibaba
    "datainspectionfailed",         // Alibaba's own dialect
    "sensitive_content",            // Volcengine
    "moderation",                   // OpenRouter
];

/// Words for an account that is used up: status 429, and yet no wait helps.
const USED_UP: [&str; 3] = ["insufficient_quota", "billing_hard_limit", "insufficient_balance"];

/// The longest `error` of an answer, in characters.
const ERROR_CHARS: usize = 300;

/// What an error body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The server's message; the body itself if it has no known shape.
    pub message: String,
    /// The provider's filter refused the request.
    pub filtered: bool,
    /// The account is used up.
    pub used_up: bool,
    /// The status that the body names, if it names one.
    pub status: Option<u16>,
}

impl Complaint {
    /// The message behind the status it came with.
    pub fn with_status(&self, status: &impl Display) -> String {
        match self.message.trim() {
            "" => format!("HTTP {status}"),
            message => format!("HTTP {status}: {message}"),
        }
    }
}

/// What a reply with a good status holds.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer, possibly a failed one.
    Answer(Box<Answer>),
    /// An error after all.
    Complaint(Complaint),
}

/// Reads the body of a reply with a good status; `answer` reads it once it is parsed and no error.
pub(crate) fn read(body: &[u8], answer: impl FnOnce(&Value) -> Answer) -> Reply {
    let value = match parse(body) {
        Ok(value) => value,
        Err(error) => {
            let cause = format!("the answer is not JSON: {error}: {}", opening(body));
            return Reply::Answer(Box::new(Answer::without_text(Outcome::Failed, cause)));
        }
    };
    read_value(&value, answer)
}

/// Reads the body of a reply with a good status, once it is parsed.
pub(crate) fn read_value(value: &Value, answer: impl FnOnce(&Value) -> Answer) -> Reply {
    match value.get("error") {
        Some(error) if !error.is_null() => Reply::Complaint(complaint(value)),
        _ => Reply::Answer(Box::new(answer(value))),
    }
}

/// Reads the body of a reply with a bad status.
pub(crate) fn read_error(body: &[u8]) -> Complaint {
    match parse(body) {
        Ok(value) => complaint(&value),
        Err(_) => Complaint { message: opening(body), ..Complaint::default() },
    }
}

/// The number that `usage` has under one of the names.
pub(crate) fn usage(value: &Value, names: [&str; 2]) -> Option<i64> {
    let usage = value.get("usage")?;
    names.iter().find_map(|name| integer(usage.get(name)?))
}

/// The answer of the chat API.
pub(crate) fn completion(value: &Value) -> Answer {
    let mut answer = Answer::of(Outcome::Failed);
    answer.usage.input_tokens = usage(value, ["prompt_tokens", "input_tokens"]);
    answer.usage.output_tokens = usage(value, ["completion_tokens", "output_tokens"]);
    let Some(choices) = value.get("choices").and_then(Value::as_array) else {
        answer.error =
            Some("the answer has no `choices`; is this an OpenAI-compatible server?".to_owned());
        return answer;
    };
    let choice = choices.first().unwrap_or(&Value::Null);
    let message = choice.get("message").unwrap_or(&Value::Null);
    // A structured refusal stands beside a null content; `text` is the older dialect.
    answer.response = [message.get("content"), message.get("refusal"), choice.get("text")]
        .into_iter()
        .find_map(|part| text(part?));
    answer.reasoning =
        ["reasoning_content", "reasoning"].iter().find_map(|name| text(message.get(name)?));
    answer.finish_reason = choice.get("finish_reason").and_then(text);
    answer.outcome = match answer.finish_reason.as_deref() {
        Some("length" | "max_tokens" | "model_length") => Outcome::Truncated,
        Some(reason) if names(reason, &FILTERS) => Outcome::Filtered,
        Some("error") => {
            answer.error =
                Some("the server broke the answer off (finish_reason `error`)".to_owned());
            Outcome::Failed
        }
        _ if answer.response.as_deref().is_none_or(|text| text.trim().is_empty()) => Outcome::Empty,
        _ => Outcome::Answered,
    };
    answer
}

/// What an error body says, once it is parsed.
pub(crate) fn complaint(value: &Value) -> Complaint {
    let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
    let inner = error.get("innererror").or_else(|| value.get("innererror"));
    let message = ["message", "detail", "msg"]
        .iter()
        .find_map(|name| text(error.get(name)?))
        .or_else(|| text(error))
        .unwrap_or_else(|| opening(value.to_string().as_bytes()));
    let labels: Vec<String> = [error.get("code"), error.get("type"), error.get("status"), inner]
        .into_iter()
        .flatten()
        .map(|label| label.as_str().map_or_else(|| label.to_string(), str::to_owned))
        .collect();
    // OpenRouter says 403 of a flagged prompt and of a bad key alike; only the former has reasons.
    let flagged =
        error.get("metadata").is_some_and(|metadata| metadata.get("flagged_input").is_some());
    let status = error.get("code").or_else(|| error.get("status")).and_then(integer);
    Complaint {
        message,
        filtered: flagged || labels.iter().any(|label| names(label, &FILTERS)),
        used_up: labels.iter().any(|label| names(label, &USED_UP)),
        status: status
            .and_then(|status| u16::try_from(status).ok())
            .filter(|s| (400..600).contains(s)),
    }
}

fn names(label: &str, words: &[&str]) -> bool {
    let label = label.to_ascii_lowercase();
    words.iter().any(|word| label.contains(word))
}

/// Text as a string, or as an array of strings and of parts that hold text. Empty text is none.
fn text(value: &Value) -> Option<String> {
    let found = match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| {
                let fields =
                    [Some(part), part.get("text"), part.get("refusal"), part.get("content")];
                fields.into_iter().flatten().find_map(Value::as_str)
            })
            .collect(),
        _ => return None,
    };
    (!found.is_empty()).then_some(found)
}

/// A whole number, however it is written.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().filter(|f| f.abs() < 9e15).map(|f| f as i64))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Text from outside as one short line.
pub(crate) fn short(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let line = printable.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(ERROR_CHARS) {
        None => line,
        Some(_) => line.chars().take(ERROR_CHARS - 1).chain(['…']).collect(),
    }
}

/// A body that could not be understood, cut far beyond what is shown of it: the caller takes the
/// key out and cuts then, and half a key would not be found.
fn opening(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(64 << 10)]).into_owned()
}

/// Parses JSON, mending what servers are known to break: a byte order mark, invalid UTF-8, and
/// escapes of half a character (`\ud83d` alone), which appear where a token limit cuts an emoji.
pub(crate) fn parse(body: &[u8]) -> Result<Value, serde_json::Error> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).or_else(|error| match mend_escapes(text) {
        Cow::Owned(mended) => serde_json::from_str(&mended),
        Cow::Borrowed(_) => Err(error),
    })
}

/// Replaces escapes of half a character by U+FFFD.
fn mend_escapes(text: &str) -> Cow<'_, str> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut mended = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text[at..].find('\\') {
        at += found;
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str(&text[copied..at]);
                mended.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            // Any other escape: what follows the backslash is ASCII in valid JSON.
            _ => at = (at + 2).min(text.len()),
        }
        if !text.is_char_boundary(at) {
            return Cow::Borrowed(text);
        }
    }
    match copied {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(mended + &text[copied..]),
    }
}
