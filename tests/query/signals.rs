//! Rows 22, 23 and 24: told to stop, cut off from its reader, and stopped for a while.

use super::acts::{Act, End, Gate, Step, ends, good};
use super::fault_server::FaultServer;
use super::{Run, ask, number, status};
use crate::run::Folder;
use crate::server::prompts;
use std::thread;
use std::time::{Duration, Instant};

const ROWS: usize = 200;

/// A server whose first 20 answers come at once, and the others once the gate is open.
fn held() -> (FaultServer, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let server = FaultServer::start(move |asked| match asked.position {
        0..20 => good(asked),
        _ => good(asked).after(Step::Until(held.clone())),
    });
    (server, gate)
}

/// A run with eight requests under way at that server.
fn under_way(folder: &Folder, server: &FaultServer, flags: &str) -> Run {
    prompts(folder, ROWS);
    let run = Run::start(folder, &ask(server, &format!("--max-connections 8 {flags}")));
    assert!(server.wait(|ledger| ledger.under_way == 8 && ledger.requests.len() >= 28));
    run
}

#[test]
fn row_22_what_is_under_way_is_waited_for() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (server, gate) = held();
        let folder = Folder::new();
        let mut run = under_way(&folder, &server, "-o r.parquet");
        run.signal(signal);
        // It does not go before the answers are there.
        thread::sleep(Duration::from_millis(500));
        assert!(run.is_running(), "{signal}: it does not wait: {:?}", run.end());
        gate.open();
        let ended = run.end();
        assert_eq!(ended.code, code, "{signal}: {ended:?}");
        assert!(ended.stderr.contains("again") || ended.stderr.contains("resume"), "{ended:?}");
        assert!(!folder.names().contains(&"r.parquet".to_owned()));
        // No request was begun after the signal, and every answer is kept.
        assert_eq!(server.count(), 28, "{signal}");
        let now = status(&folder);
        assert_eq!((number(&now, "answers"), number(&now, "unfinished")), (28, 0), "{signal}");
        folder.ok(&ask(&server, "-q -o r.parquet"));
        assert_eq!(server.count(), ROWS, "{signal}: asked again");
    }
}

#[test]
fn row_22_the_second_signal_does_not_wait() {
    let (server, _gate) = held();
    let folder = Folder::new();
    let mut run = under_way(&folder, &server, "-o r.parquet");
    run.signal("INT");
    thread::sleep(Duration::from_millis(500));
    assert!(run.is_running(), "it does not wait: {:?}", run.end());
    let told = Instant::now();
    run.signal("INT");
    let ended = run.end();
    assert!(told.elapsed() < Duration::from_secs(3), "{ended:?}");
    assert_eq!(ended.code, 130, "{ended:?}");
    let names = folder.names();
    assert!(names.iter().all(|name| name == "p.jsonl" || name.starts_with("j.db")), "{names:?}");
    assert_eq!(number(&status(&folder), "answers"), 20);
    assert_eq!(number(&status(&folder), "unfinished"), 8);
}

#[test]
fn row_22_a_critic_whose_input_is_idle_ends_when_it_is_told_to() {
    let server = FaultServer::start(good);
    let folder = Folder::new();
    // A stream of rows without its end, and then nothing for a while.
    let row = r#"{"prompt":"p","response":"I will."}"#.to_owned() + "\n";
    folder.write("r.jsonl", row.repeat(2_000));
    folder.ok("seval-agg -q r.jsonl --sql 'SELECT * FROM input' --format arrow > r.arrow");
    let line = format!(
        "seval-critique -q -c safety_brief -m m --base-url {} --max-connections 8 -o v.jsonl \
         < <(head -c -8 r.arrow; exec sleep 90 2> none)",
        server.url()
    );
    let run = Run::start(&folder, &line);
    assert!(server.wait(|ledger| ledger.requests.len() >= 1000));
    let mut before = 0;
    while server.count() > before {
        before = server.count();
        thread::sleep(Duration::from_secs(1));
    }
    let told = Instant::now();
    run.signal("TERM");
    assert_eq!(run.end().code, 143);
    assert!(told.elapsed() < Duration::from_secs(30), "{:?}", told.elapsed());
}

#[test]
fn row_22_the_time_of_grace_ends() {
    let (server, _gate) = held();
    let folder = Folder::new();
    let run = under_way(&folder, &server, "--grace 1 -o r.parquet");
    let told = Instant::now();
    run.signal("TERM");
    let ended = run.end();
    assert_eq!(ended.code, 143, "{ended:?}");
    let took = told.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(15), "{took:?}");
    assert!(ended.stderr.contains("8 possibly billed"), "{ended:?}");
    let now = status(&folder);
    assert_eq!((number(&now, "answers"), number(&now, "unfinished")), (20, 8), "{now}");
}

