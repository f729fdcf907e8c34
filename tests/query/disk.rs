//! Rows 7 and 8: disks that are full, that may not be written, that are not there, and that hang.

use super::acts::{good, says};
use super::fault_server::FaultServer;
use super::{Draws, Run, ask, number, status, table};
use crate::run::Folder;
use crate::server::prompts;
use std::process::Command;
use std::time::Duration;

/// How to begin a command line that may mount disks; none, and word of it, if that is forbidden.
fn mounting() -> Option<&'static str> {
    let allowed = |flags: &str| {
        let line = format!("unshare {flags} mount -t tmpfs -o size=1m tmpfs /mnt");
        let status = Command::new("bash").args(["-c", &line]).output();
        status.is_ok_and(|output| output.status.success())
    };
    let found = ["-Urm", "-m"].into_iter().find(|flags| allowed(flags));
    if found.is_none() {
        eprintln!("not checked: this machine lets nobody mount a disk");
    }
    found
}

/// A command line with a disk of its own, mounted with `options` at `disk`.
fn on_disk(unshare: &str, options: &str, script: &str) -> String {
    format!(
        "mkdir -p disk; unshare {unshare} bash -ec \
         'mount -t tmpfs -o {options} tmpfs disk; {script}'"
    )
}

/// A server whose answers take 20 KB each, and do not get smaller.
fn wordy() -> FaultServer {
    FaultServer::start(|asked| {
        let mut draws = Draws(asked.key);
        let words = (0..1200).map(|_| format!("{:016x} ", draws.below(u64::MAX)));
        says(asked, &words.collect::<String>())
    })
}

const ROWS: usize = 500;

#[test]
fn row_07_a_full_disk_under_the_journal_ends_the_run_and_loses_nothing() {
    let Some(unshare) = mounting() else { return };
    let server = wordy();
    let folder = Folder::new();
    prompts(&folder, ROWS);
    let line = ask(&server, "--max-connections 8 -o r.parquet").replace("j.db", "disk/j.db");
    let script = format!(
        "set +e; {line} 2> said; echo $? > code; ls > names; \
         seval-query status disk/j.db --format jsonl > before; set -e; \
         mount -o remount,size=160m disk; cp disk/j.db kept.db; {line} 2> then; \
         seval-query status disk/j.db --format jsonl > after"
    );
    folder.ok(&on_disk(unshare, "size=69m", &script));
    let text = |name: &str| String::from_utf8(folder.read(name)).unwrap();
    assert_eq!(text("code").trim(), "1", "{}", text("said"));
    assert!(text("said").contains("disk/j.db"), "{}", text("said"));
    assert!(!text("names").contains("r.parquet"), "{}", text("names"));
    let [before, after] = ["before", "after"].map(|name| {
        let line: serde_json::Value = serde_json::from_str(text(name).trim()).unwrap();
        (number(&line, "answers"), number(&line, "unfinished"))
    });
    assert!(before.0 > 20 && before.0 < ROWS, "{before:?}");
    assert_eq!(after.0, ROWS);
    // Asked again is what was under way when the disk was full, and nothing else.
    let again = server.count() - ROWS;
    assert!(again <= 8 && again <= after.1, "{again} of {before:?} {after:?}");
    assert_eq!(table(&folder, "r.parquet").len(), ROWS);
}

#[test]
fn row_07_large_answers_that_come_at_once_are_kept() {
    let Some(unshare) = mounting() else { return };
    let server = FaultServer::start(|asked| says(asked, &"0123456789abcdef".repeat(60_000)));
    let folder = Folder::new();
    prompts(&folder, 200);
    let line = ask(&server, "--max-connections 48 -o r.parquet").replace("j.db", "disk/j.db");
    let script = format!(
        "set +e; {line} 2> said; echo $? > code;          seval-query status disk/j.db --format jsonl > status"
    );
    folder.ok(&on_disk(unshare, "size=72m", &script));
    let text = |name: &str| String::from_utf8(folder.read(name)).unwrap();
    assert_eq!(text("code").trim(), "1", "{}", text("said"));
    assert!(text("said").contains("MiB left"), "{}", text("said"));
    let now: serde_json::Value = serde_json::from_str(text("status").trim()).unwrap();
    assert_eq!((number(&now, "answers"), number(&now, "unfinished")), (server.count(), 0), "{now}");
}

#[test]
fn row_07_a_full_disk_under_the_output_leaves_none_and_the_answers() {
    let Some(unshare) = mounting() else { return };
    let server = wordy();
    let folder = Folder::new();
    prompts(&folder, ROWS);
    let line = ask(&server, "--max-connections 8 -o disk/r.parquet");
    let script = format!(
        "echo old > disk/r.parquet; set +e; {line} 2> said; echo $? > code; ls -A disk > names; \
         cp disk/r.parquet old; set -e; \
         mount -o remount,size=64m disk; {line}; cp disk/r.parquet r.parquet"
    );
    folder.ok(&on_disk(unshare, "size=2m", &script));
    let text = |name: &str| String::from_utf8(folder.read(name)).unwrap();
    assert_eq!(text("code").trim(), "1", "{}", text("said"));
    assert!(text("said").contains("r.parquet"), "{}", text("said"));
    assert_eq!((text("names").as_str(), text("old").as_str()), ("r.parquet\n", "old\n"));
    assert_eq!((server.count(), table(&folder, "r.parquet").len()), (ROWS, ROWS));
}

