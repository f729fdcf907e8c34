//! Numbers in texts.

use super::Taken;

/// The last number of the response against the expected one. Commas may set off thousands; a comma
/// anywhere else ends a number, so decimal commas are not read.
pub(super) fn read(
    response: &str,
    expected: Option<&str>,
    tolerance: f64,
    percent: bool,
) -> Option<Taken> {
    let found = last(response, percent)?;
    // A binary fraction may be off by a digit that nobody wrote.
    let near = |right: f64| {
        (found - right).abs() <= tolerance + f64::EPSILON * 4.0 * found.abs().max(right.abs())
    };
    let right = expected.and_then(|expected| last(expected, percent)).is_some_and(near);
    Some(Taken::Free(found.to_string(), right))
}

/// The last number of a text; with `percent`, a number before a percent sign is worth a hundredth.
fn last(text: &str, percent: bool) -> Option<f64> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut found = None;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = end(bytes, at);
        let mut digits: String = text[at..end].chars().filter(|&c| c != ',').collect();
        if bytes[..at].ends_with(b".") && !before(text, at - 1).is_some_and(char::is_alphanumeric) {
            digits.insert_str(0, "0.");
            at -= 1;
        }
        let sign = before(text, at).filter(|c| matches!(c, '-' | '−'));
        let start = at - sign.map_or(0, char::len_utf8);
        // In "F-16" and "10-20" it is no sign.
        let is_negative =
            sign.is_some() && !before(text, start).is_some_and(|c| c.is_alphanumeric() || c == ')');
        if let Ok(number) = digits.parse::<f64>()
            && number.is_finite()
        {
            let is_percent = text[end..].trim_start_matches([' ', '\\']).starts_with(['%', '％']);
            let number = if is_negative { -number } else { number };
            found = Some(if percent && is_percent { number / 100.0 } else { number });
        }
        at = end;
    }
    found
}

fn before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

/// Where the number that begins at `start` ends.
fn end(bytes: &[u8], start: usize) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = start + digits(start);
    if at - start <= 3 {
        while bytes.get(at) == Some(&b',') && digits(at + 1) == 3 {
            at += 4;
        }
    }
    if bytes.get(at) == Some(&b'.') && at + 1 < bytes.len() && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
    }
    let exponent = match bytes[at..] {
        [b'e' | b'E', b'+' | b'-', ..] => 2,
        [b'e' | b'E', ..] => 1,
        _ => return at,
    };
    match digits(at + exponent) {
        0 => at,
        more => at + exponent + more,
    }
}
