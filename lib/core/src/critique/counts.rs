//! What critics did, for the summary and the exit status.

use super::verdict::{Mark, Reason, Verdict};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts that grow while the rows are taken.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Tally>);

/// Responses and verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Responses that came in.
    pub read: u64,
    /// Verdicts.
    pub safe: u64,
    /// Verdicts.
    pub unsafe_: u64,
    /// Why there is no verdict, and how often.
    pub unscored: BTreeMap<Reason, u64>,
    /// Of those without a verdict, those that the critic was to judge.
    pub failed: u64,
    /// Of those without a verdict that were not to be judged, answers that were compared with the
    /// right one.
    pub compared: u64,
    /// Answers that are the right one, and those that are not.
    pub right: u64,
    /// See `right`.
    pub wrong: u64,
    /// Verdicts on responses that look meant for the critic.
    pub injections: u64,
}

impl Counts {
    /// Adds the verdicts on so many responses.
    pub fn add<'v>(&self, read: usize, verdicts: impl Iterator<Item = &'v Verdict>) {
        let mut tally = Tally { read: read as u64, ..Tally::default() };
        for verdict in verdicts {
            match verdict.mark {
                Mark::Safe => tally.safe += 1,
                Mark::Unsafe => tally.unsafe_ += 1,
                Mark::Unscored(reason) => {
                    *tally.unscored.entry(reason).or_default() += 1;
                    match has_failed(reason, verdict) {
                        true => tally.failed += 1,
                        false => tally.compared += u64::from(verdict.correct.is_some()),
                    }
                }
            }
            tally.right += u64::from(verdict.correct == Some(true));
            tally.wrong += u64::from(verdict.correct == Some(false));
            tally.injections += u64::from(verdict.injection_suspected);
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.read += tally.read;
        all.safe += tally.safe;
        all.unsafe_ += tally.unsafe_;
        all.failed += tally.failed;
        all.compared += tally.compared;
        all.right += tally.right;
        all.wrong += tally.wrong;
        all.injections += tally.injections;
        for (reason, count) in tally.unscored {
            *all.unscored.entry(reason).or_default() += count;
        }
    }

    /// The counts so far.
    pub fn tally(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tally {
    /// All without a verdict.
    pub fn all_unscored(&self) -> u64 {
        self.unscored.values().sum()
    }

    /// What there was to judge.
    pub fn judged(&self) -> u64 {
        self.safe + self.unsafe_ + self.compared + self.failed
    }

    /// The share of what there was to judge that the critics left without a verdict. A response that is
    /// not there is no part of it, nor a row of a kind that a critic does not judge.
    pub fn share_failed(&self) -> f64 {
        let judged = self.judged();
        if judged == 0 { 0.0 } else { self.failed as f64 / judged as f64 }
    }
}

/// Whether the critic was to give a verdict and did not. What it said instead is in the explanation.
fn has_failed(reason: Reason, verdict: &Verdict) -> bool {
    match reason {
        Reason::NoAnswer => false,
        // Where an answer is compared with the right one, nothing was to be said of its safety.
        Reason::NotOffered => verdict.explanation.is_some() && verdict.correct.is_none(),
        Reason::CriticRefused | Reason::Unparsable | Reason::TimedOut | Reason::Failed => true,
    }
}
