//! Where a base prompt is in the attack prompt that was made of it: as it is, slightly changed, encoded,
//! or in pieces. Everything is found by trying: what a template can do to a prompt is done to it, and
//! the result looked for.

use super::pairs::Pair;
use super::pieces;
use crate::encode::{self, ENCODERS};
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// A change that keeps a prompt's words, and how a template writes it.
struct Variant {
    filter: &'static str,
    make: fn(&str) -> String,
}

/// What stands around a prompt's words without being one.
const AROUND: &str = " \n。？！.?!…";

/// The changes, the plainest first.
const VARIANTS: [Variant; 6] = [
    Variant { filter: "", make: str::to_owned },
    Variant { filter: " | trim", make: |text| text.trim().to_owned() },
    Variant {
        filter: " | split | join(\" \")",
        make: |text| text.split_whitespace().collect::<Vec<_>>().join(" "),
    },
    Variant { filter: " | trim | lower", make: |text| text.trim().to_lowercase() },
    Variant { filter: " | trim | upper", make: |text| text.trim().to_uppercase() },
    Variant {
        filter: " | trim(\" \\n。？！.?!…\")",
        make: |text| text.trim_matches(|c| AROUND.contains(c)).to_owned(),
    },
];

/// The number of the Caesar cipher among the encoders, after those without a key, and its keys.
const CAESAR: usize = ENCODERS.len();
const CAESAR_KEYS: Range<u32> = 1..26;

/// How a template calls an encoder.
fn filter(encoder: usize) -> &'static str {
    ENCODERS.get(encoder).map_or("caesar(key)", |encoder| encoder.name)
}

/// The text through every encoder and key that changes it: the encoder's number, the key, and what comes
/// out. An encoder without a key has the key 0.
fn encodings(text: &str) -> impl Iterator<Item = (usize, u32, String)> {
    let plain = ENCODERS.iter().enumerate().map(|(at, encoder)| (at, 0, (encoder.encode)(text)));
    let keyed = CAESAR_KEYS.map(|key| (CAESAR, key, encode::caesar(text, key)));
    plain.chain(keyed).filter(move |(_, _, encoded)| encoded != text)
}

/// What a template does to the prompt before it prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Form {
    encoder: Option<usize>,
    variant: usize,
}

impl Form {
    /// The prompt as it is, for pieces of it.
    pub const PLAIN: Self = Self { encoder: None, variant: 0 };

    /// The expression that a template prints.
    pub fn expression(self) -> String {
        let encoder = self.encoder.map(|at| format!(" | {}", filter(at)));
        format!("prompt{}{}", VARIANTS[self.variant].filter, encoder.unwrap_or_default())
    }
}

/// How quotes inside a piece are written where it stands in a string literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Escape {
    /// As they are.
    None,
    /// As in Python's double quotes.
    Double,
    /// As in Python's single quotes.
    Single,
}

impl Escape {
    /// The filters that a template applies.
    pub fn filters(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Double => " | python",
            Self::Single => {
                r#" | replace("\\", "\\\\") | replace("'", "\\'") | replace("\n", "\\n")"#
            }
        }
    }

    /// The same in Rust.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Double => encode::python(text),
            Self::Single => text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"),
        }
    }
}

/// What fills a hole in the frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// The whole prompt, in the form.
    Whole,
    /// The characters of the prompt from one to before another.
    Piece(Range<usize>),
    /// The encoder's key as a number.
    Key,
}

/// A hole in the frame: where it is in the attack's text, and what fills it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Bytes of the attack's text.
    pub at: Range<usize>,
    /// What fills it.
    pub fill: Fill,
}

/// One way to see an attack's text as a frame with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What is done to the prompt.
    pub form: Form,
    /// How pieces are escaped.
    pub escape: Escape,
    /// The encoder's key; 0 if it has none.
    pub key: u32,
    /// The holes in order.
    pub holes: Vec<Hole>,
}

/// What two rows share if one piece of a template makes both.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature {
    /// What is done to the prompt.
    pub form: Form,
    /// How pieces are escaped.
    pub escape: Escape,
    /// What fills the holes, by the first letter of its name.
    pub holes: String,
}

impl Found {
    /// What rows of one shape share.
    pub fn signature(&self) -> Signature {
        let letter = |hole: &Hole| match hole.fill {
            Fill::Whole => 'w',
            Fill::Piece(_) => 'p',
            Fill::Key => 'k',
        };
        let holes = self.holes.iter().map(letter).collect();
        Signature { form: self.form, escape: self.escape, holes }
    }

