//! Random events in random order: what must hold holds all the same.

use std::time::{Duration, Instant};

use crate::pace::server::{Rng, lane, ms};
use crate::pace::{Ended, Lane, Next, Pace, Ticket, Verdict};

struct Sequence {
    pace: Pace<usize>,
    lanes: Vec<Lane>,
    most: usize,
    now: Instant,
    under_way: Vec<(usize, Ticket)>,
    ends: Vec<u8>,
}

impl Sequence {
    fn new(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng, most| (rng.below(3) == 0).then(|| 1.0 + rng.draw() * most);
        let lanes: Vec<_> = (0..1 + rng.below(3))
            .map(|_| Lane {
                requests_per_minute: some(rng, 300.0),
                tokens_per_minute: some(rng, 30_000.0),
                max_retries: rng.below(4) as u32,
                backoff: ms(rng.below(2) * rng.below(3000)),
                max_retry_after: Duration::from_secs(rng.below(100)),
                ..lane(1 + rng.below(5) as usize)
            })
            .collect();
        let most = 1 + rng.below(8) as usize;
        let pace = Pace::new(lanes.clone(), most);
        let now = Instant::now() + Duration::from_secs(100);
        Self { pace, lanes, most, now, under_way: Vec::new(), ends: Vec::new() }
    }

    /// Takes all that there is to do; when to come back.
    fn take(&mut self, rng: &mut Rng) -> Option<Instant> {
        loop {
            match self.pace.next(self.now, || rng.draw()) {
                Next::Send { job, ticket } => {
                    self.under_way.push((job, ticket));
                    let of_lane = self.under_way.iter().filter(|(_, t)| t.lane == ticket.lane);
                    let limit = self.pace.limit(ticket.lane);
                    assert!(of_lane.count() <= limit);
                    assert!(limit <= self.lanes[ticket.lane].max_connections);
                    assert!(self.under_way.len() <= self.most);
                }
                Next::GiveUp { job, .. } => self.ends[job] += 1,
                Next::Wait(wake) => return wake,
            }
            assert_eq!(self.pace.in_flight(), self.under_way.len());
        }
    }

    fn end(&mut self, rng: &mut Rng, ended: Ended) {
        let (job, ticket) = self.under_way.swap_remove(rng.below(self.under_way.len() as u64) as _);
        match self.pace.ended(self.now, || rng.draw(), job, ticket, ended) {
            Verdict::Done(job) | Verdict::GiveUp(job, _) => self.ends[job] += 1,
            Verdict::Again => (),
        }
    }

    /// At the stated time something leaves, and no time is stated that has come.
    fn keep_the_promise(&mut self, wake: Instant, rng: &mut Rng) {
        assert!(wake > self.now, "a busy loop");
        self.now = wake;
        let before = (self.under_way.len(), self.pace.waiting());
        self.take(rng);
        assert_ne!(before, (self.under_way.len(), self.pace.waiting()), "nothing left");
    }

    fn run(&mut self, rng: &mut Rng) {
        for _ in 0..10 + rng.below(50) {
            match rng.below(8) {
                0 | 1 => {
                    for _ in 0..rng.below(6) {
                        let lane = rng.below(self.lanes.len() as u64) as usize;
                        self.pace.push(lane, self.ends.len(), rng.below(2000));
                        self.ends.push(0);
                    }
                }
                2 => self.now += ms(rng.below(5000)),
                3 if rng.below(10) == 0 => self.now -= ms(rng.below(20_000)),
                3..6 if !self.under_way.is_empty() => {
                    let retry_after = (rng.below(2) == 0).then(|| ms(rng.below(120_000)));
                    let tokens = (rng.below(2) == 0).then(|| rng.below(3000));
                    let ended = match rng.below(6) {
                        0 | 1 => Ended::Answered { tokens },
                        2 => Ended::Refused,
                        3 => Ended::Limited { retry_after, counts: false },
                        4 => Ended::Overloaded,
                        _ => Ended::Failed,
                    };
                    self.end(rng, ended);
                }
                _ => {
                    if let Some(wake) = self.take(rng)
                        && rng.below(3) == 0
                    {
                        self.keep_the_promise(wake, rng);
                    }
                }
            }
        }
        loop {
            let wake = self.take(rng);
            if !self.under_way.is_empty() {
                self.end(rng, Ended::Answered { tokens: None });
            } else if let Some(wake) = wake {
                self.keep_the_promise(wake, rng);
            } else {
                break;
            }
        }
        assert_eq!((self.pace.waiting(), self.pace.in_flight()), (0, 0), "a stall");
        assert!(self.ends.iter().all(|ends| *ends == 1), "lost, or ended twice: {:?}", self.ends);
    }
}

#[test]
fn what_must_hold_holds_in_any_order_of_events() {
    for seed in 0..100_000 {
        let mut rng = Rng(seed);
        let run = std::panic::AssertUnwindSafe(|| Sequence::new(&mut rng).run(&mut rng));
        if let Err(panic) = std::panic::catch_unwind(run) {
            panic!("seed {seed}: {:?}", panic.downcast_ref::<String>());
        }
    }
}
