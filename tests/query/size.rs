//! Row 18: answers without end.

use super::acts::{Act, endless, good, gzip, says};
use super::fault_server::{Asked, FaultServer};
use super::{Run, ask, column};
use crate::run::Folder;
use crate::server::{prompts, rows};
use std::time::Duration;

/// The most memory that a run of four requests may take, in MiB. A base, and the answers.
const MEMORY: u64 = 304;

/// A chunk of 64 KiB.
fn chunk() -> Vec<u8> {
    [b"10000\r\n".as_slice(), &[b'a'; 1 << 16], b"\r\n"].concat()
}

/// Runs prompts of which the third gets an answer without end.
fn cut(wanted: &[&str], act: impl Fn(&Asked) -> Act + Send + Sync + 'static) {
    let server = FaultServer::start(move |asked| match asked.prompt.as_str() {
        "p2" => act(asked),
        _ => good(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 8);
    let flags = format!("--max-connections 4 --max-response-bytes {} --format jsonl", 1 << 20);
    let run = Run::start(&folder, &ask(&server, &flags)).end();
    assert_eq!(run.code, 0, "{run:?}");
    let rows = rows(&run.stdout);
    let outcomes = column(&rows, "outcome");
    assert!(wanted.contains(&outcomes[2]), "{}", rows[2]);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "answered").count(), 7);
    assert!(run.memory <= MEMORY, "{} MiB", run.memory);
    assert!(run.took < Duration::from_secs(60), "{run:?}");
    assert_eq!(server.ledger().asked("p2"), 1);
}

#[test]
fn row_18_a_body_without_end_is_cut() {
    let again = vec![b'a'; 1 << 16];
    cut(&["too_large"], move |_| endless(&[("connection", "close")], b"{\"choices\": \"", &again));
}

#[test]
fn row_18_chunks_without_end_are_cut() {
    cut(&["too_large"], |_| endless(&[("transfer-encoding", "chunked")], b"", &chunk()));
}

#[test]
fn row_18_a_body_of_ten_gigabytes_is_cut() {
    let length = (10_u64 << 30).to_string();
    let again = vec![b' '; 1 << 16];
    cut(&["too_large"], move |_| endless(&[("content-length", &length)], b"", &again));
}

#[test]
fn row_18_a_gzip_bomb_is_cut_where_it_is_unpacked() {
    let bomb = gzip((0..512).map(|_| vec![b' '; 1 << 20]));
    // Whoever asks for no compression need not unpack any.
    cut(&["too_large", "failed"], move |_| bomb.clone());
}

#[test]
fn row_18_an_error_without_end_is_cut() {
    let again = vec![b'e'; 1 << 16];
    cut(&["failed"], move |_| {
        let mut act = endless(&[("connection", "close")], b"", &again).free();
        if let super::acts::Step::Send(head) = &mut act.steps[0] {
            let bad = String::from_utf8(head.clone()).unwrap().replace("200", "400");
            *head = bad.into_bytes();
        }
        act
    });
}

#[test]
fn row_18_a_stream_without_end_is_cut() {
    for event in
        ["data: {\"choices\": [{\"delta\": {\"content\": \"aaaaaaaa\"}}]}\n\n", ": no\n", "data: x"]
    {
        let text = event.repeat(1000);
        let chunk = format!("{:x}\r\n{text}\r\n", text.len()).into_bytes();
        let server = FaultServer::start(move |_| {
            let headers = [("transfer-encoding", "chunked"), ("content-type", "text/event-stream")];
            endless(&headers, b"", &chunk)
        });
        let folder = Folder::new();
        prompts(&folder, 1);
        let flags = format!("--stream --max-response-bytes {} --format jsonl", 1 << 20);
        let run = Run::start(&folder, &ask(&server, &flags)).end();
        let rows = rows(&run.stdout);
        assert_eq!(column(&rows, "outcome"), ["too_large"], "{event:?}: {run:?}");
        assert!(run.memory <= MEMORY, "{} MiB", run.memory);
    }
}

#[test]
fn row_18_an_answer_that_was_cut_is_asked_for_again_where_more_is_allowed() {
    let server = FaultServer::start(|asked| says(asked, &"long ".repeat(1000)));
    let folder = Folder::new();
    prompts(&folder, 3);
    // What is allowed, what comes of it, and how many requests it took in all.
    for (flags, outcome, count) in [
        ("--max-response-bytes 2000", "too_large", 3),
        ("--max-response-bytes 1000", "too_large", 3),
        ("", "answered", 6),
        ("", "answered", 6),
    ] {
        let rows = super::answers(&folder, &server, flags);
        assert_eq!(column(&rows, "outcome"), [outcome; 3], "{flags}: {}", rows[0]);
        assert_eq!(server.count(), count, "{flags}");
        let plan = folder.ok(&ask(&server, "--dry-run --format jsonl"));
        let to_send = if outcome == "answered" { 0 } else { 3 };
        assert_eq!(super::number(&crate::server::rows(&plan)[0], "to_send"), to_send, "{flags}");
    }
}

#[test]
fn row_18_a_head_without_end_is_refused() {
    let server = FaultServer::start(|_| {
        let mut act = endless(&[], b"", &[b'h'; 1 << 16]);
        act.steps[0] = super::acts::Step::Send(b"HTTP/1.1 200 OK\r\nx: ".to_vec());
        act
    });
    let folder = Folder::new();
    prompts(&folder, 1);
    let run = Run::start(&folder, &ask(&server, "--max-retries 1 --format jsonl")).end();
    assert_eq!(column(&rows(&run.stdout), "outcome"), ["failed"], "{run:?}");
    assert!(run.memory <= MEMORY, "{} MiB", run.memory);
}

#[test]
fn row_18_answers_that_are_too_large_for_one_batch_are_several() {
    // A column of one batch holds 2 GiB.
    let server = FaultServer::start(|asked| {
        says(asked, &format!("{} {}", asked.prompt, "x".repeat(15 << 20)))
    });
    let folder = Folder::new();
    prompts(&folder, 72);
    let flags = "--samples 2 --max-connections 4 p.jsonl -o r.parquet";
    let line = format!("seval-query -m m --base-url {} {flags}", server.url());
    let run = Run::start(&folder, &line).end();
    assert_eq!(run.code, 0, "{run:?}");
    let sql = "SELECT sample, count(*) AS n, count(DISTINCT prompt) AS prompts FROM input
        WHERE starts_with(response, concat(prompt, ' ')) GROUP BY sample ORDER BY sample";
    let found = folder.ok(&format!("seval-agg -q r.parquet --sql \"{sql}\" --format csv"));
    assert_eq!(found, "sample,n,prompts\n0,72,72\n1,72,72\n");
}
