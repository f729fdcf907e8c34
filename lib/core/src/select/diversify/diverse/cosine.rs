//! Cosine similarity of vectors, by blocks of plain products.

use super::{Cover, ONE, Raise, Similarity};
use rayon::prelude::*;

/// Vectors of length 1. A vector of zeros, or with a number that is not finite, has no direction:
/// such vectors are like each other and unlike all others.
///
/// K-center of s of n items costs n · s · dim multiplications, and reads all vectors s times.
/// Facility location costs n · n · dim and a few times more: all pairs at first, and at each step,
/// for some candidates, the products with the items whose nearest chosen one has changed. Memory: 4
/// bytes a number.
pub struct Cosine {
    /// Numbers of each row: `dim`, one for vectors without direction, and zeros up to a multiple of
    /// LANES.
    width: usize,
    rows: Vec<f32>,
}

/// Sums that run side by side in a product. A product is the same whatever it is computed with, on
/// any machine: the order of its additions is fixed here, and none is fused.
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

    /// Visits each pair of a row of `rows` and one of `others`, by their places there, with its
    /// similarity.
    fn similarities(
        &self,
        rows: &[f32],
        others: &[usize],
        mut visit: impl FnMut(usize, usize, i32),
    ) {
        let n = rows.len() / self.width;
        for (start, others) in (0..).step_by(BLOCK).zip(others.chunks(BLOCK)) {
            for first in (0..n).step_by(4) {
                // At the end a row may come again, and is not looked at.
                let row = |at: usize| &rows[(first + at).min(n - 1) * self.width..][..self.width];
                let four = [row(0), row(1), row(2), row(3)];
                for (other, &item) in others.iter().enumerate() {
                    let products = products(self.row(item), four);
                    for (at, product) in products.into_iter().enumerate().take(n - first) {
                        visit(first + at, start + other, similarity(product));
                    }
                }
            }
        }
    }
}

fn similarity(product: f32) -> i32 {
    (product.clamp(-1.0, 1.0) * ONE as f32) as i32
}

/// The inner products of `row` with each of four others of its length.
fn products(row: &[f32], [a, b, c, d]: [&[f32]; 4]) -> [f32; 4] {
    let row = row.as_chunks::<LANES>().0;
    // Cut to one length here, so that no length is checked in the loop.
    let n = row.len();
    let a = &a.as_chunks::<LANES>().0[..n];
    let b = &b.as_chunks::<LANES>().0[..n];
    let c = &c.as_chunks::<LANES>().0[..n];
    let d = &d.as_chunks::<LANES>().0[..n];
    let mut sums = [[0.0; LANES]; 4];
    for (at, row) in row.iter().enumerate() {
        for (sums, other) in sums.iter_mut().zip([&a[at], &b[at], &c[at], &d[at]]) {
            for lane in 0..LANES {
                sums[lane] += row[lane] * other[lane];
            }
        }
    }
    [total(&sums[0]), total(&sums[1]), total(&sums[2]), total(&sums[3])]
}

/// The sum of the lanes. Inlined, it would have the compiler transpose all that is multiplied,
/// which takes twice as long.
#[inline(never)]
fn total(&[a, b, c, d, e, f, g, h]: &[f32; LANES]) -> f32 {
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

impl Cosine {
    /// The gains of `candidates`, from all items.
    fn whole_gains(&self, nearest: &[i32], candidates: &[usize]) -> Vec<u64> {
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

    /// What up to four candidates lost to raises. Of each: how many of the raises its gain knows
    /// of, in ascending order, and the candidate.
    fn losses(&self, raises: &[Raise], four: &[(usize, usize, usize)]) -> [u64; 4] {
        let of = |at: usize| four[at.min(four.len() - 1)];
        let rows = [0, 1, 2, 3].map(|at| self.row(of(at).1));
        let seen = [0, 1, 2, 3].map(|at| of(at).0 - of(0).0);
        let loss = |mut losses: [u64; 4], (at, raise): (usize, &Raise)| {
            for (other, product) in products(self.row(raise.item), rows).into_iter().enumerate() {
                if at >= seen[other] {
                    losses[other] += raise.loss(similarity(product));
                }
            }
            losses
        };
        let both = |a: [u64; 4], b: [u64; 4]| [0, 1, 2, 3].map(|at| a[at] + b[at]);
        let raises = raises[of(0).0..].par_iter().enumerate().with_min_len(BLOCK);
        raises.fold(|| [0; 4], loss).reduce(|| [0; 4], both)
    }
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

    fn gains(&self, cover: &Cover, candidates: &[usize]) -> Vec<u64> {
        let mut gains = vec![0; candidates.len()];
        // Products with the items raised since, or with all where these are fewer.
        let (mut whole, mut since) = (Vec::new(), Vec::new());
        for (at, &candidate) in candidates.iter().enumerate() {
            match cover.gains[candidate] {
                Some((gain, seen)) if cover.raises.len() - seen < self.items() => {
                    gains[at] = gain;
                    since.push((seen, candidate, at));
                }
                _ => whole.push((candidate, at)),
            }
        }
        let items: Vec<usize> = whole.iter().map(|&(candidate, _)| candidate).collect();
        for ((_, at), gain) in whole.into_iter().zip(self.whole_gains(&cover.nearest, &items)) {
            gains[at] = gain;
        }
        since.sort_unstable();
        let losses: Vec<[u64; 4]> =
            since.par_chunks(4).map(|four| self.losses(&cover.raises, four)).collect();
        for (&(.., at), loss) in since.iter().zip(losses.as_flattened()) {
            gains[at] -= loss;
        }
        gains
    }

    fn most(&self, _: usize) -> u64 {
        self.items() as u64 * ONE as u64
    }
}
