//! Tricks of Unicode: characters that look like others, that are not seen, or that turn the text around.

/// Latin letters and what looks like them: Cyrillic, and a Greek Y.
const LOOK_ALIKES: [(char, char); 24] = [
    ('a', '\u{430}'),
    ('c', '\u{441}'),
    ('e', '\u{435}'),
    ('i', '\u{456}'),
    ('j', '\u{458}'),
    ('o', '\u{43e}'),
    ('p', '\u{440}'),
    ('s', '\u{455}'),
    ('x', '\u{445}'),
    ('y', '\u{443}'),
    ('A', '\u{410}'),
    ('B', '\u{412}'),
    ('C', '\u{421}'),
    ('E', '\u{415}'),
    ('H', '\u{41d}'),
    ('I', '\u{406}'),
    ('J', '\u{408}'),
    ('K', '\u{41a}'),
    ('M', '\u{41c}'),
    ('O', '\u{41e}'),
    ('P', '\u{420}'),
    ('S', '\u{405}'),
    ('T', '\u{422}'),
    ('Y', '\u{3a5}'),
];

/// Latin letters as Cyrillic and Greek ones that look the same; the rest unchanged. A text's own Cyrillic
/// look-alikes cannot be told from them afterwards.
pub fn homoglyph(text: &str) -> String {
    let alike = |c: char| LOOK_ALIKES.iter().find(|(latin, _)| *latin == c);
    text.chars().map(|c| alike(c).map_or(c, |(_, other)| *other)).collect()
}

/// The inverse of [`homoglyph`].
pub fn from_homoglyph(text: &str) -> Option<String> {
    let plain = |c: char| LOOK_ALIKES.iter().any(|(latin, _)| *latin == c);
    (!text.contains(plain)).then(|| homoglyph_kept(text))
}

/// The text with every look-alike as the Latin letter.
pub(super) fn homoglyph_kept(text: &str) -> String {
    let latin = |c: char| LOOK_ALIKES.iter().find(|(_, other)| *other == c);
    text.chars().map(|c| latin(c).map_or(c, |(latin, _)| *latin)).collect()
}

/// Printable ASCII as its full-width forms, a space as the ideographic one; the rest unchanged, so that
/// full-width punctuation of the text cannot be told from it afterwards.
pub fn fullwidth(text: &str) -> String {
    let wide = |c: char| match c {
        ' ' => '\u{3000}',
        '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap_or(c),
        c => c,
    };
    text.chars().map(wide).collect()
}

/// The inverse of [`fullwidth`].
pub fn from_fullwidth(text: &str) -> Option<String> {
    (!text.contains(|c| (' '..='~').contains(&c))).then(|| fullwidth_kept(text))
}

/// The text with every full-width form as ASCII.
pub(super) fn fullwidth_kept(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    };
    text.chars().map(narrow).collect()
}

/// The characters that stand for the bits 0 and 1: zero-width space and zero-width non-joiner.
const BITS: [char; 2] = ['\u{200b}', '\u{200c}'];

/// The UTF-8 bytes as zero-width characters, eight a byte: nothing of the text is to be seen.
pub fn zero_width(text: &str) -> String {
    let bits = |byte: u8| (0..8).rev().map(move |place| BITS[usize::from(byte >> place & 1)]);
    text.bytes().flat_map(bits).collect()
}

/// The inverse of [`zero_width`].
pub fn from_zero_width(text: &str) -> Option<String> {
    let bit = |c: char| BITS.iter().position(|known| *known == c);
    let bits: Vec<u8> = text.chars().map(|c| Some(bit(c)? as u8)).collect::<Option<_>>()?;
    let bytes = bits
        .chunks(8)
        .map(|byte| (byte.len() == 8).then(|| byte.iter().fold(0, |byte, bit| byte << 1 | bit)));
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}

/// A zero-width space between every two characters: it looks like the text and is cut into other tokens.
pub fn invisible(text: &str) -> String {
    super::text::with_between(text, BITS[0])
}

