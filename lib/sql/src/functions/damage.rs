//! Damage that a text took on its way: read in the wrong encoding, or escaped once too often.
//!
//! Each kind is looked for by what no writer would type. Accented letters before a quotation mark or
//! a no-break space, joined emoji, marks of direction, and escapes within code are no damage.

const CHARACTER: &str = "replacement character";
const MOJIBAKE: &str = "UTF-8 read as Latin-1";
const CONTROL: &str = "control character";
const PRIVATE: &str = "private-use character";
const ENTITY: &str = "HTML entity";
const ESCAPE: &str = "literal escape";

/// Names of entities that texts from the web are full of.
const ENTITIES: [&str; 16] = [
    "amp", "lt", "gt", "quot", "apos", "nbsp", "hellip", "mdash", "ndash", "lsquo", "rsquo",
    "ldquo", "rdquo", "eacute", "middot", "copy",
];

/// What shows that a text is about code or has some in it, where escapes are at home.
const CODE: [&str; 24] = [
    "`",
    "();",
    "){",
    ") {",
    "=>",
    "==",
    "!=",
    "print(",
    "printf",
    "</",
    "/>",
    "<br",
    "#include",
    "html",
    "regex",
    "正则",
    "\"\\",
    "'\\",
    "(\\",
    "\\begin",
    "\\frac",
    "python",
    "javascript",
    "json",
];

/// What kind of damage a text shows; the first of these, if it shows several. `None`: none.
///
/// Kinds: `replacement character`, `UTF-8 read as Latin-1`, `control character`,
/// `private-use character`, `HTML entity`, `literal escape`.
pub(super) fn kind(text: &str) -> Option<&'static str> {
    if text.contains(['\u{fffd}', '\u{ffff}', '\u{fffe}']) {
        return Some(CHARACTER);
    }
    // Most texts end here: no sign above ASCII, no control character, no & and no backslash.
    let ascii = text.is_ascii();
    if !ascii && is_mojibake(text) {
        return Some(MOJIBAKE);
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Some(CONTROL);
    }
    if !ascii && text.chars().any(is_private) {
        return Some(PRIVATE);
    }
    if !text.contains(['&', '\\']) {
        return None;
    }
    let small = text.to_ascii_lowercase();
    if CODE.iter().any(|code| small.contains(code)) {
        return None;
    }
    if has_entity(text) {
        return Some(ENTITY);
    }
    has_escape(text).then_some(ESCAPE)
}

fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
}

/// Whether some characters are the bytes of UTF-8, each taken for a character of Windows-1252.
fn is_mojibake(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    let mut run = 0;
    while at < chars.len() {
        let Some((signs, decoded)) = decode(&chars[at..]) else {
            (at, run) = (at + 1, 0);
            continue;
        };
        let before = at.checked_sub(1).and_then(|i| chars.get(i)).copied();
        run += 1;
        if run >= 2 || is_telling(before, &chars[at..at + signs], decoded) {
            return true;
        }
        at += signs;
    }
    false
}

/// The first character of a text whose characters were bytes once, and how many there were of it.
fn decode(chars: &[char]) -> Option<(usize, char)> {
    let lead = byte(*chars.first()?)?;
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut bytes = [0; 4];
    for (byte_of, c) in bytes.iter_mut().zip(chars.get(..length)?) {
        *byte_of = byte(*c)?;
    }
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    Some((length, text.chars().next()?))
}

