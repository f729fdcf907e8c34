//! Alphabets: a sign for each letter. A character that has no sign stays as it is.

/// International Morse code, with the usual signs for ! & ; _ $ beside it.
const MORSE: &[(char, &str)] = &[
    ('a', ".-"),
    ('b', "-..."),
    ('c', "-.-."),
    ('d', "-.."),
    ('e', "."),
    ('f', "..-."),
    ('g', "--."),
    ('h', "...."),
    ('i', ".."),
    ('j', ".---"),
    ('k', "-.-"),
    ('l', ".-.."),
    ('m', "--"),
    ('n', "-."),
    ('o', "---"),
    ('p', ".--."),
    ('q', "--.-"),
    ('r', ".-."),
    ('s', "..."),
    ('t', "-"),
    ('u', "..-"),
    ('v', "...-"),
    ('w', ".--"),
    ('x', "-..-"),
    ('y', "-.--"),
    ('z', "--.."),
    ('0', "-----"),
    ('1', ".----"),
    ('2', "..---"),
    ('3', "...--"),
    ('4', "....-"),
    ('5', "....."),
    ('6', "-...."),
    ('7', "--..."),
    ('8', "---.."),
    ('9', "----."),
    ('.', ".-.-.-"),
    (',', "--..--"),
    ('?', "..--.."),
    ('\'', ".----."),
    ('!', "-.-.--"),
    ('/', "-..-."),
    ('(', "-.--."),
    (')', "-.--.-"),
    ('&', ".-..."),
    (':', "---..."),
    (';', "-.-.-."),
    ('=', "-...-"),
    ('+', ".-.-."),
    ('-', "-....-"),
    ('_', "..--.-"),
    ('"', ".-..-."),
    ('$', "...-..-"),
    ('@', ".--.-."),
];

/// The spelling alphabet of NATO and ICAO, with plain English digits. The slash has a word, since it
/// stands for a space.
const NATO: &[(char, &str)] = &[
    ('a', "Alfa"),
    ('b', "Bravo"),
    ('c', "Charlie"),
    ('d', "Delta"),
    ('e', "Echo"),
    ('f', "Foxtrot"),
    ('g', "Golf"),
    ('h', "Hotel"),
    ('i', "India"),
    ('j', "Juliett"),
    ('k', "Kilo"),
    ('l', "Lima"),
    ('m', "Mike"),
    ('n', "November"),
    ('o', "Oscar"),
    ('p', "Papa"),
    ('q', "Quebec"),
    ('r', "Romeo"),
    ('s', "Sierra"),
    ('t', "Tango"),
    ('u', "Uniform"),
    ('v', "Victor"),
    ('w', "Whiskey"),
    ('x', "X-ray"),
    ('y', "Yankee"),
    ('z', "Zulu"),
    ('0', "Zero"),
    ('1', "One"),
    ('2', "Two"),
    ('3', "Three"),
    ('4', "Four"),
    ('5', "Five"),
    ('6', "Six"),
    ('7', "Seven"),
    ('8', "Eight"),
    ('9', "Nine"),
    ('/', "Slash"),
];

/// Morse code: a space between signs, `/` for a space. A character without a sign stands as itself where
/// its sign would. Case is lost.
pub fn morse(text: &str) -> String {
    spell(text, MORSE)
}

/// The inverse of [`morse`], in lower case.
pub fn from_morse(text: &str) -> Option<String> {
    read(text, MORSE)
}

/// Code words of the NATO alphabet: a space between words, `/` for a space. A character without a word
/// stands as itself where its word would. Case is lost.
pub fn nato(text: &str) -> String {
    spell(text, NATO)
}

/// The inverse of [`nato`], in lower case.
pub fn from_nato(text: &str) -> Option<String> {
    read(text, NATO)
}

/// A token for each character, with a space between. A sign that is one character long is the token of no
/// other: a character that looks like one has a sign itself.
fn spell(text: &str, signs: &[(char, &str)]) -> String {
    let mut out = String::with_capacity(text.len() * 6);
    for (at, c) in text.chars().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        match signs.iter().find(|(letter, _)| *letter == c.to_ascii_lowercase()) {
            Some((_, sign)) => out.push_str(sign),
            None if c == ' ' => out.push('/'),
            None => out.push(c),
        }
    }
    out
}

fn read(text: &str, signs: &[(char, &str)]) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let character = |token: &str| {
        let sign = signs.iter().find(|(_, sign)| sign.eq_ignore_ascii_case(token));
        let mut chars = token.chars();
        match (sign, chars.next(), chars.next()) {
            (Some((letter, _)), ..) => Some(*letter),
            (None, Some('/'), None) => Some(' '),
            (None, Some(c), None) => Some(c),
            _ => None,
        }
    };
    text.split(' ').map(character).collect()
}

