//! What the leading comment of a critic's file says.

use super::Token;
use crate::template::metadata::Makes;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The comment, as it stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// What it judges and how, in a sentence.
    pub about: String,
    /// The paper or model card that the format is from, or `seval`.
    pub source: String,
    /// The languages it has wording for; empty: any.
    #[serde(default)]
    pub languages: Vec<String>,
    /// The model it is made for; none: any that follows instructions.
    pub model: Option<String>,
    /// Columns it cannot do without, beside `prompt` and `response`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What the text that it writes is; a conversation may end with the assistant's turn here.
    #[serde(default)]
    pub makes: Makes,
    /// Which text is judged.
    #[serde(default)]
    pub judges: Judged,
    /// The texts go as `data`, and the reply must hold the nonce in its one JSON object.
    #[serde(default)]
    pub guarded: bool,
    /// It cannot judge without a policy from the user.
    #[serde(default)]
    pub needs_policy: bool,
    /// A name for each request of a row, which the body sees as `ask`; empty: one request.
    #[serde(default)]
    pub asks: Vec<String>,
    /// What becomes of several replies.
    pub combine: Option<Combine>,
    /// Settings of the request.
    #[serde(default)]
    pub ask: Asking,
    /// What is read from a reply.
    #[serde(default)]
    pub read: Vec<Read>,
    /// Columns of the verdict, as expressions over what was read.
    #[serde(default)]
    pub give: Give,
    /// How the risk score is made of the probabilities of tokens.
    pub score: Option<Score>,
    /// From which probability on a category counts: by its id, or `default`.
    #[serde(default)]
    pub thresholds: BTreeMap<String, f64>,
    /// Rows, replies and verdicts.
    pub example: Vec<Example>,
}

/// Which text is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// The response, in the light of the prompt.
    #[default]
    Response,
    /// The prompt alone.
    Prompt,
}

/// What becomes of several replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The verdict with the highest risk score, with the tags of all.
    Max,
    /// One verdict over the mean of each number that was read.
    Mean,
    /// The same over two requests, of which the second exchanges `response` and `response_b`, and
    /// what is read as `first` and `second`: neither gains by its place (Wang et al., Large
    /// Language Models are not Fair Evaluators, 2023).
    Swap,
}

/// The settings that a critic's file asks for; those left out are the model's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// The temperature.
    pub temperature: Option<f64>,
    /// The longest reply, in tokens.
    pub max_tokens: Option<i64>,
    /// How many tokens to give with their probabilities at each place.
    pub top_logprobs: Option<i64>,
}

/// One thing that is read: exactly one of `pattern`, `line` and `json` says from where.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// What expressions call it. One with the name of a column of the verdict is that column.
    pub name: String,
    /// A regular expression: group 1 of its last match.
    pub pattern: Option<String>,
    /// A line that is not empty: 1 is the first one, -1 the last.
    pub line: Option<i64>,
    /// The keys that lead to it in the one JSON object, with `.` between them.
    pub json: Option<String>,
    /// What may be read, in lower case, and what it stands for.
    pub labels: Option<BTreeMap<String, toml::Value>>,
    /// What is read is a number, from the first to the second.
    pub range: Option<[f64; 2]>,
    /// What is read is a list, with this between its items.
    pub split: Option<String>,
    /// It may be missing.
    #[serde(default)]
    pub optional: bool,
}

/// Columns of the verdict as expressions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Give {
    /// `'safe'` or `'unsafe'`. Left out: unsafe from a risk score of 0.5 on.
    pub verdict: Option<String>,
    /// 0 to 1. Left out: 0 or 1 by the verdict. With `[score]`, what it is without probabilities.
    pub risk_score: Option<String>,
    /// A text or a list of them.
    pub risk_tags: Option<String>,
    /// `'full_compliance'`, `'partial_refusal'` or `'full_refusal'`.
    pub refusal: Option<String>,
    /// True or false.
    pub correct: Option<String>,
    /// A text.
    pub explanation: Option<String>,
}

/// The risk score from the probabilities of the token that gives the verdict.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Which token.
    pub at: At,
    /// Tokens that say there is a risk.
    #[serde(default, rename = "unsafe")]
    pub unsafe_: Vec<String>,
    /// Tokens that say there is none.
    #[serde(default)]
    pub safe: Vec<String>,
    /// Among what.
    #[serde(default)]
    pub of: Of,
    /// Tokens that are ids of categories, and their names; those in `safe` are no risk.
    #[serde(default)]
    pub categories: BTreeMap<String, String>,
}

/// Which token of a reply gives the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// The first one of the answer.
    First,
    /// The last one, marks of the end aside.
    Last,
    /// The one with which the label begins: the first thing read that has labels.
    Label,
}

/// Among what a probability is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Among the labels: that of the unsafe ones over that of all of them.
    #[default]
    Labels,
    /// Among all tokens: 1 less that of the safe ones.
    Vocabulary,
}

/// A row, what the model replied, and the verdict. `NONCE` in a reply stands for the nonce.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The row's columns.
    pub row: toml::Table,
    /// The user's policy.
    pub policy: Option<String>,
    /// The reply, where one request is made.
    pub reply: Option<String>,
    /// Its tokens.
    #[serde(default)]
    pub tokens: Vec<Token>,
    /// The replies, where several are made.
    #[serde(default)]
    pub replies: Vec<ExampleReply>,
    /// `safe`, `unsafe` or `unscored`.
    pub verdict: String,
    /// The risk score, to 1 in 10,000.
    pub risk_score: Option<f64>,
    /// What it is from.
    pub score_from: Option<String>,
    /// The tags.
    pub risk_tags: Option<Vec<String>>,
    /// How far the response refuses.
    pub refusal: Option<String>,
    /// Whether it is right.
    pub correct: Option<bool>,
    /// Why there is no verdict.
    pub unscored_reason: Option<String>,
}

/// One of several replies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleReply {
    /// The reply.
    pub text: String,
    /// Its tokens.
    #[serde(default)]
    pub tokens: Vec<Token>,
}
