//! The OpenAI-compatible dialect: `POST {base_url}/chat/completions`, and `/embeddings`.
//!
//! - Clear text goes to this machine only; no redirect is followed and no proxy is taken from the
//!   environment. `localhost` is this machine whatever the resolver says.
//! - The key is sent and never shown: each message passes [`Endpoint::clean`], since servers echo
//!   keys.

use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use seval_core::{Error, Result};
use tokio::time::{Instant, timeout};

use crate::address;
use crate::connection::Connection;
use crate::embed;
use crate::exchange::{Answer, Decoding, Message, Outcome, Request};
use crate::fingerprint::Asked;
use crate::health::{Health, Trouble};
use crate::reply::{self, Complaint, Reply};
use crate::retry::{Stop, jitter, may_pass, retry_after};

/// The most bytes of an error body to read: a message is all that is wanted of it.
const ERROR_BYTES: usize = 64 << 10;

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The next turn of a conversation.
    Chat,
    /// The vectors of texts (see [`crate::embed`]).
    Embeddings,
}

/// One model of one server.
#[derive(Debug)]
pub(crate) struct Endpoint {
    model: String,
    dialect: Dialect,
    url: Url,
    client: Client,
    authorization: Option<HeaderValue>,
    connection: Connection,
    health: Health,
}

/// What one attempt came to.
enum Attempt {
    Done(Answer),
    /// It may go better later, at the earliest after the wait that the server asks for.
    Again {
        why: String,
        after: Option<Duration>,
        connected: bool,
    },
    /// Not to be tried again, and perhaps not by other requests either.
    Trouble(Trouble, String),
}

/// A body, as far as it was read.
enum Body {
    Whole(Vec<u8>),
    Cut(Vec<u8>),
    Paused,
    Lost(reqwest::Error),
}

impl Endpoint {
    /// Checks the address and the key. Nothing is sent.
    pub fn open(model: &str, connection: &Connection, dialect: Dialect) -> Result<Self> {
        let Some(base) = &connection.base_url else {
            return Err(Error::usage(format!("model {model}"), "no address to ask it at")
                .hint("give --base-url, such as http://localhost:8000/v1; sim:NAME needs none"));
        };
        let api = match dialect {
            Dialect::Chat => address::CHAT,
            Dialect::Embeddings => embed::API,
        };
        let url = address::check(base, api)?;
        let authorization = connection.api_key.as_ref().map(bearer).transpose()?;
        let client = address::client(&url, connection.connect_timeout)?;
        Ok(Self {
            model: model.to_owned(),
            dialect,
            url,
            client,
            authorization,
            connection: connection.clone(),
            health: Health::default(),
        })
    }

