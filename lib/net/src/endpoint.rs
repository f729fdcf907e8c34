//! One model of one server: what is sent, and what one attempt comes to.
//!
//! - Clear text goes to this machine only; no redirect is followed, and a proxy only where it was
//!   asked for. `localhost` is this machine whatever the resolver says.
//! - The key is sent and never shown: each message passes [`Endpoint::clean`], since servers echo
//!   keys.
//! - When to send, and whether again, is decided elsewhere ([`crate::pace`]).

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use seval_core::{Error, Result};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::address;
use crate::attempt::{self, Attempt, End, failed, possibly};
use crate::body::{self, Body};
use crate::client::{self, Client};
use crate::common::{Common, Last};
use crate::connection::Connection;
use crate::exchange::{Answer, Logprob, Outcome, Request};
use crate::fingerprint::{Asked, Wanted};
use crate::health::{Health, Tries, Trouble};
use crate::journal::Billed;
use crate::kind::Kind;
use crate::reply::{self, Complaint, Reply};

/// The most bytes of an error body to read: a message is all that is wanted of it.
const ERROR_BYTES: usize = 64 << 10;

/// One model of one server.
#[derive(Debug)]
pub(crate) struct Endpoint {
    model: Arc<str>,
    kind: Kind,
    stream: bool,
    address: Arc<str>,
    client: Client,
    connection: Connection,
    /// The forms in which a server may hand the key back.
    key_forms: Vec<SecretString>,
    last: Last,
    pub health: Health,
}

impl Endpoint {
    /// Checks the address and the key. Nothing is sent.
    pub fn open(model: &str, connection: &Connection, kind: Kind) -> Result<Self> {
        let stream = connection.stream && kind.streams();
        let Some(base) = connection.base_url.as_deref().or(kind.base_url()) else {
            return Err(Error::usage(format!("model {model}"), "no address to ask it at")
                .hint("give --base-url, such as http://localhost:8000/v1; sim:NAME needs none"));
        };
        let url = address::check(base, &kind.api(model, stream))?;
        Ok(Self {
            model: model.into(),
            // Whether it comes in pieces makes no other question of it.
            address: address::shown(&address::check(base, &kind.api(model, false))?).into(),
            client: Client::new(&url, &headers(&kind, connection.api_key.as_ref())?, connection)?,
            kind,
            stream,
            key_forms: key_forms(connection.api_key.as_ref(), &url),
            connection: connection.clone(),
            last: Last::default(),
            health: Health::default(),
        })
    }

    /// A request as it is sent.
    pub fn body(&self, request: &Request) -> Bytes {
        let in_frame = self.common(request).frame.as_ref().and_then(|f| f.body(&request.messages));
        let whole = || self.kind.body(&self.model, request, self.stream).to_string().into();
        in_frame.map_or_else(whole, Bytes::from)
    }

    /// Sends a request once, as this body, and waits for what comes of it, no longer than the limits
    /// say.
    pub async fn attempt(&self, request: &Request, body: Bytes) -> Attempt {
        let began = Instant::now();
        let limit = self.connection.attempt_timeout;
        let mut attempt = timeout(limit, self.send(request, body)).await.unwrap_or_else(|_| {
            let cause = format!("no answer within {} s", limit.as_secs_f32());
            let timed_out = Answer::without_text(Outcome::TimedOut, cause);
            possibly(timed_out, End::Trouble(Trouble::Silent))
        });
        self.take_key_out(&mut attempt.answer);
        attempt.answer.latency_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        attempt
    }

    /// A server that repeats its request would put the key into the file of answers.
    fn take_key_out(&self, answer: &mut Answer) {
        let text = |text: &mut Option<String>| *text = text.take().map(|t| self.without_key(t));
        // Embeddings are numbers that we wrote ourselves.
        if self.kind.wanted() == Wanted::Text {
            text(&mut answer.response);
        }
        text(&mut answer.reasoning);
        // Words about the answer, which may be as long as the server likes.
        let words = [&mut answer.finish_reason, &mut answer.served_model];
        for word in words.into_iter().chain([&mut answer.system_fingerprint, &mut answer.error]) {
            *word = word.take().map(|word| match reply::is_short_word(&word) {
                true => self.without_key(word),
                false => self.clean(&word),
            });
        }
        if answer.logprobs.as_ref().is_some_and(|tokens| self.spells_key(tokens)) {
            answer.logprobs = None;
        }
    }

