//! One lane: the jobs that wait for one model, and the gates that each of them passes.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::limit::Limit;
use super::{Ended, Lane, Reason, Ticket, Verdict, Why, after};

/// No wait between two attempts is longer, however many there were, unless the server asks.
const LONGEST: Duration = Duration::from_secs(60);

/// Retries after failures that every lane has, on top of one per [`FIRSTS_PER_RETRY`].
const RETRIES: u64 = 10;

/// First attempts that pay for one more retry.
const FIRSTS_PER_RETRY: u64 = 5;

/// A job may be turned away that many times as often as it may fail.
const TURNED_AWAY_PER_RETRY: u32 = 5;

/// A job that waits.
#[derive(Debug)]
pub(super) struct Waiting<J> {
    pub job: J,
    pub estimate: u64,
    /// Attempts so far, and those of them that failed.
    pub attempts: u32,
    pub failures: u32,
}

/// The state of one lane.
#[derive(Debug)]
pub(super) struct State<J> {
    lane: Lane,
    fresh: VecDeque<Waiting<J>>,
    /// By the time at which they are due; the number keeps apart those of one time.
    again: BTreeMap<(Instant, u64), Waiting<J>>,
    number: u64,
    pub in_flight: usize,
    pub limit: Limit,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    /// What the server asked for last: no request before that time.
    pub not_before: Option<Instant>,
    /// The server asked for a wait that is longer than we are ready for.
    shut: Option<Duration>,
    firsts: u64,
    retries: u64,
    /// The last answer; before any, the first request.
    alive: Option<Instant>,
}

impl<J> State<J> {
    pub fn new(lane: Lane) -> Self {
        Self {
            fresh: VecDeque::new(),
            again: BTreeMap::new(),
            number: 0,
            in_flight: 0,
            limit: Limit::new(lane.max_connections, lane.backoff),
            requests: lane.requests_per_minute.map(Bucket::of_requests),
            tokens: lane.tokens_per_minute.map(Bucket::of_tokens),
            not_before: None,
            shut: None,
            firsts: 0,
            retries: 0,
            alive: None,
            lane,
        }
    }

    pub fn push(&mut self, job: J, estimate: u64) {
        self.fresh.push_back(Waiting { job, estimate, attempts: 0, failures: 0 });
    }

    /// Jobs that were not sent yet.
    pub fn fresh(&self) -> usize {
        self.fresh.len()
    }

    pub fn is_waiting(&self) -> bool {
        !(self.fresh.is_empty() && self.again.is_empty())
    }

    /// The latest of the gates that time opens, and which it is; `None` is no job or none shut.
    pub fn gate(&self) -> Option<(Instant, Why)> {
        let due = match self.again.first_key_value() {
            Some(((due, _), _)) if self.fresh.is_empty() => Some(*due),
            _ => None,
        };
        let gates = [
            (self.requests.as_ref().and_then(Bucket::ready), Why::Requests),
            (self.tokens.as_ref().and_then(Bucket::ready), Why::Tokens),
            // This is after the end of a pause, too.
            (self.limit.ready().max(due), Why::Backoff),
        ];
        let shut = gates.into_iter().filter_map(|(until, why)| Some((until?, why)));
        shut.reduce(|latest, gate| if gate.0 > latest.0 { gate } else { latest })
    }

    /// Takes the next job to send: one that is due again, else a fresh one.
    pub fn send(&mut self, now: Instant, lane: usize, draw: f64) -> Option<(J, Ticket)> {
        let again = self.again.first_entry().filter(|entry| entry.key().0 <= now);
        let next = again.map(|entry| entry.remove()).or_else(|| self.fresh.pop_front())?;
        if next.attempts == 0 {
            self.firsts += 1;
        }
        self.alive.get_or_insert(now);
        self.in_flight += 1;
        self.limit.sent(now, self.in_flight, draw);
        if let Some(requests) = &mut self.requests {
            requests.take(now, 1);
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.take(now, next.estimate);
        }
        let ticket = Ticket {
            lane,
            attempt: next.attempts + 1,
            failures: next.failures,
            sent: now,
            estimate: next.estimate,
        };
        Some((next.job, ticket))
    }

