//! Near duplicates: texts whose sets of shingles have a Jaccard index of at least a threshold. Exact: no pair
//! is overlooked and none is joined wrongly, whatever the order of rows, the threads and the memory.
//!
//! The texts are read twice. The first time their shingles are counted (`sketch.rs`): most are in one text
//! only, and a text that shares too few with any other is near none and is left alone. The sets of the others,
//! few as a rule, are kept (`store.rs`), cleared again of what none of *them* shares, and joined (`join.rs`).

mod join;
mod sketch;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod threshold;

pub use join::Pairs;
pub use store::Block;
pub use threshold::{Threshold, jaccard};

use crate::Result;
use crate::select::duplicates::clusters::Clusters;
use crate::select::duplicates::shingle::Cuts;
use rayon::prelude::*;
use sketch::{Counts, Sketch};
use std::collections::HashMap;
use store::Store;
use xxhash_rust::xxh3::Xxh3;

/// Of a text that is like no other, this many times as many shingles are counted as suffice to see it.
const SPARE: f64 = 1.8;

/// What a run has to do with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Shingles of all texts, about: for the size of the sketch.
    pub shingles: u64,
    /// Bytes of memory, about; beyond it sets are in a temporary file.
    pub memory: usize,
}

/// The first reading: which shingles are in more than one text.
pub struct Counting {
    threshold: Threshold,
    limits: Limits,
    sketch: Sketch,
}

impl Counting {
    /// Nothing counted yet.
    pub fn new(threshold: Threshold, limits: Limits) -> Self {
        // A text without a near one has at least this share of shingles to itself.
        let share = SPARE * (1.0 - threshold.least()) + 0.02;
        let sketch = Sketch::new(limits.shingles, limits.memory / 4, share);
        Self { threshold, limits, sketch }
    }

    /// Counts the shingles of some texts.
    pub fn count(&mut self, texts: &Cuts) {
        self.sketch.count(texts);
    }

    /// The second reading may begin.
    pub fn finish(self) -> Collecting {
        let store = Store::new(self.limits.memory / 2);
        Collecting { counting: self, store, same: HashMap::new(), copies: Vec::new() }
    }
}

/// Rows whose set an earlier row has, each with that one.
pub type Copies = Vec<(u32, u32)>;

/// The second reading: the sets that may be near another.
pub struct Collecting {
    counting: Counting,
    store: Store,
    /// Hash of a whole set → the first row that has it.
    same: HashMap<u128, u32>,
    copies: Copies,
}

impl Collecting {
    /// The sets of those texts that may be near another: of the shingles, ascending and once each, only those
    /// that another text may have. `row` is the first text's row. Pure: to be called from many threads.
    pub fn candidates(&self, row: u32, texts: &Cuts) -> Block {
        let (threshold, mut block) = (self.counting.threshold, Block::default());
        let mut shared = Vec::new();
        for (row, text) in (row..).zip(0..texts.len()) {
            let shingles = texts.get(text);
            if shingles.is_empty() {
                continue;
            }
            // With more than these to itself it is near no other, however many of its shingles are the same.
            let all = shingles.len() as u32;
            let spare = (all - threshold.least_of(all)) as usize;
            if !self.counting.sketch.shared(shingles, spare, &mut shared) {
                continue;
            }
            // One that was counted once is there once.
            let rare = (shingles.len() - shared.len()) as u32;
            let enough = |shared: &[u64]| {
                let size = rare + shared.len() as u32;
                (size > 0 && shared.len() as u32 >= threshold.least_of(size)).then_some(size)
            };
            if enough(&shared).is_none() {
                continue;
            }
            shared.sort_unstable();
            shared.dedup();
            if let Some(size) = enough(&shared) {
                block.push(row, size, &shared);
            }
        }
        block
    }

    /// Takes in sets that [`Collecting::candidates`] gave; rows come in ascending order.
    pub fn add(&mut self, block: &Block) -> Result<()> {
        for set in 0..block.sets() {
            let (row, size, keys) = (block.rows[set], block.sizes[set], block.keys(set));
            if keys.len() == size as usize {
                let first = *self.same.entry(set_hash(keys)).or_insert(row);
                if first != row {
                    self.copies.push((row, first));
                    continue;
                }
            }
            self.store.push(row, size, keys)?;
        }
        Ok(())
    }

    /// All sets are there: leaves of them what others of them have too, in order of rarity.
    fn finish(self) -> Result<(Store, Threshold, Copies)> {
        let Counting { threshold, limits, sketch } = self.counting;
        drop((self.same, sketch));
        let mut store = self.store;
        let mut counts = Counts::new(store.shingles(), limits.memory / 16);
        store.for_each(|block| (0..block.sets()).for_each(|set| counts.add(block.keys(set))))?;
        let store = store.rewrite(|block| {
            block.retain(|size, keys| {
                let kept = keep(keys, |key| counts.of(key) > 1);
                if (kept as u32) < threshold.least_of(size) {
                    return None;
                }
                keys[..kept].iter_mut().for_each(|key| *key = counts.ordered(*key));
                keys[..kept].sort_unstable();
                Some(kept)
            });
        })?;
        Ok((store, threshold, self.copies))
    }