    /// Asks, and asks again where that may help. An error ends the run.
    pub async fn ask(&self, request: &Request, stop: &Stop) -> Result<Answer> {
        let mut attempts = 0;
        loop {
            while let Some(left) = self.health.pause_left() {
                stop.wait(left + jitter(self.connection.backoff, 1)).await?;
            }
            stop.check()?;
            attempts += 1;
            let began = Instant::now();
            let limit = self.connection.attempt_timeout;
            let attempt = timeout(limit, self.attempt(request)).await.unwrap_or_else(|_| {
                let cause = format!("no answer within {} s", limit.as_secs_f32());
                Attempt::Done(Answer::without_text(Outcome::TimedOut, cause))
            });
            let latency = began.elapsed();
            let answer = match attempt {
                Attempt::Done(answer) => answer,
                Attempt::Trouble(trouble, why) => self.trouble(trouble, &why, stop)?,
                Attempt::Again { why, after: Some(after), .. }
                    if after > self.connection.max_retry_after =>
                {
                    let most = self.connection.max_retry_after.as_secs();
                    let cause = format!(
                        "the server asks to wait {} s, over {most} s: {why}",
                        after.as_secs()
                    );
                    Answer::without_text(Outcome::Failed, cause)
                }
                Attempt::Again { after, .. } if attempts <= self.connection.max_retries => {
                    if let Some(after) = after {
                        self.health.pause(after);
                    }
                    let wait = jitter(self.connection.backoff, attempts);
                    stop.wait(after.unwrap_or_default() + wait).await?;
                    continue;
                }
                Attempt::Again { why, connected: true, .. } => failed(given_up(attempts, &why)),
                Attempt::Again { why, connected: false, .. } => {
                    self.trouble(Trouble::Unreachable, &given_up(attempts, &why), stop)?
                }
            };
            return Ok(Answer {
                // A server that repeats its request would put the key into the file of answers.
                response: answer.response.map(|text| match self.dialect {
                    Dialect::Chat => self.without_key(text),
                    // Numbers that we wrote ourselves.
                    Dialect::Embeddings => text,
                }),
                reasoning: answer.reasoning.map(|text| self.without_key(text)),
                error: answer.error.map(|error| self.clean(&error)),
                latency_ms: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX),
                attempts: attempts.into(),
                ..answer
            });
        }
    }

    async fn attempt(&self, request: &Request) -> Attempt {
        let body = match self.dialect {
            Dialect::Chat => body(&self.model, request),
            Dialect::Embeddings => embed::body(&self.model, request),
        };
        let mut post = self.client.post(self.url.clone());
        post = post.header(CONTENT_TYPE, "application/json").body(body.to_string());
        if let Some(authorization) = &self.authorization {
            post = post.header(AUTHORIZATION, authorization);
        }
        let response = match post.send().await {
            Ok(response) => response,
            Err(error) => return lost(error),
        };
        self.health.reached();
        let (status, headers) = (response.status(), response.headers().clone());
        let good = status.is_success();
        let limit = if good { self.connection.max_response_bytes } else { ERROR_BYTES };
        match self.read(response, limit).await {
            Body::Whole(body) if good => match self.reply(request, &body) {
                Reply::Answer(answer) => {
                    self.health.answered();
                    Attempt::Done(*answer)
                }
                Reply::Complaint(complaint) => {
                    let named =
                        complaint.status.and_then(|status| StatusCode::from_u16(status).ok());
                    refused(named.unwrap_or(status), &headers, complaint)
                }
            },
            Body::Cut(_) if good => {
                self.health.answered();
                let cause = format!("the answer is larger than {limit} bytes");
                Attempt::Done(Answer::without_text(Outcome::TooLarge, cause))
            }
            Body::Paused if good => {
                let pause = self.connection.idle_timeout.as_secs_f32();
                let cause = format!("the answer began, and then nothing came for {pause} s");
                Attempt::Done(Answer::without_text(Outcome::TimedOut, cause))
            }
            Body::Lost(error) if good => lost(error),
            // The status of a bad reply says enough, with whatever came of its body.
            Body::Whole(body) | Body::Cut(body) => {
                refused(status, &headers, reply::read_error(&body))
            }
            Body::Paused | Body::Lost(_) => refused(status, &headers, Complaint::default()),
        }
    }

    fn reply(&self, request: &Request, body: &[u8]) -> Reply {
        match self.dialect {
            Dialect::Chat => reply::read(body, reply::completion),
            Dialect::Embeddings => {
                reply::read(body, |value| embed::answer(value, request.messages.len()))
            }
        }
    }

    async fn read(&self, mut response: Response, limit: usize) -> Body {
        let mut body = Vec::new();
        loop {
            match timeout(self.connection.idle_timeout, response.chunk()).await {
                Err(_) => return Body::Paused,
                Ok(Err(error)) => return Body::Lost(error),
                Ok(Ok(None)) => return Body::Whole(body),
                Ok(Ok(Some(chunk))) => {
                    let room = limit - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        return Body::Cut(body);
                    }
                }
            }
        }
    }

    /// A failed row, or the end of the run if other requests would fail in the same way.
    fn trouble(&self, trouble: Trouble, why: &str, stop: &Stop) -> Result<Answer> {
        if !self.health.failed(trouble) {
            return Ok(failed(why.to_owned()));
        }
        let place = format!("model {}", self.model);
        let address = address::shown(&self.url);
        let (what, hint) = match trouble {
            Trouble::Unreachable if why.contains("refused") => (
                format!("nothing listens at {address}: {why}"),
                "start the server, or correct --base-url",
            ),
            Trouble::Unreachable => {
                (format!("cannot reach {address}: {why}"), "check --base-url and the network")
            }
            Trouble::Denied => (why.to_owned(), "check the API key and its account"),
            Trouble::Forbidden => (why.to_owned(), "check that the API key may use this model"),
            Trouble::NotFound => {
                (format!("{why} (at {address})"), "check the model's name and --base-url")
            }
        };
        Err(stop.now(Error::world(place, self.clean(&what)).hint(hint)))
    }

    /// Text from outside without the key, in any form it may come back in.
    fn without_key(&self, mut text: String) -> String {
        if let Some(key) = &self.connection.api_key {
            for form in address::forms(key.expose_secret()) {
                if text.contains(&form) {
                    text = text.replace(&form, "[key]");
                }
            }
        }
        text
    }

    /// Text from outside as one short line, without the key.
    fn clean(&self, text: &str) -> String {
        reply::short(&self.without_key(text.to_owned()))
    }

    /// What the journal knows a request by.
    pub fn asked(&self, request: &Request) -> Asked {
        let address = address::shown(&self.url);
        match self.dialect {
            Dialect::Chat => Asked::new(&self.model, &address, request),
            Dialect::Embeddings => Asked::embeddings(&self.model, &address, request),
        }
    }
}

