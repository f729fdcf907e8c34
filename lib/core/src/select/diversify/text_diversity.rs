//! How diverse a set of texts is, before and after a selection: by their n-grams (`seval_stats::diversity`), and
//! over a [`Similarity`] coverage, how well what was kept stands for all there was.

#[cfg(test)]
mod tests;

use crate::select::diversify::diverse::{ONE, Similarity};
pub use seval_stats::diversity::measure;

/// How similar all items are to the nearest kept one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// The mean: 1 if each item, or its like, is kept.
    pub mean: f64,
    /// The 5th percentile: of 5 % of the items the nearest kept one is no more similar than this.
    pub low: f64,
}

/// Coverage of all items by those that were kept; none where nothing was, or there is nothing.
///
/// Cost: that of [`Similarity::raise`] for all that are kept.
pub fn coverage(similarity: &dyn Similarity, kept: &[usize]) -> Option<Coverage> {
    let mut nearest = vec![similarity.least(); similarity.items()];
    if kept.is_empty() || nearest.is_empty() {
        return None;
    }
    similarity.raise(&mut nearest, kept);
    let sum: i64 = nearest.iter().map(|&nearest| i64::from(nearest)).sum();
    let (_, &mut low, _) = {
        let rank = nearest.len().div_ceil(20) - 1;
        nearest.select_nth_unstable(rank)
    };
    let one = f64::from(ONE);
    Some(Coverage { mean: sum as f64 / nearest.len() as f64 / one, low: f64::from(low) / one })
}
