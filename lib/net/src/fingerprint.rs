//! Which question an answer is to.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::exchange::Request;

/// Changed when what goes into a fingerprint changes, so that old ones are never taken for new.
const VERSION: &str = "seval-1";

/// The same, where embeddings are asked for: no such request is ever taken for one of a chat.
const EMBEDDINGS_VERSION: &str = "seval-1-embeddings";

/// A hash of what is sent: model, address, messages, decoding, and which sample it is.
///
/// Never of keys, limits, or what a model does not see. As text it is 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint that such bytes were.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// As stored: in the order of the text.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The fingerprint that was written so; `None` from any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match text.len() == 32 && text.bytes().all(digit) {
            true => u128::from_str_radix(text, 16).ok().map(Self),
            false => None,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A request as the journal knows it: its fingerprint and the parts of it, so that it can be said
/// later in what two questions differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub fingerprint: Fingerprint,
    pub model: Arc<str>,
    /// Without its query, which may hold secrets.
    pub address: Arc<str>,
    /// A hash of the conversation, whose text is in the prompts.
    pub messages: [u8; 16],
    /// The settings sent, as JSON.
    pub decoding: Arc<str>,
    pub sample: i64,
}

/// Settings as they are sent, as text.
pub(crate) fn settings_text(settings: Map<String, Value>) -> String {
    Value::Object(settings).to_string()
}

/// What kind of reply is asked for: no request of one kind is ever taken for one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An answer.
    Text,
    /// The vectors of texts.
    Embeddings,
}

impl Asked {
    /// A request to that model at that address, with these settings as they are sent.
    pub fn new(
        wanted: Wanted,
        model: &Arc<str>,
        address: &Arc<str>,
        settings: &Arc<str>,
        request: &Request,
    ) -> Self {
        let version = match wanted {
            Wanted::Text => VERSION,
            Wanted::Embeddings => EMBEDDINGS_VERSION,
        };
        let mut turns = Fields::default();
        for message in &request.messages {
            turns.text(&message.role).text(&message.content);
        }
        let messages = turns.0.digest128().to_be_bytes();
        let mut all = Fields::default();
        all.text(version).text(model).text(address).text(settings).number(request.sample);
        all.0.update(&messages);
        Self {
            fingerprint: Fingerprint(all.0.digest128()),
            model: model.clone(),
            address: address.clone(),
            messages,
            decoding: settings.clone(),
            sample: request.sample,
        }
    }

    /// What was asked behind a reply of which only the fingerprint is known.
    pub fn unknown(fingerprint: Fingerprint) -> Self {
        Self {
            fingerprint,
            model: "".into(),
            address: "".into(),
            messages: xxh3_128(b"").to_be_bytes(),
            decoding: "".into(),
            sample: 0,
        }
    }
}

/// A hash of several fields, none of which can be taken for a part of its neighbour.
#[derive(Default)]
pub(crate) struct Fields(pub Xxh3);

impl Fields {
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.number(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.0.update(text.as_bytes());
        self
    }

    pub fn number(&mut self, number: i64) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            // No text is so long.
            None => self.number(-1),
        }
    }

    pub fn maybe_number(&mut self, number: Option<i64>) -> &mut Self {
        self.number(i64::from(number.is_some())).number(number.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::exchange::{Decoding, Message, Traits};

    fn request(edit: impl FnOnce(&mut Request)) -> Request {
        let mut request = Request {
            model: 0,
            sample: 0,
            decoding: Decoding { temperature: Some(0.0), ..Decoding::default() },
            messages: vec![Message { role: "user".into(), content: "Why?".into() }],
            traits: Traits::default(),
        };
        edit(&mut request);
        request
    }

    fn asked(wanted: Wanted, model: &str, address: &str, request: &Request) -> Fingerprint {
        let settings = settings_text(Dialect::Chat.settings(&request.decoding)).into();
        Asked::new(wanted, &model.into(), &address.into(), &settings, request).fingerprint
    }

    fn of(model: &str, address: &str, request: &Request) -> Fingerprint {
        asked(Wanted::Text, model, address, request)
    }

    #[test]
    fn what_is_sent_decides_and_nothing_else() {
        let same = of("m", "a", &request(|_| {}));
        // It must not change from version to version: journals live long.
        assert_eq!(same.to_string(), "e3bd1dd030d992d230072e9fbf354740");
        let turn =
            |role: &str, content: &str| Message { role: role.into(), content: content.into() };
        let others = [
            of("n", "a", &request(|_| {})),
            of("m", "b", &request(|_| {})),
            of("ma", "", &request(|_| {})),
            of("m", "a", &request(|r| r.sample = 1)),
            of("m", "a", &request(|r| r.decoding.temperature = None)),
            of("m", "a", &request(|r| r.decoding.temperature = Some(0.7))),
            of("m", "a", &request(|r| r.decoding.top_p = Some(0.0))),
            of("m", "a", &request(|r| r.decoding.seed = Some(0))),
            of("m", "a", &request(|r| r.decoding.max_tokens = Some(0))),
            of("m", "a", &request(|r| r.messages = vec![turn("system", "Why?")])),
            of("m", "a", &request(|r| r.messages = vec![turn("userW", "hy?")])),
            of("m", "a", &request(|r| r.messages.push(turn("user", "")))),
        ];
        for (at, other) in others.iter().enumerate() {
            assert!(*other != same && !others[..at].contains(other), "{at}");
        }
        let unseen = |r: &mut Request| {
            (r.model, r.traits.prompt_id) = (7, "p".into());
            r.decoding.temperature = Some(-0.0);
        };
        assert_eq!(of("m", "a", &request(unseen)), same);
    }

    #[test]
    fn a_request_for_embeddings_is_no_request_for_an_answer() {
        let asked = asked(Wanted::Embeddings, "m", "a", &request(|_| {}));
        assert_ne!(asked, of("m", "a", &request(|_| {})));
        // Journals live long.
        assert_eq!(asked.to_string(), "edbca31a9f61e67a52c0e2760e2d7aeb");
    }

    #[test]
    fn the_text_reads_back_and_nothing_else_is_one() {
        let one = of("m", "a", &request(|_| {}));
        assert_eq!(Fingerprint::parse(&one.to_string()), Some(one));
        assert_eq!(Fingerprint::from_bytes(one.to_bytes()), one);
        for bad in ["", "request-1", &"F".repeat(32), &"+".repeat(32), &"0".repeat(33)] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }
}
