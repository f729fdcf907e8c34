//! Which addresses may be asked, and what of them may be shown.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;
use seval_core::{Error, Result};
use url::Url;

/// A secret shorter than this is a placeholder (`x`, `-`): taking it out of messages would only
/// garble them.
const SHORTEST_SECRET: usize = 4;

/// Fewer letters of base64 stand in many texts by chance.
const SHORTEST_IN_BASE64: usize = 8;

/// A value in an address that is shorter than this is a version or a flag.
const SHORTEST_KEY: usize = 12;

/// What of an address is no key, however long: Azure's version, Google's kind of stream.
const NO_KEYS: [&str; 2] = ["api-version", "alt"];

/// The end of the chat API's address.
pub(crate) const CHAT: &str = "/chat/completions";

/// The address of the API that ends in `api`, under `base`, which may be the whole address already;
/// an error if the key would travel in the open.
pub(crate) fn check(base: &str, api: &str) -> Result<Url> {
    let error = |what: &str| Error::usage("--base-url", what);
    let example = "such as https://api.example.org/v1 or http://localhost:8000/v1";
    let mut url = Url::parse(base.trim()).map_err(|cause| {
        error(&format!("not an address: {cause}")).hint(format!("give one {example}"))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error("the address holds a user or a password")
            .hint("addresses are shown and stored; give the key apart"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) => {}
        "http" => {
            return Err(error(&format!(
                "{}: plain http is for this machine only",
                shown(&url)
            ))
            .hint(
                "use https://, or a tunnel to localhost: prompts and keys would travel in the open",
            ));
        }
        scheme => {
            return Err(error(&format!("expected https:// or http://, found `{scheme}:`"))
                .hint(format!("give an address {example}")));
        }
    }
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    let (api, query) = api.split_once('?').map_or((api, None), |(api, query)| (api, Some(query)));
    let root = [api, CHAT].into_iter().find_map(|end| path.strip_suffix(end)).unwrap_or(&path);
    url.set_path(&format!("{root}{api}"));
    if let Some(query) = query {
        let own = url.query().map(|own| format!("{own}&{query}"));
        url.set_query(Some(own.as_deref().unwrap_or(query)));
    }
    Ok(url)
}

/// The address without its query, which may hold secrets.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The cause at the bottom of an error: the layers above it say only who was told.
pub(crate) fn deepest<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> &'e dyn std::error::Error {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// The forms in which a server may hand a secret back: as it is, in JSON, in an address, in base64.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST_SECRET {
        return Vec::new();
    }
    let json = Value::from(secret).to_string();
    let percent: String = secret
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                (byte as char).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let plain = [secret.to_owned(), json.trim_matches('"').to_owned(), percent];
    plain
        .into_iter()
        .chain((0..3).filter_map(|before| in_base64(secret.as_bytes(), before)))
        .collect()
}

/// Of a secret in base64 that so many bytes stand before, what does not depend on its neighbours.
fn in_base64(secret: &[u8], before: usize) -> Option<String> {
    let whole = secret.get((3 - before) % 3..)?;
    let text = STANDARD_NO_PAD.encode(&whole[..whole.len() - whole.len() % 3]);
    (text.len() >= SHORTEST_IN_BASE64).then_some(text)
}

/// What of an address may be a key: its query, and the values in it that are as long as one.
pub(crate) fn secrets(url: &Url) -> Vec<String> {
    let query = url.query().into_iter().flat_map(|query| query.split('&'));
    let named = |name: &str| !NO_KEYS.contains(&name);
    let query = query.filter(|pair| pair.split('=').next().is_some_and(named));
    let pairs = query.filter(|pair| pair.len() >= SHORTEST_KEY).map(str::to_owned);
    let values =
        url.query_pairs().filter(|(name, value)| named(name) && value.len() >= SHORTEST_KEY);
    pairs.chain(values.flat_map(|(_, value)| forms(&value))).collect()
}

/// Whether the address is one of this machine.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine() {
        for good in [
            "http://localhost:8000/v1",
            "http://127.0.0.1/v1/",
            "http://127.9.8.7:1/v1",
            "http://[::1]:8000/v1",
            "https://api.example.org/v1",
        ] {
            let url = check(good, CHAT).unwrap();
            assert!(url.as_str().ends_with("/v1/chat/completions"), "{url}");
        }
        for bad in [
            "http://api.example.org/v1",
            "http://localhost.evil.test/v1",
            "http://127.0.0.1.evil.test/v1",
            "http://[::ffff:169.254.169.254]/v1",
            "http://0.0.0.0/v1",
            "http://169.254.169.254/v1",
            "http://192.168.0.2/v1",
            "ftp://localhost/v1",
            "localhost:8000/v1",
            "api.example.org/v1",
            "",
        ] {
            let error = check(bad, CHAT).unwrap_err();
            assert_eq!(error.kind, seval_core::Kind::Usage, "{bad}");
            assert!(!error.hint.is_empty(), "{bad}");
        }
    }

    #[test]
    fn an_address_with_a_password_is_refused_without_showing_it() {
        let error = check("https://me:hunter2@api.example.org/v1", CHAT).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_query_stays_and_is_not_shown() {
        let url = check("https://x.example.org/v1/?api-version=7&key=hunter2", CHAT).unwrap();
        assert_eq!(
            url.as_str(),
            "https://x.example.org/v1/chat/completions?api-version=7&key=hunter2"
        );
        assert_eq!(shown(&url), "https://x.example.org/v1/chat/completions");
        let whole = "https://x.example.org/v1/chat/completions";
        assert_eq!(check(whole, CHAT).unwrap().as_str(), whole);
    }

    #[test]
    fn what_of_a_query_may_be_a_key() {
        let url = check("https://x.example.org/v1?api-version=7&k=canary/12345%2B", CHAT).unwrap();
        let secrets = secrets(&url);
        for echoed in ["GET /v1?k=canary/12345%2B", "the key canary/12345+ is no key"] {
            assert!(secrets.iter().any(|secret| echoed.contains(secret)), "{secrets:?}");
        }
        assert!(!secrets.iter().any(|secret| "version 7 of the api".contains(secret)));
    }

    #[test]
    fn an_api_with_a_query() {
        let url = check("https://x.example.org/v1beta?k=1", "/models/m:stream?alt=sse").unwrap();
        assert_eq!(url.as_str(), "https://x.example.org/v1beta/models/m:stream?k=1&alt=sse");
    }

    #[test]
    fn another_api_of_the_same_server() {
        let whole = "https://x.example.org/v1/embeddings";
        for base in
            ["https://x.example.org/v1", "https://x.example.org/v1/chat/completions/", whole]
        {
            assert_eq!(check(base, "/embeddings").unwrap().as_str(), whole);
        }
    }

    #[test]
    fn a_secret_in_every_form() {
        assert_eq!(forms("a/\"b+"), ["a/\"b+", "a/\\\"b+", "a%2F%22b%2B"]);
        assert!(forms("x").is_empty());
        for before in ["", "x", "Bearer ", "Authorization: Bearer "] {
            let sent = STANDARD_NO_PAD.encode(format!("{before}sk-canary-123, and so on"));
            assert!(forms("sk-canary-123").iter().any(|form| sent.contains(form)), "{before}");
        }
    }
}
