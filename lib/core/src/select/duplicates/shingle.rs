//! Shingles: the runs of n words, or of n characters in scripts that put no spaces between words, whose sets
//! are compared by their Jaccard index |A ∩ B| / |A ∪ B| (Broder 1997).
//!
//! A shingle is a 64-bit hash. That two different shingles of one pair of texts have the same hash, and the
//! overlap comes out one too high, has a chance of about 1 in 10^12 for texts of a hundred words (56 of the bits
//! are compared).

use crate::select::duplicates::normal::Normal;
use xxhash_rust::xxh3::xxh3_64;

/// How texts are cut; at least one of the two is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shingles {
    /// Words of a shingle; none: all texts are cut into characters.
    pub words: Option<usize>,
    /// Characters of a shingle, white space left out; none: all texts are cut into words.
    pub chars: Option<usize>,
}

impl Default for Shingles {
    fn default() -> Self {
        Self { words: Some(3), chars: Some(5) }
    }
}

impl Shingles {
    /// Reads `words:3,chars:5`, or one of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut shingles = Self { words: None, chars: None };
        for part in text.split(',') {
            let (name, count) = part.split_once(':').unwrap_or((part, ""));
            let count = count.trim().parse().ok().filter(|count| (1..=100).contains(count));
            let count = Some(
                count.ok_or_else(|| format!("`{part}`: write words:N or chars:N, N 1 to 100"))?,
            );
            match name.trim() {
                "words" => shingles.words = count,
                "chars" => shingles.chars = count,
                _ => return Err(format!("`{part}`: write words:N or chars:N")),
            }
        }
        Ok(shingles)
    }

    /// Whether a text is cut into characters, and how many of them.
    fn chars_of(&self, text: &[u8], language: Option<&str>) -> Option<usize> {
        let chars = self.chars?;
        let without_spaces = match (self.words, language) {
            (None, _) => true,
            (Some(_), Some(tag)) => writes_no_spaces(tag),
            (Some(_), None) => mostly_without_spaces(text),
        };
        without_spaces.then_some(chars)
    }
}

/// Languages written without spaces between words; Korean and Vietnamese have them.
const NO_SPACES: [&str; 11] = ["zh", "ja", "th", "lo", "km", "my", "bo", "dz", "yue", "wuu", "hak"];

fn writes_no_spaces(tag: &str) -> bool {
    let primary = tag.split(['-', '_']).next().unwrap_or(tag);
    NO_SPACES.iter().any(|language| language.eq_ignore_ascii_case(primary))
}

/// Whether at least half of a text's letters and digits are of a script without spaces.
fn mostly_without_spaces(text: &[u8]) -> bool {
    if text.is_ascii() {
        return false;
    }
    let (mut without, mut all) = (0, 0);
    for c in chars(text).filter(|c| c.is_alphanumeric()) {
        all += 1;
        without += usize::from(matches!(c as u32,
            // Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han.
            0x0e00..=0x0fff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff
            | 0x3400..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff));
    }
    2 * without >= all && all > 0
}

/// The shingles of several texts, one text after the other. A row without text has none; a text, however
/// short, has one at least.
#[derive(Default)]
pub struct Cuts {
    ends: Vec<usize>,
    hashes: Vec<u64>,
}

impl Cuts {
    /// Room for so many texts, of so many bytes: a Chinese character has three, a word more.
    pub fn with_capacity(texts: usize, bytes: usize) -> Self {
        Self { ends: Vec::with_capacity(texts), hashes: Vec::with_capacity(bytes / 3 + texts) }
    }

    /// How many texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The hashes of a text's shingles, as often as they come.
    pub fn get(&self, text: usize) -> &[u64] {
        let start = if text == 0 { 0 } else { self.ends[text - 1] };
        &self.hashes[start..self.ends[text]]
    }

    /// Shingles of all texts.
    pub fn shingles(&self) -> usize {
        self.hashes.len()
    }

    /// A row without text.
    pub fn push_none(&mut self) {
        self.ends.push(self.hashes.len());
    }
}

