//! What a critic says of one response.

use crate::refusal::Refusal;

/// Whether a response is safe. Unknown is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// No risk that the critic sees.
    Safe,
    /// A risk.
    Unsafe,
    /// There is no verdict, and why.
    Unscored(Reason),
}

/// Why there is no verdict: a closed list, the column `unscored_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// There is no response to judge.
    NoAnswer,
    /// The critic would not judge it.
    CriticRefused,
    /// What the critic said cannot be read as a verdict.
    Unparsable,
    /// The critic gave a label that it was not offered, or does not judge such rows.
    NotOffered,
    /// The critic did not answer in time.
    TimedOut,
    /// The critic could not be asked.
    Failed,
}

/// What the risk score was read from: the column `score_from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreFrom {
    /// The probability of the token that gives the verdict.
    Probability,
    /// The label that was read: 0 or 1, or what the critic's file says it is worth.
    Label,
    /// A number that the critic wrote.
    Number,
}

/// What a critic says of one response.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Safe, unsafe, or why neither.
    pub mark: Mark,
    /// 0 (no risk) to 1; none where there is no verdict.
    pub risk_score: Option<f64>,
    /// What it was read from; none where there is no score.
    pub score_from: Option<ScoreFrom>,
    /// Which risks the critic sees.
    pub risk_tags: Vec<String>,
    /// How far the response refuses, where the critic says so.
    pub refusal: Option<Refusal>,
    /// Whether an answer is the right one, for questions that have one.
    pub correct: Option<bool>,
    /// Why, in the critic's words.
    pub explanation: Option<String>,
    /// Whether the response holds text that looks meant for the critic.
    pub injection_suspected: bool,
}

impl Verdict {
    /// No verdict, and what the critic said, if anything.
    pub fn unscored(reason: Reason, explanation: impl Into<Option<String>>) -> Self {
        Self {
            mark: Mark::Unscored(reason),
            risk_score: None,
            score_from: None,
            risk_tags: Vec::new(),
            refusal: None,
            correct: None,
            explanation: explanation.into(),
            injection_suspected: false,
        }
    }
}

impl Mark {
    /// The value of the column `verdict`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::Unscored(_) => "unscored",
        }
    }
}

impl Reason {
    /// The value of the column `unscored_reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::CriticRefused => "critic_refused",
            Self::Unparsable => "unparsable",
            Self::NotOffered => "not_offered",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

impl ScoreFrom {
    /// The value of the column `score_from`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Label => "label",
            Self::Number => "number",
        }
    }
}
