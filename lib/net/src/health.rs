//! What a server's answers to one request mean for the others: failures that will repeat for every
//! request should end the run rather than fill it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// This many requests that fail in one way, with no answer between them, mean that all will.
const STRIKES: u32 = 3;

/// And so many that wait in vain: a server may take its time to begin.
const SILENCES: u32 = 16;

/// A way of failing that says more about the server than about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No connection, after all attempts.
    Unreachable,
    /// Status 401, or an account that is used up: no other request will fare better.
    Denied,
    /// Status 403. Some servers say so of single prompts.
    Forbidden,
    /// Status 404: no such model, or no such address.
    NotFound,
    /// A good status, and no JSON: some other server is there, or a page to log in at.
    Unreadable,
    /// No answer in the time that one may take.
    Silent,
}

/// What one request may have until it is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tries {
    pub attempts: u32,
    /// All that it may wait between them.
    pub waits: Duration,
}

/// The state of one server as its answers show it, shared by all requests to it.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answered: bool,
    reached: bool,
    /// When a connection failed first, and how often one did.
    unreached: Option<(Instant, u32)>,
    last: Option<Trouble>,
    strikes: u32,
}

impl Health {
    /// The server gave an answer.
    pub fn answered(&self) {
        let mut state = self.state();
        state.answered = true;
        state.reached = true;
        state.last = None;
        state.strikes = 0;
    }

    /// Some HTTP server is there, whatever it said.
    pub fn reached(&self) {
        self.state().reached = true;
    }

    /// There was no connection for a request that is sent again; whether the run should end, since
    /// there never was any: after as many attempts as it takes for requests that come one by one, and
    /// as long as one of them waits. Where many take turns, it would be long before one has had all
    /// its attempts.
    pub fn unreached(&self, now: Instant, one: Tries) -> bool {
        let mut state = self.state();
        let (first, attempts) = state.unreached.unwrap_or((now, 0));
        state.unreached = Some((first, attempts + 1));
        let enough = attempts + 1 >= STRIKES.saturating_mul(one.attempts);
        enough && !state.reached && now.saturating_duration_since(first) > one.waits
    }

    /// A request failed for good; whether the run should end.
    pub fn failed(&self, trouble: Trouble) -> bool {
        let mut state = self.state();
        state.strikes = if state.last == Some(trouble) { state.strikes + 1 } else { 1 };
        state.last = Some(trouble);
        match trouble {
            Trouble::Denied => true,
            Trouble::Forbidden => state.strikes >= STRIKES,
            Trouble::NotFound | Trouble::Unreadable => !state.answered && state.strikes >= STRIKES,
            Trouble::Silent => !state.answered && state.strikes >= SILENCES,
            // A server that was there may come back: what is lost meanwhile is rows, not the run.
            Trouble::Unreachable => !state.reached && state.strikes >= STRIKES,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // No method panics while it holds the lock, so a poisoned state is a whole one.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_never_reached_gets_three_requests() {
        let health = Health::default();
        assert!(!health.failed(Trouble::Unreachable));
        assert!(!health.failed(Trouble::Unreachable));
        assert!(health.failed(Trouble::Unreachable));
    }

    #[test]
    fn a_server_once_reached_may_come_back() {
        let health = Health::default();
        health.reached();
        assert!((0..10).all(|_| !health.failed(Trouble::Unreachable)));
    }

    #[test]
    fn a_server_never_reached_is_waited_for_a_while() {
        let (health, now) = (Health::default(), Instant::now());
        let one = Tries { attempts: 2, waits: Duration::from_secs(9) };
        let unreached = |seconds| health.unreached(now + Duration::from_secs(seconds), one);
        assert!((0..7).all(|_| !unreached(5)) && !unreached(14) && unreached(15));
        let few = Health::default();
        assert!((0..5).all(|n| !few.unreached(now + Duration::from_secs(n * 10), one)));
        health.reached();
        assert!(!unreached(99));
    }

    #[test]
    fn a_bad_key_ends_the_run_at_once_and_a_forbidden_prompt_does_not() {
        let health = Health::default();
        assert!(health.failed(Trouble::Denied));
        assert!(!health.failed(Trouble::Forbidden));
        health.answered();
        assert!(!health.failed(Trouble::Forbidden));
        assert!(!health.failed(Trouble::Forbidden));
        health.answered();
        assert!(!health.failed(Trouble::Forbidden));
        assert!(!health.failed(Trouble::Forbidden));
        assert!(health.failed(Trouble::Forbidden));
    }
}