    /// The texts before, between and after the holes.
    pub fn gaps<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let starts = std::iter::once(0).chain(self.holes.iter().map(|hole| hole.at.end));
        let ends = self.holes.iter().map(|hole| hole.at.start).chain([text.len()]);
        starts.zip(ends).map(|(start, end)| &text[start..end]).collect()
    }

    fn frame(&self, text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.signature(), self.gaps(text)).hash(&mut hasher);
        hasher.finish()
    }
}

/// The way to see each of the rows that explains most of them alike; none where the base prompt is not
/// in the text in any form.
pub fn find(pairs: &[&Pair]) -> Vec<Option<Found>> {
    let candidates: Vec<Vec<(u64, Found)>> = pairs
        .par_iter()
        .map(|pair| {
            let found = candidates(&pair.base.prompt, &pair.text);
            found.into_iter().map(|found| (found.frame(&pair.text), found)).collect()
        })
        .collect();
    let mut frames: HashMap<u64, usize> = HashMap::new();
    let mut forms: HashMap<Form, usize> = HashMap::new();
    for row in &candidates {
        let mut seen: Vec<Form> = row.iter().map(|(_, found)| found.form).collect();
        seen.sort();
        seen.dedup();
        seen.into_iter().for_each(|form| *forms.entry(form).or_default() += 1);
        row.iter().for_each(|(frame, _)| *frames.entry(*frame).or_default() += 1);
    }
    // White space is cut off everywhere where that explains more rows than leaving it.
    let rank = |form: Form| {
        let count = |variant| forms.get(&Form { variant, ..form });
        let place = match form.variant {
            at @ (0 | 1) if count(1) > count(0) => 1 - at,
            at => at,
        };
        (form.encoder, place)
    };
    let best = |row: Vec<(u64, Found)>| {
        let ranked = row.into_iter().enumerate();
        let best = ranked.min_by_key(|(at, (frame, found))| {
            (std::cmp::Reverse(frames.get(frame).copied()), rank(found.form), *at)
        });
        best.map(|(_, (_, found))| found)
    };
    candidates.into_iter().map(best).collect()
}

/// The ways to see one row.
fn candidates(base: &str, text: &str) -> Vec<Found> {
    let variants: Vec<String> = VARIANTS.iter().map(|variant| (variant.make)(base)).collect();
    let mut found = Vec::new();
    for (variant, made) in variants.iter().enumerate() {
        let form = Form { encoder: None, variant };
        found.extend(occurrences(made, text).into_iter().map(|holes| Found {
            form,
            escape: Escape::None,
            key: 0,
            holes,
        }));
    }
    if found.is_empty() {
        for (variant, made) in variants.iter().enumerate() {
            for (encoder, key, encoded) in encodings(made) {
                let form = Form { encoder: Some(encoder), variant };
                found.extend(occurrences(&encoded, text).into_iter().map(|holes| {
                    let holes = if key > 0 { with_key(holes, text, key) } else { holes };
                    Found { form, escape: Escape::None, key, holes }
                }));
            }
        }
    }
    if found.is_empty() {
        found.extend(pieces::in_literals(base, text));
    }
    if found.is_empty() {
        found.extend(pieces::in_text(base, text));
    }
    found.retain(|found| found.holes.len() <= MAX_HOLES);
    found
}

/// Occurrences that are tried one by one where there are several.
const SINGLE: usize = 8;
/// More holes than this are no frame.
const MAX_HOLES: usize = 24;

/// The holes that a payload leaves: all its occurrences, or one of them while the others are frame.
fn occurrences(payload: &str, text: &str) -> Vec<Vec<Hole>> {
    if payload.is_empty() {
        return Vec::new();
    }
    let holes: Vec<Hole> = text
        .match_indices(payload)
        .map(|(at, _)| Hole { at: at..at + payload.len(), fill: Fill::Whole })
        .collect();
    match holes.len() {
        0 => Vec::new(),
        1 => vec![holes],
        _ => {
            let single: Vec<Vec<Hole>> =
                holes.iter().rev().take(SINGLE).map(|hole| vec![hole.clone()]).collect();
            let all = Some(holes).filter(|holes| holes.len() <= MAX_HOLES);
            all.into_iter().chain(single).collect()
        }
    }
}

/// The holes, and one for every number in the frame that is the key.
fn with_key(holes: Vec<Hole>, text: &str, key: u32) -> Vec<Hole> {
    let key = key.to_string();
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let numbers = text.match_indices(&key).map(|(at, _)| at..at + key.len()).filter(|at| {
        let before = at.start.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        let inside = |hole: &Hole| at.start < hole.at.end && hole.at.start < at.end;
        !digit(before) && !digit(text.as_bytes().get(at.end)) && !holes.iter().any(inside)
    });
    let numbers: Vec<Hole> = numbers.map(|at| Hole { at, fill: Fill::Key }).collect();
    let mut all = [holes, numbers].concat();
    all.sort_by_key(|hole| hole.at.start);
    all
}
