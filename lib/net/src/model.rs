//! Which models there are to ask: `sim:NAME`, `replay:FILE`, `exec:COMMAND`, `PROVIDER:MODEL`, `MODEL`.

mod server;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::Value;
use seval_core::expand::plan::tokens;
use seval_core::{Error, Result};
use tokio::time::timeout;
use url::Url;

use crate::address;
use crate::attempt::{Attempt, End};
use crate::batch;
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::endpoint::Endpoint;
use crate::engine::{Estimate, Prepared};
use crate::exchange::{Answer, Decoding, Outcome, Request};
use crate::exec::Exec;
use crate::fingerprint::{Asked, Wanted, settings_text};
use crate::health::{Tries, Trouble};
use crate::journal::Billed;
use crate::key;
use crate::kind::Kind;
use crate::models_file::ModelEntry;
use crate::price::Price;
use crate::replay::Replay;
use crate::sim;
use server::{in_folder, kind_of, with_key};

/// Tokens of an answer that is not there yet, where no limit is set.
const ANSWER_TOKENS: i64 = 512;

/// A model that can be asked.
#[derive(Clone, Debug)]
pub struct Model {
    /// What goes in the `model` column.
    pub name: String,
    /// How it may be asked.
    pub settings: Settings,
    provider: Provider,
    /// The server that gets the connection's own key, if one does.
    key_goes_to: Option<String>,
}

/// What is known of a model besides its address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Decoding settings where the command line has none.
    pub decoding: Decoding,
    /// What it costs.
    pub price: Option<Price>,
    /// The most requests under way to it.
    pub max_connections: Option<usize>,
    /// The most requests of a minute.
    pub requests_per_minute: Option<f64>,
    /// The most tokens of a minute, in and out.
    pub tokens_per_minute: Option<f64>,
    /// What it can hold of a conversation, in tokens.
    pub context_tokens: Option<u64>,
    /// A system prompt for conversations that have none.
    pub system: Option<String>,
}

#[derive(Clone, Debug)]
enum Provider {
    Sim(Arc<sim::Profile>),
    Replay(Arc<Replay>),
    Exec(Arc<Exec>, Duration),
    Server(Arc<Endpoint>),
    /// Asked elsewhere, by files of requests and replies: the server's name of it, and its kind.
    Named(String, Kind),
}

impl Model {
    /// The models that `spec` names: several for `sim:*` and `sim:FILE:*`, otherwise one.
    ///
    /// Nothing is sent. A simulated model is named `sim:NAME` wherever its file lies, so that
    /// moving the file does not change the draws; any other is named as the server knows it.
    pub fn open(spec: &str, connection: &Connection) -> Result<Vec<Self>> {
        if let Some(spec) = spec.strip_prefix("sim:") {
            let profiles = sim::open(spec)?.into_iter();
            let model =
                |(name, profile)| Self::of(format!("sim:{name}"), Provider::Sim(Arc::new(profile)));
            return Ok(profiles.map(model).collect());
        }
        if let Some(command) = spec.strip_prefix("exec:") {
            let exec = Exec::start(command)?;
            let provider = Provider::Exec(Arc::new(exec), connection.attempt_timeout);
            return Ok(vec![Self::of(spec.to_owned(), provider)]);
        }
        let (kind, name) = kind_of(spec, connection)?;
        Ok(vec![Self::at_server(name, connection, kind)?])
    }