#[test]
fn row_07_a_file_that_may_not_grow_is_a_full_disk() {
    let server = wordy();
    let folder = Folder::new();
    prompts(&folder, ROWS);
    let line = ask(&server, "--max-connections 8 -o r.parquet");
    let said = folder.fails(1, &format!("trap '' XFSZ; ulimit -f 2048; {line}"));
    assert!(said.contains("j.db"), "{said}");
    let answers = number(&status(&folder), "answers");
    let first = server.count();
    assert!(answers > 20 && first <= answers + 8, "{first} asked, {answers} kept");
    folder.ok(&line);
    assert_eq!(server.count() - first, ROWS - answers);
}

#[test]
fn row_08_what_cannot_be_written_is_said_before_anything_is_asked() {
    let server = FaultServer::start(good);
    let refused = |folder: &Folder, line: &str, code: i32| {
        let run = Run::start(folder, line).end();
        assert_eq!(run.code, code, "{line}: {run:?}");
        assert_eq!(server.count(), 0, "{line}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        assert!(run.took < Duration::from_secs(5), "{run:?}");
    };
    let folder = Folder::new();
    prompts(&folder, 50);
    refused(&folder, &ask(&server, "-o none/r.parquet"), 1);
    refused(&folder, &ask(&server, "-o r.parquet").replace("j.db", "none/j.db"), 1);
    refused(&folder, &ask(&server, "-o p.jsonl/r.parquet"), 1);
    if let Some(unshare) = mounting() {
        for line in [
            ask(&server, "-o disk/r.parquet"),
            ask(&server, "-o r.parquet").replace("j.db", "disk/j.db"),
        ] {
            refused(&folder, &format!("bash -c \"{}\"", on_disk(unshare, "ro", &line)), 1);
        }
    }
    assert_eq!(folder.names().iter().filter(|name| name.starts_with('r')).count(), 0);
    // Modes mean nothing to root.
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id.starts_with(b"0\n") {
        eprintln!("not checked: modes of folders mean nothing to root");
        return;
    }
    folder.ok("mkdir shut; chmod 555 shut");
    refused(&folder, &ask(&server, "-o shut/r.parquet"), 1);
    refused(&folder, &ask(&server, "-o r.parquet").replace("j.db", "shut/j.db"), 1);
}

#[test]
fn row_08_a_journal_that_may_not_be_written_is_said_before_anything_is_asked() {
    let Some(unshare) = mounting() else { return };
    let server = FaultServer::start(good);
    let folder = Folder::new();
    prompts(&folder, 20);
    let line = ask(&server, "-o r.parquet").replace("j.db", "disk/j.db");
    // A good journal on a disk that has become read-only.
    let script = format!(
        "{line}; rm r.parquet; mount -o remount,ro disk; set +e; \
         {} 2> said; echo $? > code",
        line.replace("-m m", "-m other")
    );
    folder.ok(&on_disk(unshare, "size=80m", &script));
    let said = String::from_utf8(folder.read("said")).unwrap();
    assert_eq!((folder.read("code").as_slice(), server.count()), (b"1\n".as_slice(), 20), "{said}");
    assert!(said.contains("disk/j.db"), "{said}");
}

/// How to begin a command line for which no sync comes to an end; none, and word of it, where that
/// can't be done.
fn hanging() -> Option<&'static str> {
    let strace = "strace -D -f -qq -o /dev/null -e inject=fdatasync:delay_enter=60000000";
    let status = Command::new("bash").args(["-c", &format!("{strace} true")]).output();
    let works = status.is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("not checked: there is no strace here, or it may not trace");
    }
    works.then_some(strace)
}

#[test]
fn a_disk_that_hangs_holds_no_connection_back_until_256_answers_wait_for_it() {
    let Some(strace) = hanging() else { return };
    let server = FaultServer::start(good);
    let folder = Folder::new();
    prompts(&folder, ROWS);
    let line = ask(&server, "-q --max-connections 32 -o r.parquet");
    let run = Run::start(&folder, &format!("{strace} {line} > /dev/null 2>&1"));
    assert!(server.wait(|ledger| ledger.requests.len() >= 256), "{} asked", server.count());
    // A power cut could take no more than these, and those under way.
    let more =
        server.wait_for(Duration::from_millis(500), |ledger| ledger.requests.len() >= 256 + 32);
    assert!(!more, "{} asked", server.count());
    let traced = run.proc("status");
    let tracer = traced.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap();
    run.signal("KILL");
    // It sees nothing of that before the sync is due.
    folder.ok(&format!("kill -9 {}", tracer.trim()));
    assert_eq!(run.end().code, 128 + 9);
    server.settle();
    let (first, now) = (server.count(), status(&folder));
    // What was written outlives a kill, synced or not.
    let [answers, lost] = ["answers", "unfinished"].map(|name| number(&now, name));
    assert!(lost <= 32 && first <= answers + lost, "{first} asked: {now}");
    folder.ok(&line);
    assert_eq!(server.count() - first, ROWS - answers);
    assert_eq!(table(&folder, "r.parquet").len(), ROWS);
}
