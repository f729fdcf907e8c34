//! The engine: requests in, answers out, in the same order, many of them under way at once.
//!
//! - Three threads at most: one pulls requests (their source may block) and makes them ready to be
//!   sent, one runs the network, and the caller's takes the answers. Between them are bounded queues.
//! - When to send what is decided by [`crate::pace`]; [`run`] carries it out.
//! - A wide window of requests is open at once and a narrower number of connections, so that one
//!   slow answer at the head leaves the connections to those behind it. Answers that wait for it
//!   weigh at most [`run::HELD_BYTES`], whatever their number.
//! - An end that is not said is an error: a thread that dies never passes for the end of the input.
//! - Dropping the answers drops every request under way.

mod budget;
mod job;
pub mod progress;
mod run;
mod window;

use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::future::select;
use seval_core::{Error, Result};
use tokio::runtime;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;

use crate::exchange::{Answer, Request};
use crate::health::Tries;
use crate::journal::Journal;
use crate::model::Model;
use crate::turns::{self, Step};
use job::Job;
pub use job::{Estimate, Prepared};
use progress::Progress;

/// Requests that travel together, and that are read ahead of the window.
const QUESTIONS: usize = 32;

/// Groups of answers that wait for the caller outside the window: few, since they may be large.
const ANSWERS: usize = 4;

/// How much to do at once, and in all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most requests under way at any time, to all models together.
    pub max_connections: usize,
    /// How often a request is sent again after a failure that may pass.
    pub max_retries: u32,
    /// How often a request is sent again whose connection was lost after it had been sent, so that
    /// it may be charged for twice.
    pub max_resends: u32,
    /// The longest wait that a server may ask for; beyond it the request fails.
    pub max_retry_after: Duration,
    /// The first wait before sending again is up to this long; each further one up to twice the
    /// last.
    pub backoff: Duration,
    /// The most requests that are sent in this run.
    pub max_requests: Option<u64>,
    /// The most dollars that are spent in this run.
    pub max_cost: Option<f64>,
    /// How long to wait for what is under way when the run is told to end.
    pub grace: Duration,
    /// Whether an answer of another model than was asked for ends the run.
    pub strict_model: bool,
}

impl Limits {
    /// What a request may have that is not answered.
    fn tries(&self) -> Tries {
        let doubled = 2_u32.saturating_pow(self.max_retries).saturating_sub(1);
        let waits = self.backoff.saturating_mul(doubled).min(self.max_retry_after);
        Tries { attempts: self.max_retries.saturating_add(1), waits }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 64,
            max_retries: 5,
            max_resends: 1,
            max_retry_after: Duration::from_secs(300),
            backoff: Duration::from_millis(500),
            max_requests: None,
            max_cost: None,
            grace: Duration::from_secs(30),
            strict_model: false,
        }
    }
}

/// Where answers may come from instead of a server.
#[derive(Clone, Default)]
pub struct Known {
    /// What earlier runs asked, and where this one keeps its answers.
    pub journal: Option<Journal>,
    /// The replies to a file of requests (see [`crate::batch`]).
    pub replies: Option<Journal>,
}

/// Where an answer is looked for before it is asked.
#[derive(Clone, Copy)]
struct FoundBy {
    journal: bool,
    replies: bool,
}

/// Several requests, and whether the last is the last of all.
struct Questions {
    requests: Vec<Result<Box<Job>>>,
    end: bool,
}

/// A question, ready to be asked: made on the thread that reads, since that of the network has enough
/// to do.
fn ready(mut request: Request, models: &[Model], found_by: FoundBy) -> Result<Box<Job>> {
    let model = find(models, request.model)?;
    let rest = turns::cut(&mut request);
    let prepared = model.prepare(&request, found_by.journal);
    if rest.is_none() && !found_by.replies && model.is_asked_by_body() {
        // What waits holds its text once.
        request.messages = Vec::new();
    }
    Ok(Box::new(Job::new(request, rest, prepared)))
}

/// Several answers in order; none is the end.
type Answered = Vec<Result<Box<Answer>>>;

/// Asks each request of its model: one answer each, in the order of the requests.
///
/// A failed request is an answer; an error is the last item and ends the run. Answers are computed
/// as they are taken, or a bounded number ahead where there is a network to wait for.
///
/// The lower bound of the iterator's `size_hint` says how many requests come without waiting.
///
/// With a journal, what it has an answer to is not asked, and what is asked is on disk before it is
/// given here. Simulated targets need none.
pub fn ask(
    models: Vec<Model>,
    limits: Limits,
    known: Known,
    requests: impl Iterator<Item = Result<Request>> + Send + 'static,
) -> Answers {
    let progress = Arc::new(Progress::new(&models));
    let (stopper, stopped) = watch::channel(false);
    let models = Arc::new(models);
    let state = match models.iter().all(Model::is_simulated) {
        true => State::Direct(models, Box::new(requests)),
        false => match start(models, limits, known, &progress, stopped, requests) {
            Ok(answers) => State::Engine(answers, Vec::new().into_iter()),
            Err(error) => State::Broken(Error::io("starting the engine", &error)),
        },
    };
    Answers { state, progress, stopper }
}

/// The answers of a run, see [`ask`].
pub struct Answers {
    state: State,
    progress: Arc<Progress>,
    stopper: watch::Sender<bool>,
}

