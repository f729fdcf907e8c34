//! Critics that ask a model: guard models and judges, each one file `templates/critic/NAME.j2`. The
//! body makes the request, the leading comment says how the reply is read (see [`metadata`]).
//! Nothing here sends anything, and nothing defaults to a verdict.

mod example;
mod give;
pub mod guarded;
pub mod metadata;
mod reply;
mod score;

use self::give::{Give, Read};
use self::guarded::Texts;
use self::metadata::{Asking, Combine, Judged, Metadata};
use self::reply::{Answer, Reader, Values};
use super::verdict::{Reason, Verdict};
use crate::conversation::{self, Turn};
use crate::refusal::{Finding, Refusal, RefusalRules};
use crate::template::File;
use crate::template::metadata::{Makes, speaks};
use crate::template::render::{Row, Template};
use crate::{Error, Result, built_in};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The longest reply, in characters, that is kept of what could not be read.
const KEPT: usize = 500;

/// What the id of a category is read as, where ids are tokens with probabilities.
const CATEGORY: &str = "category";

/// How likely a token of a reply was.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Token {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// The likeliest tokens at its place, each with its logarithm, likeliest first.
    pub top: Vec<(String, f64)>,
}

/// What a model replied.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The text.
    pub text: &'a str,
    /// Its tokens; empty where the server gives none.
    pub tokens: &'a [Token],
}

/// A critic that asks a model, ready.
pub struct Judge {
    template: Template<Metadata>,
    readers: Vec<Reader>,
    give: Give,
}

/// The phrases of refusals; none would be a fault of the built-in file, which its own test finds.
static REFUSALS: LazyLock<Option<RefusalRules>> = LazyLock::new(|| {
    let rules = built_in::text("templates/critic/rules.toml")?;
    RefusalRules::parse(rules).ok()
});

impl Judge {
    /// The critic that a file describes.
    pub fn parse(file: &File) -> Result<Self> {
        let template = Template::<Metadata>::of(file.clone())?;
        let wrong = |what: String| {
            Error::usage(&file.place, what).hint("see --show of another critic that asks a model")
        };
        let metadata = &template.metadata;
        check(metadata).map_err(|what| wrong(what.into()))?;
        let mut readers: Vec<Reader> = Vec::new();
        for read in &metadata.read {
            if readers.iter().any(|reader| reader.name == read.name) {
                return Err(wrong(format!("two things are read as `{}`", read.name)));
            }
            let named = |what| wrong(format!("read `{}`: {what}", read.name));
            let mut read = read.clone();
            let categories = metadata.score.as_ref().map(|score| &score.categories);
            if let Some(categories) = categories.filter(|ids| !ids.is_empty())
                && read.name == CATEGORY
            {
                let ids = categories.keys().map(|id| (id.clone(), id.as_str().into()));
                read.labels = Some(ids.collect());
            }
            readers.push(Reader::new(&read).map_err(named)?);
        }
        let give = Give::new(metadata, &readers).map_err(wrong)?;
        Ok(Self { template, readers, give })
    }

    /// Its leading comment.
    pub fn metadata(&self) -> &Metadata {
        &self.template.metadata
    }

    /// Its file.
    pub fn file(&self) -> &File {
        &self.template.file
    }

    /// The settings of its requests.
    pub fn asking(&self) -> &Asking {
        &self.metadata().ask
    }

    /// The columns it cannot do without, beside `prompt` and, where it judges it, `response`.
    pub fn needs(&self) -> &[String] {
        &self.metadata().needs
    }

    /// Whether it judges by a policy of the user's, if there is one.
    pub fn uses_policy(&self) -> bool {
        let text = &self.file().text;
        let mut code = text.split("{{").skip(1).chain(text.split("{%").skip(1));
        code.any(|code| code.split('}').next().is_some_and(|code| code.contains("policy")))
    }

    /// Whether it has wording for a language.
    pub fn speaks(&self, language: Option<&str>) -> bool {
        speaks(&self.metadata().languages, language)
    }

    /// Whether it judges prompts, whatever the response.
    pub fn judges_prompt(&self) -> bool {
        self.metadata().judges == Judged::Prompt
    }

    /// How many requests one row makes.
    pub fn asks(&self) -> usize {
        match self.metadata().combine {
            Some(Combine::Swap) => 2,
            _ => self.metadata().asks.len().max(1),
        }
    }

    /// The requests for a row: the turns of each. The texts of the row go as copies without what a
    /// model or its server could take for a command (see [`guarded`]).
    pub fn requests(
        &self,
        row: &Row<'_>,
        nonce: &str,
        policy: Option<&str>,
    ) -> Result<Vec<Vec<Turn>>> {
        let policy = policy.unwrap_or_default().trim();
        if self.metadata().needs_policy && policy.is_empty() {
            return Err(Error::usage(&self.file().name, "judges by a policy, and there is none")
                .hint("give a file of rules with --policy"));
        }
        let texts = Texts::of(self.metadata(), row)?;
        (0..self.asks())
            .map(|number| {
                let is_swapped = self.metadata().combine == Some(Combine::Swap) && number == 1;
                let named = [("ask", self.ask(number)), ("nonce", nonce), ("policy", policy)];
                let batch = texts.copy(row, nonce, &named, is_swapped)?;
                let mut text = String::new();
                let copy = Row { batch: &batch, row: 0, prompt: None, ..*row };
                self.template.render(&copy, &mut text)?;
                match self.metadata().makes {
                    Makes::Prompt => Ok(vec![Turn::user(text)]),
                    Makes::Messages => conversation::parse_open(&text).map_err(|what| {
                        let what = format!("it writes no conversation: {what}");
                        Error::usage(&self.file().place, what)
                            .hint("write texts with `| tojson`: a JSON list of turns is wanted")
                    }),
                }
            })
            .collect()
    }

