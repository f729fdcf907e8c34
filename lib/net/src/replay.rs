//! The provider `replay:FILE`: answers that are in a file, from an earlier run or from elsewhere.
//!
//! - A row is known by its `prompt_id`, and by its conversation: all of `messages`, or without them
//!   and without an id the one turn that `prompt` is.
//! - A row whose conversation left turns to the model answers each of them: by its `replies`, and
//!   the last by its response.
//! - Nothing is made up: what the file does not have is a failed answer, and so is a further sample
//!   of what it has, or a conversation of which its rows do not agree.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use serde::Deserialize;
use serde_json::json;
use seval_core::conversation;
use seval_core::random::{content_hash, content_id};
use seval_core::{Error, Result, Rows};

use crate::dialect::Dialect;
use crate::exchange::{Answer, Decoding, Message, Outcome, Request, Traits};
use crate::reply;
use crate::turns::{self, Step};

/// A row of the file; whatever else is in the row is let be.
#[derive(Clone, Debug, Default)]
pub struct ReplayEntry {
    /// The prompt's id.
    pub prompt_id: Option<String>,
    /// The prompt's text.
    pub prompt: Option<String>,
    /// The conversation, where it is more than the prompt.
    pub messages: Option<Vec<Message>>,
    /// What the model wrote where the conversation leaves turns to it, the last one excepted.
    pub replies: Vec<String>,
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
    /// Answers by what rows are known by and sample, each with the row that it is from.
    answers: HashMap<u128, (u64, Arc<Kept>)>,
    /// Answers by conversation and sample, whatever the row's id; none where rows do not agree.
    conversations: HashMap<u128, Option<Arc<Kept>>>,
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
        let (answers, conversations) = (HashMap::new(), HashMap::new());
        let mut replay = Self { file: file.to_owned(), answers, conversations };
        for (row, entry) in (1..).zip(entries) {
            let entry = entry.map_err(|error| error.at(format!("{file}: row {row}")))?;
            replay.take(row, entry).map_err(|error| error.at(format!("{file}: row {row}")))?;
        }
        Ok(replay)
    }

    /// Takes in rows, of which the columns of [`ReplayEntry`] are read.
    pub fn read(file: &str, rows: Rows) -> Result<Self> {
        let entries = rows.batches.flat_map(|batch| match batch {
            Ok(batch) => entries(&batch),
            Err(error) => vec![Err(error)],
        });
        Self::from_entries(file, entries)
    }

    fn take(&mut self, row: u64, mut entry: ReplayEntry) -> Result<()> {
        let sample = entry.sample.unwrap_or(0);
        let id = entry.prompt_id.take().filter(|id| !id.is_empty());
        let prompt = entry.prompt.take();
        let (messages, replies) = (entry.messages.take(), std::mem::take(&mut entry.replies));
        let kept = Arc::new(entry.kept(&self.file).map_err(|what| Error::data("", what))?);
        let Some(messages) = messages else {
            return match (id, prompt) {
                (Some(id), _) => self.enter(row, key(&id, sample), kept),
                (None, Some(prompt)) => self.enter(row, key(&content_id(&prompt), sample), kept),
                (None, None) => {
                    Err(Error::data("", "it has neither `prompt_id` nor `prompt` nor `messages`"))
                }
            };
        };
        let before_the_last = messages.split_last().map_or(&[][..], |(_, before)| before);
        let leaves_turns = before_the_last.iter().any(turns::is_left_open);
        for (conversation, reply) in conversations(messages, replies, kept.is_usable()) {
            let is_last = reply.is_none();
            let kept = reply.map_or_else(|| kept.clone(), |text| Arc::new(Kept::of(text)));
            match &id {
                Some(id) if leaves_turns => {
                    self.enter(row, key(&turn_of(id, &conversation), sample), kept.clone())?;
                }
                Some(id) => self.enter(row, key(id, sample), kept.clone())?,
                None if is_last => self.enter(row, key(&conversation, sample), kept.clone())?,
                // Other conversations may begin so and have gone on in another way.
                None => {}
            }
            let known = self.conversations.entry(key(&conversation, sample));
            known
                .and_modify(|other| {
                    if other.as_ref() != Some(&kept) {
                        *other = None;
                    }
                })
                .or_insert_with(|| Some(kept.clone()));
        }
        Ok(())
    }

    fn enter(&mut self, row: u64, key: u128, kept: Arc<Kept>) -> Result<()> {
        match self.answers.entry(key) {
            Entry::Vacant(place) => {
                place.insert((row, kept));
            }
            Entry::Occupied(place) if place.get().1 == kept => {}
            Entry::Occupied(place) => {
                let what = format!("not the answer that row {} has", place.get().0);
                let what = format!("{what} to the same sample of the same prompt");
                return Err(Error::data("", what)
                    .hint("keep the rows of one model with one setting, or number `sample`"));
            }
        }
        Ok(())
    }

    /// The answer to a sample of the prompt of that id or, if the file has another id for it or
    /// none, of that conversation.
    pub fn answer(&self, prompt_id: &str, messages: &[Message], sample: i64) -> Answer {
        let conversation = known_by(messages);
        let turn = turn_of(prompt_id, &conversation);
        let ids = [turn.as_str(), prompt_id, conversation.as_str()];
        let found = ids.into_iter().find_map(|id| self.answers.get(&key(id, sample)));
        let found = found.map(|(_, kept)| kept);
        let found = found.or_else(|| self.conversations.get(&key(&conversation, sample))?.as_ref());
        let Some(kept) = found else {
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

/// The conversations that a row answers, oldest first: those that end before a turn that a reply
/// stands for, with the reply, and then the one that the row's own answer is to.
fn conversations(
    messages: Vec<Message>,
    replies: Vec<String>,
    is_answered: bool,
) -> Vec<(String, Option<String>)> {
    let (decoding, traits) = (Decoding::default(), Traits::default());
    let mut request = Request { model: 0, sample: 0, decoding, messages, traits };
    let mut found = Vec::new();
    let mut rest = turns::cut(&mut request).filter(|rest| !rest.is_last());
    for text in replies {
        let Some(left) = rest.take() else { break };
        found.push((known_by(&request.messages), Some(text.clone())));
        let reply = Answer { response: Some(text), ..Answer::of(Outcome::Answered) };
        if let Step::Next(next) = left.go_on(&mut request, reply) {
            rest = Some(next).filter(|rest| !rest.is_last());
        }
    }
    // Without its replies it is not known what the last answer is to.
    if rest.is_none() || !is_answered {
        found.push((known_by(&request.messages), None));
    }
    found
}

/// The id of a conversation; of one turn of the user, that of its text.
fn known_by(messages: &[Message]) -> String {
    match messages {
        [turn] if turn.role == "user" => content_id(&turn.content),
        // Texts can always be written as JSON.
        _ => conversation::id(messages).unwrap_or_default(),
    }
}

/// What a turn in the middle of a prompt's conversation is known by.
fn turn_of(prompt_id: &str, conversation: &str) -> String {
    format!("{prompt_id} {conversation}")
}

/// The rows of a batch.
fn entries(batch: &RecordBatch) -> Vec<Result<ReplayEntry>> {
    let samples = batch.column_by_name("sample");
    // A CSV file has numbers as text, and another program may have another type for them.
    let numbers = samples.and_then(|cells| cast(cells, &DataType::Float64).ok());
    let numbers = numbers.as_ref().and_then(|cells| cells.as_primitive_opt::<Float64Type>());
    let entry = |row: usize| {
        let text = |name: &str| text(batch, name, row);
        Ok(ReplayEntry {
            prompt_id: text("prompt_id"),
            prompt: text("prompt"),
            messages: messages(batch, row)?.filter(|turns| !turns.is_empty()),
            replies: replies(batch, row)?,
            sample: samples.map_or(Ok(None), |cells| sample(cells, numbers, row))?,
            response: text("response"),
            outcome: text("outcome"),
            finish_reason: text("finish_reason"),
            reasoning: text("reasoning"),
            error: text("error"),
        })
    };
    (0..batch.num_rows()).map(entry).collect()
}

/// A cell of a column, unless it is null.
fn cell<'b>(batch: &'b RecordBatch, name: &str, row: usize) -> Option<&'b ArrayRef> {
    let cells = batch.column_by_name(name)?;
    let is_null = cells.logical_nulls().is_some_and(|nulls| nulls.is_null(row));
    (!is_null).then_some(cells)
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    Some(cell(batch, name, row)?.as_string_opt::<i32>()?.value(row).to_owned())
}