    async fn send(&self, request: &Request, body: Bytes) -> Attempt {
        seval_core::kill_at("before_send");
        let mut reply = match self.client.post(body).await {
            Ok(reply) => reply,
            Err(failure) => return attempt::lost(failure),
        };
        seval_core::kill_at("after_send");
        self.health.reached();
        if reply.status.is_success() {
            return self.good(request, &mut reply).await;
        }
        // The status of a bad reply says enough, with whatever came of its body.
        let complaint = match self.read(&mut reply, ERROR_BYTES).await {
            Body::Whole(body) | Body::Cut(body) => reply::read_error(&body),
            Body::Paused(_) | Body::Lost(..) => Complaint::default(),
        };
        attempt::refused(reply.status, &reply.headers, complaint)
    }

    /// What a reply with a good status comes to.
    async fn good(&self, request: &Request, reply: &mut client::Reply<'_>) -> Attempt {
        let limit = self.connection.max_response_bytes;
        let streamed = is_stream(&reply.headers);
        let read = self.read(reply, limit).await;
        let read_whole = |body: &[u8]| match streamed {
            true => Ok(self.kind.read_stream(body)),
            false => match self.kind.read_plain(body) {
                Some(answer) => Ok(Reply::Answer(answer)),
                None => reply::read(body, |value| self.kind.read(value, request)),
            },
        };
        match read {
            Body::Whole(body) => match read_whole(&body) {
                Ok(Reply::Answer(answer)) => self.answered(answer),
                Ok(Reply::Complaint(complaint)) => {
                    attempt::broken_off(reply.status, &reply.headers, complaint)
                }
                Err(cause) => possibly(failed(cause), End::Trouble(Trouble::Unreadable)),
            },
            Body::Cut(_) => self.answered(Box::new(attempt::cut(limit))),
            Body::Paused(part) => {
                let pause = self.connection.idle_timeout.as_secs_f32();
                let cause = format!("the answer began, and then nothing came for {pause} s");
                self.part(
                    streamed,
                    &part,
                    Answer::without_text(Outcome::TimedOut, cause),
                    End::Final,
                )
            }
            Body::Lost(part, cause) => {
                let answer = failed(format!("the connection was lost: {cause}"));
                self.part(streamed, &part, answer, End::Lost)
            }
        }
    }

    /// The most bytes of an answer that are read.
    pub fn max_response_bytes(&self) -> usize {
        self.connection.max_response_bytes
    }

    /// An answer, whatever is in it: it will have been charged for, and is not asked for again at once.
    fn answered(&self, answer: Box<Answer>) -> Attempt {
        if answer.outcome == Outcome::Failed {
            return possibly(*answer, End::Final);
        }
        self.health.answered();
        Attempt { answer, end: End::Final, billed: Billed::Yes }
    }

    /// What a stream comes to that broke off: the answer, if the server had said that it is whole; or
    /// else what had come of it is kept beside the cause.
    fn part(&self, streamed: bool, body: &[u8], broken: Answer, end: End) -> Attempt {
        let response = match streamed.then(|| self.kind.read_stream(body)) {
            Some(Reply::Answer(whole)) if whole.outcome != Outcome::Failed => {
                return self.answered(whole);
            }
            Some(Reply::Answer(part)) => part.response,
            Some(Reply::Complaint(complaint)) => complaint.part,
            None => None,
        };
        possibly(Answer { response, ..broken }, end)
    }

    async fn read(&self, reply: &mut client::Reply<'_>, limit: usize) -> Body {
        body::read(reply, limit, self.connection.idle_timeout).await
    }

    /// The end of the run, if other requests would fail in the same way as this one did for good.
    pub fn end_of_run(&self, trouble: Trouble, why: &str) -> Option<Error> {
        self.health.failed(trouble).then(|| self.error(trouble, why))
    }

