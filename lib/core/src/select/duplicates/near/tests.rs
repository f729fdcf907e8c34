//! The join against brute force: every pair compared.

use super::*;
use crate::random::Draws;
use crate::select::duplicates::normal::Normal;
use crate::select::duplicates::shingle::{Cutter, Shingles};
use std::collections::{BTreeMap, BTreeSet};

const PLENTY: usize = 64 << 20;

fn cut(texts: &[String], shingles: Shingles) -> Cuts {
    let (mut cutter, mut cuts) = (Cutter::new(Normal::default(), shingles), Cuts::default());
    texts.iter().for_each(|text| cutter.cut(text, None, &mut cuts));
    // A row without text is near no other.
    cuts.push_none();
    cuts.push_none();
    cuts
}

fn near(cuts: &Cuts, threshold: f64, memory: usize) -> Near {
    let threshold = Threshold::new(threshold).unwrap();
    let limits = Limits { shingles: cuts.shingles() as u64, memory };
    let mut counting = Counting::new(threshold, limits);
    counting.count(cuts);
    let mut collecting = counting.finish();
    let block = collecting.candidates(0, cuts);
    collecting.add(&block).unwrap();
    collecting.clusters(cuts.len()).unwrap()
}

fn roots(clusters: &mut Clusters) -> Vec<u32> {
    (0..clusters.rows() as u32).map(|row| clusters.root(row)).collect()
}

fn sets(cuts: &Cuts) -> Vec<BTreeSet<u64>> {
    (0..cuts.len()).map(|text| cuts.get(text).iter().copied().collect()).collect()
}

fn index(a: &BTreeSet<u64>, b: &BTreeSet<u64>) -> f64 {
    let shared = a.intersection(b).count();
    shared as f64 / (a.len() + b.len() - shared) as f64
}

fn brute_force(cuts: &Cuts, threshold: f64) -> Vec<u32> {
    let sets = sets(cuts);
    let mut clusters = Clusters::new(sets.len());
    for b in 0..sets.len() {
        for a in (0..b).filter(|_| !sets[b].is_empty()) {
            if index(&sets[a], &sets[b]) >= threshold {
                clusters.join(a as u32, b as u32);
            }
        }
    }
    roots(&mut clusters)
}

/// Texts of few different tokens, some of them an earlier one with a few changes: many are near.
fn texts(draws: &mut Draws, chinese: bool) -> Vec<String> {
    let count = 2 + draws.below(40) as usize;
    let kinds = 2 + draws.below(60);
    let mut texts: Vec<Vec<u64>> = Vec::new();
    for _ in 0..count {
        let mut text: Vec<u64> = match texts.len() as u64 {
            earlier if earlier > 0 && draws.below(3) > 0 => {
                texts[draws.below(earlier) as usize].clone()
            }
            _ => (0..draws.below(30)).map(|_| draws.below(kinds)).collect(),
        };
        for _ in 0..draws.below(4) {
            let at = draws.below(text.len() as u64 + 1) as usize;
            match draws.below(3) {
                0 => text.insert(at, draws.below(kinds)),
                1 if at < text.len() => drop(text.remove(at)),
                _ => {}
            }
        }
        texts.push(text);
    }
    let token = |token: &u64| match chinese {
        true => char::from_u32(0x4e00 + *token as u32).unwrap().to_string(),
        false => format!("w{token} "),
    };
    texts.iter().map(|text| text.iter().map(token).collect()).collect()
}

const THRESHOLDS: [f64; 9] = [0.3, 0.4, 0.5, 0.61, 2.0 / 3.0, 0.75, 0.8, 0.9, 1.0];

#[test]
fn the_clusters_are_those_of_brute_force() {
    let mut draws = Draws::new(0, "near", "");
    let mut joined = 0;
    for case in 0..3000 {
        let shingles = Shingles {
            words: Some(1 + draws.below(3) as usize),
            chars: Some(1 + draws.below(5) as usize),
        };
        let cuts = cut(&texts(&mut draws, case % 2 == 0), shingles);
        let threshold = THRESHOLDS[case % THRESHOLDS.len()];
        let expected = brute_force(&cuts, threshold);
        for memory in [PLENTY, 1 << 10] {
            let found = roots(&mut near(&cuts, threshold, memory).clusters);
            assert_eq!(found, expected, "case {case}, threshold {threshold}, {memory} bytes");
        }
        joined += expected.iter().zip(0..).filter(|(root, row)| **root != *row).count();
    }
    assert!(joined > 10_000, "{joined}");
}

