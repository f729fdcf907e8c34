//! A generation model's reply, parsed into prompts. What is no prompt is kept with the reason.

use crate::template::metadata::ReplyForm;
use serde_json::{Deserializer, Value};

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
/// The generator wrote it before, in this reply or in an earlier one.
pub const REPEATED: &str = "the same as another";
const CUT_OFF: &str = "cut off";
const NOT_AN_ITEM: &str = "not part of a prompt";

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
    let (reason, said) = match after_thinking(reply) {
        None => (Some(CUT_OFF), ""),
        Some(said) => (is_page(said).then_some("a web page"), said),
    };
    match (reason, reading.form) {
        (Some(reason), _) => Parsed { rejects: vec![reject(reason, reply)], ..Parsed::default() },
        (None, ReplyForm::Prompt) => one(said, reading),
        (None, ReplyForm::List) => list(said, reading),
    }
}

/// What follows the thoughts that some servers leave in a reply; none if nothing does.
fn after_thinking(reply: &str) -> Option<&str> {
    match reply.trim_start().strip_prefix("<think>") {
        None => Some(reply),
        Some(thoughts) => thoughts.split_once("</think>").map(|(_, said)| said),
    }
}

/// A page that something between here and the model wrote.
fn is_page(reply: &str) -> bool {
    let start: String = reply.trim_start().chars().take(9).collect();
    let start = start.to_ascii_lowercase();
    start.starts_with("<!doctype") || start.starts_with("<html")
}

fn one(reply: &str, reading: &Reading<'_>) -> Parsed {
    let (intro, text) = without_intro(reply.trim());
    let block = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    let block = block.filter(|block| !block.contains("```")).and_then(|b| b.split_once('\n'));
    let text = unquoted(unbold(block.map_or(text, |(_, block)| block.trim())));
    let reason = match () {
        () if (reading.refuses)(reply) => Some(REFUSED),
        () if reading.is_cut => Some(CUT_OFF),
        () => unfit(text, MAX_CHARS_OF_ONE),
    };
    match reason {
        Some(reason) => Parsed { rejects: vec![reject(reason, reply)], ..Parsed::default() },
        None => Parsed {
            prompts: vec![text.to_owned()],
            rejects: intro.map(|intro| reject(NOT_AN_ITEM, intro)).into_iter().collect(),
        },
    }
}

/// How a line begins that is said to whoever asked, before the prompt.
const INTROS: [&str; 9] =
    ["Sure", "Certainly", "Of course", "Here is", "Here's", "好的", "当然", "以下是", "这是"];

/// What a model says before the prompt, if it does, and the rest.
fn without_intro(reply: &str) -> (Option<&str>, &str) {
    match reply.split_once('\n') {
        Some((first, rest))
            if first.trim_end().ends_with([':', '：'])
                && INTROS.iter().any(|intro| first.starts_with(intro)) =>
        {
            (Some(first.trim()), rest.trim())
        }
        _ => (None, reply),
    }
}

