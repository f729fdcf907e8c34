//! Sends what may be sent, and sees to what comes of it.

use std::time::Duration;

use seval_core::{Error, Kind, Result, kill_at};
use tokio::time::Instant;

use super::{Event, Run};
use crate::attempt::{Attempt, End};
use crate::engine::budget::UsedUp;
use crate::engine::job::{Job, tokens};
use crate::exchange::{Answer, Outcome};
use crate::health::Trouble;
use crate::journal::{self, Begin, Billed, Record};
use crate::pace::{Ended, Next, Reason, Ticket, Verdict, Why};
use crate::reply;

/// How often it is said what keeps a run from going faster.
const SAID_EVERY: Duration = Duration::from_millis(200);

/// Groups of ends that are being written: what ends meanwhile goes together, so that a busy run makes
/// few and large commits.
const WRITING: usize = 2;

/// More warnings than anybody reads: a server may give another name with each answer.
const MOST_ODD: usize = 16;

/// Ends that may wait for the disk, if there are no more connections than that.
const UNSAVED: usize = 256;

impl Run {
    /// Writes down what may be sent now; when to look again.
    pub(super) fn send_due(&mut self) -> Result<Option<Instant>> {
        let mut jobs = Vec::new();
        let mut wake = None;
        let may_send = |run: &Self| !run.beginning && !run.is_full() && !run.is_behind();
        while self.ending.is_none() && may_send(self) {
            let now = Instant::now().into_std();
            match self.pace.next(now, || self.draws.next()) {
                Next::Send { job, ticket } => {
                    match self.budget.used_up(job.prepared.estimate) {
                        // What is under way may cost less than it was taken for.
                        Some(UsedUp::Cost(_)) if self.under_way > 0 => {
                            self.pace.put_back(now, job, ticket);
                            break;
                        }
                        Some(why) => {
                            self.end_when_all_is_in(used_up(&why), true);
                            break;
                        }
                        None => {}
                    }
                    self.budget.send(job.prepared.estimate);
                    self.progress.send();
                    self.under_way += 1;
                    jobs.push((job, ticket));
                }
                Next::GiveUp { job, reason } => {
                    self.end_if_too_long(reason);
                    let cause = self.given_up(reason, job.attempts, "nothing was sent");
                    self.settled(job, Box::new(Answer::without_text(Outcome::Failed, cause)));
                }
                Next::Wait(until) => {
                    wake = until.map(Instant::from_std);
                    break;
                }
            }
        }
        self.say_limit(Instant::now().into_std());
        if jobs.is_empty() {
            return Ok(wake);
        }
        kill_at("before_intent");
        let Some(journal) = &self.known.journal else {
            jobs.into_iter().for_each(|(job, ticket)| self.send(job, ticket, None));
            return Ok(wake);
        };
        let begin = |(job, _): &(Box<Job>, Ticket)| {
            let asked = job.prepared.asked.as_ref();
            asked.map(|asked| Begin { fingerprint: asked.fingerprint, model: asked.model.clone() })
        };
        let begun = journal.begin(jobs.iter().filter_map(begin).collect())?;
        self.beginning = true;
        self.coming.push(Box::pin(async move {
            let first = begun.await.unwrap_or_else(|_| Err(journal::ended()));
            kill_at("after_intent");
            Event::Begun(jobs, first)
        }));
        Ok(wake)
    }

    /// Whether all connections are taken: what a run can lose that is killed is what it has them for.
    fn is_full(&self) -> bool {
        self.under_way + self.unwritten + self.ends.len() >= self.limits.max_connections
    }

    /// Whether the disk is behind: what is not durable is lost with the power.
    fn is_behind(&self) -> bool {
        self.unsaved >= self.limits.max_connections.max(UNSAVED)
    }

    /// Says now and then what keeps the models from being asked faster.
    fn say_limit(&mut self, now: std::time::Instant) {
        if self.said.is_none_or(|said| now.duration_since(said) > SAID_EVERY) {
            self.said = Some(now);
            self.progress.limited_by(self.limited_by(now));
        }
    }

