//! Prompt rows in, response rows out: for each row a request to each model and each sample, the columns of
//! the response contract added to the row's own.
//!
//! Order: rows as they come, for each row the models as given, for each model the samples.

mod columns;
mod queue;

use crate::engine::Answers;
use crate::exchange::{Answer, Decoding, Message, Request, Traits};
use crate::{Known, Limits, Model, ask};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
pub(crate) use columns::logprobs_cell;
use columns::{Layout, assemble};
use queue::{Receiver, Sender, queue};
use seval_core::contract::Contract;
use seval_core::conversation::turns;
use seval_core::{Error, Result, Rows};
use std::collections::VecDeque;

/// Responses that one output batch holds at the most.
const BATCH_RESPONSES: usize = 1024;

/// Bytes of answers after which a batch takes no more: a column holds less than 2 GiB, and memory less.
const BATCH_BYTES: usize = 64 << 20;

/// One of the requests that each row makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Index into the models.
    pub model: usize,
    /// Which of several answers to the same question.
    pub sample: i64,
    /// As it is sent.
    pub decoding: Decoding,
}

/// What is asked of each row.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The requests of each row, in the order of the answers.
    pub variants: Vec<Variant>,
    /// Adds `latency_ms` and `attempts`, which differ from run to run.
    pub timings: bool,
}

impl Settings {
    /// Every model with every one of its decoding settings, `samples` times; each sample gets the
    /// seed plus its number.
    pub fn new(decodings: Vec<Vec<Decoding>>, samples: i64, timings: bool) -> Self {
        let mut variants = Vec::new();
        for (model, decodings) in decodings.into_iter().enumerate() {
            for decoding in decodings {
                for sample in 0..samples {
                    let seed = decoding.seed.map(|seed| seed.wrapping_add(sample));
                    let decoding = Decoding { seed, ..decoding.clone() };
                    variants.push(Variant { model, sample, decoding });
                }
            }
        }
        Self { variants, timings }
    }
}

/// The requests of prompt rows: for each row the variants in order.
pub fn requests(
    rows: Rows,
    models: &[Model],
    settings: &Settings,
) -> Result<impl Iterator<Item = Result<Request>> + Send + 'static> {
    requests_of(rows, models, settings, None)
}

/// The same; `asked` gets each batch before its first request is given.
fn requests_of(
    rows: Rows,
    models: &[Model],
    settings: &Settings,
    asked: Option<Sender>,
) -> Result<Requests> {
    Contract::prompts()?.check(&rows.schema, &["prompt"], "the input")?;
    Contract::responses()?
        .refuse(&rows.schema, "to ask again, give the prompts, not the responses")?;
    let variants = settings.variants.clone();
    if variants.is_empty() {
        return Err(Error::usage("command line", "there is nothing to ask")
            .hint("name a model, and ask for at least one sample"));
    }
    Ok(Requests {
        batches: rows.batches,
        step: (BATCH_RESPONSES / variants.len()).max(1),
        systems: models.iter().map(|model| model.settings.system.clone()).collect(),
        see_traits: models.iter().map(Model::is_simulated).collect(),
        variants,
        rest: None,
        ready: VecDeque::new(),
        asked,
    })
}

/// The rows with responses; what is known already is taken from where it is known.
pub fn query(
    rows: Rows,
    models: Vec<Model>,
    limits: Limits,
    known: Known,
    settings: Settings,
) -> Result<Query> {
    let layout = Layout::new(&rows.schema, &settings, models.iter().any(Model::knows_truth))?;
    let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
    let (schema, history) = (rows.schema.clone(), rows.history.clone());
    let (send, receive) = queue();
    let batches = Rows { schema, history, ..rows };
    let requests = requests_of(batches, &models, &settings, Some(send))?;
    let answers = ask(models, limits, known, requests);
    Ok(Query { answers, asked: receive, layout, names, settings, history: rows.history })
}

/// Rows that are being asked.
pub struct Query {
    /// The answers, in the order of the requests.
    pub answers: Answers,
    asked: Receiver,
    layout: Layout,
    names: Vec<String>,
    settings: Settings,
    history: Vec<seval_core::provenance::Stage>,
}

