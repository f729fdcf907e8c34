//! seval-query's journal: no run that ends in the middle loses an answer or pays for it twice.

use crate::run::{Folder, PROGRAMS};
use crate::server::{Seen, chat, prompts, rows, serve};
use serde_json::{Value, json};
use seval_net::Journal;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server that takes its time.
fn echo() -> (String, Arc<Seen>) {
    serve(|_, body| {
        std::thread::sleep(Duration::from_millis(10));
        (200, chat(&format!("echo {}", body["messages"][0]["content"].as_str().unwrap())))
    })
}

/// How many answers the journal of a run that is over holds.
fn kept(folder: &Folder) -> usize {
    let journal = Journal::open(&folder.path("j.db")).unwrap();
    let answers = journal.answers();
    journal.close().unwrap();
    answers
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    const CONNECTIONS: usize = 4;
    let (address, seen) = echo();
    let folder = Folder::new();
    prompts(&folder, 120);
    let line = format!(
        "-q -m m --base-url {address} --max-connections {CONNECTIONS} --journal j.db p.jsonl -o r.parquet"
    );
    let query = PROGRAMS.iter().find(|(name, _)| *name == "seval-query").unwrap().1;
    let mut before = 0;
    for kills in 1..=5 {
        let mut run = Command::new(query)
            .args(line.split(' '))
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let (asked, began) = (seen.count(), Instant::now());
        while seen.count() < asked + 15 && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        run.kill().unwrap();
        assert!(!run.wait().unwrap().success());
        // What the server answered is kept, but for what was under way.
        let now = kept(&folder);
        assert!(now > before && seen.count() <= now + kills * CONNECTIONS, "{now} after {kills}");
        before = now;
    }
    assert!(!folder.names().contains(&"r.parquet".to_owned()));
    let asked = seen.count();
    folder.ok(&format!("seval-query {line}"));
    assert_eq!((seen.count() - asked, kept(&folder)), (120 - before, 120));
    // Asking again asks nothing, and another folder's run knows nothing of all this.
    let resumed = folder.read("r.parquet");
    let said = folder.bash(&format!("seval-query {}", line.replace("-q ", "")));
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("120 responses: 120 answered; 120 from the journal"), "{said}");
    assert_eq!(seen.count() - asked, 120 - before);
    let other = Folder::new();
    prompts(&other, 120);
    other.ok(&format!("seval-query {line}"));
    assert_eq!(seen.count() - asked, 240 - before);
    assert_eq!((folder.read("r.parquet"), other.read("r.parquet")), (resumed.clone(), resumed));
}

#[test]
fn without_a_journal_every_row_is_asked() {
    let (address, seen) = echo();
    let folder = Folder::new();
    folder.write("p.jsonl", "{\"prompt\":\"p\"}\n".repeat(3));
    let ask = format!("seval-query -q -m m --base-url {address} p.jsonl --format jsonl");
    let without = folder.ok(&ask);
    assert_eq!(seen.count(), 3);
    // That is what was foretold, and with a journal something else.
    let planned = |flags: &str| {
        let line = rows(&folder.ok(&format!("{ask} --dry-run {flags}"))).remove(0);
        (line["repeated"].clone(), line["to_send"].clone())
    };
    assert_eq!(planned(""), (json!(0), json!(3)));
    assert_eq!(planned("--journal j.db"), (json!(2), json!(1)));
    assert_eq!(folder.names(), ["p.jsonl"]);
    assert_eq!(folder.ok(&format!("{ask} --journal j.db")), without);
    assert_eq!(seen.count(), 4);
    assert_eq!(planned("--journal j.db"), (json!(0), json!(0)));
}

#[test]
fn only_one_run_writes_a_journal() {
    let (address, seen) = echo();
    let folder = Folder::new();
    prompts(&folder, 3);
    let journal = Journal::open(&folder.path("j.db")).unwrap();
    let ask =
        format!("seval-query -q -m m --base-url {address} --journal j.db p.jsonl -o r.parquet");
    let began = Instant::now();
    let said = folder.fails(1, &ask);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(
        said.trim(),
        "seval-query: j.db: another program has this journal open; \
         wait for it to end, or give this run a journal of its own"
    );
    // The journal, and SQLite's two files beside it.
    assert_eq!((seen.count(), folder.names().len()), (0, 4));
    drop(journal);
}

#[test]
fn a_journal_that_is_none_is_refused_before_anything_is_asked() {
    let (address, seen) = echo();
    let folder = Folder::new();
    prompts(&folder, 3);
    let text = folder.read("p.jsonl");
    let ask = format!("seval-query -q -m m --base-url {address} p.jsonl -o r.parquet --journal");
    folder.write("other.jsonl", &text);
    let said = folder.fails(2, &format!("{ask} other.jsonl"));
    assert!(said.contains("other.jsonl: is not a journal of seval"), "{said}");
    let said = folder.fails(2, &format!("{ask} p.jsonl"));
    assert!(said.contains("--journal: is a file of rows that are read or written"), "{said}");
    assert_eq!((folder.read("p.jsonl"), folder.read("other.jsonl")), (text.clone(), text));
    assert!(folder.fails(2, &format!("{ask} .")).contains("is not a file"));
    assert!(folder.fails(1, &format!("{ask} none/j.db")).contains("does the folder exist"));
    assert_eq!(
        (seen.count(), folder.names()),
        (0, vec!["other.jsonl".to_owned(), "p.jsonl".to_owned()])
    );
}

#[test]
fn a_full_disk_ends_the_run_and_keeps_what_it_has() {
    let (address, seen) = serve(|_, _| (200, chat(&"long ".repeat(2000))));
    let folder = Folder::new();
    prompts(&folder, 200);
    let ask = format!(
        "seval-query -q -m m --base-url {address} --max-connections 4 --journal j.db p.jsonl"
    );
    // No file may pass 512 KiB.
    let said = folder.fails(1, &format!("trap '' XFSZ; ulimit -f 512; {ask} -o r.parquet"));
    assert!(said.contains("j.db: the journal cannot grow"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let (asked, answers) = (seen.count(), kept(&folder));
    assert!(answers > 0 && asked < 200 && asked <= answers + 4, "{answers} of {asked}");
    folder.ok(&format!("{ask} -o r.parquet"));
    assert_eq!((seen.count() - asked, kept(&folder)), (200 - answers, 200));
}

#[test]
fn what_failed_is_asked_again() {
    // The first run's requests are turned away, but for one.
    let (address, seen) = serve(|number, body| match number {
        0..5 if body["messages"][0]["content"] != json!("p3") => {
            (422, json!({"error": {"message": "not now"}}))
        }
        _ => (200, chat("yes")),
    });
    let folder = Folder::new();
    prompts(&folder, 5);
    let ask =
        format!("seval-query -q -m m --base-url {address} --journal j.db p.jsonl --format jsonl");
    let failed = |text: String| {
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row["outcome"] == json!("failed")).count()
    };
    assert_eq!((failed(folder.ok(&ask)), seen.count()), (4, 5));
    assert_eq!((failed(folder.ok(&ask)), seen.count()), (0, 9));
    // Another setting is another question.
    assert_eq!((failed(folder.ok(&format!("{ask} --temperature 0"))), seen.count()), (0, 14));
    assert_eq!((failed(folder.ok(&format!("{ask} --samples 2"))), seen.count()), (0, 19));
}
