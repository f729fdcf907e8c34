//! Ciphers: letters for letters. What is no letter stays.

/// The first and last character of the CJK block that the Caesar shift moves.
const CJK: (u32, u32) = (0x4e00, 0x9fff);

/// Caesar shift by `key`: ASCII letters around their alphabet with their case, CJK characters along the
/// code points, the rest unchanged, as SPEC §1.4 measured it on S-Eval.
pub fn caesar(text: &str, key: u32) -> String {
    let shifted = |c: char| match c {
        'a'..='z' | 'A'..='Z' => rotate(c, key % 26),
        c if (CJK.0..=CJK.1).contains(&(c as u32)) => {
            (c as u32).checked_add(key).and_then(char::from_u32).unwrap_or(c)
        }
        c => c,
    };
    text.chars().map(shifted).collect()
}

/// The inverse of [`caesar`] for keys below 14,336, past which there is no place for the CJK characters.
/// The `key` characters after their block, which the shift leaves, are taken for shifted ones.
pub fn from_caesar(text: &str, key: u32) -> String {
    let block = CJK.0.saturating_add(key)..=CJK.1.saturating_add(key);
    let back = |c: char| match c {
        'a'..='z' | 'A'..='Z' => rotate(c, 26 - key % 26),
        c if block.contains(&(c as u32)) => char::from_u32(c as u32 - key).unwrap_or(c),
        c => c,
    };
    text.chars().map(back).collect()
}

fn rotate(letter: char, by: u32) -> char {
    let first = if letter.is_ascii_lowercase() { b'a' } else { b'A' };
    let place = (letter as u32 - u32::from(first) + by) % 26;
    char::from(first + place as u8)
}

/// ASCII letters 13 places on, with their case; the rest unchanged.
pub fn rot13(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphabetic() { rotate(c, 13) } else { c }).collect()
}

/// The inverse of [`rot13`], which is its own.
pub fn from_rot13(text: &str) -> Option<String> {
    Some(rot13(text))
}

/// The ASCII alphabet backwards, a for z, with its case; the rest unchanged.
pub fn atbash(text: &str) -> String {
    let mirrored = |c: char| match c {
        'a'..='z' => char::from(b'a' + b'z' - c as u8),
        'A'..='Z' => char::from(b'Z' - (c as u8 - b'A')),
        c => c,
    };
    text.chars().map(mirrored).collect()
}

/// The inverse of [`atbash`], which is its own.
pub fn from_atbash(text: &str) -> Option<String> {
    Some(atbash(text))
}
