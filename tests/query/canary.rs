//! A key is sent, and is nowhere else: under every fault, at every verbosity, in every form.

use super::acts::{Act, End, body, chat, ends, good, raw, refuses, silence, stream};
use super::fault_server::{Asked, FaultServer};
use super::{Run, ask, metadata, table};
use crate::run::Folder;
use crate::server::prompts;
use serde_json::json;

/// With signs that look otherwise in JSON, in an address and in base64.
const KEY: &str = "sk-CANARY-7f3a/Zq+9\"w\\x=";

/// The part of it that no form but base64 changes.
const PLAIN: &str = "CANARY-7f3a";

/// The key as bytes that may be searched for.
fn forms() -> Vec<String> {
    let percent = KEY.bytes().map(|byte| match byte.is_ascii_alphanumeric() || byte == b'-' {
        true => (byte as char).to_string(),
        false => format!("%{byte:02X}"),
    });
    let percent: String = percent.collect();
    let json = json!(KEY).to_string();
    // Base64 of three bytes is four letters: where the key begins decides which.
    let coded =
        ["", "Bearer ", ":", "x:"].map(|before| base64(format!("{before}{KEY}").as_bytes()));
    let mut forms = vec![PLAIN.to_owned(), percent.to_lowercase(), percent];
    forms.push(json.trim_matches('"').to_owned());
    // The first and last letters depend on what stands around it.
    forms.extend(coded.map(|text| text[12..text.len() - 4].to_owned()));
    forms
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        let letter = |at: usize| LETTERS[(bits >> (18 - 6 * at)) as usize & 63] as char;
        text.extend((0..=three.len()).map(letter));
        text.extend(std::iter::repeat_n('=', 3 - three.len()));
    }
    text
}

/// What a server knows of the key, in every form.
fn echo(asked: &Asked) -> String {
    let key = asked.authorization.trim_start_matches("Bearer ");
    let percent: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let some: String = key.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => text + &(byte as char).to_string(),
        _ => text + &format!("%{byte:02X}"),
    });
    let coded =
        ["", "Bearer ", ":", "x:"].map(|before| base64(format!("{before}{key}").as_bytes()));
    let coded = coded.join(" ");
    format!("{} {key} {} {coded} {some} {percent}", asked.authorization, json!(key))
}

type Fate = fn(&Asked) -> Act;

/// Every fault, with the key wherever a server can put it.
const FATES: [(&str, Fate); 22] = [
    ("answer", |asked| raw(chat(asked, &echo(asked)).to_string())),
    ("refusal", |asked| {
        let mut answer = chat(asked, "");
        answer["choices"][0]["message"] = json!({"content": null, "refusal": echo(asked)});
        raw(answer.to_string())
    }),
    ("reasoning", |asked| {
        let mut answer = chat(asked, "a");
        answer["choices"][0]["message"]["reasoning_content"] = json!(echo(asked));
        raw(answer.to_string())
    }),
    ("finish reason", |asked| {
        let mut answer = chat(asked, "a");
        answer["choices"][0]["finish_reason"] = json!(echo(asked));
        raw(answer.to_string())
    }),
    ("model", |asked| {
        let mut answer = chat(asked, "a");
        answer["model"] = json!(echo(asked));
        answer["system_fingerprint"] = json!(echo(asked));
        raw(answer.to_string())
    }),
    ("logprobs", |asked| {
        let mut answer = chat(asked, "a");
        let token = json!({"token": echo(asked), "logprob": -0.1, "top_logprobs": []});
        answer["choices"][0]["logprobs"] = json!({"content": [token]});
        raw(answer.to_string())
    }),
    ("400", |asked| error(400, asked)),
    ("401", |asked| error(401, asked)),
    ("403", |asked| error(403, asked)),
    ("404", |asked| error(404, asked)),
    ("422 as text", |asked| body(422, &[], echo(asked))),
    ("429", |asked| error(429, asked)),
    ("500", |asked| error(500, asked)),
    ("filter", |asked| {
        let error = json!({"message": echo(asked), "code": "content_filter"});
        body(400, &[], json!({"error": error}).to_string())
    }),
    ("redirect", |asked| {
        let place = format!("http://127.0.0.1:9/{}", asked.authorization);
        body(302, &[("location", place.replace(['\r', '\n'], "").as_str())], echo(asked))
    }),
    ("header", |asked| body(503, &[("x-key", asked.authorization.as_str())], echo(asked))),
    ("no JSON", |asked| raw(format!("<html>{}", echo(asked)))),
    ("long text", |asked| raw(format!("{}{}", "x".repeat(280), echo(asked)))),
    ("cut JSON", |asked| {
        let text = chat(asked, &asked.authorization).to_string();
        raw(text.as_bytes()[..text.len() - 90].to_vec())
    }),
    ("RST", |_| ends(End::Reset)),
    ("FIN in the body", |asked| {
        raw(chat(asked, &echo(asked)).to_string()).cut_body(300, End::Close)
    }),
    ("silence", |_| silence()),
];

/// The same for streams.
const STREAMS: [(&str, Fate); 4] = [
    ("stream", |asked| stream(asked, &echo(asked), "data: [DONE]\n\n")),
    ("cut stream", |asked| stream(asked, &echo(asked), "")),
    ("stream with an error", |asked| {
        let error = json!({"error": {"message": echo(asked), "code": 500}});
        stream(asked, "so far", &format!("data: {error}\n\n"))
    }),
    ("stream with a garbled event", |asked| {
        stream(asked, "so far", &format!("data: {}\n\n", echo(asked)))
    }),
];

