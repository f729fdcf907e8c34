//! The join: all pairs of sets whose Jaccard index is at least the threshold, exactly.
//!
//! A prefix filter (AllPairs, Bayardo et al. 2007; PPJoin, Xiao et al. 2008). Shingles are ordered by rarity.
//! Two near sets share so many shingles that the first one they share stands early in both: at the latest at
//! position size - least + 1. So only sets that have a shingle in common among these are compared. Here a
//! pair is compared under the first shingle that it shares and under no other, and pairs of one group
//! (rows that are in one cluster already) are not compared at all: texts of one template, which share
//! hundreds of shingles with thousands of others, cost as much as a few pairs.

use super::store::{Block, Store};
use super::threshold::{Threshold, shared};
use crate::Result;
use std::cmp::Reverse;

/// What is done with pairs.
pub trait Pairs {
    /// Two rows of one group are not compared.
    fn group(&mut self, row: u32) -> u32;

    /// Two rows are near; with how many of their shingles in both, and in either. Whether the first one
    /// still has to be compared with others of the second one's group.
    fn near(&mut self, row: u32, other: u32, shared: u32, all: u32) -> bool;
}

/// One of a set's first shingles.
#[derive(Clone, Copy)]
struct Posting {
    key: u64,
    size: u32,
    /// Set in its block.
    set: u32,
    /// Block 0 or 1 of the two that are compared.
    block: bool,
    /// It stands early enough for a pair of which this is the smaller set.
    early: bool,
}

/// Finds all near pairs of the store's sets, whose shingles are ordered by rarity. Which pairs of one group
/// come up, and in which order, is not said.
pub fn join(store: &mut Store, threshold: Threshold, pairs: &mut impl Pairs) -> Result<()> {
    let last = store.blocks() - 1;
    for first in 0..last {
        let block = store.block(first)?.into_owned();
        compare(&block, None, threshold, pairs);
        for second in first + 1..=last {
            let other = store.block(second)?;
            compare(&block, Some(&other), threshold, pairs);
        }
    }
    let block = store.block(last)?;
    compare(&block, None, threshold, pairs);
    Ok(())
}

/// Compares the sets of a block with each other, or those of two blocks with those of the other.
fn compare(one: &Block, two: Option<&Block>, threshold: Threshold, pairs: &mut impl Pairs) {
    let mut postings = Vec::new();
    collect(one, false, threshold, &mut postings);
    if let Some(two) = two {
        collect(two, true, threshold, &mut postings);
    }
    // Smaller sets first, so that in every pair the earlier one is the smaller.
    postings.sort_unstable_by_key(|p| (p.key, p.size, Reverse(p.early), p.block, p.set));
    let mut lists = Lists { blocks: [one, two.unwrap_or(one)], threshold, groups: Vec::new() };
    let across = two.is_some();
    for list in postings.chunk_by(|a, b| a.key == b.key).filter(|list| list.len() > 1) {
        lists.compare(list, across, pairs);
    }
}

fn collect(block: &Block, second: bool, threshold: Threshold, postings: &mut Vec<Posting>) {
    for set in 0..block.sets() {
        let (keys, size) = (block.keys(set), block.sizes[set]);
        // The rarest shingles, which no other text has, have been left out: they would stand in front.
        let left_out = size - keys.len() as u32;
        let prefix = size - threshold.least_of(size) + 1;
        let early = size - threshold.least_shared(2 * size) + 1;
        for (key, position) in keys.iter().zip(left_out..prefix) {
            postings.push(Posting {
                key: *key,
                size,
                set: set as u32,
                block: second,
                early: position < early,
            });
        }
    }
}

struct Lists<'a> {
    blocks: [&'a Block; 2],
    threshold: Threshold,
    /// The early postings of the list so far, by group.
    groups: Vec<(u32, Vec<Posting>)>,
}

impl Lists<'_> {
    /// Compares the sets that share one shingle among their first.
    fn compare(&mut self, list: &[Posting], across: bool, pairs: &mut impl Pairs) {
        let mut groups = std::mem::take(&mut self.groups);
        let mut used = 0;
        for posting in list {
            let row = self.row(posting);
            let mut own = None;
            let smallest = self.threshold.least_of(posting.size);
            for (at, (first, members)) in groups[..used].iter().enumerate() {
                if pairs.group(row) == pairs.group(*first) {
                    own = own.or(Some(at));
                    continue;
                }
                // The other may be a part of this one, but not a smaller one than it needs.
                let tried = members.iter().rev().take_while(|other| other.size >= smallest);
                for other in tried.filter(|other| !across || other.block != posting.block) {
                    if let Some((shared, all)) = self.near(posting, other)
                        && !pairs.near(row, self.row(other), shared, all)
                    {
                        own = own.or(Some(at));
                        break;
                    }
                }
            }
            if !posting.early {
                continue;
            }
            match own {
                Some(at) => groups[at].1.push(*posting),
                None => {
                    if used == groups.len() {
                        groups.push((row, Vec::new()));
                    }
                    groups[used].0 = row;
                    groups[used].1.clear();
                    groups[used].1.push(*posting);
                    used += 1;
                }
            }
        }
        self.groups = groups;
    }

    fn row(&self, posting: &Posting) -> u32 {
        self.blocks[usize::from(posting.block)].rows[posting.set as usize]
    }

    /// How many shingles two sets have in both and in either, if they are near and the list's shingle is the
    /// first that they share.
    fn near(&self, a: &Posting, b: &Posting) -> Option<(u32, u32)> {
        let keys = |p: &Posting| self.blocks[usize::from(p.block)].keys(p.set as usize);
        let sizes = a.size + b.size;
        let least = self.threshold.least_shared(sizes);
        let shared = shared(keys(a), keys(b), least, Some(a.key))?;
        Some((shared, sizes - shared))
    }
}
