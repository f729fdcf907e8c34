//! What requests with the same decoding have in common, made once for all of them.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::exchange::{Decoding, Message};
use crate::fingerprint::settings_text;
use crate::kind::Kind;

/// What requests with the same decoding have in common.
#[derive(Debug)]
pub(crate) struct Common {
    decoding: Decoding,
    /// The settings that are sent, as JSON.
    pub settings: Arc<str>,
    /// What stands around the conversation, where it is a part of its own.
    pub frame: Option<Frame>,
}

/// The last of them: mostly all requests have the same decoding.
#[derive(Debug, Default)]
pub(crate) struct Last(Mutex<Option<Arc<Common>>>);

impl Last {
    /// Of requests with that decoding to that model.
    pub fn of(&self, kind: &Kind, model: &str, stream: bool, decoding: &Decoding) -> Arc<Common> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(common) if common.decoding == *decoding => common.clone(),
            _ => {
                let common = Arc::new(Common {
                    decoding: decoding.clone(),
                    settings: settings_text(kind.settings(decoding)).into(),
                    frame: kind.without_turns(model, decoding, stream).as_ref().and_then(Frame::of),
                });
                last.insert(common).clone()
            }
        }
    }
}

/// What stands around the conversation in a body.
#[derive(Debug)]
pub(crate) struct Frame {
    before: String,
    after: String,
}

impl Frame {
    /// The frame of a body with an empty conversation; none if that is not called `messages`.
    fn of(body: &Value) -> Option<Self> {
        let mut frame = Self { before: "{".to_owned(), after: String::new() };
        let mut found = false;
        for (name, value) in body.as_object()? {
            let side = if found { &mut frame.after } else { &mut frame.before };
            // Before the conversation each field ends with a comma, after it each begins with one.
            let is_it = name == "messages" && value.as_array().is_some_and(Vec::is_empty);
            let name = Value::from(name.as_str());
            side.push_str(&match (found, is_it) {
                (false, true) => format!("{name}:"),
                (false, false) => format!("{name}:{value},"),
                (true, _) => format!(",{name}:{value}"),
            });
            found |= is_it;
        }
        frame.after.push('}');
        found.then_some(frame)
    }

    /// The body with that conversation; none if its last turn is to be gone on with, which is said in
    /// other fields.
    pub fn body(&self, turns: &[Message]) -> Option<Vec<u8>> {
        if turns.last().is_some_and(|turn| turn.role == "assistant") {
            return None;
        }
        let texts: usize = turns.iter().map(|turn| turn.content.len() + 64).sum();
        let mut body = Vec::with_capacity(self.before.len() + texts + self.after.len());
        body.extend_from_slice(self.before.as_bytes());
        serde_json::to_writer(&mut body, turns).ok()?;
        body.extend_from_slice(self.after.as_bytes());
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Request, Traits};
    use crate::provider::BUILT_IN;

    #[test]
    fn a_body_in_its_frame_is_the_body() {
        let turn =
            |role: &str, content: &str| Message { role: role.into(), content: content.into() };
        let conversations = [
            vec![turn("user", "Why \"so\"?\n\u{1F600}\u{7f}")],
            vec![turn("system", "Be brief."), turn("user", "\"messages\":[]")],
            vec![turn("user", "a"), turn("assistant", "b"), turn("user", "")],
        ];
        let decodings = [
            Decoding::default(),
            Decoding { temperature: Some(0.7), seed: Some(3), ..Decoding::default() },
        ];
        let named = BUILT_IN.iter().filter_map(|(name, _)| Kind::named(name).ok());
        let kinds = named.chain([Kind::chat()]);
        let mut framed = 0;
        for kind in kinds {
            for decoding in &decodings {
                let common = Last::default().of(&kind, "m\"messages\":[]", true, decoding);
                let Some(frame) = &common.frame else { continue };
                for messages in &conversations {
                    let request = Request {
                        model: 0,
                        sample: 0,
                        decoding: decoding.clone(),
                        messages: messages.clone(),
                        traits: Traits::default(),
                    };
                    let body = kind.body("m\"messages\":[]", &request, true).to_string();
                    let in_frame = frame.body(messages).map(String::from_utf8);
                    assert_eq!(in_frame, Some(Ok(body)));
                    framed += 1;
                }
                assert_eq!(frame.body(&[turn("user", "a"), turn("assistant", "b")]), None);
            }
        }
        assert!(framed > 30, "{framed}");
    }
}
