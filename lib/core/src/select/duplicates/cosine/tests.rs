//! Clusters against a plain comparison of all pairs, in every way the work can be cut.

use super::{Joined, Limits, cosine, join};
use crate::Kind;
use crate::random::Draws;
use std::collections::HashMap;

/// A source of numbers.
struct Numbers(Draws);

impl Numbers {
    fn new(name: &str) -> Self {
        Self(Draws::new(7, "cosine", name))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// From the standard normal distribution.
    fn normal(&mut self) -> f32 {
        let (radius, angle) = ((-2.0 * self.0.unit().ln()).sqrt(), self.0.unit());
        (radius * (std::f64::consts::TAU * angle).cos()) as f32
    }

    fn vector(&mut self, dim: usize) -> Vec<f32> {
        (0..dim).map(|_| self.normal()).collect()
    }

    /// The vector and something of another.
    fn near(&mut self, vector: &[f32], noise: f32) -> Vec<f32> {
        vector.iter().map(|number| number + noise * self.normal()).collect()
    }

    fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..count).collect();
        (1..count).for_each(|last| order.swap(last, self.below(last + 1)));
        order
    }
}

/// The lowest row of each row's cluster, by comparing all pairs in f64.
fn plain(rows: &[Vec<f32>], threshold: f64) -> Vec<u32> {
    let mut roots: Vec<u32> = (0..rows.len() as u32).collect();
    for a in 0..rows.len() {
        for b in 0..a {
            let product: f64 =
                rows[a].iter().zip(&rows[b]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let length =
                |row: &[f32]| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let near = product / length(&rows[a]) / length(&rows[b]) >= threshold - 1e-12;
            let (from, to) = (roots[a].max(roots[b]), roots[a].min(roots[b]));
            if near && from != to {
                roots.iter_mut().filter(|root| **root == from).for_each(|root| *root = to);
            }
        }
    }
    roots
}

fn joined(rows: &[Vec<f32>], threshold: f64, exact_rows: usize) -> Joined {
    let limits = Limits { exact_rows, ..Limits::default() };
    join(&rows.concat(), rows[0].len(), threshold, limits).unwrap()
}

fn exact(rows: &[Vec<f32>], threshold: f64) -> Vec<u32> {
    joined(rows, threshold, usize::MAX).roots
}

/// Rows with equal, opposite, scaled and near ones among them.
fn some(numbers: &mut Numbers, count: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut rows: Vec<Vec<f32>> = vec![numbers.vector(dim)];
    while rows.len() < count {
        let of = rows[numbers.below(rows.len())].clone();
        let scaled = |factor: f32| of.iter().map(|number| number * factor).collect();
        let row = match numbers.below(8) {
            0 => of,
            1 => scaled(-1.0),
            2 => scaled(4.0),
            // Of rows that are not yet tiny.
            3 if of[0].abs() > 1e-9 => scaled(1e-30),
            4 | 5 => numbers.near(&of, 0.3),
            _ => numbers.vector(dim),
        };
        rows.push(row);
    }
    rows
}

#[test]
fn clusters_are_those_of_comparing_all_pairs() {
    let mut sizes = Vec::new();
    for set in 0..3000 {
        let mut numbers = Numbers::new(&set.to_string());
        let dim = [1, 2, 3, 7, 8, 16, 33][set % 7];
        let threshold = [1.0, 0.999, 0.92, 0.7, 0.3, 1e-9][set / 7 % 6];
        let count = 1 + numbers.below(40);
        let rows = some(&mut numbers, count, dim);
        let roots = exact(&rows, threshold);
        assert_eq!(roots, plain(&rows, threshold), "{set}: {rows:?} at {threshold}");
        sizes
            .push((roots.iter().enumerate().filter(|(row, root)| *row != **root as usize)).count());
    }
    // The sets are worth comparing.
    assert!(sizes.iter().filter(|joined| **joined > 2).count() > 2000);
}

#[test]
fn neither_blocks_nor_order_nor_threads_make_a_difference() {
    let mut numbers = Numbers::new("order");
    let rows = some(&mut numbers, 400, 24);
    let cosines = (0..400).flat_map(|a| (0..a).map(move |b| (a, b)));
    let cosines = cosines.map(|(a, b)| cosine(&rows[a], &rows[b]));
    let cosines: Vec<f64> = cosines.filter(|cosine| (0.85..0.999).contains(cosine)).collect();
    // Thresholds at which there is a pair, whatever f32 makes of it.
    for threshold in [cosines[0], cosines[cosines.len() / 2], cosines[cosines.len() - 1]] {
        for exact_rows in [usize::MAX, 10] {
            let first = joined(&rows, threshold, exact_rows);
            if exact_rows > 10 {
                assert_eq!(first.roots, plain(&rows, threshold));
            }
            for threads in [1, 2] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(pool.install(|| joined(&rows, threshold, exact_rows)), first);
            }
            let order = numbers.shuffled(rows.len());
            let moved: Vec<_> = order.iter().map(|row| rows[*row].clone()).collect();
            let moved = joined(&moved, threshold, exact_rows);
            assert_eq!((moved.pairs_compared, moved.recall), (first.pairs_compared, first.recall));
            let mut lowest = HashMap::new();
            let roots = order.iter().map(|row| first.roots[*row]).zip(0..);
            let roots: Vec<u32> =
                roots.map(|(root, at)| *lowest.entry(root).or_insert(at)).collect();
            assert_eq!(moved.roots, roots);
        }
    }
}

