//! What ends a run, what is refused before it starts, and that no error holds the key.

use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::Duration;

use seval_core::{Error, Kind};
use seval_net::models_file::ModelsFile;
use seval_net::{Connection, Known, Limits, Model, Outcome, ask};

use crate::server::{Act, Server, error, nowhere, question, says};
use crate::{answer, connection, limits, outcome, request};

const KEY: &str = "sk-CANARY/1+\"7";

/// The error that a run of so many requests ends with.
fn last_error(connection: &Connection, limits: Limits, count: usize) -> Error {
    outcome(connection, limits, count).pop().unwrap().unwrap_err()
}

#[test]
fn a_bad_key_ends_the_run() {
    let server = Server::start(|_, seen| match question(seen).as_str() {
        "q0" | "q1" => says("yes"),
        _ => error(401, "bad key"),
    });
    let models = Model::open("m", &connection(&server)).unwrap();
    let requests = (0..10_000).map(|n| Ok(request(n)));
    let mut answers = ask(models, limits(4), Known::default(), requests);
    assert!(answers.next().unwrap().is_ok());
    assert!(answers.next().unwrap().is_ok());
    let error = answers.find_map(Result::err).unwrap();
    assert_eq!(error.kind, Kind::World);
    assert_eq!(
        error.to_string(),
        "model m: HTTP 401 Unauthorized: bad key; check the API key and its account"
    );
    assert!(answers.next().is_none());
    assert!(server.count() <= 2 + 4 + 4, "{}", server.count());
}

#[test]
fn a_used_up_account_ends_the_run_without_waiting() {
    let body = r#"{"error":{"code":"insufficient_quota","message":"pay first"}}"#;
    let server = Server::start(move |_, _| Act::Reply(429, Vec::new(), body.as_bytes().to_vec()));
    let error = last_error(&connection(&server), limits(1), 3);
    assert_eq!((error.kind, server.count()), (Kind::World, 1));
}

#[test]
fn forbidden_ends_the_run_unless_the_key_is_known_to_be_good() {
    let server = Server::start(|_, _| error(403, "not yours"));
    let error = last_error(&connection(&server), limits(1), 3);
    assert!(error.to_string().starts_with("model m: HTTP 403 Forbidden: not yours; "), "{error}");

    // A single prompt may be turned away by a firewall that dislikes its words.
    let server =
        Server::start(|n, _| if n == 1 { self::error(403, "odd words") } else { says("yes") });
    let outcomes: Vec<_> = outcome(&connection(&server), limits(1), 3)
        .into_iter()
        .map(|answer| answer.unwrap().outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Answered, Outcome::Failed, Outcome::Answered]);
}

#[test]
fn a_model_that_is_not_there_ends_the_run_at_the_third_request() {
    let server = Server::start(|_, _| error(404, "no model m"));
    let answers = outcome(&connection(&server), limits(1), 9);
    assert_eq!((answers.len(), server.count()), (4, 3));
    let error = answers[3].as_ref().unwrap_err().to_string();
    assert!(error.contains("HTTP 404 Not Found: no model m (at http://127.0.0.1:"), "{error}");
}

#[test]
fn where_nothing_listens_the_run_ends_at_the_third_request() {
    let server = nowhere();
    let answers = outcome(&connection(&server), Limits { max_retries: 1, ..limits(1) }, 9);
    assert_eq!(answers.len(), 4);
    let row = answers[0].as_ref().unwrap();
    assert_eq!((row.outcome, row.attempts), (Outcome::Failed, 2));
    let cause = row.error.as_deref().unwrap();
    assert!(cause.starts_with("given up after 2 attempts: cannot connect: "), "{cause}");
    let error = answers[3].as_ref().unwrap_err();
    assert_eq!(error.kind, Kind::World);
    let error = error.to_string();
    assert!(error.starts_with("model m: nothing listens at http://127.0.0.1:"), "{error}");
    assert!(error.ends_with("; start the server, or correct --base-url"), "{error}");
}

