//! Faults of one request: what is tried again, what is not, and what the row says.

use std::time::{Duration, Instant};

use seval_net::{Connection, Decoding, Known, Limits, Model, Outcome, Request, ask};

use crate::server::{Act, Server, error, error_with, question, reply, says};
use crate::{answer, answer_after, connection, limits, outcome, request};

#[test]
fn sends_what_is_set_and_nothing_else() {
    let server = Server::start(|_, _| says("yes"));
    let connection = Connection { api_key: Some("sk-canary".into()), ..connection(&server) };
    let set = Decoding { temperature: Some(0.0), max_tokens: Some(9), ..Decoding::default() };
    let all = Decoding { top_p: Some(0.5), top_k: Some(40), seed: Some(7), ..set.clone() };
    let requests =
        [Decoding::default(), set, all].map(|decoding| Ok(Request { decoding, ..request(0) }));
    let models = Model::open("org/m:free", &connection).unwrap();
    assert_eq!(models[0].name, "org/m:free");
    let answers = ask(models, limits(1), Known::default(), requests.into_iter());
    assert_eq!(answers.map(|answer| answer.unwrap().attempts).sum::<i64>(), 3);
    let bodies: Vec<String> = server.seen().iter().map(|seen| seen.body.to_string()).collect();
    let common = r#""model":"org/m:free","messages":[{"role":"user","content":"q0"}]"#;
    assert_eq!(bodies[0], format!("{{{common}}}"));
    assert_eq!(bodies[1], format!(r#"{{{common},"temperature":0.0,"max_tokens":9}}"#));
    let settings = r#""temperature":0.0,"top_p":0.5,"top_k":40,"max_tokens":9,"seed":7"#;
    assert_eq!(bodies[2], format!("{{{common},{settings}}}"));
    let head = server.seen()[0].head.to_lowercase();
    assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
    assert!(head.contains("authorization: bearer sk-canary"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
}

#[test]
fn tries_again_what_may_pass() {
    for status in [408, 409, 425, 429, 500, 502, 503, 504, 529] {
        let server =
            Server::start(move |n, _| if n < 2 { error(status, "later") } else { says("yes") });
        let answer = answer(&connection(&server));
        assert_eq!((answer.outcome, answer.attempts), (Outcome::Answered, 3), "{status}");
        assert_eq!((answer.response.as_deref(), answer.error), (Some("yes"), None));
        assert_eq!(server.count(), 3);
    }
}

#[test]
fn gives_up_after_the_last_attempt() {
    let server = Server::start(|_, _| error(503, "overloaded"));
    let answer = answer_after(&connection(&server), 2);
    assert_eq!((answer.outcome, answer.attempts, server.count()), (Outcome::Failed, 3, 3));
    let error = answer.error.unwrap();
    assert_eq!(error, "given up after 3 attempts: HTTP 503 Service Unavailable: overloaded");
    assert_eq!(answer.response, None);
}

#[test]
fn does_not_try_again_what_will_not_pass() {
    for status in [400, 404, 405, 413, 422, 451, 501] {
        let server = Server::start(move |_, _| error(status, "no such thing"));
        let answer = answer(&connection(&server));
        assert_eq!(
            (answer.outcome, answer.attempts, server.count()),
            (Outcome::Failed, 1, 1),
            "{status}"
        );
        let error = answer.error.unwrap();
        assert!(
            error.contains(&status.to_string()) && error.ends_with(": no such thing"),
            "{error}"
        );
    }
}

#[test]
fn waits_as_long_as_the_server_asks_by_its_latest_word() {
    let server = Server::start(|n, _| match n {
        0 => error_with(429, "retry-after", "0"),
        1 => error_with(429, "retry-after-ms", "300"),
        2 => error_with(503, "retry-after", "-7"),
        3 => error_with(503, "retry-after", "soon"),
        _ => says("yes"),
    });
    let answer = answer(&connection(&server));
    assert_eq!((answer.outcome, answer.attempts), (Outcome::Answered, 5));
    let seen = server.seen();
    let gaps: Vec<Duration> = seen.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps[1] >= Duration::from_millis(300), "{gaps:?}");
    for quick in [gaps[0], gaps[2], gaps[3]] {
        assert!(quick < Duration::from_secs(2), "{gaps:?}");
    }
}

#[test]
fn the_wait_that_one_request_is_asked_for_holds_all_back() {
    let server = Server::start(|_, seen| match question(seen).as_str() {
        "q0" => error_with(429, "retry-after-ms", "400"),
        _ => says("yes"),
    });
    // The first request never gets through; the second must not be sent into its wait.
    let models = Model::open("m", &connection(&server)).unwrap();
    let requests = (0..2).map(|n| {
        std::thread::sleep(Duration::from_millis(100 * n as u64));
        Ok(request(n))
    });
    let answers = ask(models, Limits { max_retries: 0, ..limits(8) }, Known::default(), requests);
    let outcomes: Vec<_> = answers.map(|answer| answer.unwrap().outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Answered]);
    let seen = server.seen();
    let first = seen[0].at;
    assert!(seen[1..].iter().all(|later| later.at - first >= Duration::from_millis(400)));
}

#[test]
fn does_not_wait_for_a_day() {
    let server = Server::start(|_, _| error_with(429, "retry-after", "86400"));
    let answer = answer(&connection(&server));
    assert_eq!((answer.outcome, answer.attempts, server.count()), (Outcome::Failed, 1, 1));
    let error = answer.error.unwrap();
    assert!(error.starts_with("the server asks to wait 86400 s, over 300 s"), "{error}");
}

#[test]
fn connections_that_break_are_tried_again() {
    let server = Server::start(|n, _| match n {
        0 => Act::Reset,
        1 => Act::CutShort,
        _ => says("yes"),
    });
    let twice = Limits { max_resends: 2, ..limits(1) };
    let whole = outcome(&connection(&server), twice, 1).remove(0).unwrap();
    assert_eq!((whole.outcome, whole.attempts), (Outcome::Answered, 3));

    let server = Server::start(|_, _| Act::CutShort);
    let cut = answer(&connection(&server));
    assert_eq!((cut.outcome, cut.attempts, cut.response), (Outcome::Failed, 2, None));
    let error = cut.error.unwrap();
    assert!(error.starts_with("given up after 2 attempts: the connection was lost: "), "{error}");
}

#[test]
fn slow_servers_time_out() {
    // The server's thread is not waited for.
    let slow = || Act::After(Duration::from_secs(30), Box::new(says("late")));
    let server = Server::start(move |_, _| slow());
    let began = Instant::now();
    let late =
        answer(&Connection { attempt_timeout: Duration::from_millis(150), ..connection(&server) });
    assert_eq!((late.outcome, late.attempts), (Outcome::TimedOut, 1));
    assert_eq!(late.error.as_deref(), Some("no answer within 0.15 s"));
    assert!((150..9000).contains(&late.latency_ms), "{}", late.latency_ms);

    let server = Server::start(|_, _| Act::Pause(Duration::from_secs(30)));
    let paused =
        answer(&Connection { idle_timeout: Duration::from_millis(150), ..connection(&server) });
    assert_eq!((paused.outcome, paused.attempts), (Outcome::TimedOut, 1));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn giant_answers_are_cut() {
    let server = Server::start(|_, _| Act::Endless);
    let endless = answer(&Connection { max_response_bytes: 100_000, ..connection(&server) });
    assert_eq!((endless.outcome, endless.response, endless.attempts), (Outcome::TooLarge, None, 1));

    let body = |server: &Server, most| {
        answer(&Connection { max_response_bytes: most, ..connection(server) }).outcome
    };
    let server = Server::start(|_, _| says(&"a".repeat(1000)));
    let Act::Reply(_, _, exact) = says(&"a".repeat(1000)) else { unreachable!() };
    assert_eq!(body(&server, exact.len()), Outcome::Answered);
    assert_eq!(body(&server, exact.len() - 1), Outcome::TooLarge);
}

#[test]
fn filters_are_an_outcome_of_their_own() {
    let refused =
        |status, body: &'static str| Act::Reply(status, Vec::new(), body.as_bytes().to_vec());
    let server = Server::start(move |n, _| match n {
        0 => refused(400, r#"{"error":{"code":"content_filter","message":"filtered"}}"#),
        1 => refused(
            400,
            r#"{"error":{"code":null,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        ),
        2 => refused(400, r#"{"error":{"type":"data_inspection_failed","message":"no"}}"#),
        3 => refused(
            403,
            r#"{"error":{"code":403,"message":"flagged","metadata":{"flagged_input":"x"}}}"#,
        ),
        4 => refused(200, r#"{"choices":[{"message":null,"finish_reason":"content_filter"}]}"#),
        5 => refused(
            200,
            r#"{"choices":[{"message":{"content":"Well, "},"finish_reason":"content_filter"}]}"#,
        ),
        _ => refused(400, r#"{"error":{"code":"bad","message":"content_filter is no parameter"}}"#),
    });
    let answers = outcome(&connection(&server), limits(1), 7);
    for (n, answer) in answers.into_iter().enumerate() {
        let answer = answer.unwrap();
        let expected = if n < 6 { Outcome::Filtered } else { Outcome::Failed };
        assert_eq!((answer.outcome, answer.attempts), (expected, 1), "{n}");
        assert_eq!(answer.response.is_some(), n == 5, "{n}");
    }
    assert_eq!(server.count(), 7);
}

#[test]
fn redirects_are_not_followed() {
    let other = Server::start(|_, _| says("stolen"));
    let url = other.url.clone();
    let server =
        Server::start(move |_, _| Act::Reply(302, vec![("location", url.clone())], Vec::new()));
    let answer = answer(&connection(&server));
    assert_eq!((answer.outcome, answer.attempts, other.count()), (Outcome::Failed, 1, 0));
    assert_eq!(answer.error.as_deref(), Some("HTTP 302 Found; redirects are not followed"));
}

#[test]
fn an_error_with_a_good_status_is_an_error() {
    let server = Server::start(|n, _| match n {
        0 => reply(serde_json::json!({"error": {"code": 502, "message": "upstream"}})),
        1 => reply(serde_json::json!({"error": "broken"})),
        _ => says("yes"),
    });
    let answers = outcome(&connection(&server), limits(1), 1);
    let answer = answers[0].as_ref().unwrap();
    assert_eq!((answer.outcome, answer.attempts), (Outcome::Failed, 2));
    assert_eq!(answer.error.as_deref(), Some("HTTP 200 OK: broken"));
}