/// The request in the dialect of such servers: only settings that are set.
pub(crate) fn body(model: &str, request: &Request) -> Value {
    let turn = |message: &Message| json!({"role": message.role, "content": message.content});
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), request.messages.iter().map(turn).collect());
    body.extend(settings(&request.decoding));
    Value::Object(body)
}

/// The settings that are set, as they are sent.
pub(crate) fn settings(decoding: &Decoding) -> Map<String, Value> {
    // Adding zero makes -0 and 0 one number.
    let number = |number: Option<f64>| number.map(|number| Value::from(number + 0.0));
    let settings = [
        ("temperature", number(decoding.temperature)),
        ("top_p", number(decoding.top_p)),
        ("top_k", decoding.top_k.map(Value::from)),
        ("max_tokens", decoding.max_tokens.map(Value::from)),
        ("seed", decoding.seed.map(Value::from)),
        ("logprobs", decoding.top_logprobs.map(|_| Value::from(true))),
        ("top_logprobs", decoding.top_logprobs.map(Value::from)),
    ];
    let set = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
    settings.into_iter().filter_map(set).collect()
}

fn bearer(key: &SecretString) -> Result<HeaderValue> {
    let text = format!("Bearer {}", key.expose_secret());
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Error::usage("API key", "it holds characters that no header can carry")
            .hint("look for a line break or a stray character in it")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a reply with a bad status comes to.
fn refused(status: StatusCode, headers: &HeaderMap, complaint: Complaint) -> Attempt {
    let why = complaint.with_status(&status);
    match status.as_u16() {
        _ if complaint.filtered => Attempt::Done(Answer::without_text(Outcome::Filtered, why)),
        401 | 402 => Attempt::Trouble(Trouble::Denied, why),
        _ if complaint.used_up => Attempt::Trouble(Trouble::Denied, why),
        403 => Attempt::Trouble(Trouble::Forbidden, why),
        404 => Attempt::Trouble(Trouble::NotFound, why),
        300..=399 => Attempt::Done(failed(format!("{why}; redirects are not followed"))),
        _ if may_pass(status) => {
            let after = retry_after(headers, SystemTime::now());
            Attempt::Again { why, after, connected: true }
        }
        _ => Attempt::Done(failed(why)),
    }
}

/// What a connection that failed comes to.
fn lost(error: reqwest::Error) -> Attempt {
    let (connect, late) = (error.is_connect(), error.is_timeout());
    // The address is not in the causes' text, and what it may hold in its query must not be.
    let error = error.without_url();
    let cause = address::deepest(&error);
    match (connect, late) {
        (true, _) => Attempt::Again {
            why: format!("cannot connect: {cause}"),
            after: None,
            connected: false,
        },
        (false, true) => Attempt::Done(Answer::without_text(Outcome::TimedOut, cause.to_string())),
        (false, false) => Attempt::Again {
            why: format!("the connection was lost: {cause}"),
            after: None,
            connected: true,
        },
    }
}

fn failed(why: String) -> Answer {
    Answer::without_text(Outcome::Failed, why)
}

fn given_up(attempts: u32, why: &str) -> String {
    match attempts {
        1 => why.to_owned(),
        _ => format!("given up after {attempts} attempts: {why}"),
    }
}