enum State {
    /// Only simulated targets: nothing to wait for, so neither threads nor a runtime.
    Direct(Arc<Vec<Model>>, Box<dyn Iterator<Item = Result<Request>> + Send>),
    Engine(Receiver<Answered>, std::vec::IntoIter<Result<Box<Answer>>>),
    Broken(Error),
    Ended,
}

impl Iterator for Answers {
    type Item = Result<Answer>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match &mut self.state {
            State::Direct(models, requests) => {
                let answer = requests.next().map(|request| simulate(models, &mut request?));
                if let Some(Ok(answer)) = &answer {
                    self.progress.done(answer.outcome);
                }
                answer
            }
            State::Engine(answers, ready) => match ready.next() {
                Some(next) => Some(next.map(|answer| *answer)),
                None => match answers.blocking_recv() {
                    Some(group) => {
                        *ready = group.into_iter();
                        // A group without an answer is the end.
                        ready.next().map(|next| next.map(|answer| *answer))
                    }
                    None => Some(Err(died("the network thread"))),
                },
            },
            State::Broken(error) => Some(Err(error.clone())),
            State::Ended => None,
        };
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Ended;
        }
        next
    }
}

impl Answers {
    /// The error that ended the run, if one did already and all answers before it are taken.
    pub(crate) fn broken(&mut self) -> Option<Error> {
        let State::Engine(answers, ready) = &mut self.state else { return None };
        if ready.as_slice().is_empty()
            && let Ok(group) = answers.try_recv()
        {
            if group.is_empty() {
                self.state = State::Ended;
                return None;
            }
            *ready = group.into_iter();
        }
        let error = ready.as_slice().first()?.as_ref().err()?.clone();
        self.state = State::Ended;
        Some(error)
    }

    /// No more answers.
    pub(crate) fn ended() -> Self {
        let (stopper, _) = watch::channel(false);
        Self { state: State::Ended, progress: Arc::new(Progress::new(&[])), stopper }
    }

    /// What has been done so far.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Tells the run to send nothing more, wait for what is under way, and end with an error.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        let stopper = self.stopper.clone();
        // Nobody hears it when the run has ended by itself.
        move || {
            let _ = stopper.send(true);
        }
    }
}

fn simulate(models: &[Model], request: &mut Request) -> Result<Answer> {
    let model = find(models, request.model)?;
    let mut rest = turns::cut(request);
    loop {
        let answer = model.simulate(request).ok_or_else(|| died("the list of models"))?;
        match rest {
            Some(now) if !now.is_last() => match now.go_on(request, answer) {
                Step::Next(next) => rest = Some(next),
                Step::Done(answer) => return Ok(*answer),
            },
            Some(last) => return Ok(last.sum(answer)),
            None => return Ok(answer),
        }
    }
}

fn find(models: &[Model], model: usize) -> Result<&Model> {
    let count = models.len();
    models
        .get(model)
        .ok_or_else(|| Error::usage("request", format!("asks model {model} of {count}")))
}

fn start(
    models: Arc<Vec<Model>>,
    limits: Limits,
    known: Known,
    progress: &Arc<Progress>,
    stopped: watch::Receiver<bool>,
    requests: impl Iterator<Item = Result<Request>> + Send + 'static,
) -> std::io::Result<Receiver<Answered>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (question, questions) = mpsc::channel(2);
    let (answer, answers) = mpsc::channel(ANSWERS);
    let found_by = FoundBy { journal: known.journal.is_some(), replies: known.replies.is_some() };
    let with = models.clone();
    let ready = move |request| ready(request, &with, found_by);
    // Neither thread is joined: the reader may wait for its source long after nobody wants its
    // rows.
    let reader = thread::Builder::new().name("requests".into());
    reader.spawn(move || feed(requests, ready, &question))?;
    let progress = progress.clone();
    thread::Builder::new().name("network".into()).spawn(move || {
        let closed = answer.clone();
        runtime.block_on(async {
            let run = run::Run::new(models, limits, known, progress);
            let run = pin!(run.drive(questions, answer, stopped));
            select(run, pin!(closed.closed())).await;
        });
        // Drops every request under way, and does not wait for a name that is being looked up.
        runtime.shutdown_background();
    })?;
    Ok(answers)
}

/// Reads requests, several at a time while nobody waits for them and there are more at once. None is
/// held back while the next is waited for: its source may wait for the answer to this one.
fn feed(
    mut requests: impl Iterator<Item = Result<Request>>,
    ready: impl Fn(Request) -> Result<Box<Job>>,
    questions: &Sender<Questions>,
) {
    let mut group = Vec::new();
    while let Some(request) = requests.next() {
        let question = request.and_then(&ready);
        let last = question.is_err();
        group.push(question);
        let nobody_waits = questions.capacity() < questions.max_capacity();
        let more_are_ready = requests.size_hint().0 > 0;
        if nobody_waits && more_are_ready && group.len() < QUESTIONS && !last {
            continue;
        }
        let requests = std::mem::take(&mut group);
        if questions.blocking_send(Questions { requests, end: false }).is_err() || last {
            return;
        }
    }
    // Nobody may be there to hear it.
    let _ = questions.blocking_send(Questions { requests: group, end: true });
}

fn died(what: &str) -> Error {
    Error::world("engine", format!("{what} ended without a word"))
        .hint("this is a fault in seval: please report it")
}
