//! Puts the events of a streamed reply together to the whole reply that they stand for, which is
//! then read as if it had come whole.

use serde_json::{Map, Value, json};

use super::{Dialect, chat, gemini, logprobs};
use crate::exchange::{Answer, Logprob, Outcome};
use crate::reply::{self, Complaint, text};

/// What OpenAI's dialects end with.
const DONE: &str = "[DONE]";

/// A streamed reply, as far as it has come.
#[derive(Debug)]
pub(crate) struct Stream {
    dialect: Dialect,
    response: String,
    reasoning: String,
    refusal: String,
    logprobs: Vec<Logprob>,
    finish_reason: Option<String>,
    /// The fields about the whole reply, under their names; of each, what came last.
    about: Map<String, Value>,
    /// There was an answer, if only an empty one.
    begun: bool,
    /// The server said that there is no more text.
    complete: bool,
    /// The server said that there is no more event.
    done: bool,
}

impl Stream {
    /// Nothing has come.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            response: String::new(),
            reasoning: String::new(),
            refusal: String::new(),
            logprobs: Vec::new(),
            finish_reason: None,
            about: Map::new(),
            begun: false,
            complete: false,
            done: false,
        }
    }

    /// Takes an event: its name, if it has one, and its data. An error that the server sends in
    /// place of an answer comes back, and so does what is no event of the dialect.
    pub fn push(&mut self, name: Option<&str>, data: &str) -> Result<(), Complaint> {
        if self.done || data.trim().is_empty() {
            return Ok(());
        }
        let openai = matches!(self.dialect, Dialect::Chat | Dialect::Completions);
        if openai && data.trim() == DONE {
            // Not what tells that an answer is whole: some servers say so where they broke it off too.
            self.done = true;
            return Ok(());
        }
        let value = match reply::parse(data.as_bytes()) {
            Ok(value) => value,
            Err(_) if name == Some("error") => {
                return Err(Complaint { message: data.to_owned(), ..Complaint::default() });
            }
            Err(error) => {
                let message = format!("an event is not JSON: {error}: {data}");
                return Err(Complaint { message, ..Complaint::default() });
            }
        };
        // Some versions of vLLM name an error `object`, and Anthropic's has the type.
        let is = |field: &str| value.get(field).is_some_and(|kind| kind == "error");
        let error = value.get("error").is_some_and(reply::says_something);
        if error || name == Some("error") || is("object") || is("type") {
            return Err(reply::complaint(&value));
        }
        match self.dialect {
            Dialect::Chat | Dialect::Completions => self.openai(&value),
            Dialect::Anthropic => self.anthropic(&value),
            Dialect::Gemini => self.gemini(&value),
        }
        Ok(())
    }

    /// The text that has come.
    pub fn said(self) -> Option<String> {
        (!self.response.is_empty()).then_some(self.response)
    }

    /// The answer. One that was cut off is a failed one and keeps the text that came.
    pub fn finish(mut self) -> Answer {
        let (dialect, complete) = (self.dialect, self.complete);
        let logprobs = std::mem::take(&mut self.logprobs);
        let mut answer = dialect.read(&self.whole());
        answer.logprobs = (!logprobs.is_empty()).then_some(logprobs);
        if !complete {
            answer.outcome = Outcome::Failed;
            answer.error = Some("the stream ended early".to_owned());
        }
        answer
    }

    fn openai(&mut self, value: &Value) {
        self.keep(value, &["model", "system_fingerprint", "usage"]);
        let Some(choices) = value.get("choices").and_then(Value::as_array) else { return };
        self.begun = true;
        for choice in choices {
            let index = choice.get("index").and_then(reply::integer);
            if index.unwrap_or_default() != 0 {
                continue;
            }
            let delta = choice.get("delta").unwrap_or(&Value::Null);
            let said = [delta.get("content"), choice.get("text")];
            add(&mut self.response, said.into_iter().flatten().find_map(text));
            add(&mut self.refusal, delta.get("refusal").and_then(text));
            add(&mut self.reasoning, chat::reasoning(delta));
            let logprobs = choice.get("logprobs").and_then(logprobs::openai);
            self.logprobs.extend(logprobs.into_iter().flatten());
            self.stopped(choice.get("finish_reason"));
        }
        // What a server sends after it counts tokens.
        self.complete |= self.finish_reason.is_some();
    }

    fn anthropic(&mut self, value: &Value) {
        match value.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                self.begun = true;
                self.keep(value.get("message").unwrap_or(&Value::Null), &["model", "usage"]);
            }
            Some("content_block_start") => {
                self.block(value.get("content_block").unwrap_or(&Value::Null));
            }
            Some("content_block_delta") => self.block(value.get("delta").unwrap_or(&Value::Null)),
            Some("message_delta") => {
                self.keep(value, &["usage"]);
                self.stopped(value.pointer("/delta/stop_reason"));
            }
            Some("message_stop") => (self.complete, self.done) = (true, true),
            // Pings, ends of blocks, and what is yet to come.
            _ => {}
        }
    }

    fn block(&mut self, block: &Value) {
        add(&mut self.response, block.get("text").and_then(text));
        add(&mut self.reasoning, block.get("thinking").and_then(text));
    }

    fn gemini(&mut self, value: &Value) {
        self.keep(value, &["modelVersion", "usageMetadata", "promptFeedback"]);
        if let Some(reason) = gemini::blocked(value) {
            self.finish_reason.get_or_insert(reason);
            self.complete = true;
        }
        let candidates = value.get("candidates").and_then(Value::as_array);
        for candidate in candidates.into_iter().flatten() {
            let index = candidate.get("index").and_then(reply::integer);
            if index.unwrap_or_default() != 0 {
                continue;
            }
            self.begun = true;
            add(&mut self.response, gemini::said(candidate, false));
            add(&mut self.reasoning, gemini::said(candidate, true));
            let logprobs = candidate.get("logprobsResult").and_then(logprobs::gemini);
            self.logprobs.extend(logprobs.into_iter().flatten());
            self.stopped(candidate.get("finishReason"));
            self.complete |= self.finish_reason.is_some();
        }
    }

    /// Keeps fields about the whole. Of a count that comes in parts each part is kept.
    fn keep(&mut self, value: &Value, names: &[&str]) {
        for name in names {
            match (value.get(name), self.about.get_mut(*name)) {
                (None | Some(Value::Null), _) => {}
                (Some(Value::Object(new)), Some(Value::Object(old))) => {
                    let new = new.iter().filter(|(_, value)| !value.is_null());
                    old.extend(new.map(|(name, value)| (name.clone(), value.clone())));
                }
                (Some(Value::String(new)), Some(_)) if new.is_empty() => {}
                (Some(new), _) => {
                    self.about.insert((*name).to_owned(), new.clone());
                }
            }
        }
    }

    fn stopped(&mut self, reason: Option<&Value>) {
        if let Some(reason) = reason.and_then(text) {
            self.finish_reason = Some(reason);
        }
    }

    /// The reply, had it come whole.
    fn whole(self) -> Value {
        let (said, thought, stop) = (self.response, self.reasoning, self.finish_reason);
        let mut whole = self.about;
        let answer = match self.dialect {
            Dialect::Chat | Dialect::Completions => {
                let mut message = json!({"content": said, "refusal": self.refusal});
                if !thought.is_empty() {
                    message["reasoning_content"] = thought.into();
                }
                ("choices", json!([{"message": message, "finish_reason": stop}]))
            }
            Dialect::Anthropic => {
                whole.insert("stop_reason".to_owned(), json!(stop));
                let thought = json!({"type": "thinking", "thinking": thought});
                ("content", json!([thought, {"type": "text", "text": said}]))
            }
            Dialect::Gemini => {
                let parts = json!([{"text": thought, "thought": true}, {"text": said}]);
                let content = json!({"parts": parts});
                ("candidates", json!([{"content": content, "finishReason": stop}]))
            }
        };
        if self.begun {
            whole.insert(answer.0.to_owned(), answer.1);
        }
        Value::Object(whole)
    }
}

fn add(text: &mut String, piece: Option<String>) {
    text.push_str(&piece.unwrap_or_default());
}

#[cfg(test)]
mod tests;