#[test]
fn the_end_of_a_run_cuts_waits_short() {
    let server = Server::start(|n, _| match n {
        0 => Act::Reply(429, vec![("retry-after", "60".into())], Vec::new()),
        _ => error(401, "bad key"),
    });
    // The second request is under way before the first is told to wait.
    let script = connection(&server);
    let models = [Model::open("a", &script).unwrap(), Model::open("b", &script).unwrap()].concat();
    let requests = (0..2).map(|n| {
        sleep(Duration::from_millis(100 * n as u64));
        let mut request = request(n);
        request.model = n;
        Ok(request)
    });
    let began = std::time::Instant::now();
    let error = ask(models, limits(64), Known::default(), requests).find_map(Result::err).unwrap();
    assert!(error.to_string().starts_with("model b: HTTP 401"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_key_is_in_no_error() {
    let percent = "sk-CANARY%2F1%2B%227";
    for status in [200, 302, 400, 401, 403, 404, 418, 429, 500] {
        for json in [true, false] {
            let server = Server::start(move |_, seen| {
                let sent = seen
                    .head
                    .lines()
                    .find_map(|line| line.strip_prefix("authorization: "))
                    .unwrap();
                let echo = format!("you sent {sent}, {percent} of {sent} {}", "x".repeat(250));
                let echo = if json {
                    serde_json::json!({"error": {"message": echo}}).to_string()
                } else {
                    echo
                };
                Act::Reply(status, Vec::new(), echo.into_bytes())
            });
            let key = Some(KEY.into());
            let connection = Connection { api_key: key, ..connection(&server) };
            for result in outcome(&connection, Limits { max_retries: 1, ..limits(1) }, 4) {
                let error = match result {
                    Ok(answer) => format!("{answer:?}"),
                    Err(error) => format!("{error} {error:?}"),
                };
                assert!(!error.contains("CANARY"), "{status}: {error}");
                assert!(error.contains("you sent"), "{status}: {error}");
            }
            assert!(server.seen()[0].head.contains(KEY));
            let debug = format!("{:?} {connection:?}", Model::open("m", &connection).unwrap());
            assert!(!debug.contains("CANARY"), "{debug}");
        }
    }
}

#[test]
fn no_part_of_the_key_is_left_where_an_error_is_cut() {
    let server = Server::start(|n, _| {
        let echo = match n {
            0 => serde_json::json!({"choices": [{"text": "a"}]}).to_string(),
            _ => "x".repeat(180 + n) + &KEY.repeat(50),
        };
        Act::Reply([200, 400][n % 2], Vec::new(), echo.into_bytes())
    });
    let connection = Connection { api_key: Some(KEY.into()), ..connection(&server) };
    for answer in outcome(&connection, limits(1), 141).into_iter().skip(1) {
        let error = answer.unwrap().error.unwrap();
        assert!(error.chars().count() <= 300 && !error.contains("sk"), "{error}");
    }
}

#[test]
fn errors_are_one_short_line() {
    let server = Server::start(|_, _| error(400, &"a\r\n\u{1b}[31mb\u{202e} \0".repeat(1000)));
    let error = answer(&connection(&server)).error.unwrap();
    assert_eq!(error.chars().count(), 300);
    assert!(error.ends_with('…') && !error.chars().any(char::is_control), "{error:?}");
}

#[test]
fn what_cannot_be_asked_is_refused_at_once() {
    let at =
        |base: Option<&str>| Connection { base_url: base.map(Into::into), ..Connection::default() };
    let refused = |spec: &str, connection: &Connection| {
        let error = Model::open(spec, connection).unwrap_err();
        assert_eq!(error.kind, Kind::Usage, "{error}");
        assert!(!error.hint.is_empty(), "{error}");
        error.to_string()
    };
    let error = refused("gpt-9", &at(None));
    assert!(error.contains("give --base-url"), "{error}");
    let error = refused("gpt-9", &at(Some("http://api.example.org/v1")));
    assert!(error.contains("plain http is for this machine only"), "{error}");
    let local = at(Some("http://localhost:1/v1"));
    assert!(refused("vllm:", &local).contains("no name"));
    let error = refused("nobody.toml:m", &local);
    assert!(error.contains("there is none called \"nobody.toml\""), "{error}");
    let error = refused("m", &Connection { api_key: Some("sk-CANARY\n".into()), ..local.clone() });
    assert!(!error.contains("CANARY"), "{error}");
    assert_eq!(Model::open("llama3:8b", &local).unwrap()[0].name, "llama3:8b");
}

#[test]
fn https_finds_the_systems_certificates() {
    let connection =
        Connection { base_url: Some("https://localhost:1/v1".into()), ..Connection::default() };
    match Model::open("m", &connection) {
        Ok(models) => assert!(!models[0].is_simulated()),
        // A machine without certificates must say so rather than panic.
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}

#[test]
fn a_key_in_a_models_file_goes_to_the_files_address_only() {
    let (own, other) = (Server::start(|_, _| says("yes")), Server::start(|_, _| says("yes")));
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("key"), KEY).unwrap();
    std::fs::set_permissions(place("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "[model.m]\nbase_url = {:?}\napi_key_file = {:?}\n",
        own.url,
        place("key").to_str().unwrap()
    );
    std::fs::write(place("models.toml"), text).unwrap();
    let file = ModelsFile::read(&place("models.toml")).unwrap();
    let given: Connection = connection(&other);
    let mine = Connection { api_key: Some("sk-of-the-line".into()), ..Connection::default() };
    for connection in [&given, &mine] {
        let model = Model::of_file("m", file.get("m").unwrap(), connection).unwrap();
        let once = std::iter::once(Ok(request(0)));
        assert!(ask(vec![model], limits(1), Known::default(), once).all(|answer| answer.is_ok()));
    }
    assert!(!other.seen()[0].head.contains("authorization"));
    // The file's key is the nearer one.
    assert!(own.seen()[0].head.contains(KEY));
}
