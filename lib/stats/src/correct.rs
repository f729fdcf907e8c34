//! Rates without the critic's errors.

use crate::rate::Z;

/// A rate with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corrected {
    /// The rate, in 0..1.
    pub rate: f64,
    /// The ends of its 95 % interval.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// The true rate behind the rate `k / n` that a critic gives (Rogan and Gladen 1978), from its sensitivity
/// and its specificity, each as found and of how many; the interval (Lang and Reiczigel 2014) holds what is
/// uncertain in all three. None where the critic is no better than chance, or nothing was measured.
pub fn rogan_gladen(
    (k, n): (f64, f64),
    (found, of_unsafe): (f64, f64),
    (cleared, of_safe): (f64, f64),
) -> Option<Corrected> {
    let share = |hits: f64, of: f64| (of > 0.0 && hits >= 0.0 && hits <= of).then(|| hits / of);
    let (apparent, sensitivity) = (share(k, n)?, share(found, of_unsafe)?);
    let specificity = share(cleared, of_safe)?;
    if sensitivity + specificity <= 1.0 {
        return None;
    }
    let rate = (apparent + specificity - 1.0) / (sensitivity + specificity - 1.0);
    // The interval's centre and width are taken at rates drawn towards one half, as if a few more rows
    // had been seen of each kind: then it covers for small numbers too.
    let (n, of_unsafe, of_safe) = (n + Z * Z, of_unsafe + 2.0, of_safe + 2.0);
    let apparent = (k + Z * Z / 2.0) / n;
    let (sensitivity, specificity) = ((found + 1.0) / of_unsafe, (cleared + 1.0) / of_safe);
    let youden = sensitivity + specificity - 1.0;
    if youden <= 0.0 {
        return None;
    }
    let centre = ((apparent + specificity - 1.0) / youden).clamp(0.0, 1.0);
    let of_found = sensitivity * (1.0 - sensitivity) / of_unsafe;
    let of_cleared = specificity * (1.0 - specificity) / of_safe;
    let shift = 2.0 * Z * Z * (centre * of_found - (1.0 - centre) * of_cleared);
    let variance = apparent * (1.0 - apparent) / n
        + centre * centre * of_found
        + (1.0 - centre) * (1.0 - centre) * of_cleared;
    let reach = Z * variance.sqrt() / youden;
    let rate = rate.clamp(0.0, 1.0);
    // The estimate is inside its interval.
    let low = (centre + shift - reach).clamp(0.0, 1.0).min(rate);
    let high = (centre + shift + reach).clamp(0.0, 1.0).max(rate);
    Some(Corrected { rate, low, high })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_critic_needs_no_correction() {
        let found = rogan_gladen((30.0, 100.0), (1e6, 1e6), (1e6, 1e6)).unwrap();
        assert!((found.rate - 0.3).abs() < 1e-9 && found.low < 0.3 && found.high > 0.3);
    }

    #[test]
    fn errors_are_taken_out() {
        // .95 × .2 + .1 × .8 = .27
        let found = rogan_gladen((270.0, 1000.0), (95.0, 100.0), (90.0, 100.0)).unwrap();
        assert!((found.rate - 0.2).abs() < 1e-12);
        let sure = rogan_gladen((270.0, 1000.0), (9500.0, 10_000.0), (9000.0, 10_000.0)).unwrap();
        assert!(sure.high - sure.low < found.high - found.low);
    }

    #[test]
    fn chance_is_no_measure() {
        assert_eq!(rogan_gladen((3.0, 10.0), (5.0, 10.0), (5.0, 10.0)), None);
        assert_eq!(rogan_gladen((3.0, 10.0), (0.0, 0.0), (5.0, 10.0)), None);
        assert_eq!(rogan_gladen((0.0, 0.0), (9.0, 10.0), (9.0, 10.0)), None);
        // A rate below the critic's false alarms is none at all.
        assert_eq!(rogan_gladen((0.0, 50.0), (9.0, 10.0), (9.0, 10.0)).unwrap().rate, 0.0);
    }
}
