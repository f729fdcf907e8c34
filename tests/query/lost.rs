//! Row 14: connections that are refused or lost.

use super::acts::{Act, End, ends, good};
use super::fault_server::{Asked, FaultServer};
use super::{Run, answers, ask, column, number, status};
use crate::run::Folder;
use crate::server::prompts;
use std::net::TcpListener;
use std::time::Duration;

type Fate = fn(&Asked) -> Act;

/// Ways of losing a connection over which a request was sent.
const FATES: [(&str, Fate); 6] = [
    ("RST before the head", |_| ends(End::Reset)),
    ("FIN before the head", |_| ends(End::Close)),
    ("RST in the head", |asked| good(asked).cut(30, End::Reset)),
    ("FIN in the head", |asked| good(asked).cut(30, End::Close)),
    ("RST in the body", |asked| good(asked).cut_body(40, End::Reset)),
    ("FIN in the body", |asked| good(asked).cut_body(40, End::Close)),
];

#[test]
fn row_14_what_was_sent_and_lost_is_sent_again_once() {
    for (what, fate) in FATES {
        let server = FaultServer::start(move |asked| match (asked.prompt.as_str(), asked.nth) {
            ("p2", 0) => fate(asked),
            ("p5", _) => fate(asked),
            _ => good(asked),
        });
        let folder = Folder::new();
        prompts(&folder, 8);
        let rows = answers(&folder, &server, "--max-connections 2");
        let outcomes = column(&rows, "outcome");
        assert_eq!((outcomes[2], outcomes[5]), ("answered", "failed"), "{what}");
        assert_eq!(outcomes.iter().filter(|o| **o == "answered").count(), 7, "{what}");
        {
            let ledger = server.ledger();
            assert_eq!((ledger.asked("p2"), ledger.asked("p5")), (2, 2), "{what}");
            assert_eq!(ledger.requests.len(), 10, "{what}");
        }
        // Three of them may have cost something that nobody told us.
        assert_eq!(number(&status(&folder), "possibly_billed"), 3, "{what}: {}", status(&folder));
    }
}

#[test]
fn row_14_whoever_wants_none_sent_again_gets_none() {
    for (what, fate) in FATES {
        let server = FaultServer::start(move |asked| match asked.prompt.as_str() {
            "p2" => fate(asked),
            _ => good(asked),
        });
        let folder = Folder::new();
        prompts(&folder, 4);
        let rows = answers(&folder, &server, "--max-connections 2 --max-resends 0");
        assert_eq!(
            column(&rows, "outcome"),
            ["answered", "answered", "failed", "answered"],
            "{what}"
        );
        assert_eq!(server.count(), 4, "{what}");
    }
}

#[test]
fn row_14_a_kept_connection_that_was_closed_meanwhile_costs_no_answer() {
    // The server ends the connection after each answer, without saying so before.
    let server = FaultServer::start(|asked| Act { end: End::Close, ..good(asked) });
    let folder = Folder::new();
    prompts(&folder, 60);
    let rows = answers(&folder, &server, "--max-connections 4");
    assert!(column(&rows, "outcome").iter().all(|outcome| *outcome == "answered"));
    assert!(server.ledger().keys.values().all(|tally| tally.sent == 1));
}

#[test]
fn row_14_where_nothing_listens_the_run_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    drop(listener);
    let folder = Folder::new();
    prompts(&folder, 100);
    // As many retries as there are by default take long where requests wait for each other.
    for retries in ["--max-retries 1", ""] {
        let line = format!(
            "seval-query -m m --base-url http://{host}/v1 {retries} --journal j.db p.jsonl \
             -o r.parquet"
        );
        let run = Run::start(&folder, &line).end();
        assert_eq!(run.code, 1, "{run:?}");
        let listens = format!("nothing listens at http://{host}");
        assert!(run.stderr.contains(&listens) && run.stderr.contains("refused"), "{run:?}");
        assert!(run.took < Duration::from_secs(60), "{run:?}");
        assert!(!folder.names().contains(&"r.parquet".to_owned()));
    }
}

#[test]
fn row_14_a_server_that_goes_away_and_comes_back_costs_no_row() {
    // A listener of our own in front of nothing: it takes connections and ends them at once.
    let server = FaultServer::start(|asked| match asked.position {
        10..14 => ends(End::Reset),
        _ => good(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 40);
    let rows = answers(&folder, &server, "--max-connections 4");
    assert!(column(&rows, "outcome").iter().all(|outcome| *outcome == "answered"));
}

#[test]
fn row_14_tls_that_fails_is_said_and_sends_nothing() {
    let server = FaultServer::start(good);
    let folder = Folder::new();
    prompts(&folder, 20);
    let line = ask(&server, "--max-retries 1 -o r.parquet").replace("http://", "https://");
    let run = Run::start(&folder, &line).end();
    assert_eq!((run.code, server.count()), (1, 0), "{run:?}");
    assert!(run.took < Duration::from_secs(60), "{run:?}");
    assert!(!folder.names().contains(&"r.parquet".to_owned()));
}