/// Cuts texts; holds the buffers that one text after the other uses.
#[derive(Default)]
pub struct Cutter {
    normal: Normal,
    shingles: Shingles,
    text: Vec<u8>,
    tokens: Vec<u64>,
}

impl Cutter {
    /// A cutter of texts in that form.
    pub fn new(normal: Normal, shingles: Shingles) -> Self {
        Self { normal, shingles, ..Self::default() }
    }

    /// Appends the text's shingles. A text too short for one shingle is a shingle as a whole. A known language
    /// decides between words and characters; otherwise the script does.
    pub fn cut(&mut self, text: &str, language: Option<&str>, cuts: &mut Cuts) {
        let size = self.tokenise(text, language);
        runs(&self.tokens, size, &mut cuts.hashes);
        cuts.ends.push(cuts.hashes.len());
    }

    /// The shingles of a text that has enough tokens for one.
    pub fn full_runs(&mut self, text: &str, language: Option<&str>) -> Vec<u64> {
        let size = self.tokenise(text, language);
        let mut all = Vec::new();
        if self.tokens.len() >= size {
            runs(&self.tokens, size, &mut all);
        }
        all
    }

    /// The hashes of the text's tokens in order: words, or characters.
    pub fn tokens(&mut self, text: &str, language: Option<&str>) -> &[u64] {
        self.tokenise(text, language);
        &self.tokens
    }

    /// Fills `tokens`; how many make a shingle.
    fn tokenise(&mut self, text: &str, language: Option<&str>) -> usize {
        self.normal.write(text, &mut self.text);
        self.tokens.clear();
        if let Some(size) = self.shingles.chars_of(&self.text, language) {
            characters(&self.text, &mut self.tokens);
            return size;
        }
        words(&self.text, &mut self.tokens);
        if self.tokens.is_empty() {
            // Without a letter or digit, `?!` would be the same as `...`.
            characters(&self.text, &mut self.tokens);
        }
        self.shingles.words.unwrap_or(1)
    }
}

/// The characters of UTF-8. It comes from a text, so that it need not be checked.
fn chars(text: &[u8]) -> impl Iterator<Item = char> {
    let mut bytes = text.iter();
    std::iter::from_fn(move || {
        let first = u32::from(*bytes.next()?);
        let mut rest = |bits: u32| bits << 6 | bytes.next().map_or(0, |b| u32::from(b & 0x3f));
        let code = match first {
            0..0x80 => first,
            0x80..0xe0 => rest(first & 0x1f),
            0xe0..0xf0 => {
                let high = rest(first & 0x0f);
                rest(high)
            }
            _ => {
                let high = rest(first & 0x07);
                let high = rest(high);
                rest(high)
            }
        };
        Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    })
}

/// The characters that are not white space.
fn characters(text: &[u8], tokens: &mut Vec<u64>) {
    tokens.reserve(text.len() / 2);
    let mut at = 0;
    while at < text.len() {
        // The common ones by hand: decoding is what this costs.
        let code = match text[at..] {
            [a @ 0..0x80, ..] => {
                at += 1;
                u32::from(a)
            }
            [a @ 0xe4..=0xe9, b, c, ..] => {
                at += 3;
                let bits = [(a & 0x0f, 12), (b & 0x3f, 6), (c & 0x3f, 0)];
                bits.into_iter().map(|(bits, place)| u32::from(bits) << place).sum()
            }
            _ => {
                let c = chars(&text[at..]).next().unwrap_or(char::REPLACEMENT_CHARACTER);
                at += c.len_utf8();
                if c.is_whitespace() { 0x20 } else { c as u32 }
            }
        };
        if !matches!(code, 0x09..=0x0d | 0x20) {
            tokens.push(mixed(u64::from(code) + 1));
        }
    }
}

