//! What the fault server does with a request: steps in order, and how the connection ends.

use super::fault_server::Asked;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// One thing after the other.
#[derive(Clone)]
pub enum Step {
    Wait(Duration),
    /// Waits until a test opens the gate.
    Until(Gate),
    Send(Vec<u8>),
    /// A byte, then a pause, and so on.
    Drip(Vec<u8>, Duration),
    /// The same again and again, until the client goes away.
    Endless(Vec<u8>),
    /// Nothing, until the client goes away.
    Hold,
}

impl Step {
    /// Whether it comes before the answer is made.
    pub fn is_wait(&self) -> bool {
        matches!(self, Self::Wait(_) | Self::Until(_))
    }
}

/// What becomes of the connection.
#[derive(Clone, Copy)]
pub enum End {
    Keep,
    /// FIN.
    Close,
    /// RST.
    Reset,
}

/// A request's fate.
#[derive(Clone)]
pub struct Act {
    pub steps: Vec<Step>,
    pub end: End,
    /// It costs tokens.
    pub billed: bool,
    /// The steps are a whole answer.
    pub whole: bool,
}

/// Closed until a test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open, at the longest so long.
    pub fn pass(&self, most: Duration) {
        let open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.1.wait_timeout_while(open, most, |open| !*open));
    }
}

impl Act {
    /// The same after other steps.
    pub fn after(mut self, step: Step) -> Self {
        self.steps.insert(0, step);
        self
    }

    /// The same, later.
    pub fn late(self, milliseconds: u64) -> Self {
        self.after(Step::Wait(Duration::from_millis(milliseconds)))
    }

    /// Only the first bytes of it, and then an end.
    pub fn cut(mut self, length: usize, end: End) -> Self {
        let mut bytes = self.bytes();
        bytes.truncate(length);
        self.steps.retain(Step::is_wait);
        self.steps.push(Step::Send(bytes));
        Self { end, whole: false, ..self }
    }

    /// Only the head of it and the first bytes of the body, and then an end.
    pub fn cut_body(self, length: usize, end: End) -> Self {
        let head = self.head_length();
        self.cut(head + length, end)
    }

    /// All but the last bytes of it, and then an end.
    pub fn all_but(self, last: usize, end: End) -> Self {
        let length = self.bytes().len() - last;
        self.cut(length, end)
    }

    /// As far as there, and then nothing more.
    pub fn stall_body(self, length: usize) -> Self {
        let mut act = self.cut_body(length, End::Close);
        act.steps.push(Step::Hold);
        act
    }

    /// Byte for byte from there on, `pause` after each.
    pub fn drip(mut self, from: usize, pause: Duration) -> Self {
        let mut bytes = self.bytes();
        let slow = bytes.split_off(from.min(bytes.len()));
        self.steps.retain(Step::is_wait);
        self.steps.extend([Step::Send(bytes), Step::Drip(slow, pause)]);
        self
    }

    /// The same, the body byte for byte.
    pub fn drip_body(self, pause: Duration) -> Self {
        let head = self.head_length();
        self.drip(head, pause)
    }

    /// Nothing that costs.
    pub fn free(self) -> Self {
        Self { billed: false, ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let sends = self.steps.iter().filter_map(|step| match step {
            Step::Send(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        sends.collect::<Vec<_>>().concat()
    }

    fn head_length(&self) -> usize {
        let bytes = self.bytes();
        bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4
    }
}

/// A good answer.
pub fn good(asked: &Asked) -> Act {
    body(200, &[], chat(asked, &asked.answer()).to_string()).billing()
}

/// A good status with some text in place of the answer.
pub fn says(asked: &Asked, text: &str) -> Act {
    body(200, &[], chat(asked, text).to_string()).billing()
}

/// A good status with a body that a test makes.
pub fn raw(bytes: impl Into<Vec<u8>>) -> Act {
    body(200, &[], bytes).billing()
}

/// The body of an answer.
pub fn chat(asked: &Asked, text: &str) -> Value {
    let (input, output) = asked.tokens();
    json!({
        "id": format!("chatcmpl-{:x}", asked.key), "object": "chat.completion", "created": 1,
        "model": asked.body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                     "finish_reason": "stop"}],
        "usage": {"prompt_tokens": input, "completion_tokens": output,
                  "total_tokens": input + output},
    })
}

/// A bad status with headers.
pub fn refuses(status: u16, headers: &[(&str, &str)]) -> Act {
    let error = json!({"message": format!("refused with {status}"), "type": "test", "code": null});
    body(status, headers, json!({"error": error}).to_string())
}

/// A status, headers and a body.
pub fn body(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Act {
    let body = body.into();
    let length = body.len().to_string();
    let bytes = head(status, &[headers, &[("content-length", length.as_str())]].concat());
    Act {
        steps: vec![Step::Send([bytes, body].concat())],
        end: End::Keep,
        billed: false,
        whole: true,
    }
}

/// A good answer in pieces of some bytes, each a chunk of its own.
pub fn chunked(kind: &str, bytes: &[u8], size: usize) -> Act {
    let mut text = head(200, &[("transfer-encoding", "chunked"), ("content-type", kind)]);
    for piece in bytes.chunks(size) {
        text.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        text.extend(piece);
        text.extend(b"\r\n");
    }
    text.extend(b"0\r\n\r\n");
    Act { steps: vec![Step::Send(text)], end: End::Keep, billed: true, whole: true }
}

/// A good answer of a server that streams: a word an event, then usage, then `ends`.
pub fn stream(asked: &Asked, text: &str, ends: &str) -> Act {
    let (input, output) = asked.tokens();
    let model = &asked.body["model"];
    let event = |event: Value| format!("data: {event}\n\n");
    let delta = |delta: Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        event(json!({"id": "c", "object": "chat.completion.chunk", "model": model,
                     "choices": [choice]}))
    };
    let mut events = delta(json!({"role": "assistant", "content": ""}), Value::Null);
    for word in text.split_inclusive(' ') {
        events += &delta(json!({"content": word}), Value::Null);
    }
    if ends == "data: [DONE]\n\n" {
        events += &delta(json!({}), json!("stop"));
        events += &event(json!({"id": "c", "object": "chat.completion.chunk", "model": model,
            "choices": [], "usage": {"prompt_tokens": input, "completion_tokens": output}}));
    }
    chunked("text/event-stream", (events + ends).as_bytes(), 16 << 10)
}

/// A body as it is under gzip.
pub fn gzip(bytes: impl Iterator<Item = Vec<u8>>) -> Act {
    let level = flate2::Compression::best();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    bytes.for_each(|bytes| encoder.write_all(&bytes).unwrap());
    body(200, &[("content-encoding", "gzip")], encoder.finish().unwrap()).billing()
}

/// A body without end.
pub fn endless(headers: &[(&str, &str)], first: &[u8], again: &[u8]) -> Act {
    let first = [head(200, headers), first.to_vec()].concat();
    let steps = vec![Step::Send(first), Step::Endless(again.to_vec())];
    Act { steps, end: End::Close, billed: true, whole: false }
}

/// The request is read, and then the connection ends without a word.
pub fn ends(end: End) -> Act {
    Act { steps: Vec::new(), end, billed: false, whole: false }
}

/// The request is read, and then nothing comes.
pub fn silence() -> Act {
    Act { steps: vec![Step::Hold], end: End::Close, billed: false, whole: false }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Test\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head += "content-type: application/json\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n").into_bytes()
}

impl Act {
    /// The same at a price.
    fn billing(self) -> Self {
        Self { billed: true, ..self }
    }
}
