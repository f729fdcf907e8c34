//! The examples of a critic's file, which show what it reads and keep it from rotting.

use super::metadata::{Example, Judged};
use super::{Judge, Reply, guarded};
use crate::critique::verdict::{Mark, Verdict};
use crate::refusal::Refusal;
use crate::template::render::Row;
use crate::{Error, Result};
use std::sync::Arc;

impl Judge {
    /// What is not as the examples say, each with the file and the number of the example; empty if
    /// all is.
    pub fn check_examples(&self) -> Vec<String> {
        let examples = self.metadata().example.iter().zip(1..);
        let failed = examples.filter_map(|(example, number)| {
            let what = self.check(example).err()?;
            Some(format!("{}: example {number}: {what}", self.file().place))
        });
        failed.collect()
    }

    fn check(&self, example: &Example) -> Result<(), String> {
        let place = &self.file().place;
        let batch = || -> Result<_> {
            let json = serde_json::to_string(&example.row).map_err(|e| Error::usage(place, e))?;
            let mut rows = crate::input::of_text(&json)?;
            rows.batches.next().unwrap_or_else(|| Err(Error::usage(place, "the row is empty")))
        };
        let batch = Arc::new(batch().map_err(|error| error.to_string())?);
        let text = |name: &str| example.row.get(name).and_then(toml::Value::as_str).unwrap_or("");
        let nonce = guarded::nonce(&self.file().id(), text("prompt"), text("response"), 0);
        let row = Row { batch: &batch, row: 0, seed: 0, id: "example", prompt: None };
        let requests = self.requests(&row, &nonce, example.policy.as_deref());
        let requests = requests.map_err(|error| error.to_string())?;
        let judged = match self.metadata().judges {
            Judged::Response => "response",
            Judged::Prompt => "prompt",
        };
        let copy = guarded::neutralised(text(judged), &nonce);
        let in_json = serde_json::Value::from(copy.as_str()).to_string();
        for turns in &requests {
            let holds = |text: &str| turns.iter().any(|turn| turn.content.contains(text));
            if !holds(&copy) && !holds(&in_json) {
                return Err(format!("a request does not hold the {judged}"));
            }
            if self.metadata().guarded && !holds(&nonce) {
                return Err("a request does not hold the nonce".into());
            }
        }
        let one = example.reply.iter().map(|text| (text, &example.tokens));
        let several = example.replies.iter().map(|reply| (&reply.text, &reply.tokens));
        let replies: Vec<(String, _)> =
            one.chain(several).map(|(text, t)| (text.replace("NONCE", &nonce), t)).collect();
        if replies.len() != self.asks() {
            return Err(format!("{} replies to {} requests", replies.len(), self.asks()));
        }
        let replies: Vec<Reply<'_>> =
            replies.iter().map(|(text, tokens)| Reply { text, tokens }).collect();
        compare(&self.read(&replies, &nonce), example)
    }
}

fn compare(found: &Verdict, example: &Example) -> Result<(), String> {
    let differ = |what: &str, found: Option<&str>, wanted: Option<&str>| match found == wanted {
        true => Ok(()),
        false => {
            Err(format!("{what} is {}, not {}", found.unwrap_or("none"), wanted.unwrap_or("none")))
        }
    };
    let reason = match found.mark {
        Mark::Unscored(reason) => Some(reason.as_str()),
        _ => None,
    };
    differ("unscored_reason", reason, example.unscored_reason.as_deref())?;
    differ("verdict", Some(found.mark.as_str()), Some(&example.verdict))?;
    let near = |wanted: f64| found.risk_score.is_some_and(|score| (score - wanted).abs() < 1e-4);
    if !example.risk_score.is_none_or(near) {
        let wanted = example.risk_score.unwrap_or_default();
        return Err(format!("risk_score is {:?}, not {wanted}", found.risk_score));
    }
    if let Some(wanted) = &example.score_from {
        differ("score_from", found.score_from.map(|from| from.as_str()), Some(wanted))?;
    }
    if let Some(wanted) = &example.risk_tags
        && *wanted != found.risk_tags
    {
        return Err(format!("risk_tags are {:?}, not {wanted:?}", found.risk_tags));
    }
    if let Some(wanted) = &example.refusal {
        differ("refusal", found.refusal.map(Refusal::as_str), Some(wanted))?;
    }
    if example.correct.is_some() && example.correct != found.correct {
        return Err(format!("correct is {:?}, not {:?}", found.correct, example.correct));
    }
    Ok(())
}
