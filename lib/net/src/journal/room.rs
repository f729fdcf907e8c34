//! Whether the journal's disk has room for the answers that are on their way: what cannot be kept is
//! not asked for.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use seval_core::{Error, Result};

use super::Record;

/// What an answer takes at least, with its part of SQLite's pages and log.
const ANSWER_BYTES: u64 = 64 << 10;

/// Left free whatever is on its way, since those to come may be larger than any before.
const SPARE_BYTES: u64 = 64 << 20;

/// The room on a disk, and what is to come.
pub struct Room {
    path: Option<PathBuf>,
    on_their_way: u64,
    largest: u64,
}

impl Room {
    /// The room on the disk of that file.
    pub fn of(path: &Path) -> Self {
        Self { path: Some(path.to_owned()), ..Self::unlimited() }
    }

    /// Room for anything.
    pub fn unlimited() -> Self {
        Self { path: None, on_their_way: 0, largest: ANSWER_BYTES }
    }

    /// Room for the answers of so many attempts more, or an error that says how little is left.
    pub fn take(&mut self, attempts: usize) -> Result<()> {
        let wanted = self.on_their_way + attempts as u64;
        if let Some(path) = &self.path {
            // Where the system does not say, the write will.
            let free = statvfs(path).map_or(u64::MAX, |disk| disk.f_bavail * disk.f_frsize);
            if free < wanted * self.largest + SPARE_BYTES {
                let what = format!(
                    "the disk has {} MiB left, too little for {wanted} answers on their way",
                    free >> 20
                );
                return Err(Error::world(path.to_string_lossy(), what)
                    .hint("make room and run again: what was answered before is kept"));
            }
        }
        self.on_their_way = wanted;
        Ok(())
    }

    /// These have come.
    pub fn give_back(&mut self, records: &[Record]) {
        let attempts = records.iter().filter(|record| record.attempt.is_some()).count();
        self.on_their_way = self.on_their_way.saturating_sub(attempts as u64);
        let weights = records.iter().map(|record| 2 * record.answer.weight() as u64);
        self.largest = self.largest.max(weights.max().unwrap_or_default());
    }
}