#[test]
fn the_index_finds_nearly_all_pairs() {
    let mut numbers = Numbers::new("index");
    let mut rows: Vec<Vec<f32>> = Vec::new();
    while rows.len() < 2500 {
        let centre = numbers.vector(48);
        // Single rows, pairs, and clusters larger than the index looks at.
        let (size, noise) =
            [(1, 0.0), (2, 0.2), (5, 0.25), (150, 0.3), (150, 1e-5)][numbers.below(5)];
        rows.extend((0..size).map(|_| numbers.near(&centre, noise)));
        // Equal rows, which the index does not see.
        rows.push(centre);
    }
    let all = exact(&rows, 0.9);
    let found = joined(&rows, 0.9, 100);
    let recall = found.recall.unwrap();
    assert_eq!(recall.rows, 500);
    assert!(recall.pairs > 1000 && recall.share().unwrap() >= 0.95, "{recall:?}");
    // What it measures is so: pairs are in one cluster only if they are so exactly.
    let wrong = (0..rows.len()).filter(|row| all[found.roots[*row] as usize] != all[*row]);
    assert_eq!(wrong.count(), 0);
    let missed = (0..rows.len()).filter(|row| all[*row] != found.roots[*row]).count();
    assert!(missed * 20 < rows.len(), "{missed}");
    assert!(found.pairs_compared < rows.len() as u64 * 48);
}

#[test]
fn an_index_that_misses_much_misses_the_same_on_any_number_of_threads() {
    let mut numbers = Numbers::new("threads");
    let vectors: Vec<f32> = (0..3000).flat_map(|_| numbers.vector(12)).collect();
    let rows = super::Rows::new(&vectors, 12, 0.8).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (distinct, mut clusters) = rows.distinct();
        pool.install(|| super::index::join(&rows, &distinct, 3, &mut clusters)).unwrap();
        clusters.roots()
    };
    let first = run(1);
    assert_ne!(
        first,
        joined(&vectors.chunks(12).map(<[f32]>::to_vec).collect::<Vec<_>>(), 0.8, 9999).roots
    );
    (0..6).for_each(|more| assert_eq!(run(1 + more), first));
}

#[test]
fn recall_counts_what_was_missed() {
    let mut numbers = Numbers::new("recall");
    let rows = some(&mut numbers, 60, 5);
    let vectors = rows.concat();
    let checked = super::Rows::new(&vectors, 5, 0.9).unwrap();
    let (distinct, _) = checked.distinct();
    let near = |a: u32, b: u32| a != b && cosine(checked.row(a), checked.row(b)) >= 0.9 - 1e-12;
    let pairs = |a: &u32| distinct.iter().filter(|b| near(*a, **b)).count() as u64;
    let pairs: u64 = distinct.iter().map(pairs).sum();
    let alone: Vec<u32> = (0..60).collect();
    let all = |found: u64| super::Recall { rows: distinct.len() as u64, pairs, found };
    assert!(pairs > 30);
    assert_eq!(super::index::recall(&checked, &distinct, &alone, 1000), all(0));
    assert_eq!(super::index::recall(&checked, &distinct, &[0; 60], 1000), all(pairs));
    assert_eq!(super::index::recall(&checked, &distinct, &alone, 7).rows, 7);
    assert_eq!(super::Recall { rows: 9, pairs: 0, found: 0 }.share(), None);
}

#[test]
fn a_cosine_is_exact_where_it_can_be() {
    let mut numbers = Numbers::new("cosine");
    for dim in [1, 7, 8, 9, 384] {
        let (a, b) = (numbers.vector(dim), numbers.vector(dim));
        let opposite: Vec<f32> = a.iter().map(|number| -number).collect();
        assert_eq!((cosine(&a, &a), cosine(&a, &opposite)), (1.0, -1.0));
        assert_eq!(cosine(&a, &b), cosine(&b, &a));
    }
    assert!((cosine(&[1.0, 0.0], &[1.0, 1.0]) - 0.5_f64.sqrt()).abs() < 1e-15);
    assert_eq!(cosine(&[f32::MAX; 9], &[f32::MAX; 9]), 1.0);
    assert!((cosine(&[1e-45; 9], &[f32::MAX; 9]) - 1.0).abs() < 1e-12);
}

#[test]
fn what_has_no_direction_is_an_error_with_its_row() {
    let refused = |vectors: &[f32], dim, threshold| {
        let error = join(vectors, dim, threshold, Limits::default()).unwrap_err();
        (error.kind, error.to_string())
    };
    let zeros = "the embedding of row 1: its vector has no direction: it is all zeros".to_owned();
    assert_eq!(refused(&[1.0, 0.0, 0.0, -0.0], 2, 0.9), (Kind::Data, zeros));
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let said =
            "the embedding of row 2: its vector holds a number that is not finite".to_owned();
        assert_eq!(refused(&[1.0, 1.0, 1.0, 1.0, wrong, 1.0], 2, 0.9), (Kind::Data, said));
    }
    assert_eq!(refused(&[1.0; 3], 2, 0.9).0, Kind::Data);
    assert_eq!(refused(&[], 0, 0.9).0, Kind::Data);
    for threshold in [0.0, -0.5, 1.5, f64::NAN] {
        assert_eq!(refused(&[1.0], 1, threshold).0, Kind::Usage, "{threshold}");
    }
    let none = join(&[], 3, 0.9, Limits::default()).unwrap();
    assert_eq!((none.roots, none.pairs_compared, none.recall), (Vec::new(), 0, None));
}
