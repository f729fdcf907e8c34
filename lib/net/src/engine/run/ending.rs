//! When a run is over, and what brings it to its end before.

use std::collections::hash_map::Entry;

use seval_core::Error;
use tokio::time::Instant;

use super::Run;
use super::questions::not_asked;

impl Run {
    /// Whether all is answered and given on, or the run is to end and nothing is under way.
    pub(super) fn is_done(&self) -> bool {
        match &self.ending {
            None => self.all_read && self.window.len() == 0 && self.coming.is_empty(),
            Some(_) => {
                let late = self.until.is_some_and(|until| until <= Instant::now());
                late || (self.under_way == 0 && self.ends.is_empty() && !self.is_writing())
            }
        }
    }

    /// Whether anything is being written down.
    pub(super) fn is_writing(&self) -> bool {
        self.known.journal.is_some() && !self.coming.is_empty()
    }

    /// From now on nothing is sent, and what is under way has a while; the first reason counts.
    pub(super) fn end_with(&mut self, reason: Error) {
        self.sends_begun = false;
        self.until = self.until.or(Instant::now().checked_add(self.limits.grace));
        self.ending.get_or_insert(reason);
    }

    /// No request to that model will fare better: the run ends, and another can go on from its
    /// journal. Without one, what other models have answered would be lost with it, and only this
    /// one's requests fail.
    pub(super) fn end_with_model(&mut self, lane: usize, reason: Error) {
        let others_have = self.answering.iter().any(|other| *other != lane);
        if self.known.journal.is_some() || !others_have {
            return self.end_with(reason);
        }
        if let Entry::Vacant(place) = self.lost.entry(lane) {
            self.progress.odd(format!("asked nothing more, and its requests fail: {reason}"));
            let answer = not_asked(place.insert(reason));
            for job in self.pace.give_up(lane) {
                self.settled(job, Box::new(answer.clone()));
            }
        }
    }

    /// From now on nothing is let in, and what is under way is waited for; whether what was let in
    /// before is sent.
    pub(super) fn end_when_all_is_in(&mut self, reason: Error, sends_begun: bool) {
        if self.ending.is_none() {
            self.sends_begun = sends_begun;
            self.ending = Some(reason);
        }
    }
}

/// What a run ends with that was told to.
pub(super) fn interrupted() -> Error {
    Error::new(seval_core::Kind::Incomplete, "interrupted", "nothing more was sent")
        .hint("run the same command again: with --journal, it goes on from the answers it has")
}
