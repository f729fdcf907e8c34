//! Sets of 64-bit keys (the hashes of a text's shingles, say), all in one piece of memory.

use std::cmp::Ordering;

/// Sets in compressed rows: set i is `keys[starts[i]..starts[i + 1]]`, its distinct keys ascending.
#[derive(Clone, Debug)]
pub struct Sets {
    starts: Vec<usize>,
    keys: Vec<u64>,
}

impl Default for Sets {
    fn default() -> Self {
        Self { starts: vec![0], keys: Vec::new() }
    }
}

impl Sets {
    /// How many sets.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no set at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The distinct keys of set `at`, ascending; no keys if there is no such set.
    pub fn get(&self, at: usize) -> &[u64] {
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&start), Some(&end)) => &self.keys[start..end],
            _ => &[],
        }
    }

    /// Adds a set, given by keys in any order; repeated keys count once.
    pub fn push(&mut self, keys: &[u64]) {
        if keys.is_sorted_by(|a, b| a < b) {
            self.keys.extend_from_slice(keys);
        } else {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            keys.dedup();
            self.keys.append(&mut keys);
        }
        self.starts.push(self.keys.len());
    }
}

/// Jaccard similarity of two sets of distinct keys, ascending: what they share over what either
/// has, 0 to 1. Two empty sets are the same: 1.
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut at, mut other, mut shared) = (0, 0, 0);
    while at < a.len() && other < b.len() {
        match a[at].cmp(&b[other]) {
            Ordering::Less => at += 1,
            Ordering::Greater => other += 1,
            Ordering::Equal => {
                shared += 1;
                at += 1;
                other += 1;
            }
        }
    }
    match a.len() + b.len() - shared {
        0 => 1.0,
        either => shared as f64 / either as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Draws;
    use std::collections::BTreeSet;

    #[test]
    fn a_set_is_its_distinct_keys_ascending() {
        let mut sets = Sets::default();
        assert!(sets.is_empty());
        for keys in [&[3, 1, 3, 2][..], &[], &[5, 9], &[7, 7]] {
            sets.push(keys);
        }
        let all: Vec<&[u64]> = (0..=sets.len()).map(|at| sets.get(at)).collect();
        assert_eq!(all, [&[1, 2, 3][..], &[], &[5, 9], &[7], &[]]);
    }

    #[test]
    fn jaccard_is_shared_over_either() {
        let mut draws = Draws::new(0, "jaccard", "");
        for _ in 0..500 {
            let mut set =
                || -> BTreeSet<u64> { (0..draws.below(9)).map(|_| draws.below(9)).collect() };
            let (a, b) = (set(), set());
            let either = a.union(&b).count();
            let expected =
                if either == 0 { 1.0 } else { a.intersection(&b).count() as f64 / either as f64 };
            let list = |set: &BTreeSet<u64>| set.iter().copied().collect::<Vec<_>>();
            assert_eq!(jaccard(&list(&a), &list(&b)), expected);
        }
    }
}
