//! Encodings of the UTF-8 bytes. None of them loses anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt::Write as _;

/// What Python's `urllib.parse.quote` leaves as it is.
const QUOTE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b'/');

/// Percent-encoding, as Python's `urllib.parse.quote`.
pub fn url(text: &str) -> String {
    utf8_percent_encode(text, QUOTE).to_string()
}

/// The inverse of [`url`]; none if the bytes are not UTF-8.
pub fn from_url(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

/// Base64 with padding.
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// The inverse of [`base64()`].
pub fn from_base64(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// Two hexadecimal digits a byte, in lower case.
pub fn hex(text: &str) -> String {
    digits(text, 16, 2, "")
}

/// The inverse of [`hex`], in either case.
pub fn from_hex(text: &str) -> Option<String> {
    from_digits(text, 16, 2, "")
}

/// Eight binary digits a byte, with a space between bytes.
pub fn binary(text: &str) -> String {
    digits(text, 2, 8, " ")
}

/// The inverse of [`binary`].
pub fn from_binary(text: &str) -> Option<String> {
    from_digits(text, 2, 8, " ")
}

/// Three octal digits a byte, with a space between bytes.
pub fn octal(text: &str) -> String {
    digits(text, 8, 3, " ")
}

/// The inverse of [`octal`].
pub fn from_octal(text: &str) -> Option<String> {
    from_digits(text, 8, 3, " ")
}

fn digits(text: &str, base: u32, width: usize, between: &str) -> String {
    let mut out = String::with_capacity(text.len() * (width + between.len()));
    for (at, byte) in text.bytes().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        let digit = |place| u32::from(byte) / base.pow(place) % base;
        out.extend((0..width as u32).rev().filter_map(|p| char::from_digit(digit(p), base)));
    }
    out
}

fn from_digits(text: &str, base: u32, width: usize, between: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() / width);
    let mut rest = text;
    while !rest.is_empty() {
        let (group, tail) = rest.split_at_checked(width)?;
        bytes.push(byte(group, base)?);
        rest = match tail.is_empty() {
            true => tail,
            false => tail.strip_prefix(between).filter(|tail| !tail.is_empty())?,
        };
    }
    String::from_utf8(bytes).ok()
}

fn byte(digits: &str, base: u32) -> Option<u8> {
    // A sign would pass for a digit otherwise.
    let plain = digits.chars().all(|c| c.is_digit(base));
    u8::from_str_radix(digits, base).ok().filter(|_| plain)
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Base32 (RFC 4648) with padding.
pub fn base32(text: &str) -> String {
    let mut out = String::with_capacity(text.len().div_ceil(5) * 8);
    for chunk in text.as_bytes().chunks(5) {
        let mut block = [0; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        let written = (chunk.len() * 8).div_ceil(5);
        let digit = |place: usize| char::from(BASE32[(bits >> (35 - 5 * place)) as usize & 31]);
        out.extend((0..8).map(|place| if place < written { digit(place) } else { '=' }));
    }
    out
}

/// The inverse of [`base32`].
pub fn from_base32(text: &str) -> Option<String> {
    if !text.len().is_multiple_of(8) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 8 * 5);
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 6 {
        return None;
    }
    for chunk in digits.as_bytes().chunks(8) {
        let mut bits = 0;
        for (place, digit) in chunk.iter().enumerate() {
            let value = BASE32.iter().position(|known| known == digit)? as u64;
            bits |= value << (35 - 5 * place);
        }
        let count = chunk.len() * 5 / 8;
        if (count * 8).div_ceil(5) != chunk.len() {
            return None;
        }
        bytes.extend(&bits.to_be_bytes()[3..3 + count]);
    }
    String::from_utf8(bytes).ok()
}

/// Ascii85, as Python's `base64.a85encode`: no frame, `z` for four zero bytes.
pub fn ascii85(text: &str) -> String {
    let mut out = String::with_capacity(text.len().div_ceil(4) * 5);
    for chunk in text.as_bytes().chunks(4) {
        let mut block = [0; 4];
        block[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(block);
        if bits == 0 && chunk.len() == 4 {
            out.push('z');
            continue;
        }
        let digit = |place: u32| char::from(b'!' + (bits / 85u32.pow(4 - place) % 85) as u8);
        out.extend((0..=chunk.len() as u32).map(digit));
    }
    out
}

/// The inverse of [`ascii85`].
pub fn from_ascii85(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() / 5 * 4);
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'z' {
            bytes.extend([0; 4]);
            rest = after;
            continue;
        }
        let (group, tail) = rest.split_at(rest.len().min(5));
        let mut bits: u32 = 0;
        for place in 0..5 {
            let digit = *group.get(place).unwrap_or(&b'u');
            let value = digit.checked_sub(b'!').filter(|value| *value < 85)?;
            bits = bits.checked_mul(85)?.checked_add(u32::from(value))?;
        }
        if group.len() < 2 {
            return None;
        }
        bytes.extend(&bits.to_be_bytes()[..group.len() - 1]);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

/// Bytes in a line of quoted-printable: with the `=` that ends it, no more than 76 characters.
const QUOTED_LINE: usize = 25;

/// Quoted-printable (RFC 2045) with every byte as `=XX`, which the standard allows: letters left as they
/// are would leave the text readable.
pub fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 + text.len() / QUOTED_LINE * 2);
    for (at, byte) in text.bytes().enumerate() {
        if at > 0 && at % QUOTED_LINE == 0 {
            out.push_str("=\n");
        }
        let _ = write!(out, "={byte:02X}");
    }
    out
}

