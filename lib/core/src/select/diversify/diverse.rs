//! Choosing items that differ most from each other, with quotas: so many of each stratum.
//!
//! Two methods, both greedy, over a [`Similarity`]:
//! * k-center (Gonzalez 1985; for core sets Sener and Savarese 2018): always the item farthest from
//!   all that are chosen, in every stratum. Without quotas no item is farther from its nearest
//!   chosen one than twice what is possible, if the distance is a metric (Jaccard's is). It takes
//!   outliers first.
//! * Facility location (greedy: Nemhauser, Wolsey and Fisher 1978): always the item that adds most
//!   to the sum, over all items, of the similarity to the nearest chosen one; similarities below 0
//!   count as 0. The sum is at least 1 - 1/e of what is possible without quotas, half of it with
//!   them. It takes what stands for many first.
//!
//! An item's distance and its gain only ever go down while others are chosen. So both run on one
//! queue of values of which some are out of date, and only what comes to its top is computed again
//! (Minoux 1978): the result is that of computing all of them at each step.
//!
//! Invariants: similarities are whole numbers of 2^-30, so sums do not depend on their order; ties
//! go by a hash of the seed and the item's key. So neither the order of the items nor the number of
//! threads matters. Where there is one stratum, a smaller choice is the beginning of a larger one.

mod cosine;
mod jaccard;
#[cfg(test)]
mod tests;

pub use cosine::Cosine;
pub use jaccard::Jaccard;

use crate::random::Draws;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Similarity 1.
pub const ONE: i32 = 1 << 30;

/// How similar items are, in units of 1 / [`ONE`], rounded towards 0.
pub trait Similarity: Sync {
    /// How many items there are.
    fn items(&self) -> usize;

    /// No similarity is less.
    fn least(&self) -> i32;

    /// Raises `nearest`, which holds a similarity for each item, to the similarity to any of
    /// `chosen` where that is more.
    fn raise(&self, nearest: &mut [i32], chosen: &[usize]);

    /// For each candidate, the sum over all items of how far it would raise the nearest similarity.
    fn gains(&self, cover: &Cover, candidates: &[usize]) -> Vec<u64>;

    /// At least the gain of `candidate` before anything is chosen, cheap to find.
    fn most(&self, candidate: usize) -> u64;
}

/// How well the chosen items stand for all items.
pub struct Cover {
    /// The similarity of each item to the nearest chosen one, or 0.
    nearest: Vec<i32>,
    /// All that raised it, in order.
    raises: Vec<Raise>,
    /// The gain of each item when it was last computed, and how many raises there had been.
    gains: Vec<Option<(u64, usize)>>,
}

/// The nearest similarity of an item went up.
#[derive(Clone, Copy)]
struct Raise {
    item: usize,
    from: i32,
    to: i32,
}

impl Raise {
    /// What a candidate of this similarity to the item can no longer gain.
    fn loss(&self, similarity: i32) -> u64 {
        (similarity.clamp(self.from, self.to) - self.from) as u64
    }
}

/// How items are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The farthest from all that are chosen.
    KCenter,
    /// The one that stands for most of what no chosen one stands for yet.
    FacilityLocation,
}

/// What is chosen from.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a> {
    /// A hash of each item's content: items with the same key are taken to be interchangeable.
    pub keys: &'a [u64],
    /// The stratum of each item; all 0 if there is only one.
    pub strata: &'a [u32],
    /// How many to choose of each stratum. The caller sees to it that a stratum has so many items;
    /// of one that has fewer, all are chosen.
    pub quotas: &'a [usize],
    /// Another seed breaks ties in another way; k-center's first item is such a tie.
    pub seed: u64,
}

/// An item that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// Which one.
    pub item: usize,
    /// When it was chosen: k-center: its distance (1 - similarity) to the nearest one chosen before
    /// it, none for the first; facility location: how much it added to the sum.
    pub value: Option<f64>,
}

/// Chooses as many items as the quotas add up to; they come in the order chosen.
///
/// Costs beside those of the similarity: 32 bytes and some for each item, and at each step a few
/// operations on a queue.
pub fn choose(method: Method, similarity: &dyn Similarity, items: &Items) -> Vec<Pick> {
    match method {
        Method::KCenter => {
            let nearest = vec![similarity.least(); similarity.items()];
            let mut picks = greedy(&mut KCenter { similarity, nearest }, items);
            if let Some(first) = picks.first_mut() {
                first.value = None;
            }
            picks
        }
        Method::FacilityLocation => {
            let n = similarity.items();
            let cover = Cover { nearest: vec![0; n], raises: Vec::new(), gains: vec![None; n] };
            greedy(&mut FacilityLocation { similarity, cover }, items)
        }
    }
}

/// What an item is worth, given what is chosen: it only ever goes down.
trait Objective {
    /// At least what the item is worth before anything is chosen.
    fn most(&self, item: usize) -> u64;

    /// What each of the items is worth now.
    fn values(&mut self, items: &[usize]) -> Vec<u64>;

    /// The item is chosen.
    fn take(&mut self, item: usize);
}

