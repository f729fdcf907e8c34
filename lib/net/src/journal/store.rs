//! What stands in the journal's file, and how it is written and read.
//!
//! - Rows stand in order of arrival and nothing in the file is sorted by fingerprint, so that a
//!   commit costs the same however long the file is. Texts stand apart, so that opening the journal
//!   reads little.
//! - Every attempt is there before it is sent. One that has neither an answer nor an end was under
//!   way when its run was killed.

use std::fs::File;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Row, Statement, params};
use seval_core::Result;

use super::file::{self, damaged, trouble};
use super::{Begin, Entry, Record};
use crate::exchange::{Answer, Outcome, Usage};
use crate::fingerprint::{Fields, Fingerprint};

const INSERT_ATTEMPT: &str = "INSERT INTO attempt (fingerprint, model, at) VALUES (?1, ?2, ?3)";

const INSERT_ANSWER: &str = "INSERT INTO answer (fingerprint, outcome, model, address, messages,
    decoding, sample, input_tokens, output_tokens, latency_ms, attempts, at, checksum, attempt,
    cached_tokens, cache_write_tokens, reasoning_tokens, cost)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

const INSERT_TEXT: &str = "INSERT INTO text (id, response, reasoning, finish_reason, error,
    logprobs, served_model, system_fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const INSERT_ENDED: &str = "INSERT INTO ended (attempt, outcome, billed, input_tokens,
    output_tokens, cost, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const READ: &str = "SELECT outcome, checksum, response, reasoning, finish_reason, error,
    input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, logprobs,
    served_model, system_fingerprint, latency_ms, attempts, cost
    FROM answer JOIN text USING (id) WHERE id = ?1";

/// Where texts are not wanted but that of an answer that was cut, which says after how many bytes.
const INDEX: &str = "SELECT id, fingerprint, outcome, CASE outcome WHEN 'too_large' THEN
    (SELECT error FROM text WHERE text.id = answer.id) END
    FROM answer ORDER BY id";

/// An open journal file.
pub struct Store {
    /// What it is called.
    pub place: String,
    connection: Connection,
    /// Closed after the connection: to close any handle of a file gives up SQLite's locks on it.
    _lock: Option<File>,
    /// What has to be synced for commits to be durable; none in a file that vanishes.
    pub log: Option<File>,
}

/// What is said to the file again and again, parsed once.
pub struct Statements<'s> {
    insert_attempt: Statement<'s>,
    insert_answer: Statement<'s>,
    insert_text: Statement<'s>,
    insert_ended: Statement<'s>,
    read: Statement<'s>,
}

/// What one commit writes.
pub struct Group<'g> {
    /// Attempts that are about to be sent.
    pub begins: &'g [Vec<Begin>],
    /// Attempts that came to an end.
    pub records: &'g [Vec<Record>],
}

/// Where a commit has put things.
pub struct Written {
    /// The number of the first attempt; the others follow.
    pub first_attempt: i64,
    /// The rows of the answers, for the records that are kept.
    pub rows: Vec<Option<i64>>,
}

impl Store {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Self> {
        let (connection, lock) = file::open(path)?;
        let place = path.to_string_lossy().into_owned();
        let log = file::log(path)?;
        Ok(Self { place, connection, _lock: Some(lock), log: Some(log) })
    }

    /// Opens the file to read what is there.
    pub fn open_to_read(path: &Path) -> Result<Self> {
        let (place, connection) = (path.to_string_lossy().into_owned(), file::read(path)?);
        Ok(Self { place, connection, _lock: None, log: None })
    }

    /// A file that has no name and vanishes when it is closed.
    pub fn temporary(place: &str) -> Result<Self> {
        Ok(Self { place: place.to_owned(), connection: file::temporary()?, _lock: None, log: None })
    }

    /// Says which answers there are, and where, in their order.
    pub fn index(&self, mut say: impl FnMut(Fingerprint, Entry)) -> Result<()> {
        let mut read = || -> rusqlite::Result<Option<i64>> {
            let mut statement = self.connection.prepare(INDEX)?;
            let mut rows = statement.query(())?;
            while let Some(row) = rows.next()? {
                let (id, fingerprint) = (row.get(0)?, Fingerprint::from_bytes(row.get(1)?));
                let error: Option<String> = row.get(3)?;
                match Outcome::parse(row.get_ref(2)?.as_str()?) {
                    None => return Ok(Some(id)),
                    Some(outcome) => {
                        say(fingerprint, Entry::new(id, outcome, error.as_deref(), true));
                    }
                }
            }
            Ok(None)
        };
        match read().map_err(|error| trouble(&self.place, &error))? {
            None => Ok(()),
            Some(row) => Err(damaged(&self.place, row)),
        }
    }

