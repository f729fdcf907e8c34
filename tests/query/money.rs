//! Row 34: what the journal says a run cost is what the server billed, over all its sessions.

use super::acts::{Act, End, body, chat, good, raw, refuses, stream};
use super::fault_server::{Asked, FaultServer};
use super::{Run, ask, number, status};
use crate::run::Folder;
use crate::server::prompts;
use serde_json::{Value, json};

const ROWS: usize = 120;

/// Dollars for a million tokens.
const PRICES: (f64, f64) = (3.0, 15.0);

/// The models file, and the line that asks its one model.
fn priced(folder: &Folder, server: &FaultServer, flags: &str) -> String {
    prompts(folder, ROWS);
    let models = format!(
        "[model.priced]\nbase_url = \"{}\"\nmodel = \"m\"\n\n[model.priced.price]\n\
         date = 2026-01-01\ninput = {:?}\noutput = {:?}\n",
        server.url(),
        PRICES.0,
        PRICES.1
    );
    folder.write("models.toml", models);
    format!(
        "seval-query --models models.toml -m priced --journal j.db --max-connections 4 \
         {flags} p.jsonl -o r.parquet"
    )
}

/// The journal says what the server's books say.
fn balanced(folder: &Folder, server: &FaultServer) {
    let now = status(folder);
    let ledger = server.ledger();
    let tokens = (number(&now, "input_tokens") as u64, number(&now, "output_tokens") as u64);
    assert_eq!(tokens, (ledger.input_tokens, ledger.output_tokens), "{now}");
    let cost = (tokens.0 as f64 * PRICES.0 + tokens.1 as f64 * PRICES.1) / 1e6;
    assert!((now["cost"].as_f64().unwrap() - cost).abs() < 1e-9, "{now}, not {cost}");
}

/// Requests that fail for a while, for nothing.
fn some_fail(asked: &Asked) -> Act {
    match (asked.draw(34) % 10, asked.nth) {
        (0, 0) => refuses(429, &[("retry-after-ms", "1")]),
        (1, 0) => refuses(503, &[]),
        (2, 0) => {
            let error = json!({"message": "flagged", "code": "content_filter"});
            body(400, &[], json!({"error": error}).to_string())
        }
        _ => good(asked).late(1),
    }
}

#[test]
fn row_34_the_sum_over_resumed_runs_is_the_bill() {
    let server = FaultServer::start(some_fail);
    let folder = Folder::new();
    let line = priced(&folder, &server, "-q");
    let part = line.replace(" -q ", " -q --max-requests 25 ");
    let mut sessions = 0;
    loop {
        let before = server.count();
        let run = Run::start(&folder, &part).end();
        sessions += 1;
        assert!([0, 4].contains(&run.code), "{run:?}");
        assert!(server.count() - before <= 25, "{} requests", server.count() - before);
        balanced(&folder, &server);
        match run.code {
            0 => break,
            4 => assert!(!folder.names().contains(&"r.parquet".to_owned())),
            _ => panic!("{run:?}"),
        }
        assert!(sessions < 20, "it does not end");
    }
    assert!(sessions > 2, "{sessions}");
    let asked = server.count();
    folder.ok(&line);
    balanced(&folder, &server);
    assert_eq!(server.count(), asked);
    let ledger = server.ledger();
    assert!(ledger.keys.values().all(|tally| tally.billed <= 1));
}

#[test]
fn row_34_a_bound_below_the_connections_is_used_up_by_each_run() {
    let server = FaultServer::start(|asked| good(asked).late(5));
    let folder = Folder::new();
    let line =
        priced(&folder, &server, "-q --max-requests 50").replace("connections 4", "connections 64");
    for (asked, code) in [(50, 4), (100, 4), (ROWS, 0)] {
        let run = Run::start(&folder, &line).end();
        assert_eq!((run.code, server.count()), (code, asked), "{run:?}");
        balanced(&folder, &server);
        let now = status(&folder);
        assert_eq!((number(&now, "attempts"), number(&now, "answers")), (asked, asked), "{now}");
    }
}

#[test]
fn row_34_an_interrupted_run_is_billed_once() {
    let server = FaultServer::start(|asked| good(asked).late(5));
    let folder = Folder::new();
    let line = priced(&folder, &server, "-q");
    for stop in [20, 50, 90] {
        let run = Run::start(&folder, &line);
        assert!(server.wait(|ledger| ledger.requests.len() >= stop));
        run.signal("INT");
        assert_eq!(run.end().code, 130);
        balanced(&folder, &server);
    }
    folder.ok(&line);
    balanced(&folder, &server);
    assert_eq!((server.count(), server.ledger().billed()), (ROWS, ROWS));
}

#[test]
fn row_34_what_was_billed_and_lost_is_counted() {
    // One in ten is billed, and lost on its way.
    let lost = |asked: &Asked| asked.nth == 0 && asked.draw(5).is_multiple_of(10);
    let server = FaultServer::start(move |asked| match lost(asked) {
        true => good(asked).cut_body(30, End::Close),
        false => good(asked),
    });
    let folder = Folder::new();
    folder.ok(&priced(&folder, &server, "-q"));
    let now = status(&folder);
    let ledger = server.ledger();
    let gone: Vec<_> = ledger.requests.iter().filter(|asked| lost(asked)).collect();
    assert!(gone.len() > 3, "{}", gone.len());
    assert_eq!(number(&now, "possibly_billed"), gone.len(), "{now}");
    let tokens = gone.iter().map(|asked| asked.tokens());
    let (input, output) = tokens.fold((0, 0), |sum, (i, o)| (sum.0 + i, sum.1 + o));
    assert_eq!(number(&now, "input_tokens") as u64 + input, ledger.input_tokens, "{now}");
    assert_eq!(number(&now, "output_tokens") as u64 + output, ledger.output_tokens, "{now}");
    assert_eq!(number(&now, "attempts"), ledger.requests.len(), "{now}");
}

