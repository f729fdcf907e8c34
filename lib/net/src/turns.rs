//! One at a time for each question: who asks what is being asked already waits for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Lock, MutexGuard};

use crate::fingerprint::Fingerprint;

type Locks = HashMap<Fingerprint, Arc<Lock<()>>>;

/// The questions under way.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Locks>);

/// A place in the queue of one question, given up when dropped.
pub(crate) struct Turn<'t> {
    turns: &'t Turns,
    fingerprint: Fingerprint,
    lock: Arc<Lock<()>>,
}

impl Turns {
    /// A place in the queue of that question.
    pub fn of(&self, fingerprint: Fingerprint) -> Turn<'_> {
        let lock = self.locks(|locks| locks.entry(fingerprint).or_default().clone());
        Turn { turns: self, fingerprint, lock }
    }

    fn locks<T>(&self, work: impl FnOnce(&mut Locks) -> T) -> T {
        // Nothing panics while it holds the lock, so a poisoned map is a whole one.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Turn<'_> {
    /// Waits until nobody else asks the question. Drop what this returns before the place.
    pub async fn wait(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.locks(|locks| {
            // The map's and ours: nobody else is in the queue.
            if Arc::strong_count(&self.lock) == 2 {
                locks.remove(&self.fingerprint);
            }
        });
    }
}
