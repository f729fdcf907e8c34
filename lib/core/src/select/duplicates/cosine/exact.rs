//! Every pair compared, as products of matrices: blocks of rows, scaled to length 1, against each
//! other.
//!
//! The products are f32 and may differ in the last bit with the shape of the block; what that could
//! change is computed anew ([`Rows::is_pair`]).

use super::Rows;
use crate::select::duplicates::clusters::Clusters;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, Slice};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Rows in a block: enough that copying them costs little beside their product, and few enough that
/// both stay in a cache.
pub const BLOCK: usize = 256;

/// Joins all pairs among the rows in `distinct`.
pub fn join(rows: &Rows<'_>, distinct: &[u32], clusters: &mut Clusters) {
    let blocks: Vec<&[u32]> = distinct.chunks(BLOCK).collect();
    let clusters = Mutex::new(clusters);
    // Which thread joins what first makes no difference.
    (0..blocks.len()).into_par_iter().with_max_len(1).for_each(|at| {
        let mut block = Block::new(rows, blocks[at]);
        for other in &blocks[at..] {
            let pairs = joined(rows, blocks[at], other, block.times(rows, other));
            let mut clusters = clusters.lock().unwrap_or_else(PoisonError::into_inner);
            pairs.into_iter().for_each(|(a, b)| clusters.join(a, b));
        }
    });
}

/// Pairs of one block with another that join all that are joined by such pairs: at most as many as
/// there are rows, also where all are near each other.
fn joined(
    rows: &Rows<'_>,
    left: &[u32],
    right: &[u32],
    cosines: ArrayView2<'_, f32>,
) -> Vec<(u32, u32)> {
    let same = left[0] == right[0];
    let offset = if same { 0 } else { left.len() };
    let mut local = Clusters::new(left.len() + right.len());
    let mut pairs = Vec::new();
    // Most are far below, which a look at one number tells.
    let low = ((rows.threshold - rows.margin) as f32).next_down();
    for (a, cosines) in cosines.rows().into_iter().enumerate() {
        let skipped = if same { a + 1 } else { 0 };
        for (b, about) in cosines.iter().enumerate().skip(skipped) {
            if *about < low {
                continue;
            }
            let (x, y) = (a as u32, (b + offset) as u32);
            if local.root(x) != local.root(y) && rows.is_pair(left[a], right[b], *about) {
                local.join(x, y);
                pairs.push((left[a], right[b]));
            }
        }
    }
    pairs
}

/// A block of rows, to be multiplied with others.
pub struct Block {
    left: Array2<f32>,
    right: Array2<f32>,
    cosines: Array2<f32>,
}

impl Block {
    /// The block of these rows.
    pub fn new(rows: &Rows<'_>, left: &[u32]) -> Self {
        let mut units = Array2::zeros((left.len(), rows.dim));
        scale(rows, left, &mut units);
        let right = Array2::zeros((BLOCK, rows.dim));
        Self { left: units, right, cosines: Array2::zeros((left.len(), BLOCK)) }
    }

    /// The cosines, about, of each row of the block with each of at most [`BLOCK`] others.
    pub fn times(&mut self, rows: &Rows<'_>, others: &[u32]) -> ArrayView2<'_, f32> {
        scale(rows, others, &mut self.right);
        let first = Slice::from(..others.len());
        let right = self.right.slice_axis(Axis(0), first);
        let mut cosines = self.cosines.slice_axis_mut(Axis(1), first);
        general_mat_mul(1.0, &self.left, &right.t(), 0.0, &mut cosines);
        self.cosines.slice_axis(Axis(1), first)
    }
}

/// Writes the rows at length 1.
fn scale(rows: &Rows<'_>, block: &[u32], units: &mut Array2<f32>) {
    for (row, mut unit) in block.iter().zip(units.rows_mut()) {
        unit.iter_mut().zip(rows.unit(*row)).for_each(|(unit, number)| *unit = number);
    }
}
