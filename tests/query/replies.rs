//! Rows 16, 17, 19 and 20: answers that are cut, garbled, of another shape or of another model.

use super::acts::{Act, End, Step, chat, chunked, good, raw, stream};
use super::fault_server::{Asked, FaultServer};
use super::{Run, ask, asked};
use crate::run::Folder;
use crate::server::prompts;
use serde_json::{Value, json};

const DONE: &str = "data: [DONE]\n\n";

/// The outcome, the response and the row of one prompt that is answered so.
fn one(
    flags: &str,
    act: impl Fn(&Asked) -> Act + Send + Sync + 'static,
) -> (String, String, Value) {
    let server = FaultServer::start(act);
    let rows = asked(1, &server, &format!("--max-retries 1 {flags}"));
    let text = |name: &str| rows[0][name].as_str().unwrap_or("-").to_owned();
    (text("outcome"), text("response"), rows[0].clone())
}

#[test]
fn row_16_an_answer_that_is_cut_is_none() {
    // JSON that ends anywhere, under a head that says it is whole.
    for at in [0, 1, 40, 120, 200, 260] {
        let (outcome, _, row) = one("", move |asked| {
            raw(chat(asked, &asked.answer()).to_string().into_bytes()[..at].to_vec())
        });
        assert_eq!(outcome, "failed", "{at}: {row}");
        assert!(!row["error"].is_null(), "{at}: {row}");
    }
}

#[test]
fn row_16_a_stream_without_its_end_is_no_answer() {
    let error = "data: {\"error\": {\"message\": \"out of memory\", \"code\": 500}}\n\n";
    let event = format!("event: error\n{error}");
    for ends in ["", error, event.as_str(), "data: {\"choices\": [{\"del", ": a comment\n\n"] {
        let text = ends.to_owned();
        let (outcome, _, row) = one("--stream", move |asked| stream(asked, &asked.answer(), &text));
        assert_eq!(outcome, "failed", "{ends:?}: {row}");
        assert!(!row["error"].is_null(), "{ends:?}: {row}");
        assert!(row["response"].as_str().unwrap().starts_with("answer "), "{ends:?}: {row}");
    }
    // The connection ends in the middle of an event, with and without a word.
    for end in [End::Close, End::Reset] {
        let (outcome, _, row) =
            one("--stream", move |asked| stream(asked, &asked.answer(), DONE).cut_body(400, end));
        assert_eq!(outcome, "failed", "{row}");
    }
}

#[test]
fn row_16_an_error_after_text_may_be_charged_for_and_is_asked_for_once_more() {
    let server = FaultServer::start(|asked| {
        stream(
            asked,
            "so far",
            "data: {\"error\": {\"message\": \"no memory\", \"code\": 500}}\n\n",
        )
    });
    let folder = Folder::new();
    prompts(&folder, 4);
    let rows = super::answers(&folder, &server, "--stream");
    assert_eq!(super::column(&rows, "response"), ["so far"; 4]);
    assert_eq!(super::number(&super::status(&folder), "possibly_billed"), 8);
    assert_eq!(server.count(), 8);
}

#[test]
fn row_16_a_stream_that_says_it_is_whole_is_whole_however_its_connection_ends() {
    for hold in [false, true] {
        let server = FaultServer::start(move |asked| {
            // All but the chunk that ends the body.
            let mut act = stream(asked, &asked.answer(), DONE).all_but(5, End::Close);
            act.steps.extend(hold.then_some(Step::Hold));
            act
        });
        let rows = asked(3, &server, "--stream --idle-timeout 1");
        assert_eq!(super::column(&rows, "outcome"), ["answered"; 3], "{hold}: {}", rows[0]);
        assert!(rows.iter().all(|row| row["output_tokens"].as_i64() > Some(0)), "{hold}");
        assert_eq!(server.count(), 3, "{hold}");
    }
}

