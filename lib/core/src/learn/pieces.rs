//! A base prompt in pieces: cut into the string literals of a program, or with other punctuation and
//! white space than it had.

use super::find::{Escape, Fill, Form, Found, Hole};
use std::ops::Range;

/// A character of the attack's text, and the bytes it is written with.
struct Token {
    at: Range<usize>,
    value: char,
}

/// A string literal of a program.
struct Literal {
    quote: char,
    tokens: Vec<Token>,
}

/// Letters and digits that a prompt must have to be looked for in pieces: fewer are found by chance.
const FEWEST: usize = 4;

/// The prompt as consecutive string literals that, joined, give its letters and digits.
pub fn in_literals(base: &str, text: &str) -> Option<Found> {
    let words: Vec<char> = base.chars().filter(|c| c.is_alphanumeric()).collect();
    if words.len() < FEWEST {
        return None;
    }
    let literals = literals(text);
    for first in 0..literals.len() {
        let Some(count) = joined(&literals[first..], &words) else { continue };
        let run = &literals[first..first + count];
        let holes = aligned(base, run.iter().map(|literal| literal.tokens.as_slice()))?;
        let own = match run[0].quote {
            '"' => Escape::Double,
            _ => Escape::Single,
        };
        let mut escapes = [own, Escape::None].into_iter();
        let escape = escapes.find(|escape| written(base, text, &holes, *escape))?;
        return Some(Found { form: Form::PLAIN, escape, key: 0, holes });
    }
    None
}

/// The prompt in the text, but for punctuation and white space.
pub fn in_text(base: &str, text: &str) -> Option<Found> {
    let words: String = base.chars().filter(|c| c.is_alphanumeric()).collect();
    if words.chars().count() < FEWEST {
        return None;
    }
    let mut places = Vec::new();
    let mut all = String::new();
    for (at, c) in text.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
        places.push((all.len(), at));
        all.push(c);
    }
    let found = all.rfind(&words)?;
    let place = |byte: usize| places.binary_search_by_key(&byte, |(byte, _)| *byte).ok();
    let start = places.get(place(found)?)?.1;
    let last = words.chars().last()?.len_utf8();
    let end = places.get(place(found + words.len() - last)?)?.1 + last;
    let tokens: Vec<Token> = text[start..end]
        .char_indices()
        .map(|(at, value)| Token { at: start + at..start + at + value.len_utf8(), value })
        .collect();
    let holes = aligned(base, [tokens.as_slice()])?;
    Some(Found { form: Form::PLAIN, escape: Escape::None, key: 0, holes })
}

/// How many literals give the words; none if the first ones do not.
fn joined(literals: &[Literal], words: &[char]) -> Option<usize> {
    let mut left = words.iter();
    for (count, literal) in literals.iter().enumerate() {
        for token in literal.tokens.iter().filter(|token| token.value.is_alphanumeric()) {
            if left.next() != Some(&token.value) {
                return None;
            }
        }
        if left.len() == words.len() {
            return None;
        }
        if left.len() == 0 {
            return Some(count + 1);
        }
    }
    None
}

/// The pieces of the prompt that the tokens are made of. Characters of either that the other lacks must
/// be punctuation or white space.
fn aligned<'a>(base: &str, runs: impl IntoIterator<Item = &'a [Token]>) -> Option<Vec<Hole>> {
    let base: Vec<char> = base.chars().collect();
    let mut at = 0;
    let mut holes: Vec<Hole> = Vec::new();
    for run in runs {
        let mut fresh = true;
        for token in run {
            let rest = base.get(at..).unwrap_or_default();
            let gap = rest.iter().take_while(|c| !c.is_alphanumeric()).count();
            // The token is one of the marks that come before the next word, or that word's beginning.
            let ahead = rest.iter().take(gap + 1).position(|c| *c == token.value);
            let Some(skipped) = ahead else {
                if token.value.is_alphanumeric() {
                    return None;
                }
                continue;
            };
            at += skipped + 1;
            match holes.last_mut() {
                Some(Hole { at: bytes, fill: Fill::Piece(piece) })
                    if !fresh && skipped == 0 && bytes.end == token.at.start =>
                {
                    bytes.end = token.at.end;
                    piece.end = at;
                }
                _ => holes.push(Hole { at: token.at.clone(), fill: Fill::Piece(at - 1..at) }),
            }
            fresh = false;
        }
    }
    base.get(at..).unwrap_or_default().iter().all(|c| !c.is_alphanumeric()).then_some(holes)
}

