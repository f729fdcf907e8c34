//! Asks models: the ones under test, generators, judges and embedders, all through [`ask`].
//!
//! - One [`Answer`] per [`Request`], in the order of the requests; a failed request is an answer
//!   with an [`Outcome`], not an error of the run. No outcome is inferred later and none is a
//!   verdict.
//! - Memory is bounded by the limits, not by the number of requests.
//! - With a [`Journal`], an answer is on disk before it is given on, and what an earlier run asked
//!   is not asked again.
//! - Nothing leaves in clear text except to this machine, nothing follows a redirect or a proxy,
//!   and no error carries the key, even if the server echoes it.
//! - This crate opens sockets and reads clocks; it knows no SQL and writes to no terminal.

mod address;
pub mod batch;
mod connection;
pub mod embed;
mod engine;
mod exchange;
mod fingerprint;
pub mod generate;
mod health;
mod journal;
pub mod key;
mod model;
mod openai;
mod reply;
mod retry;
pub mod rows;
mod sim;
mod turns;
mod words;

pub use connection::Connection;
pub use engine::{Answers, Limits, ask};
pub use exchange::{
    Answer, Decoding, Logprob, Message, Outcome, Request, Traits, Truth, Usage,
};
pub use fingerprint::Fingerprint;
pub use journal::Journal;
pub use model::Model;
pub use words::MARK;
