//! Agreement of several annotators, or critics.
//!
//! Ratings come by unit (a row that was judged), then by annotator, the same number of annotators
//! in each; none where one did not judge the unit. Classes are numbers; which number stands for
//! which class matters only for [`Level::Ordinal`] and [`Level::Interval`].

use std::collections::BTreeMap;

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
