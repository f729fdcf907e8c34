//! A token bucket that is kept as the time at which it is full again: whole nanoseconds, so that
//! what may go at a stated time does go then, and nothing is left to rounding.

use std::time::{Duration, Instant};

use super::after;

/// What a bucket holds at most, as the time that fills it: a second's worth.
const BURST: Duration = Duration::from_secs(1);

/// The longest that one answer is waited for: a server that counts wrongly must not stop the run.
const LONGEST: Duration = Duration::from_secs(600);

/// A rate limit with a small burst.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Seconds that pay for one unit.
    unit: f64,
    /// How long before it is full the bucket has enough for the next request.
    spare: Duration,
    full_at: Option<Instant>,
}

impl Bucket {
    /// Counts requests: one may go when one is paid for. A slow rate still lets one go at once.
    pub fn of_requests(per_minute: f64) -> Self {
        let unit = 60.0 / per_minute;
        Self { unit, spare: BURST.saturating_sub(seconds(unit)), full_at: None }
    }

    /// Counts tokens: a request may go whenever nothing is owed, whatever it will cost, so that the
    /// time at which it may go does not depend on which one is next. The last one overdraws.
    pub fn of_tokens(per_minute: f64) -> Self {
        Self { unit: 60.0 / per_minute, spare: BURST, full_at: None }
    }

    /// When the next request may go; `None` is at once.
    pub fn ready(&self) -> Option<Instant> {
        self.full_at?.checked_sub(self.spare)
    }

    /// Pays for so many units.
    pub fn take(&mut self, now: Instant, units: u64) {
        let from = self.full_at.map_or(now, |full_at| full_at.max(now));
        self.full_at = Some(after(from, seconds(self.unit * units as f64)));
    }

    /// Puts the estimate right that was paid. What comes back does not lift the bucket over full.
    pub fn correct(&mut self, now: Instant, estimate: u64, actual: u64) {
        if actual >= estimate {
            let most = (LONGEST.as_secs_f64() / self.unit) as u64;
            self.take(now, (actual - estimate).min(most));
        } else if let Some(full_at) = self.full_at {
            let back = seconds(self.unit * (estimate - actual) as f64);
            self.full_at = full_at.checked_sub(back);
        }
    }
}

/// A rate that makes no sense is one that pays for nothing.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_cannot_be_right_stops_nobody_for_long() {
        let (mut bucket, now) = (Bucket::of_tokens(100.0), Instant::now());
        bucket.take(now, 10);
        bucket.correct(now, 10, 1 << 40);
        let wait = bucket.ready().map(|ready| ready.duration_since(now));
        assert!(wait.is_some_and(|wait| wait <= LONGEST + Duration::from_secs(10)), "{wait:?}");
    }
}
