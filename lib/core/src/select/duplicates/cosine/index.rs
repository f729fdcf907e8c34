//! Pairs that an index proposes (a hierarchical navigable small world, arXiv:1603.09320), each
//! compared before it counts; and what it missed, by a sample of rows that are compared with all.
//!
//! The index is built by one thread, with a seed of its own, from the different vectors in an order
//! of their own: the same vectors give the same pairs. Searching it changes nothing, and is done by
//! all threads.

use super::exact::{BLOCK, Block};
use super::{Recall, Rows};
use crate::random::Draws;
use crate::select::duplicates::clusters::Clusters;
use crate::{Error, Result};
use instant_distance::{Builder, Point, Search};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Neighbours that the index is asked for, and looks at as it places a row. A larger cluster holds
/// together by overlaps.
pub const NEIGHBOURS: usize = 48;

/// Decides the levels of the rows, and the sample.
const SEED: u64 = 0;

/// A row as the index sees it, at length 1.
#[derive(Clone)]
struct Direction<'u> {
    row: u32,
    unit: &'u [f32],
}

impl Point for Direction<'_> {
    fn distance(&self, other: &Self) -> f32 {
        // Sixteen sums, which the compiler adds up side by side; their order is fixed.
        let mut sums = [0.0; 16];
        for (a, b) in self.unit.chunks(16).zip(other.unit.chunks(16)) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum += a * b;
            }
        }
        1.0 - sums.iter().sum::<f32>()
    }
}

/// Joins the pairs that the index finds among the rows in `distinct`; how many it proposed.
pub fn join(
    rows: &Rows<'_>,
    distinct: &[u32],
    neighbours: usize,
    clusters: &mut Clusters,
) -> Result<u64> {
    let units: Vec<f32> = distinct.iter().flat_map(|row| rows.unit(*row)).collect();
    let units = distinct.iter().zip(units.chunks_exact(rows.dim));
    let points: Vec<_> = units.map(|(row, unit)| Direction { row: *row, unit }).collect();
    let one = ThreadPoolBuilder::new().num_threads(1).build();
    let one = one.map_err(|error| Error::world("the index", error))?;
    let builder = Builder::default().seed(SEED).ef_construction(neighbours).ef_search(neighbours);
    let (index, _) = one.install(|| builder.build_hnsw(points.clone()));
    let clusters = Mutex::new(clusters);
    let search = |search: &mut Search, point: &Direction<'_>| {
        let row = point.row;
        let found = index.search(point, search).map(|item| (item.point.row, 1.0 - item.distance));
        let others: Vec<_> = found.filter(|(other, _)| *other != row).collect();
        let near = others.iter().filter(|(other, about)| rows.is_pair(row, *other, *about));
        let near: Vec<_> = near.collect();
        let mut clusters = clusters.lock().unwrap_or_else(PoisonError::into_inner);
        near.into_iter().for_each(|(other, _)| clusters.join(row, *other));
        others.len() as u64
    };
    Ok(points.par_iter().map_init(Search::default, search).sum())
}

/// How many of the pairs of some rows in `distinct` with any other came into one cluster, by the
/// lowest row of each row's cluster.
pub fn recall(rows: &Rows<'_>, distinct: &[u32], roots: &[u32], sample: usize) -> Recall {
    let draw = |rank: usize| Draws::new(SEED, "recall", &rank.to_string()).below(u64::MAX);
    let mut drawn: Vec<_> = distinct.iter().enumerate().map(|(n, row)| (draw(n), *row)).collect();
    drawn.sort_unstable();
    let drawn: Vec<u32> = drawn.into_iter().take(sample).map(|(_, row)| row).collect();
    let (mut pairs, mut found) = (0, 0);
    for left in drawn.chunks(BLOCK) {
        let count = |block: &mut Block, right: &[u32]| {
            let (mut pairs, mut found) = (0, 0);
            for ((a, b), about) in block.times(rows, right).indexed_iter() {
                let (a, b) = (left[a], right[b]);
                if a != b && rows.is_pair(a, b, *about) {
                    pairs += 1;
                    found += u64::from(roots[a as usize] == roots[b as usize]);
                }
            }
            (pairs, found)
        };
        let counts = distinct.par_chunks(BLOCK).map_init(|| Block::new(rows, left), count);
        let sum = counts.reduce(|| (0, 0), |a: (u64, u64), b| (a.0 + b.0, a.1 + b.1));
        (pairs, found) = (pairs + sum.0, found + sum.1);
    }
    Recall { rows: drawn.len() as u64, pairs, found }
}
