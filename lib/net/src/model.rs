//! Which models there are to ask: `sim:NAME`, `openai:MODEL`, `MODEL`.

use std::sync::Arc;

use seval_core::{Error, Result};

use crate::batch;
use crate::connection::Connection;
use crate::exchange::{Answer, Request};
use crate::fingerprint::Asked;
use crate::openai::{Dialect, Endpoint};
use crate::retry::Stop;
use crate::sim;

/// Names of providers to come. Without this list, `anthropic:x` would be asked of the
/// OpenAI-compatible server as a model of that name, since names such as `llama3:8b` hold colons
/// too.
const RESERVED: [&str; 4] = ["anthropic", "gemini", "replay", "exec"];

/// A model that can be asked.
#[derive(Clone, Debug)]
pub struct Model {
    /// What goes in the `model` column.
    pub name: String,
    provider: Provider,
}

#[derive(Clone, Debug)]
enum Provider {
    Sim(Arc<sim::Profile>),
    OpenAi(Arc<Endpoint>),
    /// Asked elsewhere, by files of requests and replies.
    Named,
}

impl Model {
    /// The models that `spec` names: several for `sim:*` and `sim:FILE:*`, otherwise one.
    ///
    /// Nothing is sent. A simulated model is named `sim:NAME` wherever its file lies, so that
    /// moving the file does not change the draws; any other is named as the server knows it.
    pub fn open(spec: &str, connection: &Connection) -> Result<Vec<Self>> {
        if let Some(spec) = spec.strip_prefix("sim:") {
            let profiles = sim::open(spec)?.into_iter();
            let model = |(name, profile)| Self {
                name: format!("sim:{name}"),
                provider: Provider::Sim(Arc::new(profile)),
            };
            return Ok(profiles.map(model).collect());
        }
        let name = name_of(spec)?;
        Ok(vec![Self::at_server(name, connection, Dialect::Chat)?])
    }

    /// A model that gives embeddings: the answer to a request is what [`crate::embed`] unpacks.
    pub(crate) fn embedder(spec: &str, connection: &Connection) -> Result<Self> {
        if spec.starts_with("sim:") {
            return Err(Error::usage(spec, "a simulated target gives no embeddings")
                .hint("name an embedding model with -m and its server with --base-url"));
        }
        Self::at_server(name_of(spec)?, connection, Dialect::Embeddings)
    }

    fn at_server(name: &str, connection: &Connection, dialect: Dialect) -> Result<Self> {
        let endpoint = Endpoint::open(name, connection, dialect)?;
        Ok(Self { name: name.to_owned(), provider: Provider::OpenAi(Arc::new(endpoint)) })
    }

    /// A model that somebody else asks, from a file of requests (see [`crate::batch`]).
    ///
    /// Its answers come from the journal given to [`crate::ask`], whatever the address: a request
    /// without one there is a failed answer.
    pub fn named(spec: &str) -> Result<Self> {
        if spec.starts_with("sim:") {
            return Err(Error::usage(spec, "a simulated model needs no file of requests")
                .hint("ask it directly, or name a model as its server knows it"));
        }
        Ok(Self { name: name_of(spec)?.to_owned(), provider: Provider::Named })
    }

    /// Whether this is a simulated target, which is asked without a network.
    pub fn is_simulated(&self) -> bool {
        matches!(self.provider, Provider::Sim(_))
    }

    /// The answer of a simulated target; `None` from any other model.
    pub(crate) fn simulate(&self, request: &Request) -> Option<Answer> {
        match &self.provider {
            Provider::Sim(profile) => Some(profile.answer(&self.name, request)),
            Provider::OpenAi(_) | Provider::Named => None,
        }
    }

    /// What the journal knows a request by; `None` for a simulated target.
    pub(crate) fn asked(&self, request: &Request) -> Option<Asked> {
        match &self.provider {
            Provider::Sim(_) => None,
            Provider::OpenAi(endpoint) => Some(endpoint.asked(request)),
            Provider::Named => Some(Asked::new(&self.name, batch::ADDRESS, request)),
        }
    }

    /// Asks, and asks again where that may help. An error ends the run.
    pub(crate) async fn ask(&self, request: &Request, stop: &Stop) -> Result<Answer> {
        match &self.provider {
            Provider::Sim(profile) => Ok(profile.answer(&self.name, request)),
            Provider::OpenAi(endpoint) => endpoint.ask(request, stop).await,
            Provider::Named => {
                Err(Error::usage(format!("model {}", self.name), "no address to ask it at")
                    .hint("give --base-url, or the replies to a file of requests"))
            }
        }
    }

    /// Whether its answers come from a file of replies.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.provider, Provider::Named)
    }
}

/// The name by which a server knows the model.
fn name_of(spec: &str) -> Result<&str> {
    if let Some((prefix, _)) = spec.split_once(':').filter(|(prefix, _)| RESERVED.contains(prefix))
    {
        return Err(Error::usage(spec, format!("there is no provider `{prefix}:` yet")).hint(
            format!("use sim:NAME or an OpenAI-compatible server; as a name: openai:{spec}"),
        ));
    }
    let name = spec.strip_prefix("openai:").unwrap_or(spec);
    if name.trim().is_empty() {
        return Err(Error::usage("model", "the model has no name")
            .hint("give sim:NAME, or a model's name as its server knows it"));
    }
    Ok(name)
}
