//! Embeddings: the vector of each text, from an OpenAI-compatible server (`POST
//! {base_url}/embeddings`).
//!
//! - They go through [`crate::ask`] like any other question: a request holds a chunk of the texts,
//!   its answer the vectors as text, so that a journal keeps what was paid for.
//! - A text without its vector has no place among the others: what cannot be had is an error of the
//!   run, not a hole. So is a vector that no other can be compared with.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use seval_core::{Error, Result};

use crate::connection::Connection;
use crate::dialect::usage;
use crate::exchange::{Answer, Decoding, Message, Outcome, Request, Traits, Usage};
use crate::reply::integer;
use crate::{Answers, Journal, Known, Limits, Model, ask};

/// The end of the API's address.
pub(crate) const API: &str = "/embeddings";

/// Texts in a request. Hugging Face's server takes 32 unless it is told otherwise, and 32 of the
/// longest texts are within OpenAI's 300,000 tokens.
const CHUNK: usize = 32;

/// The role of a text among the messages of a request.
const ROLE: &str = "input";

/// A model that gives embeddings.
#[derive(Clone, Debug)]
pub struct Embedder(Model);

impl Embedder {
    /// The model that `spec` names: `MODEL` or `openai:MODEL`. Nothing is sent.
    pub fn open(spec: &str, connection: &Connection) -> Result<Self> {
        Model::embedder(spec, connection).map(Self)
    }

    /// The model's name, as its server knows it.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

/// Asks for the vector of each text, in the order of the texts; all are finite, none is all zeros,
/// and they have one length.
///
/// An error is the last item. An empty text is one: it has no meaning to compare, and servers
/// refuse it, so the caller leaves it out and keeps its row. The same texts are cut into the same
/// requests, so that what a journal holds is not asked for again; a text more at the front makes
/// others of all.
pub fn embed(
    embedder: Embedder,
    limits: Limits,
    journal: Option<Journal>,
    texts: impl Iterator<Item = Result<String>> + Send + 'static,
) -> Embeddings {
    let name = embedder.0.name.clone();
    let chunks = Chunks { texts, read: 0 };
    let known = Known { journal, replies: None };
    let answers = ask(vec![embedder.0], limits, known, chunks);
    Embeddings { answers, name, ready: VecDeque::new(), given: 0, length: None }
}

/// The texts as requests.
struct Chunks<T> {
    texts: T,
    read: usize,
}

impl<T: Iterator<Item = Result<String>>> Iterator for Chunks<T> {
    type Item = Result<Request>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut messages = Vec::new();
        for text in self.texts.by_ref().take(CHUNK) {
            let text = match text {
                Ok(text) => text,
                Err(error) => return Some(Err(error)),
            };
            self.read += 1;
            if text.trim().is_empty() {
                let place = format!("text {} to embed", self.read);
                return Some(Err(Error::data(place, "is empty: it has no embedding")));
            }
            messages.push(Message { role: ROLE.to_owned(), content: text });
        }
        let (decoding, traits) = (Decoding::default(), Traits::default());
        (!messages.is_empty()).then_some(Ok(Request {
            model: 0,
            sample: 0,
            decoding,
            messages,
            traits,
        }))
    }
}

/// The vectors of a run, see [`embed`].
pub struct Embeddings {
    answers: Answers,
    name: String,
    /// Vectors of the answer that was taken last.
    ready: VecDeque<Vec<f32>>,
    /// Vectors given.
    given: usize,
    /// How many numbers the vectors have.
    length: Option<usize>,
}

impl Iterator for Embeddings {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            match self.answers.next()?.and_then(|answer| self.vectors(answer)) {
                Ok(vectors) => self.ready = vectors,
                Err(error) => {
                    self.answers = Answers::ended();
                    return Some(Err(error));
                }
            }
        }
        self.given += 1;
        self.ready.pop_front().map(Ok)
    }
}

impl Embeddings {
    fn vectors(&mut self, answer: Answer) -> Result<VecDeque<Vec<f32>>> {
        let failed = |why: &str| {
            let what = format!("no embeddings for the texts from {} on: {why}", self.given + 1);
            Error::world(format!("model {}", self.name), what)
        };
        let Some(packed) = answer.response.filter(|_| answer.outcome == Outcome::Answered) else {
            return Err(failed(answer.error.as_deref().unwrap_or(answer.outcome.as_str())));
        };
        let vectors = unpack(&packed).ok_or_else(|| failed("the answer is not what was kept"))?;
        let length = vectors[0].len();
        match self.length {
            Some(known) if known != length => {
                Err(failed(&format!("its vectors have {length} numbers, those before {known}")))
            }
            _ => {
                self.length = Some(length);
                Ok(vectors)
            }
        }
    }
}

