//! A field of a JSON object in a response.

use serde_json::Value;

use super::{Question, Taken, option};

/// The field of the last JSON object that has it. With options it names one; else it is compared
/// with the expected value: numbers as numbers, anything else as it is written.
pub(super) fn read(response: &str, path: &str, question: &Question<'_>) -> Option<Taken> {
    let value = last(response, path)?;
    let text = match &value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    if !question.choices.is_empty() {
        return option(&text, question.choices).map(Taken::Option);
    }
    let right = question.expected.is_some_and(|expected| {
        let expected = expected.trim();
        let number = value.as_f64().zip(expected.parse::<f64>().ok());
        let value = || serde_json::from_str::<Value>(expected).is_ok_and(|other| other == value);
        text == expected || number.is_some_and(|(a, b)| a == b) || value()
    });
    Some(Taken::Free(text, right))
}

fn last(text: &str, path: &str) -> Option<Value> {
    let mut found = None;
    let mut at = 0;
    while let Some(open) = text[at..].find('{') {
        at += open;
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                at += values.byte_offset();
                found = field(&value, path).cloned().or(found);
            }
            _ => at += 1,
        }
    }
    found
}

fn field<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => value.get(key),
    })
}
