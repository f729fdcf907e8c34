//! The provider `replay:FILE`: answers that are in a file, from an earlier run or from elsewhere.
//!
//! Nothing is made up: a prompt that the file does not have is a failed answer, and so is a further
//! sample of one that it has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use serde_json::json;
use seval_core::random::{content_hash, content_id};
use seval_core::{Error, Result, Rows};

use crate::dialect::Dialect;
use crate::exchange::{Answer, Outcome};
use crate::reply;

/// A row of the file; whatever else is in the row is let be.
#[derive(Clone, Debug, Default)]
pub struct ReplayEntry {
    /// The prompt's id; without it, that of the text is taken.
    pub prompt_id: Option<String>,
    /// The prompt's text.
    pub prompt: Option<String>,
    /// Which of several answers to the prompt this is; 0 if nothing is said.
    pub sample: Option<i64>,
    /// The answer's text.
    pub response: Option<String>,
    /// A word of [`Outcome`]; without it, the response and the finish reason say.
    pub outcome: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// The reasoning.
    pub reasoning: Option<String>,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// The answers of a file.
#[derive(Debug)]
pub struct Replay {
    file: String,
    /// Answers by prompt and sample, each with the row that it is from.
    answers: HashMap<u128, (u64, Box<Kept>)>,
}

/// An answer without all that no row holds.
#[derive(Debug, PartialEq)]
struct Kept {
    outcome: Outcome,
    response: Option<String>,
    reasoning: Option<String>,
    finish_reason: Option<String>,
    error: Option<String>,
}

impl Replay {
    /// Takes in the rows of `file`, which is only a name here; errors count rows from 1.
    ///
    /// A row without a prompt or an answer is an error, and so are two rows with different answers
    /// to one sample of one prompt; the same answer twice is one.
    pub fn from_entries(
        file: &str,
        entries: impl IntoIterator<Item = Result<ReplayEntry>>,
    ) -> Result<Self> {
        let mut answers = HashMap::new();
        for (row, entry) in (1..).zip(entries) {
            let at = |what: &str| Error::data(format!("{file}: row {row}"), what);
            let entry = entry.map_err(|error| error.at(format!("{file}: row {row}")))?;
            let key = match (&entry.prompt_id, &entry.prompt) {
                (Some(id), _) => key(id, entry.sample.unwrap_or(0)),
                (None, Some(prompt)) => key(&content_id(prompt), entry.sample.unwrap_or(0)),
                (None, None) => return Err(at("it has neither `prompt_id` nor `prompt`")),
            };
            let kept = Box::new(entry.kept(file).map_err(|what| at(&what))?);
            match answers.entry(key) {
                Entry::Vacant(place) => {
                    place.insert((row, kept));
                }
                Entry::Occupied(place) if place.get().1 == kept => {}
                Entry::Occupied(place) => {
                    let what = format!("not the answer that row {} has", place.get().0);
                    return Err(at(&format!("{what} to the same sample of the same prompt"))
                        .hint("keep the rows of one model with one setting, or number `sample`"));
                }
            }
        }
        Ok(Self { file: file.to_owned(), answers })
    }

    /// Takes in rows, of which the columns of [`ReplayEntry`] are read.
    pub fn read(file: &str, rows: Rows) -> Result<Self> {
        let entries = rows.batches.flat_map(|batch| match batch {
            Ok(batch) => (0..batch.num_rows()).map(|row| Ok(entry(&batch, row))).collect(),
            Err(error) => vec![Err(error)],
        });
        Self::from_entries(file, entries)
    }

