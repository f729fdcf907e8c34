//! Jaccard similarity of sets, by an inverted index: only the items that share a key with the one
//! in hand are looked at.

use super::{Cover, ONE, Raise, Similarity};
use crate::select::diversify::sets::Sets;
use rayon::prelude::*;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_128;

/// An index of sets. Sets with no key are all the same, and share nothing with the others.
///
/// Keys that are in the same items (those of a template that they were all made from, mostly) count
/// as one key with a weight, and keys of one item are left out. A visit of an item costs the sum,
/// over its weighted keys, of the items that have them: next to nothing where few items share
/// anything, m where m items are made from one template. K-center visits each chosen item once.
/// Facility location visits each item once, and some again at each step: with templates of m items
/// some n · m steps, and a few times as many. Memory: at most 8 bytes for each key of each set, 16
/// more while it is built.
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

    /// Similarity of two items.
    fn pair(&self, a: usize, b: usize) -> i32 {
        if a == b {
            return ONE;
        }
        let mut shared = 0;
        let mut rest = self.keys.get(b);
        for key in self.keys.get(a) {
            while let Some((other, after)) = rest.split_first().filter(|(other, _)| *other <= key) {
                if other == key {
                    shared += self.weights[*key as usize];
                }
                rest = after;
            }
        }
        self.similarity(a, b, shared)
    }

    /// Similarity of two items that share so many keys.
    fn similarity(&self, a: usize, b: usize, shared: u32) -> i32 {
        let shared = f64::from(shared);
        let either = f64::from(self.sizes[a]) + f64::from(self.sizes[b]) - shared;
        (shared / either * f64::from(ONE)) as i32
    }

    /// Whether so many pairs with `item` cost less than a visit of all that share a key with it.
    fn pairs_are_cheaper(&self, item: usize, pairs: usize) -> bool {
        let keys = self.keys.get(item);
        let visit: usize = keys.iter().map(|&key| self.items.get(key as usize).len()).sum();
        pairs * (keys.len() + self.items.entries.len() / self.sizes.len()) < visit
    }

    /// Finds the items, of those from `start` on that `nearest` is of, that are more similar to
    /// `item` than `nearest` says: their places in `nearest`, with their similarity.
    fn closer<'a>(
        &self,
        item: usize,
        start: usize,
        nearest: &[i32],
        found: &'a mut Found,
    ) -> &'a [(usize, i32)] {
        let whole = nearest.len() == self.sizes.len();
        let list = |&key: &u32| {
            let list = self.items.get(key as usize);
            if whole {
                return list;
            }
            let from = list.partition_point(|&other| (other as usize) < start);
            let to = list.partition_point(|&other| (other as usize) < start + nearest.len());
            &list[from..to]
        };
        let Found { shared, touched, closer } = found;
        closer.clear();
        let mut compare = |at: usize, shared: &mut u32| {
            let (other, shared) = (at + start, std::mem::take(shared));
            let similarity = self.similarity(item, other, shared);
            if similarity > nearest[at] && other != item {
                closer.push((at, similarity));
            }
        };
        let keys = self.keys.get(item);
        if keys.iter().map(|key| list(key).len()).sum::<usize>() > nearest.len() / 4 {
            for key in keys {
                let weight = self.weights[*key as usize];
                list(key).iter().for_each(|&other| shared[other as usize - start] += weight);
            }
            for (at, shared) in shared.iter_mut().enumerate().filter(|(_, shared)| **shared > 0) {
                compare(at, shared);
            }
        } else {
            for key in keys {
                for &other in list(key) {
                    let shared = &mut shared[other as usize - start];
                    if *shared == 0 {
                        touched.push(other as usize - start);
                    }
                    *shared += self.weights[*key as usize];
                }
            }
            touched.drain(..).for_each(|at| compare(at, &mut shared[at]));
        }
        if (start..start + nearest.len()).contains(&item) && nearest[item - start] < ONE {
            closer.push((item - start, ONE));
        }
        closer
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

/// Room to find items in.
struct Found {
    /// What items share with the one in hand; all 0 between uses.
    shared: Vec<u32>,
    touched: Vec<usize>,
    closer: Vec<(usize, i32)>,
}

impl Found {
    fn new(items: usize) -> Self {
        Self { shared: vec![0; items], touched: Vec::new(), closer: Vec::new() }
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
            let mut found = Found::new(nearest.len());
            for &item in chosen {
                for &(at, similarity) in self.closer(item, block * BLOCK, nearest, &mut found) {
                    nearest[at] = similarity;
                }
            }
        });
    }

    fn gains(&self, cover: &Cover, candidates: &[usize]) -> Vec<u64> {
        let gain = |found: &mut Found, &candidate: &usize| {
            if let Some((gain, seen)) = cover.gains[candidate] {
                let raises = &cover.raises[seen..];
                if self.pairs_are_cheaper(candidate, raises.len()) {
                    let loss = |raise: &Raise| raise.loss(self.pair(candidate, raise.item));
                    return gain - raises.iter().map(loss).sum::<u64>();
                }
            }
            let closer = self.closer(candidate, 0, &cover.nearest, found).iter();
            closer.map(|&(at, similarity)| (similarity - cover.nearest[at]) as u64).sum()
        };
        candidates.par_iter().map_init(|| Found::new(self.items()), gain).collect()
    }

    /// Either has at least as many keys as the candidate; so the similarity is at most what they
    /// share over the candidate's keys, and a unit for rounding.
    fn most(&self, candidate: usize) -> u64 {
        let shared = |&key: &u32| {
            let others = self.items.get(key as usize).len() as u64 - 1;
            u64::from(self.weights[key as usize]) * others
        };
        let shared: u64 = self.keys.get(candidate).iter().map(shared).sum();
        let most = u128::from(shared) * ONE as u128 / u128::from(self.sizes[candidate]);
        u64::try_from(most).unwrap_or(u64::MAX).saturating_add(shared + ONE as u64)
    }
}
