//! Cosine similarity of vectors, by blocks of plain products.

use super::{ONE, Similarity};
use rayon::prelude::*;

/// Vectors of length 1. A vector of zeros, or with a number that is not finite, has no direction: such
/// vectors are like each other and unlike all others.
///
/// [`raise`](Similarity::raise) costs n · dim multiplications for each chosen item, `gains` as many for
/// each candidate; so k-center of s items n · s · dim, facility location n · n · dim and more: all pairs
/// at first, and those of some candidates again at each step. Memory: 4 bytes a number.
pub struct Cosine {
    /// Numbers of each row: `dim`, one for vectors without direction, and zeros up to a multiple of LANES.
    width: usize,
    rows: Vec<f32>,
}

/// Sums that run side by side in a product. A product is the same whatever it is computed with, on any
/// machine: the order of its additions is fixed here, and none is fused.
const LANES: usize = 8;

/// Rows that one thread takes at a time: they stay in its cache.
const BLOCK: usize = 64;

impl Cosine {
    /// Of vectors of `dim` numbers, one after the other, of any length.
    pub fn new(vectors: &[f32], dim: usize) -> Self {
        let width = (dim + 1).next_multiple_of(LANES);
        let mut rows = Vec::with_capacity(vectors.len() / dim.max(1) * width);
        for vector in vectors.chunks_exact(dim.max(1)) {
            let norm = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
            let start = rows.len();
            if norm.is_finite() && norm > 0.0 {
                rows.extend(vector.iter().map(|&x| (f64::from(x) / norm) as f32));
                rows.resize(start + width, 0.0);
            } else {
                rows.resize(start + width, 0.0);
                rows[start + dim] = 1.0;
            }
        }
        Self { width, rows }
    }

    fn row(&self, item: usize) -> &[f32] {
        &self.rows[item * self.width..][..self.width]
    }

    /// Visits each pair of a row of `rows` and one of `others`, by their places there, with its similarity.
    fn similarities(
        &self,
        rows: &[f32],
        others: &[usize],
        mut visit: impl FnMut(usize, usize, i32),
    ) {
        let (fours, rest) = others.as_chunks::<4>();
        for (block, four) in fours.iter().enumerate() {
            let four = four.map(|other| self.row(other));
            for (at, row) in rows.chunks_exact(self.width).enumerate() {
                for (other, product) in products(row, four).into_iter().enumerate() {
                    visit(at, 4 * block + other, similarity(product));
                }
            }
        }
        for (other, &item) in rest.iter().enumerate() {
            for (at, row) in rows.chunks_exact(self.width).enumerate() {
                let [product] = products(row, [self.row(item)]);
                visit(at, 4 * fours.len() + other, similarity(product));
            }
        }
    }
}

fn similarity(product: f32) -> i32 {
    (product.clamp(-1.0, 1.0) * ONE as f32) as i32
}

/// The inner products of `row` with each of N others of its length.
fn products<const N: usize>(row: &[f32], others: [&[f32]; N]) -> [f32; N] {
    let row = row.as_chunks::<LANES>().0;
    let others = others.map(|other| &other.as_chunks::<LANES>().0[..row.len()]);
    let mut sums = [[0.0; LANES]; N];
    for (at, row) in row.iter().enumerate() {
        for (sums, other) in sums.iter_mut().zip(others) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += row[lane] * other[at][lane];
            }
        }
    }
    sums.map(|lanes| lanes.iter().sum())
}

impl Similarity for Cosine {
    fn items(&self) -> usize {
        self.rows.len() / self.width
    }

    fn least(&self) -> i32 {
        -ONE
    }

    fn raise(&self, nearest: &mut [i32], chosen: &[usize]) {
        let rows = self.rows.par_chunks(BLOCK * self.width);
        nearest.par_chunks_mut(BLOCK).zip(rows).for_each(|(nearest, rows)| {
            self.similarities(rows, chosen, |at, _, similarity| {
                nearest[at] = similarity.max(nearest[at]);
            });
        });
    }

    fn gains(&self, nearest: &[i32], candidates: &[usize]) -> Vec<u64> {
        let none = || vec![0; candidates.len()];
        let rows = self.rows.par_chunks(BLOCK * self.width);
        let add = |mut gains: Vec<u64>, (nearest, rows): (&[i32], &[f32])| {
            self.similarities(rows, candidates, |at, candidate, similarity| {
                gains[candidate] += similarity.saturating_sub(nearest[at]).max(0) as u64;
            });
            gains
        };
        let both = |mut a: Vec<u64>, b: Vec<u64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        nearest.par_chunks(BLOCK).zip(rows).fold(none, add).reduce(none, both)
    }

    fn most(&self, _: usize) -> u64 {
        self.items() as u64 * ONE as u64
    }
}
