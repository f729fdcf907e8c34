//! Flags about a model that is asked, for the two programs that ask some.

use clap::Args;
use seval_core::Result;
use seval_net::{Connection, Decoding, Journal, Limits, key};
use std::path::PathBuf;
use std::time::Duration;

/// Where a model is and how it is asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Asking")]
pub struct ModelFlags {
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

    /// Sampling temperature; without it, the server's default.
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = temperature)]
    pub temperature: Option<f64>,

    /// Nucleus sampling.
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = share)]
    pub top_p: Option<f64>,

    /// Top-k sampling, for servers that know it.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub top_k: Option<i64>,

    /// The most tokens of an answer.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub max_tokens: Option<i64>,

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

impl ModelFlags {
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

    /// The decoding settings, with the server's sampling seed.
    pub fn decoding(&self, seed: Option<i64>) -> Decoding {
        Decoding {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            max_tokens: self.max_tokens,
            seed,
        }
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

/// A number that a server understands.
fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("not a finite number of at least 0".into()),
    }
}

/// A share of the probability.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("not a number from 0 to 1".into()),
    }
}
