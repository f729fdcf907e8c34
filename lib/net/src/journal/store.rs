//! The journal's file: a SQLite database, written ahead of its main part and synced at every commit.
//!
//! - Rows stand in order of arrival and nothing in the file is sorted by fingerprint, so that a
//!   commit costs the same however long the file is. Texts stand apart, so that opening the journal
//!   reads little.
//! - The version is in `user_version`. Our mark is in `application_id`: another program's database
//!   is left as it is.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags, Row, Statement, params};
use seval_core::{Error, Kind, Result};

use super::Record;
use crate::exchange::{Answer, Outcome, Usage};
use crate::fingerprint::{Fields, Fingerprint};

/// "seva", which is how `file` and others tell the journal from other databases.
const MARK: i64 = 0x7365_7661;

/// The version of the tables below.
const VERSION: i64 = 1;

/// `at` is in milliseconds since 1970; `messages` a hash of the conversation; `checksum` of all that
/// makes the answer.
const TABLES: &str = "
    CREATE TABLE answer (
        id INTEGER PRIMARY KEY,
        fingerprint BLOB NOT NULL,
        outcome TEXT NOT NULL,
        model TEXT NOT NULL,
        address TEXT NOT NULL,
        messages BLOB NOT NULL,
        decoding TEXT NOT NULL,
        sample INTEGER NOT NULL,
        input_tokens INTEGER,
        output_tokens INTEGER,
        latency_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        at INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE text (
        id INTEGER PRIMARY KEY REFERENCES answer,
        response TEXT,
        reasoning TEXT,
        finish_reason TEXT,
        error TEXT
    ) STRICT;";

const INSERT_ANSWER: &str = "INSERT INTO answer (fingerprint, outcome, model, address, messages,
    decoding, sample, input_tokens, output_tokens, latency_ms, attempts, at, checksum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

const INSERT_TEXT: &str = "INSERT INTO text (id, response, reasoning, finish_reason, error)
    VALUES (?1, ?2, ?3, ?4, ?5)";

const READ: &str =
    "SELECT outcome, response, reasoning, finish_reason, input_tokens, output_tokens,
    error, latency_ms, attempts, checksum FROM answer JOIN text USING (id) WHERE id = ?1";

/// An open journal file.
pub struct Store {
    /// What it is called.
    pub place: String,
    connection: Connection,
}

/// What is said to the file again and again, parsed once.
pub struct Statements<'s> {
    insert_answer: Statement<'s>,
    insert_text: Statement<'s>,
    read: Statement<'s>,
}