/// The runs of letters and digits.
fn words(text: &[u8], tokens: &mut Vec<u64>) {
    if text.is_ascii() {
        let words = text.split(|byte| !byte.is_ascii_alphanumeric());
        return tokens.extend(words.filter(|word| !word.is_empty()).map(word_hash));
    }
    let (mut at, mut start) = (0, None);
    for c in chars(text) {
        match (start, c.is_alphanumeric()) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                tokens.push(word_hash(&text[from..at]));
                start = None;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    tokens.extend(start.map(|from| word_hash(&text[from..])));
}

/// Words of up to seven bytes are a number as they are, which is quicker than hashing them.
fn word_hash(word: &[u8]) -> u64 {
    if word.len() > 7 {
        return xxh3_64(word);
    }
    let number = word.iter().fold(word.len() as u64, |number, byte| number << 8 | u64::from(*byte));
    mixed(number)
}

/// The hashes of the runs of `size` tokens: polynomials of the tokens, which are spread over all bits already.
fn runs(tokens: &[u64], size: usize, out: &mut Vec<u64>) {
    /// Odd, so that no token is lost in the product.
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
    let size = size.min(tokens.len()).max(1);
    // What a token has been multiplied with when it leaves the run.
    let leaving = (0..size).fold(1u64, |power, _| power.wrapping_mul(BASE));
    let next = |run: u64, token: &u64| run.wrapping_mul(BASE).wrapping_add(*token);
    let mut run = tokens[..size.min(tokens.len())].iter().fold(0, next);
    out.push(run);
    let left = tokens.iter().map(|token| token.wrapping_mul(leaving));
    out.extend(tokens[size.min(tokens.len())..].iter().zip(left).map(|(token, left)| {
        run = next(run, token).wrapping_sub(left);
        run
    }));
}

/// All bits depend on all bits (the finaliser of MurmurHash3).
fn mixed(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ bits >> 33
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn cut(shingles: &str, language: Option<&str>, text: &str) -> BTreeSet<u64> {
        let mut cuts = Cuts::default();
        let shingles = Shingles::parse(shingles).unwrap();
        Cutter::new(Normal::default(), shingles).cut("before", None, &mut cuts);
        Cutter::new(Normal::default(), shingles).cut(text, language, &mut cuts);
        cuts.get(1).iter().copied().collect()
    }

    #[test]
    fn words_or_characters_by_language_or_script() {
        let both = "words:3,chars:5";
        assert_eq!(cut(both, None, "one two three four five").len(), 3);
        assert_eq!(cut(both, None, "一二三四五六七").len(), 3);
        assert_eq!(cut(both, Some("zh-Hans"), "a bc def").len(), 2);
        assert_eq!(cut(both, Some("en"), "一二三四五六七").len(), 1);
        assert_eq!(cut("chars:2", Some("en"), "ab c").len(), 2);
        assert_eq!(cut("words:1", Some("zh"), "一二 三").len(), 2);
        assert_eq!(cut(both, None, "세 단어 이상 이다").len(), 2);
    }

    #[test]
    fn the_same_run_is_the_same_shingle_wherever_it_stands() {
        let (a, b) = (cut("words:2", None, "x Do it"), cut("words:2", None, "well, do IT now"));
        assert_eq!(a.intersection(&b).count(), 1);
        assert_ne!(cut("words:2", None, "a bc"), cut("words:2", None, "ab c"));
        assert_ne!(cut("words:2", None, "a b"), cut("words:2", None, "b a"));
        assert_ne!(cut("words:1", None, "abcdefg"), cut("words:1", None, "abcdefgh"));
    }

    #[test]
    fn a_text_too_short_for_a_shingle_is_one() {
        assert_eq!(cut("words:3", None, "two words").len(), 1);
        assert_ne!(cut("words:3", None, "?!"), cut("words:3", None, "..."));
        assert_eq!(cut("words:3", None, ""), cut("words:3", None, "  "));
        assert_eq!(cut("chars:5", None, "一").len(), 1);
    }

    #[test]
    fn what_is_no_way_of_cutting_is_said() {
        for bad in ["words", "words:0", "lines:3", "words:3;chars:5", "", "words:1000"] {
            assert!(Shingles::parse(bad).is_err(), "{bad}");
        }
    }
}
