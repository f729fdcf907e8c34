//! How often intervals hold the truth, over 10,000 draws each: 95 % of the time, within 1.5.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::print_stderr)]

use rayon::prelude::*;
use seval_stats::{bootstrap, correct, paired, rate, resample};

const DRAWS: u64 = 10_000;

struct Chance(u64);

impl Chance {
    fn of(draw: u64) -> Self {
        let mut chance = Self(draw.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        chance.bits();
        chance
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn is(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// How many of `n` are so.
    fn of_many(&mut self, n: u64, share: f64) -> u64 {
        (0..n).filter(|_| self.is(share)).count() as u64
    }
}

/// The share of draws whose interval holds the truth, in percent.
fn covered(of: impl Fn(&mut Chance) -> bool + Sync) -> f64 {
    let hits = (0..DRAWS).into_par_iter().filter(|draw| of(&mut Chance::of(*draw))).count();
    hits as f64 * 100.0 / DRAWS as f64
}

fn as_it_says(share: f64, what: &str) {
    eprintln!("{what}: {share:.2} %");
    assert!((share - 95.0).abs() <= 1.5, "{what}: {share} %");
}

fn holds((low, high): (f64, f64), truth: f64) -> bool {
    low <= truth && truth <= high
}

/// Base prompts with ten attacks each: how hard a prompt is is common to its ten.
fn clustered(chance: &mut Chance, clusters: usize) -> Vec<(f64, f64)> {
    let cluster = |_| {
        let hard = if chance.is(0.3) { 0.9 } else { 0.1 };
        (chance.of_many(10, hard) as f64, 10.0)
    };
    (0..clusters).map(cluster).collect()
}

const CLUSTERED_TRUTH: f64 = 0.3 * 0.9 + 0.7 * 0.1;

#[test]
fn a_rate() {
    let wilson = covered(|chance| {
        let k = chance.of_many(120, 0.23) as f64;
        holds(rate::wilson(k, 120.0).unwrap(), 0.23)
    });
    as_it_says(wilson, "Wilson");
    let exact = covered(|chance| {
        let k = chance.of_many(60, 0.1) as f64;
        holds(rate::clopper_pearson(k, 60.0).unwrap(), 0.1)
    });
    eprintln!("Clopper-Pearson: {exact:.2} %");
    assert!(exact >= 94.5, "it covers at least as often as it says: {exact}");
}

#[test]
fn a_rate_of_clustered_answers() {
    let sums = |values: &[(f64, f64)]| values.iter().copied().unzip::<f64, f64, Vec<_>, Vec<_>>();
    let naive = covered(|chance| {
        let (hits, of) = sums(&clustered(chance, 80));
        holds(rate::wilson(hits.iter().sum(), of.iter().sum()).unwrap(), CLUSTERED_TRUTH)
    });
    eprintln!("Wilson as if ten attacks on a prompt were ten prompts: {naive:.2} %");
    assert!(naive < 75.0, "the naive interval fails: {naive}");
    // As the metrics have it: Wilson's with the sample size that independent answers of this spread have.
    let effective = covered(|chance| {
        let (hits, of) = sums(&clustered(chance, 80));
        let (k, n): (f64, f64) = (hits.iter().sum(), of.iter().sum());
        let p = k / n;
        let spread: f64 = hits.iter().zip(&of).map(|(k, n)| (k - p * n).powi(2)).sum();
        let effective = (k * (n - k) / spread).min(n);
        holds(rate::wilson(p * effective, effective).unwrap(), CLUSTERED_TRUTH)
    });
    as_it_says(effective, "Wilson with the effective sample size");
    let drawn = covered(|chance| {
        let (hits, of) = sums(&clustered(chance, 80));
        let found = bootstrap::mean(&hits, &of, 400, chance.bits()).unwrap();
        holds((found.bca_low, found.bca_high), CLUSTERED_TRUTH)
    });
    as_it_says(drawn, "BCa bootstrap of clusters");
    let together = covered(|chance| {
        let values = clustered(chance, 80);
        let count = |of: fn(&(f64, f64)) -> f64| values.iter().map(|v| of(v) as u32).collect();
        let model = resample::Model { hits: count(|v| v.0), of: count(|v| v.1) };
        let found = resample::estimates(&[model], 512, chance.bits())[0].unwrap();
        holds((found.low, found.high), CLUSTERED_TRUTH)
    });
    as_it_says(together, "bootstrap of many models");
}

#[test]
fn a_difference_of_two_models() {
    // Both fail on the same hard prompts; the second also on a tenth of the others.
    let truth = -0.7 * 0.1;
    let share = covered(|chance| {
        let mut sums = paired::Clusters::default();
        for _ in 0..100 {
            let hard = chance.is(0.3);
            let difference = (0..5).map(|_| {
                let a = hard && chance.is(0.8);
                let b = if hard { chance.is(0.8) } else { chance.is(0.1) };
                i64::from(a) - i64::from(b)
            });
            let difference = difference.sum();
            sums.add(5, difference);
        }
        let found = sums.difference().unwrap();
        holds((found.low, found.high), truth)
    });
    as_it_says(share, "paired difference");
}

#[test]
fn a_rate_without_the_critics_errors() {
    for (n, of, truth) in [(500, 150, 0.2), (200, 80, 0.4), (1000, 300, 0.6)] {
        let share = covered(|chance| {
            let (sensitivity, specificity) = (0.85, 0.92);
            let apparent = truth * sensitivity + (1.0 - truth) * (1.0 - specificity);
            let k = chance.of_many(n, apparent) as f64;
            let found = chance.of_many(of, sensitivity) as f64;
            let cleared = chance.of_many(of, specificity) as f64;
            let of = of as f64;
            let corrected =
                correct::rogan_gladen((k, n as f64), (found, of), (cleared, of)).unwrap();
            holds((corrected.low, corrected.high), truth)
        });
        as_it_says(share, "Rogan-Gladen");
    }
}