fn list(reply: &str, reading: &Reading<'_>) -> Parsed {
    let found = items(reply, reading.count);
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
            () if reading.is_cut && at == last && found.ends_in_item => Some(CUT_OFF),
            () if again => Some(REPEATED),
            () if parsed.prompts.len() == reading.count => Some("more than asked for"),
            () if (reading.refuses)(&text) => Some(REFUSED),
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
    // U+FFFD stands for bytes that were no text.
    let broken = |c: char| c == '\u{fffd}' || (c.is_control() && !['\n', '\r', '\t'].contains(&c));
    if text.contains(broken) {
        return Some("not text");
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
    /// Nothing shows that the last item is whole.
    ends_in_item: bool,
}

impl Items {
    /// Adds lines that are no items.
    fn add_others(&mut self, text: &str) {
        let lines = text.lines().map(str::trim);
        self.others.extend(lines.filter(|line| is_content(line)).map(str::to_owned));
    }
}

/// Whether a line is more than the bounds of a code block.
fn is_content(line: &str) -> bool {
    !line.is_empty() && !line.starts_with("```")
}

fn items(reply: &str, count: usize) -> Items {
    json_items(reply).unwrap_or_else(|| {
        let marks = reply.lines().filter(|line| marked(line).is_some()).count();
        let lines = reply.lines().map(str::trim);
        let contents = lines.clone().filter(|line| is_content(line)).count();
        let is_lines = marks == 0 || (marks == 1 && count > 1 && contents > 2);
        let mut items = Items { is_lines, ..Items::default() };
        let mut goes_on = false;
        for line in lines {
            if !is_content(line) {
                goes_on = false;
                continue;
            }
            let item = marked_or_line(line, is_lines);
            items.ends_in_item = (item.is_some() || goes_on) && !reply.ends_with('\n');
            match (item, items.items.last_mut()) {
                (Some(item), _) => {
                    items.items.push(item.to_owned());
                    goes_on = !is_lines;
                }
                // The next line of a prompt of several.
                (None, Some(last)) if goes_on => {
                    last.push('\n');
                    last.push_str(line);
                }
                (None, _) => {
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
    let within = |open: &[char], close: &[char]| line.starts_with(open) && line.ends_with(close);
    // The line before a list without marks, tags around one, or data that could not be read.
    let is_no_text = line.ends_with([':', '：'])
        || within(&['<'], &['>'])
        || within(&['[', '{'], &[']', '}', ',']);
    match is_lines {
        true => (!is_no_text).then_some(line),
        false => marked(line),
    }
}

/// What follows `1.`, `2)`, `3、`, `（4）`, `Prompt 5:`, `-`, `*` or `•` at the start of a line, in bold or in a
/// heading too.
fn marked(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(item) = ["- ", "* ", "• "].iter().find_map(|mark| line.strip_prefix(mark)) {
        return Some(unbold(item));
    }
    let bare = line.trim_start_matches(['#', '*', ' ']);
    let word = ["Prompt ", "Question ", "提示", "问题"];
    let bare = word.iter().find_map(|word| bare.strip_prefix(word)).unwrap_or(bare).trim_start();
    let number = bare.trim_start_matches(['(', '（']);
    let digits = number.trim_start_matches(|c: char| c.is_ascii_digit());
    if !(1..=4).contains(&(number.len() - digits.len())) {
        return None;
    }
    let text = digits.strip_prefix(['.', ')', '、', '．', '）', ':', '：'])?;
    let is_apart = text.starts_with(|c: char| c.is_whitespace() || c == '*')
        || digits.starts_with(['、', '．', '）', '：']);
    is_apart.then(|| unbold(text.trim_start_matches("**")))
}

/// The text without the marks of bold around it.
fn unbold(text: &str) -> &str {
    text.trim().trim_start_matches("**").trim_end_matches("**").trim()
}

/// The items of a JSON list, in a code block or not, or of JSON lines: texts, or objects that hold one.
fn json_items(reply: &str) -> Option<Items> {
    let start = json_start(reply)?;
    let json = &reply[start..];
    let mut stream = Deserializer::from_str(json).into_iter::<Value>();
    let mut values = Vec::new();
    while let Some(Ok(value)) = stream.next() {
        values.extend(listed(value));
    }
    let mut end = stream.byte_offset();
    let is_cut = end == 0;
    if is_cut {
        (values, end) = elements(json);
    }
    let rest = json[end..].trim();
    let mut items = Items { before: reply[..start].trim().to_owned(), ..Items::default() };
    items.add_others(&reply[..start]);
    for value in &values {
        match text_of(value) {
            Some(text) => items.items.push(text),
            None => items.others.push(value.to_string()),
        }
    }
    if items.items.is_empty() && (is_cut || !rest.is_empty()) {
        // Brackets of another kind.
        return None;
    }
    match is_cut {
        true => {
            let is_empty = rest.trim_matches(['"', ']', '}', '`', '\n', ' ']).is_empty();
            items.rest = (!is_empty).then(|| rest.trim_start_matches('"').to_owned());
        }
        false => items.add_others(rest),
    }
    Some(items)
}

/// Where JSON starts: at a line's start, and before any mark of another list.
fn json_start(reply: &str) -> Option<usize> {
    let mut at = 0;
    for line in reply.split_inclusive('\n') {
        let text = line.trim_start();
        if text.starts_with(['[', '{']) {
            return Some(at + line.len() - text.len());
        }
        if marked(line).is_some() {
            return None;
        }
        at += line.len();
    }
    None
}

/// The elements of the first list in JSON that is cut, as far as they go, and where the last one ends.
fn elements(json: &str) -> (Vec<Value>, usize) {
    let (mut values, mut end) = (Vec::new(), 0);
    let mut next = json.find('[').map_or(json.len(), |at| at + 1);
    loop {
        let mut stream = Deserializer::from_str(&json[next..]).into_iter::<Value>();
        let Some(Ok(value)) = stream.next() else { return (values, end) };
        let more = json[next + stream.byte_offset()..].trim_start();
        // Else it only looks like an element, as where quotation marks in it are not escaped.
        if more.is_empty() || more.starts_with([',', ']']) {
            values.push(value);
            end = json.len() - more.strip_prefix(',').unwrap_or(more).len();
        }
        if !more.starts_with(',') {
            return (values, end);
        }
        next = end;
    }
}

/// The elements of a list, also of one within an object; or what stands alone.
fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(elements) => elements,
        Value::Object(ref members) if text_of(&value).is_none() => {
            let list = members.values().find_map(Value::as_array).cloned();
            let is_numbered = members.keys().all(|key| key.parse::<u32>().is_ok());
            let numbered = || is_numbered.then(|| members.values().cloned().collect());
            list.or_else(numbered).unwrap_or_else(|| vec![value.clone()])
        }
        value => vec![value],
    }
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