    /// What [`Store::write`] and [`Store::read`] need.
    pub fn statements(&self) -> Result<Statements<'_>> {
        let prepare = |text: &str| {
            self.connection.prepare(text).map_err(|error| trouble(&self.place, &error))
        };
        Ok(Statements {
            insert_attempt: prepare(INSERT_ATTEMPT)?,
            insert_answer: prepare(INSERT_ANSWER)?,
            insert_text: prepare(INSERT_TEXT)?,
            insert_ended: prepare(INSERT_ENDED)?,
            read: prepare(READ)?,
        })
    }

    /// Writes all of a group or nothing; it outlives the process when this returns.
    pub fn write(&self, statements: &mut Statements<'_>, group: &Group<'_>) -> Result<Written> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let mut write = || -> rusqlite::Result<Written> {
            // Without a commit it is rolled back when it is dropped.
            let transaction = self.connection.unchecked_transaction()?;
            let mut written = Written { first_attempt: 0, rows: Vec::new() };
            for begin in group.begins.iter().flatten() {
                let values = params![begin.fingerprint.to_bytes(), &*begin.model, at];
                statements.insert_attempt.execute(values)?;
                if written.first_attempt == 0 {
                    written.first_attempt = self.connection.last_insert_rowid();
                }
            }
            for record in group.records.iter().flatten() {
                written.rows.push(match record.is_kept() {
                    true => Some(self.keep(statements, record, at)?),
                    false => {
                        statements.end(record)?;
                        None
                    }
                });
            }
            transaction.commit()?;
            Ok(written)
        };
        write().map_err(|error| trouble(&self.place, &error))
    }

    fn keep(
        &self,
        statements: &mut Statements<'_>,
        record: &Record,
        at: i64,
    ) -> rusqlite::Result<i64> {
        let Record { asked, answer, attempt, cost, .. } = record;
        let usage = &answer.usage;
        let logprobs = logprobs(answer);
        statements.insert_answer.execute(params![
            asked.fingerprint.to_bytes(),
            answer.outcome.as_str(),
            asked.model,
            asked.address,
            asked.messages,
            asked.decoding,
            asked.sample,
            usage.input_tokens,
            usage.output_tokens,
            answer.latency_ms,
            answer.attempts,
            at,
            checksum(asked.fingerprint, answer, logprobs.as_deref()),
            attempt,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
            cost,
        ])?;
        let row = self.connection.last_insert_rowid();
        statements.insert_text.execute(params![
            row,
            answer.response,
            answer.reasoning,
            answer.finish_reason,
            answer.error,
            logprobs,
            answer.served_model,
            answer.system_fingerprint,
        ])?;
        Ok(row)
    }

    /// The answer in a row, which must be the answer to what was asked.
    pub fn read(
        &self,
        statements: &mut Statements<'_>,
        fingerprint: Fingerprint,
        row: i64,
    ) -> Result<Answer> {
        let found = statements.read.query_row([row], |found| answer(found, fingerprint));
        found
            .map_err(|error| trouble(&self.place, &error))?
            .ok_or_else(|| damaged(&self.place, row))
    }

    /// The database.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Puts everything into the one file.
    pub fn close(self) -> Result<()> {
        self.connection.close().map_err(|(_, error)| trouble(&self.place, &error))
    }
}

impl Statements<'_> {
    fn end(&mut self, record: &Record) -> rusqlite::Result<usize> {
        let Record { answer, attempt, cost, billed, .. } = record;
        self.insert_ended.execute(params![
            attempt,
            answer.outcome.as_str(),
            *billed as i64,
            answer.usage.input_tokens,
            answer.usage.output_tokens,
            cost,
            answer.error,
        ])
    }
}

/// The answer in a row that begins as those of [`READ`] do and has its cost; none if it is not what was written.
pub fn answer(row: &Row<'_>, fingerprint: Fingerprint) -> rusqlite::Result<Option<Answer>> {
    let Some(outcome) = Outcome::parse(&row.get::<_, String>(0)?) else { return Ok(None) };
    let logprobs: Option<String> = row.get(11)?;
    let answer = Answer {
        response: row.get(2)?,
        reasoning: row.get(3)?,
        finish_reason: row.get(4)?,
        error: row.get(5)?,
        usage: Usage {
            input_tokens: row.get(6)?,
            cached_tokens: row.get(7)?,
            cache_write_tokens: row.get(8)?,
            output_tokens: row.get(9)?,
            reasoning_tokens: row.get(10)?,
        },
        logprobs: logprobs.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        served_model: row.get(12)?,
        system_fingerprint: row.get(13)?,
        latency_ms: row.get(14)?,
        attempts: row.get(15)?,
        cost: row.get("cost")?,
        ..Answer::of(outcome)
    };
    let sum = checksum(fingerprint, &answer, logprobs.as_deref());
    Ok((sum == row.get::<_, i64>(1)?).then_some(answer))
}

fn logprobs(answer: &Answer) -> Option<String> {
    answer.logprobs.as_ref().and_then(|logprobs| serde_json::to_string(logprobs).ok())
}

/// A hash of all that makes the answer: SQLite itself does not see a flipped bit in a text.
fn checksum(fingerprint: Fingerprint, answer: &Answer, logprobs: Option<&str>) -> i64 {
    let mut fields = Fields::default();
    fields.0.update(&fingerprint.to_bytes());
    let usage = &answer.usage;
    fields
        .text(answer.outcome.as_str())
        .maybe_text(answer.response.as_deref())
        .maybe_text(answer.reasoning.as_deref())
        .maybe_text(answer.finish_reason.as_deref())
        .maybe_text(answer.error.as_deref())
        .maybe_number(usage.input_tokens)
        .maybe_number(usage.output_tokens)
        .number(answer.latency_ms)
        .number(answer.attempts);
    // What version 2 added counts only where it is there, so that older answers keep their hash.
    let numbers = [usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens];
    let texts = [logprobs, answer.served_model.as_deref(), answer.system_fingerprint.as_deref()];
    for (at, number) in (0..).zip(numbers) {
        if let Some(number) = number {
            fields.number(at).number(number);
        }
    }
    for (at, text) in (3..).zip(texts) {
        if let Some(text) = text {
            fields.number(at).text(text);
        }
    }
    fields.0.digest().cast_signed()
}
