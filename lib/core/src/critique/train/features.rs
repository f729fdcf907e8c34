//! A text as counts of hashed n-grams (feature hashing, Weinberger et al. 2009): words, and runs of
//! characters.
//!
//! Each kind of n-gram has buckets of its own, and a norm of its own, so that the many runs of
//! characters do not drown the words. Chinese and Japanese have no spaces: there, a character is a
//! word.

use std::sync::LazyLock;
use xxhash_rust::xxh3::xxh3_64;

/// A kind of n-gram, in the order of its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// One to three words of the response.
    Words,
    /// Two to five characters of the response.
    Characters,
    /// One to three words where the response opens, where a refusal stands.
    Opening,
    /// One to three words of the prompt.
    Prompt,
}

/// How many kinds there are.
pub(super) const SPACES: usize = 4;
const SPACE_BITS: u32 = 16;
/// How many buckets there are, of all kinds.
pub(super) const BUCKETS: usize = SPACES << SPACE_BITS;
/// How many characters of a response are its opening.
const OPENING: usize = 200;

/// A bucket and how often it was met, 1 to 255, in one number: bucket * 256 + times.
pub(super) type Feature = u32;

/// The bucket of a feature.
pub(super) fn bucket(feature: Feature) -> usize {
    (feature >> 8) as usize
}

/// The kind of a bucket.
pub(super) fn space(bucket: usize) -> usize {
    bucket >> SPACE_BITS
}

/// By count, what it is worth: 1 + ln(count), since the tenth time says less than the first.
pub(super) static WORTH: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|count| if count == 0 { 0.0 } else { 1.0 + (count as f32).ln() })
});

/// Normalised text, its characters, and where its words begin and end, and its opening ends.
#[derive(Debug, Default)]
struct Plain {
    text: String,
    characters: Vec<char>,
    words: Vec<(u32, u32)>,
    opening: u32,
}

/// Lower case, straight quotation marks, full-width forms narrow, a number as 0, a run of white
/// space as one space or line feed, no emphasis. Begins with a line feed, so that the opening can
/// be told.
fn plain(text: &str) -> Plain {
    let mut out = Plain { text: String::with_capacity(text.len() + 1), ..Plain::default() };
    out.characters.reserve(text.len() + 1);
    out.words.reserve(text.len() / 4);
    let (mut blank, mut last, mut open) = (Some('\n'), ' ', false);
    for c in text.chars() {
        let c = match c {
            'A'..='Z' => c.to_ascii_lowercase(),
            '1'..='9' => '0',
            '*' | '_' | '`' => continue,
            '\0'..='\x7f' => c,
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{201c}' | '\u{201d}' | '\u{300c}'..='\u{300f}' => '"',
            '\u{3002}' => '.',
            '\u{ff01}'..='\u{ff5e}' => {
                char::from_u32(c as u32 - 0xfee0).map_or(c, |c| c.to_ascii_lowercase())
            }
            _ => c.to_lowercase().next().unwrap_or(c),
        };
        if c.is_whitespace() {
            blank = Some(if c == '\n' || blank == Some('\n') { '\n' } else { ' ' });
            continue;
        }
        if let Some(c) = blank.take() {
            out.push(c);
            (last, open) = (c, false);
        }
        if c == '0' && last == '0' {
            continue;
        }
        let alone = ideograph(c);
        let part = alone || c.is_alphanumeric() || c == '\'' && open;
        let at = out.push(c);
        let end = out.text.len() as u32;
        match out.words.last_mut() {
            Some(word) if part && open && !alone => word.1 = end,
            _ if part => out.words.push((at, end)),
            _ => {}
        }
        (last, open) = (c, part && !alone);
    }
    out
}

impl Plain {
    fn push(&mut self, c: char) -> u32 {
        let at = self.text.len() as u32;
        if self.characters.len() < OPENING {
            self.opening = at;
        }
        self.characters.push(c);
        self.text.push(c);
        at
    }
}

/// Chinese characters and Japanese kana.
fn ideograph(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Calls `with` for the bucket and the text of every n-gram; runs of characters have no text.
fn each(prompt: Option<&str>, response: &Plain, mut with: impl FnMut(usize, &str)) {
    let place = |kind: Space, hash: u64| (kind as usize) << SPACE_BITS | (hash >> 48) as usize;
    words(response, |text, from| {
        let hash = xxh3_64(text.as_bytes());
        with(place(Space::Words, hash), text);
        if from <= response.opening {
            with(place(Space::Opening, hash), text);
        }
    });
    for at in 0..response.characters.len() {
        let run = &response.characters[at..response.characters.len().min(at + 5)];
        // Runs that begin with the same characters share the work (a hash of Fowler, Noll and Vo's
        // kind).
        let mut hash = 0;
        for (length, c) in run.iter().enumerate() {
            hash = (hash ^ u64::from(u32::from(*c))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if length > 0 {
                with(place(Space::Characters, hash), "");
            }
        }
    }
    if let Some(prompt) = prompt {
        let mut meet = |text: &str| with(place(Space::Prompt, xxh3_64(text.as_bytes())), text);
        words(&plain(prompt), |text, _| meet(text));
    }
}

/// One to three words that follow each other, with what stands between them, and where they begin.
fn words(plain: &Plain, mut with: impl FnMut(&str, u32)) {
    for (at, (from, _)) in plain.words.iter().enumerate() {
        for (_, to) in plain.words.iter().skip(at).take(3) {
            with(&plain.text[*from as usize..*to as usize], *from);
        }
    }
}

/// The features of a response and its prompt, each bucket once, in the order of the text.
pub(super) fn count(prompt: Option<&str>, response: &str) -> Vec<Feature> {
    let response = plain(response);
    // The most n-grams there can be: the table is never full.
    let (runs, words) = (response.characters.len() * 4, response.words.len() * 3);
    let met = runs + words + 3 * OPENING + prompt.map_or(0, |prompt| prompt.len() * 2);
    let size = (met + met / 2).next_power_of_two().min(BUCKETS * 2);
    let mut table: Vec<Feature> = vec![0; size];
    let mut taken: Vec<u32> = Vec::with_capacity(met.min(BUCKETS));
    each(prompt, &response, |bucket, _| {
        let mut slot = bucket & (size - 1);
        while table[slot] != 0 && (table[slot] >> 8) as usize != bucket {
            slot = (slot + 1) & (size - 1);
        }
        match table[slot] {
            0 => {
                table[slot] = (bucket as u32) << 8 | 1;
                taken.push(slot as u32);
            }
            entry => table[slot] = entry + u32::from(entry & 255 < 255),
        }
    });
    taken.iter_mut().for_each(|slot| *slot = table[*slot as usize]);
    taken
}

/// The text of every n-gram of words of a response, with its bucket.
pub(super) fn readable(response: &str, mut with: impl FnMut(usize, &str)) {
    each(None, &plain(response), |bucket, text| {
        if space(bucket) != Space::Characters as usize {
            with(bucket, text);
        }
    });
}
