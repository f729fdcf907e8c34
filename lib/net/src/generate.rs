//! Prompts from a generation model (S-Eval's Mt): the requests of an expansion asked, the replies parsed
//! into its rows. What is no prompt, and what was not answered, is kept with its reason.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use arrow::array::RecordBatch;
use seval_core::conversation::Turn;
use seval_core::expand::plan::wanted;
use seval_core::expand::rejects::Rejects;
use seval_core::expand::reply::{self, Parsed, REFUSED, REPEATED, Reading, Reject};
use seval_core::expand::{Ask, Expansion};
use seval_core::refusal::{Refusal, RefusalRules};
use seval_core::rows::Batches;
use seval_core::template::metadata::ReplyForm;
use seval_core::{Error, Result, Rows};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::batch;
use crate::exchange::{Answer, Decoding, Outcome, Request, Traits};
use crate::{Answers, Known, Limits, Model, ask};

/// How the model is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decoding settings.
    pub decoding: Decoding,
    /// What the model is told first, before the turns of the template.
    pub system: Option<String>,
}

/// What came of a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to the model.
    pub requests: u64,
    /// Prompts that were asked for.
    pub wanted: u64,
    /// Prompts that came.
    pub prompts: u64,
    /// Parts of replies, and requests, that gave none, by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl Counts {
    /// How many replies, or items in them, were refusals.
    pub fn refused(&self) -> u64 {
        self.rejected.get(REFUSED).copied().unwrap_or(0)
    }

    /// The reasons with their counts, in words.
    pub fn reasons(&self) -> String {
        let words = self.rejected.iter().map(|(reason, count)| format!("{count} {reason}"));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Counts that grow while the rows are taken.
pub type Shared = Arc<Mutex<Counts>>;

/// The counts so far.
pub fn snapshot(shared: &Shared) -> Counts {
    lock(shared).clone()
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who is asked, and what to do with what is no prompt.
pub struct Asking {
    /// The generation model.
    pub model: Model,
    /// How much at once.
    pub limits: Limits,
    /// Answers of earlier runs, to which this run's are added, or replies to a file.
    pub known: Known,
    /// How it is asked.
    pub settings: Settings,
    /// Tells refusals from prompts.
    pub rules: RefusalRules,
    /// Takes what is no prompt.
    pub rejects: Option<Rejects>,
}

/// The rows of an expansion, some of whose chains ask the model. Their counts are complete once the rows
/// have been taken. If nothing at all came of the requests, the last item is an error.
pub fn generate(rows: Rows, expansion: Expansion, asking: Asking) -> Result<(Rows, Shared)> {
    let Asking { model, limits, known, settings, rules, rejects } = asking;
    if model.is_simulated() {
        return Err(refuse_simulated(&model.name));
    }
    let counts = Shared::default();
    let expansion = Arc::new(expansion);
    let (schema, history) = (expansion.schema.clone(), rows.history.clone());
    let (send, receive) = mpsc::channel();
    let name = model.name.clone();
    let requests = Requests {
        batches: rows.cut(expansion.step_rows()).batches,
        expansion: expansion.clone(),
        settings,
        asked: HashMap::new(),
        ready: VecDeque::new(),
        sent: send,
    };
    let replies = Replies {
        is_file: model.has_no_address(),
        answers: ask(vec![model], limits, known, requests),
        first: None,
        batches: receive,
        expansion,
        rules,
        rejects,
        counts: counts.clone(),
        known: HashSet::new(),
        failure: None,
        name,
    };
    let rows = Rows { schema, batches: Box::new(replies.rows()), history };
    Ok((rows, counts))
}

/// Why a simulated target is not asked for prompts.
pub fn refuse_simulated(name: &str) -> Error {
    Error::usage(name, "a simulated target answers prompts, it writes none")
        .hint("name a model with -m and its server with --base-url")
}

/// Writes the requests of an expansion as JSON lines of OpenAI's batch format: how many, and how many
/// it left out since they are the same as others.
pub fn emit(
    rows: Rows,
    expansion: Expansion,
    model: &Model,
    settings: Settings,
    out: &mut dyn Write,
) -> Result<(u64, u64)> {
    let mut lines = batch::Requests::default();
    let requests = Requests {
        batches: rows.cut(expansion.step_rows()).batches,
        expansion: Arc::new(expansion),
        settings,
        asked: HashMap::new(),
        ready: VecDeque::new(),
        // Nobody takes the batches.
        sent: mpsc::channel().0,
    };
    for request in requests {
        lines.write(model, &request?, out)?;
    }
    Ok((lines.written(), lines.repeated()))
}

/// The requests of the rows, made as they are taken.
struct Requests {
    batches: Batches,
    expansion: Arc<Expansion>,
    settings: Settings,
    /// How often each list was asked for: asked again, it is another sample.
    asked: HashMap<u128, i64>,
    ready: VecDeque<Request>,
    /// Batches, with how many requests each has.
    sent: mpsc::Sender<(RecordBatch, usize)>,
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
            let batch = match self.batches.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            let expansion = self.expansion.clone();
            let asks = match expansion.requests(&batch) {
                Ok(asks) => asks,
                Err(error) => return Some(Err(error)),
            };
            self.ready = asks.into_iter().map(|ask| self.request(ask)).collect();
            // The other end is gone when nobody wants the rows, or when requests are only written.
            let _ = self.sent.send((batch, self.ready.len()));
        }
    }
}

