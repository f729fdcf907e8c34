//! Jaccard similarity of sets, by an inverted index: only the items that share a key with the one in hand
//! are looked at.

use super::{ONE, Similarity};
use crate::select::sets::Sets;
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// An index of sets. Sets with no key are all the same, and share nothing with the others.
///
/// Keys that are in the same items (those of a template that they were all made from, mostly) count as
/// one key with a weight, and keys of one item are left out. Looking at an item then costs the sum, over
/// its weighted keys, of the items that have them. Where few items share anything that is next to
/// nothing; where each of n items shares a key with all others it is n and more.
/// Memory: at most 8 bytes for each key of each set, 16 more while it is built.
pub struct Jaccard {
    /// Keys of each item's set; 1 for an empty set, whose key is that it is empty.
    sizes: Vec<u32>,
    /// Item → its weighted keys.
    keys: Rows,
    /// Weighted key → its items, ascending.
    items: Rows,
    weights: Vec<u32>,
}

/// Lists of numbers in compressed rows.
struct Rows {
    starts: Vec<usize>,
    entries: Vec<u32>,
}

impl Rows {
    fn get(&self, at: usize) -> &[u32] {
        &self.entries[self.starts[at]..self.starts[at + 1]]
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Row r of the result lists the rows here that have r; there are `rows` of them.
    fn transposed(&self, rows: usize) -> Self {
        let mut starts = vec![0; rows + 1];
        for &entry in &self.entries {
            starts[entry as usize + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut entries = vec![0; self.entries.len()];
        for row in 0..self.len() {
            for &entry in self.get(row) {
                entries[next[entry as usize]] = row as u32;
                next[entry as usize] += 1;
            }
        }
        Self { starts, entries }
    }
}

impl Jaccard {
    /// The index of `sets`, of which there are fewer than 2^32.
    pub fn new(sets: &Sets) -> Self {
        let all = (0..sets.len())
            .flat_map(|item| sets.get(item).iter().map(move |&key| (key, item as u32)));
        let mut pairs: Vec<(u64, u32)> = all.collect();
        pairs.par_sort_unstable();
        let empty: Vec<u32> =
            (0..sets.len()).filter(|&at| sets.get(at).is_empty()).map(|at| at as u32).collect();
        let mut index = Merged::default();
        let mut list = Vec::new();
        for run in pairs.chunk_by(|a, b| a.0 == b.0) {
            list.clear();
            list.extend(run.iter().map(|&(_, item)| item));
            index.add(&list);
        }
        drop(pairs);
        index.add(&empty);
        let items = index.items;
        Self {
            sizes: (0..sets.len()).map(|at| sets.get(at).len().max(1) as u32).collect(),
            keys: items.transposed(sets.len()),
            items,
            weights: index.weights,
        }
    }

    /// Visits the items in `range` that share a key with `item`, and itself, with their similarity.
    fn neighbours(
        &self,
        item: usize,
        range: &Range<usize>,
        counts: &mut Counts,
        mut visit: impl FnMut(usize, i32),
    ) {
        let whole = *range == (0..self.sizes.len());
        for &key in self.keys.get(item) {
            let mut list = self.items.get(key as usize);
            if !whole {
                list = &list[list.partition_point(|&other| (other as usize) < range.start)..];
                list = &list[..list.partition_point(|&other| (other as usize) < range.end)];
            }
            let weight = self.weights[key as usize];
            for &other in list {
                let count = &mut counts.shared[other as usize - range.start];
                if *count == 0 {
                    counts.touched.push(other);
                }
                *count += weight;
            }
        }
        for other in counts.touched.drain(..) {
            let shared = std::mem::take(&mut counts.shared[other as usize - range.start]);
            if other as usize != item {
                let shared = u64::from(shared);
                let both = u64::from(self.sizes[item]) + u64::from(self.sizes[other as usize]);
                let similarity = shared * ONE as u64 / (both - shared);
                visit(other as usize, similarity as i32);
            }
        }
        if range.contains(&item) {
            visit(item, ONE);
        }
    }
}

/// An index in the making, in which keys with the same items are one.
struct Merged {
    items: Rows,
    weights: Vec<u32>,
    /// Hash of a list of items → its weighted key.
    known: HashMap<u128, usize>,
    bytes: Vec<u8>,
}

impl Default for Merged {
    fn default() -> Self {
        let items = Rows { starts: vec![0], entries: Vec::new() };
        Self { items, weights: Vec::new(), known: HashMap::new(), bytes: Vec::new() }
    }
}

impl Merged {
    fn add(&mut self, list: &[u32]) {
        if list.len() < 2 {
            return;
        }
        self.bytes.clear();
        self.bytes.extend(list.iter().flat_map(|item| item.to_le_bytes()));
        let key = *self.known.entry(xxh3_128(&self.bytes)).or_insert(self.weights.len());
        if key == self.weights.len() {
            self.items.entries.extend_from_slice(list);
            self.items.starts.push(self.items.entries.len());
            self.weights.push(0);
        }
        self.weights[key] += 1;
    }
}

/// What items share with the one in hand; all 0 between uses.
struct Counts {
    shared: Vec<u32>,
    touched: Vec<u32>,
}

impl Counts {
    fn new(items: usize) -> Self {
        Self { shared: vec![0; items], touched: Vec::new() }
    }
}

/// Items that one thread raises at a time: their counts stay in its cache.
const BLOCK: usize = 1 << 14;

impl Similarity for Jaccard {
    fn items(&self) -> usize {
        self.sizes.len()
    }

    fn least(&self) -> i32 {
        0
    }

    fn raise(&self, nearest: &mut [i32], chosen: &[usize]) {
        nearest.par_chunks_mut(BLOCK).enumerate().for_each(|(block, nearest)| {
            let start = block * BLOCK;
            let range = start..start + nearest.len();
            let mut counts = Counts::new(nearest.len());
            for &item in chosen {
                self.neighbours(item, &range, &mut counts, |other, similarity| {
                    let nearest = &mut nearest[other - start];
                    *nearest = similarity.max(*nearest);
                });
            }
        });
    }

    fn gains(&self, nearest: &[i32], candidates: &[usize]) -> Vec<u64> {
        let range = 0..self.items();
        let gain = |counts: &mut Counts, &candidate: &usize| {
            let mut gain = 0;
            self.neighbours(candidate, &range, counts, |other, similarity| {
                gain += similarity.saturating_sub(nearest[other]).max(0) as u64;
            });
            gain
        };
        candidates.par_iter().map_init(|| Counts::new(self.items()), gain).collect()
    }

    /// Either has at least as many keys as the candidate; so the similarity is at most what they share
    /// over the candidate's keys.
    fn most(&self, candidate: usize) -> u64 {
        let shared = |&key: &u32| {
            let others = self.items.get(key as usize).len() as u64 - 1;
            u64::from(self.weights[key as usize]) * others
        };
        let shared: u64 = self.keys.get(candidate).iter().map(shared).sum();
        let most = u128::from(shared) * ONE as u128 / u128::from(self.sizes[candidate]);
        u64::try_from(most).unwrap_or(u64::MAX).saturating_add(ONE as u64)
    }
}
