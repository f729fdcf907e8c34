//! Reading a critic's reply. What is not there is never made up: every way to fail has its reason.

use super::metadata::Read;
use crate::critique::verdict::Reason;
use regex::Regex;
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// The longest text, in bytes, that is still a label which was not offered, not a text without one.
const LABEL: usize = 48;

/// One thing to read, ready.
pub(super) struct Reader {
    pub(super) name: String,
    from: From,
    labels: Option<BTreeMap<String, Value>>,
    pub(super) range: Option<[f64; 2]>,
    split: Option<String>,
    optional: bool,
}

enum From {
    Pattern(Regex),
    Line(i64),
    Json(Vec<String>),
}

/// The answer of a reply.
pub(super) struct Answer<'a> {
    /// What follows the thinking.
    pub(super) text: &'a str,
    /// Where it begins in the reply.
    pub(super) at: usize,
    /// Its JSON object, or why there is none.
    object: Result<Value, Broken>,
}

/// Why a reply holds no JSON object to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// Nothing looks like one.
    Absent,
    /// Two different ones, or half a one.
    Unclear,
}

/// What was read.
#[derive(Default)]
pub(super) struct Values {
    /// By name; what is missing and may be is null.
    pub(super) by_name: BTreeMap<String, Value>,
    /// Where the first label begins in the reply.
    pub(super) label_at: Option<usize>,
}

impl<'a> Answer<'a> {
    /// The answer of a reply; none if there is nothing but thinking.
    pub(super) fn of(reply: &'a str) -> Option<Self> {
        let at = thought(reply)?;
        let text = reply[at..].trim();
        let at = at + (reply[at..].len() - reply[at..].trim_start().len());
        (!text.is_empty()).then(|| Self { text, at, object: object(text) })
    }

    /// Whether its one JSON object holds this nonce.
    pub(super) fn echoes(&self, nonce: &str) -> bool {
        let object = self.object.as_ref().ok();
        object.and_then(|object| object.get("nonce")?.as_str()).is_some_and(|echo| echo == nonce)
    }

    /// Whether there is no JSON in it at all: only then can it be a refusal to give any.
    pub(super) fn is_prose(&self) -> bool {
        matches!(self.object, Err(Broken::Absent))
    }
}

impl Reader {
    /// The error says what is wrong with it.
    pub(super) fn new(read: &Read) -> Result<Self, String> {
        let from = match (&read.pattern, read.line, &read.json) {
            (Some(pattern), None, None) => {
                let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
                if regex.captures_len() < 2 {
                    return Err("the pattern has no group, which is what is read".into());
                }
                From::Pattern(regex)
            }
            (None, Some(0), None) => return Err("line 0 is none: 1 is the first".into()),
            (None, Some(line), None) => From::Line(line),
            (None, None, Some(path)) => From::Json(path.split('.').map(str::to_owned).collect()),
            _ => return Err("one of pattern, line and json is wanted".into()),
        };
        if read.labels.is_some() && read.range.is_some() {
            return Err("it is a label or a number, not both".into());
        }
        let labels = read.labels.iter().flatten().map(|(key, value)| {
            match (clean(key) == *key, serde_json::to_value(value)) {
                (true, Ok(value)) => Ok((key.clone(), value)),
                _ => Err(format!("`{key}` can never be read: labels are trimmed, in lower case")),
            }
        });
        let labels = labels.collect::<Result<_, _>>()?;
        Ok(Self {
            name: read.name.clone(),
            from,
            labels: read.labels.is_some().then_some(labels),
            range: read.range,
            split: read.split.clone(),
            optional: read.optional,
        })
    }

    /// Whether it takes what is there as it stands.
    pub(super) fn is_words(&self) -> bool {
        self.labels.is_none() && self.range.is_none()
    }

    /// Reads it from an answer into `values`.
    pub(super) fn read(&self, answer: &Answer<'_>, values: &mut Values) -> Result<(), Reason> {
        let found = match &self.from {
            From::Json(path) => {
                let object = answer.object.as_ref().map_err(|_| Reason::Unparsable)?;
                let value = path.iter().try_fold(object, |value, key| value.get(key));
                value.filter(|value| !value.is_null()).cloned()
            }
            From::Pattern(regex) => {
                let last = regex.captures_iter(answer.text).last();
                self.cut(answer, last.and_then(|found| Some(found.get(1)?.range())), values)
            }
            From::Line(line) => self.cut(answer, self::line(answer.text, *line), values),
        };
        let value = match found {
            Some(value) => self.value(value)?,
            None if self.optional => Value::Null,
            None => return Err(Reason::Unparsable),
        };
        values.by_name.insert(self.name.clone(), value);
        Ok(())
    }

