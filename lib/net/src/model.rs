//! Which models there are to ask: `sim:NAME`, `openai:MODEL`, `MODEL`.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use seval_core::{Error, Result};

use crate::exchange::{Answer, Request};
use crate::openai::Endpoint;
use crate::retry::Stop;
use crate::sim;

/// Names of providers to come. Without this list, `anthropic:x` would be asked of the
/// OpenAI-compatible server as a model of that name, since names such as `llama3:8b` hold colons
/// too.
const RESERVED: [&str; 4] = ["anthropic", "gemini", "replay", "exec"];

/// How to reach a server, and how long to bear with it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Where the OpenAI-compatible API begins, such as `https://api.example.org/v1`.
    pub base_url: Option<String>,
    /// Sent as a bearer token. Never shown.
    pub api_key: Option<SecretString>,
    /// The most bytes of an answer to read; more is [`crate::Outcome::TooLarge`].
    pub max_response_bytes: usize,
    /// How many times a request is sent again after a failure that may pass.
    pub max_retries: u32,
    /// How long establishing a connection may take.
    pub connect_timeout: Duration,
    /// How long one attempt may take, from connecting to the last byte.
    pub attempt_timeout: Duration,
    /// How long a body that has begun may pause.
    pub idle_timeout: Duration,
    /// The longest wait that a server may ask for; beyond it the request fails.
    pub max_retry_after: Duration,
    /// The first wait before sending again is up to this long; each further one up to twice the
    /// last.
    pub backoff: Duration,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            base_url: None,
            api_key: None,
            max_response_bytes: 16 << 20,
            max_retries: 5,
            connect_timeout: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(60),
            max_retry_after: Duration::from_secs(300),
            backoff: Duration::from_millis(500),
        }
    }
}

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
        if let Some((prefix, _)) =
            spec.split_once(':').filter(|(prefix, _)| RESERVED.contains(prefix))
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
        let endpoint = Endpoint::open(name, connection)?;
        Ok(vec![Self { name: name.to_owned(), provider: Provider::OpenAi(Arc::new(endpoint)) }])
    }

    /// Whether this is a simulated target, which is asked without a network.
    pub fn is_simulated(&self) -> bool {
        matches!(self.provider, Provider::Sim(_))
    }

    /// The answer of a simulated target; `None` from any other model.
    pub(crate) fn simulate(&self, request: &Request) -> Option<Answer> {
        match &self.provider {
            Provider::Sim(profile) => Some(profile.answer(&self.name, request)),
            Provider::OpenAi(_) => None,
        }
    }

    /// Asks, and asks again where that may help. An error ends the run.
    pub(crate) async fn ask(&self, request: &Request, stop: &Stop) -> Result<Answer> {
        match &self.provider {
            Provider::Sim(profile) => Ok(profile.answer(&self.name, request)),
            Provider::OpenAi(endpoint) => endpoint.ask(request, stop).await,
        }
    }
}
