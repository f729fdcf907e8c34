//! Texts rearranged, respaced or escaped.

use std::fmt::Write as _;

/// The characters backwards.
pub fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

/// The inverse of [`reversed`], which is its own.
pub fn from_reversed(text: &str) -> Option<String> {
    Some(reversed(text))
}

/// The words in the opposite order, and the white space between them. A text without white space, such as
/// Chinese, is one word.
pub fn reversed_words(text: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let ends = |c: char| c.is_whitespace() != first.is_whitespace();
        let (part, tail) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        parts.push(part);
        rest = tail;
    }
    parts.into_iter().rev().collect()
}

/// The inverse of [`reversed_words`], which is its own.
pub fn from_reversed_words(text: &str) -> Option<String> {
    Some(reversed_words(text))
}

/// A space between every two characters.
pub fn spaced(text: &str) -> String {
    with_between(text, ' ')
}

/// The inverse of [`spaced`].
pub fn from_spaced(text: &str) -> Option<String> {
    without_between(text, ' ')
}

/// `mark` between every two characters.
pub(super) fn with_between(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for (at, c) in text.chars().enumerate() {
        if at > 0 {
            out.push(mark);
        }
        out.push(c);
    }
    out
}

/// The inverse of [`with_between`].
pub(super) fn without_between(text: &str, mark: char) -> Option<String> {
    let mut out = String::with_capacity(text.len() / 2);
    let mut chars = text.chars();
    let mut next = chars.next();
    while let Some(c) = next {
        out.push(c);
        next = match chars.next() {
            None => None,
            Some(between) if between == mark => Some(chars.next()?),
            Some(_) => return None,
        };
    }
    Some(out)
}

/// Words run together, each but the first with a capital: `likeThis`. Other capitals are lost, and so is
/// white space before anything but an ASCII letter.
pub fn camel_case(text: &str) -> String {
    humps(text, |out, letter| out.push(letter.to_ascii_uppercase()))
}

/// The inverse of [`camel_case`], in lower case: a space before each capital.
pub fn from_camel_case(text: &str) -> Option<String> {
    if text.contains(char::is_whitespace) {
        return None;
    }
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    Some(out)
}

/// The text in lower case, with one space for white space before a letter and none for other.
pub(super) fn camel_case_kept(text: &str) -> String {
    humps(text, |out, letter| out.extend([' ', letter.to_ascii_lowercase()]))
}

/// The text in lower case without white space; `start` writes the first letter of a word.
fn humps(text: &str, start: impl Fn(&mut String, char)) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_space = false;
    for c in text.chars() {
        match c.is_whitespace() {
            true => after_space = !out.is_empty(),
            false if after_space && c.is_ascii_alphabetic() => {
                start(&mut out, c);
                after_space = false;
            }
            false => {
                out.push(c.to_ascii_lowercase());
                after_space = false;
            }
        }
    }
    out
}

/// Pig Latin with a hyphen, which makes it reversible: `how any` is `ow-hay any-ay`. Words are of ASCII
/// letters, each of which keeps its case; the rest is unchanged.
pub fn pig_latin(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (word, tail) = rest.split_at(word_length(rest).max(c.len_utf8()));
        if c.is_ascii_alphabetic() {
            let (head, body) = word.split_at(cluster(word));
            out.extend([body, "-", head, "ay"]);
        } else {
            out.push_str(word);
        }
        rest = tail;
    }
    out
}

/// The inverse of [`pig_latin`].
pub fn from_pig_latin(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (body, tail) = rest.split_at(word_length(rest).max(c.len_utf8()));
        rest = tail;
        if c.is_ascii_alphabetic() {
            let tail = tail.strip_prefix('-')?;
            let (end, tail) = tail.split_at(word_length(tail));
            out.push_str(end.strip_suffix("ay")?);
            rest = tail;
        }
        out.push_str(body);
    }
    Some(out)
}

/// The bytes of the word that the text starts with: ASCII letters, and apostrophes between them.
fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let mut end = 0;
    while letter(end) || (end > 0 && bytes.get(end) == Some(&b'\'') && letter(end + 1)) {
        end += 1;
    }
    end
}

/// The bytes of the word before its first vowel; 0 if it has none.
fn cluster(word: &str) -> usize {
    let word = word.to_ascii_lowercase();
    let vowel = |(at, c): (usize, char)| match c {
        'u' => at == 0 || word.as_bytes()[at - 1] != b'q',
        'y' => at > 0,
        c => matches!(c, 'a' | 'e' | 'i' | 'o'),
    };
    word.char_indices().position(vowel).unwrap_or(0)
}

/// Every UTF-16 unit as `\uXXXX`, as JSON and many languages take it.
pub fn unicode_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 6);
    for unit in text.encode_utf16() {
        let _ = write!(out, "\\u{unit:04x}");
    }
    out
}

/// The inverse of [`unicode_escape`].
pub fn from_unicode_escape(text: &str) -> Option<String> {
    let mut units = Vec::with_capacity(text.len() / 6);
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, tail) = rest.strip_prefix("\\u")?.split_at_checked(4)?;
        let plain = digits.chars().all(|c| c.is_ascii_hexdigit());
        units.push(u16::from_str_radix(digits, 16).ok().filter(|_| plain)?);
        rest = tail;
    }
    String::from_utf16(&units).ok()
}

/// The text of a Python string literal in double quotes, without the quotes.
pub fn python(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\0' => escaped.push_str("\\x00"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The inverse of [`python`]; none for an escape that it does not write.
pub fn from_python(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (plain, length) = match c {
            '"' | '\n' | '\r' | '\0' => return None,
            '\\' => match rest.as_bytes().get(1)? {
                b'\\' => ('\\', 2),
                b'"' => ('"', 2),
                b'n' => ('\n', 2),
                b'r' => ('\r', 2),
                b'x' => ('\0', rest.starts_with("\\x00").then_some(4)?),
                _ => return None,
            },
            c => (c, c.len_utf8()),
        };
        out.push(plain);
        rest = &rest[length..];
    }
    Some(out)
}

/// The text in `parts` consecutive pieces of about the same length, cut after punctuation or white space
/// where there is some near. Fewer pieces if there are not that many characters.
pub fn pieces(text: &str, parts: usize) -> Vec<&str> {
    let starts: Vec<(usize, char)> = text.char_indices().collect();
    let parts = parts.clamp(1, starts.len().max(1));
    let mut cuts = Vec::with_capacity(parts + 1);
    cuts.push(0);
    for part in 1..parts {
        let ideal = part * starts.len() / parts;
        let reach = starts.len() / (3 * parts);
        // Character positions from the ideal one outwards.
        let near = (0..=reach).flat_map(|by| [ideal.saturating_sub(by), ideal + by]);
        let phrase = near.filter(|&at| at > 0 && at < starts.len()).find(|&at| {
            let before = starts[at - 1].1;
            !before.is_alphanumeric() && !starts[at].1.is_whitespace()
        });
        let cut = phrase.unwrap_or(ideal).clamp(1, starts.len() - 1);
        cuts.push(starts[cut].0);
    }
    cuts.push(text.len());
    cuts.dedup();
    cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
}
