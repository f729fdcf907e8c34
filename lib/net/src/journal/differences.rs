//! In what questions differ from those of an older run on the same journal.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use seval_core::Result;

use super::file::trouble;
use super::store::Store;
use crate::fingerprint::Asked;

/// A field in which a question differs from one that the journal has an answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `model`, `address` or `decoding`.
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
    /// conversations whose answers are in the rows `others`: each difference once.
    ///
    /// Only the same sample is compared: every run has the first one, and each has its own seed.
    pub fn differences(
        &self,
        missing: &[Arc<Asked>],
        others: &HashSet<i64>,
    ) -> Result<Vec<Difference>> {
        let by_messages: HashMap<([u8; 16], i64), &Asked> =
            missing.iter().map(|asked| ((asked.messages, asked.sample), &**asked)).collect();
        let read = || -> rusqlite::Result<Vec<Difference>> {
            let all = "SELECT messages, sample, model, address, decoding, id FROM answer";
            let mut statement = self.connection().prepare(all)?;
            let mut rows = statement.query(())?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let question = (row.get(0)?, row.get(1)?);
                let Some(now) = by_messages.get(&question) else { continue };
                if !others.contains(&row.get(5)?) {
                    continue;
                }
                let fields = [
                    ("model", row.get::<_, String>(2)?, now.model.to_string()),
                    ("address", row.get(3)?, now.address.to_string()),
                    ("decoding", row.get(4)?, now.decoding.to_string()),
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
