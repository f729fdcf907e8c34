//! The option that a response takes, in the ways in which models say so.

use super::{Taken, option, place};

/// Looks for, in this order: a cue ("the answer is") with a letter after it, the last one if there
/// are several; a line that opens with a letter as a label, the first line or the last; letters in
/// brackets, if all are the same; the text of an option, if it is the only one.
///
/// A cue whose letter was not offered decides as well: going on to what was said before would score
/// what the answer rejects.
pub(super) fn of_text(
    response: &str,
    choices: &[&str],
    cues: &[String],
    after: &[String],
) -> Option<Taken> {
    let text = response.rsplit("</think>").next().unwrap_or(response);
    let text: String = text.chars().filter(|c| !matches!(c, '*' | '_' | '`' | '$')).collect();
    let text = text.trim();
    let offered = |letter: char| match place(letter) {
        Some(at) if at < choices.len() => Some(Taken::Option(at)),
        _ => Some(Taken::NotOffered(letter)),
    };
    if let Some((letter, rest)) = cued(text, cues, after) {
        return offered(letter).filter(|_| !is_joined(rest));
    }
    if let Some(at) = option(text.trim_end_matches(['.', '。']), choices) {
        return Some(Taken::Option(at));
    }
    let lines = [text.lines().next(), text.lines().next_back()];
    if let Some(letter) = lines.into_iter().flatten().find_map(|line| labelled(line, after)) {
        return offered(letter);
    }
    if let Some(letter) = bracketed(text) {
        return offered(letter);
    }
    named(text, choices).map(Taken::Option)
}

/// The letter after the last cue that has one, and what follows it.
fn cued<'a>(text: &'a str, cues: &[String], after: &[String]) -> Option<(char, &'a str)> {
    // Lower case in ASCII keeps every place where it is.
    let lower = text.to_ascii_lowercase();
    let ends = cues
        .iter()
        .flat_map(|cue| lower.match_indices(cue.as_str()).map(|(at, found)| at + found.len()));
    let labels = ends.filter_map(|end| {
        let skipped = [' ', ':', '：', '\n', '(', '（', '[', '"', '“', '{'];
        let rest = text[end..].trim_start_matches(skipped);
        label(rest, after).map(|letter| (end, letter, &rest[1..]))
    });
    labels.max_by_key(|(end, ..)| *end).map(|(_, letter, rest)| (letter, rest))
}

/// A capital letter that begins a text and is not the beginning of a word, nor a word of one letter
/// ("A dog", "I think") unless what follows shows that it is none.
fn label(text: &str, after: &[String]) -> Option<char> {
    let mut characters = text.chars();
    let letter = characters.next().filter(char::is_ascii_uppercase)?;
    let next = characters.next();
    let rest = characters.as_str();
    let word = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let is_word = matches!(letter, 'A' | 'I')
        && rest.starts_with(|c: char| c.is_lowercase())
        && !after.iter().any(|known| known == word);
    match next {
        Some(c) if c.is_ascii_alphanumeric() || matches!(c, '\'' | '’' | '-') => None,
        Some(' ') if is_word => None,
        _ => Some(letter),
    }
}

/// Whether another letter is joined to the one before: "A or B", "A、B".
fn is_joined(rest: &str) -> bool {
    let bare = |text: &str| -> String {
        text.chars().filter(|c| !c.is_whitespace() && !"()（）[]".contains(*c)).take(5).collect()
    };
    let rest = bare(rest);
    let joins = [",", "，", "、", "/", "&", "or", "and", "或", "和"];
    joins.iter().filter_map(|join| rest.strip_prefix(join)).any(|other| label(other, &[]).is_some())
}

/// The letter with which a line opens as a label: `B`, `(B)`, `B. text`, `B: text`.
fn labelled(line: &str, after: &[String]) -> Option<char> {
    let line = line.trim();
    let inner = line.trim_start_matches(['(', '（', '[']);
    let letter = label(inner, after)?;
    let rest = &inner[1..];
    let closes =
        |c: char| matches!(c, ')' | '）' | ']' | '.' | ':' | '：' | '、' | '。' | ',' | '，');
    let stands = rest.trim().is_empty() || rest.starts_with(closes);
    (stands && !is_joined(rest)).then_some(letter)
}

/// The letter in brackets, if there is one and all such are the same.
fn bracketed(text: &str) -> Option<char> {
    let inside = |(at, open): (usize, char)| {
        let mut rest = text[at + open.len_utf8()..].chars();
        let letter = rest.next().filter(char::is_ascii_uppercase)?;
        rest.next().filter(|c| matches!(c, ')' | '）' | ']')).map(|_| letter)
    };
    let opens = text.char_indices().filter(|(_, c)| matches!(c, '(' | '（' | '['));
    let mut letters = opens.filter_map(inside);
    let first = letters.next()?;
    letters.all(|letter| letter == first).then_some(first)
}

/// The only option whose text the response holds; an option that is part of another's text gives
/// way to it.
fn named(text: &str, choices: &[&str]) -> Option<usize> {
    let bare = |text: &str| text.trim().trim_end_matches(['.', '。']).to_lowercase();
    let text = text.to_lowercase();
    let choices: Vec<String> = choices.iter().map(|choice| bare(choice)).collect();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let holds = |choice: &String| {
        !choice.is_empty()
            && text.match_indices(choice.as_str()).any(|(at, found)| {
                !is_word(text[..at].chars().next_back())
                    && !is_word(text[at + found.len()..].chars().next())
            })
    };
    let held: Vec<usize> = (0..choices.len()).filter(|&at| holds(&choices[at])).collect();
    let is_part = |at: &usize| {
        held.iter().any(|other| other != at && choices[*other].contains(&choices[*at]))
    };
    let whole: Vec<usize> = held.iter().copied().filter(|at| !is_part(at)).collect();
    match whole[..] {
        [at] => Some(at),
        _ => None,
    }
}

/// The letter of the most probable first token among the letters of the options; the probabilities
/// of the spellings of a letter (`A`, ` A`, `(A`) are added up. Nothing if no token is one of the
/// letters.
pub(super) fn of_tokens(tokens: &[(String, f64)], options: usize) -> Option<Taken> {
    let mut masses = vec![0.0; options];
    for (token, log_probability) in tokens {
        let bare = token.trim_matches([' ', '\n', '(', ')', '▁', 'Ġ', '.', ':']);
        let mut characters = bare.chars();
        let (Some(letter), None) = (characters.next(), characters.next()) else { continue };
        // A small letter is a word more often than an option.
        let at = place(letter).filter(|_| letter.is_ascii_uppercase());
        if let Some(mass) = at.and_then(|at| masses.get_mut(at)) {
            *mass += log_probability.exp();
        }
    }
    let best = masses.iter().copied().fold(0.0, f64::max);
    let at = masses.iter().position(|mass| *mass == best)?;
    (best > 0.0).then_some(Taken::Option(at))
}