    /// Whether what is judged in a row holds text that looks meant for the critic.
    pub fn injection_suspected(&self, row: &Row<'_>) -> Result<bool> {
        Ok(Texts::of(self.metadata(), row)?.suspected())
    }

    /// The verdict in the replies to the requests of one row, in their order.
    pub fn read(&self, replies: &[Reply<'_>], nonce: &str) -> Verdict {
        if replies.len() != self.asks() {
            return Verdict::unscored(Reason::Failed, None);
        }
        let mut read = Vec::new();
        for (number, reply) in replies.iter().enumerate() {
            match self.read_one(reply, self.ask(number), nonce) {
                Ok(one) => read.push(one),
                Err(reason) => return unscored(reason, reply.text),
            }
        }
        let first = replies.first().map_or("", |reply| reply.text);
        self.give.verdict(read).unwrap_or_else(|reason| unscored(reason, first))
    }

    fn read_one(&self, reply: &Reply<'_>, ask: &str, nonce: &str) -> Result<Read, Reason> {
        let answer = Answer::of(reply.text).ok_or(Reason::Unparsable)?;
        let read = || -> Result<Values, Reason> {
            if self.metadata().guarded && !answer.echoes(nonce) {
                return Err(Reason::Unparsable);
            }
            let mut values = Values::default();
            for reader in &self.readers {
                reader.read(&answer, &mut values)?;
            }
            Ok(values)
        };
        let values = read().map_err(|reason| {
            // Only where nothing could be read: a judge may well explain a refusal in a verdict.
            let said = || REFUSALS.as_ref().map(|rules| rules.find(answer.text));
            let is_refusal = || {
                let found = |said: &Finding<'_>| said.phrase.is_some();
                said().filter(found).is_some_and(|said| said.refusal == Refusal::FullRefusal)
            };
            if answer.is_prose() && is_refusal() { Reason::CriticRefused } else { reason }
        })?;
        let (mut probability, mut categories) = (None, None);
        if let Some(score) = &self.metadata().score {
            match score.categories.is_empty() {
                true => probability = score.risk(reply, answer.at, values.label_at),
                false => categories = score.categories(reply, answer.at, values.label_at),
            }
        }
        Ok(Read { ask: ask.to_owned(), values, probability, categories })
    }

    fn ask(&self, number: usize) -> &str {
        self.metadata().asks.get(number).map_or("", String::as_str)
    }
}

/// What is wrong with a file as a whole.
fn check(metadata: &Metadata) -> Result<(), &'static str> {
    let is_needed = |name: &str| metadata.needs.iter().any(|need| need == name);
    let has_read = |name: &str| metadata.read.iter().any(|read| read.name == name);
    let has_labels = metadata.read.iter().any(|read| read.labels.is_some() && read.json.is_none());
    let is_json = metadata.read.iter().any(|read| read.json.is_some());
    let score = metadata.score.as_ref();
    match metadata.combine {
        Some(Combine::Swap) if !metadata.asks.is_empty() => {
            return Err("combine = \"swap\" makes its own two requests: leave asks out");
        }
        Some(Combine::Swap) if !is_needed("response_b") => {
            return Err("combine = \"swap\" needs the column response_b");
        }
        Some(Combine::Swap) if !has_read("first") || !has_read("second") => {
            return Err("combine = \"swap\" reads `first` and `second`");
        }
        Some(Combine::Max | Combine::Mean) if metadata.asks.len() < 2 => {
            return Err("there is nothing to combine: name two or more asks");
        }
        None if metadata.asks.len() > 1 => {
            return Err("several asks, and no word on how they combine");
        }
        _ => {}
    }
    if metadata.guarded && !is_json {
        return Err("a guarded critic reads JSON, which holds the nonce");
    }
    if score.is_some_and(|score| score.at == metadata::At::Label) && !has_labels {
        return Err("the score is at a label, and no line or pattern with labels is read");
    }
    if let Some(score) = score.filter(|score| !score.categories.is_empty()) {
        let is_known = |id: &String| score.categories.contains_key(id);
        let mut ids = metadata.thresholds.keys().filter(|id| *id != "default").chain(&score.safe);
        if metadata.combine.is_some() || !has_read(CATEGORY) {
            return Err("categories are read as `category`, from one reply");
        }
        if score.safe.is_empty() || !ids.all(is_known) {
            return Err("the safe ids, and those with thresholds, must be among the categories");
        }
    } else if !metadata.thresholds.is_empty() {
        return Err("thresholds are for categories");
    } else if score.is_some_and(|score| score.safe.is_empty() && score.unsafe_.is_empty()) {
        return Err("the score names no tokens");
    }
    if metadata.judges == Judged::Prompt && is_needed("response") {
        return Err("a critic of prompts needs no response");
    }
    if metadata.example.is_empty() {
        return Err("there is no example");
    }
    Ok(())
}

fn unscored(reason: Reason, reply: &str) -> Verdict {
    let kept: String = reply.trim().chars().take(KEPT).collect();
    Verdict::unscored(reason, (!kept.is_empty()).then_some(kept))
}

/// The critics that ask a model among the files of a library: those that are Jinja.
pub fn is_judge(file: &File) -> bool {
    file.text.trim_start_matches('\u{feff}').starts_with("{#")
}

#[cfg(test)]
mod tests;
