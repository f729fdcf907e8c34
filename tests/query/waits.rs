//! Rows 9, 11 and 15: servers that ask to wait, that fail for a while, and that are slow.

use super::acts::{Gate, Step, good, refuses, silence};
use super::fault_server::{Asked, FaultServer};
use super::{Run, answers, ask, asked, column};
use crate::run::Folder;
use crate::server::{prompts, rows};
use std::process::Command;
use std::time::{Duration, Instant};

/// Turns the first request of all away with these headers.
fn turns_away(headers: &[(&'static str, &str)]) -> FaultServer {
    let headers: Vec<_> = headers.iter().map(|(name, text)| (*name, text.to_string())).collect();
    FaultServer::start(move |asked| match asked.position {
        0 => {
            let headers: Vec<_> = headers.iter().map(|(n, text)| (*n, text.as_str())).collect();
            refuses(429, &headers)
        }
        _ => good(asked),
    })
}

/// How long nothing came after the first request.
fn gap(server: &FaultServer) -> Duration {
    let ledger = server.ledger();
    ledger.requests[1].at - ledger.requests[0].at
}

#[test]
fn row_09_nothing_is_sent_before_the_time_that_a_server_asks_for() {
    let clock = ("date", "Sun, 06 Nov 1994 08:49:36 GMT");
    let cases: [(&[(&str, &str)], u64); 4] = [
        (&[("retry-after", "1")], 1000),
        (&[("retry-after-ms", "700"), ("retry-after", "9")], 700),
        (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), clock], 1000),
        (&[("retry-after", "0.5")], 500),
    ];
    for (headers, least) in cases {
        let server = turns_away(headers);
        let began = Instant::now();
        let rows = asked(3, &server, "--max-connections 1");
        assert_eq!(column(&rows, "outcome"), ["answered"; 3], "{headers:?}");
        assert!(gap(&server) >= Duration::from_millis(least), "{headers:?} {:?}", gap(&server));
        assert!(began.elapsed() < Duration::from_secs(30), "{headers:?}");
        assert_eq!(server.count(), 4, "{headers:?}");
    }
}

#[test]
fn row_09_a_date_counts_by_this_machines_clock_where_the_server_gives_none() {
    let server = FaultServer::start(|asked| match asked.position {
        0 => {
            let date = ["-u", "-d", "+3 sec", "+%a, %d %b %Y %H:%M:%S GMT"];
            let soon = Command::new("date").env("LC_ALL", "C").args(date).output().unwrap();
            refuses(429, &[("retry-after", String::from_utf8(soon.stdout).unwrap().trim())])
        }
        _ => good(asked),
    });
    let rows = asked(2, &server, "--max-connections 1");
    assert_eq!(column(&rows, "outcome"), ["answered"; 2]);
    // A date has no fractions of a second, and one may be over by now.
    assert!(gap(&server) >= Duration::from_secs(1), "{:?}", gap(&server));
}

#[test]
fn row_09_a_wish_without_sense_is_none() {
    let cases: [&[(&str, &str)]; 6] = [
        &[],
        &[("retry-after", "soon")],
        &[("retry-after", "-5")],
        &[("retry-after", "NaN")],
        &[("retry-after-ms", "-1")],
        &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")],
    ];
    for headers in cases {
        let server = turns_away(headers);
        let rows = asked(3, &server, "--max-connections 1");
        assert_eq!((column(&rows, "outcome"), server.count()), (vec!["answered"; 3], 4));
        assert!(gap(&server) < Duration::from_secs(20), "{headers:?} {:?}", gap(&server));
    }
}

