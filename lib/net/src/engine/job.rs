//! A question on its way to an answer.

use std::sync::Arc;

use crate::exchange::{Answer, Request, Usage};
use crate::fingerprint::Asked;
use crate::turns::Rest;

/// A question on its way.
pub struct Job {
    /// Its place in the window.
    pub number: u64,
    /// What is sent.
    pub request: Request,
    /// What of the conversation is still to come.
    pub rest: Option<Box<Rest>>,
    /// What the journal knows it by; none without a journal.
    pub asked: Option<Arc<Asked>>,
    /// How often it was sent.
    pub attempts: i64,
    /// How often it was sent again although the first may be charged for.
    pub resends: u32,
    /// Tokens of the request and dollars, as they were guessed before.
    pub estimate: Estimate,
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

/// An answer with what it took.
pub fn counted(answer: Answer, attempts: i64, cost: Option<f64>) -> Answer {
    Answer { attempts, cost, ..answer }
}

/// All tokens of an answer.
pub fn tokens(usage: &Usage) -> Option<u64> {
    let sum = usage.input_tokens? + usage.output_tokens?;
    u64::try_from(sum).ok()
}
