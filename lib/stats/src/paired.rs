//! Two models on the same items.

use crate::rate::{TAIL, Z};
use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::beta::beta_reg;

/// The standard normal deviate that a power of 80 % asks for.
const POWER: f64 = 0.841_621_233_572_914;

/// McNemar's exact test (1947): the two-sided p value of so many items where only the one, and only the
/// other, has what is asked. 1 where there are none.
pub fn mcnemar(only_a: u64, only_b: u64) -> f64 {
    let (fewer, n) = (only_a.min(only_b) as f64, (only_a + only_b) as f64);
    if only_a == only_b {
        return 1.0;
    }
    // The binomial distribution's lower tail at one half, as a beta integral.
    (2.0 * beta_reg(n - fewer, fewer + 1.0, 0.5)).min(1.0)
}

/// A difference of two rates of the same items.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The one's rate less the other's.
    pub value: f64,
    /// The ends of its 95 % interval.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// The difference that such a comparison finds with a power of 80 % at a level of 5 %.
    pub detectable: f64,
}

/// The sums that a difference is computed from, added up cluster by cluster. Items of a cluster (attacks on
/// one base prompt, say) are alike, clusters are not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clusters {
    clusters: u64,
    items: i64,
    difference: i64,
    items_squared: i64,
    product: i64,
    difference_squared: i64,
}

impl Clusters {
    /// Adds a cluster: its items, and how many more of them the one has than the other.
    pub fn add(&mut self, items: i64, difference: i64) {
        self.add_alike(1, items, difference);
    }

    /// Adds so many clusters that are alike.
    pub fn add_alike(&mut self, clusters: u64, items: i64, difference: i64) {
        let times = i64::try_from(clusters).unwrap_or(i64::MAX);
        self.clusters += clusters;
        self.items += times * items;
        self.difference += times * difference;
        self.items_squared += times * items * items;
        self.product += times * items * difference;
        self.difference_squared += times * difference * difference;
    }

    /// The difference, with the interval of a ratio of sums over clusters (Student's t with one degree of
    /// freedom less than clusters). Where no cluster differs from another there is no spread to go by: the
    /// interval is then as wide as if the next one might (the exact bound of none in so many), and what can
    /// be detected is what one cluster that differs by one item would allow. None of fewer than two.
    pub fn difference(&self) -> Option<Difference> {
        if self.clusters < 2 || self.items <= 0 {
            return None;
        }
        let (clusters, items) = (self.clusters as f64, self.items as f64);
        let value = self.difference as f64 / items;
        let squares = self.difference_squared as f64 - 2.0 * value * self.product as f64
            + value * value * self.items_squared as f64;
        let smallest = 1e-9 * self.difference_squared.max(1) as f64;
        let spread = if squares > smallest { squares } else { 0.0 };
        let error = |spread: f64| (spread * clusters / (clusters - 1.0)).sqrt() / items;
        let reach = match spread > 0.0 {
            true => student(clusters - 1.0) * error(spread),
            false => 1.0 - TAIL.powf(1.0 / clusters),
        };
        let detectable = (Z + POWER) * error(spread.max(1.0));
        let (low, high) = ((value - reach).max(-1.0), (value + reach).min(1.0));
        Some(Difference { value, low, high, detectable: detectable.min(1.0) })
    }
}

/// Student's deviate of a two-sided 95 % interval.
fn student(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(Z, |t| t.inverse_cdf(1.0 - TAIL))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn mcnemar_is_the_binomial_tail() {
        let tail = |k: u64, n: u64| {
            let choose = |k: u64| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
            (0..=k).map(choose).sum::<f64>() / 2_f64.powi(n as i32)
        };
        for (a, b) in [(0, 1), (1, 5), (10, 25), (3, 4), (0, 30), (100, 140)] {
            let expected = (2.0 * tail(a.min(b), a + b)).min(1.0);
            near(mcnemar(a, b), expected);
            near(mcnemar(b, a), expected);
        }
        near(mcnemar(0, 0), 1.0);
        near(mcnemar(7, 7), 1.0);
    }

    #[test]
    fn without_clusters_it_is_the_t_interval_of_the_differences() {
        let mut sums = Clusters::default();
        for difference in [1, 0, 0, -1, 1, 1, 0, 0, 0, 1] {
            sums.add(1, difference);
        }
        let found = sums.difference().unwrap();
        near(found.value, 0.3);
        // t.ppf(.975, 9) = 2.262157, sd of the differences .674949.
        near(found.low, 0.3 - 2.262_157_163 * 0.674_948_558 / 10_f64.sqrt());
        near(found.high, 0.3 + 2.262_157_163 * 0.674_948_558 / 10_f64.sqrt());
        near(found.detectable, (Z + POWER) * 0.674_948_558 / 10_f64.sqrt());
    }

    #[test]
    fn items_that_are_copies_are_worth_one() {
        let (mut one, mut ten) = (Clusters::default(), Clusters::default());
        for difference in [1, 0, -1, 0, 1, 0] {
            one.add(1, difference);
            ten.add(10, 10 * difference);
        }
        let (one, ten) = (one.difference().unwrap(), ten.difference().unwrap());
        near(one.low, ten.low);
        near(one.high, ten.high);
        near(one.detectable, ten.detectable);
    }

    #[test]
    fn no_spread_is_no_certainty() {
        let mut sums = Clusters::default();
        sums.add_alike(100, 1, 0);
        let found = sums.difference().unwrap();
        near(found.high, 1.0 - 0.025_f64.powf(0.01));
        near(found.low, -found.high);
        assert!(found.detectable > 0.02);
        let mut one = Clusters::default();
        one.add(5, 1);
        assert_eq!(one.difference(), None);
    }
}
