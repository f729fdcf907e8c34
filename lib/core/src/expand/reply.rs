//! A generation model's reply, parsed into prompts. What is no prompt is kept with the reason.

use crate::template::metadata::ReplyForm;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// What came of a reply. Every part of it that could be a prompt is in one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The prompts, in the order of the reply.
    pub prompts: Vec<String>,
    /// The rest, with reasons.
    pub rejects: Vec<Reject>,
}

/// A part of a reply that is no prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why: one of a few words, so that they can be counted.
    pub reason: String,
    /// The text.
    pub text: String,
}

/// The generator refuses to write prompts.
pub const REFUSED: &str = "refused";
const CUT_OFF: &str = "cut off";
const NOT_AN_ITEM: &str = "not an item of the list";

/// The longest prompt that is believed, in characters: a longer one is a list that was not understood.
const MAX_CHARS: usize = 4_000;
/// The longest for a reply that is one prompt: attacks may be long.
const MAX_CHARS_OF_ONE: usize = 40_000;
/// A text with fewer letters is no prompt.
const MIN_LETTERS: usize = 4;

/// How a reply is to be read.
pub struct Reading<'a> {
    /// What was asked for.
    pub form: ReplyForm,
    /// Prompts asked for.
    pub count: usize,
    /// The token limit cut the reply, so that its last prompt is not whole.
    pub is_cut: bool,
    /// Whether a text refuses.
    pub refuses: &'a dyn Fn(&str) -> bool,
}

/// The prompts in a reply.
pub fn parse(reply: &str, reading: &Reading<'_>) -> Parsed {
    match reading.form {
        ReplyForm::Prompt => one(reply, reading),
        ReplyForm::List => list(reply, reading),
    }
}

fn one(reply: &str, reading: &Reading<'_>) -> Parsed {
    let text = unquoted(reply.trim());
    let reason = match () {
        () if (reading.refuses)(reply) => Some(REFUSED),
        () if reading.is_cut => Some(CUT_OFF),
        () => unfit(text, MAX_CHARS_OF_ONE),
    };
    match reason {
        Some(reason) => Parsed { rejects: vec![reject(reason, reply)], ..Parsed::default() },
        None => Parsed { prompts: vec![text.to_owned()], ..Parsed::default() },
    }
}

fn list(reply: &str, reading: &Reading<'_>) -> Parsed {
    let found = items(reply);
    let before = if found.before.is_empty() { reply } else { &found.before };
    // A refusal may be followed by a list, of what the model offers instead.
    if (reading.refuses)(before) && (found.is_lines || !found.before.is_empty()) {
        return Parsed { rejects: vec![reject(REFUSED, reply)], ..Parsed::default() };
    }
    let mut parsed = Parsed::default();
    let others = found.others.iter().map(|text| reject(NOT_AN_ITEM, text));
    parsed.rejects.extend(others);
    let last = found.items.len().saturating_sub(1);
    for (at, item) in found.items.into_iter().enumerate() {
        let text = unquoted(item.trim()).to_owned();
        let folded = |text: &str| text.to_lowercase();
        let again = parsed.prompts.iter().any(|known| folded(known) == folded(&text));
        let reason = match () {
            () if reading.is_cut && at == last && found.rest.is_none() => Some(CUT_OFF),
            () if again => Some("the same as another"),
            () if parsed.prompts.len() == reading.count => Some("more than asked for"),
            () => unfit(&text, MAX_CHARS),
        };
        match reason {
            Some(reason) => parsed.rejects.push(reject(reason, &text)),
            None => parsed.prompts.push(text),
        }
    }
    parsed.rejects.extend(found.rest.map(|text| reject(CUT_OFF, &text)));
    if parsed.prompts.is_empty() && parsed.rejects.is_empty() {
        parsed.rejects.push(reject("empty", reply));
    }
    parsed
}

fn reject(reason: &str, text: &str) -> Reject {
    Reject { reason: reason.to_owned(), text: text.to_owned() }
}

/// Why a text cannot be a prompt.
fn unfit(text: &str, most: usize) -> Option<&'static str> {
    if text.is_empty() {
        return Some("empty");
    }
    if text.chars().count() > most {
        return Some("too long");
    }
    (text.chars().filter(|c| c.is_alphabetic()).count() < MIN_LETTERS).then_some("too short")
}