    /// The model of that name in a models file. An address on the command line goes before the file's,
    /// and then the file's key is not sent: it is for the file's address.
    pub fn of_file(name: &str, entry: &ModelEntry, connection: &Connection) -> Result<Self> {
        let kind = match entry.provider.as_deref() {
            None => Kind::chat(),
            Some(name) => in_folder(name, connection)?.map_or_else(|| Kind::named(name), Ok)?,
        };
        let base_url = connection.base_url.clone().or_else(|| entry.base_url.clone());
        let no_address = base_url.is_none() && kind.base_url().is_none();
        let is_asked = connection.sends && !(no_address && connection.by_files);
        let (variable, key_file) = (entry.api_key_env.as_deref(), entry.api_key_file.as_deref());
        let own = match connection.base_url {
            None if is_asked => key::find("api_key_env", variable, key_file)?,
            _ => None,
        };
        let has_own = own.is_some();
        let near = Connection {
            base_url,
            api_key: own.or_else(|| connection.api_key.clone()),
            stream: connection.stream || entry.stream.unwrap_or_default(),
            ..connection.clone()
        };
        let model = Self::at_server(&entry.model, &near, kind).map_err(|error| {
            match error.place == "--base-url" && connection.base_url.is_none() {
                true => Error { place: "base_url".to_owned(), ..error },
                false => error,
            }
        })?;
        let rate = |most: Option<u64>| most.map(|most| most as f64);
        let settings = Settings {
            decoding: entry.decoding.clone().over(&model.settings.decoding),
            price: entry.price.clone(),
            max_connections: entry.max_connections,
            requests_per_minute: rate(entry.requests_per_minute),
            tokens_per_minute: rate(entry.tokens_per_minute),
            context_tokens: entry.context_tokens,
            system: entry.system.clone(),
        };
        let key_goes_to = model.key_goes_to.filter(|_| !has_own);
        Ok(Self { name: name.to_owned(), settings, provider: model.provider, key_goes_to })
    }

