//! Against the definitions, computed in the plainest way.

use super::super::diverse::{Cosine, Jaccard};
use super::super::sets::{Sets, jaccard};
use super::*;
use crate::random::Draws;
use std::collections::HashMap;

fn texts(draws: &mut Draws) -> Vec<Vec<u64>> {
    let words = 1 + draws.below(12);
    let mut text = |_| (0..draws.below(12)).map(|_| draws.below(words)).collect();
    (0..9).map(&mut text).collect::<Vec<_>>().split_off(words as usize % 10)
}

fn counts(text: &[u64], n: usize) -> HashMap<&[u64], u64> {
    let mut counts = HashMap::new();
    text.windows(n).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

/// BLEU-4 of a text against references, as defined.
fn naive_bleu(text: &[u64], references: &[&[u64]]) -> f64 {
    let mut product = 1.0;
    for n in 1..=4 {
        let own = counts(text, n);
        let most = |ngram: &[u64]| {
            references.iter().filter_map(|other| counts(other, n).get(ngram).copied()).max()
        };
        let matched: u64 =
            own.iter().map(|(ngram, &count)| count.min(most(ngram).unwrap_or(0))).sum();
        let all = own.values().sum::<u64>().max(1) as f64;
        if n == 1 && matched == 0 {
            return 0.0;
        }
        product *= if matched == 0 { 0.1 / all } else { matched as f64 / all };
    }
    let closest = references.iter().map(|other| other.len());
    let closest = closest.min_by_key(|&other| (other.abs_diff(text.len()), other)).unwrap() as f64;
    let length = text.len() as f64;
    let brevity = if length > closest { 1.0 } else { (1.0 - closest / length).exp() };
    brevity * f64::powf(product, 0.25)
}

#[test]
fn self_bleu_is_the_mean_bleu_against_all_others() {
    let mut scores = 0.0;
    for case in 0..500 {
        let texts = texts(&mut Draws::new(case, "bleu", ""));
        let bleu = |at: usize| {
            let others = texts.iter().enumerate().filter(|(other, _)| *other != at);
            naive_bleu(&texts[at], &others.map(|(_, text)| &text[..]).collect::<Vec<_>>())
        };
        let measured = measure(&texts).self_bleu;
        assert_eq!(measured.is_some(), texts.len() > 1);
        if let Some(measured) = measured {
            let expected = (0..texts.len()).map(bleu).sum::<f64>() / texts.len() as f64;
            assert!((measured - expected).abs() < 1e-12, "case {case}: {measured}, {expected}");
            scores += measured;
        }
    }
    assert!((50.0..450.0).contains(&scores), "{scores}");
}

#[test]
fn ngrams_are_counted_as_defined() {
    for case in 0..200 {
        let texts = texts(&mut Draws::new(case, "ngrams", ""));
        let measured = measure(&texts);
        assert_eq!(measured.texts, texts.len() as u64);
        assert_eq!(measured.tokens, measured.ngrams[0].total);
        for (at, measured) in measured.ngrams.iter().enumerate() {
            let mut all: HashMap<&[u64], u64> = HashMap::new();
            for (ngram, count) in texts.iter().flat_map(|text| counts(text, at + 1)) {
                *all.entry(ngram).or_default() += count;
            }
            let total: u64 = all.values().sum();
            assert_eq!((measured.total, measured.distinct), (total, all.len() as u64));
            let share = |count: &u64| *count as f64 / total as f64;
            let entropy: f64 = all.values().map(|count| -share(count) * share(count).log2()).sum();
            assert!((measured.entropy - entropy).abs() < 1e-12);
            let distinct_share = (total > 0).then(|| all.len() as f64 / total as f64);
            assert_eq!(measured.distinct_share, distinct_share);
        }
    }
}

#[test]
fn texts_that_are_all_the_same_are_least_diverse() {
    let measured = measure(&vec![vec![1, 2, 3, 4]; 3]);
    assert_eq!(measured.self_bleu, Some(1.0));
    let entropies = measured.ngrams.map(|ngrams| ngrams.entropy);
    assert_eq!(entropies, [2.0, 3f64.log2(), 1.0, 0.0]);
    assert_eq!(measured.ngrams[3].distinct_share, Some(1.0 / 3.0));
}

#[test]
fn coverage_is_of_the_nearest_kept() {
    let mut draws = Draws::new(0, "coverage", "");
    let mut sets = Sets::default();
    for _ in 0..200 {
        sets.push(&(0..draws.below(8)).map(|_| draws.below(20)).collect::<Vec<_>>());
    }
    let kept = [3, 77, 150, 151];
    let nearest = |item| kept.map(|kept| jaccard(sets.get(item), sets.get(kept)));
    let mut nearest: Vec<f64> =
        (0..sets.len()).map(|item| nearest(item).into_iter().fold(0.0, f64::max)).collect();
    nearest.sort_by(f64::total_cmp);
    let measured = coverage(&Jaccard::new(&sets), &kept).unwrap();
    assert!((measured.mean - nearest.iter().sum::<f64>() / 200.0).abs() < 1e-8);
    assert!((measured.low - nearest[9]).abs() < 1e-8);
    assert_eq!(coverage(&Jaccard::new(&sets), &[]), None);
    let opposite = Cosine::new(&[2.0, 0.0, -1.0, 0.0], 2);
    assert_eq!(coverage(&opposite, &[0]), Some(Coverage { mean: 0.0, low: -1.0 }));
}