#[test]
fn row_09_one_refusal_holds_the_others_back_too() {
    let gate = Gate::default();
    let held = gate.clone();
    // The first eight come together; the refusal is out before the others' answers are.
    let server = FaultServer::start(move |asked| match asked.position {
        0 => refuses(429, &[("retry-after", "2")]).after(Step::Until(held.clone())),
        1..8 => good(asked).late(300).after(Step::Until(held.clone())),
        _ => good(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 30);
    let run = Run::start(&folder, &ask(&server, "-q --max-connections 8 -o r.parquet"));
    assert!(server.wait(|ledger| ledger.requests.len() == 8));
    let refused = Instant::now();
    gate.open();
    assert_eq!(run.end().code, 0);
    let ledger = server.ledger();
    let next = ledger.requests[8].at - refused;
    assert!(next >= Duration::from_secs(2), "the next came after {next:?}");
    assert_eq!(ledger.requests.len(), 31);
}

#[test]
fn row_09_the_latest_wish_counts() {
    let server = FaultServer::start(|asked| match asked.position {
        0 => refuses(429, &[("retry-after-ms", "50")]),
        1 => refuses(429, &[("retry-after", "2")]),
        _ => good(asked),
    });
    assert_eq!(column(&asked(2, &server, "--max-connections 1"), "outcome"), ["answered"; 2]);
    let ledger = server.ledger();
    assert!(ledger.requests[2].at - ledger.requests[1].at >= Duration::from_secs(2));
}

#[test]
fn row_09_a_day_is_not_waited_for() {
    for flags in ["--max-connections 1", "--max-connections 1 --max-retry-after 1"] {
        let wish = if flags.contains("after") { "30" } else { "86400" };
        let server = FaultServer::start(move |_| refuses(429, &[("retry-after", wish)]));
        let folder = Folder::new();
        prompts(&folder, 3);
        let run = Run::start(&folder, &ask(&server, &format!("{flags} --format jsonl"))).end();
        assert!(run.took < Duration::from_secs(20), "{flags}: {run:?}");
        // It ends as what it is, and says how long the server wants to be left alone.
        let rows = rows(&run.stdout);
        let failed = rows.len() == 3 && column(&rows, "outcome") == ["failed"; 3];
        assert!(run.code != 0 || failed, "{run:?}");
        assert!(format!("{}{}", run.stdout, run.stderr).contains(wish), "{run:?}");
    }
}

#[test]
fn row_11_what_may_pass_is_tried_again() {
    for status in [500, 502, 503, 504, 529, 429, 408] {
        let server = FaultServer::start(move |asked| match asked.nth {
            0 => refuses(status, &[]),
            _ => good(asked),
        });
        let rows = asked(12, &server, "");
        assert_eq!(column(&rows, "outcome"), ["answered"; 12], "{status}");
        let ledger = server.ledger();
        assert!(ledger.keys.values().all(|tally| (tally.received, tally.billed) == (2, 1)));
    }
}

#[test]
fn row_11_and_no_oftener_than_was_said() {
    let server = FaultServer::start(|asked| match asked.prompt.as_str() {
        "p3" => refuses(503, &[]),
        _ => good(asked),
    });
    let rows = asked(20, &server, "--max-retries 3");
    let outcomes = column(&rows, "outcome");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "answered").count(), 19);
    assert_eq!((outcomes[3], server.count()), ("failed", 23));
    assert_eq!(server.ledger().asked("p3"), 4);
    assert!(rows[3]["error"].as_str().unwrap().contains("503"), "{}", rows[3]);
}

#[test]
fn row_11_a_wait_of_nothing_is_no_leave_to_ask_again_and_again() {
    let server = FaultServer::start(|_| refuses(503, &[("retry-after", "0")]));
    let rows = asked(30, &server, "");
    assert_eq!(column(&rows, "outcome"), ["failed"; 30]);
    assert!(server.count() <= 30 + 6 + 10, "{} requests", server.count());
}

#[test]
fn row_11_bursts_cost_no_more_than_what_failed() {
    // One request in ten fails, once.
    let fails = |asked: &Asked| asked.nth == 0 && asked.draw(11).is_multiple_of(10);
    let server = FaultServer::start(move |asked| match fails(asked) {
        true => refuses(503, &[]),
        false => good(asked).late(1),
    });
    let rows = asked(300, &server, "");
    assert!(column(&rows, "outcome").iter().all(|outcome| *outcome == "answered"));
    let ledger = server.ledger();
    let failed = ledger.requests.iter().filter(|asked| fails(asked)).count();
    assert!(failed > 5 && failed < 60, "{failed}");
    assert_eq!(ledger.requests.len(), 300 + failed);
}

