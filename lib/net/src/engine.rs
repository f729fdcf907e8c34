//! The engine: requests in, answers out, in the same order, many of them under way at once.
//!
//! - Three threads at most: one pulls requests (their source may block), one runs the network, and
//!   the caller's takes the answers. Between them are bounded queues.
//! - A wide window of requests is open at once and a narrower number of connections, so that one
//!   slow answer at the head leaves the connections to those behind it. Answers that wait for it
//!   weigh at most [`HELD_BYTES`], whatever their number.
//! - An end that is not said is an error: a thread that dies never passes for the end of the input.
//! - Dropping the answers drops every request under way.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::thread;

use futures::future::select;
use futures::stream::{StreamExt, poll_fn};
use seval_core::{Error, Result};
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::exchange::{Answer, Outcome, Request};
use crate::fingerprint::Asked;
use crate::journal::Journal;
use crate::model::Model;
use crate::retry::Stop;
use crate::turns::Turns;

/// Bytes of text held in the window before no more requests are let in.
const HELD_BYTES: usize = 256 << 20;

/// Requests that are read ahead of the window.
const QUESTIONS: usize = 64;

/// Answers that wait for the caller outside the window: few, since they may be large.
const ANSWERS: usize = 16;

/// How much to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most requests under way at any time.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_connections: 64 }
    }
}

/// The requests of a run; [`None`] is their end.
type Question = Option<Result<Request>>;

/// Asks each request of its model: one answer each, in the order of the requests.
///
/// A failed request is an answer; an error is the last item and ends the run. Answers are computed
/// as they are taken, or a bounded number ahead where there is a network to wait for.
///
/// With a journal, what it has an answer to is not asked, and what is asked is on disk before it is
/// given here. Simulated targets need none.
pub fn ask(
    models: Vec<Model>,
    limits: Limits,
    journal: Option<Journal>,
    requests: impl Iterator<Item = Result<Request>> + Send + 'static,
) -> Answers {
    if models.iter().all(Model::is_simulated) {
        return Answers(State::Direct(models, Box::new(requests)));
    }
    Answers(match start(models, limits, journal, requests) {
        Ok(answers) => State::Engine(answers),
        Err(error) => State::Broken(Error::io("starting the engine", &error)),
    })
}

/// The answers of a run, see [`ask`].
pub struct Answers(State);

enum State {
    /// Only simulated targets: nothing to wait for, so neither threads nor a runtime.
    Direct(Vec<Model>, Box<dyn Iterator<Item = Result<Request>> + Send>),
    Engine(Receiver<Option<Result<Answer>>>),
    Broken(Error),
    Ended,
}

impl Iterator for Answers {
    type Item = Result<Answer>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match &mut self.0 {
            State::Direct(models, requests) => {
                requests.next().map(|request| simulate(models, &request?))
            }
            State::Engine(answers) => match answers.blocking_recv() {
                Some(next) => next,
                None => Some(Err(died("the network thread"))),
            },
            State::Broken(error) => Some(Err(error.clone())),
            State::Ended => None,
        };
        if !matches!(next, Some(Ok(_))) {
            self.0 = State::Ended;
        }
        next
    }
}

impl Answers {
    /// No more answers.
    pub(crate) fn ended() -> Self {
        Self(State::Ended)
    }
}

fn simulate(models: &[Model], request: &Request) -> Result<Answer> {
    let model = find(models, request)?;
    model.simulate(request).ok_or_else(|| died("the list of models"))
}

fn find<'m>(models: &'m [Model], request: &Request) -> Result<&'m Model> {
    let count = models.len();
    models
        .get(request.model)
        .ok_or_else(|| Error::usage("request", format!("asks model {} of {count}", request.model)))
}

fn start(
    models: Vec<Model>,
    limits: Limits,
    journal: Option<Journal>,
    requests: impl Iterator<Item = Result<Request>> + Send + 'static,
) -> std::io::Result<Receiver<Option<Result<Answer>>>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (question, questions) = mpsc::channel(QUESTIONS);
    let (answer, answers) = mpsc::channel(ANSWERS);
    // Neither thread is joined: the reader may wait for its source long after nobody wants its
    // rows.
    thread::Builder::new().name("requests".into()).spawn(move || feed(requests, &question))?;
    thread::Builder::new().name("network".into()).spawn(move || {
        let closed = answer.clone();
        runtime.block_on(async {
            let run = pin!(run(models, limits, journal, questions, answer));
            select(run, pin!(closed.closed())).await;
        });
        // Drops every request under way, and does not wait for a name that is being looked up.
        runtime.shutdown_background();
    })?;
    Ok(answers)
}