#[test]
fn row_16_an_answer_in_pieces_is_the_same() {
    const TEXT: &str = "Grüße — 世界 🌍, \"quoted\"\r\nand a second line\u{2028}end";
    let whole = |bytes: Vec<u8>| chunked("application/json", &bytes, 1);
    for flags in ["", "--stream"] {
        let (outcome, response, row) =
            one(flags, move |asked| whole(chat(asked, TEXT).to_string().into_bytes()));
        assert_eq!((outcome.as_str(), response.as_str()), ("answered", TEXT), "{flags}: {row}");
    }
    type Change = fn(String) -> String;
    let changes: [Change; 5] = [
        |text| text,
        |text| text.replace('\n', "\r\n"),
        |text| text.replace("\n\n", "\n: a comment\n\n\n"),
        |text| text.replace("data: ", "data:"),
        |text| text.replace("data: ", "event: message\nid: 1\ndata: "),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        for size in [1, 7, 1 << 20] {
            let (outcome, response, row) = one("--stream", move |asked| {
                let text = events(asked, TEXT);
                chunked("text/event-stream", change(text).as_bytes(), size)
            });
            assert_eq!((outcome.as_str(), response.as_str()), ("answered", TEXT), "{at}: {row}");
            assert!(row["output_tokens"].as_i64() > Some(0), "{at}: {row}");
        }
    }
}

#[test]
fn row_16_a_line_of_a_megabyte_is_one_line() {
    let text = "long ".repeat(20_000);
    let wanted = text.clone();
    let (outcome, response, _) = one("--stream", move |asked| stream(asked, &text, DONE));
    assert_eq!((outcome.as_str(), response.len()), ("answered", wanted.len()));
    let text = "x".repeat(1 << 20);
    let (outcome, response, _) = one("--stream", move |asked| stream(asked, &text, DONE));
    assert_eq!((outcome.as_str(), response.len()), ("answered", 1 << 20));
}

/// A stream's events as text.
fn events(asked: &Asked, text: &str) -> String {
    let choice = |delta: Value, reason: Value| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        format!("data: {}\n\n", json!({"model": asked.body["model"], "choices": choices}))
    };
    let pieces = text.chars().collect::<Vec<_>>();
    let pieces = pieces.chunks(3).map(|piece| piece.iter().collect::<String>());
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}});
    let words: String = pieces.map(|word| choice(json!({"content": word}), Value::Null)).collect();
    words + &choice(json!({}), json!("stop")) + &format!("data: {usage}\n\n{DONE}")
}

#[test]
fn row_17_garbled_texts_do_no_harm() {
    let around = |asked: &Asked, inner: &[u8]| {
        let text = chat(asked, "@").to_string();
        let (before, after) = text.split_once('@').unwrap();
        [before.as_bytes(), inner, after.as_bytes()].concat()
    };
    // What stands in the text, whether it can be read, and what is read.
    let cases: [(&[u8], Option<&str>); 9] = [
        (b"a\xff\xfeb", Some("a\u{fffd}\u{fffd}b")),
        (b"a\\u0000b", Some("a\0b")),
        (b"a\0b", None),
        (b"a\\ud800b", Some("a\u{fffd}b")),
        (b"a\\udc00\\ud800b", Some("a\u{fffd}\u{fffd}b")),
        (b"a\xed\xa0\x80b", Some("a\u{fffd}\u{fffd}\u{fffd}b")),
        (b"a\xc0\xafb", Some("a\u{fffd}\u{fffd}b")),
        (b"\xef\xbb\xbfa", Some("\u{feff}a")),
        (b"a\xf0\x9f", Some("a\u{fffd}")),
    ];
    for (inner, read) in cases {
        let (outcome, response, row) = one("", move |asked| raw(around(asked, inner)));
        match read {
            Some(text) => assert_eq!((outcome.as_str(), response.as_str()), ("answered", text)),
            None => assert_eq!(outcome, "failed", "{inner:?}: {row}"),
        }
    }
    let (outcome, response, _) = one("", |asked| {
        raw([b"\xef\xbb\xbf".as_slice(), chat(asked, "marked").to_string().as_bytes()].concat())
    });
    assert_eq!((outcome.as_str(), response.as_str()), ("answered", "marked"));
}

