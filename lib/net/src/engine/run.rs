//! The engine's loop: takes requests in, sends what may be sent, writes down what came of it, and
//! gives the answers on, in one task.

mod attempts;
mod ending;
mod questions;

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use futures::future::FusedFuture;
use futures::stream::{FuturesUnordered, Stream};
use seval_core::{Error, Result};
use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::budget::Budget;
use super::job::Job;
use super::progress::Progress;
use super::window::Window;
use super::{Answered, Known, Limits, QUESTIONS, Questions, died};
use crate::attempt::Attempt;
use crate::exchange::{Answer, Outcome, Usage};
use crate::fingerprint::{Asked, Fingerprint};
use crate::journal::{Billed, Record};
use crate::model::Model;
use crate::pace::{Lane, Pace, Ticket};

/// Bytes of text held in the window before no more requests are let in.
pub const HELD_BYTES: usize = 256 << 20;

/// Requests in the window before no more are let in, however little they weigh.
const HELD: usize = 100_000;

/// What is taken up together, which bounds what one commit holds.
const GROUP: usize = 256;

/// Answers that travel together to the caller, in number and in bytes.
const TOGETHER: (usize, usize) = (64, 4 << 20);

/// What the loop waits for.
enum Event {
    /// A job's answer was found.
    Known(Box<Job>, Result<Box<Answer>>),
    /// Attempts are written down, the first with this number: they may be sent.
    Begun(Vec<(Box<Job>, Ticket)>, Result<i64>),
    /// An attempt, with its number, came to an end.
    Attempted(Box<Job>, Ticket, Option<i64>, Result<Attempt>),
    /// So many ends are written down.
    Written(usize),
    /// Ends are durable; the jobs are those that are answered by them, in order.
    Kept(Vec<Option<Box<Job>>>, Result<Vec<Record>>),
    /// In what the first questions differ from those of earlier runs.
    Differs(Result<Vec<String>>),
}

type Coming = Pin<Box<dyn Future<Output = Event> + Send>>;

/// One run of the engine.
pub struct Run {
    models: Arc<Vec<Model>>,
    limits: Limits,
    known: Known,
    progress: Arc<Progress>,
    pace: Pace<Box<Job>>,
    budget: Budget,
    window: Window,
    /// Who waits for the answer to a question that is under way.
    waiting: HashMap<Fingerprint, VecDeque<Box<Job>>>,
    coming: FuturesUnordered<Coming>,
    /// Ends to be written down together.
    ends: Vec<(Record, Option<Box<Job>>)>,
    /// Requests that are sent, or about to be.
    under_way: usize,
    /// Ends that are not written yet: a kill may lose them as if they were under way.
    unwritten: usize,
    /// Ends that are not durable yet, the unwritten among them: a power cut may lose them.
    unsaved: usize,
    /// Whether attempts are being written down, and how many groups of ends.
    beginning: bool,
    writing: usize,
    /// Questions without an answer in the journal, as long as none has one.
    missing: Option<Vec<Arc<Asked>>>,
    /// No more questions will come.
    all_read: bool,
    /// What ended the questions, if it was no end: the run ends with it after the answers before.
    broken: Option<Error>,
    /// Models that have given an answer.
    answering: HashSet<usize>,
    /// Models that are asked nothing more, and why.
    lost: HashMap<usize, Error>,
    /// Nothing more is sent, and the run ends with this error once what is under way is in.
    ending: Option<Error>,
    /// What was to be sent when the run's end was found is sent.
    sends_begun: bool,
    /// The latest time to wait until then.
    until: Option<Instant>,
    /// When it was last said what keeps the run from going faster.
    said: Option<std::time::Instant>,
    draws: Draws,
}

/// Numbers uniform in [0, 1), for jitter.
struct Draws {
    /// Every one has keys of its own: randomness enough, without a crate for it.
    keys: RandomState,
    drawn: u64,
}

