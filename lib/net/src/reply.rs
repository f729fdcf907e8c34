//! Reads the body of a server's reply, however it strays from the documented shape.
//!
//! - Nothing here panics or fails: what cannot be read is [`Outcome::Failed`] and says why.
//! - Bodies come from strangers. Depth is limited by the JSON reader, size by the caller.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::Value;

use crate::exchange::Answer;

/// Words by which providers name their filter in an error's code or type.
const FILTERS: [&str; 9] = [
    "content_filter",               // OpenAI, Azure
    "contentfilter",                // Zhipu
    "content_policy",               // OpenAI images, LiteLLM
    "responsibleaipolicyviolation", // Azure's inner error
    "data_inspection_failed",       // Alibaba
    "datainspectionfailed",         // Alibaba's own dialect
    "sensitive_content",            // Volcengine
    "sensitivecontent",             // Volcengine's own dialect
    "moderation",                   // OpenRouter
];

/// Words by which providers name it in nothing but the message.
const FILTER_MESSAGES: [&str; 2] = [
    "blocked by content filtering policy", // Anthropic
    "content exists risk",                 // DeepSeek
];

/// The statuses that Anthropic's errors would have had, had they not come after a good one.
const STATUSES: [(&str, u16); 8] = [
    ("invalid_request_error", 400),
    ("authentication_error", 401),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("api_error", 500),
    ("overloaded_error", 529),
];

/// Words for an account that is used up: status 429, and yet no wait helps.
const USED_UP: [&str; 3] = ["insufficient_quota", "billing_hard_limit", "insufficient_balance"];

/// Words for a bad key: Gemini says so with status 400.
const BAD_KEYS: [&str; 2] = ["api_key_invalid", "invalid_api_key"];

/// The longest `error` of an answer, in characters.
const ERROR_CHARS: usize = 300;

/// The most tokens that an answer can be said to have taken.
const MOST_TOKENS: i64 = 1 << 40;

/// What an error body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The server's message; the body itself if it has no known shape.
    pub message: String,
    /// The provider's filter refused the request.
    pub filtered: bool,
    /// The account is used up, or the key is bad.
    pub used_up: bool,
    /// The status that the body names, if it names one.
    pub status: Option<u16>,
    /// The text that had come before, in a stream.
    pub part: Option<String>,
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
/// What is no JSON at all is said in words.
pub(crate) fn read(body: &[u8], answer: impl FnOnce(&Value) -> Answer) -> Result<Reply, String> {
    let value = match parse(body) {
        Ok(value) => value,
        Err(error) => {
            return Err(format!("the answer is not JSON: {error}: {}", opening(body)));
        }
    };
    Ok(read_value(&value, answer))
}

/// Reads the body of a reply with a good status, once it is parsed.
pub(crate) fn read_value(value: &Value, answer: impl FnOnce(&Value) -> Answer) -> Reply {
    match value.get("error") {
        Some(error) if says_something(error) => Reply::Complaint(complaint(value)),
        _ => Reply::Answer(Box::new(answer(value))),
    }
}

/// Whether an error says that there is one: some servers always send the field.
pub(crate) fn says_something(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// Reads the body of a reply with a bad status.
pub(crate) fn read_error(body: &[u8]) -> Complaint {
    match parse(body) {
        Ok(value) => complaint(&value),
        Err(_) => Complaint { message: opening(body), ..Complaint::default() },
    }
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
    // Zhipu names what it filtered beside the error, whose code is a number.
    let flagged = flagged || value.get("contentFilter").is_some_and(Value::is_array);
    let number = ["code", "status"].iter().find_map(|name| integer(error.get(name)?));
    let named = || {
        let kind = error.get("type")?.as_str()?;
        STATUSES.iter().find(|(name, _)| *name == kind).map(|(_, status)| *status)
    };
    Complaint {
        filtered: flagged
            || labels.iter().any(|label| names_filter(label))
            || names(&message, &FILTER_MESSAGES),
        message,
        used_up: labels.iter().any(|label| names(label, &USED_UP) || names(label, &BAD_KEYS)),
        status: number
            .and_then(|status| u16::try_from(status).ok())
            .filter(|s| (400..600).contains(s))
            .or_else(named),
        part: None,
    }
}

/// Whether the word, of an error or of why a server stopped, is for a provider's filter.
pub(crate) fn names_filter(label: &str) -> bool {
    names(label, &FILTERS)
}

fn names(label: &str, words: &[&str]) -> bool {
    let label = lower(label);
    words.iter().any(|word| label.contains(word))
}

/// A word of servers in lower case, as most are.
pub(crate) fn lower(word: &str) -> Cow<'_, str> {
    match word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(word.to_ascii_lowercase()),
        false => Cow::Borrowed(word),
    }
}

/// Text as a string, or as an array of strings and of parts that hold text. Empty text is none.
pub(crate) fn text(value: &Value) -> Option<String> {
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

/// A number of tokens. One that no model can have taken is none: sums of them must stay numbers.
pub(crate) fn count(value: &Value) -> Option<i64> {
    integer(value).filter(|count| (0..=MOST_TOKENS).contains(count))
}

/// Whether text is one short line as it is: most words of servers are, which need no copy.
pub(crate) fn is_short_word(text: &str) -> bool {
    text.len() < ERROR_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic())
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
