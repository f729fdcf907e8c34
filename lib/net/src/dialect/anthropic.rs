//! Anthropic's Messages.

use serde_json::{Map, Value, json};

use super::{joined, number, set, settle, usage};
use crate::exchange::{Answer, Decoding, Outcome, Request};
use crate::reply::text;

pub(super) const FIELDS: [&str; 4] = ["temperature", "top_p", "top_k", "max_tokens"];

/// The server demands a limit.
pub(super) const MAX_TOKENS: i64 = 1024;

/// There is neither a seed nor a likelihood of tokens.
pub(super) fn settings(decoding: &Decoding) -> Map<String, Value> {
    set([
        ("temperature", number(decoding.temperature)),
        ("top_p", number(decoding.top_p)),
        ("top_k", decoding.top_k.map(Value::from)),
        ("max_tokens", Some(decoding.max_tokens.unwrap_or(MAX_TOKENS).into())),
    ])
}

pub(super) fn body(model: &str, request: &Request, stream: bool) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    if let Some(system) = joined(request, |role| role == "system") {
        body.insert("system".to_owned(), json!(system));
    }
    let turns = request.messages.iter().filter(|message| message.role != "system");
    let turns = turns.map(|message| json!({"role": message.role, "content": message.content}));
    body.insert("messages".to_owned(), turns.collect());
    body.extend(settings(&request.decoding));
    if stream {
        body.insert("stream".to_owned(), json!(true));
    }
    Value::Object(body)
}

pub(super) fn read(value: &Value) -> Answer {
    let mut answer = Answer {
        usage: usage::anthropic(value),
        served_model: value.get("model").and_then(text),
        ..Answer::of(Outcome::Failed)
    };
    let Some(blocks) = value.get("content").and_then(Value::as_array) else {
        answer.error =
            Some("the answer has no `content`; does this server speak Anthropic's dialect?".into());
        return answer;
    };
    // Reasoning that was redacted has no text.
    let all = |kind: &str| {
        let blocks = blocks.iter().filter(|block| block["type"] == *kind);
        let found: String = blocks.filter_map(|block| block.get(kind)?.as_str()).collect();
        (!found.is_empty()).then_some(found)
    };
    (answer.response, answer.reasoning) = (all("text"), all("thinking"));
    answer.finish_reason = value.get("stop_reason").and_then(text);
    settle(&mut answer);
    answer
}
