//! The crate as its callers use it: requests in, answers out, against a scripted server or a
//! simulated target.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod batch;
mod embed;
mod faults;
mod flow;
mod journal;
mod server;
mod shapes;
mod sim;
mod stops;

use std::time::Duration;

use seval_core::Result;
use seval_net::{
    Answer, Connection, Decoding, Journal, Known, Limits, Message, Model, Request, Traits, ask,
};

use server::Server;

/// A request that the server sees as `q{n}`.
fn request(n: usize) -> Request {
    Request {
        model: 0,
        sample: 0,
        decoding: Decoding::default(),
        messages: vec![Message { role: "user".into(), content: format!("q{n}") }],
        traits: Traits { prompt_id: format!("{n:032x}"), ..Traits::default() },
    }
}

/// As a user's connection, with waits short enough for a test.
fn connection(server: &Server) -> Connection {
    Connection { base_url: Some(server.url.clone()), ..Connection::default() }
}

/// So many requests at once, with waits short enough for a test.
fn limits(max_connections: usize) -> Limits {
    Limits { max_connections, backoff: Duration::from_millis(2), ..Limits::default() }
}

/// With a journal.
fn kept(journal: &Journal) -> Known {
    Known { journal: Some(journal.clone()), replies: None }
}

/// Asks the requests `q0` and up, one at a time, and gives all that comes, errors included.
fn outcome(connection: &Connection, limits: Limits, count: usize) -> Vec<Result<Answer>> {
    let models = Model::open("m", connection).unwrap();
    ask(models, limits, Known::default(), (0..count).map(|n| Ok(request(n)))).collect()
}

/// The answer to one request.
fn answer(connection: &Connection) -> Answer {
    outcome(connection, limits(1), 1).remove(0).unwrap()
}

/// The answer to one request that is sent again so often.
fn answer_after(connection: &Connection, max_retries: u32) -> Answer {
    outcome(connection, Limits { max_retries, ..limits(1) }, 1).remove(0).unwrap()
}
