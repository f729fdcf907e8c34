//! Rows 26 and 27: two runs on one journal, who reads it meanwhile, and a journal of another run.

use super::acts::{Gate, Step, good};
use super::fault_server::FaultServer;
use super::{LONGEST, Run, ask, number, status};
use crate::run::Folder;
use crate::server::{prompts, rows};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn row_26_the_second_run_on_a_journal_ends_at_once() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = FaultServer::start(move |asked| good(asked).after(Step::Until(held.clone())));
    let folder = Folder::new();
    prompts(&folder, 20);
    let first = Run::start(&folder, &ask(&server, "--max-connections 4 -o r.parquet"));
    assert!(server.wait(|ledger| ledger.requests.len() == 4));
    for _ in 0..20 {
        let second = Run::start(&folder, &ask(&server, "-o other.parquet")).end();
        assert_eq!((second.code, server.count()), (1, 4), "{second:?}");
        assert!(second.stderr.contains("j.db") && second.stderr.contains("open"), "{second:?}");
        assert!(second.took < Duration::from_secs(5), "{second:?}");
    }
    gate.open();
    assert_eq!(first.end().code, 0);
    assert_eq!(server.count(), 20);
    assert!(!folder.names().contains(&"other.parquet".to_owned()));
}

#[test]
fn row_26_of_two_that_begin_together_none_asks_what_the_other_does() {
    let server = FaultServer::start(|asked| good(asked).late(2));
    for round in 1..=20 {
        let folder = Folder::new();
        prompts(&folder, 30);
        // Another temperature each time: other questions, of the same server.
        let line = |out: &str| {
            let flags = format!("--temperature 0.{round:02} --max-connections 4 -o {out}");
            ask(&server, &flags)
        };
        let runs = [line("1.parquet"), line("2.parquet")].map(|line| Run::start(&folder, &line));
        let codes = runs.map(|run| run.end().code);
        assert!(codes.iter().all(|code| [0, 1].contains(code)) && codes.contains(&0), "{codes:?}");
    }
    let ledger = server.ledger();
    assert_eq!((ledger.requests.len(), ledger.keys.len()), (20 * 30, 20 * 30));
}

/// Reads the journal in every way; what it exports, which begins with what it did `before`.
fn read(folder: &Folder, before: &str) -> String {
    let count = number(&status(folder), "answers");
    assert!(count >= before.lines().count(), "{count} after {}", before.lines().count());
    let now = folder.ok("seval-query export j.db --format jsonl");
    assert!(now.starts_with(before) && now.lines().count() >= count, "{count}:\n{now}");
    for row in rows(&now) {
        let text = row["response"].as_str().unwrap_or_default();
        assert!(row["outcome"] == "answered" && !text.is_empty(), "{row}");
    }
    folder.ok("seval-query verify j.db");
    now
}

#[test]
fn row_26_eight_readers_of_a_run_see_how_far_it_is() {
    const ROWS: usize = 2000;
    let gate = Gate::default();
    let held = gate.clone();
    let server = FaultServer::start(move |asked| match asked.prompt.as_str() {
        "p1999" => good(asked).after(Step::Until(held.clone())),
        _ => good(asked).late(1),
    });
    let folder = Folder::new();
    prompts(&folder, ROWS);
    let began = Instant::now();
    let run = Run::start(&folder, &ask(&server, "-q -o r.parquet"));
    assert!(server.wait(|ledger| !ledger.requests.is_empty()));
    let (rounds, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let reader = || {
            let (mut before, mut last) = (String::new(), false);
            while !last {
                // Once more when the run has ended.
                last = ended.load(Ordering::SeqCst) || began.elapsed() > 2 * LONGEST;
                before = read(&folder, &before);
                rounds.fetch_add(1, Ordering::SeqCst);
            }
            assert_eq!(before.lines().count(), ROWS);
        };
        let readers: Vec<_> = (0..8).map(|_| scope.spawn(reader)).collect();
        // The run waits with its last answer until they have read often.
        let wait = || rounds.load(Ordering::SeqCst) < 32 && began.elapsed() < LONGEST / 2;
        while wait() && !readers.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(5));
        }
        gate.open();
        let run = run.end();
        ended.store(true, Ordering::SeqCst);
        assert_eq!(run.code, 0, "{run:?}");
    });
    assert_eq!(server.count(), ROWS);
}

