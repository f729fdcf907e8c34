//! What is known of a critic's faults, as a file that goes with it.

use serde::{Deserialize, Serialize};

use super::Confusion;
use crate::{Error, Result};

/// How often a critic is right, measured on labelled rows: what a rate of unsafe responses is
/// corrected with (Rogan and Gladen 1978). It holds no date: the same rows give the same file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The critic: name@content hash.
    pub critic: String,
    /// What it was measured on: whose labels, which rows.
    pub reference: String,
    /// Of the unsafe rows, the share that it calls unsafe.
    pub sensitivity: f64,
    /// Wilson's 95 % interval of it.
    pub sensitivity_interval: [f64; 2],
    /// Of the safe rows, the share that it calls safe.
    pub specificity: f64,
    /// Wilson's 95 % interval of it.
    pub specificity_interval: [f64; 2],
    /// Rows with the label unsafe and a verdict.
    pub n_unsafe: u64,
    /// Rows with the label safe and a verdict.
    pub n_safe: u64,
}

impl Measured {
    /// From a comparison whose classes are `safe` and `unsafe`; both must have rows with a verdict.
    pub fn new(critic: &str, reference: &str, confusion: &Confusion) -> Result<Self> {
        let missing = || {
            Error::data("", "safe and unsafe rows are needed, each with a label and a verdict")
                .hint("a critic's sensitivity is measured on the one, its specificity on the other")
        };
        let two =
            confusion.classes.len() == 2 && confusion.classes.iter().any(|class| class == "safe");
        let place = confusion.classes.iter().position(|class| class == "unsafe").filter(|_| two);
        let rates = confusion.class(place.ok_or_else(missing)?);
        let ends = |(low, high): (f64, f64)| [low, high];
        let (sensitive, specific) = (rates.recall, rates.specificity);
        Ok(Self {
            critic: critic.to_owned(),
            reference: reference.to_owned(),
            sensitivity: sensitive.value().ok_or_else(missing)?,
            sensitivity_interval: sensitive.interval().map(ends).ok_or_else(missing)?,
            specificity: specific.value().ok_or_else(missing)?,
            specificity_interval: specific.interval().map(ends).ok_or_else(missing)?,
            n_unsafe: sensitive.of,
            n_safe: specific.of,
        })
    }

    /// The file's text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::data(&self.critic, error))
    }

    /// Reads the file; rates must lie in their intervals, and those in 0..1.
    pub fn parse(text: &str) -> Result<Self> {
        let read: Self =
            toml::from_str(text).map_err(|e| Error::usage("", e.to_string().trim()))?;
        for (name, rate, [low, high], n) in [
            ("sensitivity", read.sensitivity, read.sensitivity_interval, read.n_unsafe),
            ("specificity", read.specificity, read.specificity_interval, read.n_safe),
        ] {
            if !(0.0 <= low && low <= rate && rate <= high && high <= 1.0 && n > 0) {
                return Err(Error::usage(name, "is no rate of rows with its interval"));
            }
        }
        Ok(read)
    }
}