/// The inverse of [`invisible`].
pub fn from_invisible(text: &str) -> Option<String> {
    super::text::without_between(text, BITS[0])
}

/// ASCII as the tag characters of Unicode, which are not displayed; the rest unchanged. A text's own tag
/// characters, which are in some flags, cannot be told from them afterwards.
pub fn unicode_tags(text: &str) -> String {
    let tag = |c: char| match c.is_ascii() {
        true => char::from_u32(c as u32 + 0xe0000).unwrap_or(c),
        false => c,
    };
    text.chars().map(tag).collect()
}

/// The inverse of [`unicode_tags`].
pub fn from_unicode_tags(text: &str) -> Option<String> {
    (!text.contains(|c: char| c.is_ascii())).then(|| unicode_tags_kept(text))
}

/// The text with every tag character as ASCII.
pub(super) fn unicode_tags_kept(text: &str) -> String {
    let shown = |c: char| match c {
        '\u{e0000}'..='\u{e007f}' => char::from_u32(c as u32 - 0xe0000).unwrap_or(c),
        c => c,
    };
    text.chars().map(shown).collect()
}

/// What the variation selectors are attached to.
const CARRIER: char = '😊';

/// An emoji, and after it a variation selector for each UTF-8 byte: one emoji is all that is to be seen.
pub fn variation_selector(text: &str) -> String {
    let selector = |byte: u8| match byte {
        0..16 => char::from_u32(0xfe00 + u32::from(byte)),
        16.. => char::from_u32(0xe0100 + u32::from(byte) - 16),
    };
    [CARRIER].into_iter().chain(text.bytes().filter_map(selector)).collect()
}

/// The inverse of [`variation_selector`].
pub fn from_variation_selector(text: &str) -> Option<String> {
    let byte = |c: char| match c {
        '\u{fe00}'..='\u{fe0f}' => Some((c as u32 - 0xfe00) as u8),
        '\u{e0100}'..='\u{e01ef}' => Some((c as u32 - 0xe0100) as u8 + 16),
        _ => None,
    };
    let bytes = text.strip_prefix(CARRIER)?.chars().map(byte).collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}

/// Right-to-left override, and what ends it.
const OVERRIDE: (char, char) = ('\u{202e}', '\u{202c}');

/// Each line backwards between bidirectional control characters, so that it is displayed as it was.
pub fn reordered(text: &str) -> String {
    let line = |line: &str| match line.is_empty() {
        true => String::new(),
        false => format!("{}{}{}", OVERRIDE.0, super::reversed(line), OVERRIDE.1),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The inverse of [`reordered`].
pub fn from_reordered(text: &str) -> Option<String> {
    let line = |line: &str| match line.is_empty() {
        true => Some(String::new()),
        false => {
            let inner = line.strip_prefix(OVERRIDE.0)?.strip_suffix(OVERRIDE.1)?;
            (!inner.is_empty()).then(|| super::reversed(inner))
        }
    };
    Some(text.split('\n').map(line).collect::<Option<Vec<_>>>()?.join("\n"))
}

/// Marks above and below that are stacked on letters.
const STACKED: [char; 8] =
    ['\u{30d}', '\u{323}', '\u{311}', '\u{32d}', '\u{352}', '\u{330}', '\u{33e}', '\u{347}'];

/// Two combining marks, one above and one below, on every character that is no white space.
pub fn zalgo(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5);
    let mut marks = STACKED.iter().cycle();
    for c in text.chars() {
        out.push(c);
        if !c.is_whitespace() {
            out.extend(marks.by_ref().take(2));
        }
    }
    out
}

/// The inverse of [`zalgo`].
pub fn from_zalgo(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() / 3);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if !c.is_whitespace() && !(0..2).all(|_| chars.next().is_some_and(|c| STACKED.contains(&c)))
        {
            return None;
        }
    }
    Some(out)
}