#[test]
fn row_22_a_run_that_waits_to_try_again_ends_at_once() {
    let server = FaultServer::start(|_| super::acts::refuses(429, &[("retry-after", "200")]));
    let folder = Folder::new();
    prompts(&folder, 5);
    let run = Run::start(&folder, &ask(&server, "-o r.parquet"));
    assert!(server.wait(|ledger| ledger.requests.len() >= 5));
    thread::sleep(Duration::from_millis(300));
    let told = Instant::now();
    run.signal("INT");
    let ended = run.end();
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(told.elapsed() < Duration::from_secs(15), "{ended:?}");
}

#[test]
fn row_22_without_a_journal_the_run_ends_as_well() {
    let slow = FaultServer::start(|asked| good(asked).late(50));
    let folder = Folder::new();
    prompts(&folder, ROWS);
    let line = ask(&slow, "-o r.parquet").replace("--journal j.db ", "");
    let run = Run::start(&folder, &line);
    assert!(slow.wait(|ledger| ledger.requests.len() >= 4));
    run.signal("INT");
    let ended = run.end();
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(!folder.names().contains(&"r.parquet".to_owned()));
}

#[test]
fn row_23_a_reader_that_goes_away_is_no_panic() {
    let server = FaultServer::start(good);
    for line in [
        "LINE --format jsonl | head -1 > head.txt",
        "LINE --format jsonl | true",
        "LINE --format arrow | head -c 10 > head.txt",
        "LINE --format jsonl >&-",
        "LINE --format jsonl 2>&- > rows.jsonl",
        "LINE -v --format jsonl 2>&1 >rows.jsonl | true",
        "LINE --format jsonl > /dev/full",
        "LINE -o r.parquet 2> /dev/full",
        "LINE -o r.parquet >&- 2>&-",
        "LINE -o r.parquet <&-",
    ] {
        let folder = Folder::new();
        prompts(&folder, 300);
        let line = line.replace("LINE", &ask(&server, ""));
        let output = folder.bash(&line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !errors.contains("panicked") && !errors.contains("internal error"),
            "{line}: {errors}"
        );
        let code = output.status.code().unwrap();
        match line.contains("r.parquet") {
            // Nobody needs what is said in passing.
            true => assert_eq!(
                (code, folder.names().contains(&"r.parquet".to_owned())),
                (0, true),
                "{line}"
            ),
            false => assert!([0, 1, 141].contains(&code), "{line}: {code} {errors}"),
        }
        if line.contains("full") && line.contains("jsonl >") {
            assert_eq!(code, 1, "{line}: a full disk is no success");
        }
    }
}

#[test]
fn row_23_what_was_answered_before_the_reader_went_is_kept() {
    let server = FaultServer::start(|asked| good(asked).late(1));
    let folder = Folder::new();
    prompts(&folder, 300);
    let line = ask(&server, "-q --format jsonl --max-connections 8");
    folder.bash(&format!("{line} | head -1 > head.txt"));
    server.settle();
    let first = server.count();
    folder.ok(&format!("{line} > rows.jsonl"));
    assert_eq!(server.count(), 300, "{first} were asked before");
}

#[test]
fn row_24_a_run_that_sleeps_wakes_without_a_storm() {
    const CONNECTIONS: usize = 8;
    let gate = Gate::default();
    let held = gate.clone();
    // Those under way when the run falls asleep lose their connections; what comes after takes its
    // time, so that a run with CONNECTIONS slots asks no more than that in a second.
    let server = FaultServer::start(move |asked| -> Act {
        match asked.position {
            0..16 => good(asked),
            16..24 => ends(End::Close).after(Step::Until(held.clone())),
            _ => good(asked).late(1500),
        }
    });
    let folder = Folder::new();
    prompts(&folder, 40);
    let run = Run::start(&folder, &ask(&server, "-q --max-connections 8 -o r.parquet"));
    assert!(server.wait(|ledger| ledger.requests.len() == 24));
    run.signal("STOP");
    gate.open();
    assert!(server.wait(|ledger| ledger.under_way == 0));
    thread::sleep(Duration::from_secs(3));
    let woken = Instant::now();
    run.signal("CONT");
    let ended = run.end();
    assert_eq!(ended.code, 0, "{ended:?}");
    let ledger = server.ledger();
    let later = ledger.requests.iter().filter(|asked| asked.at >= woken);
    let storm = later.filter(|asked| asked.at < woken + Duration::from_secs(1)).count();
    assert!(storm <= CONNECTIONS && ledger.most_under_way <= CONNECTIONS, "{storm} in a second");
    assert!(ledger.keys.values().all(|tally| tally.received <= 2 && tally.billed == 1));
    assert_eq!(ledger.requests.len(), 48);
}