/// Whether one such character alone is proof enough. It is not if all that follows the letter is
/// what may stand after a letter: `É»`, `Ä“`, `voilà »` with a no-break space.
fn is_telling(before: Option<char>, chars: &[char], decoded: char) -> bool {
    let (lead, rest) = (chars[0], &chars[1..]);
    if rest.iter().all(|c| may_follow_a_letter(*c)) {
        // What Latin-1 has comes as Â or Ã, in the middle of small letters or after a number.
        let out_of_place =
            before.is_none_or(|c| c.is_lowercase() || c.is_ascii_digit() || c.is_whitespace());
        return matches!(lead, 'Â' | 'Ã') && out_of_place;
    }
    // Rare scripts are what a chance meeting gives.
    matches!(decoded, '\u{80}'..='\u{24f}' | '\u{370}'..='\u{6ff}' | '\u{1e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{ff00}'..='\u{ffef}' | '\u{1f000}'..='\u{1faff}')
}

fn may_follow_a_letter(c: char) -> bool {
    matches!(
        c,
        '\u{a0}'
            | '“'
            | '”'
            | '„'
            | '‘'
            | '’'
            | '‚'
            | '«'
            | '»'
            | '‹'
            | '›'
            | '–'
            | '—'
            | '…'
            | '•'
            | '·'
            | '™'
            | '®'
            | '©'
            | '°'
            | '²'
            | '³'
            | '¹'
            | 'ª'
            | 'º'
            | '¡'
            | '¿'
            | '\u{ad}'
    )
}

/// The byte that Windows-1252 shows as this character; Latin-1 where that has none.
fn byte(c: char) -> Option<u8> {
    Some(match c {
        '€' => 0x80,
        '‚' => 0x82,
        'ƒ' => 0x83,
        '„' => 0x84,
        '…' => 0x85,
        '†' => 0x86,
        '‡' => 0x87,
        'ˆ' => 0x88,
        '‰' => 0x89,
        'Š' => 0x8a,
        '‹' => 0x8b,
        'Œ' => 0x8c,
        'Ž' => 0x8e,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '˜' => 0x98,
        '™' => 0x99,
        'š' => 0x9a,
        '›' => 0x9b,
        'œ' => 0x9c,
        'ž' => 0x9e,
        'Ÿ' => 0x9f,
        _ => u8::try_from(c).ok().filter(|byte| *byte >= 0x80)?,
    })
}

/// `&amp;`, `&#39;`, `&#x27;`.
fn has_entity(text: &str) -> bool {
    text.split('&').skip(1).any(|rest| {
        let Some((name, _)) = rest.split_once(';') else { return false };
        let number = name.strip_prefix('#').map(|digits| match digits.strip_prefix(['x', 'X']) {
            Some(hex) => !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit()),
            None => !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()),
        });
        number.unwrap_or_else(|| ENTITIES.contains(&name))
    })
}

/// `\u00e9` anywhere, and a `\n` or `\t` that ends a sentence or begins one.
fn has_escape(text: &str) -> bool {
    // In a path of Windows every folder may begin with such a letter.
    let drive = |word: &str| {
        let word = word.trim_start_matches(['"', '\'', '(', '“']).as_bytes();
        word.len() > 2 && word[0].is_ascii_alphabetic() && word[1..].starts_with(b":\\")
    };
    if text.split_whitespace().any(drive) {
        return false;
    }
    text.match_indices('\\').any(|(at, _)| {
        let (before, rest) = (text[..at].chars().next_back(), &text[at + 1..]);
        match rest.chars().next() {
            Some('u') => {
                rest.len() > 4 && rest.bytes().skip(1).take(4).all(|b| b.is_ascii_hexdigit())
            }
            Some('n' | 't' | 'r') => is_break(before, rest.chars().nth(1)),
            _ => false,
        }
    })
}

/// Whether a `\n` between these two stands for a new line, and not for itself or for a name such as
/// `\nu`.
fn is_break(before: Option<char>, after: Option<char>) -> bool {
    let ends = before.is_some_and(|c| ".!?:;,。！？：；，”’）…".contains(c));
    let joined = before.is_some_and(|c| c.is_alphanumeric() || c == ')');
    let begins = after.is_none_or(|c| !c.is_ascii_lowercase());
    ends || (joined && begins)
}

#[cfg(test)]
mod tests;
