//! A question on its way to an answer.

use std::sync::Arc;

use hyper::body::Bytes;

use crate::exchange::{Request, Usage};
use crate::fingerprint::Asked;
use crate::turns::Rest;

/// What a question is asked with.
#[derive(Default)]
pub struct Prepared {
    /// What the journal knows it by; none without a journal.
    pub asked: Option<Arc<Asked>>,
    /// Tokens of the request and dollars, as they are guessed before.
    pub estimate: Estimate,
    /// What is sent to a server.
    pub body: Bytes,
}

/// A question on its way.
pub struct Job {
    /// Its place in the window.
    pub number: u64,
    /// What is sent.
    pub request: Request,
    /// What of the conversation is still to come.
    pub rest: Option<Box<Rest>>,
    /// What it is asked with.
    pub prepared: Prepared,
    /// How often it was sent.
    pub attempts: i64,
    /// How often it was sent again although the first may be charged for.
    pub resends: u32,
    /// How often there was no connection for it.
    pub unreached: u32,
}

impl Job {
    /// A question that has no place yet and was not sent.
    pub fn new(request: Request, rest: Option<Box<Rest>>, prepared: Prepared) -> Self {
        Self { number: 0, request, rest, prepared, attempts: 0, resends: 0, unreached: 0 }
    }

    /// Bytes of text, for bounding memory.
    pub fn weight(&self) -> usize {
        let to_come = self.rest.as_ref().map_or(0, |rest| rest.weight());
        self.request.weight() + to_come + self.prepared.body.len()
    }
}

/// What a request will take, about.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Tokens in and out.
    pub tokens: u64,
    /// Tokens in.
    pub input: u64,
    /// Dollars, where the price is known.
    pub cost: f64,
}

/// All tokens of an answer.
pub fn tokens(usage: &Usage) -> Option<u64> {
    u64::try_from(usage.input_tokens?.saturating_add(usage.output_tokens?)).ok()
}