    /// The clusters of near duplicates among so many rows.
    pub fn clusters(self, rows: usize) -> Result<Near> {
        let (mut store, threshold, copies) = self.finish()?;
        let mut clusters = Clusters::new(rows);
        join::join(&mut store, threshold, &mut Joining(&mut clusters))?;
        let mut firsts = HashMap::with_capacity(copies.len());
        for (row, first) in copies {
            clusters.join(row, first);
            firsts.insert(row, first);
        }
        Ok(Near { clusters, store, firsts })
    }

    /// Gives all near pairs to `pairs`; a row whose set an earlier one has too is left out, and returned with
    /// that one.
    pub fn pairs(self, pairs: &mut impl Pairs) -> Result<Copies> {
        let (mut store, threshold, copies) = self.finish()?;
        join::join(&mut store, threshold, pairs)?;
        Ok(copies)
    }
}

/// Moves what is wanted to the front; how many. Without a branch, which would often be mispredicted.
fn keep(keys: &mut [u64], wanted: impl Fn(u64) -> bool) -> usize {
    let mut kept = 0;
    for at in 0..keys.len() {
        let key = keys[at];
        keys[kept] = key;
        kept += usize::from(wanted(key));
    }
    kept
}

fn set_hash(shingles: &[u64]) -> u128 {
    let mut hash = Xxh3::new();
    let mut bytes = [0; 512];
    for part in shingles.chunks(64) {
        for (to, shingle) in bytes.chunks_exact_mut(8).zip(part) {
            to.copy_from_slice(&shingle.to_le_bytes());
        }
        hash.update(&bytes[..8 * part.len()]);
    }
    hash.digest128()
}

/// Joins near rows; rows of one cluster need no comparison.
struct Joining<'a>(&'a mut Clusters);

impl Pairs for Joining<'_> {
    fn group(&mut self, row: u32) -> u32 {
        self.0.root(row)
    }

    fn near(&mut self, row: u32, other: u32, _: u32, _: u32) -> bool {
        self.0.join(row, other);
        false
    }
}

/// Which rows are near duplicates of each other.
pub struct Near {
    /// The clusters: near duplicates, and near duplicates of these.
    pub clusters: Clusters,
    store: Store,
    /// Row → the earlier row that has the same set.
    firsts: HashMap<u32, u32>,
}

impl Near {
    /// The Jaccard indices of pairs of rows of one cluster, in the order given.
    pub fn similarities(&mut self, pairs: &[(u32, u32)]) -> Result<Vec<f64>> {
        let first = |row: u32| self.firsts.get(&row).copied().unwrap_or(row);
        let mut found = vec![1.0; pairs.len()];
        // By the two blocks that their sets are in, so that each two are read once.
        let mut places: Vec<Pair> = Vec::new();
        for (at, &(a, b)) in pairs.iter().enumerate() {
            let (a, b) = (first(a).min(first(b)), first(a).max(first(b)));
            if a != b {
                let blocks = (self.store.block_of(a), self.store.block_of(b));
                places.push(Pair { blocks, rows: (a, b), at });
            }
        }
        places.sort_unstable_by_key(|pair| (pair.blocks, pair.at));
        for pairs in places.chunk_by(|a, b| a.blocks == b.blocks) {
            let (one, two) = pairs[0].blocks;
            let indices: Vec<Option<f64>> = match one == two {
                true => {
                    let block = self.store.block(one)?;
                    pairs
                        .par_iter()
                        .map(|p| similarity(&block, p.rows.0, &block, p.rows.1))
                        .collect()
                }
                false => {
                    let first = self.store.block(one)?.into_owned();
                    let block = self.store.block(two)?;
                    pairs
                        .par_iter()
                        .map(|p| similarity(&first, p.rows.0, &block, p.rows.1))
                        .collect()
                }
            };
            for (pair, index) in pairs.iter().zip(indices) {
                found[pair.at] = index.unwrap_or(1.0);
            }
        }
        Ok(found)
    }
}

/// Two rows whose sets are compared.
struct Pair {
    blocks: (usize, usize),
    rows: (u32, u32),
    /// Its place among the pairs.
    at: usize,
}

/// The Jaccard index of the sets of two rows, if they are in these blocks.
fn similarity(one: &Block, a: u32, two: &Block, b: u32) -> Option<f64> {
    let (a, b) = (one.rows.binary_search(&a).ok()?, two.rows.binary_search(&b).ok()?);
    let shared = threshold::shared(one.keys(a), two.keys(b), 0, None)?;
    Some(jaccard(shared, one.sizes[a] + two.sizes[b] - shared))
}
