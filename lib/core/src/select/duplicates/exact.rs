//! Exact duplicates: rows whose texts are the same once Unicode form (NFKC), case and white space are made
//! equal.

use crate::select::Drop;
use crate::select::duplicates::Find;
use crate::select::duplicates::normal::Normal;
use crate::select::ids::{BatchIds, Id};
use crate::select::ledger::StageLedger;
use crate::select::rowwise::Judge;
use crate::select::texts::{TextColumn, Texts};
use crate::{Result, select::duplicates::clusters::Clusters};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use rayon::prelude::*;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_128;

/// Why an exact duplicate is dropped.
const REASON: &str = "the same text as another row";

/// Rows that one thread hashes at a time.
const PART: usize = 512;

/// The hashes of the texts as they are compared; none where there is no text.
pub fn hashes(texts: &Texts<'_>, rows: usize, normal: Normal) -> Vec<Option<u128>> {
    let mut hashes = vec![None; rows];
    hashes.par_chunks_mut(PART).enumerate().for_each(|(part, hashes)| {
        let mut form = Vec::new();
        for (at, hash) in hashes.iter_mut().enumerate() {
            let Some(text) = texts.get(part * PART + at) else { continue };
            *hash = Some(match normal.is_none() {
                true => xxh3_128(text.as_bytes()),
                false => {
                    normal.write(&text, &mut form);
                    xxh3_128(&form)
                }
            });
        }
    });
    hashes
}

/// The hash of what is a hash already.
#[derive(Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

/// Keeps the first row of each text, as rows stream through. Memory: 32 bytes for each distinct text.
pub struct FirstOfEach {
    text: TextColumn,
    normal: Normal,
    /// Hash of the text → the id of the row kept, as a number; 0 for ids of another form.
    seen: HashMap<u128, u128, BuildHasherDefault<AsItIs>>,
    /// Hash of the text → the id, where that is no number.
    names: HashMap<u128, Id>,
}

impl FirstOfEach {
    /// Compares that column in that form.
    pub fn new(text: TextColumn, normal: Normal) -> Self {
        Self { text, normal, seen: HashMap::default(), names: HashMap::new() }
    }

    /// The id of the row kept, if this one is not the first of its text.
    fn earlier(&mut self, hash: u128, id: impl FnOnce() -> Id) -> Option<Id> {
        match self.seen.entry(hash) {
            Entry::Vacant(free) => {
                let number = match id() {
                    Id::Hex(number) => number,
                    other => {
                        self.names.insert(hash, other);
                        0
                    }
                };
                free.insert(number);
                None
            }
            Entry::Occupied(first) => Some(match *first.get() {
                0 => self.names.get(&hash).cloned().unwrap_or(Id::Hex(0)),
                number => Id::Hex(number),
            }),
        }
    }
}

impl Judge for FirstOfEach {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        self.text.check(schema)
    }

    fn judge(&mut self, batch: &RecordBatch, ledger: &StageLedger) -> Result<Vec<Option<Drop>>> {
        let texts = self.text.of(batch)?;
        let ids = BatchIds::new(batch, Some(&texts));
        let hashes = hashes(&texts, batch.num_rows(), self.normal);
        // Whose names nobody asks for, they cost as much as the comparison.
        let named = ledger.keeps_rejects();
        let judge = |(row, hash): (usize, Option<u128>)| {
            let id = || if named { ids.get(row) } else { Id::Hex(0) };
            let earlier = self.earlier(hash?, id)?;
            let duplicate_of = earlier.text();
            Some(Drop { reason: REASON.into(), duplicate_of, similarity: Some(1.0) })
        };
        Ok(hashes.into_iter().enumerate().map(judge).collect())
    }
}

/// Finds all rows of each text, so that the best can be kept.
pub struct AllOfEach {
    normal: Normal,
    /// Hash of the text → the first row.
    firsts: HashMap<u128, u32, BuildHasherDefault<AsItIs>>,
    pairs: Vec<(u32, u32)>,
}

impl AllOfEach {
    /// Compares texts in that form.
    pub fn new(normal: Normal) -> Self {
        Self { normal, firsts: HashMap::default(), pairs: Vec::new() }
    }
}

impl Find for AllOfEach {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn reason(&self) -> String {
        REASON.into()
    }

    fn read(&mut self, _: usize, row: usize, batch: &[(Texts<'_>, &RecordBatch)]) -> Result<()> {
        let mut row = row as u32;
        for (texts, batch) in batch {
            for hash in hashes(texts, batch.num_rows(), self.normal) {
                if let Some(hash) = hash {
                    let first = *self.firsts.entry(hash).or_insert(row);
                    if first != row {
                        self.pairs.push((row, first));
                    }
                }
                row += 1;
            }
        }
        Ok(())
    }

    fn clusters(&mut self, rows: usize, _: &StageLedger) -> Result<Clusters> {
        let mut clusters = Clusters::new(rows);
        self.pairs.drain(..).for_each(|(row, first)| clusters.join(row, first));
        Ok(clusters)
    }

    fn similarities(&mut self, pairs: &[(u32, u32)]) -> Result<Vec<f64>> {
        Ok(vec![1.0; pairs.len()])
    }
}
