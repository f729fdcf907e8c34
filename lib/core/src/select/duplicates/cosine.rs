//! Semantic near-duplicates: rows whose embeddings point in nearly one direction, joined into
//! clusters.
//!
//! - Two rows are a pair if the cosine of their vectors is the threshold or more; clusters are the
//!   connected components of the pairs. They depend on the vectors alone: not on the order of the
//!   rows, the number of threads or how the work is cut.
//! - Up to [`Limits::exact_rows`] different vectors every pair is compared; beyond, those that an
//!   index proposes, and what it misses is measured and said ([`Recall`]).
//! - Memory, beside the vectors: a few blocks for each thread; for the index the vectors once more,
//!   and some 650 bytes a row.

mod exact;
mod index;
#[cfg(test)]
mod tests;

use crate::select::duplicates::clusters::Clusters;
use crate::{Error, Result};

/// What a comparison in f64 may be off by: far below what an embedding can mean, and above the
/// rounding of vectors as long as there are.
const ROUNDING: f64 = 1e-12;

/// How much is done exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most different vectors of which all pairs are compared. At 384 numbers each, 100,000
    /// take one core a minute, and four times that for twice as many; the index, which one thread
    /// must build, takes three to four minutes, and about twice that.
    pub exact_rows: usize,
    /// Rows whose neighbours are searched in full beyond that, to see what the index missed.
    pub sample: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { exact_rows: 250_000, sample: 500 }
    }
}

/// The clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// For each row the lowest row of its cluster, which may be itself.
    pub roots: Vec<u32>,
    /// How many pairs of different vectors were compared, or proposed by the index.
    pub pairs_compared: u64,
    /// What the index found; `None` where every pair was compared.
    pub recall: Option<Recall>,
}

/// What an index found, by a sample of rows whose neighbours are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall {
    /// Rows in the sample; of equal vectors only one is in it.
    pub rows: u64,
    /// Pairs of these rows with any other, by comparing all.
    pub pairs: u64,
    /// Those of them that came into one cluster.
    pub found: u64,
}

impl Recall {
    /// The share of the pairs that was found; `None` if there were none, which says nothing.
    pub fn share(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.found as f64 / self.pairs as f64)
    }
}

/// Joins the rows of `vectors`, each `dim` long, whose cosine is `threshold` (above 0, at most 1)
/// or more.
///
/// A vector without a direction, of zeros or with a number that is none, is an error that names its
/// row (from 0).
pub fn join(vectors: &[f32], dim: usize, threshold: f64, limits: Limits) -> Result<Joined> {
    if !(threshold > 0.0 && threshold <= 1.0) {
        let what = format!("expected a cosine above 0 and at most 1, found {threshold}");
        return Err(Error::usage("the threshold", what));
    }
    let rows = Rows::new(vectors, dim, threshold)?;
    let (distinct, mut clusters) = rows.distinct();
    if distinct.len() <= limits.exact_rows {
        exact::join(&rows, &distinct, &mut clusters);
        let count = distinct.len() as u64;
        let pairs_compared = count * count.saturating_sub(1) / 2;
        return Ok(Joined { roots: clusters.roots(), pairs_compared, recall: None });
    }
    let pairs_compared = index::join(&rows, &distinct, index::NEIGHBOURS, &mut clusters)?;
    let roots = clusters.roots();
    let recall = index::recall(&rows, &distinct, &roots, limits.sample);
    Ok(Joined { roots, pairs_compared, recall: Some(recall) })
}

/// The cosine of two vectors of one length, in f64: 1 for equal ones, and the same either way
/// round. It is NaN if one has no direction.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The product in f64, where those of f32 numbers are exact and no sum of theirs is too large.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Eight sums, which the compiler adds up side by side; their order is fixed.
    let mut sums = [0.0; 8];
    let (left, right) = (a.chunks(8), b.chunks(8));
    for (a, b) in left.zip(right) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
    sums.iter().sum()
}

/// The vectors, and what decides about pairs of them.
struct Rows<'v> {
    vectors: &'v [f32],
    dim: usize,
    threshold: f64,
    /// What a product in f32 of vectors of length 1 may be off by: the bound for rounded numbers,
    /// whatever the order of the sum.
    margin: f64,
    /// The squares of the lengths.
    squares: Vec<f64>,
}

impl<'v> Rows<'v> {
    fn new(vectors: &'v [f32], dim: usize, threshold: f64) -> Result<Self> {
        if dim == 0 || !vectors.len().is_multiple_of(dim) {
            let what = format!("{} numbers are no vectors of {dim} each", vectors.len());
            return Err(Error::data("the embeddings", what));
        }
        if vectors.len() / dim > u32::MAX as usize {
            return Err(Error::data("the embeddings", "more rows than can be numbered"));
        }
        let mut squares = Vec::with_capacity(vectors.len() / dim);
        for (row, vector) in vectors.chunks_exact(dim).enumerate() {
            let square = dot(vector, vector);
            let wrong = match square {
                0.0 => "its vector has no direction: it is all zeros",
                square if !square.is_finite() => "its vector holds a number that is not finite",
                _ => "",
            };
            if !wrong.is_empty() {
                return Err(Error::data(format!("the embedding of row {row}"), wrong));
            }
            squares.push(square);
        }
        let margin = (dim + 8) as f64 * f64::from(f32::EPSILON) / 2.0;
        Ok(Self { vectors, dim, threshold, margin, squares })
    }

    fn row(&self, row: u32) -> &'v [f32] {
        let start = row as usize * self.dim;
        &self.vectors[start..start + self.dim]
    }

    /// A row at length 1.
    fn unit(&self, row: u32) -> impl Iterator<Item = f32> {
        let scale = self.squares[row as usize].sqrt().recip();
        self.row(row).iter().map(move |number| (f64::from(*number) * scale) as f32)
    }

    /// Whether two rows are a pair: their cosine is `about`, as f32 arithmetic has it, and only
    /// where that leaves a doubt, it is computed.
    fn is_pair(&self, a: u32, b: u32, about: f32) -> bool {
        match f64::from(about) - self.threshold {
            above if above > self.margin => true,
            below if below < -self.margin => false,
            _ => self.cosine(a, b) >= self.threshold - ROUNDING,
        }
    }

    fn cosine(&self, a: u32, b: u32) -> f64 {
        let squares = self.squares[a as usize] * self.squares[b as usize];
        dot(self.row(a), self.row(b)) / squares.sqrt()
    }

    /// The first row of each different vector, in the order of the vectors, which is the same
    /// however the rows stand; and the clusters of equal ones.
    fn distinct(&self) -> (Vec<u32>, Clusters) {
        let mut rows: Vec<u32> = (0..self.squares.len() as u32).collect();
        let vector = |row: u32| self.row(row).iter();
        let order = |a: &u32, b: &u32| {
            let numbers = vector(*a).zip(vector(*b)).find(|(a, b)| a != b);
            numbers.map_or(a.cmp(b), |(a, b)| a.total_cmp(b))
        };
        rows.sort_unstable_by(order);
        let mut clusters = Clusters::new(rows.len());
        rows.dedup_by(|next, first| {
            let equal = self.row(*next) == self.row(*first);
            if equal {
                clusters.join(*first, *next);
            }
            equal
        });
        (rows, clusters)
    }
}
