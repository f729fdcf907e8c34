//! When each request is sent: the limits of every model, retries and pauses, as a state machine.
//!
//! It opens no socket, reads no clock and draws no random number: it is told the time and what
//! became of each attempt, and says what to send next. An event costs the same however many jobs
//! wait; it looks at each lane once.
//!
//! - **Lanes.** One per model. They take turns; one that is paused or full holds up no other. Where
//!   the bound on all requests is what limits, each lane that has work may have an equal part of
//!   it, and more only of what no other could use, so a slow model cannot fill all connections.
//! - **Concurrency** adapts to the server, see [`limit`].
//! - **Retry-After.** No request of the lane leaves before the time that the latest response asked
//!   for. If that is longer than the lane's `max_retry_after`, its jobs are given back, that one
//!   and all that wait: the caller can say so and end, and nobody waits in silence.
//! - **Retries** wait for any time up to `backoff`, doubled by each attempt, and go before new jobs
//!   when due. Failures have at most `max_retries` of them, and over the run a lane has 10 and one
//!   per five first attempts, so a server in trouble gets at most 1.2 times the load. A request
//!   that the server asked to send later was not a failure: it may be turned away five times as
//!   often, which a server that admits one in three never comes to. Only if the lane had no answer
//!   for `max_retry_after` is it given up before.
//! - **Rates** are token buckets of one second's worth. Tokens are taken by estimate when a request
//!   is sent and put right by its answer; what had no answer stays paid, since it may be billed.

mod bucket;
mod lane;
mod limit;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use lane::State;

/// The limits of one model.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// The most requests in flight; at least 1.
    pub max_connections: usize,
    /// Requests per minute, retries too.
    pub requests_per_minute: Option<f64>,
    /// Tokens per minute.
    pub tokens_per_minute: Option<f64>,
    /// Attempts after the first, where an attempt failed.
    pub max_retries: u32,
    /// The longest wait that a server may ask for.
    pub max_retry_after: Duration,
    /// The bound of the wait before the second attempt.
    pub backoff: Duration,
}

/// One attempt under way; it goes back to [`Pace::ended`] with its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// Index of the lane.
    pub lane: usize,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    failures: u32,
    sent: Instant,
    estimate: u64,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Next<J> {
    /// Send this job now.
    Send { job: J, ticket: Ticket },
    /// This job of that lane will not be sent.
    GiveUp { job: J, reason: Reason },
    /// Nothing may be sent before that time, and something may then; without a time, only a new
    /// job or the end of an attempt changes that.
    Wait(Option<Instant>),
}

/// The end of an attempt, as far as it says something about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// An answer, and the tokens that it and its request took, if known.
    Answered { tokens: Option<u64> },
    /// A definite no (400, 401, 413, a filter): not sent again, and says nothing of load.
    Refused,
    /// Asked to come back later: 429, or any status with a `Retry-After`.
    Limited {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Whether it is a failure too, of which a job has at most `max_retries`.
        counts: bool,
    },
    /// Too much to do and no word on when to come back: 503 or 529 without `Retry-After`.
    Overloaded,
    /// 500, 502, 504, a lost connection: may pass.
    Failed,
}

/// What becomes of the job of an attempt that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<J> {
    /// Answered or refused: its end is known.
    Done(J),
    /// It waits for its next attempt.
    Again,
    /// No further attempt: its end is this failure.
    GiveUp(J, Reason),
}

/// Why a job is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It failed once more than the lane's `max_retries`.
    Attempts,
    /// The lane has no retries left.
    Budget,
    /// The server asked for a wait longer than the lane's `max_retry_after`: this one.
    RetryAfter(Duration),
    /// Turned away again and again by a server that answered nothing for `max_retry_after`.
    NoAnswers,
}

/// What limits a lane at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nothing waits to be sent.
    Idle,
    /// As many requests are in flight as the lane, or the run, may have.
    Connections,
    /// The server asked for a pause.
    Paused,
    /// Requests per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Requests are spaced after a complaint of the server, or only retries wait.
    Backoff,
}

/// The state of all lanes. `J` is whatever tells the caller's jobs apart; it is not looked at.
#[derive(Debug)]
pub(crate) struct Pace<J> {
    lanes: Vec<State<J>>,
    most_in_flight: usize,
    in_flight: usize,
    waiting: usize,
    /// The lane that is first asked for a job.
    turn: usize,
}

impl<J> Pace<J> {
    /// At most `most_in_flight` requests in all lanes together, at least 1.
    pub fn new(lanes: Vec<Lane>, most_in_flight: usize) -> Self {
        Self {
            lanes: lanes.into_iter().map(State::new).collect(),
            most_in_flight: most_in_flight.max(1),
            in_flight: 0,
            waiting: 0,
            turn: 0,
        }
    }