/// Whether the pieces, escaped, are what stands in the text.
fn written(base: &str, text: &str, holes: &[Hole], escape: Escape) -> bool {
    holes.iter().all(|hole| match &hole.fill {
        Fill::Piece(piece) => {
            let piece: String = base.chars().skip(piece.start).take(piece.len()).collect();
            escape.apply(&piece) == text[hole.at.clone()]
        }
        _ => true,
    })
}

/// The string literals of a program, as most languages write them. A quote without an end is text.
fn literals(text: &str) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(['"', '\'']) {
        let start = from + at;
        from = start + 1;
        let Some(quote) = text[start..].chars().next() else { break };
        let triple = quote.to_string().repeat(3);
        let marks = if text[start..].starts_with(&triple) { 3 } else { 1 };
        let body = &text[start + marks..];
        if let Some((tokens, end)) = literal(body, &triple[..marks], start + marks) {
            from = end;
            found.push(Literal { quote, tokens });
        }
    }
    found
}

/// The characters up to the closing quotes, and where those end.
fn literal(body: &str, close: &str, start: usize) -> Option<(Vec<Token>, usize)> {
    let mut tokens = Vec::new();
    let mut chars = body.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if body[at..].starts_with(close) {
            return Some((tokens, start + at + close.len()));
        }
        if c == '\n' && close.len() == 1 {
            return None;
        }
        let escaped = match (c, chars.peek()) {
            ('\\', Some((_, 'n'))) => Some('\n'),
            ('\\', Some((_, 'r'))) => Some('\r'),
            ('\\', Some((_, mark @ ('\\' | '"' | '\'')))) => Some(*mark),
            _ => None,
        };
        if escaped.is_some() {
            chars.next();
        }
        let end = chars.peek().map_or(body.len(), |(next, _)| *next);
        tokens.push(Token { at: start + at..start + end, value: escaped.unwrap_or(c) });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(base: &str, found: &Found) -> Vec<String> {
        let piece = |hole: &Hole| match &hole.fill {
            Fill::Piece(at) => base.chars().skip(at.start).take(at.len()).collect(),
            _ => String::new(),
        };
        found.holes.iter().map(piece).collect()
    }

    #[test]
    fn literals_are_joined_whatever_stands_between() {
        let base = "How is bread baked, and when?";
        let text =
            "```\nx = 'x'\na = 'How is bread '\nb = \"baked\"\nc = 'and when?'\nprint(a + b + c)";
        let found = in_literals(base, text).unwrap();
        assert_eq!(pieces(base, &found), ["How is bread ", "baked", "and when?"]);
        assert_eq!(found.gaps(text)[1], "'\nb = \"");
        assert!(in_literals("How is bread baked today?", text).is_none());
        assert!(in_literals(base, "How is bread baked, and when?").is_none());
    }

    #[test]
    fn quotes_in_literals_are_escaped_as_they_were() {
        let base = r#"Say "yes" \ 'no'"#;
        for (text, escape) in [
            (r#"f("Say \"yes\" ", "\\ 'no'")"#, Escape::Double),
            (r#"f('Say "yes" ', '\\ \'no\'')"#, Escape::Single),
        ] {
            let found = in_literals(base, text).unwrap();
            assert_eq!((found.escape, pieces(base, &found).concat().as_str()), (escape, base));
        }
    }

    #[test]
    fn punctuation_may_differ() {
        let base = "面包怎么烤？什么时候？";
        let text = "请回答：面包怎么烤，什么时候！";
        let found = in_text(base, text).unwrap();
        assert_eq!(pieces(base, &found), ["面包怎么烤", "什么时候"]);
        assert_eq!(found.gaps(text), ["请回答：", "，", "！"]);
        assert!(in_text("abc", "a b c").is_none());
    }
}
