//! How servers are reached: what all models of a run share.

use secrecy::SecretString;
use seval_core::template::Library;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach a server, and how long to bear with it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Where the OpenAI-compatible API begins, such as `https://api.example.org/v1`.
    pub base_url: Option<String>,
    /// Sent as a bearer token. Never shown.
    pub api_key: Option<SecretString>,
    /// The most bytes of an answer to read; more is [`crate::Outcome::TooLarge`].
    pub max_response_bytes: usize,
    /// How long establishing a connection may take.
    pub connect_timeout: Duration,
    /// How long one attempt may take, from connecting to the last byte.
    pub attempt_timeout: Duration,
    /// How long a body that has begun may pause.
    pub idle_timeout: Duration,
    /// Whether answers are sent in pieces, as they are made.
    pub stream: bool,
    /// Whether the proxy that the environment names is used.
    pub proxy: bool,
    /// Certificates to trust besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Where the files of providers are.
    pub templates: Library,
    /// Whether anything will be sent. Where nothing is, no key is read.
    pub sends: bool,
    /// Whether a model without an address is asked by files of requests and replies.
    pub by_files: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            base_url: None,
            api_key: None,
            max_response_bytes: 16 << 20,
            connect_timeout: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(60),
            stream: false,
            proxy: false,
            ca_file: None,
            templates: Library::default(),
            sends: true,
            by_files: false,
        }
    }
}
