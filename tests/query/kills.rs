//! Row 1: killed at any time, a run goes on where it was.

use super::acts::good;
use super::fault_server::{Asked, FaultServer};
use super::{Draws, Run, ask, number, status, table};
use crate::run::Folder;
use crate::server::prompts;
use std::collections::HashSet;
use std::thread;
use std::time::Duration;

const CONNECTIONS: usize = 64;

#[test]
fn row_01_fifty_kills_lose_nothing_and_pay_for_nothing_twice() {
    kills(50, 2_000);
}

#[test]
#[ignore = "takes half an hour: `make kills`"]
fn row_01_a_thousand_kills_lose_nothing_and_pay_for_nothing_twice() {
    kills(1_000, 10_000);
}

/// A folder with so many prompts, and the line that asks for them at a price.
fn line(folder: &Folder, server: &FaultServer, rows: usize) -> String {
    prompts(folder, rows);
    let price = "{ date = 2026-01-01, input = 3.0, output = 15.0 }";
    folder.write("models.toml", format!("[model.m]\nmodel = \"m\"\nprice = {price}\n"));
    let flags = format!("-q --models models.toml --max-connections {CONNECTIONS} -o r.parquet");
    ask(server, &flags)
}

/// Runs over so many prompts, one after the other, until that many were killed.
fn kills(wanted: usize, rows: usize) {
    let (mut draws, mut kills, mut runs) = (Draws(42), 0, 0);
    while kills < wanted {
        kills += until_done(wanted - kills, rows, &mut draws);
        runs += 1;
    }
    eprintln!("{kills} kills in {runs} runs over {rows} prompts");
}

/// One run, killed at random times and resumed until it is done; how often it was killed.
fn until_done(most: usize, rows: usize, draws: &mut Draws) -> usize {
    let server = FaultServer::start(|asked| good(asked).late(1 + asked.draw(1) % 20));
    let folder = Folder::new();
    let line = line(&folder, &server, rows);
    // About as long as a whole run takes, so that kills fall on every part of one.
    let longest = rows as u64 * 12 / CONNECTIONS as u64 + 100;
    let (mut kills, mut answers, mut unfinished, mut known) = (0, 0, 0, HashSet::new());
    loop {
        let before = server.count();
        let mut run = Run::start(&folder, &line);
        if kills < most {
            thread::sleep(Duration::from_millis(draws.below(longest)));
        }
        let killed = kills < most && run.is_running();
        let ended = if killed { run.kill() } else { run.end() };
        server.settle();
        let requests = server.ledger().requests[before..].to_vec();
        let keys: HashSet<u64> = requests.iter().map(|asked| asked.key).collect();
        assert_eq!(keys.len(), requests.len(), "a question was asked twice in one session");
        // What the journal held was not asked again.
        assert!(requests.len() <= rows - answers, "{} with {answers}", requests.len());
        let again = keys.intersection(&known).count();
        assert!(again <= known.len() - answers, "{again} asked again, {answers} kept");
        if ended.code == 0 {
            assert_eq!(requests.len(), rows - answers);
            break;
        }
        assert_eq!((killed, ended.code), (true, 128 + 9), "{}", ended.stderr);
        known.extend(keys);
        kills += 1;
        if !folder.names().contains(&"j.db".to_owned()) {
            assert!(requests.is_empty(), "asked without a journal");
            continue;
        }
        if requests.is_empty() && !folder.bash("seval-query verify j.db").status.success() {
            // Killed while the journal was being made.
            continue;
        }
        let now = status(&folder);
        let (new, lost) =
            (number(&now, "answers") - answers, number(&now, "unfinished") - unfinished);
        answers += new;
        unfinished += lost;
        assert!(lost <= CONNECTIONS, "{lost} requests were under way, after {kills} kills: {now}");
        assert!(requests.len() <= new + lost, "{} asked, {new} kept, {lost} lost", requests.len());
        // An answer that is kept was asked for.
        assert!(new <= requests.len(), "{now} {}", requests.len());
    }
    let end = status(&folder);
    assert_eq!((number(&end, "answers"), number(&end, "unfinished")), (rows, unfinished), "{end}");
    assert_eq!(number(&end, "attempts"), rows + unfinished, "{end}");
    let (asked, worst) = {
        let ledger = server.ledger();
        assert_eq!(ledger.keys.len(), rows);
        (ledger.requests.clone(), ledger.keys.values().map(|tally| tally.received).max())
    };
    assert!(worst <= Some(1 + kills), "{worst:?} after {kills}");
    let again = asked.len() - rows;
    assert!(again <= unfinished && unfinished <= kills * CONNECTIONS, "{again} {unfinished}");
    complete(&folder, &server, &asked, rows);
    server.forget();
    kills
}

/// The output is that of a run without kills, and every row is the server's answer to it.
fn complete(folder: &Folder, server: &FaultServer, asked: &[Asked], rows: usize) {
    let texts = asked.iter().map(|asked| (asked.prompt.as_str(), asked.answer()));
    let texts = texts.collect::<std::collections::HashMap<_, _>>();
    let found = table(folder, "r.parquet");
    assert_eq!(found.len(), rows);
    for (at, row) in found.iter().enumerate() {
        assert_eq!(row["prompt"], format!("p{at}"));
        assert_eq!(row["response"], texts[row["prompt"].as_str()]);
        assert_eq!(row["outcome"], "answered");
        assert!(row["cost"].parse::<f64>().unwrap() > 0.0, "{row:?}");
    }
    let other = Folder::new();
    other.ok(&line(&other, server, rows));
    assert!(folder.read("r.parquet") == other.read("r.parquet"), "the output differs");
}
