//! Prompt rows in, response rows out: for each row a request to each model and each sample, the columns of
//! the response contract added to the row's own.
//!
//! Order: rows as they come, for each row the models as given, for each model the samples.

mod columns;

use crate::exchange::{Answer, Decoding, Message, Outcome, Request, Traits};
use crate::{Journal, Limits, Model, ask};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use columns::{Layout, assemble};
use seval_core::contract::Contract;
use seval_core::conversation::turns;
use seval_core::{Error, Result, Rows};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

/// Responses that one output batch holds at the most.
const BATCH_RESPONSES: usize = 4096;

/// What is asked of each row.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many answers to each prompt.
    pub samples: i64,
    /// Decoding settings; of several samples, each gets the seed plus its number.
    pub decoding: Decoding,
    /// Adds `latency_ms` and `attempts`, which differ from run to run.
    pub timings: bool,
}

/// What became of the requests, for the summary.
#[derive(Debug, Default)]
pub struct Counts([AtomicU64; Outcome::ALL.len()]);

impl Counts {
    fn add(&self, outcome: Outcome) {
        if let Some(at) = Outcome::ALL.iter().position(|known| *known == outcome) {
            self.0[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many requests ended so.
    pub fn of(&self, outcome: Outcome) -> u64 {
        let at = Outcome::ALL.iter().position(|known| *known == outcome);
        at.map_or(0, |at| self.0[at].load(Ordering::Relaxed))
    }
}

/// The rows with responses; of what the journal knows, the answers are taken from it.
pub fn query(
    rows: Rows,
    models: Vec<Model>,
    limits: Limits,
    journal: Option<Journal>,
    settings: Settings,
) -> Result<(Rows, Arc<Counts>)> {
    Contract::prompts()?.check(&rows.schema, &["prompt"], "the input")?;
    Contract::responses()?
        .refuse(&rows.schema, "to ask again, give the prompts, not the responses")?;
    let simulated = models.iter().any(Model::is_simulated);
    let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
    let layout = Layout::new(&rows.schema, &settings, simulated)?;
    let variants = names.len() * usize::try_from(settings.samples).unwrap_or(0);
    if variants == 0 {
        return Err(Error::usage("command line", "there is nothing to ask")
            .hint("name a model, and ask for at least one sample"));
    }
    let (send, receive) = mpsc::channel();
    let requests = Requests {
        batches: rows.batches,
        step: (BATCH_RESPONSES / variants).max(1),
        models: names.len(),
        settings: settings.clone(),
        rest: None,
        ready: VecDeque::new(),
        asked: send,
    };
    let mut answers = ask(models, limits, journal, requests);
    let counts = Arc::new(Counts::default());
    let (counted, schema) = (counts.clone(), layout.schema.clone());
    // An answer comes after its request, and a request after its batch was sent here.
    let batches = std::iter::from_fn(move || {
        let first = match answers.next()? {
            Ok(answer) => answer,
            Err(error) => return Some(Err(error)),
        };
        let Ok(batch) = receive.try_recv() else {
            return Some(Err(Error::world(
                "the engine",
                "an answer came to a question that was not asked",
            )));
        };
        let wanted = RecordBatch::num_rows(&batch) * variants;
        let mut all = Vec::with_capacity(wanted);
        all.push(first);
        while all.len() < wanted {
            match answers.next() {
                Some(Ok(answer)) => all.push(answer),
                Some(Err(error)) => return Some(Err(error)),
                None => return Some(Err(Error::world("the engine", "answers are missing"))),
            }
        }
        all.iter().for_each(|answer: &Answer| counted.add(answer.outcome));
        Some(assemble(&batch, &layout, &names, &settings, &all))
    });
    Ok((Rows { schema, batches: Box::new(batches), history: rows.history }, counts))
}

/// The requests of the rows, made as they are taken.
struct Requests {
    batches: seval_core::rows::Batches,
    /// Rows of a slice.
    step: usize,
    models: usize,
    settings: Settings,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
    ready: VecDeque<Request>,
    asked: mpsc::Sender<RecordBatch>,
}

impl Iterator for Requests {
    type Item = Result<Request>;

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
                    self.asked.send(slice).ok()?;
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
            let messages = match conversations.filter(|cells| cells.is_valid(row)) {
                Some(cells) => turns(cells.value(row).as_struct())?,
                None => {
                    let prompt = cell(prompts, row).ok_or_else(|| {
                        Error::data("the input", "a row has no prompt")
                            .hint(seval_core::expand::WITHOUT_PROMPT)
                    })?;
                    vec![Message { role: "user".into(), content: prompt }]
                }
            };
            let traits = Traits {
                prompt_id: cell(ids, row).unwrap_or_default(),
                base_id: cell(bases, row),
                language: cell(languages, row),
                risk_dimension: cell(risks, row),
                attack: cell(attacks, row),
                expected: cell(expected, row),
            };
            for model in 0..self.models {
                for sample in 0..self.settings.samples {
                    requests.push_back(Request {
                        model,
                        sample,
                        decoding: self.settings.decoding_of(sample),
                        messages: messages.clone(),
                        traits: traits.clone(),
                    });
                }
            }
        }
        Ok(requests)
    }
}

impl Settings {
    fn decoding_of(&self, sample: i64) -> Decoding {
        let seed = self.decoding.seed.map(|seed| seed.wrapping_add(sample));
        Decoding { seed, ..self.decoding.clone() }
    }
}

fn cell(column: Option<&StringArray>, row: usize) -> Option<String> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row).to_owned())
}
