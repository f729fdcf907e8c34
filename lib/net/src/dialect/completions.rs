//! OpenAI's older API, which goes on with a text: models without a chat template need it.

use serde_json::{Map, Value, json};

use super::{chat, joined, number, set};
use crate::exchange::{Answer, Decoding, Request};

pub(super) const FIELDS: [&str; 7] =
    ["temperature", "top_p", "top_k", "max_tokens", "seed", "logprobs", "stream_options"];

pub(super) fn settings(decoding: &Decoding) -> Map<String, Value> {
    set([
        ("temperature", number(decoding.temperature)),
        ("top_p", number(decoding.top_p)),
        ("top_k", decoding.top_k.map(Value::from)),
        ("max_tokens", decoding.max_tokens.map(Value::from)),
        ("seed", decoding.seed.map(Value::from)),
        // Here it is the number of likeliest tokens.
        ("logprobs", decoding.top_logprobs.map(Value::from)),
    ])
}

pub(super) fn body(model: &str, request: &Request, stream: bool) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("prompt".to_owned(), json!(joined(request, |_| true).unwrap_or_default()));
    body.extend(settings(&request.decoding));
    if stream {
        chat::streamed(&mut body);
    }
    Value::Object(body)
}

pub(super) fn read(value: &Value) -> Answer {
    // What a base model writes is text, whatever tags are in it.
    chat::read_plain(value)
}
