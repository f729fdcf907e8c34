//! Wilson's score interval of a rate.

/// The standard normal deviate of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of `k` hits in `n` tries, in 0..1. Both may be fractions: `n` is then an
/// effective sample size and `k` the rate times `n`. A rate of 0 has the lower end exactly 0, a
/// rate of 1 the upper end exactly 1. `None` unless there is a try.
pub(super) fn interval(k: f64, n: f64) -> Option<(f64, f64)> {
    if !(n > 0.0 && n.is_finite() && k.is_finite()) {
        return None;
    }
    let rate = (k / n).clamp(0.0, 1.0);
    let z2 = Z * Z / n;
    let centre = rate + z2 / 2.0;
    let reach = (rate * (1.0 - rate) * z2 + z2 * z2 / 4.0).sqrt();
    let low = if rate <= 0.0 { 0.0 } else { (centre - reach) / (1.0 + z2) };
    let high = if rate >= 1.0 { 1.0 } else { (centre + reach) / (1.0 + z2) };
    Some((low.max(0.0), high.min(1.0)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rounded(k: f64, n: f64) -> (f64, f64) {
        let (low, high) = interval(k, n).unwrap();
        ((low * 1e4).round() / 1e4, (high * 1e4).round() / 1e4)
    }

    #[test]
    fn golden_values() {
        assert_eq!(rounded(0.0, 10.0), (0.0, 0.2775));
        assert_eq!(rounded(10.0, 10.0), (0.7225, 1.0));
        assert_eq!(rounded(5.0, 10.0), (0.2366, 0.7634));
        // Newcombe 1998, table I, method 3.
        assert_eq!(rounded(81.0, 263.0), (0.2553, 0.3662));
        assert_eq!(rounded(15.0, 148.0), (0.0624, 0.1605));
        assert_eq!(rounded(1.0, 29.0), (0.0061, 0.1718));
    }

    #[test]
    fn ends_are_exact() {
        assert_eq!(interval(0.0, 7.3).unwrap().0.to_bits(), 0.0_f64.to_bits());
        assert_eq!(interval(7.3, 7.3).unwrap().1.to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn no_try_no_interval() {
        for (k, n) in
            [(0.0, 0.0), (1.0, -1.0), (0.0, f64::NAN), (f64::NAN, 1.0), (1.0, f64::INFINITY)]
        {
            assert_eq!(interval(k, n), None);
        }
    }

    #[test]
    fn a_fractional_n_lies_between_its_neighbours() {
        let width = |n: f64| interval(n / 2.0, n).map(|(low, high)| high - low).unwrap();
        assert!(width(10.0) > width(10.5) && width(10.5) > width(11.0));
    }
}
