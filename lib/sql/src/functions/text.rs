//! Functions of texts.

use serde_json::Value;
use xxhash_rust::xxh3;

/// The 128-bit xxh3 of the UTF-8 bytes as 32 lower-case hex digits.
pub(super) fn xxh3_128(text: &str) -> String {
    format!("{:032x}", xxh3::xxh3_128(text.as_bytes()))
}

/// The text of a top-level key of a JSON object; other values as JSON. `None` when the key is
/// absent or null, and when this is no JSON object at all.
pub(super) fn json_text(text: &str, key: &str) -> Option<String> {
    let Ok(Value::Object(mut object)) = serde_json::from_str(text) else { return None };
    match object.remove(key)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The turns of a transcript in which paragraphs begin with a name and a colon, `Human:` or `Assistant:`
/// say: who speaks (whether it is the second name) and what. What stands before the first name is no turn.
pub(super) fn turns<'t>(text: &'t str, first: &str, second: &str) -> Vec<(bool, &'t str)> {
    let begins = |paragraph: &str| {
        [first, second]
            .iter()
            .position(|name| paragraph.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
    };
    let mut starts = Vec::new();
    let mut at = 0;
    for paragraph in text.split("\n\n") {
        starts.extend(begins(paragraph).map(|name| (at, name)));
        at += paragraph.len() + 2;
    }
    let mut turns = Vec::new();
    for (place, (start, name)) in starts.iter().enumerate() {
        let end = starts.get(place + 1).map_or(text.len(), |(next, _)| *next);
        let spoken = text[*start..end].split_once(':').map_or("", |(_, spoken)| spoken);
        turns.push((*name == 1, spoken.trim()));
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_those_of_the_two_names() {
        let text = "\n\nHuman: Hi\n\nthere: you\n\nAssistant: Human: no\n\nHuman:\n\nHumans: x";
        let found = turns(text, "Human", "Assistant");
        assert_eq!(found, [(false, "Hi\n\nthere: you"), (true, "Human: no"), (false, "Humans: x")]);
        assert!(turns("Nobody speaks.", "Human", "Assistant").is_empty());
    }

    #[test]
    fn xxh3_is_the_canonical_one() {
        // XXH3_128bits("") of the reference implementation, `xxhsum -H2 /dev/null`.
        assert_eq!(xxh3_128(""), "99aa06d3014798d86001c324468d497f");
        assert_eq!(xxh3_128("a").len(), 32);
    }

    #[test]
    fn json_text_finds_top_level_keys() {
        let text = r#"{"a":"x \"y\"","b":3,"c":[1,{"d":null}],"e":null,"f":true}"#;
        let got = |key| json_text(text, key);
        assert_eq!(got("a").as_deref(), Some("x \"y\""));
        assert_eq!(got("b").as_deref(), Some("3"));
        assert_eq!(got("c").as_deref(), Some(r#"[1,{"d":null}]"#));
        assert_eq!(got("f").as_deref(), Some("true"));
        assert_eq!(got("e"), None);
        assert_eq!(got("d"), None);
    }

    #[test]
    fn json_text_of_anything_else_is_nothing() {
        for text in ["", "not JSON", "[1]", "\"a\"", "{\"a\":1", "null"] {
            assert_eq!(json_text(text, "a"), None);
        }
    }
}