fn sample(cells: &ArrayRef, numbers: Option<&Float64Array>, row: usize) -> Result<Option<i64>> {
    if cells.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) {
        return Ok(None);
    }
    let number = numbers.filter(|numbers| numbers.is_valid(row)).map(|n| n.value(row));
    match number.filter(|number| number.fract() == 0.0 && number.abs() < 1e15) {
        Some(number) => Ok(Some(number as i64)),
        None => Err(Error::data("", "its `sample` is not a whole number")),
    }
}

/// A conversation as a list, or as a CSV file has it: as JSON.
fn messages(batch: &RecordBatch, row: usize) -> Result<Option<Vec<Message>>> {
    /// A turn that is left to the model has no text.
    #[derive(Deserialize)]
    struct Turn {
        role: String,
        content: Option<String>,
    }
    let turn = |Turn { role, content }| Message { role, content: content.unwrap_or_default() };
    let Some(cells) = cell(batch, "messages", row) else { return Ok(None) };
    let turns = match (cells.as_list_opt::<i32>(), text(batch, "messages", row)) {
        (Some(lists), _) => {
            let turns = lists.value(row);
            turns.as_struct_opt().and_then(|turns| conversation::turns(turns).ok())
        }
        (None, Some(text)) if text.is_empty() => return Ok(None),
        (None, text) => {
            let turns = text.and_then(|text| serde_json::from_str::<Vec<Turn>>(&text).ok());
            turns.map(|turns| turns.into_iter().map(turn).collect())
        }
    };
    let wrong = || Error::data("", "its `messages` are no list of turns with a role and a content");
    turns.map(Some).ok_or_else(wrong)
}

/// Answers to earlier turns, as a list or as JSON.
fn replies(batch: &RecordBatch, row: usize) -> Result<Vec<String>> {
    let Some(cells) = cell(batch, "replies", row) else { return Ok(Vec::new()) };
    let texts = match (cells.as_list_opt::<i32>(), text(batch, "replies", row)) {
        (Some(lists), _) => lists.value(row).as_string_opt::<i32>().map(|texts| {
            texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect::<Vec<_>>()
        }),
        (None, Some(text)) if text.is_empty() => return Ok(Vec::new()),
        (None, text) => text.and_then(|text| serde_json::from_str(&text).ok()),
    };
    texts.ok_or_else(|| Error::data("", "its `replies` are no list of texts"))
}

impl Kept {
    /// An answer of which only the text is known.
    fn of(text: String) -> Self {
        Self {
            outcome: Outcome::Answered,
            response: Some(text),
            reasoning: None,
            finish_reason: None,
            error: None,
        }
    }

    /// Whether a conversation goes on after it.
    fn is_usable(&self) -> bool {
        matches!(self.outcome, Outcome::Answered | Outcome::Truncated)
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
mod tests;