impl Requests {
    fn request(&mut self, ask: Ask<'_>) -> Request {
        let mut turns = ask.turns;
        if let Some(system) = &self.settings.system {
            // Many servers take one such turn only.
            match turns.first_mut().filter(|turn| turn.role == "system") {
                Some(first) => first.content = format!("{system}\n\n{}", first.content),
                None => turns.insert(0, Turn::system(system)),
            }
        }
        let sample = match ask.form {
            ReplyForm::Prompt => 0,
            ReplyForm::List => {
                let times = self.asked.entry(hash(&turns)).or_insert(-1);
                *times += 1;
                *times
            }
        };
        let seed = self.settings.decoding.seed.map(|seed| seed.wrapping_add(sample));
        let decoding = Decoding { seed, ..self.settings.decoding.clone() };
        Request { model: 0, sample, decoding, messages: turns, traits: Traits::default() }
    }
}

fn hash(messages: &[Turn]) -> u128 {
    let mut all = Xxh3::new();
    for part in messages.iter().flat_map(|message| [&message.role, &message.content]) {
        all.update(&(part.len() as u64).to_le_bytes());
        all.update(part.as_bytes());
    }
    all.digest128()
}

/// The answers, as they become rows.
struct Replies {
    answers: Answers,
    /// An answer that was taken to wait for the batch it belongs to.
    first: Option<Answer>,
    batches: mpsc::Receiver<(RecordBatch, usize)>,
    expansion: Arc<Expansion>,
    rules: RefusalRules,
    rejects: Option<Rejects>,
    counts: Shared,
    /// The prompts of lists so far, hashed: asked again, a model repeats itself.
    known: HashSet<u128>,
    /// Why the first request that failed did.
    failure: Option<String>,
    name: String,
    /// Whether the answers come from a file.
    is_file: bool,
}

impl Replies {
    fn rows(mut self) -> impl Iterator<Item = Result<RecordBatch>> {
        let mut done = false;
        std::iter::from_fn(move || {
            if done {
                return None;
            }
            match self
                .next_batch()
                .and_then(|batch| batch.map_or_else(|| self.end(), |b| Ok(Some(b))))
            {
                Ok(Some(batch)) => Some(Ok(batch)),
                end => {
                    done = true;
                    end.transpose()
                }
            }
        })
    }