#[test]
fn row_34_a_killed_run_knows_what_it_may_owe() {
    let server = FaultServer::start(|asked| good(asked).late(5));
    let folder = Folder::new();
    let line = priced(&folder, &server, "-q");
    for stop in [20, 50, 90] {
        let run = Run::start(&folder, &line);
        assert!(server.wait(|ledger| ledger.requests.len() >= stop));
        assert_eq!(run.kill().code, 128 + 9);
        server.settle();
    }
    folder.ok(&line);
    let now = status(&folder);
    let billed = server.ledger().billed();
    assert_eq!(number(&now, "answers"), ROWS, "{now}");
    assert!(billed - ROWS <= number(&now, "unfinished"), "{billed} billed: {now}");
    assert!(number(&now, "possibly_billed") >= number(&now, "unfinished"), "{now}");
}

#[test]
fn row_34_a_streams_bill_is_the_same() {
    let server = FaultServer::start(|asked| stream(asked, &asked.answer(), "data: [DONE]\n\n"));
    let folder = Folder::new();
    folder.ok(&priced(&folder, &server, "-q --stream"));
    balanced(&folder, &server);
}

#[test]
fn row_34_no_run_costs_more_than_it_may() {
    let server = FaultServer::start(|asked| good(asked).late(1));
    let folder = Folder::new();
    let limit = 0.02;
    let run = Run::start(
        &folder,
        &priced(&folder, &server, &format!("--max-tokens 100 --max-cost {limit}")),
    )
    .end();
    assert_eq!(run.code, 4, "{run:?}");
    assert!(!folder.names().contains(&"r.parquet".to_owned()));
    let spent = {
        let ledger = server.ledger();
        (ledger.input_tokens as f64 * PRICES.0 + ledger.output_tokens as f64 * PRICES.1) / 1e6
    };
    // What four requests under way cost at the most may come on top.
    let most = 4.0 * (45.0 * PRICES.0 + 93.0 * PRICES.1) / 1e6;
    assert!(spent > limit / 2.0 && spent <= limit + most, "{spent} of {limit}: {run:?}");
    balanced(&folder, &server);
}

#[test]
fn row_34_a_bound_is_used_up_by_what_requests_cost_not_by_what_they_might() {
    let server = FaultServer::start(|asked| good(asked).late(1));
    let folder = Folder::new();
    // An answer is taken for 512 tokens, and has 93 at the most.
    let (limit, guess) = (0.03, (5.0 * PRICES.0 + 512.0 * PRICES.1) / 1e6);
    let line = priced(&folder, &server, &format!("-q --max-cost {limit}"));
    let run = Run::start(&folder, &line.replace("connections 4", "connections 64")).end();
    assert_eq!(run.code, 4, "{run:?}");
    let spent = status(&folder)["cost"].as_f64().unwrap();
    assert!(spent > limit - 1.1 * guess && spent <= limit, "{spent} of {limit}: {run:?}");
    assert!(run.stderr.contains("were spent"), "{run:?}");
    balanced(&folder, &server);
}

#[test]
fn row_34_what_nobody_counts_costs_what_was_guessed() {
    let uncounted = |asked: &Asked| {
        let mut answer = chat(asked, "a");
        answer["usage"] = Value::Null;
        raw(answer.to_string())
    };
    let server = FaultServer::start(move |asked| match asked.draw(3).is_multiple_of(4) {
        // Lost on its way, and perhaps charged for.
        true => good(asked).cut_body(30, End::Close),
        false => uncounted(asked),
    });
    let folder = Folder::new();
    let line = priced(&folder, &server, "-q --max-tokens 100 --max-cost 0.02");
    let run = Run::start(&folder, &line).end();
    assert_eq!(run.code, 4, "{run:?}");
    // 100 tokens of an answer, and a few of its prompt.
    let most = 0.02 / (100.0 * PRICES.1 / 1e6);
    assert!((8..=most as usize).contains(&server.count()), "{} requests", server.count());
}

#[test]
fn row_34_a_dry_run_connects_to_nobody() {
    let server = FaultServer::start(good);
    let folder = Folder::new();
    let line = priced(&folder, &server, "");
    let run = Run::start(&folder, &format!("{line} --dry-run")).end();
    assert_eq!((run.code, server.ledger().connections), (0, 0), "{run:?}");
    assert!(!folder.names().contains(&"r.parquet".to_owned()), "{:?}", folder.names());
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("120"), "{said}");
    // It is no different with answers in the journal, and says so.
    folder.ok(&ask(&server, "-q -o other.parquet --limit 50"));
    folder.ok(&line);
    let asked = server.count();
    let run = Run::start(&folder, &format!("{line} --dry-run")).end();
    assert_eq!((run.code, server.count()), (0, asked), "{run:?}");
}
