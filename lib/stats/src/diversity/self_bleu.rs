//! Self-BLEU: the mean BLEU-4 of each text, with all other texts as its references (Zhu et al.
//! 2018).
//!
//! BLEU is the geometric mean of the precisions of 1- to 4-grams, times the brevity penalty. A
//! text's n-gram counts as often as it is in that reference which has it most often; the reference
//! length is the closest one, of two the shorter. A precision without a match has 0.1 for its
//! matches (method 1 of Chen and Cherry 2014), also where the text is too short to have an n-gram:
//! 0.1 of 1. A text that shares no token with any other has BLEU 0. All this is as in NLTK, which
//! the authors of Self-BLEU used, but for the references: all others, not a sample.
//!
//! That takes no pairs of texts: the most often that *others* have an n-gram is the largest count
//! of any text, or, for the text that has it, the second largest.

use super::LONGEST;

/// Matches of a precision that has none.
const EPSILON: f64 = 0.1;

/// For each text, how many of its n-grams are matched by another: `add(text, matches)`, for each
/// n-gram. `occurrences` are n-grams with their texts, in order.
pub fn add_matches(occurrences: &[(u64, u32)], mut add: impl FnMut(usize, u64)) {
    for same in occurrences.chunk_by(|a, b| a.0 == b.0) {
        let counts = || same.chunk_by(|a, b| a.1 == b.1).map(|text| (text[0].1, text.len() as u64));
        let (mut first, mut owner, mut second) = (0, 0, 0);
        for (text, count) in counts() {
            if count > first {
                (second, first, owner) = (first, count, text);
            } else {
                second = second.max(count);
            }
        }
        for (text, count) in counts() {
            add(text as usize, count.min(if text == owner { second } else { first }));
        }
    }
}

/// Mean BLEU of all texts, given the matches of their n-grams; none of fewer than two.
pub fn mean(texts: &[Vec<u64>], matches: &[[u64; LONGEST]]) -> Option<f64> {
    let mut lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let bleu = |(text, matches): (&Vec<u64>, &[u64; LONGEST])| {
        bleu(text.len(), closest(&lengths, text.len()), matches)
    };
    let sum: f64 = texts.iter().zip(matches).map(bleu).sum();
    (texts.len() > 1).then(|| sum / texts.len() as f64)
}

/// The length closest to `length` of all but one text that has it; of two the shorter. `lengths`
/// ascend.
fn closest(lengths: &[usize], length: usize) -> usize {
    let start = lengths.partition_point(|&other| other < length);
    let end = lengths.partition_point(|&other| other <= length);
    if end - start > 1 {
        return length;
    }
    let shorter = start.checked_sub(1).map(|at| lengths[at]);
    match (shorter, lengths.get(end)) {
        (Some(shorter), Some(&longer)) if longer - length < length - shorter => longer,
        (Some(shorter), _) => shorter,
        (None, Some(&longer)) => longer,
        (None, None) => length,
    }
}

fn bleu(length: usize, reference: usize, matches: &[u64; LONGEST]) -> f64 {
    if matches[0] == 0 {
        return 0.0;
    }
    let precision = |(at, &matches): (usize, &u64)| {
        let ngrams = length.saturating_sub(at).max(1) as f64;
        (if matches == 0 { EPSILON } else { matches as f64 } / ngrams).ln()
    };
    let precisions = matches.iter().enumerate().map(precision).sum::<f64>() / LONGEST as f64;
    let brevity = (1.0 - reference as f64 / length as f64).min(0.0);
    (precisions + brevity).exp()
}
