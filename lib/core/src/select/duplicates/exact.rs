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
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::prelude::*;
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

/// Keeps the first row of each text, as rows stream through. Memory: 25 bytes for each distinct text, and 32 for its
/// row's name if dropped rows are kept.
pub struct FirstOfEach {
    text: TextColumn,
    normal: Normal,
    seen: Hashes,
    /// By distinct text, the name of its first row.
    names: Vec<Id>,
}

/// Distinct hashes, in order of appearance, and a table to find them.
#[derive(Default)]
struct Hashes {
    hashes: Vec<u128>,
    places: HashTable<u32>,
}

impl Hashes {
    /// The place of a hash, and whether it is new.
    fn place(&mut self, hash: u128) -> (usize, bool) {
        let Self { hashes, places } = self;
        // What is a hash needs no other.
        let found = places.entry(
            hash as u64,
            |at| hashes[*at as usize] == hash,
            |at| hashes[*at as usize] as u64,
        );
        match found {
            Entry::Occupied(known) => (*known.get() as usize, false),
            Entry::Vacant(free) => {
                free.insert(hashes.len() as u32);
                hashes.push(hash);
                (hashes.len() - 1, true)
            }
        }
    }
}

impl FirstOfEach {
    /// Compares that column in that form.
    pub fn new(text: TextColumn, normal: Normal) -> Self {
        Self { text, normal, seen: Hashes::default(), names: Vec::new() }
    }
}

impl Judge for FirstOfEach {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        self.text.check(schema)
    }

    fn judge(&mut self, batch: &RecordBatch, ledger: &StageLedger) -> Result<Vec<(usize, Drop)>> {
        let texts = self.text.of(batch)?;
        let ids = BatchIds::new(batch, Some(&texts));
        let hashes = hashes(&texts, batch.num_rows(), self.normal);
        // Whose names nobody asks for, they cost as much as the comparison.
        let named = ledger.keeps_rejects();
        let judge = |(row, hash): (usize, Option<u128>)| {
            let (place, new) = self.seen.place(hash?);
            if new {
                self.names.extend(named.then(|| ids.get(row)));
                return None;
            }
            let duplicate_of = self.names.get(place).cloned().and_then(Id::text);
            Some((row, Drop { reason: REASON.into(), duplicate_of, similarity: Some(1.0) }))
        };
        Ok(hashes.into_iter().enumerate().filter_map(judge).collect())
    }
}

/// Finds all rows of each text, so that the best can be kept.
pub struct AllOfEach {
    normal: Normal,
    texts: Hashes,
    /// By distinct text, its first row.
    firsts: Vec<u32>,
    pairs: Vec<(u32, u32)>,
}

impl AllOfEach {
    /// Compares texts in that form.
    pub fn new(normal: Normal) -> Self {
        Self { normal, texts: Hashes::default(), firsts: Vec::new(), pairs: Vec::new() }
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
                    match self.texts.place(hash) {
                        (_, true) => self.firsts.push(row),
                        (place, false) => self.pairs.push((row, self.firsts[place])),
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
