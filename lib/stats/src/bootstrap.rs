//! Intervals of a mean by drawing its clusters again (Efron and Tibshirani 1993, chapters 13 and 14).

use crate::draws::Draws;
use crate::order::of_sorted;
use crate::rate::{TAIL, Z};
use statrs::distribution::{ContinuousCDF, Normal};

/// A mean with its intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean.
    pub estimate: f64,
    /// The ends of the 95 % percentile interval.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// The ends of the bias-corrected and accelerated interval.
    pub bca_low: f64,
    /// See `bca_low`.
    pub bca_high: f64,
}

/// The mean of values that come in clusters, given each cluster's sum and number of values. Every draw takes
/// as many clusters as there are, with repetition. None of fewer than two clusters.
pub fn mean(sums: &[f64], counts: &[f64], replicates: usize, seed: u64) -> Option<Interval> {
    let clusters = sums.len();
    if clusters < 2 || clusters != counts.len() || replicates == 0 {
        return None;
    }
    let (sum, count) = (sums.iter().sum::<f64>(), counts.iter().sum::<f64>());
    let estimate = (count > 0.0).then(|| sum / count)?;
    let mut draws = Draws::new(seed, 0);
    let mut means = Vec::with_capacity(replicates);
    while means.len() < replicates {
        let (mut sum, mut count) = (0.0, 0.0);
        for _ in 0..clusters {
            let drawn = draws.below(clusters as u64) as usize;
            sum += sums[drawn];
            count += counts[drawn];
        }
        // Clusters without a value may all be drawn: that is no mean.
        means.push(if count > 0.0 { sum / count } else { estimate });
    }
    means.sort_unstable_by(f64::total_cmp);
    let without = |(s, n): (&f64, &f64)| {
        let left = count - n;
        if left > 0.0 { (sum - s) / left } else { estimate }
    };
    let left_out: Vec<f64> = sums.iter().zip(counts).map(without).collect();
    let (bca_low, bca_high) = accelerated(&means, estimate, acceleration(&left_out));
    let low = of_sorted(&means, TAIL)?;
    let high = of_sorted(&means, 1.0 - TAIL)?;
    Some(Interval { estimate, low, high, bca_low, bca_high })
}

/// The acceleration, from the estimates that leave out one cluster each.
pub(crate) fn acceleration(left_out: &[f64]) -> f64 {
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in left_out {
        let off = mean - value;
        squares += off * off;
        cubes += off * off * off;
    }
    if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

/// The ends of the bias-corrected and accelerated interval of replicates in order.
pub(crate) fn accelerated(sorted: &[f64], estimate: f64, acceleration: f64) -> (f64, f64) {
    let normal = Normal::standard();
    let below = sorted.partition_point(|value| *value < estimate);
    let upto = sorted.partition_point(|value| *value <= estimate);
    // Replicates that equal the estimate lie half below it.
    let share = (below + upto) as f64 / 2.0 / sorted.len() as f64;
    let least = 0.5 / sorted.len() as f64;
    let bias = normal.inverse_cdf(share.clamp(least, 1.0 - least));
    let end = |z: f64| {
        let moved = bias + (bias + z) / (1.0 - acceleration * (bias + z));
        of_sorted(sorted, normal.cdf(moved)).unwrap_or(estimate)
    };
    (end(-Z), end(Z))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn of_many_alike_values_it_is_the_normal_interval() {
        let sums: Vec<f64> = (0..400).map(|at| f64::from(u8::from(at % 4 == 0))).collect();
        let found = mean(&sums, &[1.0; 400], 4000, 7).unwrap();
        let reach = Z * (0.25 * 0.75 / 400.0_f64).sqrt();
        assert_eq!(found.estimate, 0.25);
        for (end, expected) in [
            (found.low, 0.25 - reach),
            (found.high, 0.25 + reach),
            (found.bca_low, 0.25 - reach),
            (found.bca_high, 0.25 + reach),
        ] {
            assert!((end - expected).abs() < 0.005, "{end} is not near {expected}");
        }
    }

    #[test]
    fn skew_moves_the_accelerated_interval() {
        let sums: Vec<f64> = (0..50).map(|at| if at < 3 { 10.0 } else { 0.1 }).collect();
        let found = mean(&sums, &[1.0; 50], 4000, 7).unwrap();
        assert!(found.bca_low > found.low && found.bca_high > found.high, "{found:?}");
    }

    #[test]
    fn a_seed_gives_the_same_interval() {
        let (sums, counts) = ([1.0, 0.0, 2.0, 1.0], [2.0, 1.0, 2.0, 3.0]);
        assert_eq!(mean(&sums, &counts, 100, 1), mean(&sums, &counts, 100, 1));
        assert_ne!(mean(&sums, &counts, 100, 1), mean(&sums, &counts, 100, 2));
        assert_eq!(mean(&[1.0], &[1.0], 100, 1), None);
        assert_eq!(mean(&[0.0, 0.0], &[0.0, 0.0], 100, 1), None);
    }
}
