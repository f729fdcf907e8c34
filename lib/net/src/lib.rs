//! Asks models: the ones under test, generators, judges and embedders, all through [`ask`].
//!
//! - One [`Answer`] per [`Request`], in the order of the requests; a failed request is an answer
//!   with an [`Outcome`], not an error of the run. No outcome is inferred later and none is a
//!   verdict.
//! - Memory is bounded by the limits, not by the number of requests.
//! - With a [`Journal`], an answer is on disk before it is given on, and what an earlier run asked
//!   is not asked again.
//! - Nothing leaves in clear text except to this machine, no redirect is followed, a proxy is used
//!   only where [`Connection::proxy`] says so, and no error carries the key, even if the server
//!   echoes it.
//! - This crate opens sockets and reads clocks; it knows no SQL and writes to no terminal.

mod address;
mod attempt;
pub mod batch;
mod body;
mod client;
mod common;
mod connect;
mod connection;
mod dialect;
pub mod embed;
mod endpoint;
mod engine;
mod exchange;
mod exec;
mod fingerprint;
pub mod generate;
pub mod grid;
mod health;
mod journal;
pub mod judge;
pub mod key;
mod kind;
mod model;
pub mod models_file;
mod pace;
pub mod plan;
mod price;
mod provider;
pub mod replay;
mod reply;
mod retry_after;
pub mod rows;
mod sim;
mod sse;
pub mod table;
mod turns;
mod words;

pub use connection::Connection;
pub use engine::progress::Progress;
pub use engine::{Answers, Estimate, Known, Limits, ask};
pub use exchange::{Answer, Decoding, Logprob, Message, Outcome, Request, Traits, Truth, Usage};
pub use fingerprint::Fingerprint;
pub use journal::{Journal, totals};
pub use model::Model;
pub use price::Price;
pub use turns::leaves_turns_open;
pub use words::MARK;