struct KCenter<'a> {
    similarity: &'a dyn Similarity,
    nearest: Vec<i32>,
}

impl Objective for KCenter<'_> {
    fn most(&self, item: usize) -> u64 {
        (i64::from(ONE) - i64::from(self.nearest[item])) as u64
    }

    fn values(&mut self, items: &[usize]) -> Vec<u64> {
        items.iter().map(|&item| self.most(item)).collect()
    }

    fn take(&mut self, item: usize) {
        self.similarity.raise(&mut self.nearest, &[item]);
    }
}

struct FacilityLocation<'a> {
    similarity: &'a dyn Similarity,
    cover: Cover,
}

impl Objective for FacilityLocation<'_> {
    fn most(&self, item: usize) -> u64 {
        self.similarity.most(item)
    }

    fn values(&mut self, items: &[usize]) -> Vec<u64> {
        let gains = self.similarity.gains(&self.cover, items);
        for (&item, &gain) in items.iter().zip(&gains) {
            self.cover.gains[item] = Some((gain, self.cover.raises.len()));
        }
        gains
    }

    fn take(&mut self, item: usize) {
        let Cover { nearest, raises, gains } = &mut self.cover;
        let before = nearest.clone();
        self.similarity.raise(nearest, &[item]);
        if raises.len() > MOST_RAISES * nearest.len() {
            raises.clear();
            gains.fill(None);
        }
        let both = before.into_iter().zip(nearest).enumerate();
        let raise = both.map(|(item, (from, to))| Raise { item, from, to: *to });
        raises.extend(raise.filter(|raise| raise.from < raise.to));
    }
}

/// How many raises are kept, for each item; tests come to it. Each item is raised about as often as
/// the logarithm of how many are chosen says, so that this is seldom reached.
const MOST_RAISES: usize = if cfg!(test) { 1 } else { 16 };

/// How many values are computed at once: at first, and at most. Twice as many each time, so that at
/// most half of them were not needed, and threads have something to share.
const BATCHES: (usize, usize) = (4, 1024);

fn greedy(objective: &mut dyn Objective, items: &Items) -> Vec<Pick> {
    let mut queue = Queue::new(objective, items);
    let mut left = items.quotas.to_vec();
    let mut picks = Vec::new();
    while left.iter().any(|&left| left > 0) {
        let mut batch = BATCHES.0;
        let (value, item) = loop {
            match queue.next(picks.len(), batch, &left) {
                Next::Best(value, item) => break (value, item),
                Next::Stale(stale) => {
                    let stale_items: Vec<usize> = stale.iter().map(|place| place.item).collect();
                    let values = objective.values(&stale_items);
                    queue.put_back(picks.len(), stale, &values);
                    batch = (2 * batch).min(BATCHES.1);
                }
                Next::None => return picks,
            }
        };
        left[items.strata[item] as usize] -= 1;
        picks.push(Pick { item, value: Some(value as f64 / f64::from(ONE)) });
        objective.take(item);
    }
    picks
}

/// What decides between items of one value, and which item it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    hash: u64,
    stratum: u32,
    item: usize,
}

/// All items that may still be chosen, by the value last computed.
struct Queue {
    heap: BinaryHeap<(u64, Reverse<Place>)>,
    /// How many had been chosen when the item's value was computed; none: it never was.
    computed: Vec<Option<usize>>,
}

enum Next {
    /// The value and the item that is to be chosen.
    Best(u64, usize),
    /// Items whose values are out of date; they are out of the queue until they are put back.
    Stale(Vec<Place>),
    None,
}

impl Queue {
    fn new(objective: &dyn Objective, items: &Items) -> Self {
        let place = |(item, (&key, &stratum)): (usize, (&u64, &u32))| {
            let hash = Draws::new(items.seed, "diverse", &key.to_string()).below(u64::MAX);
            (objective.most(item), Reverse(Place { hash, stratum, item }))
        };
        let heap: BinaryHeap<_> =
            items.keys.iter().zip(items.strata).enumerate().map(place).collect();
        Self { computed: vec![None; heap.len()], heap }
    }

    /// The best item, if its value is that after `chosen` choices; else at most `batch` items that
    /// may be better than the best whose value is.
    fn next(&mut self, chosen: usize, batch: usize, left: &[usize]) -> Next {
        let mut stale = Vec::new();
        while let Some(&(value, Reverse(place))) = self.heap.peek() {
            let full = left.get(place.stratum as usize).is_none_or(|&left| left == 0);
            let current = self.computed[place.item] == Some(chosen);
            if !full && (stale.len() == batch || current && !stale.is_empty()) {
                break;
            }
            self.heap.pop();
            match (full, current) {
                (true, _) => {}
                (false, true) => return Next::Best(value, place.item),
                (false, false) => stale.push(place),
            }
        }
        if stale.is_empty() { Next::None } else { Next::Stale(stale) }
    }

    fn put_back(&mut self, chosen: usize, places: Vec<Place>, values: &[u64]) {
        for (place, &value) in places.into_iter().zip(values) {
            self.computed[place.item] = Some(chosen);
            self.heap.push((value, Reverse(place)));
        }
    }
}
