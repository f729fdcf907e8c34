//! The risk score from the probabilities of the token that gives the verdict.

use super::metadata::{At, Of, Score};
use super::{Reply, Token};
use std::collections::BTreeMap;

/// Categories less likely than this are not kept.
const LEAST: f64 = 1e-4;

impl Score {
    /// The risk, 0 to 1, of a reply whose answer begins at `answer_at` and whose label at
    /// `label_at`, in bytes; none where there are no probabilities or no label is among the likely
    /// tokens.
    pub(super) fn risk(
        &self,
        reply: &Reply<'_>,
        answer_at: usize,
        label_at: Option<usize>,
    ) -> Option<f64> {
        let token = self.token(reply, answer_at, label_at)?;
        let among = |labels: &[String]| {
            let mut likely = likely(token);
            likely.retain(|(text, _)| labels.iter().any(|label| bare(label) == *text));
            likely.into_iter().map(|(_, p)| p).reduce(|a, b| a + b)
        };
        let (safe, risky) = (among(&self.safe), among(&self.unsafe_));
        if safe.is_none() && risky.is_none() {
            return None;
        }
        let (safe, risky) = (safe.unwrap_or(0.0).min(1.0), risky.unwrap_or(0.0).min(1.0));
        match self.of {
            Of::Vocabulary if self.safe.is_empty() => Some(risky),
            Of::Vocabulary => Some(1.0 - safe),
            Of::Labels => (safe + risky > 0.0).then(|| risky / (safe + risky)),
        }
    }

    /// The probabilities of the categories, by id; none where none is among the likely tokens.
    pub(super) fn categories(
        &self,
        reply: &Reply<'_>,
        answer_at: usize,
        label_at: Option<usize>,
    ) -> Option<BTreeMap<String, f64>> {
        let token = self.token(reply, answer_at, label_at)?;
        let mut by_id = BTreeMap::new();
        for (text, p) in likely(token) {
            if self.categories.contains_key(&text) {
                *by_id.entry(text).or_insert(0.0) += p;
            }
        }
        by_id.retain(|_, p| *p > LEAST);
        (!by_id.is_empty()).then_some(by_id)
    }

    fn token<'a>(
        &self,
        reply: &Reply<'a>,
        answer_at: usize,
        label_at: Option<usize>,
    ) -> Option<&'a Token> {
        let says = |token: &&Token| {
            let text = bare(&token.token);
            !(text.is_empty() || text.starts_with('<') && text.ends_with('>'))
        };
        match self.at {
            At::First => match reply.text[..answer_at].trim().is_empty() {
                true => reply.tokens.iter().find(says),
                false => at(reply, answer_at).filter(says),
            },
            At::Last => reply.tokens.iter().rev().find(says),
            At::Label => at(reply, label_at?).filter(says),
        }
    }
}

/// The token that stands at a byte of the reply; none where the tokens are not those of its text.
fn at<'a>(reply: &Reply<'a>, byte: usize) -> Option<&'a Token> {
    let joined: String = reply.tokens.iter().map(|token| token.token.as_str()).collect();
    // A server may leave out white space, or tokens that mark the beginning.
    let mut left = byte + joined.find(reply.text)?;
    reply.tokens.iter().find(|token| {
        let is_here = left < token.token.len();
        left = left.saturating_sub(token.token.len());
        is_here
    })
}

/// What could have stood at a token's place, bare, with its probability.
fn likely(token: &Token) -> Vec<(String, f64)> {
    let mut all: Vec<(String, f64)> =
        token.top.iter().map(|(text, logprob)| (bare(text), logprob.exp())).collect();
    // The token itself may be spelt in another way than in the list.
    let own = bare(&token.token);
    if !all.iter().any(|(text, _)| *text == own) {
        all.push((own, token.logprob.exp()));
    }
    all.retain(|(_, p)| p.is_finite());
    all
}

/// A token without the marks of white space that vocabularies put before a word, in lower case.
fn bare(token: &str) -> String {
    token.trim_matches(|c: char| c.is_whitespace() || "▁ĠĊ".contains(c)).to_lowercase()
}