fn error(status: u16, asked: &Asked) -> Act {
    let error = json!({"message": echo(asked), "type": echo(asked), "code": echo(asked)});
    body(status, &[], json!({"error": error}).to_string())
}

fn holds(text: &[u8]) -> Option<String> {
    let found = |form: &String| text.windows(form.len()).any(|part| part == form.as_bytes());
    forms().into_iter().find(found)
}

/// Runs under one fault; where the key is found.
fn leaks(what: &str, fate: Fate, flags: &str) -> Vec<String> {
    let server = FaultServer::start(move |asked| match asked.prompt.as_str() {
        "p0" => good(asked),
        _ => fate(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 3);
    let flags = format!(
        "{flags} --api-key-env SEVAL_TEST_KEY --max-connections 1 --max-retries 1 \
         --attempt-timeout 2 --max-retry-after 3 --timings -v"
    );
    eprintln!("{what}");
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for (out, file) in
        [("-o r.parquet", "r.parquet"), ("-o r.jsonl", "r.jsonl"), ("--format csv-raw", "")]
    {
        let run = Run::with(
            &folder,
            &ask(&server, &format!("{flags} {out}")),
            &[("SEVAL_TEST_KEY", KEY)],
        );
        texts.push((format!("arguments for {file}"), run.proc("cmdline").into_bytes()));
        let ended = run.end();
        texts.push((format!("standard output for {file}"), ended.stdout.into_bytes()));
        texts.push((format!("standard error for {file}"), ended.stderr.into_bytes()));
    }
    // The key was sent, or the test is about nothing.
    let ledger = server.ledger();
    assert!(ledger.requests.len() > 1, "{what}: nothing was asked");
    assert!(
        ledger.requests.iter().all(|asked| asked.authorization == format!("Bearer {KEY}")),
        "{what}"
    );
    drop(ledger);
    for line in [
        "status j.db --format jsonl",
        "export j.db -o e.jsonl",
        "export j.db -o e.parquet",
        "verify j.db",
    ] {
        let output = folder.bash(&format!("seval-query {line} -v"));
        texts.push((line.to_owned(), [output.stdout, output.stderr].concat()));
    }
    for name in folder.names() {
        texts.push((name.clone(), folder.read(&name)));
        if name.ends_with(".parquet") {
            let rows = format!("{:?}{}", table(&folder, &name), metadata(&folder, &name));
            // Debug escapes quotes and backslashes once more, which the plain part has none of.
            texts.push((format!("rows of {name}"), rows.into_bytes()));
        }
    }
    let found = texts.iter().filter_map(|(place, text)| Some((place, holds(text)?)));
    found.map(|(place, form)| format!("{what}: {form:?} in {place}")).collect()
}

#[test]
fn canary_a_key_is_nowhere_under_any_fault() {
    let found: Vec<_> = FATES.iter().flat_map(|(what, fate)| leaks(what, *fate, "")).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn canary_a_key_is_nowhere_in_streams() {
    let found: Vec<_> = STREAMS
        .iter()
        .flat_map(|(what, fate)| leaks(what, *fate, "--stream --top-logprobs 0"))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn canary_a_key_is_nowhere_in_log_probabilities() {
    let fate = FATES.iter().find(|(what, _)| *what == "logprobs").unwrap();
    let found = leaks(fate.0, fate.1, "--top-logprobs 2");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn canary_a_key_in_an_address_is_not_handed_back() {
    let server = FaultServer::start(|asked| match asked.prompt.as_str() {
        "p0" => good(asked),
        _ => body(
            400,
            &[],
            json!({"error": {"message": format!("no POST {}", asked.path)}}).to_string(),
        ),
    });
    let folder = Folder::new();
    prompts(&folder, 3);
    let line = ask(&server, "-o r.jsonl -v");
    let line = line.replace("/v1", "/v1?key=sk-CANARY-7f3a-and-more");
    let run = Run::start(&folder, &line).end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(server.ledger().requests[0].path.contains("CANARY"));
    folder.ok("seval-query export j.db -o e.jsonl");
    let files = ["r.jsonl", "e.jsonl", "j.db"].map(|name| folder.read(name));
    for text in files.iter().chain([&run.stdout.into_bytes(), &run.stderr.into_bytes()]) {
        assert_eq!(holds(text), None, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn canary_a_key_in_a_models_file_is_refused_and_not_shown() {
    let folder = Folder::new();
    prompts(&folder, 1);
    let server = FaultServer::start(|_| refuses(400, &[]));
    let models = format!(
        "[model.m]\nbase_url = \"{}\"\nmodel = \"m\"\napi_key = {}\n",
        server.url(),
        json!(KEY)
    );
    folder.write("models.toml", models);
    let line = "seval-query --models models.toml -m m p.jsonl -o r.parquet -v";
    let run = Run::start(&folder, line).end();
    assert_eq!((run.code, server.count()), (2, 0), "{run:?}");
    assert!(!run.stderr.contains(PLAIN), "{run:?}");
}

#[test]
fn canary_the_forms_that_are_searched_for_are_those() {
    assert_eq!(base64(b"Bearer x"), "QmVhcmVyIHg=");
    assert!(holds(base64(format!("Bearer {KEY}").as_bytes()).as_bytes()).is_some());
    assert!(holds(base64(KEY.as_bytes()).as_bytes()).is_some());
    assert!(holds(json!(KEY).to_string().as_bytes()).is_some());
    assert!(holds(b"nothing of it").is_none());
}
