//! How diverse a set of texts is.
//!
//! Over token sequences, which the caller makes as hashes of tokens:
//! * Self-BLEU (Zhu et al. 2018): how much each text is like the others; lower is more diverse.
//! * distinct-n (Li et al. 2016): distinct n-grams over all n-grams, and the entropy of n-grams.
//!
//! Both depend on how many texts there are: Self-BLEU goes up with each text, distinct-n down.
//! Compare sets of one size: what was selected with as many drawn at random, say.

mod self_bleu;

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

/// The longest n-grams counted.
pub const LONGEST: usize = 4;

/// Measures of one set of texts.
#[derive(Clone, Debug, PartialEq)]
pub struct TextDiversity {
    /// How many texts.
    pub texts: u64,
    /// How many tokens they have.
    pub tokens: u64,
    /// Mean BLEU-4 of each text against all others, 0 to 1; none of fewer than two texts.
    pub self_bleu: Option<f64>,
    /// N-grams of 1 to [`LONGEST`] tokens.
    pub ngrams: [NGrams; LONGEST],
}

/// The n-grams of one length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NGrams {
    /// How many there are in all texts.
    pub total: u64,
    /// How many different ones.
    pub distinct: u64,
    /// distinct-n: `distinct` over `total`; none where there are no n-grams.
    pub distinct_share: Option<f64>,
    /// Entropy in bits; 0 where there are none.
    pub entropy: f64,
}

/// Measures texts, of which there are fewer than 2^32, each as the hashes of its tokens.
///
/// Cost: four sorts of all tokens; memory: some 40 bytes a token.
pub fn measure(texts: &[Vec<u64>]) -> TextDiversity {
    let mut matches = vec![[0; LONGEST]; texts.len()];
    let mut ngrams = [NGrams::default(); LONGEST];
    for (at, measures) in ngrams.iter_mut().enumerate() {
        let occurrences = occurrences(texts, at + 1);
        *measures = count(&occurrences);
        self_bleu::add_matches(&occurrences, |text, shared| matches[text][at] += shared);
    }
    TextDiversity {
        texts: texts.len() as u64,
        tokens: texts.iter().map(|text| text.len() as u64).sum(),
        self_bleu: self_bleu::mean(texts, &matches),
        ngrams,
    }
}

/// All n-grams with their texts, in order: the same n-grams side by side.
fn occurrences(texts: &[Vec<u64>], n: usize) -> Vec<(u64, u32)> {
    let of = |(at, text): (usize, &Vec<u64>)| {
        let ngrams = text.windows(n).map(move |ngram| (hash(ngram), at as u32));
        ngrams.collect::<Vec<_>>()
    };
    let mut all: Vec<(u64, u32)> = texts.par_iter().enumerate().flat_map_iter(of).collect();
    all.par_sort_unstable();
    all
}

fn hash(ngram: &[u64]) -> u64 {
    let mut bytes = [[0; 8]; LONGEST];
    for (bytes, token) in bytes.iter_mut().zip(ngram) {
        *bytes = token.to_le_bytes();
    }
    xxh3_64(bytes[..ngram.len()].as_flattened())
}

fn count(occurrences: &[(u64, u32)]) -> NGrams {
    let total = occurrences.len() as f64;
    let (mut distinct, mut entropy) = (0, 0.0);
    for same in occurrences.chunk_by(|a, b| a.0 == b.0) {
        let share = same.len() as f64 / total;
        distinct += 1;
        entropy -= share * share.log2();
    }
    let distinct_share = (distinct > 0).then(|| distinct as f64 / total);
    NGrams { total: occurrences.len() as u64, distinct, distinct_share, entropy }
}
