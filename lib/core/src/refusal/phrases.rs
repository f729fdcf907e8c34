//! Finding phrases in normalised text.

use super::text::straight;
use crate::{Error, Result};
use aho_corasick::packed::{Config, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};
use std::collections::BTreeSet;

/// Bytes of a phrase that the vector search looks for: of one in Chinese, the first character.
const OPENER: usize = 4;
const CHARACTER: usize = 3;

/// More ways to begin in one vector search make most of its finds false: two of half as many take half
/// the time.
const OPENERS: usize = 16;

/// Phrases that are found from left to right, the longest first, on whole words.
#[derive(Debug)]
pub(super) struct Phrases {
    pub texts: Vec<String>,
    /// Bytes of the longest phrase.
    pub longest: usize,
    finder: AhoCorasick,
}

impl Phrases {
    pub fn new(texts: &[String]) -> Result<Self> {
        let texts: Vec<_> = texts.iter().map(|t| straight(t)).collect();
        if texts.contains(&String::new()) {
            return Err(Error::usage("phrases", "an empty phrase would be found everywhere"));
        }
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&texts)
            .map_err(|e| Error::usage("phrases", e))?;
        Ok(Self { texts, longest, finder })
    }

    /// The first phrase that does not begin or end inside an ASCII word: from, to, number.
    pub fn next(&self, text: &[u8], mut range: std::ops::Range<usize>) -> Option<[usize; 3]> {
        let word = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
        while let Some(m) = self.finder.find(Input::new(text).range(range.clone())) {
            let (from, to) = (m.start(), m.end());
            let inside = from > 0 && word(from - 1) && word(from);
            if !inside && !(word(to - 1) && (word(to) || text[to..].starts_with(b"'t"))) {
                return Some([from, to, m.pattern().as_usize()]);
            }
            range.start = from + 1;
        }
        None
    }

    /// The word that comes within `reach` bytes and in the same sentence.
    pub fn follows(&self, text: &[u8], end: usize, reach: usize) -> Option<&str> {
        let stop = text.len().min(end + reach + self.longest);
        let [from, _, word] = self.next(text, end..stop)?;
        let between = &text[end..from];
        let near = between.len() <= reach && !between.iter().any(|b| b"\n.!?;".contains(b));
        near.then_some(self.texts[word].trim())
    }
}

/// Tells whether any of some phrases is there, at the speed of vector searches for how they begin.
#[derive(Debug)]
pub(super) struct Openers {
    /// Of phrases in ASCII, and of the others. None where the machine has no vectors.
    openers: Option<[Vec<Searcher>; 2]>,
    phrases: AhoCorasick,
}

impl Openers {
    /// Phrases in normalised form.
    pub fn new(texts: &[&str]) -> Result<Self> {
        let phrases = AhoCorasick::builder()
            .start_kind(StartKind::Anchored)
            .kind(Some(AhoCorasickKind::DFA))
            .build(texts)
            .map_err(|e| Error::usage("phrases", e))?;
        let openers = |ascii: bool| searchers(texts.iter().filter(|t| t.is_ascii() == ascii));
        let openers = openers(true).and_then(|ascii| Some([ascii, openers(false)?]));
        Ok(Self { openers, phrases })
    }

    /// Whether one of the phrases may begin at `at` or later.
    pub fn begin_in(&self, text: &[u8], at: usize) -> bool {
        let Some([ascii, other]) = &self.openers else { return true };
        let other = if text[at..].is_ascii() { &[][..] } else { other };
        ascii.iter().chain(other).any(|openers| self.begins(openers, text, at))
    }

    fn begins(&self, openers: &Searcher, text: &[u8], mut at: usize) -> bool {
        while let Some(m) = openers.find_in(text, (at..text.len()).into()) {
            let here = Input::new(text).range(m.start()..).anchored(Anchored::Yes);
            if self.phrases.is_match(here) {
                return true;
            }
            at = m.start() + 1;
        }
        false
    }
}

/// Vector searches that find how these phrases begin, of few beginnings each.
fn searchers<'a>(texts: impl Iterator<Item = &'a &'a str>) -> Option<Vec<Searcher>> {
    let opener = |text: &&'a str| {
        let length = if text.is_ascii() { OPENER } else { CHARACTER };
        &text.as_bytes()[..length.min(text.len())]
    };
    let openers: Vec<_> = texts.map(opener).collect::<BTreeSet<_>>().into_iter().collect();
    let share = openers.len().div_ceil(openers.len().div_ceil(OPENERS).max(1)).max(1);
    openers.chunks(share).map(|few| Config::new().builder().extend(few).build()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_by_how_it_begins_wherever_it_stands() {
        // More ways to begin than one search takes; one of them short, one in two languages.
        let many = ('a'..='z').flat_map(|c| [format!("{c} must not"), format!("not {c} at all")]);
        let odd =
            ["no", "我不能", "我很抱歉", "ai助手不", "naïve of me", "请勿"].map(str::to_owned);
        let phrases: Vec<String> = many.chain(odd).collect();
        let texts: Vec<&str> = phrases.iter().map(String::as_str).collect();
        let openers = Openers::new(&texts).unwrap();
        for filler in ["a dry leaf, ", "米饭很好，", "我很好，q must n"] {
            for (phrase, times) in phrases.iter().flat_map(|p| (0..20).map(move |n| (p, n))) {
                let before = filler.repeat(times);
                assert!(!openers.begin_in(before.as_bytes(), 0), "{before}");
                for after in ["", filler] {
                    let text = format!("{before}{phrase}{after}");
                    assert!(openers.begin_in(text.as_bytes(), 0), "{text}");
                    assert!(openers.begin_in(text.as_bytes(), before.len()), "{text}");
                }
            }
        }
    }
}