    /// A new job for that lane, and how many tokens it may take. It comes back if there is no such
    /// lane.
    pub fn push(&mut self, lane: usize, job: J, tokens: u64) -> Option<J> {
        let Some(state) = self.lanes.get_mut(lane) else { return Some(job) };
        state.push(job, tokens);
        self.waiting += 1;
        None
    }

    /// Whether there is a lane in which fewer jobs than that wait for their first attempt.
    pub fn wants_more_than(&self, jobs: usize) -> bool {
        self.lanes.iter().any(|lane| lane.fresh() < jobs)
    }

    /// What to do next; to be asked until it says to wait. `draw` gives numbers uniform in [0, 1).
    pub fn next(&mut self, now: Instant, mut draw: impl FnMut() -> f64) -> Next<J> {
        let room = self.room();
        let mut wait: Option<Instant> = None;
        for step in 0..self.lanes.len() {
            let index = (self.turn + step) % self.lanes.len();
            let lane = &mut self.lanes[index];
            if let Some((job, reason)) = lane.give_back(now) {
                self.waiting -= 1;
                return Next::GiveUp { job, reason };
            }
            if !(lane.is_waiting() && room.allows(lane)) {
                continue;
            }
            if let Some((until, _)) = lane.gate().filter(|(until, _)| *until > now) {
                wait = Some(wait.map_or(until, |wait| wait.min(until)));
            } else if let Some((job, ticket)) = lane.send(now, index, draw()) {
                self.turn = index + 1;
                self.waiting -= 1;
                self.in_flight += 1;
                return Next::Send { job, ticket };
            }
        }
        Next::Wait(wait)
    }

    /// A job that was to be sent and is not; it is the lane's next.
    pub fn put_back(&mut self, now: Instant, job: J, ticket: Ticket) {
        self.lanes[ticket.lane].put_back(now, job, ticket);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.waiting += 1;
    }

    /// All jobs of that lane that are not under way.
    pub fn give_up(&mut self, lane: usize) -> Vec<J> {
        let jobs = self.lanes.get_mut(lane).map(State::give_up).unwrap_or_default();
        self.waiting -= jobs.len();
        jobs
    }

    /// An attempt has ended. `draw` gives numbers uniform in [0, 1).
    pub fn ended(
        &mut self,
        now: Instant,
        mut draw: impl FnMut() -> f64,
        job: J,
        ticket: Ticket,
        ended: Ended,
    ) -> Verdict<J> {
        // A ticket is of a lane that is there: only `next` makes them.
        let verdict = self.lanes[ticket.lane].ended(now, [draw(), draw()], job, ticket, ended);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.waiting += usize::from(matches!(verdict, Verdict::Again));
        verdict
    }

    /// Attempts under way.
    #[cfg(test)]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Jobs that are not under way, those that wait for another attempt too.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many requests of that lane may be in flight now.
    pub fn limit(&self, lane: usize) -> usize {
        self.lanes[lane].limit.get()
    }

    /// What keeps that lane from sending, and until when if time alone will end it; `None` if
    /// nothing does.
    pub fn why(&self, lane: usize, now: Instant) -> Option<(Why, Option<Instant>)> {
        let lane = &self.lanes[lane];
        if !lane.is_waiting() {
            return Some((Why::Idle, None));
        }
        if let Some(until) = lane.not_before.filter(|until| *until > now) {
            return Some((Why::Paused, Some(until)));
        }
        if !self.room().allows(lane) {
            return Some((Why::Connections, None));
        }
        let (until, why) = lane.gate().filter(|(until, _)| *until > now)?;
        Some((why, Some(until)))
    }

    fn room(&self) -> Room {
        let busy = |lane: &&State<J>| lane.is_waiting() || lane.in_flight > 0;
        let share = (self.most_in_flight / self.lanes.iter().filter(busy).count().max(1)).max(1);
        // It counts a lane that is paused too: whom a slot is kept for does not change with time,
        // so that a stated time to wait for stays right.
        let kept = self.lanes.iter().filter(|lane| lane.is_waiting());
        let kept = kept.map(|lane| lane.limit.get().min(share).saturating_sub(lane.in_flight));
        let free = self.most_in_flight.saturating_sub(self.in_flight);
        Room { share, free, spare: free.saturating_sub(kept.sum()) }
    }
}

/// What is left of the bound on all requests.
struct Room {
    /// What each lane may have.
    share: usize,
    free: usize,
    /// The part of `free` that no lane has a claim to.
    spare: usize,
}

impl Room {
    fn allows<J>(&self, lane: &State<J>) -> bool {
        let within = lane.in_flight < self.share;
        let free = if within { self.free } else { self.spare };
        lane.in_flight < lane.limit.get() && free > 0
    }
}

/// A time that far ahead, or a century if it is beyond counting.
fn after(from: Instant, wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    from.checked_add(wait.min(CENTURY)).unwrap_or(from)
}
