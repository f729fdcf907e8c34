//! Tells who waits for an answer to be durable when it is: on a thread of its own, so that nobody else
//! waits for the disk.

use std::fs::File;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use seval_core::{Error, Result};

use super::{Entry, Record, Reply};
use crate::fingerprint::Fingerprint;

/// The least time from one sync to the next. A fast run would have a thousand a second, which takes
/// a processor as much as the disk; a slow one never waits for it.
const APART: Duration = Duration::from_millis(5);

/// Ends of attempts that are written and not yet durable.
pub struct Written {
    /// What was written.
    pub records: Vec<Record>,
    /// Where the answers among it are.
    pub entries: Vec<(Fingerprint, Entry)>,
    /// Who waits for it.
    pub reply: Reply<Vec<Record>>,
}

/// The thread that syncs.
pub struct Sync {
    queue: Option<Sender<Written>>,
    thread: Option<JoinHandle<()>>,
    /// What is wrong with the disk, once something is: then nothing more may be written.
    failed: Arc<OnceLock<Error>>,
}

impl Sync {
    /// Starts it; `enter` makes answers known once they are durable. Without a log there is nothing to
    /// wait for.
    pub fn start(
        place: String,
        log: Option<File>,
        enter: impl Fn(&[(Fingerprint, Entry)]) + Send + 'static,
    ) -> Result<Self> {
        let (queue, written) = mpsc::channel();
        let failed = Arc::new(OnceLock::new());
        let shared = failed.clone();
        let thread = thread::Builder::new()
            .name("journal's disk".into())
            .spawn(move || serve(&place, log.as_ref(), &written, enter, &shared))
            .map_err(|error| Error::io("starting the journal", &error))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), failed })
    }

    /// Replies once what was written is durable.
    pub fn push(&self, written: Written) {
        if let Some(queue) = &self.queue {
            // Who hears nothing knows that the journal has ended.
            let _ = queue.send(written);
        }
    }

    /// What is wrong with the disk.
    pub fn failed(&self) -> Option<&Error> {
        self.failed.get()
    }
}

impl Drop for Sync {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    place: &str,
    log: Option<&File>,
    queue: &Receiver<Written>,
    enter: impl Fn(&[(Fingerprint, Entry)]),
    failed: &OnceLock<Error>,
) {
    let mut last: Option<Instant> = None;
    while let Ok(first) = queue.recv() {
        if let Some(wait) = last.and_then(|last| APART.checked_sub(last.elapsed())) {
            thread::sleep(wait);
        }
        last = log.map(|_| Instant::now());
        let group: Vec<Written> = std::iter::once(first).chain(queue.try_iter()).collect();
        // A sync that failed is never tried again: the system may have dropped what was to be written.
        let synced = match failed.get() {
            Some(error) => Err(error.clone()),
            None => log.map_or(Ok(()), File::sync_data).map_err(|error| {
                let error = Error::io(place, &error)
                    .hint("see to the disk and run again: what was answered before is kept");
                failed.get_or_init(|| error).clone()
            }),
        };
        for Written { records, entries, reply } in group {
            if synced.is_ok() {
                enter(&entries);
            }
            // Nobody may wait any more.
            let _ = reply.send(synced.clone().map(|()| records));
        }
    }
}