impl Store {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Self> {
        let place = path.to_string_lossy().into_owned();
        if place.is_empty() {
            return Err(Error::usage("the journal", "its name is empty"));
        }
        let io = |error: io::Error| Error::io(&place, &error);
        match std::fs::metadata(path) {
            Ok(meta) if !meta.is_file() => {
                let error = Error::usage(&place, "is not a file");
                return Err(error.hint("name a file for the journal"));
            }
            // SQLite takes a file of one byte for an empty one.
            Ok(meta) if (1..512).contains(&meta.len()) => return Err(foreign(&place)),
            _ => {}
        }
        // Responses may be what nobody else should read.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io(error).hint("does the folder exist, and may you write there?"));
            }
            _ => {}
        }
        // Absolute, since SQLite has a meaning of its own for `:memory:`.
        let path = std::path::absolute(path).map_err(io)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let result = Connection::open_with_flags(path, flags);
        let connection = result.map_err(|error| trouble(&place, &error))?;
        prepare(&place, &connection)?;
        Ok(Self { place, connection })
    }

    /// A file that has no name and vanishes when it is closed.
    pub fn temporary(place: &str) -> Result<Self> {
        let fresh = || -> rusqlite::Result<Connection> {
            let connection = Connection::open("")?;
            connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;")?;
            connection.execute_batch(TABLES)?;
            Ok(connection)
        };
        let connection = fresh().map_err(|error| trouble("the temporary folder", &error))?;
        Ok(Self { place: place.to_owned(), connection })
    }

    /// Which answers there are, and where.
    pub fn index(&self) -> Result<Vec<(Fingerprint, i64, Outcome)>> {
        let read = || -> rusqlite::Result<Vec<(Fingerprint, i64, String)>> {
            let all = "SELECT id, fingerprint, outcome FROM answer ORDER BY id";
            let mut statement = self.connection.prepare(all)?;
            let entry = |row: &Row<'_>| {
                Ok((Fingerprint::from_bytes(row.get(1)?), row.get(0)?, row.get(2)?))
            };
            statement.query_map((), entry)?.collect()
        };
        let rows = read().map_err(|error| trouble(&self.place, &error))?;
        let known = |(fingerprint, row, outcome): (_, _, String)| {
            let outcome = Outcome::parse(&outcome).ok_or_else(|| damaged(&self.place, row))?;
            Ok((fingerprint, row, outcome))
        };
        rows.into_iter().map(known).collect()
    }

    /// What [`Store::write`] and [`Store::read`] need.
    pub fn statements(&self) -> Result<Statements<'_>> {
        let prepare = |text: &str| {
            self.connection.prepare(text).map_err(|error| trouble(&self.place, &error))
        };
        Ok(Statements {
            insert_answer: prepare(INSERT_ANSWER)?,
            insert_text: prepare(INSERT_TEXT)?,
            read: prepare(READ)?,
        })
    }

    /// Writes all of them or none; they are on disk when this returns, in these rows.
    pub fn write<'r>(
        &self,
        statements: &mut Statements<'_>,
        records: impl Iterator<Item = &'r Record>,
    ) -> Result<Vec<i64>> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let write = || -> rusqlite::Result<Vec<i64>> {
            // Without a commit it is rolled back when it is dropped.
            let transaction = self.connection.unchecked_transaction()?;
            let mut rows = Vec::new();
            for Record { asked, answer } in records {
                statements.insert_answer.execute(params![
                    asked.fingerprint.to_bytes(),
                    answer.outcome.as_str(),
                    asked.model,
                    asked.address,
                    asked.messages,
                    asked.decoding,
                    asked.sample,
                    answer.usage.input_tokens,
                    answer.usage.output_tokens,
                    answer.latency_ms,
                    answer.attempts,
                    at,
                    checksum(asked.fingerprint, answer),
                ])?;
                let row = self.connection.last_insert_rowid();
                statements.insert_text.execute(params![
                    row,
                    answer.response,
                    answer.reasoning,
                    answer.finish_reason,
                    answer.error,
                ])?;
                rows.push(row);
            }
            transaction.commit()?;
            Ok(rows)
        };
        write().map_err(|error| trouble(&self.place, &error))
    }

    /// The answer in a row, which must be the answer to what was asked.
    pub fn read(
        &self,
        statements: &mut Statements<'_>,
        fingerprint: Fingerprint,
        row: i64,
    ) -> Result<Answer> {
        let read = |row: &Row<'_>| -> rusqlite::Result<(Option<Answer>, i64)> {
            let outcome = Outcome::parse(&row.get::<_, String>(0)?);
            let answer = outcome.map(|outcome| -> rusqlite::Result<Answer> {
                Ok(Answer {
                    response: row.get(1)?,
                    reasoning: row.get(2)?,
                    finish_reason: row.get(3)?,
                    usage: Usage {
                        input_tokens: row.get(4)?,
                        output_tokens: row.get(5)?,
                        ..Usage::default()
                    },
                    error: row.get(6)?,
                    latency_ms: row.get(7)?,
                    attempts: row.get(8)?,
                    ..Answer::of(outcome)
                })
            });
            Ok((answer.transpose()?, row.get(9)?))
        };
        let found = statements.read.query_row([row], read);
        match found.map_err(|error| trouble(&self.place, &error))? {
            (Some(answer), sum) if sum == checksum(fingerprint, &answer) => Ok(answer),
            _ => Err(damaged(&self.place, row)),
        }
    }

    /// Puts everything into the one file.
    pub fn close(self) -> Result<()> {
        self.connection.close().map_err(|(_, error)| trouble(&self.place, &error))
    }
}

