//! Every answer on disk before it is given on, and found again by what was asked.
//!
//! - The file is a SQLite database of ours (see [`store`]). One thread writes and reads it; what
//!   comes while it commits is committed together next.
//! - An attempt is there before it is sent, its end after: what has no end when a run was killed
//!   may have been billed, and is counted.
//! - In memory is where each answer is, not the answer: some 50 bytes each.
//! - What a run paid for is kept: failed and timed-out requests are asked again by the next.
//! - One process writes at a time; others may read, who need not be allowed to write.

mod differences;
mod file;
mod room;
mod store;
mod sync;
mod thread;
pub mod totals;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use seval_core::{Error, Result};
use tokio::sync::oneshot;

use crate::attempt::cut_at;
use crate::exchange::{Answer, Outcome};
use crate::fingerprint::{Asked, Fingerprint};
use differences::Difference;
use room::Room;
use store::Store;
use thread::Command;

/// The answers of earlier runs and of this one. Clones are the same journal.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    place: String,
    index: Mutex<HashMap<Fingerprint, Entry>>,
    reused: AtomicU64,
    commands: mpsc::Sender<Command>,
}

/// Where an answer is.
#[derive(Clone, Copy)]
struct Entry {
    row: i64,
    /// It gives way to an answer of more: 0 is one that failed, the highest number one that is whole,
    /// and any other one that was cut after so many bytes.
    worth: u32,
    /// Somebody asked for it.
    taken: bool,
    /// It was there when the journal was opened.
    earlier: bool,
}

/// An attempt that is about to be sent.
pub(crate) struct Begin {
    pub fingerprint: Fingerprint,
    pub model: Arc<str>,
}

/// Whether the provider charges for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Billed {
    No = 0,
    Yes = 1,
    /// It was sent, and what came of it is not known.
    Possibly = 2,
}

/// What an attempt came to: an answer to keep, or a failure that is only counted.
pub(crate) struct Record {
    pub asked: Arc<Asked>,
    pub answer: Box<Answer>,
    /// Its number, if it was sent by us.
    pub attempt: Option<i64>,
    pub billed: Billed,
    /// In dollars, where the price is known.
    pub cost: Option<f64>,
}

impl Record {
    /// A reply that came by another way.
    pub fn reply(asked: Asked, answer: Answer) -> Self {
        let (asked, answer) = (Arc::new(asked), Box::new(answer));
        Self { asked, answer, attempt: None, billed: Billed::No, cost: None }
    }

    /// Whether the answer is kept for later runs. A reply from a file is, whatever it says.
    pub fn is_kept(&self) -> bool {
        self.attempt.is_none() || is_kept(self.answer.outcome)
    }
}

type Reply<T> = oneshot::Sender<Result<T>>;

/// What the journal will have done.
pub(crate) type Done<T> = oneshot::Receiver<Result<T>>;

impl Journal {
    /// Opens a journal, or starts one; nobody else may have it open.
    ///
    /// It is written to here, so that one that cannot be written fails before anything is asked.
    pub fn open(path: &Path) -> Result<Self> {
        Self::start(Store::open(path)?, Room::of(path))
    }

    /// Opens a journal, or none, to look answers up; nothing is written, and a run may be writing.
    pub fn open_to_read(path: &Path) -> Result<Self> {
        let place = path.to_string_lossy();
        match path.exists() {
            true => Self::start(Store::open_to_read(path)?, Room::unlimited()),
            // What a run would start.
            false => Self::temporary(&place),
        }
    }

    /// A journal that vanishes with the process; `place` is what its answers come from.
    pub(crate) fn temporary(place: &str) -> Result<Self> {
        Self::start(Store::temporary(place)?, Room::unlimited())
    }