    /// What keeps the models from being asked faster, in words.
    fn limited_by(&self, now: std::time::Instant) -> String {
        if self.is_full() {
            return format!("limited by {}", connections(self.limits.max_connections));
        }
        if self.is_behind() {
            return "limited by the journal's disk".to_owned();
        }
        let all = self.models.iter().enumerate().filter_map(|(lane, model)| {
            let (why, until) = self.pace.why(lane, now)?;
            let seconds = until.map_or(0, |until| until.duration_since(now).as_secs() + 1);
            let what = match why {
                Why::Idle => return None,
                Why::Connections => connections(self.pace.limit(lane)),
                Why::Paused => format!("the server asks to wait {seconds} s"),
                Why::Requests => "its requests per minute".to_owned(),
                Why::Tokens => "its tokens per minute".to_owned(),
                Why::Backoff => format!("waiting {seconds} s to try again"),
            };
            Some(match self.models.len() {
                1 => what,
                _ => format!("{}: {what}", model.name),
            })
        });
        let all: Vec<String> = all.collect();
        if all.is_empty() { String::new() } else { format!("limited by {}", all.join(", ")) }
    }

    pub(super) fn send(&mut self, mut job: Box<Job>, ticket: Ticket, attempt: Option<i64>) {
        job.attempts += 1;
        let models = self.models.clone();
        self.coming.push(Box::pin(async move {
            let model = &models[job.request.model];
            let came = model.attempt(&job.request, &job.prepared.body).await;
            Event::Attempted(job, ticket, attempt, came)
        }));
    }

    /// Writes down the ends that have come together.
    pub(super) fn write_down(&mut self) -> Result<()> {
        let Some(journal) = &self.known.journal else { return Ok(()) };
        if self.ends.is_empty() || self.writing >= WRITING {
            return Ok(());
        }
        kill_at("before_result");
        let ends = self.ends.len();
        self.writing += 1;
        self.unwritten += ends;
        self.unsaved += ends;
        let (records, jobs): (Vec<_>, Vec<_>) = std::mem::take(&mut self.ends).into_iter().unzip();
        let (written, kept) = journal.end(records)?;
        self.coming.push(Box::pin(async move {
            // What kept it from being written is said to who waits for it to be kept.
            let _ = written.await;
            Event::Written(ends)
        }));
        self.coming.push(Box::pin(async move {
            let kept = kept.await.unwrap_or_else(|_| Err(journal::ended()));
            kill_at("after_result");
            Event::Kept(jobs, kept)
        }));
        Ok(())
    }

    /// An attempt has come to an end: it is the last, or another follows.
    pub(super) fn attempted(
        &mut self,
        mut job: Box<Job>,
        ticket: Ticket,
        attempt: Option<i64>,
        came: Attempt,
    ) {
        let Attempt { mut answer, end, billed } = came;
        let lane = job.request.model;
        let price = self.models[lane].settings.price.as_ref();
        let cost = price.and_then(|price| price.cost(&answer.usage));
        self.under_way -= 1;
        self.budget.end(job.prepared.estimate, cost, billed);
        self.progress.end(&answer.usage, cost, billed == Billed::Possibly);
        let ended = match end {
            End::Final if answer.outcome == Outcome::TimedOut => Ended::Refused,
            End::Final => Ended::Answered { tokens: tokens(&answer.usage) },
            End::Trouble(_) => Ended::Refused,
            // Nothing more is asked of it.
            _ if self.lost.contains_key(&lane) => Ended::Refused,
            End::Lost if job.resends >= self.limits.max_resends => Ended::Refused,
            End::Unreachable if job.unreached >= self.limits.max_retries => Ended::Refused,
            // They have bounds of their own: to lose all connections at once, as a machine does that
            // slept, must not use up what failures may take.
            End::Lost | End::Unreachable => Ended::Limited { retry_after: None, counts: false },
            End::Limited(retry_after) => Ended::Limited { retry_after, counts: false },
            End::FailedUntil(after) => Ended::Limited { retry_after: Some(after), counts: true },
            End::Overloaded => Ended::Overloaded,
            End::Failed => Ended::Failed,
        };
        if journal::is_kept(answer.outcome) {
            self.answering.insert(lane);
        }
        job.resends += u32::from(end == End::Lost);
        job.unreached += u32::from(end == End::Unreachable);
        (answer.attempts, answer.cost) = (job.attempts, cost);
        let asked = job.prepared.asked.clone().filter(|_| attempt.is_some());
        let now = Instant::now().into_std();
        let job = match self.pace.ended(now, || self.draws.next(), job, ticket, ended) {
            Verdict::Again => {
                if end == End::Unreachable {
                    let why = answer.error.as_deref().unwrap_or_default();
                    let tries = self.limits.tries();
                    if let Some(error) = self.models[lane].never_reached(tries, why) {
                        self.end_with_model(lane, error);
                    }
                }
                let record = |asked| Record { asked, answer, attempt, billed, cost };
                self.ends.extend(asked.map(|asked| (record(asked), None)));
                return;
            }
            Verdict::Done(job) => {
                if matches!(end, End::Lost | End::Unreachable) && job.attempts > 1 {
                    let why = answer.error.take().unwrap_or_default();
                    let text = format!("given up after {} attempts: {why}", job.attempts);
                    answer.error = Some(reply::short(&text));
                }
                job
            }
            Verdict::GiveUp(job, reason) => {
                let why = answer.error.take().unwrap_or_default();
                self.end_if_too_long(reason);
                let attempts = job.attempts;
                answer.error = Some(reply::short(&self.given_up(reason, attempts, &why)));
                job
            }
        };
        let trouble = match end {
            End::Trouble(trouble) => Some(trouble),
            End::Unreachable => Some(Trouble::Unreachable),
            _ => None,
        };
        if let Some(trouble) = trouble {
            let why = answer.error.as_deref().unwrap_or_default();
            if let Some(error) = self.models[lane].end_of_run(trouble, why) {
                self.end_with_model(lane, error);
            }
        }
        self.check_model(lane, &answer);
        match asked {
            Some(asked) => {
                let record = Record { asked, answer, attempt, billed, cost };
                self.ends.push((record, Some(job)));
            }
            None => self.settled(job, answer),
        }
    }

