//! Which items of each stratum are in a set: the first ones in an order that is drawn from the
//! seed, the purpose and the item's key, and so does not depend on the order of the rows. Items of
//! one key in two strata (one prompt in two languages) have the same place in both orders.

use crate::random::Draws;
use crate::select::sized::quota::Quotas;

/// An item that may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The number of its stratum.
    pub stratum: usize,
    /// A hash of what it is. Items of one key in one stratum are taken in the order given.
    pub key: u64,
}

/// How sets of several sizes lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// A smaller set is part of a larger one, if its quotas are no larger.
    Nested,
    /// Each size is drawn anew, so that two sets share what chance gives them: S-Eval's published
    /// scales.
    Independent,
}

/// For each set, whether each item is in it. A stratum gives its quota, or all if it has fewer.
pub fn draw(items: &[Candidate], sets: &[Quotas], sizes: Sizes, seed: u64) -> Vec<Vec<bool>> {
    let anew =
        |set: &Quotas| take(items, &order(items, seed, &format!("size {}", set.size)), &set.given);
    match sizes {
        Sizes::Independent => sets.iter().map(anew).collect(),
        Sizes::Nested => {
            let order = order(items, seed, "size");
            sets.iter().map(|set| take(items, &order, &set.given)).collect()
        }
    }
}

/// The numbers of the items by stratum, and within one in the order drawn for `purpose`.
pub fn order(items: &[Candidate], seed: u64, purpose: &str) -> Vec<usize> {
    let place = |(at, item): (usize, &Candidate)| {
        let drawn = Draws::of_key(seed, purpose, item.key).below(u64::MAX);
        (item.stratum, drawn, item.key, at)
    };
    let mut places: Vec<_> = items.iter().enumerate().map(place).collect();
    places.sort_unstable();
    places.into_iter().map(|(.., at)| at).collect()
}

/// Whether each item is among the first `given` of its stratum in `order`.
pub fn take(items: &[Candidate], order: &[usize], given: &[usize]) -> Vec<bool> {
    let mut left = given.to_vec();
    let mut taken = vec![false; items.len()];
    for &at in order {
        if let Some(left) = left.get_mut(items[at].stratum).filter(|left| **left > 0) {
            *left -= 1;
            taken[at] = true;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::sized::quota::{Plan, Rounding, Shares};

    const SIZES: [usize; 4] = [1000, 3000, 5000, 10000];

    /// 10,000 items in 8 strata of S-Eval's sizes, and the quotas of its scales.
    fn population() -> (Vec<Candidate>, Vec<Quotas>) {
        let rooms = [2348, 1002, 1342, 1002, 1000, 1097, 1193, 1016];
        let strata = rooms.iter().enumerate().flat_map(|(at, &room)| vec![at; room]);
        let items = strata.enumerate().map(|(at, stratum)| Candidate { stratum, key: at as u64 });
        let plan = Plan { shares: Shares::Population, rounding: Rounding::LargestRemainder };
        (items.collect(), plan.nested(&SIZES, &rooms).unwrap())
    }

    fn both(one: &[bool], other: &[bool]) -> usize {
        one.iter().zip(other).filter(|(one, other)| **one && **other).count()
    }

    #[test]
    fn quotas_are_kept_whatever_the_order_of_rows() {
        let (items, quotas) = population();
        let mut turned = items.clone();
        turned.reverse();
        for sizes in [Sizes::Nested, Sizes::Independent] {
            let sets = draw(&items, &quotas, sizes, 7);
            for (set, quotas) in sets.iter().zip(&quotas) {
                let mut given = vec![0; quotas.given.len()];
                let chosen = items.iter().zip(set).filter(|(_, chosen)| **chosen);
                chosen.for_each(|(item, _)| given[item.stratum] += 1);
                assert_eq!(given, quotas.given);
            }
            let mut back = draw(&turned, &quotas, sizes, 7);
            back.iter_mut().for_each(|set| set.reverse());
            assert_eq!(sets, back);
            assert_ne!(sets[0], draw(&items, &quotas, sizes, 8)[0]);
        }
    }

    #[test]
    fn nested_sets_lie_in_each_other_and_independent_ones_meet_by_chance() {
        let (items, quotas) = population();
        let nested = draw(&items, &quotas, Sizes::Nested, 7);
        let independent = draw(&items, &quotas, Sizes::Independent, 7);
        for (small, large) in [(0, 1), (0, 2), (1, 2), (1, 3)] {
            assert_eq!(both(&nested[small], &nested[large]), SIZES[small]);
            // Hypergeometric, without the strata, which make the spread smaller if anything.
            let (all, one, other) = (10_000.0, SIZES[small] as f64, SIZES[large] as f64);
            let mean = one * other / all;
            let spread = (mean * (1.0 - one / all) * (1.0 - other / all)).sqrt();
            let shared = both(&independent[small], &independent[large]) as f64;
            assert!((shared - mean).abs() <= 5.0 * spread, "{shared} of {mean} ± {spread}");
        }
    }

    #[test]
    fn every_item_has_the_same_chance() {
        let items: Vec<Candidate> = (0..20).map(|key| Candidate { stratum: 0, key }).collect();
        let quotas = [Quotas::of(&[5], &[20])];
        let mut counts = [0u32; 20];
        for seed in 0..4000 {
            let set = &draw(&items, &quotas, Sizes::Nested, seed)[0];
            set.iter().zip(&mut counts).for_each(|(&chosen, count)| *count += u32::from(chosen));
        }
        // 1,000 expected, standard deviation 27.
        assert!(counts.iter().all(|count| (863..1137).contains(count)), "{counts:?}");
    }

    #[test]
    fn pairs_stay_pairs_and_a_short_stratum_gives_all() {
        let pair = |at: u64| Candidate { stratum: (at % 2) as usize, key: at / 2 };
        let items: Vec<Candidate> = (0..200).map(pair).collect();
        let set = &draw(&items, &[Quotas::of(&[30, 30], &[100, 100])], Sizes::Nested, 1)[0];
        assert!(set.chunks(2).all(|pair| pair[0] == pair[1]));
        let all = take(&items, &order(&items, 1, "size"), &[500]);
        assert_eq!(all.iter().filter(|chosen| **chosen).count(), 100);
    }
}
