//! Rows 12 and 13: what no repetition mends is asked once.

use super::acts::{body, chat, good, raw, refuses, silence};
use super::fault_server::{Asked, FaultServer};
use super::{Run, ask, asked, column};
use crate::run::Folder;
use crate::server::prompts;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn row_12_a_bad_request_is_asked_once() {
    for status in [400, 422, 413, 405] {
        let server = FaultServer::start(move |_| refuses(status, &[]));
        let rows = asked(10, &server, "");
        assert_eq!(column(&rows, "outcome"), ["failed"; 10], "{status}");
        assert!(rows[0]["error"].as_str().unwrap().contains(&status.to_string()));
        assert!(server.ledger().keys.values().all(|tally| tally.received == 1), "{status}");
        assert_eq!(server.count(), 10);
    }
}

#[test]
fn row_12_where_no_request_can_succeed_the_run_ends_after_a_few() {
    for status in [401, 403, 404] {
        let server = FaultServer::start(move |_| refuses(status, &[]).late(5));
        let folder = Folder::new();
        prompts(&folder, 1000);
        let run = Run::start(&folder, &ask(&server, "--max-connections 4 -o r.parquet")).end();
        assert_eq!(run.code, 1, "{status}: {run:?}");
        assert!(run.stderr.contains(&status.to_string()), "{run:?}");
        assert!(run.took < Duration::from_secs(20), "{run:?}");
        // Those that were under way when the third of them failed, and no more.
        let least = if status == 401 { 1 } else { 3 };
        assert!((least..=3 + 4).contains(&server.count()), "{status}: {} requests", server.count());
        assert!(!folder.names().contains(&"r.parquet".to_owned()));
        assert!(server.ledger().keys.values().all(|tally| tally.received == 1), "{status}");
    }
}

#[test]
fn row_12_a_prompt_that_is_forbidden_ends_no_run() {
    let server = FaultServer::start(|asked| match asked.prompt.as_str() {
        "p0" | "p1" => refuses(403, &[]),
        _ => good(asked),
    });
    let rows = asked(10, &server, "--max-connections 1");
    assert_eq!(column(&rows, "outcome")[..3], ["failed", "failed", "answered"], "{}", rows[0]);
}

#[test]
fn row_12_where_nothing_but_pages_or_silence_comes_the_run_ends_after_a_few() {
    let page = |_: &Asked| raw("<html>Please log in.</html>");
    for (act, flags, words, most) in [
        (page as fn(&Asked) -> super::acts::Act, "", "not JSON", 3),
        (|_| silence(), "--attempt-timeout 1", "no answer within 1 s", 16),
    ] {
        let server = FaultServer::start(act);
        let folder = Folder::new();
        prompts(&folder, 1000);
        let line = ask(&server, &format!("--max-connections 4 {flags} -o r.parquet"));
        let run = Run::start(&folder, &line).end();
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains(words), "{run:?}");
        assert!(server.count() <= most + 4, "{words}: {} requests", server.count());
        assert!(!folder.names().contains(&"r.parquet".to_owned()));
    }
}

#[test]
fn row_12_without_a_journal_a_model_that_is_lost_takes_no_others_answers_with_it() {
    let good = FaultServer::start(good);
    let lost = FaultServer::start(|_| refuses(401, &[]).late(500));
    let folder = Folder::new();
    prompts(&folder, 40);
    let model = |name: &str, server: &FaultServer| {
        format!("[model.{name}]\nmodel = \"m\"\nbase_url = \"{}\"\n", server.url())
    };
    let slow = "requests_per_minute = 60\n";
    folder.write("models.toml", model("good", &good) + &model("lost", &lost) + slow);
    let line = "seval-query --models models.toml -m good -m lost --max-connections 4 p.jsonl";
    let run = Run::start(&folder, &format!("{line} --format jsonl")).end();
    assert!(run.code == 0 && run.stderr.contains("asked nothing more"), "{run:?}");
    assert!(run.took < Duration::from_secs(20), "{run:?}");
    let rows = crate::server::rows(&run.stdout);
    let of = |name: &str| rows.iter().filter(|row| row["model"] == name).collect::<Vec<_>>();
    assert!(of("good").iter().all(|row| row["outcome"] == "answered") && of("good").len() == 40);
    assert!(of("lost").iter().all(|row| row["outcome"] == "failed") && of("lost").len() == 40);
    assert!(of("lost")[39]["error"].as_str().unwrap().contains("401"), "{}", of("lost")[39]);
    assert!(lost.count() <= 4, "{} requests", lost.count());
    // With one, the next run goes on from there.
    let run = Run::start(&folder, &format!("{line} --journal j.db -o r.parquet")).end();
    assert_eq!(run.code, 1, "{run:?}");
}

#[test]
fn row_12_a_key_that_ends_in_the_middle_ends_the_run_and_keeps_what_it_has() {
    let server = FaultServer::start(|asked| match asked.position {
        0..50 => good(asked),
        50..100 => refuses(401, &[]),
        _ => good(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 200);
    let line = ask(&server, "-q --max-connections 4 -o r.parquet");
    assert_eq!(Run::start(&folder, &line).end().code, 1);
    let first = server.count();
    assert!(first <= 50 + 4 + 3, "{first}");
    // The next run's first requests are refused as well, one at a time.
    while server.count() < 100 {
        assert_eq!(
            Run::start(&folder, &line.replace("connections 4", "connections 1")).end().code,
            1
        );
    }
    folder.ok(&line);
    let ledger = server.ledger();
    assert!(ledger.keys.values().all(|tally| tally.billed == 1));
}

/// Ways in which providers say that their filter refused.
fn filters() -> Vec<fn(&Asked) -> super::acts::Act> {
    fn refused(error: Value) -> super::acts::Act {
        body(400, &[], json!({"error": error}).to_string())
    }
    fn with(asked: &Asked, message: Value, reason: &str) -> super::acts::Act {
        let mut answer = chat(asked, "");
        answer["choices"][0]["message"] = message;
        answer["choices"][0]["finish_reason"] = json!(reason);
        raw(answer.to_string())
    }
    vec![
        |_| refused(json!({"message": "flagged", "code": "content_filter", "status": 400})),
        |_| {
            refused(json!({"message": "flagged", "code": null, "param": "prompt",
                "innererror": {"code": "ResponsibleAIPolicyViolation"}}))
        },
        |_| refused(json!({"message": "flagged", "type": "data_inspection_failed"})),
        |asked| with(asked, json!({"role": "assistant", "content": ""}), "content_filter"),
        |asked| with(asked, json!({"role": "assistant", "content": "So far"}), "content_filter"),
        |asked| with(asked, Value::Null, "content_filter"),
        |asked| with(asked, json!({"role": "assistant", "content": null}), "content_filter"),
        |asked| with(asked, Value::Null, "SAFETY"),
        |asked| with(asked, Value::Null, "content_filter: PROHIBITED_CONTENT"),
    ]
}

#[test]
fn row_13_a_providers_filter_is_an_outcome_of_its_own() {
    for (at, filter) in filters().into_iter().enumerate() {
        let server = FaultServer::start(filter);
        let folder = Folder::new();
        prompts(&folder, 4);
        let rows = super::answers(&folder, &server, "");
        assert_eq!(column(&rows, "outcome"), ["filtered"; 4], "{at}: {}", rows[0]);
        // An answer is never asked again, and neither is this: not now, and not by the next run.
        assert_eq!(super::answers(&folder, &server, ""), rows, "{at}");
        assert_eq!(server.count(), 4, "{at}");
    }
}