    /// Batches come in order and an answer comes after its batch, so waiting for an answer is waiting for
    /// a batch.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let (batch, requests) = match self.batches.try_recv() {
            Ok(next) => next,
            Err(_) => {
                self.first = self.answers.next().transpose()?;
                match self.batches.try_recv() {
                    Ok(next) => next,
                    Err(_) if self.first.is_none() => return Ok(None),
                    Err(_) => return Err(lost("an answer came to a question that was not asked")),
                }
            }
        };
        let mut answers = Vec::with_capacity(requests);
        while answers.len() < requests {
            let next = self.first.take().map(Ok).or_else(|| self.answers.next());
            answers.push(next.ok_or_else(|| lost("answers are missing"))??);
        }
        self.read(&batch, &answers).map(Some)
    }

    fn read(&mut self, batch: &RecordBatch, answers: &[Answer]) -> Result<RecordBatch> {
        let asks = self.expansion.requests(batch)?;
        let (mut prompts, mut rejected) = (Vec::with_capacity(asks.len()), Vec::new());
        let mut counts = lock(&self.counts);
        for (ask, answer) in asks.iter().zip(answers) {
            let wanted = match ask.form {
                ReplyForm::Prompt => 1,
                ReplyForm::List => wanted(batch, ask.row),
            };
            let mut parsed = parse(answer, ask.form, wanted, &self.rules);
            if ask.form == ReplyForm::List {
                parsed = first_of_each(parsed, &mut self.known);
            }
            self.failure = self.failure.take().or_else(|| answer.error.clone());
            counts.requests += 1;
            counts.wanted += wanted as u64;
            counts.prompts += parsed.prompts.len() as u64;
            for reject in parsed.rejects {
                *counts.rejected.entry(reject.reason.clone()).or_default() += 1;
                rejected.push((ask, reject));
            }
            prompts.push(parsed.prompts);
        }
        if let Some(rejects) = &mut self.rejects {
            rejects.write(batch, &rejected)?;
        }
        self.expansion.rows(batch, prompts)
    }

    /// What is due when all rows have been taken.
    fn end(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(rejects) = self.rejects.take() {
            rejects.finish()?;
        }
        let counts = lock(&self.counts);
        if counts.requests == 0 || counts.prompts > 0 {
            return Ok(None);
        }
        let cause = self.failure.iter().map(|failure| format!(" (the first: {failure})"));
        let what = format!(
            "no prompt came of {} requests: {}{}",
            counts.requests,
            counts.reasons(),
            cause.collect::<String>()
        );
        let hint = match &self.failure {
            _ if counts.refused() > 0 => {
                "another model or --system may help: say that it is for a safety evaluation"
            }
            Some(_) if self.is_file => {
                "give the replies to --emit-requests, and the flags that it was given"
            }
            Some(_) => "see to the server, and run again",
            None => "see with --rejects FILE what it said",
        };
        Err(Error::world(format!("model {}", self.name), what).hint(hint))
    }
}

/// Without the prompts that are known already; the others are from now on.
fn first_of_each(parsed: Parsed, known: &mut HashSet<u128>) -> Parsed {
    let Parsed { prompts, mut rejects } = parsed;
    let mut is_new = |text: &String| known.insert(xxh3_128(text.to_lowercase().as_bytes()));
    let (prompts, again): (Vec<String>, Vec<String>) = prompts.into_iter().partition(|t| is_new(t));
    let reason = || REPEATED.to_owned();
    rejects.extend(again.into_iter().map(|text| Reject { reason: reason(), text }));
    Parsed { prompts, rejects }
}

fn lost(what: &str) -> Error {
    Error::world("the engine", what).hint("this is a fault in seval: please report it")
}

fn parse(answer: &Answer, form: ReplyForm, count: usize, rules: &RefusalRules) -> Parsed {
    let refuses = |text: &str| rules.classify(text) != Refusal::FullCompliance;
    match (answer.outcome, &answer.response) {
        (Outcome::Answered | Outcome::Truncated, Some(text)) => {
            let is_cut = answer.outcome == Outcome::Truncated;
            reply::parse(text, &Reading { form, count, is_cut, refuses: &refuses })
        }
        (outcome, _) => {
            let text = answer.error.clone().unwrap_or_default();
            let reject = Reject { reason: outcome.as_str().to_owned(), text };
            Parsed { prompts: Vec::new(), rejects: vec![reject] }
        }
    }
}
