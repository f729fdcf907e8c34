//! The text of a response as the rules see it, and the places in it that matter.

/// Whether the response begins with a quotation and goes on after it: else the words are its own.
pub(super) fn opens_story(text: &[u8], start: usize) -> bool {
    text[..start].ends_with(b"\"") && {
        let rest = text[start..].trim_ascii_end();
        rest.iter().position(|b| *b == b'"').is_some_and(|at| at + 1 < rest.len())
    }
}

/// Whether a quotation is open after this text. A line feed closes: a mark left open must not silence
/// the rest of the response.
pub(super) fn quotes(text: &[u8], open: bool) -> bool {
    let turn = |open: bool, b: &u8| *b != b'\n' && open != (*b == b'"');
    if !open && !text.contains(&b'"') { open } else { text.iter().fold(open, turn) }
}

/// Where the first sentence ends, in so many bytes at most. A mark so early that it ends a mere word, as
/// in `No.`, is no end.
pub(super) fn first_sentence(text: &[u8], start: usize, most: usize) -> usize {
    let rest = &text[start..text.len().min(start + most)];
    let ends = |at: usize| {
        let next = rest.get(at + 1);
        rest[at] == b'\n' || b".!?".contains(&rest[at]) && next.is_none_or(|b| b" \n\"".contains(b))
    };
    start + (13..rest.len()).find(|at| ends(*at)).unwrap_or(rest.len())
}

/// Lower-case ASCII; apostrophes and quotation marks straight, full-width forms narrow, no
/// emphasis, no indentation. Begins with a line feed, so that every line does.
pub(super) fn normalise(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len() + 1);
    out.push(b'\n');
    loop {
        let indent = out.ends_with(b"\n");
        let (byte, length) = match *rest {
            [] => break,
            [b' ' | b'\t', ..] if indent => (None, 1),
            [b'*', b' ', ..] if indent => (Some(b'-'), 1),
            [b'*' | b'_' | b'`' | b'\r', ..] => (None, 1),
            [0xE2, 0x80, 0x98 | 0x99, ..] => (Some(b'\''), 3),
            [0xE2, 0x80, 0x9C | 0x9D, ..] | [0xE3, 0x80, 0x8C..=0x8F, ..] => (Some(b'"'), 3),
            [0xE3, 0x80, 0x80, ..] => (Some(b' '), 3),
            [0xE3, 0x80, 0x82, ..] => (Some(b'.'), 3),
            [0xC2, 0xA0, ..] => (Some(b' '), 2),
            [0xEF, 0xBC, last @ 0x81..=0xBF, ..] => (Some(last - 0x60), 3),
            [0xEF, 0xBD, last @ 0x80..=0x9E, ..] => (Some(last - 0x20), 3),
            [byte, ..] => (Some(byte), 1),
        };
        out.extend(byte);
        rest = &rest[length..];
        if byte.is_some_and(|b| b != b'\n') {
            let (plain, next) = rest.split_at(plain_run(rest));
            out.extend_from_slice(plain);
            rest = next;
        }
    }
    out.make_ascii_lowercase();
    out
}

/// How many bytes go on as they are.
fn plain_run(text: &[u8]) -> usize {
    const ODD: [u8; 9] = [b'\n', b'\r', b'*', b'_', b'`', 0xC2, 0xE2, 0xE3, 0xEF];
    // One odd byte at a time over a whole chunk: a shape that compilers turn into vector code.
    let plain = |chunk: &&[u8; 32]| {
        let mut odd = [0; 32];
        for byte in ODD {
            odd.iter_mut().zip(*chunk).for_each(|(odd, b)| *odd |= u8::from(*b == byte));
        }
        odd == [0; 32]
    };
    let whole = 32 * text.as_chunks().0.iter().take_while(plain).count();
    whole + text[whole..].iter().position(|b| ODD.contains(b)).unwrap_or(text.len() - whole)
}

/// A phrase as it is met in normalised text.
pub(super) fn straight(phrase: &str) -> String {
    String::from_utf8_lossy(&normalise(phrase)[1..]).into_owned()
}

/// Where the words begin: after white space, markup, marks such as `[simulated]`, thinking.
pub(super) fn lead(text: &[u8]) -> usize {
    // A bracket that holds a sentence is no mark on the response, it is the response.
    let marks = [("[", "]", 40), ("【", "】", 60), ("<think>", "</think>", usize::MAX)];
    let mut at = 0;
    loop {
        at += text[at..].iter().take_while(|b| b" \t\n#>-\"'".contains(b)).count();
        let skip = |(open, close, reach): &(&str, &str, usize)| {
            let rest = text[at..].strip_prefix(open.as_bytes())?;
            let mut near = rest[..rest.len().min(*reach)].windows(close.len());
            Some(open.len() + near.position(|w| w == close.as_bytes())? + close.len())
        };
        let Some(length) = marks.iter().find_map(skip) else { return at };
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_normalised() {
        assert_eq!(straight("I **Can’t**\r\n\t* “ＡＩ”，我。"), "i can't\n- \"ai\",我.");
    }

    #[test]
    fn long_plain_text_is_only_lower_cased() {
        for length in 0..200 {
            let plain: String = "Plain words 我. ".repeat(20).chars().take(length).collect();
            let text = plain + "**É**\u{a0}‘";
            let expected = text.to_ascii_lowercase().replace('*', "");
            let expected = expected.replace('\u{a0}', " ").replace('‘', "'");
            assert_eq!(straight(&text), expected);
        }
    }

    #[test]
    fn a_sentence_ends_at_its_mark() {
        let first = |text: &str| first_sentence(text.as_bytes(), 0, 30);
        assert_eq!(first("it's 3.5 kilos of rice. boil it"), 22);
        assert_eq!(first("no. that is wrong! really"), 17);
        assert_eq!(first("no end"), 6);
        assert_eq!(first(&"no end ".repeat(9)), 30);
    }
}
