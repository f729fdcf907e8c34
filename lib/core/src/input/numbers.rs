//! Numbers that are none in JSON: Python writes `NaN`, `Infinity` and `-Infinity`.

use std::borrow::Cow;

/// The longest first, so that a sign goes with its number.
const NONE: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// JSON text with null for what is no number; what stands in strings stays.
pub fn without_nan(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    let (mut copied, mut at, mut in_string) = (0, 0, false);
    while at < text.len() {
        match text[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'I' | b'N' if !in_string => {
                if let Some(none) = NONE.iter().find(|none| text[at..].starts_with(none)) {
                    out.extend_from_slice(&text[copied..at]);
                    out.extend_from_slice(b"null");
                    at += none.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    match copied {
        0 => Cow::Borrowed(text),
        _ => {
            out.extend_from_slice(&text[copied..]);
            Cow::Owned(out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_null_and_texts_stay() {
        let text = |json: &str| String::from_utf8(without_nan(json.as_bytes()).into()).unwrap();
        assert_eq!(
            text(r#"{"a":NaN,"b":[-Infinity,Infinity,-1],"c":"NaN \" NaN"}"#),
            r#"{"a":null,"b":[null,null,-1],"c":"NaN \" NaN"}"#
        );
        assert!(matches!(without_nan(br#"{"a":-1,"b":"NaN"}"#), Cow::Borrowed(_)));
        assert_eq!(text("\"\\"), "\"\\");
    }
}