/// The request as it is sent.
pub(crate) fn body(model: &str, request: &Request) -> Value {
    let texts: Vec<&str> = request.messages.iter().map(|text| text.content.as_str()).collect();
    json!({"model": model, "input": texts, "encoding_format": "float"})
}

/// The answer to a request of so many texts.
pub(crate) fn answer(value: &Value, texts: usize) -> Answer {
    let answer = match vectors(value, texts) {
        Ok(vectors) => Answer { response: Some(pack(&vectors)), ..Answer::of(Outcome::Answered) },
        Err(why) => Answer::without_text(Outcome::Failed, why),
    };
    let usage =
        Usage { input_tokens: usage::openai(value.get("usage")).input_tokens, ..Usage::default() };
    Answer { usage, ..answer }
}

/// The vectors in the order of the texts, or why they are none.
fn vectors(value: &Value, texts: usize) -> std::result::Result<Vec<Vec<f32>>, String> {
    let Some(data) = value.get("data").and_then(Value::as_array) else {
        return Err("the answer has no `data`; does this server give embeddings?".to_owned());
    };
    if data.len() != texts {
        return Err(format!("the answer has {} vectors for {texts} texts", data.len()));
    }
    let mut vectors = vec![Vec::new(); texts];
    for (at, item) in data.iter().enumerate() {
        // Without a number they are in order.
        let index = item.get("index").filter(|index| !index.is_null());
        let place = index.map_or(Some(at), |index| usize::try_from(integer(index)?).ok());
        let free = place.filter(|place| vectors.get(*place).is_some_and(Vec::is_empty));
        let Some(place) = free else {
            return Err(match place.filter(|place| *place < texts) {
                Some(place) => format!("the answer has two vectors with `index` {place}"),
                None => format!("the answer has a vector with `index` {}", item["index"]),
            });
        };
        vectors[place] = vector(item)
            .map_err(|why| format!("the vector with `index` {place} of {texts} {why}"))?;
    }
    let length = vectors[0].len();
    match vectors.iter().position(|vector| vector.len() != length) {
        Some(at) => Err(format!(
            "the vector with `index` {at} has {} numbers, that with 0 has {length}",
            vectors[at].len()
        )),
        None => Ok(vectors),
    }
}

fn vector(item: &Value) -> std::result::Result<Vec<f32>, String> {
    let numbers = item.get("embedding").and_then(Value::as_array).ok_or("is no list of numbers")?;
    let number = |(at, number): (usize, &Value)| {
        let found = number.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
        found.ok_or_else(|| format!("holds {number} in place {at}, which is no finite number"))
    };
    let vector =
        numbers.iter().enumerate().map(number).collect::<std::result::Result<Vec<_>, _>>()?;
    match vector.iter().all(|number| *number == 0.0) {
        true if vector.is_empty() => Err("is empty".to_owned()),
        true => Err("is all zeros".to_owned()),
        false => Ok(vector),
    }
}

/// Vectors as text.
#[derive(Serialize, Deserialize)]
struct Packed {
    /// How many numbers each has.
    length: usize,
    /// All numbers, one vector after the other, little-endian, in base64.
    f32: String,
}

fn pack(vectors: &[Vec<f32>]) -> String {
    let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
    let length = vectors.first().map_or(0, Vec::len);
    json!(Packed { length, f32: STANDARD.encode(bytes) }).to_string()
}

/// At least one vector.
fn unpack(text: &str) -> Option<VecDeque<Vec<f32>>> {
    let packed: Packed = serde_json::from_str(text).ok()?;
    let bytes = STANDARD.decode(packed.f32).ok()?;
    let (words, rest) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    let vectors = numbers.len().checked_div(packed.length)?;
    let whole = vectors > 0 && vectors * packed.length == numbers.len() && rest.is_empty();
    whole.then(|| numbers.chunks(packed.length).map(<[f32]>::to_vec).collect())
}