#[test]
fn clusters_do_not_depend_on_the_order_of_rows() {
    let mut draws = Draws::new(0, "order", "");
    for case in 0..300 {
        let mut texts = texts(&mut draws, case % 2 == 0);
        let threshold = THRESHOLDS[case % THRESHOLDS.len()];
        // Which texts are together, as sets of texts.
        let together = |texts: &[String]| -> BTreeSet<Vec<String>> {
            let cuts = cut(texts, Shingles::default());
            let mut clusters: BTreeMap<u32, Vec<String>> = BTreeMap::new();
            let roots = roots(&mut near(&cuts, threshold, PLENTY).clusters);
            for (root, text) in roots.into_iter().zip(texts) {
                clusters.entry(root).or_default().push(text.clone());
            }
            clusters
                .into_values()
                .map(|mut texts| {
                    texts.sort();
                    texts
                })
                .collect()
        };
        let before = together(&texts);
        for at in (1..texts.len()).rev() {
            texts.swap(at, draws.below(at as u64 + 1) as usize);
        }
        assert_eq!(together(&texts), before, "case {case}");
    }
}

#[test]
fn similarities_are_jaccard_indices() {
    let mut draws = Draws::new(0, "similarities", "");
    for case in 0..300 {
        let cuts = cut(&texts(&mut draws, false), Shingles { words: Some(2), chars: None });
        let all = sets(&cuts);
        for memory in [PLENTY, 1 << 10] {
            let mut near = near(&cuts, 0.4, memory);
            let roots = roots(&mut near.clusters);
            let pairs: Vec<(u32, u32)> = (0..).zip(roots).filter(|(a, b)| a != b).collect();
            let found = near.similarities(&pairs).unwrap();
            for (&(a, b), found) in pairs.iter().zip(found) {
                assert_eq!(found, index(&all[a as usize], &all[b as usize]), "case {case}");
            }
        }
    }
}

/// All pairs, each side of which is even or odd.
#[derive(Default)]
struct Across(BTreeMap<(u32, u32), (u32, u32)>);

impl Pairs for Across {
    fn group(&mut self, row: u32) -> u32 {
        row % 2
    }

    fn near(&mut self, row: u32, other: u32, shared: u32, all: u32) -> bool {
        let twice = self.0.insert((row.min(other), row.max(other)), (shared, all));
        assert_eq!(twice, None);
        true
    }
}

#[test]
fn pairs_across_two_groups_come_once_each_with_their_overlap() {
    let mut draws = Draws::new(0, "across", "");
    for case in 0..600 {
        let cuts =
            cut(&texts(&mut draws, case % 2 == 0), Shingles { words: Some(1), chars: Some(2) });
        let (sets, threshold) = (sets(&cuts), THRESHOLDS[case % THRESHOLDS.len()]);
        let limits = Limits { shingles: 1, memory: if case % 3 == 0 { 1 << 10 } else { PLENTY } };
        let mut counting = Counting::new(Threshold::new(threshold).unwrap(), limits);
        counting.count(&cuts);
        let mut collecting = counting.finish();
        let block = collecting.candidates(0, &cuts);
        collecting.add(&block).unwrap();
        let mut across = Across::default();
        let firsts: BTreeMap<u32, u32> =
            collecting.pairs(&mut across).unwrap().into_iter().collect();
        let distinct = (0..sets.len() as u32)
            .filter(|row| !firsts.contains_key(row) && !sets[*row as usize].is_empty());
        let distinct: Vec<u32> = distinct.collect();
        let mut expected = BTreeMap::new();
        for (at, &b) in distinct.iter().enumerate() {
            for &a in distinct[..at].iter().filter(|a| *a % 2 != b % 2) {
                let (x, y) = (&sets[a as usize], &sets[b as usize]);
                let shared = x.intersection(y).count();
                if index(x, y) >= threshold {
                    expected.insert((a, b), (shared as u32, (x.len() + y.len() - shared) as u32));
                }
            }
        }
        assert_eq!(across.0, expected, "case {case}");
    }
}
