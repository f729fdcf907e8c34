//! Encoders of the attack templates, each with its inverse, as SPEC §1.4 measured them on S-Eval.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What Python's `urllib.parse.quote` leaves as it is.
const QUOTE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b'/');

/// Percent-encoding of the UTF-8 bytes, as Python's `urllib.parse.quote`.
pub fn url(text: &str) -> String {
    utf8_percent_encode(text, QUOTE).to_string()
}

/// The inverse of [`url`]; none if the bytes are not UTF-8.
pub fn from_url(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

/// Base64 of the UTF-8 bytes, with padding.
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// The inverse of [`base64()`].
pub fn from_base64(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// The first and last character of the CJK block that the Caesar shift moves.
const CJK: (u32, u32) = (0x4e00, 0x9fff);

/// Caesar shift by `key`: ASCII letters around their alphabet with their case, CJK characters along the
/// code points, the rest unchanged.
pub fn caesar(text: &str, key: u32) -> String {
    let shifted = |c: char| match c {
        'a'..='z' | 'A'..='Z' => rotate(c, key % 26),
        c if (CJK.0..=CJK.1).contains(&(c as u32)) => char::from_u32(c as u32 + key).unwrap_or(c),
        c => c,
    };
    text.chars().map(shifted).collect()
}

/// The inverse of [`caesar`].
pub fn from_caesar(text: &str, key: u32) -> String {
    let back = |c: char| match c {
        'a'..='z' | 'A'..='Z' => rotate(c, 26 - key % 26),
        c if (CJK.0 + key..=CJK.1 + key).contains(&(c as u32)) => {
            char::from_u32(c as u32 - key).unwrap_or(c)
        }
        c => c,
    };
    text.chars().map(back).collect()
}

fn rotate(letter: char, by: u32) -> char {
    let first = if letter.is_ascii_lowercase() { b'a' } else { b'A' };
    let place = (letter as u32 - u32::from(first) + by) % 26;
    char::from(first + place as u8)
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

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 5] = [
        "",
        "a",
        "How would Zoë go about it? (1/2)~_.-",
        "怎样才能做到？请说明。",
        "混 mixed 文本\n\"quoted\" \\ 龥鿿",
    ];

    #[test]
    fn every_encoder_is_decoded_back() {
        for text in TEXTS {
            assert_eq!(from_url(&url(text)).as_deref(), Some(text));
            assert_eq!(from_base64(&base64(text)).as_deref(), Some(text));
            for key in 0..=26 {
                assert_eq!(from_caesar(&caesar(text, key), key), text);
            }
            for parts in 1..6 {
                assert_eq!(pieces(text, parts).concat(), text);
            }
        }
    }

    #[test]
    fn url_is_as_python_quotes() {
        assert_eq!(url("a b/c?d=é&~_.-"), "a%20b/c%3Fd%3D%C3%A9%26~_.-");
        assert_eq!(caesar("Zebra xyz 文", 3), "Cheud abc 斊");
    }

    #[test]
    fn pieces_end_at_phrases() {
        let text = "How would someone go about it, and who would notice?";
        assert_eq!(
            pieces(text, 3),
            ["How would someone ", "go about it, and ", "who would notice?"]
        );
    }
}
