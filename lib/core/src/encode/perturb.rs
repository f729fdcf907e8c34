//! Small random changes of a text that people still read.

use crate::random::Draws;

/// Words in five whose middle letters are scrambled, and letters in five that are capitals.
const OFTEN: u64 = 3;
/// One letter in so many becomes its neighbour in the alphabet.
const SELDOM: u64 = 16;

/// The perturbation of Best-of-N jailbreaking (Hughes et al. 2024): the middle letters of some words
/// scrambled, random capitals, and a few letters off by one. Words are of ASCII letters; each keeps its
/// length, its first and its last letter but for their case. The rest of the text is unchanged.
pub fn perturb(text: &str, draws: &mut Draws) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let same = |other: char| other.is_ascii_alphabetic() == c.is_ascii_alphabetic();
        let (part, tail) = rest.split_at(rest.find(|c| !same(c)).unwrap_or(rest.len()));
        match c.is_ascii_alphabetic() {
            true => word(part, draws, &mut out),
            false => out.push_str(part),
        }
        rest = tail;
    }
    out
}

fn word(word: &str, draws: &mut Draws, out: &mut String) {
    let mut letters: Vec<u8> = word.bytes().collect();
    if let [_, middle @ .., _] = letters.as_mut_slice() {
        if draws.below(5) < OFTEN {
            for at in (1..middle.len()).rev() {
                middle.swap(at, draws.below(at as u64 + 1) as usize);
            }
        }
        for letter in middle {
            if draws.below(SELDOM) == 0 {
                *letter = neighbour(*letter, draws.below(2) == 0);
            }
        }
    }
    for letter in letters {
        let case = match draws.below(5) < OFTEN {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        out.push(char::from(case));
    }
}

/// The letter before or after; at the alphabet's ends the only one there is.
fn neighbour(letter: u8, before: bool) -> u8 {
    match letter.to_ascii_lowercase() {
        b'a' => letter + 1,
        b'z' => letter - 1,
        _ if before => letter - 1,
        _ => letter + 1,
    }
}