    /// A wait beyond bounds ends a run that another can go on from; without a journal, what was
    /// answered would be lost with it, and the requests fail instead.
    fn end_if_too_long(&mut self, reason: Reason) {
        if let (Reason::RetryAfter(_), Some(_)) = (reason, &self.known.journal) {
            let what = self.given_up(reason, 0, "nothing more was sent");
            let error = Error::new(Kind::Incomplete, "--max-retry-after", what)
                .hint("run the same command again then: it goes on from the answers it has");
            self.end_when_all_is_in(error, false);
        }
    }

    /// Why there is no further attempt, in words.
    fn given_up(&self, reason: Reason, attempts: i64, why: &str) -> String {
        let most = self.limits.max_retry_after.as_secs();
        match reason {
            Reason::Attempts if attempts < 2 => why.to_owned(),
            Reason::Attempts => format!("given up after {attempts} attempts: {why}"),
            Reason::Budget => format!("given up, since too many requests fail: {why}"),
            Reason::RetryAfter(wait) => {
                let wait = wait.as_secs();
                format!("the server asks to wait {wait} s, over {most} s: {why}")
            }
            Reason::NoAnswers => {
                format!("given up: the server has turned all away for {most} s: {why}")
            }
        }
    }

    /// Whether the model that answered is the one that was asked.
    pub(super) fn check_model(&mut self, lane: usize, answer: &Answer) {
        let asked = self.models[lane].server_name();
        let Some(served) = answer.served_model.as_deref().filter(|served| *served != asked) else {
            return;
        };
        let what = format!("{asked} was asked, and the server says that {served} answered");
        if self.limits.strict_model {
            self.end_with(Error::new(Kind::Unfit, "--strict-model", what));
        } else if self.progress.oddities() < MOST_ODD {
            self.progress.odd(what);
        }
    }
}

fn connections(count: usize) -> String {
    format!("{count} connection{}", if count == 1 { "" } else { "s" })
}

fn used_up(why: &UsedUp) -> Error {
    let (place, what) = match why {
        UsedUp::Requests(sent) => ("--max-requests", format!("{sent} requests were sent")),
        UsedUp::Cost(spent) if *spent <= 0.0 => {
            let what = "the next request may cost more than that";
            return Error::new(Kind::Incomplete, "--max-cost", what)
                .hint("allow more, or fewer tokens of an answer with --max-tokens");
        }
        UsedUp::Cost(spent) => ("--max-cost", format!("${spent:.4} were spent")),
    };
    Error::new(Kind::Incomplete, place, what)
        .hint("the answers are in the journal; run again to go on")
}