/// The text of any quoted-printable; the inverse of [`quoted_printable`].
pub fn from_quoted_printable(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() / 3);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(tail) = rest.strip_prefix("=\n").or_else(|| rest.strip_prefix("=\r\n")) {
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix('=') {
            let (group, tail) = tail.split_at_checked(2)?;
            bytes.push(byte(group, 16)?);
            rest = tail;
        } else if first.is_ascii() {
            bytes.push(first as u8);
            rest = &rest[1..];
        } else {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Bytes in a line of uuencode.
const UU_LINE: usize = 45;

/// Uuencode with its `begin` and `end` lines, and a grave accent for zero.
pub fn uuencode(text: &str) -> String {
    let digit = |value: u32| if value == 0 { '`' } else { char::from(b' ' + value as u8) };
    let mut out = String::from("begin 644 text\n");
    for line in text.as_bytes().chunks(UU_LINE) {
        out.push(digit(line.len() as u32));
        for chunk in line.chunks(3) {
            let mut block = [0; 4];
            block[1..=chunk.len()].copy_from_slice(chunk);
            let bits = u32::from_be_bytes(block);
            out.extend([18, 12, 6, 0].map(|shift| digit(bits >> shift & 63)));
        }
        out.push('\n');
    }
    out.push_str("`\nend");
    out
}

/// The inverse of [`uuencode`].
pub fn from_uuencode(text: &str) -> Option<String> {
    let value = |digit: u8| (b' '..=b'`').contains(&digit).then(|| u32::from(digit - b' ') & 63);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut lines = text.lines();
    if !lines.next()?.starts_with("begin ") {
        return None;
    }
    loop {
        let (first, digits) = lines.next()?.as_bytes().split_first()?;
        let count = value(*first)? as usize;
        if count == 0 {
            break;
        }
        if digits.len() != count.div_ceil(3) * 4 {
            return None;
        }
        let before = bytes.len();
        for group in digits.chunks(4) {
            let mut bits = 0;
            for digit in group {
                bits = bits << 6 | value(*digit)?;
            }
            bytes.extend(&bits.to_be_bytes()[1..]);
        }
        bytes.truncate(before + count);
    }
    (lines.next() == Some("end")).then_some(())?;
    String::from_utf8(bytes).ok()
}
