//! What is asked of a server and in which words: an answer, as its provider's file says, or vectors.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use seval_core::{Error, Result};

use crate::dialect::Dialect;
use crate::dialect::stream::Stream;
use crate::embed;
use crate::exchange::{Answer, Decoding, Outcome, Request, Traits};
use crate::fingerprint::Wanted;
use crate::provider::{BUILT_IN, Provider};
use crate::reply::{Complaint, Reply};
use crate::sse::Events;

/// What is asked of a server and in which words.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The next turn of a conversation.
    Text(Arc<Provider>),
    /// The vectors of texts (see [`crate::embed`]).
    Embeddings,
}

impl Kind {
    /// An answer of any OpenAI-compatible server.
    pub fn chat() -> Self {
        Self::Text(Arc::new(Provider::of(Dialect::Chat)))
    }

    /// The provider that is named so, built in or a file.
    pub fn named(name: &str) -> Result<Self> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            let place = format!("provider/{name}");
            return Ok(Self::Text(Arc::new(Provider::parse(&place, text)?)));
        }
        if !Path::new(name).is_file() {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(Error::usage("provider", format!("there is none called {name:?}"))
                .hint(format!("there are: {}; or name a file", names.join(", "))));
        }
        let text = std::fs::read_to_string(name).map_err(|error| Error::usage(name, error))?;
        Ok(Self::Text(Arc::new(Provider::parse(name, &text)?)))
    }

    /// The provider and the model in `PROVIDER:MODEL` or `MODEL`; a colon may be part of a model's
    /// name.
    pub fn of(spec: &str) -> Result<(Self, &str)> {
        let known = |name: &str| {
            BUILT_IN.iter().any(|(known, _)| *known == name) || name.ends_with(".toml")
        };
        match spec.split_once(':').filter(|(name, _)| known(name)) {
            Some((name, model)) => Ok((Self::named(name)?, model)),
            None => Ok((Self::chat(), spec)),
        }
    }

    /// Whether the server speaks OpenAI's dialects.
    pub fn is_openai(&self) -> bool {
        match self {
            Self::Text(provider) => {
                matches!(provider.dialect, Dialect::Chat | Dialect::Completions)
            }
            Self::Embeddings => true,
        }
    }

    /// What kind of reply is asked for.
    pub fn wanted(&self) -> Wanted {
        match self {
            Self::Text(_) => Wanted::Text,
            Self::Embeddings => Wanted::Embeddings,
        }
    }

    /// The base address, for who gives none.
    pub fn base_url(&self) -> Option<&str> {
        match self {
            Self::Text(provider) => provider.base_url.as_deref(),
            Self::Embeddings => None,
        }
    }

    /// The environment variable that holds the key for that base address.
    pub fn api_key_env(&self) -> Option<&str> {
        match self {
            Self::Text(provider) => provider.api_key_env.as_deref(),
            Self::Embeddings => None,
        }
    }

    /// The end of the API's address under the base address; it may hold a query.
    pub fn api(&self, model: &str, stream: bool) -> String {
        match self {
            Self::Text(provider) => provider.dialect.api(model, stream),
            Self::Embeddings => embed::API.to_owned(),
        }
    }

    /// The header that carries the key, and what stands in it before the key.
    pub fn key_header(&self) -> (&str, &str) {
        match self {
            Self::Text(provider) => provider.key_header(),
            Self::Embeddings => Dialect::Chat.key_header(),
        }
    }

    /// The other headers that each request has.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Text(provider) => provider.headers().collect(),
            Self::Embeddings => Vec::new(),
        }
    }

    /// Whether a stream can be read.
    pub fn streams(&self) -> bool {
        match self {
            Self::Text(provider) => provider.streams(),
            Self::Embeddings => false,
        }
    }

    /// The settings that are set, as they are sent.
    pub fn settings(&self, decoding: &Decoding) -> Map<String, Value> {
        match self {
            Self::Text(provider) => provider.settings(decoding),
            Self::Embeddings => Dialect::Chat.settings(decoding),
        }
    }

    /// The limit on an answer's tokens that is sent where none is set.
    pub fn most_tokens(&self) -> Option<i64> {
        match self {
            Self::Text(provider) => provider.dialect.most_tokens(),
            Self::Embeddings => None,
        }
    }

    /// The request as it is sent.
    pub fn body(&self, model: &str, request: &Request, stream: bool) -> Value {
        match self {
            Self::Text(provider) => provider.body(model, request, stream),
            Self::Embeddings => embed::body(model, request),
        }
    }

    /// The body of such requests with an empty conversation; none where the conversation is not a
    /// part of its own, or shapes the others.
    pub fn without_turns(&self, model: &str, decoding: &Decoding, stream: bool) -> Option<Value> {
        let Self::Text(provider) = self else { return None };
        if provider.dialect != Dialect::Chat {
            return None;
        }
        let (decoding, messages) = (decoding.clone(), Vec::new());
        let empty = Request { model: 0, sample: 0, decoding, messages, traits: Traits::default() };
        Some(provider.body(model, &empty, stream))
    }

    /// The answer in a whole reply of the commonest shape; none of any other.
    pub fn read_plain(&self, body: &[u8]) -> Option<Box<Answer>> {
        match self {
            Self::Text(provider) => provider.read_plain(body),
            Self::Embeddings => None,
        }
    }

    /// The answer to a request in a whole reply that is no error.
    pub fn read(&self, value: &Value, request: &Request) -> Answer {
        match self {
            Self::Text(provider) => provider.read(value),
            Self::Embeddings => embed::answer(value, request.messages.len()),
        }
    }

    /// The answer in a reply that came in pieces, as far as it came.
    pub fn read_stream(&self, body: &[u8]) -> Reply {
        let Self::Text(provider) = self else {
            let cause = "the vectors came in pieces";
            return Reply::Answer(Box::new(Answer::without_text(Outcome::Failed, cause)));
        };
        let mut stream = Stream::new(provider.dialect);
        match events(&mut stream, body) {
            Ok(()) => Reply::Answer(Box::new(stream.finish())),
            Err(complaint) => Reply::Complaint(Complaint { part: stream.said(), ..complaint }),
        }
    }
}

fn events(stream: &mut Stream, body: &[u8]) -> Result<(), Complaint> {
    // The body is bounded already.
    let mut events = Events::new(body.len().max(1));
    // What was complete before is still given.
    let _ = events.push(body);
    events.end();
    events.try_for_each(|event| stream.push(event.name.as_deref(), &event.data))
}
