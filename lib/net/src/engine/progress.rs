//! What a run has done so far, for whoever watches it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::exchange::{Outcome, Usage};
use crate::model::Model;

/// Counters of a run; any thread may read them.
#[derive(Debug, Default)]
pub struct Progress {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    sent: AtomicU64,
    under_way: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    possibly_billed: AtomicU64,
    /// Billionths of a dollar.
    cost: AtomicU64,
    has_price: bool,
    /// Answers that there will be; 0 where that is not known.
    wanted: AtomicU64,
    limit: Mutex<String>,
    /// With whether it was taken.
    odd: Mutex<Vec<(String, bool)>>,
}

/// A unit of [`Progress::cost`].
const UNIT: f64 = 1e9;

impl Progress {
    pub(crate) fn new(models: &[Model]) -> Self {
        let has_price = models.iter().any(|model| model.settings.price.is_some());
        Self { has_price, ..Self::default() }
    }

    /// An answer is given.
    pub(crate) fn done(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
    }

    /// A request is sent.
    pub(crate) fn send(&self) {
        self.sent.fetch_add(1, Relaxed);
        self.under_way.fetch_add(1, Relaxed);
    }

    /// A request has come to an end, which took so much.
    pub(crate) fn end(&self, usage: &Usage, cost: Option<f64>, possibly_billed: bool) {
        let whole = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        self.under_way.fetch_sub(1, Relaxed);
        self.input_tokens.fetch_add(whole(usage.input_tokens), Relaxed);
        self.output_tokens.fetch_add(whole(usage.output_tokens), Relaxed);
        self.cost.fetch_add((cost.unwrap_or(0.0) * UNIT).round() as u64, Relaxed);
        self.possibly_billed.fetch_add(u64::from(possibly_billed), Relaxed);
    }

    /// What keeps the run from going faster.
    pub(crate) fn limited_by(&self, what: String) {
        *lock(&self.limit) = what;
    }

    /// Something that whoever watches has to be told; each is said once.
    pub(crate) fn odd(&self, what: String) {
        let mut odd = lock(&self.odd);
        if !odd.iter().any(|(known, _)| *known == what) {
            odd.push((what, false));
        }
    }

    /// How much that was.
    pub(crate) fn oddities(&self) -> usize {
        lock(&self.odd).len()
    }

    /// Answers given, by what became of their requests.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Relaxed)
    }

    /// Answers given.
    pub fn answers(&self) -> u64 {
        self.outcomes.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// So many answers there will be.
    pub fn expect(&self, answers: u64) {
        self.wanted.store(answers, Relaxed);
    }

    /// How many answers there will be, where that is known.
    pub fn wanted(&self) -> Option<u64> {
        Some(self.wanted.load(Relaxed)).filter(|wanted| *wanted > 0)
    }

    /// Requests sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Requests sent that have not come to an end.
    pub fn under_way(&self) -> u64 {
        self.under_way.load(Relaxed)
    }

    /// Tokens of conversations and of answers, as the servers count.
    pub fn tokens(&self) -> (u64, u64) {
        (self.input_tokens.load(Relaxed), self.output_tokens.load(Relaxed))
    }

    /// Dollars, where a price is known.
    pub fn cost(&self) -> Option<f64> {
        self.has_price.then(|| self.cost.load(Relaxed) as f64 / UNIT)
    }

    /// Requests that were sent and that may be charged for, though no answer came of them.
    pub fn possibly_billed(&self) -> u64 {
        self.possibly_billed.load(Relaxed)
    }

    /// What keeps the run from going faster, in words; empty if nothing does.
    pub fn limit(&self) -> String {
        lock(&self.limit).clone()
    }

    /// What is to be said of the run besides, and was not given by this before.
    pub fn take_oddities(&self) -> Vec<String> {
        let mut odd = lock(&self.odd);
        let new = odd.iter_mut().filter(|(_, taken)| !taken);
        new.map(|(what, taken)| {
            *taken = true;
            what.clone()
        })
        .collect()
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it holds the lock, so a poisoned value is a whole one.
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