/// A reply in parts.
#[derive(Default)]
struct Items {
    /// What stands before the list.
    before: String,
    items: Vec<String>,
    /// Lines that are no items.
    others: Vec<String>,
    /// What follows the last whole item of a JSON list that was cut.
    rest: Option<String>,
    /// There are no marks of a list: each line is taken for an item.
    is_lines: bool,
}

fn items(reply: &str) -> Items {
    json_items(reply).unwrap_or_else(|| {
        let marked = reply.lines().filter(|line| marked(line).is_some()).count();
        let lines = reply.lines().filter(|line| !line.trim().is_empty());
        let is_lines = marked == 0 || (marked == 1 && lines.clone().count() > 2);
        let mut items = Items { is_lines, ..Items::default() };
        for line in lines.map(str::trim).filter(|line| !line.starts_with("```")) {
            match marked_or_line(line, is_lines) {
                Some(item) => items.items.push(item.to_owned()),
                None => {
                    if items.items.is_empty() {
                        items.before.push_str(line);
                        items.before.push('\n');
                    }
                    items.others.push(line.to_owned());
                }
            }
        }
        items
    })
}

fn marked_or_line(line: &str, is_lines: bool) -> Option<&str> {
    match is_lines {
        // The line before a list without marks.
        true => (!line.ends_with([':', '：'])).then_some(line),
        false => marked(line),
    }
}

/// What follows `1.`, `2)`, `3、`, `-`, `*` or `•` at the start of a line.
fn marked(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches("**");
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = line.len() - digits.len();
    let text = match number {
        1..=4 => digits.strip_prefix(['.', ')', '、', '．', '）', ':', '：'])?,
        0 => line.strip_prefix(['-', '*', '•'])?,
        _ => return None,
    };
    let spaced =
        text.starts_with(char::is_whitespace) || digits.starts_with(['、', '．', '）', '：']);
    spaced.then(|| text.trim().trim_end_matches("**"))
}

/// The items of a JSON list, in a code block or not: texts, or objects that hold one.
fn json_items(reply: &str) -> Option<Items> {
    let start = match reply.find("```") {
        Some(fence) => fence + 3 + reply[fence + 3..].find('\n')?,
        None => 0,
    };
    let json = reply[start..].trim_start();
    let at = reply.len() - json.len();
    let list = match json.as_bytes().first()? {
        b'[' => at,
        b'{' => at + json.find('[')?,
        _ => return None,
    };
    let mut values = Vec::new();
    let whole = Elements(&mut values)
        .deserialize(&mut serde_json::Deserializer::from_str(&reply[list..]))
        .is_ok();
    if values.is_empty() {
        return None;
    }
    let before = reply[..at].replace("```json", "").replace("```", "").trim().to_owned();
    let texts: Vec<Option<String>> = values.iter().map(text_of).collect();
    let others = values.iter().zip(&texts).filter(|(_, text)| text.is_none());
    let others = others.map(|(value, _)| value.to_string()).collect();
    let rest = (!whole).then(|| {
        let last = texts.iter().flatten().last().map_or("", String::as_str);
        let cut = reply.rfind(last).map_or(reply.len(), |at| at + last.len());
        reply[cut..].trim_matches(['"', ',', '\n', ' ', '}', '{']).to_owned()
    });
    Some(Items {
        before,
        items: texts.into_iter().flatten().collect(),
        others,
        rest,
        is_lines: false,
    })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(members) => {
            let named = ["prompt", "question", "text"].iter().find_map(|name| members.get(*name));
            named.and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    }
}

/// Collects the elements of a list as far as they go.
struct Elements<'a>(&'a mut Vec<Value>);

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            self.0.push(value);
        }
        Ok(())
    }
}

/// The text without the quotation marks around it.
fn unquoted(text: &str) -> &str {
    let pairs = [('"', '"'), ('“', '”'), ('「', '」'), ('\'', '\'')];
    let inside = |(open, close): (char, char)| {
        let inside = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inside.contains([open, close])).then_some(inside.trim())
    };
    pairs.into_iter().find_map(inside).unwrap_or(text)
}

#[cfg(test)]
mod tests;