/// Takes the file for us alone, and sees that it is ours and can be written.
fn prepare(place: &str, connection: &Connection) -> Result<()> {
    let wrong = |error: rusqlite::Error| trouble(place, &error);
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0));
    // Whoever has it open has it for long: there is nothing to wait for.
    connection.busy_timeout(Duration::ZERO).map_err(wrong)?;
    // Nobody else may read either: so no second file is shared, and the journal may lie on a
    // network's disk.
    let alone = "PRAGMA locking_mode = EXCLUSIVE";
    connection.query_row(alone, (), |_| Ok(())).map_err(wrong)?;
    let mark = number("PRAGMA application_id").map_err(wrong)?;
    let version = number("PRAGMA user_version").map_err(wrong)?;
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(wrong)?;
    match (mark, version, tables) {
        (0, 0, 0) | (MARK, VERSION, _) => {}
        (MARK, newer, _) if newer > VERSION => {
            let what = format!("is a journal of version {newer}, and this seval knows {VERSION}");
            return Err(Error::usage(place, what).hint("use the newer seval, or another journal"));
        }
        _ => return Err(foreign(place)),
    }
    let mode = "PRAGMA journal_mode = WAL";
    let mode = connection.query_row(mode, (), |row| row.get::<_, String>(0)).map_err(wrong)?;
    if mode != "wal" {
        return Err(Error::world(place, format!("cannot be written safely (mode {mode})"))
            .hint("keep the journal on a disk of this machine"));
    }
    // Written even where nothing changes: a journal that cannot be written must say so now.
    let tables = if tables == 0 { TABLES } else { "" };
    let sql = format!(
        "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; {tables}
         PRAGMA application_id = {MARK}; PRAGMA user_version = {VERSION}; COMMIT;"
    );
    connection.execute_batch(&sql).map_err(wrong)
}

/// A hash of all that makes the answer: SQLite itself does not see a flipped bit in a text.
fn checksum(fingerprint: Fingerprint, answer: &Answer) -> i64 {
    let mut fields = Fields::default();
    fields.0.update(&fingerprint.to_bytes());
    fields
        .text(answer.outcome.as_str())
        .maybe_text(answer.response.as_deref())
        .maybe_text(answer.reasoning.as_deref())
        .maybe_text(answer.finish_reason.as_deref())
        .maybe_text(answer.error.as_deref())
        .maybe_number(answer.usage.input_tokens)
        .maybe_number(answer.usage.output_tokens)
        .number(answer.latency_ms)
        .number(answer.attempts);
    fields.0.digest().cast_signed()
}

fn trouble(place: &str, error: &rusqlite::Error) -> Error {
    let what = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    let (kind, what, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => return foreign(place),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Kind::World,
            "another program has this journal open".to_owned(),
            "wait for it to end, or give this run a journal of its own",
        ),
        Some(ErrorCode::DatabaseCorrupt) => {
            (Kind::Data, format!("the journal is damaged: {what}"), DAMAGED)
        }
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => (
            Kind::World,
            format!("the journal cannot grow: {what}"),
            "see to the disk and run again: what was answered before is kept",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            Kind::World,
            format!("the journal cannot be written: {what}"),
            "may you write the file and its folder?",
        ),
        // A value of another type than we write.
        None => (Kind::Data, format!("the journal is damaged: {what}"), DAMAGED),
        Some(_) => (Kind::World, format!("the journal: {what}"), ""),
    };
    Error::new(kind, place, what).hint(hint)
}

const DAMAGED: &str = "put the file aside, and start another or go back to a copy";

fn damaged(place: &str, row: i64) -> Error {
    Error::data(place, format!("the journal is damaged: answer {row} is not what was written"))
        .hint(DAMAGED)
}

fn foreign(place: &str) -> Error {
    Error::usage(place, "is not a journal of seval")
        .hint("name another file: this one is left as it is")
}
