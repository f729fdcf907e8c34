//! A simulated run for tests: a [`Pace`] on a virtual clock against servers that are closures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Ended, Lane, Next, Pace, Reason, Ticket, Verdict};

/// SplitMix64: small, and the same everywhere.
pub(super) struct Rng(pub u64);

impl Rng {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub fn draw(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn lane(max_connections: usize) -> Lane {
    Lane {
        max_connections,
        requests_per_minute: None,
        tokens_per_minute: None,
        max_retries: 5,
        max_retry_after: Duration::from_secs(300),
        backoff: ms(500),
    }
}

/// What a server does with a request of a lane at a time (since the start): how long it takes, and
/// how it ends.
pub(super) type Server<'s> = dyn FnMut(Duration, usize, &mut Rng) -> (Duration, Ended) + 's;

/// One send: when, of which lane, which attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub at: Duration,
    pub lane: usize,
    pub attempt: u32,
}

pub(super) struct Run {
    pub pace: Pace<u32>,
    pub rng: Rng,
    start: Instant,
    pub now: Duration,
    under_way: BTreeMap<(Duration, u64), (u32, Ticket, Ended)>,
    number: u64,
    /// Jobs pushed, their number is the next job.
    pub pushed: u32,
    lanes: Vec<Lane>,
    pub in_flight: Vec<usize>,
    pub sent: Vec<Sent>,
    /// When each job was answered, and its lane.
    pub answered: Vec<(Duration, usize)>,
    pub refused: usize,
    pub given_up: Vec<Reason>,
    /// How often each job ended.
    pub ends: Vec<u8>,
}

impl Run {
    pub fn new(lanes: Vec<Lane>, most: usize, seed: u64) -> Self {
        Self {
            pace: Pace::new(lanes.clone(), most),
            rng: Rng(seed),
            start: Instant::now() + Duration::from_secs(1000),
            now: Duration::ZERO,
            under_way: BTreeMap::new(),
            number: 0,
            pushed: 0,
            in_flight: vec![0; lanes.len()],
            lanes,
            sent: Vec::new(),
            answered: Vec::new(),
            refused: 0,
            given_up: Vec::new(),
            ends: Vec::new(),
        }
    }

    pub fn at(&self) -> Instant {
        self.start + self.now
    }

    pub fn push(&mut self, lane: usize, count: u32, tokens: u64) {
        for _ in 0..count {
            assert_eq!(self.pace.push(lane, self.pushed, tokens), None);
            self.pushed += 1;
            self.ends.push(0);
        }
    }

    fn end(&mut self, job: u32) {
        self.ends[job as usize] += 1;
    }

    /// Runs until that time, or until nothing is left to do.
    pub fn until(&mut self, end: Duration, server: &mut Server<'_>) {
        // After a stated wait something must leave.
        let mut promised = false;
        loop {
            let now = self.at();
            let limits: usize = (0..self.lanes.len()).map(|lane| self.pace.limit(lane)).sum();
            let wake = loop {
                let Self { pace, rng, .. } = self;
                match pace.next(now, || rng.draw()) {
                    Next::Send { job, ticket } => {
                        promised = false;
                        let (took, ended) = server(self.now, ticket.lane, &mut self.rng);
                        self.number += 1;
                        let key = (self.now + took, self.number);
                        self.under_way.insert(key, (job, ticket, ended));
                        self.in_flight[ticket.lane] += 1;
                        let Ticket { lane, attempt, .. } = ticket;
                        assert!(self.in_flight[lane] <= self.pace.limit(lane));
                        assert!(self.pace.limit(lane) <= self.lanes[lane].max_connections);
                        assert!(self.under_way.len() <= limits);
                        self.sent.push(Sent { at: self.now, lane, attempt });
                    }
                    Next::GiveUp { job, reason } => {
                        promised = false;
                        self.given_up.push(reason);
                        self.end(job);
                    }
                    Next::Wait(wake) => break wake,
                }
            };
            assert!(!promised, "nothing left at the stated time");
            assert_eq!(self.pace.in_flight(), self.under_way.len());
            let wake = wake.map(|wake| wake.duration_since(self.start));
            assert!(wake.is_none_or(|wake| wake > self.now), "a busy loop");
            let answer = self.under_way.first_key_value().map(|(key, _)| key.0);
            let Some(next) = wake.into_iter().chain(answer).min() else {
                assert_eq!(self.pace.waiting(), 0, "a stall");
                return;
            };
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            promised = wake == Some(next) && answer.is_none_or(|answer| answer > next);
            while let Some(entry) = self.under_way.first_entry().filter(|e| e.key().0 <= next) {
                let (job, ticket, ended) = entry.remove();
                self.in_flight[ticket.lane] -= 1;
                let now = self.start + self.now;
                let Self { pace, rng, .. } = self;
                match pace.ended(now, || rng.draw(), job, ticket, ended) {
                    Verdict::Done(job) => {
                        self.end(job);
                        match ended {
                            Ended::Refused => self.refused += 1,
                            _ => self.answered.push((self.now, ticket.lane)),
                        }
                    }
                    Verdict::Again => (),
                    Verdict::GiveUp(job, reason) => {
                        self.given_up.push(reason);
                        self.end(job);
                    }
                }
            }
        }
    }

    /// Runs to the end of all jobs, each of which must have one.
    pub fn all(&mut self, server: &mut Server<'_>) {
        self.until(Duration::MAX, server);
        assert!(self.ends.iter().all(|ends| *ends == 1), "lost or ended twice");
        assert_eq!(self.pace.in_flight(), 0);
    }

    /// Answers of that lane between two times.
    pub fn answers(&self, lane: usize, from: u64, to: u64) -> usize {
        let span = Duration::from_secs(from)..Duration::from_secs(to);
        self.answered.iter().filter(|(at, of)| span.contains(at) && *of == lane).count()
    }
}

pub(super) const ANSWERED: Ended = Ended::Answered { tokens: None };

/// 429 with that wish, in seconds.
pub(super) fn limited(seconds: Option<u64>) -> Ended {
    Ended::Limited { retry_after: seconds.map(Duration::from_secs), counts: false }
}