impl Draws {
    fn next(&mut self) -> f64 {
        self.drawn += 1;
        (self.keys.hash_one(self.drawn) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Run {
    /// A run that has asked nothing yet.
    pub fn new(
        models: Arc<Vec<Model>>,
        limits: Limits,
        known: Known,
        progress: Arc<Progress>,
    ) -> Self {
        let lane = |model: &Model| Lane {
            max_connections: model.settings.max_connections.unwrap_or(limits.max_connections),
            requests_per_minute: model.settings.requests_per_minute,
            tokens_per_minute: model.settings.tokens_per_minute,
            max_retries: limits.max_retries,
            max_retry_after: limits.max_retry_after,
            backoff: limits.backoff,
        };
        let lanes = models.iter().map(lane).collect();
        let has_answers = known.journal.as_ref().is_some_and(|journal| journal.answers() > 0);
        Self {
            pace: Pace::new(lanes, limits.max_connections),
            budget: Budget::new(&limits),
            models,
            limits,
            known,
            progress,
            window: Window::default(),
            waiting: HashMap::new(),
            coming: FuturesUnordered::new(),
            ends: Vec::new(),
            under_way: 0,
            unwritten: 0,
            unsaved: 0,
            beginning: false,
            writing: 0,
            missing: has_answers.then(Vec::new),
            all_read: false,
            broken: None,
            answering: HashSet::new(),
            lost: HashMap::new(),
            ending: None,
            sends_begun: false,
            until: None,
            said: None,
            draws: Draws { keys: RandomState::new(), drawn: 0 },
        }
    }

    /// Runs to the end of the requests, or to the first error.
    pub async fn drive(
        mut self,
        mut questions: Receiver<Questions>,
        answers: Sender<Answered>,
        mut stopped: watch::Receiver<bool>,
    ) {
        // Whether the caller is there to hear of the end is no matter of ours.
        if let Err(error) = self.run(&mut questions, &answers, &mut stopped).await {
            // What is not waited for may be charged for all the same.
            (0..self.under_way).for_each(|_| self.progress.end(&Usage::default(), None, true));
            let ready = self.window.take(usize::MAX, usize::MAX).into_iter();
            let _ = answers.send(ready.map(Ok).chain([Err(error)]).collect()).await;
        } else {
            let _ = answers.send(Vec::new()).await;
        }
    }

    async fn run(
        &mut self,
        questions: &mut Receiver<Questions>,
        answers: &Sender<Answered>,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<()> {
        let mut ready: Option<Pin<Box<dyn Future<Output = _> + Send>>> = None;
        let told = async move { stopped.wait_for(|stop| *stop).await.is_ok() };
        let mut told = Box::pin(told.fuse());
        let mut timer: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
        loop {
            // Ends first: what is sent takes the places that they give up.
            self.write_down()?;
            let wake = self.send_due()?;
            if self.is_done() {
                return self.ending.take().or(self.broken.take()).map_or(Ok(()), Err);
            }
            if ready.is_none() && self.window.is_ready() && self.ending.is_none() {
                ready = Some(Box::pin(answers.clone().reserve_owned()));
            }
            let wake = [wake, self.until].into_iter().flatten().min();
            if let Some(wake) = wake {
                timer.as_mut().reset(wake);
            }
            let room = self.has_room();
            let coming = &mut self.coming;
            let turn = std::future::poll_fn(|context| {
                let mut turn = Turn::default();
                while turn.events.len() < GROUP {
                    match Pin::new(&mut *coming).poll_next(context) {
                        Poll::Ready(Some(event)) => turn.events.push(event),
                        Poll::Ready(None) | Poll::Pending => break,
                    }
                }
                if let Some(permit) = &mut ready
                    && let Poll::Ready(permit) = permit.poll_unpin(context)
                {
                    turn.permit = Some(permit);
                }
                if room && let Poll::Ready(group) = questions.poll_recv(context) {
                    turn.questions = Some(group);
                }
                turn.told =
                    !told.is_terminated() && matches!(told.poll_unpin(context), Poll::Ready(true));
                let due = wake.is_some() && timer.as_mut().poll(context).is_ready();
                match due || turn.has_something() {
                    true => Poll::Ready(turn),
                    false => Poll::Pending,
                }
            });
            let turn = turn.await;
            if turn.told {
                self.end_with(ending::interrupted());
            }
            for event in turn.events {
                self.take(event)?;
            }
            match turn.permit {
                Some(Ok(permit)) => {
                    ready = None;
                    self.give(permit);
                }
                // Nobody wants the answers any more.
                Some(Err(_)) => return Ok(()),
                None => {}
            }
            if let Some(group) = turn.questions {
                self.read(group.ok_or_else(|| died("the reader of the requests"))?)?;
            }
        }
    }

    fn has_room(&self) -> bool {
        // A request that takes long holds up none of the others; a caller that takes its time does.
        let most = match self.window.is_ready() {
            true => self.limits.max_connections.saturating_mul(16).saturating_add(QUESTIONS),
            false => HELD,
        };
        let room = self.window.len() < most && self.window.bytes() <= HELD_BYTES;
        // What is read long before it is sent has left the processor's caches by then. A journal of
        // other questions is noticed once [`QUESTIONS`] are read, and that should not take long.
        let wanted = self.pace.wants_more_than(self.limits.max_connections.max(QUESTIONS));
        room && wanted && !self.all_read && self.ending.is_none()
    }

    fn give(&mut self, permit: OwnedPermit<Answered>) {
        let answers = self.window.take(TOGETHER.0, TOGETHER.1);
        answers.iter().for_each(|answer| self.progress.done(answer.outcome));
        if answers.is_empty() {
            return;
        }
        permit.send(answers.into_iter().map(Ok).collect());
    }

    /// Takes requests in.
    fn read(&mut self, group: Questions) -> Result<()> {
        self.all_read = group.end;
        for question in group.requests {
            let mut job = match question {
                Ok(job) => job,
                Err(error) => {
                    (self.all_read, self.broken) = (true, Some(error));
                    break;
                }
            };
            job.number = self.window.open(job.weight());
            self.enter(job);
        }
        if self.all_read {
            self.compare()?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<()> {
        if let Event::Begun(..) = event {
            self.beginning = false;
        }
        match event {
            Event::Known(job, answer) => {
                let mut answer = answer?;
                let price = self.models[job.request.model].settings.price.as_ref();
                answer.cost = answer.cost.or(price.and_then(|price| price.cost(&answer.usage)));
                self.check_model(job.request.model, &answer);
                self.answered(job, answer);
            }
            Event::Begun(jobs, Ok(first)) if self.ending.is_none() || self.sends_begun => {
                for (attempt, (job, ticket)) in (first..).zip(jobs) {
                    self.send(job, ticket, Some(attempt));
                }
            }
            Event::Begun(jobs, Ok(first)) => {
                self.under_way -= jobs.len();
                jobs.iter().for_each(|_| self.progress.end(&Usage::default(), None, false));
                let not_sent = || Answer::without_text(Outcome::Failed, "not sent");
                self.ends.extend((first..).zip(jobs).filter_map(|(attempt, (job, _))| {
                    let asked = job.prepared.asked?;
                    let (answer, attempt) = (Box::new(not_sent()), Some(attempt));
                    Some((Record { asked, answer, attempt, billed: Billed::No, cost: None }, None))
                }));
            }
            Event::Begun(jobs, Err(error)) => {
                // Nothing of it was sent; the answers of what was before it still fit in.
                self.under_way -= jobs.len();
                self.end_with(error);
            }
            Event::Attempted(job, ticket, attempt, Ok(came)) => {
                self.attempted(job, ticket, attempt, came);
            }
            Event::Attempted(.., Err(error)) => {
                self.under_way -= 1;
                self.end_with(error);
            }
            Event::Written(ends) => {
                self.writing -= 1;
                self.unwritten -= ends;
            }
            Event::Kept(jobs, records) => {
                self.unsaved -= jobs.len();
                for (record, job) in records?.into_iter().zip(jobs) {
                    if let Some(job) = job {
                        self.settled(job, record.answer);
                    }
                }
            }
            Event::Differs(differences) => self.differs(&differences?),
        }
        Ok(())
    }
}

/// What one look at everything has brought.
#[derive(Default)]
struct Turn {
    events: Vec<Event>,
    questions: Option<Option<Questions>>,
    permit: Option<Result<OwnedPermit<Answered>, tokio::sync::mpsc::error::SendError<()>>>,
    told: bool,
}

impl Turn {
    fn has_something(&self) -> bool {
        !self.events.is_empty() || self.questions.is_some() || self.permit.is_some() || self.told
    }
}