/// One of 40 prompts is answered so slowly that it never is; the others go on.
fn one_is_slow(slow: impl Fn(&Asked) -> super::acts::Act + Send + Sync + 'static, flags: &str) {
    let server = FaultServer::start(move |asked| match asked.prompt.as_str() {
        "p5" => slow(asked),
        _ => good(asked).late(5),
    });
    let folder = Folder::new();
    prompts(&folder, 40);
    let line = ask(&server, &format!("--max-connections 4 {flags} --format jsonl"));
    let run = Run::start(&folder, &line).end();
    let rows = rows(&run.stdout);
    assert_eq!(run.code, 0, "{run:?}");
    let outcomes = column(&rows, "outcome");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "answered").count(), 39);
    assert_eq!(outcomes[5], "timed_out", "{}", rows[5]);
    assert!(run.took >= Duration::from_secs(1) && run.took < Duration::from_secs(60), "{run:?}");
    // All the others were asked while this one was: before its time was up.
    let ledger = server.ledger();
    let began = ledger.requests.iter().find(|asked| asked.prompt == "p5").unwrap().at;
    let last = ledger.requests.iter().filter(|asked| asked.prompt != "p5").map(|asked| asked.at);
    let limit = Duration::from_secs(flags.split(' ').next_back().unwrap().parse().unwrap());
    assert!(last.max().unwrap() < began + limit, "the others waited");
    assert_eq!(ledger.keys.values().filter(|tally| tally.received > 1).count(), 0);
}

#[test]
fn row_15_one_that_takes_long_holds_up_none_of_thousands() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = FaultServer::start(move |asked| match asked.prompt.as_str() {
        "p5" => good(asked).after(Step::Until(held.clone())),
        _ => good(asked),
    });
    let folder = Folder::new();
    prompts(&folder, 3000);
    let run = Run::start(&folder, &ask(&server, "-q --max-connections 8 -o r.parquet"));
    let all = server.wait_for(Duration::from_secs(60), |ledger| ledger.requests.len() == 3000);
    gate.open();
    assert!(all, "{} asked while one was waited for", server.count());
    assert_eq!(run.end().code, 0);
}

#[test]
fn row_15_a_head_that_trickles_does_not_hold_the_others_up() {
    one_is_slow(|asked| good(asked).drip(0, Duration::from_secs(1)), "--attempt-timeout 3");
}

#[test]
fn row_15_a_body_that_pauses_does_not_hold_the_others_up() {
    let slow = |asked: &Asked| good(asked).drip_body(Duration::from_secs(10));
    one_is_slow(slow, "--attempt-timeout 60 --idle-timeout 3");
}

#[test]
fn row_15_a_body_that_trickles_does_not_hold_the_others_up() {
    let slow = |asked: &Asked| good(asked).drip_body(Duration::from_millis(100));
    one_is_slow(slow, "--idle-timeout 60 --attempt-timeout 3");
}

#[test]
fn row_15_a_server_that_says_nothing_does_not_hold_the_others_up() {
    one_is_slow(|_| silence(), "--attempt-timeout 3");
}

#[test]
fn row_15_a_stream_that_pauses_does_not_hold_the_others_up() {
    let server = FaultServer::start(|asked| {
        let stream = super::acts::stream(asked, &asked.answer(), "data: [DONE]\n\n");
        match asked.prompt.as_str() {
            "p1" => stream.stall_body(300),
            _ => stream,
        }
    });
    let folder = Folder::new();
    prompts(&folder, 8);
    let rows = answers(&folder, &server, "--stream --idle-timeout 2 --max-connections 2");
    let outcomes = column(&rows, "outcome");
    assert_eq!(
        (outcomes[1], outcomes.iter().filter(|o| **o == "answered").count()),
        ("timed_out", 7)
    );
}
