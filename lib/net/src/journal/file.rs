//! Opens the journal's file: a SQLite database, written ahead of its main part.
//!
//! - A commit is safe from the end of the process at once, and from the end of power once the log of
//!   what is written ahead is synced, which [`super::sync`] sees to: SQLite would hold up all other
//!   work meanwhile.
//! - The version is in `user_version`. Our mark is in `application_id`: another program's database
//!   is left as it is.
//! - One process writes, and holds a lock beside SQLite's own, so that the second to come is told at
//!   once; others may read meanwhile.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};
use seval_core::{Error, Kind, Result};
use url::Url;

/// "seva", which is how `file` and others tell the journal from other databases.
const MARK: i64 = 0x7365_7661;

/// The version of the tables below.
const VERSION: i64 = 2;

/// `at` is in milliseconds since 1970; `messages` a hash of the conversation; `checksum` of all that
/// makes the answer.
const TABLES_1: &str = "
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

/// What version 2 adds: attempts before they are sent and what became of them, prices, and more of
/// what servers say. `billed` is 0 for no, 1 for yes, 2 for possibly; `cost` is in dollars.
const TABLES_2: &str = "
    ALTER TABLE answer ADD COLUMN attempt INTEGER;
    ALTER TABLE answer ADD COLUMN cached_tokens INTEGER;
    ALTER TABLE answer ADD COLUMN cache_write_tokens INTEGER;
    ALTER TABLE answer ADD COLUMN reasoning_tokens INTEGER;
    ALTER TABLE answer ADD COLUMN cost REAL;
    ALTER TABLE text ADD COLUMN logprobs TEXT;
    ALTER TABLE text ADD COLUMN served_model TEXT;
    ALTER TABLE text ADD COLUMN system_fingerprint TEXT;
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY,
        fingerprint BLOB NOT NULL,
        model TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE ended (
        id INTEGER PRIMARY KEY,
        attempt INTEGER NOT NULL REFERENCES attempt,
        outcome TEXT NOT NULL,
        billed INTEGER NOT NULL,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cost REAL,
        error TEXT
    ) STRICT;";

/// Opens the file to write, or makes it, and takes it for this process alone.
pub fn open(path: &Path) -> Result<(Connection, File)> {
    let place = path.to_string_lossy().into_owned();
    check(path, &place)?;
    let io = |error: io::Error| Error::io(&place, &error);
    // Responses may be what nobody else should read.
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| io(error).hint("does the folder exist, and may you write there?"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(&place)),
        Err(TryLockError::Error(error)) => {
            return Err(io(error).hint("keep the journal on a disk of this machine"));
        }
    }
    let connection = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&place, &connection)?;
    Ok((connection, lock))
}

/// Opens the file to read what is there, whether somebody writes to it or not, and whether we may.
pub fn read(path: &Path) -> Result<Connection> {
    let place = path.to_string_lossy().into_owned();
    check(path, &place)?;
    if !path.exists() {
        return Err(Error::usage(&place, "there is no such journal"));
    }
    let connection = match (may_write(path), log_of(path).exists()) {
        // It puts in order what a run left behind that was killed.
        (true, _) => connect(path, &place, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        (false, true) => connect(path, &place, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        (false, false) => connect_to_one_file(path, &place)?,
    };
    connection.busy_timeout(Duration::from_secs(5)).map_err(|error| trouble(&place, &error))?;
    match marks(&place, &connection)? {
        (MARK, VERSION, _) => Ok(connection),
        // Of a run that was killed when it made it.
        (0, 0, 0) => temporary(),
        // Of an older version.
        (MARK, 1, _) => {
            prepare(&place, &connection)?;
            Ok(connection)
        }
        (MARK, newer, _) => Err(too_new(&place, newer)),
        _ => Err(foreign(&place)),
    }
}

/// A database that has no name and vanishes when it is closed.
pub fn temporary() -> Result<Connection> {
    let fresh = || -> rusqlite::Result<Connection> {
        let connection = Connection::open("")?;
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;")?;
        connection.execute_batch(TABLES_1)?;
        connection.execute_batch(TABLES_2)?;
        Ok(connection)
    };
    fresh().map_err(|error| trouble("the temporary folder", &error))
}

/// Sees that it is a file, and not a short one of somebody else's.
fn check(path: &Path, place: &str) -> Result<()> {
    if place.is_empty() {
        return Err(Error::usage("the journal", "its name is empty"));
    }
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => {
            Err(Error::usage(place, "is not a file").hint("name a file for the journal"))
        }
        // SQLite takes a file of one byte for an empty one.
        Ok(meta) if (1..512).contains(&meta.len()) => Err(foreign(place)),
        _ => Ok(()),
    }
}

fn connect(path: &Path, place: &str, mode: OpenFlags) -> Result<Connection> {
    // Absolute, since SQLite has a meaning of its own for `:memory:`.
    let path = std::path::absolute(path).map_err(|error| Error::io(place, &error))?;
    Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| trouble(place, &error))
}

