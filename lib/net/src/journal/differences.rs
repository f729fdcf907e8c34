//! In what questions differ from those of an older run on the same journal.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use seval_core::Result;

use super::file::trouble;
use super::store::Store;
use crate::fingerprint::Asked;

/// A field in which a question differs from one that the journal has an answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `model`, `address`, `decoding` or `sample`.
    pub field: &'static str,
    /// As it was asked then.
    pub then: String,
    /// As it is asked now.
    pub now: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} and is now {}", self.field, self.then, self.now)
    }
}

impl Store {
    /// The fields in which these questions, which have no answer, differ from those about the same
    /// conversations that have one: each difference once.
    pub fn differences(&self, missing: &[Arc<Asked>]) -> Result<Vec<Difference>> {
        let by_messages: HashMap<[u8; 16], &Asked> =
            missing.iter().map(|asked| (asked.messages, &**asked)).collect();
        let read = || -> rusqlite::Result<Vec<Difference>> {
            let all = "SELECT messages, model, address, decoding, sample FROM answer";
            let mut statement = self.connection().prepare(all)?;
            let mut rows = statement.query(())?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let Some(now) = by_messages.get(&row.get::<_, [u8; 16]>(0)?) else { continue };
                let sample: i64 = row.get(4)?;
                let fields = [
                    ("model", row.get::<_, String>(1)?, now.model.to_string()),
                    ("address", row.get(2)?, now.address.to_string()),
                    ("decoding", row.get(3)?, now.decoding.to_string()),
                    ("sample", sample.to_string(), now.sample.to_string()),
                ];
                for (field, then, now) in fields.into_iter().filter(|(_, then, now)| then != now) {
                    let difference = Difference { field, then, now };
                    if found.len() < MOST && !found.contains(&difference) {
                        found.push(difference);
                    }
                }
            }
            Ok(found)
        };
        read().map_err(|error| trouble(&self.place, &error))
    }
}

/// More differences than anybody reads.
const MOST: usize = 8;