fn feed(requests: impl Iterator<Item = Result<Request>>, questions: &Sender<Question>) {
    for request in requests {
        let last = request.is_err();
        if questions.blocking_send(Some(request)).is_err() || last {
            return;
        }
    }
    // Nobody may be there to hear it.
    let _ = questions.blocking_send(None);
}

async fn run(
    models: Vec<Model>,
    limits: Limits,
    journal: Option<Journal>,
    mut questions: Receiver<Question>,
    answers: Sender<Option<Result<Answer>>>,
) {
    let connections = limits.max_connections.clamp(1, Semaphore::MAX_PERMITS);
    let window = connections.saturating_mul(16).saturating_add(QUESTIONS);
    let asker = Arc::new(Asker {
        models,
        journal,
        under_way: Turns::default(),
        stop: Stop::new(),
        connections: Arc::new(Semaphore::new(connections)),
    });
    let held = AtomicUsize::new(0);
    let open = poll_fn(|context| match held.load(Relaxed) {
        // No waker is needed: we are polled again after each answer that leaves the window, and an
        // answer will leave it, since something is in it.
        bytes if bytes > HELD_BYTES => Poll::Pending,
        _ => questions.poll_recv(context).map(|question| match question {
            Some(question) => question,
            None => Some(Err(died("the reader of the requests"))),
        }),
    });
    let weighed = open.map(|question| {
        // Weighed here, before the future is first polled: a whole window may be let in before
        // that.
        let bytes = question.as_ref().map_or(0, Request::weight);
        held.fetch_add(bytes, Relaxed);
        answer(&asker, &held, question, bytes)
    });
    let window = weighed.buffered(window);
    let mut window = pin!(window);
    while let Some((answer, bytes)) = window.next().await {
        held.fetch_sub(bytes, Relaxed);
        let last = answer.is_err();
        if answers.send(Some(answer)).await.is_err() || last {
            return;
        }
    }
    // Whether the caller is there to hear of the end is no matter of ours.
    let _ = answers.send(None).await;
}

/// What all requests of a run share.
struct Asker {
    models: Vec<Model>,
    journal: Option<Journal>,
    under_way: Turns,
    stop: Stop,
    connections: Arc<Semaphore>,
}

/// One answer, and the bytes that it and its request hold in the window.
async fn answer(
    asker: &Arc<Asker>,
    held: &AtomicUsize,
    question: Result<Request>,
    asked: usize,
) -> (Result<Answer>, usize) {
    let answer = match question {
        Ok(request) => ask_in_turn(asker, request).await,
        Err(error) => Err(error),
    };
    let answered = answer.as_ref().map_or(0, Answer::weight);
    held.fetch_add(answered, Relaxed);
    (answer, asked + answered)
}

async fn ask_in_turn(asker: &Arc<Asker>, request: Request) -> Result<Answer> {
    let model = find(&asker.models, &request)?;
    if let Some(answer) = model.simulate(&request) {
        return Ok(answer);
    }
    let (Some(journal), Some(asked)) = (&asker.journal, model.asked(&request)) else {
        return ask_now(asker, request, None).await;
    };
    // The same question again waits for the answer to the first.
    let turn = asker.under_way.of(asked.fingerprint);
    let _turn = turn.wait().await;
    match journal.find(asked.fingerprint).await? {
        Some(answer) => Ok(answer),
        None if model.is_named() => {
            let cause = format!("no reply to this request in {}", journal.place());
            Ok(Answer::without_text(Outcome::Failed, cause))
        }
        None => ask_now(asker, request, Some(asked)).await,
    }
}

/// Asks once there is a connection to spare, and saves the answer if it is said what was asked.
async fn ask_now(asker: &Arc<Asker>, request: Request, asked: Option<Asked>) -> Result<Answer> {
    let permit = asker.connections.clone().acquire_owned().await.map_err(|_| died("the queue"))?;
    let asker = asker.clone();
    // A task of its own, so that answers are read while the caller is slow to take earlier ones:
    // else they would time out here with their bytes waiting in the socket.
    let task = tokio::spawn(async move {
        // Until the answer is saved: what a run can lose that is killed is what it has connections
        // for.
        let _permit = permit;
        asker.stop.check()?;
        let answer = find(&asker.models, &request)?.ask(&request, &asker.stop).await?;
        if let (Some(journal), Some(asked)) = (&asker.journal, asked) {
            // What cannot be kept is not asked for.
            journal.save(asked, &answer).await.map_err(|error| asker.stop.now(error))?;
        }
        Ok(answer)
    });
    task.await.unwrap_or_else(|_| Err(died("a request")))
}

fn died(what: &str) -> Error {
    Error::world("engine", format!("{what} ended without a word"))
        .hint("this is a fault in seval: please report it")
}
