//! All pairs of texts whose sets of shingles are alike, exactly: no sampling, no hashing of sets.

use std::collections::HashMap;

/// The runs of `count` words in a text; the text's words where it has no more. A word is letters and
/// digits in lower case.
pub fn words(text: &str, count: usize) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    windows(&words, count).map(|words| words.join(" ")).collect()
}

/// The runs of `count` characters in a text, of its letters and digits.
pub fn grams(text: &str, count: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    windows(&letters, count).map(String::from_iter).collect()
}

fn windows<T>(items: &[T], count: usize) -> std::slice::Windows<'_, T> {
    items.windows(count.min(items.len()).max(1))
}

/// The pairs of sets with a Jaccard index of at least `least`.
///
/// Of two such sets, each has one of the other's shingles among its rarest: as many as may be lacking, and
/// one. So only sets that share one of these are compared.
pub fn near_pairs(sets: &[Vec<String>], least: f64) -> Vec<(usize, usize)> {
    let mut frequency: HashMap<&str, usize> = HashMap::new();
    sets.iter().flatten().for_each(|shingle| *frequency.entry(shingle).or_default() += 1);
    let mut by_rarity: Vec<(usize, &str)> = frequency.iter().map(|(s, n)| (*n, *s)).collect();
    by_rarity.sort_unstable();
    let ranks: HashMap<&str, u32> =
        by_rarity.iter().zip(0..).map(|((_, shingle), rank)| (*shingle, rank)).collect();
    let ranked = sets.iter().map(|set| {
        let mut ranked: Vec<u32> = set.iter().map(|shingle| ranks[shingle.as_str()]).collect();
        ranked.sort_unstable();
        ranked.dedup();
        ranked
    });
    let ranked: Vec<Vec<u32>> = ranked.collect();
    let mut known: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut near = Vec::new();
    for (this, set) in ranked.iter().enumerate() {
        let prefix = set.len() - (set.len() as f64 * least - 1e-9).ceil() as usize + 1;
        let rarest = &set[..prefix.min(set.len())];
        let mut others: Vec<usize> =
            rarest.iter().filter_map(|rank| known.get(rank)).flatten().copied().collect();
        others.sort_unstable();
        others.dedup();
        near.extend(
            others
                .into_iter()
                .filter(|&other| jaccard(set, &ranked[other]) >= least)
                .map(|other| (other, this)),
        );
        rarest.iter().for_each(|rank| known.entry(*rank).or_default().push(this));
    }
    near
}

/// The Jaccard index of two sorted sets.
fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let (mut at, mut shared) = (0, 0);
    for rank in a {
        while at < b.len() && b[at] < *rank {
            at += 1;
        }
        shared += usize::from(at < b.len() && b[at] == *rank);
    }
    shared as f64 / (a.len() + b.len() - shared) as f64
}

#[test]
fn no_pair_is_overlooked() {
    // Texts of few words, so that many are alike; compared with every pair in turn.
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let sets: Vec<Vec<String>> =
        (0..400).map(|_| (0..3 + draw(9)).map(|_| draw(12).to_string()).collect()).collect();
    let all = |set: &[String]| -> Vec<u32> {
        let mut set: Vec<u32> = set.iter().map(|word| word.parse().unwrap()).collect();
        set.sort_unstable();
        set.dedup();
        set
    };
    let mut expected = Vec::new();
    for b in 0..sets.len() {
        let near = |a: &usize| jaccard(&all(&sets[*a]), &all(&sets[b])) >= 0.8;
        expected.extend((0..b).filter(near).map(|a| (a, b)));
    }
    assert!(expected.len() > 100);
    assert_eq!(near_pairs(&sets, 0.8), expected);
    assert_eq!(words("It's 7, isn't it?", 3)[..2], ["it s 7", "s 7 isn"]);
    assert_eq!(grams("怎么，办？", 2), ["怎么", "么办"]);
    assert_eq!(grams("办", 2), ["办"]);
}