    /// Refuses models of which several servers would get the connection's one key; `in_file` says
    /// which of the two flags names it.
    pub fn check_key<'m>(in_file: bool, models: impl IntoIterator<Item = &'m Self>) -> Result<()> {
        let flag = if in_file { "--api-key-file" } else { "--api-key-env" };
        let mut servers = models.into_iter().filter_map(|model| model.key_goes_to.as_deref());
        let first = servers.next().unwrap_or_default();
        match servers.find(|server| *server != first) {
            None => Ok(()),
            Some(other) => {
                Err(Error::usage(flag, format!("the key would go to {first} and to {other}"))
                    .hint("name each model's key in --models (api_key_env)"))
            }
        }
    }

    /// A model that answers from a file of answers.
    pub fn replay(name: &str, replay: Replay) -> Self {
        Self::of(name.to_owned(), Provider::Replay(Arc::new(replay)))
    }

    /// A model of that kind of server, under the name by which the server knows it.
    fn at_server(name: &str, connection: &Connection, kind: Kind) -> Result<Self> {
        let base = connection.base_url.as_deref().or(kind.base_url());
        if base.is_none() && connection.by_files {
            return Self::by_files(name, kind);
        }
        let origin = |base| Some(Url::parse(base).ok()?.origin().ascii_serialization());
        let key_goes_to = base.filter(|_| connection.api_key.is_some()).and_then(origin);
        let max_tokens = kind.most_tokens();
        let endpoint = Endpoint::open(check(name)?, &with_key(connection, &kind)?, kind)?;
        let model = Self::of(name.to_owned(), Provider::Server(Arc::new(endpoint)));
        let decoding = Decoding { max_tokens, ..Decoding::default() };
        let settings = Settings { decoding, ..Settings::default() };
        Ok(Self { key_goes_to, settings, ..model })
    }

    /// A model that gives embeddings: the answer to a request is what [`crate::embed`] unpacks.
    pub(crate) fn embedder(spec: &str, connection: &Connection) -> Result<Self> {
        if spec.starts_with("sim:") {
            return Err(Error::usage(spec, "a simulated target gives no embeddings")
                .hint("name an embedding model with -m and its server with --base-url"));
        }
        let (kind, name) = kind_of(spec, connection)?;
        if !kind.is_openai() {
            return Err(Error::usage(spec, "seval asks this provider for no embeddings")
                .hint("name an embedding model with -m and its server with --base-url"));
        }
        Self::at_server(name, connection, Kind::Embeddings)
    }

    /// A model that somebody else asks, from a file of requests (see [`crate::batch`]).
    ///
    /// Its answers come from the replies given to [`crate::ask`], whatever the address: a request
    /// without one there is a failed answer.
    pub fn named(spec: &str) -> Result<Self> {
        if spec.starts_with("sim:") {
            return Err(Error::usage(spec, "a simulated model needs no file of requests")
                .hint("ask it directly, or name a model as its server knows it"));
        }
        let (kind, name) = Kind::of(spec)?;
        Self::by_files(name, kind)
    }

    fn by_files(name: &str, kind: Kind) -> Result<Self> {
        let name = check(name)?.to_owned();
        Ok(Self::of(name.clone(), Provider::Named(name, kind)))
    }

    fn of(name: String, provider: Provider) -> Self {
        Self { name, provider, settings: Settings::default(), key_goes_to: None }
    }

    /// Whether this model answers without a network, at once.
    pub fn is_simulated(&self) -> bool {
        matches!(self.provider, Provider::Sim(_) | Provider::Replay(_))
    }

    /// Whether it knows the truth about its own answers.
    pub fn knows_truth(&self) -> bool {
        matches!(self.provider, Provider::Sim(_))
    }

    /// The answer of a model that needs no network; `None` from any other.
    pub(crate) fn simulate(&self, request: &Request) -> Option<Answer> {
        match &self.provider {
            Provider::Sim(profile) => Some(profile.answer(&self.name, request)),
            Provider::Replay(replay) => {
                Some(replay.answer(&request.traits.prompt_id, &request.messages, request.sample))
            }
            Provider::Server(_) | Provider::Exec(..) | Provider::Named(..) => None,
        }
    }

    /// What the journal knows a request by; `None` where nothing is asked.
    pub(crate) fn asked(&self, request: &Request) -> Option<Asked> {
        match &self.provider {
            Provider::Sim(_) | Provider::Replay(_) | Provider::Named(..) => None,
            Provider::Server(endpoint) => Some(endpoint.asked(request)),
            Provider::Exec(..) => Some(self.asked_at(&self.name, request)),
        }
    }

    /// What a file of requests knows a request by.
    pub(crate) fn asked_by_file(&self, request: &Request) -> Asked {
        match self.kind().map(|kind| kind.api(self.server_name(), false)) {
            // Another API than the chat is another address.
            Some(api) if api != address::CHAT => {
                self.asked_at(&format!("{}{api}", batch::ADDRESS), request)
            }
            _ => self.asked_at(batch::ADDRESS, request),
        }
    }

    fn asked_at(&self, address: &str, request: &Request) -> Asked {
        let settings = self.settings_text(&request.decoding).into();
        let model = self.server_name().into();
        Asked::new(Wanted::Text, &model, &address.into(), &settings, request)
    }

    /// The settings that are sent with a question, as JSON.
    pub fn settings_text(&self, decoding: &Decoding) -> String {
        let chat = || Dialect::Chat.settings(decoding);
        settings_text(self.kind().map_or_else(chat, |kind| kind.settings(decoding)))
    }

    /// What kind of server it is of, if it is of any.
    fn kind(&self) -> Option<&Kind> {
        match &self.provider {
            Provider::Server(endpoint) => Some(endpoint.kind()),
            Provider::Named(_, kind) => Some(kind),
            Provider::Sim(_) | Provider::Replay(_) | Provider::Exec(..) => None,
        }
    }

    /// The end of the address and the body of a request, as OpenAI's batch format has them; an error
    /// for a server that does not speak OpenAI's dialects.
    pub(crate) fn batch(&self, request: &Request) -> Result<(String, Value)> {
        let chat = Kind::chat();
        let kind = self.kind().unwrap_or(&chat);
        if !kind.is_openai() {
            return Err(Error::usage(
                &self.name,
                "its provider does not read OpenAI's batch format",
            )
            .hint("ask it live"));
        }
        let name = self.server_name();
        Ok((format!("/v1{}", kind.api(name, false)), kind.body(name, request, false)))
    }

    /// What a request is asked with; with what the journal knows it by, if there is one.
    pub(crate) fn prepare(&self, request: &Request, journal: bool) -> Prepared {
        if self.is_simulated() {
            return Prepared::default();
        }
        let body = match &self.provider {
            Provider::Server(endpoint) => endpoint.body(request),
            _ => Bytes::new(),
        };
        let asked = if journal { self.asked(request).map(Arc::new) } else { None };
        Prepared { asked, estimate: self.estimate(request), body }
    }

    /// Whether nothing but the body says what is asked.
    pub(crate) fn is_asked_by_body(&self) -> bool {
        match &self.provider {
            Provider::Server(endpoint) => endpoint.kind().wanted() == Wanted::Text,
            _ => false,
        }
    }

    /// Sends a request once, to a server as this body; an error is the end of whom it is sent to.
    pub(crate) async fn attempt(&self, request: &Request, body: &Bytes) -> Result<Attempt> {
        let answer = match &self.provider {
            Provider::Server(endpoint) => {
                return Ok(endpoint.attempt(request, body.clone()).await);
            }
            Provider::Exec(exec, limit) => {
                match timeout(*limit, exec.ask(&self.name, request)).await {
                    Ok(answer) => answer?,
                    Err(_) => {
                        let cause = format!("no answer within {} s", limit.as_secs_f32());
                        Answer::without_text(Outcome::TimedOut, cause)
                    }
                }
            }
            Provider::Sim(_) | Provider::Replay(_) | Provider::Named(..) => {
                let model = format!("model {}", self.name);
                return Err(Error::usage(model, "no address to ask it at")
                    .hint("give --base-url, or the replies to a file of requests"));
            }
        };
        Ok(Attempt { answer: Box::new(answer), end: End::Final, billed: Billed::No })
    }

    /// The end of the run, if other requests would fail in the same way as this one did for good.
    pub(crate) fn end_of_run(&self, trouble: Trouble, why: &str) -> Option<Error> {
        match &self.provider {
            Provider::Server(endpoint) => endpoint.end_of_run(trouble, why),
            _ => None,
        }
    }

    /// The end of the run, if its server was tried long enough and never reached.
    pub(crate) fn never_reached(&self, one: Tries, why: &str) -> Option<Error> {
        match &self.provider {
            Provider::Server(endpoint) => endpoint.never_reached(one, why),
            _ => None,
        }
    }

    /// The most bytes of an answer that are read; no answer of a model without a server is cut.
    pub(crate) fn max_response_bytes(&self) -> usize {
        match &self.provider {
            Provider::Server(endpoint) => endpoint.max_response_bytes(),
            _ => 0,
        }
    }

    /// Whether its answers come from a file of replies only.
    pub(crate) fn has_no_address(&self) -> bool {
        matches!(self.provider, Provider::Named(..))
    }

    /// The name by which the server knows it.
    pub(crate) fn server_name(&self) -> &str {
        match &self.provider {
            Provider::Server(endpoint) => endpoint.model(),
            Provider::Named(name, _) => name,
            _ => &self.name,
        }
    }

    /// What a request will take, about.
    pub fn estimate(&self, request: &Request) -> Estimate {
        let asked: u64 = request.messages.iter().map(|message| tokens(&message.content)).sum();
        let answer = request.decoding.max_tokens.unwrap_or(ANSWER_TOKENS);
        let answer = u64::try_from(answer).unwrap_or(0);
        let cost = self.settings.price.as_ref().map(|price| price.estimate(asked, answer));
        Estimate { tokens: asked + answer, input: asked, cost: cost.unwrap_or(0.0) }
    }
}

/// A name that a server may know a model by.
fn check(name: &str) -> Result<&str> {
    match name.trim() {
        "" => Err(Error::usage("model", "the model has no name")
            .hint("give sim:NAME, or a model's name as its server knows it")),
        _ => Ok(name),
    }
}