    /// The end of the run, if the server was tried long enough and never reached.
    pub fn never_reached(&self, one: Tries, why: &str) -> Option<Error> {
        let never = self.health.unreached(Instant::now().into_std(), one);
        never.then(|| self.error(Trouble::Unreachable, why))
    }

    fn error(&self, trouble: Trouble, why: &str) -> Error {
        let place = format!("model {}", self.model);
        let address = &self.address;
        let (what, hint) = match trouble {
            Trouble::Unreachable if why.contains("refused") => (
                format!("nothing listens at {address}: {why}"),
                "start the server, or correct --base-url",
            ),
            Trouble::Unreachable if why.contains("open files") => (
                format!("cannot reach {address}: {why}"),
                "ask less at once with --max-connections, or raise the limit with ulimit -n",
            ),
            Trouble::Unreachable => {
                (format!("cannot reach {address}: {why}"), "check --base-url and the network")
            }
            Trouble::Denied => (why.to_owned(), "check the API key and its account"),
            Trouble::Forbidden => (why.to_owned(), "check that the API key may use this model"),
            Trouble::NotFound => {
                (format!("{why} (at {address})"), "check the model's name and --base-url")
            }
            Trouble::Unreadable => (format!("{why} (at {address})"), "check --base-url"),
            Trouble::Silent => (
                format!("{why} from {address}, and none to any request before"),
                "see whether the server works; allow more time with --attempt-timeout",
            ),
        };
        Error::world(place, self.clean(&what)).hint(hint)
    }

    /// Text from outside without the key, in any form it may come back in.
    fn without_key(&self, mut text: String) -> String {
        for form in self.key_forms.iter().map(SecretString::expose_secret) {
            if text.contains(form) {
                text = text.replace(form, "[key]");
            }
        }
        text
    }

    /// Whether tokens put together hold the key: in pieces it cannot be taken out.
    fn spells_key(&self, tokens: &[Logprob]) -> bool {
        if self.key_forms.is_empty() {
            return false;
        }
        let holds =
            |text: &str| self.key_forms.iter().any(|form| text.contains(form.expose_secret()));
        let likeliest = tokens.iter().flat_map(|token| &token.top);
        let all: String = tokens.iter().map(|token| token.token.as_str()).collect();
        holds(&all) || likeliest.into_iter().any(|(token, _)| holds(token))
    }

    /// Text from outside as one short line, without the key.
    fn clean(&self, text: &str) -> String {
        reply::short(&self.without_key(text.to_owned()))
    }

    /// What the journal knows a request by.
    pub fn asked(&self, request: &Request) -> Asked {
        let settings = &self.common(request).settings;
        Asked::new(self.kind.wanted(), &self.model, &self.address, settings, request)
    }

    fn common(&self, request: &Request) -> Arc<Common> {
        self.last.of(&self.kind, &self.model, self.stream, &request.decoding)
    }

    /// What kind of server it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The name by which the server knows the model.
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// Whether a reply comes as events. A server may stream, or not, whatever it was asked for.
fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"))
}

/// What is sent with each request: the key, and what the kind of server wants beside it.
fn headers(kind: &Kind, key: Option<&SecretString>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let bad = |name: &str| Error::usage(format!("header {name}"), "cannot be sent as it is");
    for (name, value) in kind.headers() {
        let value = HeaderValue::from_str(value).map_err(|_| bad(name))?;
        headers.insert(HeaderName::try_from(name).map_err(|_| bad(name))?, value);
    }
    if let Some(key) = key {
        let (name, prefix) = kind.key_header();
        let text = format!("{prefix}{}", key.expose_secret());
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::usage("API key", "it holds characters that no header can carry")
                .hint("look for a line break or a stray character in it")
        })?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name).map_err(|_| bad(name))?, value);
    }
    Ok(headers)
}

fn key_forms(key: Option<&SecretString>, url: &Url) -> Vec<SecretString> {
    let forms = key.into_iter().flat_map(|key| address::forms(key.expose_secret()));
    forms.chain(address::secrets(url)).map(SecretString::from).collect()
}
