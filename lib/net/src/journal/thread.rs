//! The thread that writes and reads the journal's file.

use std::collections::HashSet;
use std::sync::{Arc, mpsc};

use seval_core::Error;
use tokio::sync::oneshot;

use super::differences::Difference;
use super::room::Room;
use super::store::{self, Group, Statements, Store};
use super::sync::{self, Sync};
use super::{Begin, Entry, Record, Reply};
use crate::exchange::Answer;
use crate::fingerprint::{Asked, Fingerprint};

/// Commands that are taken up together, which bounds what one commit holds.
const GROUP: usize = 512;

/// What the thread is told.
pub enum Command {
    /// Attempts are about to be sent.
    Begin(Vec<Begin>, Reply<i64>),
    /// Attempts have come to an end: who waits for that to be written, and to be durable.
    End(Vec<Record>, oneshot::Sender<()>, Reply<Vec<Record>>),
    /// An answer is wanted.
    Read(Fingerprint, i64, Reply<Answer>),
    /// In what do these questions differ from those whose answers are in these rows?
    Compare(Vec<Arc<Asked>>, HashSet<i64>, Reply<Vec<Difference>>),
    /// Nothing more will come.
    Close(Reply<()>),
}

/// The journal's thread, until it is closed or nobody can ask any more.
pub fn serve(
    mut store: Store,
    room: Room,
    queue: &mpsc::Receiver<Command>,
    enter: impl Fn(&[(Fingerprint, Entry)]) + Send + 'static,
) {
    let log = store.log.take();
    let sync = Sync::start(store.place.clone(), log, enter);
    let closed = match (store.statements(), sync) {
        (Ok(statements), Ok(sync)) => converse(&store, room, statements, &sync, queue),
        (Err(error), _) | (_, Err(error)) => refuse(queue, &error),
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
    mut room: Room,
    mut statements: Statements<'_>,
    sync: &Sync,
    queue: &mpsc::Receiver<Command>,
) -> Option<Reply<()>> {
    // None of these sends matters where nobody waits for the reply any more.
    loop {
        let mut group = Commands::default();
        let first = queue.recv().ok()?;
        for command in std::iter::once(first).chain(queue.try_iter().take(GROUP)) {
            group.add(command, &mut room);
        }
        let written = match (sync.failed(), group.is_empty()) {
            (Some(error), _) => Err(error.clone()),
            (None, true) => Ok(None),
            (None, false) => {
                let Commands { begins, records, .. } = &group;
                store.write(&mut statements, &Group { begins, records }).map(Some)
            }
        };
        let rest = match written {
            Ok(written) => group.written(written, sync),
            Err(error) => {
                // What a failed write left behind is not known: nothing more is written.
                group.refuse(&error);
                return refuse(queue, &error);
            }
        };
        for command in rest {
            match command {
                Command::Read(fingerprint, row, reply) => {
                    let _ = reply.send(store.read(&mut statements, fingerprint, row));
                }
                Command::Compare(missing, others, reply) => {
                    let _ = reply.send(store.differences(&missing, &others));
                }
                Command::Close(reply) => return Some(reply),
                Command::Begin(..) | Command::End(..) => {}
            }
        }
    }
}

/// Commands that are carried out together.
#[derive(Default)]
struct Commands {
    begins: Vec<Vec<Begin>>,
    begun: Vec<Reply<i64>>,
    records: Vec<Vec<Record>>,
    ended: Vec<(oneshot::Sender<()>, Reply<Vec<Record>>)>,
    rest: Vec<Command>,
}

impl Commands {
    fn add(&mut self, command: Command, room: &mut Room) {
        match command {
            Command::Begin(attempts, reply) => match room.take(attempts.len()) {
                Ok(()) => {
                    self.begins.push(attempts);
                    self.begun.push(reply);
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::End(records, written, reply) => {
                room.give_back(&records);
                self.records.push(records);
                self.ended.push((written, reply));
            }
            other => self.rest.push(other),
        }
    }

    /// Whether there is nothing to write.
    fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.ended.is_empty()
    }

    /// All is written: attempts may be sent, and ends are known once they are durable. What else
    /// there is to do.
    fn written(self, written: Option<store::Written>, sync: &Sync) -> Vec<Command> {
        let Some(written) = written else { return self.rest };
        let mut attempt = written.first_attempt;
        for (attempts, reply) in self.begins.iter().zip(self.begun) {
            let _ = reply.send(Ok(attempt));
            attempt += attempts.len() as i64;
        }
        let mut rows = written.rows.into_iter();
        for (records, (written, reply)) in self.records.into_iter().zip(self.ended) {
            let _ = written.send(());
            let entries = records.iter().zip(rows.by_ref()).filter_map(|(record, row)| {
                let Answer { outcome, error, .. } = &*record.answer;
                let entry = Entry::new(row?, *outcome, error.as_deref(), false);
                Some((record.asked.fingerprint, entry))
            });
            sync.push(sync::Written { entries: entries.collect(), records, reply });
        }
        self.rest
    }

    fn refuse(self, error: &Error) {
        self.begun.into_iter().for_each(|reply| drop(reply.send(Err(error.clone()))));
        self.ended.into_iter().for_each(|(_, reply)| drop(reply.send(Err(error.clone()))));
        self.rest.into_iter().for_each(|command| command.refuse(error));
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
            Self::Begin(_, reply) => drop(reply.send(Err(error))),
            Self::End(_, _, reply) => drop(reply.send(Err(error))),
            Self::Read(_, _, reply) => drop(reply.send(Err(error))),
            Self::Compare(_, _, reply) => drop(reply.send(Err(error))),
            Self::Close(reply) => drop(reply.send(Err(error))),
        }
    }
}
