//! Rates of rows.

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
        seval_stats::rate::wilson(self.hits as f64, self.of as f64)
    }
}