/// Opens a journal that is one file and that we may not write. SQLite would make its two files
/// beside it even to read, unless it takes the file for one that never changes.
fn connect_to_one_file(path: &Path, place: &str) -> Result<Connection> {
    let path = std::path::absolute(path).map_err(|error| Error::io(place, &error))?;
    let mut uri = Url::from_file_path(path).map_err(|()| Error::usage(place, "is not a file"))?;
    uri.set_query(Some("immutable=1"));
    let mode = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri.as_str(), mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| trouble(place, &error))
}

/// Whether we may write the file, and files beside it. Asked without opening it, which would give
/// up SQLite's locks on it.
fn may_write(path: &Path) -> bool {
    let log = log_of(path);
    let places = [Some(path), log.parent()];
    places.into_iter().flatten().all(|place| access(place, Access::WRITE_OK).is_ok())
}

/// Where SQLite has the log of what is written ahead: beside the file, wherever a link to it is.
fn log_of(path: &Path) -> PathBuf {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = path.into_os_string();
    name.push("-wal");
    name.into()
}

/// The mark, the version and the number of tables.
fn marks(place: &str, connection: &Connection) -> Result<(i64, i64, i64)> {
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0));
    let all = || -> rusqlite::Result<(i64, i64, i64)> {
        Ok((
            number("PRAGMA application_id")?,
            number("PRAGMA user_version")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    all().map_err(|error| trouble(place, &error))
}

/// Sees that the file is ours and can be written, and brings its tables up to date.
fn prepare(place: &str, connection: &Connection) -> Result<()> {
    let wrong = |error: rusqlite::Error| trouble(place, &error);
    let (first, second) = match marks(place, connection)? {
        (0, 0, 0) => (TABLES_1, TABLES_2),
        (MARK, 1, _) => ("", TABLES_2),
        (MARK, VERSION, _) => ("", ""),
        (MARK, newer, _) => return Err(too_new(place, newer)),
        _ => return Err(foreign(place)),
    };
    // Who reads holds the file for a moment only.
    connection.busy_timeout(Duration::from_secs(5)).map_err(wrong)?;
    // Of a file that is there already it changes nothing.
    connection.execute_batch("PRAGMA page_size = 8192").map_err(wrong)?;
    let mode = "PRAGMA journal_mode = WAL";
    let mode = connection.query_row(mode, (), |row| row.get::<_, String>(0)).map_err(wrong)?;
    if mode != "wal" {
        return Err(Error::world(place, format!("cannot be written safely (mode {mode})"))
            .hint("keep the journal on a disk of this machine"));
    }
    // Written even where nothing changes: a journal that cannot be written must say so now.
    let sql = format!(
        "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; {first} {second}
         PRAGMA application_id = {MARK}; PRAGMA user_version = {VERSION}; COMMIT;
         PRAGMA synchronous = NORMAL;"
    );
    connection.execute_batch(&sql).map_err(wrong)
}

/// The file that commits go to first; once it is synced, they are durable.
pub fn log(path: &Path) -> Result<File> {
    let name = log_of(path);
    let place = name.to_string_lossy().into_owned();
    File::open(&name).map_err(|error| Error::io(place, &error))
}

/// What is wrong with the file, by who must act.
pub fn trouble(place: &str, error: &rusqlite::Error) -> Error {
    let what = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    let (kind, what, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => return foreign(place),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => return busy(place),
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

/// A row is not what was written.
pub fn damaged(place: &str, row: i64) -> Error {
    Error::data(place, format!("the journal is damaged: answer {row} is not what was written"))
        .hint(DAMAGED)
}

fn foreign(place: &str) -> Error {
    Error::usage(place, "is not a journal of seval")
        .hint("name another file: this one is left as it is")
}

fn busy(place: &str) -> Error {
    Error::world(place, "another program has this journal open")
        .hint("wait for it to end, or give this run a journal of its own")
}

fn too_new(place: &str, version: i64) -> Error {
    let what = format!("is a journal of version {version}, and this seval knows {VERSION}");
    Error::usage(place, what).hint("use the newer seval, or another journal")
}
