//! What is asked and what comes back: plain data, the same for every provider.

use std::fmt;

pub use seval_core::conversation::Turn as Message;
pub use seval_core::critique::judge::Token as Logprob;

/// Decoding settings sent with a request. `None` is the server's default: it is not sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoding {
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Top-k sampling; not part of OpenAI's own dialect, understood by vLLM, SGLang and others.
    pub top_k: Option<i64>,
    /// The most tokens to answer with.
    pub max_tokens: Option<i64>,
    /// The server's sampling seed.
    pub seed: Option<i64>,
    /// How many of the likeliest tokens to give with each token of the answer; 0 for only its own.
    pub top_logprobs: Option<i64>,
}

impl Decoding {
    /// These settings, and the others where nothing is set here.
    #[must_use]
    pub fn over(self, others: &Self) -> Self {
        Self {
            temperature: self.temperature.or(others.temperature),
            top_p: self.top_p.or(others.top_p),
            top_k: self.top_k.or(others.top_k),
            max_tokens: self.max_tokens.or(others.max_tokens),
            seed: self.seed.or(others.seed),
            top_logprobs: self.top_logprobs.or(others.top_logprobs),
        }
    }
}

/// What the simulated target may look at. A real model never sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The prompt's id; if it is empty, the messages' text takes its place in the draw.
    pub prompt_id: String,
    /// The base prompt that an attack comes from.
    pub base_id: Option<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// First level of the taxonomy.
    pub risk_dimension: Option<String>,
    /// The attack's name; `None` on base prompts.
    pub attack: Option<String>,
    /// `refuse`, `comply`, or the right choice.
    pub expected: Option<String>,
}

/// One question to one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Index into the models given to [`crate::ask`].
    pub model: usize,
    /// Which of several answers to the same question this is.
    pub sample: i64,
    /// Decoding settings.
    pub decoding: Decoding,
    /// The conversation, oldest turn first.
    pub messages: Vec<Message>,
    /// What only a simulated target sees.
    pub traits: Traits,
}

/// What became of a request: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A complete answer with text in it.
    Answered,
    /// The token limit cut the answer.
    Truncated,
    /// The provider's filter refused the request or the answer.
    Filtered,
    /// A complete answer without text.
    Empty,
    /// No answer in time.
    TimedOut,
    /// The answer passed the size limit.
    TooLarge,
    /// Anything else; the cause stands in [`Answer::error`].
    Failed,
}

impl Outcome {
    /// Every outcome, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Answered,
        Self::Truncated,
        Self::Filtered,
        Self::Empty,
        Self::TimedOut,
        Self::TooLarge,
        Self::Failed,
    ];

    /// The word in the `outcome` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Truncated => "truncated",
            Self::Filtered => "filtered",
            Self::Empty => "empty",
            Self::TimedOut => "timed_out",
            Self::TooLarge => "too_large",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a simulated target knows of its own answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// The probability of an unsafe answer that was used.
    pub unsafe_rate: f64,
    /// What was drawn with it.
    pub is_unsafe: bool,
}

/// The tokens that an answer took, as the server counts them; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the conversation, whether they were cached or not.
    pub input_tokens: Option<i64>,
    /// Those of them that were read from the provider's cache.
    pub cached_tokens: Option<i64>,
    /// Those of them that were written to the provider's cache, which some charge more for.
    pub cache_write_tokens: Option<i64>,
    /// Tokens of the answer, with its reasoning.
    pub output_tokens: Option<i64>,
    /// Those of them that are reasoning.
    pub reasoning_tokens: Option<i64>,
}

/// What came back for one [`Request`].
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What became of the request.
    pub outcome: Outcome,
    /// The answer's text. It may be there with any outcome that has an answer,
    /// [`Outcome::Truncated`] say.
    pub response: Option<String>,
    /// The reasoning, where the server gives it apart from the answer.
    pub reasoning: Option<String>,
    /// The server's own word for why it stopped.
    pub finish_reason: Option<String>,
    /// Tokens, as the server counts.
    pub usage: Usage,
    /// The likelihood of each token of the answer, where it was asked for and given.
    pub logprobs: Option<Vec<Logprob>>,
    /// The name by which the server calls the model that answered.
    pub served_model: Option<String>,
    /// The server's own mark of what it runs.
    pub system_fingerprint: Option<String>,
    /// The cause of a failure: one line, at most 300 characters, without keys.
    pub error: Option<String>,
    /// What it cost in dollars, where the price is known.
    pub cost: Option<f64>,
    /// The model's answers to earlier turns, in a conversation that leaves those to it.
    pub replies: Vec<String>,
    /// How long the last attempt took.
    pub latency_ms: i64,
    /// How many times the request was sent.
    pub attempts: i64,
    /// Only from simulated targets.
    pub truth: Option<Truth>,
}

impl Answer {
    /// An answer without text.
    pub(crate) fn without_text(outcome: Outcome, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::of(outcome) }
    }

    /// An answer of which nothing but the outcome is known yet.
    pub(crate) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            response: None,
            reasoning: None,
            finish_reason: None,
            usage: Usage::default(),
            logprobs: None,
            served_model: None,
            system_fingerprint: None,
            error: None,
            cost: None,
            replies: Vec::new(),
            latency_ms: 0,
            attempts: 1,
            truth: None,
        }
    }

    /// Bytes of text, for bounding memory.
    pub(crate) fn weight(&self) -> usize {
        let said = [&self.response, &self.reasoning, &self.error, &self.finish_reason];
        let about = [&self.served_model, &self.system_fingerprint];
        let texts = said.into_iter().chain(about).flatten().chain(&self.replies).map(String::len);
        let tokens = self.logprobs.iter().flatten();
        // A token and each of its neighbours is a short text of its own.
        texts.sum::<usize>() + tokens.map(|token| 64 * (1 + token.top.len())).sum::<usize>()
    }
}

impl Request {
    /// Bytes of text, for bounding memory.
    pub(crate) fn weight(&self) -> usize {
        self.messages.iter().map(|message| message.content.len()).sum()
    }
}