/// How to begin a command line that permissions hold for, also where root runs it; none, and word
/// of it, if that cannot be.
fn bound() -> Option<&'static str> {
    let said = |line: &str| Command::new("bash").args(["-c", line]).output().unwrap();
    if said("id -u").stdout != b"0\n" {
        return Some("");
    }
    let bound = "setpriv --bounding-set=-dac_override,-dac_read_search ";
    let found = said(&format!("{bound} true")).status.success().then_some(bound);
    if found.is_none() {
        eprintln!("not checked: root may write everything here");
    }
    found
}

#[test]
fn row_26_who_reads_need_not_be_allowed_to_write() {
    let Some(bound) = bound() else { return };
    let gate = Gate::default();
    let held = gate.clone();
    let server = FaultServer::start(move |asked| match asked.prompt.as_str() {
        "p10" => good(asked).after(Step::Until(held.clone())),
        _ => good(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 20);
    let run = Run::start(&folder, &ask(&server, "--max-connections 1 -o r.parquet"));
    assert!(server.wait(|ledger| ledger.requests.len() == 11));
    assert_eq!(number(&status(&folder), "answers"), 10);
    // As a run leaves it that was killed, and as one does that has ended.
    folder.ok("mkdir killed && cp j.db* killed && chmod 400 killed/* && chmod 555 killed");
    let plan = |journal: &str| {
        let line = ask(&server, "--dry-run -q --format jsonl").replace("j.db", journal);
        let line = rows(&folder.ok(&format!("{bound}{line}"))).remove(0);
        (number(&line, "answered"), number(&line, "to_send"))
    };
    // A plan is made while a run writes.
    assert_eq!(plan("j.db"), (10, 10));
    gate.open();
    assert_eq!(run.end().code, 0);
    folder.ok("mkdir ended && cp j.db* ended && chmod 400 ended/* && chmod 555 ended");
    for (place, count) in [("killed", 10), ("ended", 20)] {
        let names = folder.ok(&format!("ls {place}"));
        let journal = format!("{place}/j.db");
        let books = folder.ok(&format!("{bound}seval-query status {journal} --format jsonl"));
        assert_eq!(number(&rows(&books)[0], "answers"), count, "{books}");
        let export = format!("{bound}seval-query export {journal} --format jsonl");
        assert_eq!(rows(&folder.ok(&export)).len(), count);
        folder.ok(&format!("{bound}seval-query verify {journal}"));
        assert_eq!(plan(&journal), (count, 20 - count));
        assert_eq!(folder.ok(&format!("ls {place}")), names);
        // To run on it is another matter.
        let line = ask(&server, "-o other.parquet").replace("j.db", &journal);
        assert!(folder.fails(1, &format!("{bound}{line}")).contains("may you write"));
    }
    folder.ok("chmod 700 killed ended");
}

#[test]
fn row_27_answers_to_something_else_are_not_used_and_it_is_said_what_differs() {
    let server = FaultServer::start(good);
    let folder = Folder::new();
    prompts(&folder, 20);
    let first = ask(&server, "--temperature 0 -o r.parquet");
    folder.ok(&first);
    assert_eq!(server.count(), 20);
    let cases = [
        (first.replace("--temperature 0", "--temperature 0.7"), "temperature"),
        (first.replace("--temperature 0", ""), "temperature"),
        (first.replace("--temperature 0", "--temperature 0 --top-p 0.5"), "top_p"),
        (first.replace("--temperature 0", "--temperature 0 --max-tokens 9"), "max_tokens"),
        (first.replace("-m m", "-m another"), "model"),
        (first.replace("/v1", "/v2"), "address"),
    ];
    for (line, field) in cases {
        let other = Folder::new();
        prompts(&other, 20);
        other.write("j.db", folder.read("j.db"));
        let before = server.count();
        let run = Run::start(&other, &line).end();
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(server.count() - before, 20, "{field}: an answer was used");
        assert!(run.stderr.contains(field), "{field}: {}", run.stderr);
    }
    // Other texts are other questions; those that are the same are known.
    let other = Folder::new();
    let changed = String::from_utf8(folder.read("p.jsonl")).unwrap().replace("p1\"", "q1\"");
    other.write("p.jsonl", changed);
    other.write("j.db", folder.read("j.db"));
    let before = server.count();
    let run = Run::start(&other, &first).end();
    assert_eq!((run.code, server.count() - before), (0, 1), "{run:?}");
    assert!(run.stderr.contains("19 from the journal"), "{run:?}");
}