    /// The answer to a sample of the prompt of that id or, if the file has another id for it or
    /// none, of that text.
    pub fn answer(&self, prompt_id: &str, prompt: Option<&str>, sample: i64) -> Answer {
        let find = |id: &str| self.answers.get(&key(id, sample));
        let found = find(prompt_id).or_else(|| find(&content_id(prompt?)));
        let Some((_, kept)) = found else {
            let what = match sample {
                0 => "no answer to this prompt".to_owned(),
                _ => format!("no answer to sample {sample} of this prompt"),
            };
            return Answer::without_text(Outcome::Failed, format!("{what} in {}", self.file));
        };
        Answer {
            response: kept.response.clone(),
            reasoning: kept.reasoning.clone(),
            finish_reason: kept.finish_reason.clone(),
            error: kept.error.clone(),
            ..Answer::of(kept.outcome)
        }
    }
}

fn entry(batch: &RecordBatch, row: usize) -> ReplayEntry {
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let samples = batch.column_by_name("sample");
    let samples = samples.and_then(|column| column.as_primitive_opt::<Int64Type>());
    ReplayEntry {
        prompt_id: text("prompt_id"),
        prompt: text("prompt"),
        sample: samples.filter(|samples| samples.is_valid(row)).map(|s| s.value(row)),
        response: text("response"),
        outcome: text("outcome"),
        finish_reason: text("finish_reason"),
        reasoning: text("reasoning"),
        error: text("error"),
    }
}

impl ReplayEntry {
    /// The answer, or what is wrong with it.
    fn kept(self, file: &str) -> Result<Kept, String> {
        let word = self.outcome.as_deref();
        let outcome = match (word, &self.response) {
            (Some(word), _) => {
                Outcome::parse(word).ok_or_else(|| format!("no outcome is called `{word}`"))?
            }
            (None, None) => return Err("it has neither `response` nor `outcome`".to_owned()),
            (None, Some(text)) => {
                // As if a server had sent it.
                let message = json!({"content": text});
                let choice = json!({"message": message, "finish_reason": self.finish_reason});
                Dialect::Chat.read(&json!({"choices": [choice]})).outcome
            }
        };
        if outcome == Outcome::Answered && self.response.as_ref().is_none_or(String::is_empty) {
            return Err("its outcome is `answered`, and it has no `response`".to_owned());
        }
        let failed = matches!(outcome, Outcome::Failed | Outcome::TimedOut | Outcome::TooLarge);
        let error = self.error.map(|error| reply::short(&error));
        Ok(Kept {
            outcome,
            response: self.response.filter(|text| !text.is_empty()),
            reasoning: self.reasoning.filter(|text| !text.is_empty()),
            finish_reason: self.finish_reason,
            error: error.or_else(|| failed.then(|| format!("{outcome} in {file}"))),
        })
    }
}

fn key(prompt_id: &str, sample: i64) -> u128 {
    content_hash(&format!("{sample} {prompt_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_json(line: &str) -> Result<ReplayEntry> {
        let value: serde_json::Value =
            serde_json::from_str(line).map_err(|error| Error::data("", error))?;
        let text = |name: &str| value.get(name).and_then(|v| v.as_str()).map(str::to_owned);
        Ok(ReplayEntry {
            prompt_id: text("prompt_id"),
            prompt: text("prompt"),
            sample: value.get("sample").and_then(serde_json::Value::as_i64),
            response: text("response"),
            outcome: text("outcome"),
            finish_reason: text("finish_reason"),
            reasoning: text("reasoning"),
            error: text("error"),
        })
    }

    fn replay(lines: &[&str]) -> Result<Replay> {
        Replay::from_entries("a.jsonl", lines.iter().map(|line| from_json(line)))
    }

    #[test]
    fn a_prompt_is_found_by_its_id_or_its_text() {
        let id = content_id("How?");
        let replay = replay(&[
            r#"{"prompt":"How?","response":"So.","model":"m","labels":[1]}"#,
            r#"{"prompt":"How?","response":"Thus.","sample":1,"reasoning":"r"}"#,
            r#"{"prompt_id":"q1","prompt":"Why?","response":"Hence.","sample":null}"#,
        ])
        .unwrap();
        let text = |id: &str, prompt, sample| replay.answer(id, prompt, sample).response;
        assert_eq!(text(&id, None, 0).as_deref(), Some("So."));
        assert_eq!(text("theirs", Some("How?"), 0).as_deref(), Some("So."));
        assert_eq!(text(&id, None, 1).as_deref(), Some("Thus."));
        assert_eq!(text("q1", None, 0).as_deref(), Some("Hence."));
        assert_eq!(replay.answer(&id, None, 1).reasoning.as_deref(), Some("r"));
        for (id, prompt, sample, error) in [
            ("q2", None, 0, "no answer to this prompt in a.jsonl"),
            ("q2", Some("How"), 0, "no answer to this prompt in a.jsonl"),
            // A further sample is not the first one over again.
            ("q1", None, 1, "no answer to sample 1 of this prompt in a.jsonl"),
        ] {
            let answer = replay.answer(id, prompt, sample);
            assert_eq!((answer.outcome, answer.response), (Outcome::Failed, None));
            assert_eq!(answer.error.as_deref(), Some(error));
        }
    }

    #[test]
    fn an_outcome_is_read_or_follows_from_the_row() {
        for (row, outcome, error) in [
            (r#""response":"a""#, Outcome::Answered, None),
            (r#""response":"a","finish_reason":"length""#, Outcome::Truncated, None),
            (r#""response":"","finish_reason":"content_filter""#, Outcome::Filtered, None),
            (r#""response":" ""#, Outcome::Empty, None),
            (r#""response":"a","outcome":"truncated""#, Outcome::Truncated, None),
            (r#""outcome":"empty""#, Outcome::Empty, None),
            (r#""outcome":"timed_out""#, Outcome::TimedOut, Some("timed_out in a.jsonl")),
            (r#""outcome":"failed","error":"HTTP\n500""#, Outcome::Failed, Some("HTTP 500")),
        ] {
            let replay = replay(&[&format!(r#"{{"prompt_id":"q",{row}}}"#)]).unwrap();
            let answer = replay.answer("q", None, 0);
            assert_eq!((answer.outcome, answer.error.as_deref()), (outcome, error), "{row}");
        }
    }

    #[test]
    fn rows_that_do_not_agree_are_an_error_with_both() {
        let row = |response| format!(r#"{{"prompt_id":"q","response":"{response}"}}"#);
        let (one, other) = (row("a"), row("b"));
        assert!(replay(&[&one, &one]).is_ok());
        let error = replay(&[&one, &one, &other]).unwrap_err().to_string();
        let what = "a.jsonl: row 3: not the answer that row 1 has to the same sample of the same";
        assert!(error.starts_with(what), "{error}");
        // The same text under an id and without one is not one prompt with two answers.
        assert!(replay(&[&one, r#"{"prompt":"q","response":"b"}"#]).is_ok());
    }

    #[test]
    fn a_row_that_says_nothing_is_an_error() {
        for (row, what) in [
            (r#"{"response":"a"}"#, "row 1: it has neither `prompt_id` nor `prompt`"),
            (r#"{"prompt":"q"}"#, "row 1: it has neither `response` nor `outcome`"),
            (r#"{"prompt":"q","response":"a","outcome":"ok"}"#, "no outcome is called `ok`"),
            (r#"{"prompt":"q","outcome":"answered"}"#, "its outcome is `answered`, and it has no"),
            (r#"{"prompt":"q","response":5}"#, "row 1: it has neither `response` nor `outcome`"),
        ] {
            let error = replay(&[row]).unwrap_err().to_string();
            assert!(error.contains(what), "{row}: {error}");
        }
    }
}
