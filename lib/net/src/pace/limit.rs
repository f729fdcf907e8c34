//! How many requests one server takes at once, learned from its answers.
//!
//! - **Start.** 64 at once, or the lane's maximum if that is less; then one more for each good
//!   answer, which doubles the limit each round trip until the server complains. A local server is
//!   full within a few round trips, a hosted one never gets a thousand requests as a greeting.
//! - **Decrease.** By half, when more than half of a round's requests were turned away or failed.
//!   A round is about a limit's worth of requests sent since the last cut: late answers to what was
//!   sent before do not cut again. Half is the point at which a server with a fixed capacity still
//!   gets all it can serve after the cut. A server that turns away a fixed share of less than half,
//!   whatever the load, does not pin the limit: fewer requests would only mean fewer answers.
//! - **Increase.** One more per limit's worth of good answers; a [`COOLDOWN`] after the last cut as
//!   at the start. Only while at least half of the limit is in use.
//! - **Spacing.** For a cooldown after each complaint requests leave one by one, a limit's worth
//!   per round trip: quick refusals do not make us quicker, and what waited for the end of a pause
//!   does not leave in one instant. Here a limit below one has a meaning: it is a part of a request
//!   per round trip, so a server that is down is asked every [`LONGEST_GAP`], not in a tight loop.

use std::time::{Duration, Instant};

use super::after;

/// The limit that an unknown server starts with.
const START: f64 = 64.0;

/// Without a cut for this long, or four round trips if they take longer, the limit grows quickly.
const COOLDOWN: Duration = Duration::from_secs(10);

/// A lane that is not paused asks at least this often, half as much again with its jitter.
const LONGEST_GAP: Duration = Duration::from_secs(15);

/// The first request after a pause is at most so much later than the server asked for.
const LATEST: Duration = Duration::from_millis(250);

/// A round has a limit's worth of requests within these bounds: enough to tell a share, and not
/// hundreds of refusals.
const ROUND: (f64, f64) = (16.0, 64.0);

/// The adaptive limit of one lane.
#[derive(Debug)]
pub(super) struct Limit {
    max: f64,
    value: f64,
    /// Seconds that a good answer takes, as a moving average; at first a guess.
    latency: f64,
    guessed: bool,
    /// Good and bad ends in this round.
    good: u32,
    bad: u32,
    cut: Option<Instant>,
    /// When at least half of the limit was last in use.
    used: Option<Instant>,
    spaced_until: Option<Instant>,
    next: Option<Instant>,
}

impl Limit {
    /// `guess` stands for the round trip as long as there is no answer.
    pub fn new(max: usize, guess: Duration) -> Self {
        let max = max.max(1) as f64;
        Self {
            max,
            value: max.min(START),
            latency: guess.as_secs_f64(),
            guessed: true,
            good: 0,
            bad: 0,
            cut: None,
            used: None,
            spaced_until: None,
            next: None,
        }
    }

    /// The most requests in flight, at least 1.
    pub fn get(&self) -> usize {
        self.value.max(1.0) as usize
    }

    /// The earliest time for the next request; `None` is at once.
    pub fn ready(&self) -> Option<Instant> {
        self.next
    }

    /// A request leaves, which `in_flight` counts; `draw` is uniform in [0, 1).
    pub fn sent(&mut self, now: Instant, in_flight: usize, draw: f64) {
        if in_flight as f64 * 2.0 >= self.value {
            self.used = Some(now);
        }
        if self.spaced_until.is_some_and(|until| now < until) {
            // What could not leave while all connections were taken is made up for, up to an
            // eighth of a round trip.
            let credit = Duration::try_from_secs_f64(self.latency / 8.0).unwrap_or_default();
            let credit = credit.min(self.gap().mul_f64(self.value / 8.0));
            let from = self.next.max(now.checked_sub(credit)).unwrap_or(now);
            self.next = Some(after(from, self.gap().mul_f64(0.5 + draw)));
        } else {
            self.next = None;
        }
    }

    /// The server asks for no request before `until`; `draw` is uniform in [0, 1).
    pub fn pause(&mut self, now: Instant, until: Instant, draw: f64) {
        // The first comes a little late too: other clients were told the same time.
        let asked = until.saturating_duration_since(now);
        let late = self.gap().min(asked / 16).min(LATEST);
        let first = after(until, late.mul_f64(draw));
        self.next = Some(first);
        self.spaced_until = Some(after(first, self.cooldown()));
    }

    /// A good answer to a request of that time.
    pub fn good(&mut self, now: Instant, sent: Instant) {
        let took = now.saturating_duration_since(sent).as_secs_f64();
        self.latency += (took - self.latency) * if self.guessed { 1.0 } else { 0.125 };
        self.guessed = false;
        if self.cut.is_some_and(|cut| sent < cut) {
            return;
        }
        self.good += 1;
        if self.used >= Some(sent) {
            let quiet =
                self.cut.is_none_or(|cut| now.saturating_duration_since(cut) >= self.cooldown());
            let more = if quiet { 1.0 } else { self.value.min(1.0 / self.value) };
            self.value = (self.value + more).min(self.max);
        }
        self.judge(now);
    }

    /// A request of that time was turned away for load, or failed.
    pub fn bad(&mut self, now: Instant, sent: Instant) {
        let calm = after(now, self.cooldown());
        self.spaced_until = self.spaced_until.max(Some(calm));
        if self.cut.is_none_or(|cut| sent >= cut) {
            self.bad += 1;
            self.judge(now);
        }
    }

    fn judge(&mut self, now: Instant) {
        let round = self.value.clamp(ROUND.0, ROUND.1) as u32;
        if self.bad * 2 > round {
            self.value /= 2.0;
            self.cut = Some(now);
        } else if self.good + self.bad < round {
            return;
        }
        self.good = 0;
        self.bad = 0;
    }

    /// The mean time between requests that are spaced.
    fn gap(&self) -> Duration {
        let gap = Duration::try_from_secs_f64(self.latency / self.value);
        gap.unwrap_or(LONGEST_GAP).min(LONGEST_GAP)
    }

    fn cooldown(&self) -> Duration {
        Duration::try_from_secs_f64(4.0 * self.latency).unwrap_or(COOLDOWN).max(COOLDOWN)
    }
}