/// Letters and the digits that look like them.
const LEET: [(char, char); 6] =
    [('a', '4'), ('e', '3'), ('i', '1'), ('o', '0'), ('s', '5'), ('t', '7')];

/// Digits for the letters a e i o s t; the rest unchanged. Their case is lost, and a text's own digits
/// look like letters afterwards.
pub fn leetspeak(text: &str) -> String {
    let digit = |c: char| LEET.iter().find(|(letter, _)| *letter == c.to_ascii_lowercase());
    text.chars().map(|c| digit(c).map_or(c, |(_, digit)| *digit)).collect()
}

/// The inverse of [`leetspeak`]: those digits as letters in lower case.
pub fn from_leetspeak(text: &str) -> Option<String> {
    let plain = |c: char| LEET.iter().any(|(letter, _)| *letter == c.to_ascii_lowercase());
    (!text.contains(plain)).then(|| leetspeak_kept(text))
}

/// The text with 4 3 1 0 5 7 as letters, and the letters a e i o s t in lower case.
pub(super) fn leetspeak_kept(text: &str) -> String {
    let pair = |c: char| LEET.iter().find(|(l, digit)| *digit == c || *l == c.to_ascii_lowercase());
    text.chars().map(|c| pair(c).map_or(c, |(letter, _)| *letter)).collect()
}

/// Cells of a to z.
const CELLS: [char; 26] = [
    '⠁', '⠃', '⠉', '⠙', '⠑', '⠋', '⠛', '⠓', '⠊', '⠚', '⠅', '⠇', '⠍', '⠝', '⠕', '⠏', '⠟', '⠗', '⠎',
    '⠞', '⠥', '⠧', '⠺', '⠭', '⠽', '⠵',
];
/// Cells of punctuation.
const MARKS: [(char, char); 8] = [
    (',', '⠂'),
    (';', '⠆'),
    (':', '⠒'),
    ('.', '⠲'),
    ('!', '⠖'),
    ('?', '⠦'),
    ('\'', '⠄'),
    ('-', '⠤'),
];
/// Before a capital letter.
const CAPITAL: char = '⠠';
/// Before digits, which are the letters a to j.
const NUMBER: char = '⠼';
/// Before a letter from a to j that follows digits.
const LETTER: char = '⠰';
/// Before a Braille cell that stood in the text: ours, no rule of Braille.
const LITERAL: char = '⠿';

/// Braille, uncontracted, as in Unified English Braille: letters, digits and common punctuation; spaces
/// and characters without a cell stay as they are.
pub fn braille(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    let mut number = false;
    for c in text.chars() {
        match (c, MARKS.iter().find(|(mark, _)| *mark == c)) {
            ('0'..='9', _) => {
                if !number {
                    out.push(NUMBER);
                }
                // 1 to 9 are a to i, 0 is j.
                out.push(CELLS[(c as usize - '0' as usize + 9) % 10]);
            }
            ('a'..='z', _) => {
                if number && c <= 'j' {
                    out.push(LETTER);
                }
                out.push(CELLS[c as usize - 'a' as usize]);
            }
            ('A'..='Z', _) => out.extend([CAPITAL, CELLS[c as usize - 'A' as usize]]),
            ('\u{2800}'..='\u{28ff}', _) => out.extend([LITERAL, c]),
            (_, Some((_, cell))) => out.push(*cell),
            _ => out.push(c),
        }
        number = stays_a_number(c, number);
    }
    out
}

/// Whether digits may go on after `c` without a new sign: a number holds points and commas.
fn stays_a_number(c: char, number: bool) -> bool {
    c.is_ascii_digit() || (number && matches!(c, '.' | ','))
}

/// The inverse of [`braille`].
pub fn from_braille(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() / 3);
    let mut number = false;
    let mut chars = text.chars();
    let place = |cell: char| CELLS.iter().position(|known| *known == cell);
    while let Some(cell) = chars.next() {
        let c = match (cell, place(cell)) {
            (NUMBER | LETTER, _) => {
                number = cell == NUMBER;
                continue;
            }
            (CAPITAL, _) => char::from(b'A' + place(chars.next()?)? as u8),
            (LITERAL, _) => chars.next()?,
            (_, Some(place @ 0..10)) if number => char::from(b"1234567890"[place]),
            (_, Some(place)) => char::from(b'a' + place as u8),
            ('\u{2800}'..='\u{28ff}', _) => MARKS.iter().find(|(_, known)| *known == cell)?.0,
            (c, _) if c.is_ascii_alphanumeric() || MARKS.iter().any(|(mark, _)| *mark == c) => {
                return None;
            }
            (c, _) => c,
        };
        out.push(c);
        number = stays_a_number(c, number);
    }
    Some(out)
}