    fn cut(
        &self,
        answer: &Answer<'_>,
        range: Option<Range<usize>>,
        values: &mut Values,
    ) -> Option<Value> {
        let range = range.filter(|range| !answer.text[range.clone()].trim().is_empty())?;
        if self.labels.is_some() {
            values.label_at.get_or_insert(answer.at + range.start);
        }
        Some(Value::from(answer.text[range].trim()))
    }

    fn value(&self, found: Value) -> Result<Value, Reason> {
        match (found, &self.split) {
            (Value::String(text), Some(between)) => {
                let items = text.split(between.as_str()).filter(|item| !item.trim().is_empty());
                items.map(|item| self.item(Value::from(item.trim()))).collect()
            }
            (Value::Array(items), _) => items.into_iter().map(|item| self.item(item)).collect(),
            (found, _) => self.item(found),
        }
    }

    fn item(&self, found: Value) -> Result<Value, Reason> {
        if self.is_words() {
            return Ok(found);
        }
        let text = match found {
            Value::String(text) => clean(&text),
            Value::Bool(_) | Value::Number(_) => found.to_string(),
            _ => return Err(Reason::Unparsable),
        };
        if let Some(labels) = &self.labels {
            let is_label = !text.is_empty() && text.len() <= LABEL && !text.contains('\n');
            let reason = if is_label { Reason::NotOffered } else { Reason::Unparsable };
            return labels.get(&text).cloned().ok_or(reason);
        }
        let [low, high] = self.range.unwrap_or_default();
        let number = text.parse().ok().filter(|number| (low..=high).contains(number));
        number.map(Value::from).ok_or(Reason::Unparsable)
    }
}

/// A label as it is looked up: without what models put around one.
fn clean(text: &str) -> String {
    let around = |c: char| c.is_whitespace() || "*_`\"'“”".contains(c);
    let text = text.trim_matches(around);
    // A point before a number is part of it.
    text.trim_end_matches(|c| around(c) || ".。,，".contains(c)).to_lowercase()
}

/// Where the answer begins: after the thinking, whose first tag the server may have kept. None
/// where the thinking has no end.
fn thought(reply: &str) -> Option<usize> {
    match reply.find("</think>") {
        Some(end) => Some(end + "</think>".len()),
        None => (!reply.trim_start().starts_with("<think>")).then_some(0),
    }
}

fn line(text: &str, line: i64) -> Option<Range<usize>> {
    let mut at = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        at += line.len();
        at - line.len()..at
    });
    let mut lines = lines.filter(|range| !text[range.clone()].trim().is_empty());
    let number = usize::try_from(line.unsigned_abs()).ok()?.checked_sub(1)?;
    match line > 0 {
        true => lines.nth(number),
        false => lines.collect::<Vec<_>>().into_iter().nth_back(number),
    }
}

/// The one JSON object of a text, whatever stands around it. The same one twice is one; what begins
/// like an object and is none leaves nothing to rely on, and nor does a key that is there twice.
fn object(text: &str) -> Result<Value, Broken> {
    let mut found: Option<Value> = None;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|open| at + open) {
        let mut stream = serde_json::Deserializer::from_str(&text[open..]).into_iter::<Object>();
        match stream.next() {
            Some(Ok(Object(object))) => {
                if found.as_ref().is_some_and(|known| *known != object) {
                    return Err(Broken::Unclear);
                }
                found = Some(object);
                at = open + stream.byte_offset().max(1);
            }
            _ if text[open + 1..].trim_start().starts_with('"') => return Err(Broken::Unclear),
            _ => at = open + 1,
        }
    }
    found.ok_or(Broken::Absent)
}

/// A JSON object in which no key is there twice.
struct Object(Value);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Map::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if object.insert(key, value).is_some() {
                        return Err(A::Error::custom("a key is there twice"));
                    }
                }
                Ok(Object(Value::Object(object)))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
