//! Every fault that may pass, drawn by seed, over one set of prompts: the output is that of a day
//! without faults.

use super::acts::{Act, End, chat, ends, good, raw, refuses, silence, stream};
use super::fault_server::{Asked, FaultServer};
use super::{ask, column};
use crate::run::Folder;
use crate::server::{prompts, rows};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ROWS: usize = 300;

/// A fault for every second request, as long as its question is new.
fn fault(asked: &Asked, seed: u64) -> Option<Act> {
    if asked.nth > 0 {
        return None;
    }
    let good = || good(asked);
    Some(match asked.draw(seed) % 28 {
        0 => refuses(429, &[("retry-after-ms", "20")]),
        1 => refuses(429, &[]),
        2 => refuses(500, &[]),
        3 => refuses(502, &[("content-type", "text/html")]),
        4 => refuses(503, &[("retry-after", "0")]),
        5 => refuses(529, &[]),
        6 => refuses(400, &[]),
        7 => refuses(422, &[]),
        8 => ends(End::Reset),
        9 => ends(End::Close),
        10 => good().cut_body(50, End::Close),
        11 => good().cut_body(50, End::Reset),
        12 => raw(&chat(asked, "cut").to_string().as_bytes()[..70]),
        13 => raw("[".repeat(100_000)),
        14 => stream(asked, "so far", ""),
        // Few: each of them costs the time that an attempt may take.
        15 if asked.draw(seed + 1).is_multiple_of(4) => silence(),
        _ => return None,
    })
}

#[test]
fn mixed_faults_do_not_show_in_the_output() {
    for seed in [1, 2, 3] {
        let calm = Arc::new(AtomicBool::new(false));
        let script = calm.clone();
        let server = FaultServer::start(move |asked| {
            let fault = fault(asked, seed).filter(|_| !script.load(Ordering::SeqCst));
            fault.unwrap_or_else(|| good(asked).late(asked.draw(seed) % 5))
        });
        let folder = Folder::new();
        prompts(&folder, ROWS);
        let flags = "-q --max-connections 16 --attempt-timeout 3";
        let line = ask(&server, flags);
        let mut runs = 0;
        // What failed is asked again by the next run, until nothing is left to ask.
        loop {
            let before = server.count();
            folder.ok(&format!("{line} -o r.parquet"));
            runs += 1;
            if server.count() == before {
                break;
            }
            assert!(runs < 9, "it does not end");
        }
        let found = rows(&folder.ok(&format!("{line} --format jsonl")));
        assert!(column(&found, "outcome").iter().all(|outcome| *outcome == "answered"));
        {
            let ledger = server.ledger();
            assert_eq!(ledger.keys.len(), ROWS);
            assert!(ledger.keys.values().all(|tally| tally.received <= 2), "more than one fault");
        }
        calm.store(true, Ordering::SeqCst);
        let other = Folder::new();
        prompts(&other, ROWS);
        other.ok(&format!("{line} -o r.parquet"));
        assert!(folder.read("r.parquet") == other.read("r.parquet"), "the output differs");
    }
}
