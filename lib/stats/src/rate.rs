//! Intervals of a rate.

use statrs::function::beta::inv_beta_reg;

/// The standard normal deviate of a two-sided 95 % interval.
pub const Z: f64 = 1.959_963_984_540_054;
/// What an interval leaves out on each side.
pub(crate) const TAIL: f64 = 0.025;

/// Wilson's 95 % score interval (1927) of `k` hits in `n` tries, in 0..1. Both may be fractions: `n` is then
/// an effective sample size and `k` the rate times `n`. A rate of 0 has the lower end exactly 0, a rate of 1
/// the upper end exactly 1. None unless there is a try.
pub fn wilson(k: f64, n: f64) -> Option<(f64, f64)> {
    let rate = rate(k, n)?;
    let z2 = Z * Z / n;
    let centre = rate + z2 / 2.0;
    let reach = (rate * (1.0 - rate) * z2 + z2 * z2 / 4.0).sqrt();
    let low = if rate <= 0.0 { 0.0 } else { (centre - reach) / (1.0 + z2) };
    let high = if rate >= 1.0 { 1.0 } else { (centre + reach) / (1.0 + z2) };
    Some((low.max(0.0), high.min(1.0)))
}

/// The exact 95 % interval of `k` hits in `n` tries (Clopper and Pearson 1934), in 0..1: it covers at least
/// as often as it says. Fractions are taken as the beta distribution takes them.
pub fn clopper_pearson(k: f64, n: f64) -> Option<(f64, f64)> {
    let k = rate(k, n)? * n;
    let low = if k <= 0.0 { 0.0 } else { inv_beta_reg(k, n - k + 1.0, TAIL) };
    let high = if k >= n { 1.0 } else { inv_beta_reg(k + 1.0, n - k, 1.0 - TAIL) };
    Some((low, high))
}

/// The rate of answers that come in clusters, given each cluster's hits and answers, with Wilson's interval of
/// as many independent answers as would spread as far: never more than there are. Where all or none are hits
/// there is no spread to go by, and a cluster counts as one answer. None without an answer.
pub fn clustered(clusters: &[(u64, u64)]) -> Option<(f64, f64, f64)> {
    let sum = |of: fn(&(u64, u64)) -> u64| clusters.iter().map(of).sum::<u64>() as f64;
    let (k, n) = (sum(|c| c.0), sum(|c| c.1));
    // Whole numbers, so that the order of the clusters does not matter.
    let (kk, kn, nn) = (sum(|c| c.0 * c.0), sum(|c| c.0 * c.1), sum(|c| c.1 * c.1));
    let rate = rate(k, n)?;
    let spread = kk - 2.0 * rate * kn + rate * rate * nn;
    let independent = match k <= 0.0 || k >= n {
        true => clusters.iter().filter(|cluster| cluster.1 > 0).count() as f64,
        false if spread > 0.0 => (k * (n - k) / spread).min(n),
        false => n,
    };
    let (low, high) = wilson(rate * independent, independent)?;
    Some((rate, low, high))
}

fn rate(k: f64, n: f64) -> Option<f64> {
    (n > 0.0 && n.is_finite() && k.is_finite()).then(|| (k / n).clamp(0.0, 1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rounded(ends: Option<(f64, f64)>) -> (f64, f64) {
        let (low, high) = ends.unwrap();
        ((low * 1e4).round() / 1e4, (high * 1e4).round() / 1e4)
    }

    #[test]
    fn wilson_has_published_values() {
        assert_eq!(rounded(wilson(0.0, 10.0)), (0.0, 0.2775));
        assert_eq!(rounded(wilson(10.0, 10.0)), (0.7225, 1.0));
        assert_eq!(rounded(wilson(5.0, 10.0)), (0.2366, 0.7634));
        // Newcombe 1998, table I, methods 3 and 5.
        assert_eq!(rounded(wilson(81.0, 263.0)), (0.2553, 0.3662));
        assert_eq!(rounded(wilson(15.0, 148.0)), (0.0624, 0.1605));
        assert_eq!(rounded(wilson(1.0, 29.0)), (0.0061, 0.1718));
    }

    #[test]
    fn clopper_pearson_has_published_values() {
        assert_eq!(rounded(clopper_pearson(81.0, 263.0)), (0.2527, 0.3676));
        assert_eq!(rounded(clopper_pearson(15.0, 148.0)), (0.0578, 0.1617));
        assert_eq!(rounded(clopper_pearson(0.0, 20.0)), (0.0, 0.1684));
        assert_eq!(rounded(clopper_pearson(1.0, 29.0)), (0.0009, 0.1776));
    }

    #[test]
    fn answers_that_always_agree_count_once() {
        let tens = clustered(&[(10, 10), (0, 10), (0, 10), (10, 10)]).unwrap();
        let ones = clustered(&[(1, 1), (0, 1), (0, 1), (1, 1)]).unwrap();
        assert_eq!(tens, ones);
        assert_eq!((ones.1, ones.2), wilson(2.0, 4.0).unwrap());
        let none = clustered(&[(0, 10), (0, 10)]).unwrap();
        assert_eq!(none.2, wilson(0.0, 2.0).unwrap().1);
        assert_eq!(clustered(&[(0, 0)]), None);
    }

    #[test]
    fn ends_are_exact() {
        for of in [wilson, clopper_pearson] {
            assert_eq!(of(0.0, 7.0).unwrap().0.to_bits(), 0.0_f64.to_bits());
            assert_eq!(of(7.0, 7.0).unwrap().1.to_bits(), 1.0_f64.to_bits());
        }
    }

    #[test]
    fn no_try_no_interval() {
        for (k, n) in
            [(0.0, 0.0), (1.0, -1.0), (0.0, f64::NAN), (f64::NAN, 1.0), (1.0, f64::INFINITY)]
        {
            assert_eq!((wilson(k, n), clopper_pearson(k, n)), (None, None));
        }
    }

    #[test]
    fn a_fractional_n_lies_between_its_neighbours() {
        let width = |n: f64| wilson(n / 2.0, n).map(|(low, high)| high - low).unwrap();
        assert!(width(10.0) > width(10.5) && width(10.5) > width(11.0));
    }
}