impl Query {
    /// The rows with their responses, as they come.
    pub fn into_rows(self) -> Rows {
        let Self { mut answers, asked, layout, names, settings, history } = self;
        let schema = layout.schema.clone();
        // A batch whose answers are too large for one batch, and how many of them were given.
        let mut open: Option<(RecordBatch, usize)> = None;
        let batches = std::iter::from_fn(move || {
            let missing = || Err(Error::world("the engine", "answers are missing"));
            let first = match answers.next() {
                Some(Ok(answer)) => answer,
                Some(Err(error)) => return Some(Err(error)),
                None => return open.take().map(|_| missing()),
            };
            // An answer comes after its request, and a request after its batch was sent here.
            let Some((batch, given)) = open.take().or_else(|| Some((asked.take()?, 0))) else {
                return Some(Err(Error::world(
                    "the engine",
                    "an answer came to a question that was not asked",
                )));
            };
            let wanted = RecordBatch::num_rows(&batch) * settings.variants.len() - given;
            let mut bytes = first.weight();
            let mut all: Vec<Answer> = Vec::with_capacity(wanted);
            all.push(first);
            while all.len() < wanted && bytes < BATCH_BYTES {
                match answers.next() {
                    Some(Ok(answer)) => {
                        bytes += answer.weight();
                        all.push(answer);
                    }
                    Some(Err(error)) => return Some(Err(error)),
                    None => return Some(missing()),
                }
            }
            let rows = assemble(&batch, given, &layout, &names, &settings, &all);
            if all.len() < wanted {
                open = Some((batch, given + all.len()));
            }
            Some(rows)
        });
        Rows { schema, batches: Box::new(batches), history }
    }
}

/// The requests of the rows, made as they are taken.
struct Requests {
    batches: seval_core::rows::Batches,
    /// Rows of a slice.
    step: usize,
    variants: Vec<Variant>,
    /// By model, what it is told before a conversation that has no system prompt.
    systems: Vec<Option<String>>,
    /// By model, whether it looks at more than the conversation.
    see_traits: Vec<bool>,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
    ready: VecDeque<Request>,
    asked: Option<Sender>,
}

impl Iterator for Requests {
    type Item = Result<Request>;

    /// What comes without waiting.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ready.len(), None)
    }

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(request) = self.ready.pop_front() {
                return Some(Ok(request));
            }
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => match self.batches.next()? {
                    Ok(batch) => batch,
                    Err(error) => return Some(Err(error)),
                },
            };
            let rows = batch.num_rows();
            let slice = batch.slice(0, rows.min(self.step));
            if rows > self.step {
                self.rest = Some(batch.slice(self.step, rows - self.step));
            }
            match self.requests(&slice) {
                Ok(requests) if requests.is_empty() => {}
                Ok(requests) => {
                    self.ready = requests;
                    // The other end hangs up only when nobody wants the answers any more.
                    if let Some(asked) = &self.asked {
                        asked.send(slice)?;
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Requests {
    fn requests(&self, batch: &RecordBatch) -> Result<VecDeque<Request>> {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let prompts = text("prompt");
        let conversations = batch.column_by_name("messages").and_then(|c| c.as_list_opt::<i32>());
        let (ids, bases, languages) = (text("prompt_id"), text("base_id"), text("language"));
        let (risks, attacks, expected) = (text("risk_dimension"), text("attack"), text("expected"));
        let mut requests = VecDeque::new();
        for row in 0..batch.num_rows() {
            let mut messages = match conversations.filter(|cells| cells.is_valid(row)) {
                Some(cells) => turns(cells.value(row).as_struct())?,
                None => {
                    let prompt = cell(prompts, row).ok_or_else(|| {
                        Error::data("the input", "a row has no prompt")
                            .hint(seval_core::expand::WITHOUT_PROMPT)
                    })?;
                    vec![Message { role: "user".into(), content: prompt }]
                }
            };
            let traits = || Traits {
                prompt_id: cell(ids, row).unwrap_or_default(),
                base_id: cell(bases, row),
                language: cell(languages, row),
                risk_dimension: cell(risks, row),
                attack: cell(attacks, row),
                expected: cell(expected, row),
            };
            check(&messages)?;
            let mut variants = self.variants.iter().peekable();
            while let Some(variant) = variants.next() {
                let messages = match variants.peek() {
                    Some(_) => messages.clone(),
                    None => std::mem::take(&mut messages),
                };
                requests.push_back(Request {
                    model: variant.model,
                    sample: variant.sample,
                    decoding: variant.decoding.clone(),
                    messages: with_system(messages, self.systems[variant.model].as_deref()),
                    traits: match self.see_traits[variant.model] {
                        true => traits(),
                        false => Traits::default(),
                    },
                });
            }
        }
        Ok(requests)
    }
}

/// A conversation begins with somebody who says something.
fn check(messages: &[Message]) -> Result<()> {
    match messages.iter().find(|message| message.role != "system") {
        Some(first) if !(first.role == "assistant" && first.content.is_empty()) => Ok(()),
        _ => Err(Error::data("the input", "a conversation in `messages` has no first turn")
            .hint("the model can only answer to a turn with text")),
    }
}

fn with_system(mut messages: Vec<Message>, system: Option<&str>) -> Vec<Message> {
    let has_one = messages.iter().any(|message| message.role == "system");
    if let Some(system) = system.filter(|_| !has_one) {
        messages.insert(0, Message::system(system));
    }
    messages
}

fn cell(column: Option<&StringArray>, row: usize) -> Option<String> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row).to_owned())
}
