//! What an answer costs: tokens by kind times the price of their kind.

use serde::Deserialize;
use toml::value::Datetime;

use crate::exchange::Usage;

/// US dollars for a million tokens, as a table of the models file gives them.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The day on which these were the prices, `YYYY-MM-DD`.
    #[serde(deserialize_with = "day")]
    pub date: String,
    /// Of what is sent.
    pub input: f64,
    /// Of what comes back, reasoning too.
    pub output: f64,
    /// Of what is sent and read from the provider's cache; `None`: as input.
    pub cached_input: Option<f64>,
    /// Of what is sent and written to the provider's cache; `None`: as input.
    pub cache_write: Option<f64>,
}

impl Price {
    /// Dollars for an answer; `None` if how many tokens went in or came out is not known.
    ///
    /// The input has its cached tokens in it, so they come off before the rest is priced.
    pub fn cost(&self, usage: &Usage) -> Option<f64> {
        let count = |tokens: Option<i64>| tokens.filter(|tokens| *tokens >= 0);
        let (input, output) = (count(usage.input_tokens)?, count(usage.output_tokens)?);
        // A server that counts more cached tokens than tokens is not to make the rest negative.
        let cached = count(usage.cached_tokens).unwrap_or(0).min(input);
        let written = count(usage.cache_write_tokens).unwrap_or(0).min(input - cached);
        let dollars = (input - cached - written) as f64 * self.input
            + cached as f64 * self.cached_input.unwrap_or(self.input)
            + written as f64 * self.cache_write.unwrap_or(self.input)
            + output as f64 * self.output;
        Some(dollars / 1e6)
    }

    /// Dollars for that many tokens if none is cached.
    pub fn estimate(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        (input_tokens as f64 * self.input + output_tokens as f64 * self.output) / 1e6
    }

    /// The key that is out of range, and how.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let prices = [
            ("input", Some(self.input)),
            ("output", Some(self.output)),
            ("cached_input", self.cached_input),
            ("cache_write", self.cache_write),
        ];
        for (key, price) in prices {
            if let Some(price) = price.filter(|price| !(price.is_finite() && *price >= 0.0)) {
                return Err((key, format!("expected a price of 0 or more, found {price}")));
            }
        }
        Ok(())
    }
}

/// A date of TOML without a time of day.
fn day<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Datetime::deserialize(from)? {
        Datetime { date: Some(date), time: None, offset: None } => Ok(date.to_string()),
        _ => Err(serde::de::Error::custom("expected a day such as 2026-11-01, without a time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        date: String::new(),
        input: 2.0,
        output: 8.0,
        cached_input: Some(0.5),
        cache_write: Some(2.5),
    };

    fn usage(input: i64, cached: i64, written: i64, output: i64) -> Usage {
        Usage {
            input_tokens: Some(input),
            cached_tokens: Some(cached),
            cache_write_tokens: Some(written),
            output_tokens: Some(output),
            ..Usage::default()
        }
    }

    #[test]
    fn each_token_is_paid_once_at_the_price_of_its_kind() {
        const MILLION: i64 = 1_000_000;
        for (tokens, dollars) in [
            (usage(MILLION, 0, 0, 0), 2.0),
            (usage(0, 0, 0, MILLION), 8.0),
            // Priced twice it would be 2.5; at the full rate, 2.0.
            (usage(MILLION, MILLION, 0, 0), 0.5),
            (usage(MILLION, 0, MILLION, 0), 2.5),
            (usage(4 * MILLION, MILLION, 2 * MILLION, MILLION), 2.0 + 0.5 + 5.0 + 8.0),
            // More cached than there is.
            (usage(MILLION, 3 * MILLION, 0, 0), 0.5),
            (usage(MILLION, MILLION, MILLION, 0), 0.5),
            (usage(MILLION, 0, 3 * MILLION, 0), 2.5),
            (usage(MILLION, -MILLION, -MILLION, 0), 2.0),
        ] {
            assert_eq!(PRICE.cost(&tokens), Some(dollars), "{tokens:?}");
        }
        // Reasoning is a part of the output.
        let reasoning = Usage { reasoning_tokens: Some(MILLION), ..usage(0, 0, 0, MILLION) };
        assert_eq!(PRICE.cost(&reasoning), Some(8.0));
    }

    #[test]
    fn without_prices_of_their_own_cached_tokens_cost_what_others_do() {
        let plain = Price { cached_input: None, cache_write: None, ..PRICE };
        assert_eq!(plain.cost(&usage(1_000_000, 300_000, 300_000, 0)), Some(2.0));
        assert_eq!(plain.estimate(1_000_000, 500_000), 6.0);
    }

    #[test]
    fn what_is_not_counted_has_no_cost() {
        let known = usage(1, 0, 0, 1);
        for unknown in [
            Usage { input_tokens: None, ..known },
            Usage { output_tokens: None, ..known },
            Usage { input_tokens: Some(-1), ..known },
        ] {
            assert_eq!(PRICE.cost(&unknown), None);
        }
        let only_totals = Usage { cached_tokens: None, cache_write_tokens: None, ..known };
        assert_eq!(PRICE.cost(&only_totals), Some(0.000_01));
    }
}