    /// A job that was to be sent and is not.
    pub fn put_back(&mut self, now: Instant, job: J, ticket: Ticket) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if ticket.attempt == 1 {
            self.firsts -= 1;
        }
        if let Some(requests) = &mut self.requests {
            requests.correct(now, 1, 0);
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.correct(now, ticket.estimate, 0);
        }
        let Ticket { attempt, failures, estimate, .. } = ticket;
        self.fresh.push_front(Waiting { job, estimate, attempts: attempt - 1, failures });
    }

    /// All jobs that wait.
    pub fn give_up(&mut self) -> Vec<J> {
        let again = std::mem::take(&mut self.again).into_values();
        self.fresh.drain(..).chain(again).map(|waiting| waiting.job).collect()
    }

    /// A job that is given back since the server asked for too long a wait.
    pub fn give_back(&mut self, now: Instant) -> Option<(J, Reason)> {
        let asked = self.shut?;
        if self.not_before.is_none_or(|until| until <= now) {
            self.shut = None;
            return None;
        }
        let again = || self.again.pop_first().map(|(_, waiting)| waiting);
        let next = self.fresh.pop_front().or_else(again)?;
        Some((next.job, Reason::RetryAfter(asked)))
    }

    /// An attempt has ended; `draws` are uniform in [0, 1).
    pub fn ended(
        &mut self,
        now: Instant,
        draws: [f64; 2],
        job: J,
        ticket: Ticket,
        ended: Ended,
    ) -> Verdict<J> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let mut next = Waiting {
            job,
            estimate: ticket.estimate,
            attempts: ticket.attempt,
            failures: ticket.failures,
        };
        match ended {
            Ended::Answered { tokens } => {
                self.alive = Some(now);
                self.limit.good(now, ticket.sent);
                if let (Some(bucket), Some(actual)) = (&mut self.tokens, tokens) {
                    bucket.correct(now, ticket.estimate, actual);
                }
                return Verdict::Done(next.job);
            }
            Ended::Refused => return Verdict::Done(next.job),
            Ended::Failed | Ended::Overloaded => {
                self.limit.bad(now, ticket.sent);
                next.failures += 1;
                if next.failures > self.lane.max_retries {
                    return Verdict::GiveUp(next.job, Reason::Attempts);
                }
                if self.retries >= RETRIES + self.firsts / FIRSTS_PER_RETRY {
                    return Verdict::GiveUp(next.job, Reason::Budget);
                }
                self.retries += 1;
            }
            Ended::Limited { retry_after, counts } => {
                self.limit.bad(now, ticket.sent);
                if let Some(asked) = retry_after {
                    let until = after(now, asked);
                    self.not_before = Some(until);
                    self.limit.pause(now, until, draws[1]);
                    self.shut = (asked > self.lane.max_retry_after).then_some(asked);
                }
                if let Some(asked) = self.shut.filter(|_| retry_after.is_some()) {
                    return Verdict::GiveUp(next.job, Reason::RetryAfter(asked));
                }
                next.failures += u32::from(counts);
                let turned_away = next.attempts - next.failures;
                if next.failures > self.lane.max_retries
                    || turned_away > self.lane.max_retries.saturating_mul(TURNED_AWAY_PER_RETRY)
                {
                    return Verdict::GiveUp(next.job, Reason::Attempts);
                }
                let silence = self.alive.map(|alive| now.saturating_duration_since(alive));
                if turned_away > self.lane.max_retries
                    && silence.is_some_and(|silence| silence > self.lane.max_retry_after)
                {
                    return Verdict::GiveUp(next.job, Reason::NoAnswers);
                }
            }
        }
        let due = after(now, self.backoff(next.attempts).mul_f64(draws[0]));
        self.number += 1;
        self.again.insert((due, self.number), next);
        Verdict::Again
    }

    /// The bound of the wait after so many attempts.
    fn backoff(&self, attempts: u32) -> Duration {
        let first = self.lane.backoff;
        let doublings = attempts.saturating_sub(1).min(31);
        first.saturating_mul(1 << doublings).min(LONGEST.max(first))
    }
}