#[test]
fn row_17_json_that_is_deep_twofold_or_no_json_does_no_harm() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + "1" + &close.repeat(100_000);
    let bodies = [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        format!("{{\"choices\": {}}}", deep("[", "]")),
        "[".repeat(100_000),
        "{\"choices\": NaN}".to_owned(),
        "\0".repeat(1000),
        "<html><body>Bad gateway</body></html>".to_owned(),
        "null".to_owned(),
        "\"text\"".to_owned(),
        String::new(),
    ];
    for text in bodies {
        let sent = text.clone();
        let (outcome, _, row) = one("", move |_| raw(sent.clone()));
        assert_eq!(outcome, "failed", "{} {row}", &text[..text.len().min(40)]);
        assert!(row["error"].as_str().unwrap().len() < 2000);
    }
    let twice = "{\"choices\": [{\"message\": {\"content\": \"a\"}, \"finish_reason\": \"stop\"}], \
                 \"choices\": [{\"message\": {\"content\": \"b\"}, \"finish_reason\": \"stop\"}]}";
    let (outcome, response, _) = one("", move |_| raw(twice));
    assert!(outcome == "failed" || ["a", "b"].contains(&response.as_str()), "{outcome}");
}

#[test]
fn row_19_answers_of_another_shape_do_no_harm() {
    let message = |text: &str| json!([{"message": {"content": text}, "finish_reason": "stop"}]);
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let usage = json!({"prompt_tokens": "7", "completion_tokens": 3.0,
                       "prompt_tokens_details": {"cached_tokens": 2}, "new": {"field": [1]}});
    let null_tokens = json!({"prompt_tokens": null, "completion_tokens": null});
    // The body, the outcome, the response, input tokens.
    let cases: Vec<(Value, &str, &str, Option<i64>)> = vec![
        (json!({"choices": message("a")}), "answered", "a", None),
        (json!({"choices": message("a"), "usage": null}), "answered", "a", None),
        (json!({"choices": message("a"), "usage": null}), "answered", "a", None),
        (json!({"choices": message("a"), "usage": usage}), "answered", "a", Some(7)),
        (json!({"choices": message("a"), "usage": null, "error": null}), "answered", "a", None),
        (json!({"choices": message("a"), "error": ""}), "answered", "a", None),
        (json!({"choices": message("a"), "error": {}}), "answered", "a", None),
        (json!({"choices": message("a"), "error": false}), "answered", "a", None),
        (json!({"choices": message("a"), "error": "no"}), "failed", "-", None),
        (
            json!({"choices": message("a"), "usage": {"prompt_tokens": -1}, "x": {}}),
            "answered",
            "a",
            None,
        ),
        (json!({"choices": message("a"), "usage": [1, 2], "model": 7}), "answered", "a", None),
        (json!({"choices": message("a"), "usage": null_tokens}), "answered", "a", None),
        (json!({"choices": [{"message": {"content": parts}}]}), "answered", "ab", None),
        (
            json!({"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}),
            "empty",
            "-",
            None,
        ),
        (
            json!({"choices": [{"message": {"content": 5}, "finish_reason": "stop"}]}),
            "empty",
            "-",
            None,
        ),
        (
            json!({"choices": [{"message": {"content": {}}, "finish_reason": 3}]}),
            "empty",
            "-",
            None,
        ),
        (json!({"choices": [{"message": [], "finish_reason": "stop"}]}), "empty", "-", None),
        (json!({"choices": [{"text": "older"}]}), "answered", "older", None),
        (json!({"choices": [7, {"message": {"content": "b"}}]}), "empty", "-", None),
        (json!({"choices": {"0": 1}}), "failed", "-", None),
        (json!({"choices": "a"}), "failed", "-", None),
        (json!({"detail": "not found"}), "failed", "-", None),
        (json!([]), "failed", "-", None),
    ];
    for (body, outcome, response, tokens) in cases {
        let text = body.to_string();
        let (found, said, row) = one("", move |_| raw(text.clone()));
        assert_eq!((found.as_str(), said.as_str()), (outcome, response), "{body}: {row}");
        assert_eq!(row["input_tokens"].as_i64(), tokens, "{body}: {row}");
    }
    // Whether no choice is an empty answer or a failed one, it is no answer.
    let (outcome, ..) = one("", |_| raw(json!({"choices": []}).to_string()));
    assert!(["empty", "failed"].contains(&outcome.as_str()), "{outcome}");
    let two = json!([{"message": {"content": "a"}}, {"message": {"content": "b"}}]);
    let (outcome, response, _) = one("", move |_| raw(json!({"choices": two}).to_string()));
    assert_eq!((outcome.as_str(), response.as_str()), ("answered", "a"));
}

#[test]
fn row_19_counts_that_cannot_be_stop_no_run_and_spoil_no_books() {
    for count in [json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(-1), json!("9".repeat(40))]
    {
        let tokens = json!({"prompt_tokens": count, "completion_tokens": count});
        let server = FaultServer::start(move |asked| {
            let mut answer = chat(asked, &asked.answer());
            answer["usage"] = tokens.clone();
            raw(answer.to_string())
        });
        let folder = Folder::new();
        prompts(&folder, 3);
        let price = "{ date = 2026-01-01, input = 3.0, output = 15.0 }";
        let model =
            format!("[model.m]\nmodel = \"m\"\ntokens_per_minute = 1000000\nprice = {price}\n");
        folder.write("models.toml", model);
        let rows = super::answers(&folder, &server, "--models models.toml");
        assert_eq!(super::column(&rows, "outcome"), ["answered"; 3], "{count}: {}", rows[0]);
        assert!(rows[0]["input_tokens"].is_null(), "{}", rows[0]);
        assert_eq!(super::number(&super::status(&folder), "answers"), 3);
    }
}

#[test]
fn row_19_words_about_an_answer_are_short_and_oddities_few() {
    let server = FaultServer::start(|asked| {
        let mut answer = chat(asked, &asked.answer());
        let long = format!("{}-{}", asked.key, "x".repeat(1 << 20));
        answer["model"] = json!(long);
        answer["system_fingerprint"] = json!(long);
        answer["choices"][0]["finish_reason"] = json!("stop");
        raw(answer.to_string())
    });
    let folder = Folder::new();
    prompts(&folder, 100);
    let run = Run::start(&folder, &ask(&server, "--format jsonl")).end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.lines().all(|line| line.len() < 4000), "{}", run.stdout.len());
    let warnings = run.stderr.matches("was asked").count();
    assert!((1..=16).contains(&warnings), "{warnings}");
}

#[test]
fn row_20_another_models_answer_is_not_passed_off() {
    let server = FaultServer::start(|asked| match asked.prompt.as_str() {
        "p2" => {
            let mut answer = chat(asked, &asked.answer());
            answer["model"] = json!("another-model");
            raw(answer.to_string())
        }
        _ => good(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 4);
    let run = Run::start(&folder, &ask(&server, "--format jsonl")).end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("another-model"), "no warning: {}", run.stderr);
    assert!(run.stdout.lines().nth(2).unwrap().contains("another-model"), "{}", run.stdout);
    assert_eq!(run.stdout.matches("another-model").count(), 1);
    let folder = Folder::new();
    prompts(&folder, 4);
    let before = server.count();
    // Also when the answers are in the journal already.
    for _ in 0..2 {
        let strict = Run::start(&folder, &ask(&server, "--strict-model -o r.parquet")).end();
        assert_eq!(strict.code, 3, "{strict:?}");
        assert!(strict.stderr.contains("another-model"), "{strict:?}");
        assert!(!folder.names().contains(&"r.parquet".to_owned()));
    }
    folder.ok(&ask(&server, "-q -o r.parquet"));
    assert_eq!(server.count() - before, 4, "what was paid for is kept");
}
