//! Choosing prompts by what models did with them.
//!
//! Invariant: a prompt is dropped as too easy, too hard or too dull only if verdicts say so;
//! without them it is [`Choice::Unknown`], and the caller says that.

use crate::select::sized::draw::{Candidate, order, take};
use crate::select::sized::quota::{Quotas, Short};
use crate::select::victims::items::Item;

/// What becomes of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It is chosen.
    Keep,
    /// It is not.
    Drop,
    /// Verdicts that would decide it are missing.
    Unknown,
}

/// What becomes of each prompt, and what could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// By prompt.
    pub choices: Vec<Choice>,
    /// Who has fewer prompts than wanted.
    pub short: Vec<Short>,
}

/// The prompts that at least `k` of all `models` fail. It is unknown if there is no verdict, or if
/// the models that are not scored would decide it.
pub fn failed_by(items: &[Item], k: usize, models: usize) -> Vec<Choice> {
    let choice = |item: &Item| {
        let unknown = models.saturating_sub(item.scored);
        match item {
            item if item.scored == 0 => Choice::Unknown,
            item if item.failed >= k => Choice::Keep,
            item if item.failed + unknown >= k => Choice::Unknown,
            _ => Choice::Drop,
        }
    };
    items.iter().map(choice).collect()
}

/// The `n` prompts that tell models apart best, ties by `keys`; unknown are those without a
/// discrimination. If there are fewer, stratum 0 is short.
pub fn top_by_discrimination(items: &[Item], keys: &[u64], n: usize) -> Chosen {
    // Rounded, so that a tie is one whatever the order in which shares were added up.
    let rounded = |item: &Item| item.discrimination.map(|r| (r * 1e9).round() as i64);
    let known = items.iter().zip(keys).enumerate();
    let mut best: Vec<(i64, u64, usize)> =
        known.filter_map(|(at, (item, &key))| Some((-rounded(item)?, key, at))).collect();
    best.sort_unstable();
    let mut choices = vec![Choice::Unknown; items.len()];
    for (rank, &(.., at)) in best.iter().enumerate() {
        choices[at] = if rank < n { Choice::Keep } else { Choice::Drop };
    }
    Chosen { choices, short: Quotas::of(&[n], &[best.len()]).short }
}

/// How many prompts of high risk and of low risk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Prompts at or above the threshold: stratum 0.
    pub high: usize,
    /// Prompts below it: stratum 1.
    pub low: usize,
    /// The least difficulty of high risk; 0.5 unless the user says otherwise.
    pub threshold: f64,
}

/// Prompts of high and of low risk, drawn by `seed` and `keys`; unknown are those without a
/// verdict.
pub fn mix(items: &[Item], keys: &[u64], mix: Mix, seed: u64) -> Chosen {
    const UNKNOWN: usize = 2;
    let stratum = |item: &Item| match item.difficulty {
        Some(difficulty) if difficulty >= mix.threshold => 0,
        Some(_) => 1,
        None => UNKNOWN,
    };
    let candidate = |(item, &key): (&Item, &u64)| Candidate { stratum: stratum(item), key };
    let candidates: Vec<Candidate> = items.iter().zip(keys).map(candidate).collect();
    let room = |stratum| candidates.iter().filter(|c| c.stratum == stratum).count();
    let quotas = Quotas::of(&[mix.high, mix.low], &[room(0), room(1)]);
    let taken = take(&candidates, &order(&candidates, seed, "mix"), &quotas.given);
    let choice = |(candidate, taken): (&Candidate, bool)| match (candidate.stratum, taken) {
        (UNKNOWN, _) => Choice::Unknown,
        (_, true) => Choice::Keep,
        (_, false) => Choice::Drop,
    };
    let choices = candidates.iter().zip(taken).map(choice).collect();
    Chosen { choices, short: quotas.short }
}

#[cfg(test)]
mod tests {
    use super::Choice::{Drop, Keep, Unknown};
    use super::*;

    #[test]
    fn failing_needs_verdicts_that_say_so() {
        let item = |scored, failed| Item { models: 3, scored, failed, ..Item::default() };
        let items = [item(3, 2), item(3, 1), item(2, 1), item(1, 0), item(0, 0), item(2, 2)];
        assert_eq!(failed_by(&items, 2, 3), [Keep, Drop, Unknown, Unknown, Unknown, Keep]);
        // No model is left that could fail a fourth time, but no verdict is no verdict.
        assert_eq!(failed_by(&items, 4, 3), [Drop, Drop, Drop, Drop, Unknown, Drop]);
        assert_eq!(failed_by(&[Item::default()], 1, 0), [Unknown]);
    }

    #[test]
    fn the_best_are_kept_with_ties_by_key() {
        let item = |discrimination| Item { discrimination, ..Item::default() };
        let items = [Some(0.1), Some(0.3), None, Some(0.1 + 0.2), Some(-1.0)].map(item);
        let top = |n| top_by_discrimination(&items, &[5, 4, 3, 2, 1], n);
        assert_eq!(top(1).choices, [Drop, Drop, Unknown, Keep, Drop]);
        assert_eq!(top(3).choices, [Keep, Keep, Unknown, Keep, Drop]);
        assert!(top(4).short.is_empty());
        assert_eq!(top(6).short, [Short { stratum: 0, wanted: 6, has: 4 }]);
    }

    #[test]
    fn a_mix_is_exact_or_said_to_be_short() {
        let difficulty = |at: usize| [Some(0.5), Some(0.4), None][at % 3];
        let items: Vec<Item> =
            (0..90).map(|at| Item { difficulty: difficulty(at), ..Item::default() }).collect();
        let keys: Vec<u64> = (0..90).map(|at| at * 7919).collect();
        let chosen = |high, low, seed| mix(&items, &keys, Mix { high, low, threshold: 0.5 }, seed);
        let kept = |chosen: &Chosen, of: usize| {
            chosen.choices.iter().skip(of).step_by(3).filter(|choice| **choice == Keep).count()
        };
        let ten = chosen(10, 20, 1);
        assert_eq!((kept(&ten, 0), kept(&ten, 1), kept(&ten, 2)), (10, 20, 0));
        assert_eq!(ten.choices.iter().filter(|choice| **choice == Unknown).count(), 30);
        assert!(ten.short.is_empty());
        assert_ne!(ten, chosen(10, 20, 2));
        let much = chosen(0, 40, 1);
        assert_eq!(much.short, [Short { stratum: 1, wanted: 40, has: 30 }]);
        assert_eq!((kept(&much, 0), kept(&much, 1)), (0, 30));
    }
}