    fn start(store: Store, room: Room) -> Result<Self> {
        let mut index = HashMap::new();
        store.index(|fingerprint, entry| enter(&mut index, fingerprint, entry))?;
        let (commands, queue) = mpsc::channel();
        let shared = Shared {
            place: store.place.clone(),
            index: Mutex::new(index),
            reused: AtomicU64::new(0),
            commands,
        };
        let journal = Self(Arc::new(shared));
        // The thread must not keep alive what it waits to see the end of.
        let shared = Arc::downgrade(&journal.0);
        let enter = move |answers: &[(Fingerprint, Entry)]| {
            if let Some(shared) = shared.upgrade() {
                let mut index = shared.index();
                for (fingerprint, entry) in answers {
                    enter(&mut index, *fingerprint, *entry);
                }
            }
        };
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || thread::serve(store, room, &queue, enter))
            .map_err(|error| Error::io("starting the journal", &error))?;
        Ok(journal)
    }

    /// How many questions it has an answer to.
    pub fn answers(&self) -> usize {
        self.0.index().len()
    }

    /// How many requests were answered from it.
    pub fn reused(&self) -> u64 {
        self.0.reused.load(Relaxed)
    }

    /// So many more requests were answered by what is here.
    pub(crate) fn count_reused(&self, requests: usize) {
        self.0.reused.fetch_add(requests as u64, Relaxed);
    }

    /// How many answers of earlier runs nobody asked for.
    pub fn unused(&self) -> u64 {
        let index = self.0.index();
        index.values().filter(|entry| entry.earlier && !entry.taken).count() as u64
    }

    /// How many of its answers nobody asked for.
    pub(crate) fn untaken(&self) -> usize {
        self.0.index().values().filter(|entry| !entry.taken).count()
    }

    /// What the journal is called.
    pub(crate) fn place(&self) -> &str {
        &self.0.place
    }

    /// Puts the journal in order for who reads the file next; nothing can be asked of it after.
    ///
    /// Without it nothing is lost: the next to open the journal does it.
    pub fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Close(reply))?;
        answer.blocking_recv().map_err(|_| ended())?
    }

    /// Where the answer to a question is, if there is one; one that was cut is none to who would
    /// read more bytes of it.
    pub(crate) fn find(&self, fingerprint: Fingerprint, most_bytes: usize) -> Option<i64> {
        let entry = self.take(fingerprint)?;
        (!(1..most_bytes).contains(&entry.cut_at())).then_some(entry.row)
    }

    /// The same, unless the answer failed and another may be had.
    pub(crate) fn find_final(&self, fingerprint: Fingerprint) -> Option<i64> {
        self.take(fingerprint).filter(|entry| entry.worth > 0).map(|entry| entry.row)
    }

    fn take(&self, fingerprint: Fingerprint) -> Option<Entry> {
        self.0.index().get_mut(&fingerprint).map(|entry| {
            entry.taken = true;
            *entry
        })
    }

    /// Reads the answer in a row.
    pub(crate) fn read(&self, fingerprint: Fingerprint, row: i64) -> Result<Done<Answer>> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Read(fingerprint, row, reply))?;
        self.0.reused.fetch_add(1, Relaxed);
        Ok(answer)
    }

    /// Writes attempts down before they are sent; gives the number of the first, and the others
    /// follow. It fails while there is still room for the answers of those that were sent before.
    pub(crate) fn begin(&self, attempts: Vec<Begin>) -> Result<Done<i64>> {
        let (reply, begun) = oneshot::channel();
        self.send(Command::Begin(attempts, reply))?;
        Ok(begun)
    }

    /// Writes down what attempts came to: says when it is written, which outlives a kill, and gives it
    /// back once it is on disk, which outlives a power cut.
    pub(crate) fn end(
        &self,
        records: Vec<Record>,
    ) -> Result<(oneshot::Receiver<()>, Done<Vec<Record>>)> {
        let (write, written) = oneshot::channel();
        let (reply, ended) = oneshot::channel();
        self.send(Command::End(records, write, reply))?;
        Ok((written, ended))
    }

    /// Saves replies that came by another way.
    pub(crate) fn save_all(&self, records: Vec<Record>) -> Result<()> {
        self.end(records)?.1.blocking_recv().map_err(|_| ended())?.map(|_| ())
    }

    /// In what the questions that are not here differ from those that are, if they are about the
    /// same conversations.
    pub(crate) fn differences(&self, missing: Vec<Arc<Asked>>) -> Result<Done<Vec<Difference>>> {
        let (reply, found) = oneshot::channel();
        // What this run asks for, or has asked, is not another run's.
        let is_other = |entry: &&Entry| entry.earlier && !entry.taken;
        let others = self.0.index().values().filter(is_other).map(|entry| entry.row).collect();
        self.send(Command::Compare(missing, others, reply))?;
        Ok(found)
    }

    fn send(&self, command: Command) -> Result<()> {
        self.0.commands.send(command).map_err(|_| ended())
    }
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, HashMap<Fingerprint, Entry>> {
        // Nothing panics while it holds the lock, so a poisoned index is a whole one.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the answer serves later runs: it was paid for, and asking again would bring no other.
pub(crate) fn is_kept(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered
        | Outcome::Truncated
        | Outcome::Filtered
        | Outcome::Empty
        | Outcome::TooLarge => true,
        Outcome::TimedOut | Outcome::Failed => false,
    }
}

impl Entry {
    /// An answer with this outcome and error.
    fn new(row: i64, outcome: Outcome, error: Option<&str>, earlier: bool) -> Self {
        let worth = match (is_kept(outcome), cut_at(outcome, error)) {
            (false, _) => 0,
            (true, 0) => u32::MAX,
            (true, bytes) => {
                u32::try_from(bytes).map_or(u32::MAX - 1, |bytes| bytes.min(u32::MAX - 1))
            }
        };
        Self { row, worth, taken: false, earlier }
    }

    /// After how many bytes the answer was cut; 0 if it was not.
    fn cut_at(&self) -> usize {
        if self.worth == u32::MAX { 0 } else { self.worth as usize }
    }
}

/// The first answer stays, but one that failed or was cut gives way to one of more.
fn enter(index: &mut HashMap<Fingerprint, Entry>, fingerprint: Fingerprint, new: Entry) {
    index
        .entry(fingerprint)
        .and_modify(|old| {
            if old.worth < new.worth {
                *old = Entry { taken: old.taken, ..new };
            }
        })
        .or_insert(new);
}

/// The journal's thread is no more.
pub(crate) fn ended() -> Error {
    Error::world("the journal", "its thread ended without a word")
        .hint("this is a fault in seval: please report it")
}
