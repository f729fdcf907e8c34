//! Agreement of annotators, or critics.
//!
//! Ratings of several come by unit (a row that was judged), then by annotator, the same number of annotators
//! in each; none where one did not judge the unit. Classes are numbers; which number stands for
//! which class matters only for [`Level::Ordinal`] and [`Level::Interval`].

use crate::rate::Z;
use std::collections::BTreeMap;

/// Cohen's kappa: agreement of two beyond what they would reach by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kappa {
    /// 1 is agreement, 0 is chance.
    pub value: f64,
    /// The ends of its 95 % interval.
    pub interval: (f64, f64),
}

/// Cohen's kappa (1960) of a table of counts: a row for each class of the one, a column for each of the
/// other; the interval by the variance of Fleiss, Cohen and Everitt (1969). None where both always give one
/// and the same class, or there are no counts.
pub fn kappa_of_table(counts: &[Vec<u64>]) -> Option<Kappa> {
    let n: u64 = counts.iter().flatten().sum();
    let share = |rows: u64| rows as f64 / n as f64;
    let classes = 0..counts.len();
    let marginals: Vec<(f64, f64)> = classes
        .clone()
        .map(|at| {
            let column = counts.iter().map(|row| row[at]).sum();
            (share(counts[at].iter().sum()), share(column))
        })
        .collect();
    let agreed = share(classes.clone().map(|at| counts[at][at]).sum());
    let chance: f64 = marginals.iter().map(|(row, column)| row * column).sum();
    if n == 0 || chance >= 1.0 {
        return None;
    }
    let kappa = (agreed - chance) / (1.0 - chance);
    let mut spread = -(kappa - chance * (1.0 - kappa)).powi(2);
    for row in classes.clone() {
        for column in classes.clone() {
            spread += share(counts[row][column])
                * match row == column {
                    true => {
                        let both = marginals[row].0 + marginals[row].1;
                        (1.0 - both * (1.0 - kappa)).powi(2)
                    }
                    false => {
                        let crossed = marginals[row].1 + marginals[column].0;
                        (crossed * (1.0 - kappa)).powi(2)
                    }
                };
        }
    }
    // What is less is rounding.
    let spread = if spread < 1e-12 { 0.0 } else { spread };
    let reach = Z * (spread / n as f64).sqrt() / (1.0 - chance);
    Some(Kappa { value: kappa, interval: (kappa - reach, (kappa + reach).min(1.0)) })
}

/// Cohen's kappa of pairs of labels; see [`kappa_of_table`].
pub fn cohen_kappa<'l>(pairs: impl Iterator<Item = (&'l str, &'l str)>) -> Option<Kappa> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    pairs.for_each(|pair| *counts.entry(pair).or_default() += 1);
    let mut classes: Vec<&str> = counts.keys().flat_map(|(a, b)| [*a, *b]).collect();
    classes.sort_unstable();
    classes.dedup();
    let of = |a: &str, b: &str| counts.get(&(a, b)).copied().unwrap_or(0);
    let row = |a: &&str| classes.iter().map(|b| of(a, b)).collect();
    kappa_of_table(&classes.iter().map(row).collect::<Vec<_>>())
}

/// What the distance of two ratings means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// They are the same or not.
    Nominal,
    /// Their order counts, by how many ratings lie between them.
    Ordinal,
    /// Their difference counts.
    Interval,
}

/// Fleiss' kappa (1971), over the units that every annotator judged. None without such units, with
/// one annotator, or where all always give one and the same class.
pub fn fleiss_kappa(units: &[Vec<Option<f64>>]) -> Option<f64> {
    let full = units.iter().filter_map(|unit| unit.iter().copied().collect::<Option<Vec<f64>>>());
    let full: Vec<Vec<f64>> = full.collect();
    let raters = full.first().map(Vec::len).filter(|raters| *raters > 1)? as f64;
    let n = full.len() as f64;
    let agreed: f64 = full
        .iter()
        .map(|unit| (pairs_that_agree(unit) - raters) / (raters * (raters - 1.0)))
        .sum::<f64>()
        / n;
    let all: Vec<f64> = full.concat();
    let chance = pairs_that_agree(&all) / (n * raters).powi(2);
    (chance < 1.0).then(|| (agreed - chance) / (1.0 - chance))
}

/// Krippendorff's alpha (2004) over the units that at least two annotators judged. None without
/// such units, or where all ratings are the same.
pub fn krippendorff_alpha(units: &[Vec<Option<f64>>], level: Level) -> Option<f64> {
    let rated = units.iter().map(|unit| unit.iter().flatten().copied().collect::<Vec<f64>>());
    let mut units: Vec<Vec<f64>> = rated.filter(|unit| unit.len() > 1).collect();
    if level == Level::Ordinal {
        // The ordinal distance of two ratings is the difference of their middle ranks.
        let ranks = middle_ranks(&units.concat());
        let rank = |rating: &mut f64| *rating = ranks.get(&key(*rating)).copied().unwrap_or(0.0);
        units.iter_mut().flatten().for_each(rank);
    }
    let all = units.concat();
    let n = all.len() as f64;
    let distance = |ratings: &[f64]| match level {
        Level::Nominal => (ratings.len() as f64).powi(2) - pairs_that_agree(ratings),
        Level::Ordinal | Level::Interval => {
            let n = ratings.len() as f64;
            let mean = ratings.iter().sum::<f64>() / n;
            2.0 * n * ratings.iter().map(|rating| (rating - mean).powi(2)).sum::<f64>()
        }
    };
    let within =
        units.iter().map(|unit| distance(unit) / (unit.len() as f64 - 1.0)).sum::<f64>() / n;
    let between = distance(&all) / (n * (n - 1.0));
    (between > 0.0).then(|| 1.0 - within / between)
}

/// Ordered pairs of equal ratings, each with itself too.
fn pairs_that_agree(ratings: &[f64]) -> f64 {
    counts(ratings).values().map(|count| (*count as f64).powi(2)).sum()
}

/// Numbers in their order as keys; 0 and −0 are one.
fn key(rating: f64) -> i64 {
    let bits = (rating + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn counts(ratings: &[f64]) -> BTreeMap<i64, u64> {
    let mut counts = BTreeMap::new();
    ratings.iter().for_each(|rating| *counts.entry(key(*rating)).or_default() += 1);
    counts
}

fn middle_ranks(ratings: &[f64]) -> BTreeMap<i64, f64> {
    let mut before = 0.0;
    let counts = counts(ratings).into_iter();
    let rank = |(key, count): (i64, u64)| {
        before += count as f64;
        (key, before - count as f64 / 2.0)
    };
    counts.map(rank).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn kappa_of_pairs_and_of_counts_are_one() {
        // Cohen 1960: .60 agreed, chance .50.
        let table = [vec![20, 5], vec![10, 15]];
        let kappa = kappa_of_table(&table).unwrap();
        assert!((kappa.value - 0.4).abs() < 1e-12);
        let mut pairs = Vec::new();
        for (a, row) in ["yes", "no"].iter().zip(&table) {
            for (b, count) in ["yes", "no"].iter().zip(row) {
                pairs.extend((0..*count).map(|_| (*a, *b)));
            }
        }
        let found = cohen_kappa(pairs.into_iter()).unwrap();
        assert!((found.value - kappa.value).abs() < 1e-12);
        assert!((found.interval.0 - kappa.interval.0).abs() < 1e-12);
        assert_eq!(cohen_kappa([("a", "a"), ("a", "a")].into_iter()), None);
        assert_eq!(cohen_kappa(std::iter::empty()), None);
    }
}
