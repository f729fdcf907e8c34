//! Flags about a model that writes text, for the two programs that ask some.

use crate::server::ServerFlags;
use clap::Args;
use seval_net::Decoding;

/// Where a model is and how it is asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Asking")]
pub struct ModelFlags {
    #[command(flatten)]
    pub server: ServerFlags,

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
}

impl ModelFlags {
    /// The decoding settings, with the server's sampling seed.
    pub fn decoding(&self, seed: Option<i64>) -> Decoding {
        Decoding {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            max_tokens: self.max_tokens,
            seed,
            top_logprobs: None,
        }
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
