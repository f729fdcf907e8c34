//! When to ask again, and how long to wait before.
//!
//! Waits are exponential with full jitter (any time up to the bound), so that requests refused
//! together do not come back together; a server's own `Retry-After` comes first, and the jitter
//! after it. The arithmetic is here and not from a crate: the ones at hand only add jitter to a
//! fixed wait.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use seval_core::{Error, Result};
use tokio::sync::watch;
use tokio::time::timeout;

/// No jittered wait is longer, however many attempts went before.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether the same request may succeed later.
pub(crate) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 425 | 429 | 500 | 502 | 503 | 504 | 529)
}

/// The wait after the given number of attempts: any time up to `first`, doubled by each attempt
/// after.
pub(crate) fn jitter(first: Duration, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let bound = first.saturating_mul(1 << doublings).min(LONGEST.max(first));
    // Every RandomState has keys of its own: randomness enough to spread waits, without a crate for
    // it.
    let bits = RandomState::new().hash_one(attempts);
    bound.mul_f64((bits >> 11) as f64 / (1u64 << 53) as f64)
}

/// How long the server asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
///
/// A date counts from the server's own `date`, if it gives one, since our clock may be wrong. What
/// is negative or makes no sense is no wish; what is beyond counting is [`Duration::MAX`].
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let date = |name: &str| text(name).and_then(|text| httpdate::parse_http_date(text.trim()).ok());
    let number = |text: &str, unit: f64| match text.trim().parse::<f64>() {
        Ok(number) if number >= 0.0 => {
            Some(Duration::try_from_secs_f64(number / unit).unwrap_or(Duration::MAX))
        }
        _ => None,
    };
    if let Some(wait) = text("retry-after-ms").and_then(|text| number(text, 1000.0)) {
        return Some(wait);
    }
    let after = text("retry-after")?;
    number(after, 1.0).or_else(|| {
        let from = date("date").unwrap_or(now);
        Some(date("retry-after")?.duration_since(from).unwrap_or(Duration::ZERO))
    })
}

/// Ends a run from within: the first reason is kept, and every wait ends with it.
#[derive(Debug)]
pub(crate) struct Stop(watch::Sender<Option<Error>>);

impl Stop {
    pub fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Stops the run; the reason that holds is returned.
    pub fn now(&self, reason: Error) -> Error {
        self.0.send_if_modified(|held| match held {
            Some(_) => false,
            None => {
                *held = Some(reason.clone());
                true
            }
        });
        self.check().err().unwrap_or(reason)
    }

    /// An error if the run has been stopped.
    pub fn check(&self) -> Result<()> {
        match &*self.0.borrow() {
            Some(reason) => Err(reason.clone()),
            None => Ok(()),
        }
    }

    /// Waits; an error at once if the run is stopped.
    pub async fn wait(&self, duration: Duration) -> Result<()> {
        let mut stopped = self.0.subscribe();
        // Whether the time is up or the run was stopped, checking tells.
        let _ = timeout(duration, stopped.wait_for(Option::is_some)).await;
        self.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        retry_after(&map, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn retry_after_in_every_form() {
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("retry-after", "7")]), seconds(7.0));
        assert_eq!(asked(&[("retry-after", " 0.5 ")]), seconds(0.5));
        assert_eq!(asked(&[("retry-after-ms", "250"), ("retry-after", "7")]), seconds(0.25));
        assert_eq!(asked(&[("retry-after-ms", "soon"), ("retry-after", "7")]), seconds(7.0));
        assert_eq!(asked(&[("retry-after", "-3")]), None);
        assert_eq!(asked(&[("retry-after", "NaN")]), None);
        assert_eq!(asked(&[("retry-after", "later")]), None);
        assert_eq!(asked(&[("retry-after", "86400")]), seconds(86400.0));
        assert_eq!(asked(&[("retry-after", "1e300")]), Some(Duration::MAX));
    }

    #[test]
    fn retry_after_as_a_date_counts_from_the_servers_clock() {
        let date = ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT");
        assert_eq!(asked(&[date]), Some(Duration::from_secs(10)));
        assert_eq!(
            asked(&[date, ("date", "Sun, 06 Nov 1994 08:49:44 GMT")]),
            Some(Duration::from_secs(3))
        );
        assert_eq!(asked(&[date, ("date", "Sun, 06 Nov 1994 09:49:44 GMT")]), Some(Duration::ZERO));
    }

    #[test]
    fn jitter_stays_under_a_bound_that_doubles() {
        let first = Duration::from_millis(100);
        for attempts in 1..40 {
            let bound = first.saturating_mul(1 << (attempts - 1).min(31)).min(LONGEST);
            let waits: Vec<_> = (0..100).map(|_| jitter(first, attempts)).collect();
            assert!(waits.iter().all(|wait| *wait <= bound), "{attempts}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait > bound / 2), "{attempts}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait < bound / 2), "{attempts}: {waits:?}");
        }
        assert_eq!(jitter(Duration::ZERO, 3), Duration::ZERO);
    }
}
