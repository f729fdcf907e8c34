//! Google's generateContent.

use serde_json::{Map, Value, json};

use super::{joined, logprobs, number, set, settle, usage};
use crate::exchange::{Answer, Decoding, Message, Outcome, Request};
use crate::reply::text;

pub(super) const FIELDS: [&str; 7] =
    ["temperature", "topP", "topK", "maxOutputTokens", "seed", "responseLogprobs", "logprobs"];

/// The field of a body that holds the settings.
pub(super) const SETTINGS: &str = "generationConfig";

pub(super) fn api(model: &str, stream: bool) -> String {
    // Lists of models give the whole name.
    let model = model.strip_prefix("models/").unwrap_or(model);
    match stream {
        true => format!("/models/{model}:streamGenerateContent?alt=sse"),
        false => format!("/models/{model}:generateContent"),
    }
}

pub(super) fn settings(decoding: &Decoding) -> Map<String, Value> {
    set([
        ("temperature", number(decoding.temperature)),
        ("topP", number(decoding.top_p)),
        ("topK", decoding.top_k.map(Value::from)),
        ("maxOutputTokens", decoding.max_tokens.map(Value::from)),
        ("seed", decoding.seed.map(Value::from)),
        ("responseLogprobs", decoding.top_logprobs.map(|_| Value::from(true))),
        // Without it only the likelihood of the chosen tokens comes.
        ("logprobs", decoding.top_logprobs.filter(|top| *top > 0).map(Value::from)),
    ])
}

pub(super) fn body(request: &Request) -> Value {
    let mut body = Map::new();
    if let Some(system) = joined(request, |role| role == "system") {
        body.insert("systemInstruction".to_owned(), json!({"parts": [{"text": system}]}));
    }
    let turn = |message: &Message| {
        let role = if message.role == "assistant" { "model" } else { message.role.as_str() };
        json!({"role": role, "parts": [{"text": message.content}]})
    };
    let turns = request.messages.iter().filter(|message| message.role != "system");
    body.insert("contents".to_owned(), turns.map(turn).collect());
    let settings = settings(&request.decoding);
    if !settings.is_empty() {
        body.insert(SETTINGS.to_owned(), Value::Object(settings));
    }
    Value::Object(body)
}

pub(super) fn read(value: &Value) -> Answer {
    let mut answer = Answer {
        usage: usage::gemini(value),
        served_model: value.get("modelVersion").and_then(text),
        ..Answer::of(Outcome::Failed)
    };
    let candidates = value.get("candidates").and_then(Value::as_array);
    if let Some(candidate) = candidates.and_then(|candidates| candidates.first()) {
        (answer.response, answer.reasoning) = (said(candidate, false), said(candidate, true));
        answer.logprobs = candidate.get("logprobsResult").and_then(logprobs::gemini);
        answer.finish_reason = candidate.get("finishReason").and_then(text);
        settle(&mut answer);
    } else if let Some(reason) = blocked(value) {
        answer.finish_reason = Some(reason);
        answer.outcome = Outcome::Filtered;
    } else if candidates.is_some() || value.get("usageMetadata").is_some() {
        // What is empty is left out.
        answer.outcome = Outcome::Empty;
    } else {
        let cause = "the answer has no `candidates`; does this server speak Gemini's dialect?";
        answer.error = Some(cause.to_owned());
    }
    answer
}

/// Why the request was not let through to the model, if it was not.
pub(super) fn blocked(value: &Value) -> Option<String> {
    text(value.pointer("/promptFeedback/blockReason")?)
}

/// The text of a candidate: its reasoning, or all else.
pub(super) fn said(candidate: &Value, thought: bool) -> Option<String> {
    let parts = candidate.pointer("/content/parts")?.as_array()?.iter();
    let parts = parts.filter(|part| (part["thought"] == true) == thought);
    let found: String = parts.filter_map(|part| part.get("text")?.as_str()).collect();
    (!found.is_empty()).then_some(found)
}
