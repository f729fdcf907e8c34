//! Row 2: killed at each step on the way of an answer.

use super::acts::good;
use super::fault_server::FaultServer;
use super::{Draws, Run, ask, number, status};
use crate::run::Folder;
use crate::server::prompts;

const CONNECTIONS: usize = 4;
const ROWS: u64 = 30;

/// The steps in their order; the last two are passed once.
const LABELS: [&str; 8] = [
    "before_intent",
    "after_intent",
    "before_send",
    "after_send",
    "before_result",
    "after_result",
    "before_publish",
    "after_publish",
];

/// Kills of each kind.
const SEEDS: usize = 20;

#[test]
fn row_02_a_kill_at_every_step_loses_nothing() {
    if !cfg!(debug_assertions) {
        eprintln!("not checked: only debug builds can be killed at a step");
        return;
    }
    let server = FaultServer::start(good);
    let reference = Folder::new();
    prompts(&reference, ROWS as usize);
    let line = ask(&server, &format!("-q --max-connections {CONNECTIONS} -o r.parquet"));
    reference.ok(&line);
    let whole = reference.read("r.parquet");
    let mut draws = Draws(7);
    for label in LABELS {
        for _ in 0..SEEDS {
            let publishes = label.ends_with("publish");
            let at = if publishes { 1 } else { 1 + draws.below(ROWS / CONNECTIONS as u64) };
            killed_at(label, at, &server, &line, &whole);
        }
    }
}

/// Kills a run the `at`-th time that it passes the label, and resumes it. What comes together
/// passes once, so that a run passes at least as often as it has rows for each connection.
fn killed_at(label: &str, at: u64, server: &FaultServer, line: &str, whole: &[u8]) {
    let (what, rows, before) = (format!("{label}:{at}"), ROWS as usize, server.count());
    let folder = Folder::new();
    prompts(&folder, rows);
    folder.write("r.parquet", "old");
    let ended = Run::with(&folder, line, &[("SEVAL_KILL_AT", &what)]).end();
    assert_eq!(ended.code, 128 + 9, "{what}: {}", ended.stderr);
    server.settle();
    let first = server.count() - before;
    let now = status(&folder);
    let (answers, unfinished) = (number(&now, "answers"), number(&now, "unfinished"));
    assert!(unfinished <= CONNECTIONS && first <= answers + unfinished, "{what}: {first} {now}");
    let at = at as usize;
    match label {
        "after_result" => assert!(answers >= at, "{what}: {now}"),
        "before_intent" => assert!(first <= at * CONNECTIONS, "{what}: {first}"),
        "after_intent" | "before_send" => assert!(unfinished >= 1, "{what}: {now}"),
        "after_send" | "before_result" => assert!(first >= 1 && unfinished >= 1, "{what}: {now}"),
        _ => assert_eq!((answers, unfinished), (rows, 0), "{what}: {now}"),
    }
    // Old or complete, and nothing between.
    let target = folder.read("r.parquet");
    match label {
        "after_publish" => assert!(target == whole, "{what}"),
        _ => assert!(target == b"old", "{what}"),
    }
    folder.ok(line);
    assert!(folder.read("r.parquet") == whole, "{what}: the output differs");
    assert_eq!(server.count() - before - first, rows - answers, "{what}");
    let end = status(&folder);
    assert_eq!((number(&end, "answers"), number(&end, "unfinished")), (rows, unfinished), "{what}");
}
