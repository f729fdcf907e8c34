//! Encoders of the attack templates, each with its inverse `from_…`.
//!
//! Bytes are those of UTF-8. A letter cipher or an alphabet leaves a character that it has no sign for as
//! it is, so that Chinese goes through most of them unchanged; [`Encoder::kept`] says what comes back.

mod alphabets;
mod bytes;
mod ciphers;
mod perturb;
mod text;
mod unicode;

pub use alphabets::{
    braille, from_braille, from_leetspeak, from_morse, from_nato, leetspeak, morse, nato,
};
pub use bytes::{
    ascii85, base32, base64, binary, from_ascii85, from_base32, from_base64, from_binary, from_hex,
    from_octal, from_quoted_printable, from_url, from_uuencode, hex, octal, quoted_printable, url,
    uuencode,
};
pub use ciphers::{atbash, caesar, from_atbash, from_caesar, from_rot13, rot13};
pub use perturb::perturb;
pub use text::{
    camel_case, from_camel_case, from_pig_latin, from_python, from_reversed, from_reversed_words,
    from_spaced, from_unicode_escape, pieces, pig_latin, python, reversed, reversed_words, spaced,
    unicode_escape,
};
pub use unicode::{
    from_fullwidth, from_homoglyph, from_invisible, from_reordered, from_unicode_tags,
    from_variation_selector, from_zalgo, from_zero_width, fullwidth, homoglyph, invisible,
    reordered, unicode_tags, variation_selector, zalgo, zero_width,
};

/// An encoder that takes nothing but the text.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    /// Its name: that of the function and of the templates' filter.
    pub name: &'static str,
    /// The text encoded.
    pub encode: fn(&str) -> String,
    /// The inverse; none for a text that the encoder does not write.
    pub decode: fn(&str) -> Option<String>,
    /// What decoding an encoded text gives back: the text itself, but where the encoding loses something.
    pub kept: fn(&str) -> String,
}

/// Every encoder without parameters, by name: filters of the templates, and what `--learn` tries.
/// [`caesar`] has a key; [`python`] is no disguise and leaves most texts as they are.
pub const ENCODERS: &[Encoder] = &[
    whole("ascii85", ascii85, from_ascii85),
    whole("atbash", atbash, from_atbash),
    whole("base32", base32, from_base32),
    whole("base64", base64, from_base64),
    whole("binary", binary, from_binary),
    whole("braille", braille, from_braille),
    part("camel_case", camel_case, from_camel_case, text::camel_case_kept),
    part("fullwidth", fullwidth, from_fullwidth, unicode::fullwidth_kept),
    whole("hex", hex, from_hex),
    part("homoglyph", homoglyph, from_homoglyph, unicode::homoglyph_kept),
    whole("invisible", invisible, from_invisible),
    part("leetspeak", leetspeak, from_leetspeak, alphabets::leetspeak_kept),
    part("morse", morse, from_morse, str::to_ascii_lowercase),
    part("nato", nato, from_nato, str::to_ascii_lowercase),
    whole("octal", octal, from_octal),
    whole("pig_latin", pig_latin, from_pig_latin),
    whole("quoted_printable", quoted_printable, from_quoted_printable),
    whole("reordered", reordered, from_reordered),
    whole("reversed", reversed, from_reversed),
    whole("reversed_words", reversed_words, from_reversed_words),
    whole("rot13", rot13, from_rot13),
    whole("spaced", spaced, from_spaced),
    whole("unicode_escape", unicode_escape, from_unicode_escape),
    part("unicode_tags", unicode_tags, from_unicode_tags, unicode::unicode_tags_kept),
    whole("url", url, from_url),
    whole("uuencode", uuencode, from_uuencode),
    whole("variation_selector", variation_selector, from_variation_selector),
    whole("zalgo", zalgo, from_zalgo),
    whole("zero_width", zero_width, from_zero_width),
];

/// An encoder that loses nothing.
const fn whole(
    name: &'static str,
    encode: fn(&str) -> String,
    decode: fn(&str) -> Option<String>,
) -> Encoder {
    Encoder { name, encode, decode, kept: str::to_owned }
}

/// An encoder that loses something.
const fn part(
    name: &'static str,
    encode: fn(&str) -> String,
    decode: fn(&str) -> Option<String>,
    kept: fn(&str) -> String,
) -> Encoder {
    Encoder { name, encode, decode, kept }
}

#[cfg(test)]
mod tests;
