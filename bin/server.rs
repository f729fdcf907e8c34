//! Flags about the server of a model that is asked, for the three programs that ask some.

use clap::Args;
use seval_core::Result;
use seval_core::cli::SharedFlags;
use seval_net::{Connection, Journal, Limits, key};
use std::path::PathBuf;
use std::time::Duration;

/// Where a model is, and how hard it is asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Asking")]
pub struct ServerFlags {
    /// The server, up to and with /v1 where it is an OpenAI-compatible one.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,

    /// The environment variable that holds the server's key.
    #[arg(long, value_name = "NAME", conflicts_with = "api_key_file")]
    pub api_key_env: Option<String>,

    /// The file that holds the server's key.
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// Keep every answer in this file as it comes, and take from it what an earlier run asked.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// The most requests under way at once; fewer while a server says that it has too much to do. Each is an open
    /// file: for thousands see `ulimit -n`.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// How often a request is sent again after a failure that may pass; five times as often where the server only
    /// says that it has too much to do.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub max_retries: u32,

    /// How often a request is sent again whose connection was lost after it had been sent: the
    /// provider may charge for both.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub max_resends: u32,

    /// Seconds that one attempt may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub attempt_timeout: u64,

    /// Seconds that an answer may pause once it has begun.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_timeout: u64,

    /// The longest wait in seconds that a server may ask for. Beyond it a run with a journal ends, to go on later;
    /// without one the request fails.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub max_retry_after: u64,

    /// The most bytes of an answer.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_response_bytes: u64,

    /// Use the proxy that the environment names (HTTPS_PROXY).
    #[arg(long)]
    pub proxy: bool,

    /// Certificates to trust besides the system's, in PEM.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

impl ServerFlags {
    /// How to reach the server; without its key if nothing will be sent.
    pub fn connection(&self, shared: &SharedFlags, sends: bool) -> Result<Connection> {
        let (variable, file) = (self.api_key_env.as_deref(), self.api_key_file.as_deref());
        Ok(Connection {
            base_url: self.base_url.clone(),
            api_key: match sends {
                true => key::find("--api-key-env", variable, file)?,
                false => None,
            },
            attempt_timeout: Duration::from_secs(self.attempt_timeout),
            idle_timeout: Duration::from_secs(self.idle_timeout),
            max_response_bytes: usize::try_from(self.max_response_bytes).unwrap_or(usize::MAX),
            proxy: self.proxy,
            ca_file: self.ca_file.clone(),
            templates: shared.template_library(),
            sends,
            ..Connection::default()
        })
    }

    /// How much at once.
    pub fn limits(&self) -> Limits {
        Limits {
            max_connections: self.max_connections as usize,
            max_retries: self.max_retries,
            max_resends: self.max_resends,
            max_retry_after: Duration::from_secs(self.max_retry_after),
            ..Limits::default()
        }
    }

    /// The journal, opened.
    pub fn journal(&self) -> Result<Option<Journal>> {
        self.journal.as_deref().map(Journal::open).transpose()
    }
}
