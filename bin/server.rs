//! Flags about the server of a model that is asked, for the three programs that ask some.

use clap::Args;
use seval_core::Result;
use seval_net::{Connection, Journal, Limits, key};
use std::path::PathBuf;
use std::time::Duration;

/// Where a model is, and how hard it is asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Asking")]
pub struct ServerFlags {
    /// The OpenAI-compatible server, up to and with /v1.
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

    /// Requests under way at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// How often a request is sent again after a failure that may pass.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub max_retries: u32,

    /// Seconds that one attempt may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub attempt_timeout: u64,
}

impl ServerFlags {
    /// How to reach the server.
    pub fn connection(&self) -> Result<Connection> {
        Ok(Connection {
            base_url: self.base_url.clone(),
            api_key: key::find(self.api_key_env.as_deref(), self.api_key_file.as_deref())?,
            max_retries: self.max_retries,
            attempt_timeout: Duration::from_secs(self.attempt_timeout),
            ..Connection::default()
        })
    }

    /// How much at once.
    pub fn limits(&self) -> Limits {
        Limits { max_connections: self.max_connections as usize }
    }

    /// The journal, opened.
    pub fn journal(&self) -> Result<Option<Journal>> {
        self.journal.as_deref().map(Journal::open).transpose()
    }
}
