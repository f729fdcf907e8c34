//! Every answer on disk before it is given on, and found again by what was asked.
//!
//! - The file is a SQLite database of ours (see [`store`]). One thread writes and reads it; what
//!   comes while it commits is committed together next.
//! - In memory is where each answer is, not the answer: some 50 bytes each.
//! - What a run paid for is kept: failed and timed-out requests are asked again by the next.
//! - One process at a time.

mod store;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use seval_core::{Error, Result};
use tokio::sync::oneshot;

use crate::exchange::{Answer, Outcome};
use crate::fingerprint::{Asked, Fingerprint};
use store::{Statements, Store};

/// Commands that are taken up together, which bounds what one commit holds.
const GROUP: usize = 512;

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
    /// Gives way to an answer that is final.
    failed: bool,
    /// Somebody asked for it.
    taken: bool,
}

/// An answer and what it answers.
pub(crate) struct Record {
    pub asked: Asked,
    pub answer: Answer,
}

type Reply<T> = oneshot::Sender<Result<T>>;

enum Command {
    Save(Vec<Record>, Reply<()>),
    Read(Fingerprint, i64, Reply<Answer>),
    Close(Reply<()>),
}

impl Journal {
    /// Opens a journal, or starts one; nobody else may have it open.
    ///
    /// It is written to here, so that one that cannot be written fails before anything is asked.
    pub fn open(path: &Path) -> Result<Self> {
        Self::start(Store::open(path)?)
    }

    /// A journal that vanishes with the process; `place` is what its answers come from.
    pub(crate) fn temporary(place: &str) -> Result<Self> {
        Self::start(Store::temporary(place)?)
    }

    fn start(store: Store) -> Result<Self> {
        let index = store.index()?;
        let index = index.into_iter().map(|(fingerprint, row, outcome)| {
            (fingerprint, Entry { row, failed: !is_kept(outcome), taken: false })
        });
        let (commands, queue) = mpsc::channel();
        let shared = Shared {
            place: store.place.clone(),
            index: Mutex::new(index.collect()),
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
        thread::Builder::new()
            .name("journal".into())
            .spawn(move || serve(store, &queue, enter))
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

    /// The answer to a question, if there is one.
    pub(crate) async fn find(&self, fingerprint: Fingerprint) -> Result<Option<Answer>> {
        let found = self.0.index().get_mut(&fingerprint).map(|entry| {
            entry.taken = true;
            entry.row
        });
        let Some(row) = found else { return Ok(None) };
        let (reply, answer) = oneshot::channel();
        self.send(Command::Read(fingerprint, row, reply))?;
        let answer = answer.await.map_err(|_| ended())??;
        self.0.reused.fetch_add(1, Relaxed);
        Ok(Some(answer))
    }

    /// Returns once the answer is on disk, if it is one to keep.
    pub(crate) async fn save(&self, asked: Asked, answer: &Answer) -> Result<()> {
        if !is_kept(answer.outcome) {
            return Ok(());
        }
        let (reply, saved) = oneshot::channel();
        let record = Record { asked, answer: answer.clone() };
        self.send(Command::Save(vec![record], reply))?;
        saved.await.map_err(|_| ended())?
    }

    /// Saves every one of them, also what failed.
    pub(crate) fn save_all(&self, records: Vec<Record>) -> Result<()> {
        let (reply, saved) = oneshot::channel();
        self.send(Command::Save(records, reply))?;
        saved.blocking_recv().map_err(|_| ended())?
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
fn is_kept(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered
        | Outcome::Truncated
        | Outcome::Filtered
        | Outcome::Empty
        | Outcome::TooLarge => true,
        Outcome::TimedOut | Outcome::Failed => false,
    }
}

/// The first answer stays, but one that failed gives way to a later one.
fn enter(index: &mut HashMap<Fingerprint, Entry>, fingerprint: Fingerprint, new: Entry) {
    index
        .entry(fingerprint)
        .and_modify(|old| {
            if old.failed && !new.failed {
                *old = Entry { taken: old.taken, ..new };
            }
        })
        .or_insert(new);
}

/// The journal's thread, until it is closed or nobody can ask any more.
fn serve(store: Store, queue: &mpsc::Receiver<Command>, enter: impl Fn(&[(Fingerprint, Entry)])) {
    let closed = match store.statements() {
        Ok(statements) => converse(&store, statements, queue, enter),
        Err(error) => refuse(queue, &error),
    };
    // What reads or writes the file is gone by now, so that it can be closed.
    let result = store.close();
    if let Some(reply) = closed {
        let _ = reply.send(result);
    }
}

/// Carries out commands. Whoever closes the journal waits for the sender that this returns.
fn converse(
    store: &Store,
    mut statements: Statements<'_>,
    queue: &mpsc::Receiver<Command>,
    enter: impl Fn(&[(Fingerprint, Entry)]),
) -> Option<Reply<()>> {
    // None of these sends matters where nobody waits for the reply any more.
    loop {
        let mut saves = Vec::new();
        let mut rest = Vec::new();
        let first = queue.recv().ok()?;
        for command in std::iter::once(first).chain(queue.try_iter().take(GROUP)) {
            match command {
                Command::Save(records, reply) => saves.push((records, reply)),
                other => rest.push(other),
            }
        }
        if !saves.is_empty() {
            let records = || saves.iter().flat_map(|(records, _)| records);
            match store.write(&mut statements, records()) {
                Ok(rows) => {
                    let entries = records().zip(rows).map(|(record, row)| {
                        let failed = !is_kept(record.answer.outcome);
                        (record.asked.fingerprint, Entry { row, failed, taken: false })
                    });
                    enter(&entries.collect::<Vec<_>>());
                    saves.into_iter().for_each(|(_, reply)| drop(reply.send(Ok(()))));
                }
                Err(error) => {
                    // What a failed write left behind is not known: nothing more is written.
                    for (_, reply) in saves {
                        let _ = reply.send(Err(error.clone()));
                    }
                    rest.into_iter().for_each(|command| command.refuse(&error));
                    return refuse(queue, &error);
                }
            }
        }
        for command in rest {
            match command {
                Command::Read(fingerprint, row, reply) => {
                    let _ = reply.send(store.read(&mut statements, fingerprint, row));
                }
                Command::Close(reply) => return Some(reply),
                Command::Save(..) => {}
            }
        }
    }
}

/// Says to all who ask what is wrong with the journal.
fn refuse(queue: &mpsc::Receiver<Command>, error: &Error) -> Option<Reply<()>> {
    loop {
        match queue.recv().ok()? {
            Command::Close(reply) => return Some(reply),
            other => other.refuse(error),
        }
    }
}

impl Command {
    fn refuse(self, error: &Error) {
        let error = error.clone();
        match self {
            Self::Save(_, reply) | Self::Close(reply) => drop(reply.send(Err(error))),
            Self::Read(_, _, reply) => drop(reply.send(Err(error))),
        }
    }
}

fn ended() -> Error {
    Error::world("the journal", "its thread ended without a word")
        .hint("this is a fault in seval: please report it")
}
