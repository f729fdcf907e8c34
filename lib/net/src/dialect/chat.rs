//! OpenAI's chat, as OpenAI, vLLM, SGLang, llama.cpp, Ollama and most hosts speak it.

use serde_json::{Map, Value, json};

use super::{logprobs, number, set, settle, usage};
use crate::exchange::{Answer, Decoding, Message, Outcome, Request};
use crate::reply::text;

pub(super) const FIELDS: [&str; 10] = [
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "logprobs",
    "top_logprobs",
    "add_generation_prompt",
    "continue_final_message",
    "stream_options",
];

/// The tags around reasoning that a server leaves in the text.
const THINK: (&str, &str) = ("<think>", "</think>");

pub(super) fn settings(decoding: &Decoding) -> Map<String, Value> {
    set([
        ("temperature", number(decoding.temperature)),
        ("top_p", number(decoding.top_p)),
        ("top_k", decoding.top_k.map(Value::from)),
        ("max_tokens", decoding.max_tokens.map(Value::from)),
        ("seed", decoding.seed.map(Value::from)),
        ("logprobs", decoding.top_logprobs.map(|_| Value::from(true))),
        ("top_logprobs", decoding.top_logprobs.map(Value::from)),
    ])
}

pub(super) fn body(model: &str, request: &Request, stream: bool) -> Value {
    let turn = |message: &Message| json!({"role": message.role, "content": message.content});
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), request.messages.iter().map(turn).collect());
    body.extend(settings(&request.decoding));
    if request.messages.last().is_some_and(|message| message.role == "assistant") {
        // vLLM and SGLang would begin a new turn after it otherwise.
        body.insert("add_generation_prompt".to_owned(), json!(false));
        body.insert("continue_final_message".to_owned(), json!(true));
    }
    if stream {
        streamed(&mut body);
    }
    Value::Object(body)
}

/// Without the second no tokens are counted.
pub(super) fn streamed(body: &mut Map<String, Value>) {
    body.insert("stream".to_owned(), json!(true));
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
}

pub(super) fn read(value: &Value) -> Answer {
    let mut answer = read_plain(value);
    if answer.reasoning.is_none() && take_thought(&mut answer) {
        settle(&mut answer);
    }
    answer
}

/// The answer with its text as it is.
pub(super) fn read_plain(value: &Value) -> Answer {
    let mut answer = Answer {
        usage: usage::openai(value.get("usage")),
        served_model: value.get("model").and_then(text),
        system_fingerprint: value.get("system_fingerprint").and_then(text),
        ..Answer::of(Outcome::Failed)
    };
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
    answer.reasoning = reasoning(message);
    answer.logprobs = choice.get("logprobs").and_then(logprobs::openai);
    answer.finish_reason = choice.get("finish_reason").and_then(text);
    settle(&mut answer);
    answer
}

/// The reasoning of a message, or of a piece of one.
pub(super) fn reasoning(message: &Value) -> Option<String> {
    let apart = ["reasoning_content", "reasoning"].iter().find_map(|name| text(message.get(name)?));
    apart.or_else(|| {
        // Mistral's: parts of the content.
        let parts = message.get("content")?.as_array()?.iter();
        let thought: String = parts.filter_map(|part| text(part.get("thinking")?)).collect();
        (!thought.is_empty()).then_some(thought)
    })
}

/// Takes reasoning out of the text that begins with it; false if there is none.
///
/// The tag anywhere else is text, and so is one that nothing closes, unless the limit cut it off.
fn take_thought(answer: &mut Answer) -> bool {
    let (open, close) = THINK;
    let response = answer.response.as_deref().unwrap_or_default();
    let Some(inner) = response.trim_start().strip_prefix(open) else { return false };
    let (thought, rest) = match inner.split_once(close) {
        Some(parts) => parts,
        None if answer.outcome == Outcome::Truncated => (inner, ""),
        None => return false,
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (answer.reasoning, answer.response) = (some(thought.trim()), some(rest.trim_start()));
    true
}
