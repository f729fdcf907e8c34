//! Rates of rows.

/// The standard normal deviate of a two-sided 95 % interval.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// A rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Rows that have what is asked.
    pub hits: u64,
    /// Rows that might have it.
    pub of: u64,
}

impl Rate {
    /// hits / of; none of none.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// Wilson's 95 % interval (1927), in 0..1, as SQL's `wilson_low` and `wilson_high` have it.
    pub fn interval(self) -> Option<(f64, f64)> {
        let rate = self.value()?;
        let z2 = Z * Z / self.of as f64;
        let reach = (rate * (1.0 - rate) * z2 + z2 * z2 / 4.0).sqrt();
        let end = |sign: f64| (rate + z2 / 2.0 + sign * reach) / (1.0 + z2);
        // Rounding must not put the end beside a rate of 0 or 1.
        let low = if self.hits == 0 { 0.0 } else { end(-1.0) };
        let high = if self.hits == self.of { 1.0 } else { end(1.0) };
        Some((low, high))
    }
}
