//! Files of requests and replies: the way around a network.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use serde_json::{Value, json};
use seval_core::{Error, Result, Rows};
use seval_net::batch::{Replies, Requests};
use seval_net::plan::plan;
use seval_net::rows::{Settings, query};
use seval_net::{Answer, Decoding, Known, Model, Outcome, Request, ask};

use crate::server::{Server, question, says};
use crate::{connection, limits, request};

/// The lines of the requests to model `m`.
fn emitted(requests: &[Request]) -> Vec<Value> {
    let model = Model::named("m").unwrap();
    let mut lines = Vec::new();
    let mut file = Requests::default();
    requests.iter().for_each(|request| file.write(&model, request, &mut lines).unwrap());
    let text = String::from_utf8(lines).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The line by which a service replies.
fn replied(request: &Value, body: &Value) -> Value {
    json!({"id": "r", "custom_id": request["custom_id"], "error": null,
           "response": {"status_code": 200, "request_id": "x", "body": body}})
}

/// A completion that says it.
fn completion(text: &str) -> Value {
    json!({"object": "chat.completion",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5}})
}

/// The answers to the requests from replies of these lines, and how many replies were left over.
fn answers(lines: &[String], requests: &[Request]) -> Result<(Vec<Answer>, u64)> {
    let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
    file.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    from(file.path().to_str().unwrap(), requests).map_err(|error| Error {
        place: error.place.replace(file.path().to_str().unwrap(), "F"),
        ..error
    })
}

/// What the replies have.
fn from_file(replies: &Replies) -> Known {
    Known { journal: None, replies: Some(replies.journal()) }
}

fn from(file: &str, requests: &[Request]) -> Result<(Vec<Answer>, u64)> {
    let replies = Replies::read(&[file.to_owned()])?;
    let models = vec![Model::named("m").unwrap()];
    let owned = requests.to_vec();
    let requests = owned.into_iter().map(Ok);
    let answers: Result<_> = ask(models, limits(64), from_file(&replies), requests).collect();
    Ok((answers?, replies.unasked()))
}

#[test]
fn a_request_in_a_file_is_the_one_that_would_be_sent() {
    let server = Server::start(|_, _| says("yes"));
    let mut request = request(0);
    request.decoding.temperature = Some(0.5);
    request.decoding.max_tokens = Some(9);
    let models = Model::open("m", &connection(&server)).unwrap();
    let once = std::iter::once(Ok(request.clone()));
    assert_eq!(ask(models, limits(64), Known::default(), once).count(), 1);
    let mut lines = emitted(&[request]);
    let line = lines[0].as_object_mut().unwrap();
    assert_eq!(line.keys().collect::<Vec<_>>(), ["custom_id", "method", "url", "body"]);
    assert_eq!(line["custom_id"].as_str().unwrap().len(), 32);
    assert_eq!((&line["method"], &line["url"]), (&json!("POST"), &json!("/v1/chat/completions")));
    assert_eq!(line["body"].to_string(), server.seen()[0].body.to_string());
}

#[test]
fn what_is_asked_twice_is_written_once() {
    let model = Model::named("m").unwrap();
    let mut file = Requests::default();
    for n in [0, 1, 0, 0] {
        file.write(&model, &request(n), &mut Vec::new()).unwrap();
    }
    assert_eq!((file.written(), file.repeated()), (2, 2));
    let sample = Request { sample: 1, ..request(0) };
    file.write(&model, &sample, &mut Vec::new()).unwrap();
    assert_eq!(file.written(), 3);
}

#[test]
fn replies_in_any_order_are_the_answers_that_a_server_gives() {
    let server = Server::start(|_, seen| says(&format!("to {}", question(seen))));
    let requests: Vec<_> = (0..700).map(request).collect();
    let models = Model::open("m", &connection(&server)).unwrap();
    let live = ask(models, limits(64), Known::default(), requests.clone().into_iter().map(Ok));
    let live = live.map(|answer| Answer { latency_ms: 0, ..answer.unwrap() }).collect::<Vec<_>>();

    let mut lines: Vec<String> = emitted(&requests)
        .iter()
        .map(|line| {
            let text = line["body"]["messages"][0]["content"].as_str().unwrap();
            replied(line, &completion(&format!("to {text}"))).to_string()
        })
        .collect();
    let order = |line: &String| {
        line.bytes()
            .map(u64::from)
            .fold(7, |hash: u64, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ byte)
    };
    lines.sort_by_key(order);
    assert_eq!(answers(&lines, &requests).unwrap(), (live.clone(), 0));

    let mut file = tempfile::Builder::new().suffix(".jsonl.gz").tempfile().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
    gzip.write_all(lines.join("\n").as_bytes()).unwrap();
    gzip.finish().unwrap();
    assert_eq!(from(file.path().to_str().unwrap(), &requests).unwrap(), (live, 0));
}

#[test]
fn rows_from_replies_are_the_rows_of_a_server() {
    let server = Server::start(|_, seen| says(&format!("to {}", question(seen))));
    let settings = Settings::new(vec![vec![Decoding::default()]], 2, false);
    let rows = |models: Vec<Model>, known: Known| {
        let prompts: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..30).map(|n| format!("q{n}"))));
        let batch = RecordBatch::try_from_iter([("prompt", prompts)]).unwrap();
        let (schema, batches) = (batch.schema(), Box::new(std::iter::once(Ok(batch))));
        let rows = Rows { schema, batches, history: Vec::new() };
        let rows = query(rows, models, limits(64), known, settings.clone()).unwrap().into_rows();
        rows.batches.map(Result::unwrap).collect::<Vec<_>>()
    };
    let live = rows(Model::open("m", &connection(&server)).unwrap(), Known::default());
    let requests =
        (0..60).map(|n| Request { sample: n % 2, ..request(n as usize / 2) }).collect::<Vec<_>>();
    let lines = emitted(&requests).into_iter().rev().map(|line| {
        let text = line["body"]["messages"][0]["content"].as_str().unwrap().to_owned();
        replied(&line, &completion(&format!("to {text}"))).to_string()
    });
    let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
    file.write_all(lines.collect::<Vec<_>>().join("\n").as_bytes()).unwrap();
    let replies = Replies::read(&[file.path().to_str().unwrap().to_owned()]).unwrap();
    assert_eq!(rows(vec![Model::named("m").unwrap()], from_file(&replies)), live);
    assert_eq!((live[0].num_rows(), replies.unasked()), (60, 0));
}

#[test]
fn a_missing_reply_is_a_failed_answer_and_a_foreign_one_is_counted() {
    let requests: Vec<_> = (0..4).map(request).collect();
    let asked = emitted(&requests);
    let lines = [
        replied(&asked[2], &completion("two")),
        replied(&json!({"custom_id": "request-1"}), &completion("not ours")),
        replied(&emitted(&[request(9)])[0], &completion("not asked")),
    ];
    let (answers, unasked) = answers(&lines.map(|line| line.to_string()), &requests).unwrap();
    let outcomes: Vec<_> = answers.iter().map(|answer| answer.outcome.as_str()).collect();
    assert_eq!((outcomes, unasked), (vec!["failed", "failed", "answered", "failed"], 2));
    let error = answers[0].error.as_ref().unwrap();
    assert!(
        error.starts_with("no reply to this request in /") && error.ends_with(".jsonl"),
        "{error}"
    );
}

#[test]
fn a_reply_that_is_an_error_is_a_failed_answer_unless_another_is_none() {
    let requests: Vec<_> = (0..8).map(request).collect();
    let asked = emitted(&requests);
    let line = |at: usize, response: Value, error: Value| {
        json!({"custom_id": asked[at]["custom_id"], "response": response, "error": error})
            .to_string()
    };
    let bad = |status: u16, body: Value| json!({"status_code": status, "body": body});
    let cases = [
        // OpenAI: never run; run and turned away.
        line(0, Value::Null, json!({"code": "batch_expired", "message": "ran\nout of time"})),
        line(1, bad(429, json!({"error": {"message": "slow down"}})), Value::Null),
        // vLLM's runner.
        line(
            2,
            bad(400, Value::Null),
            json!({"object": "error", "message": "too long", "code": 400}),
        ),
        line(3, bad(400, Value::Null), json!({"error": {"message": "too long", "code": 400}})),
        line(
            4,
            bad(400, json!({"error": {"message": "no", "code": "content_filter"}})),
            Value::Null,
        ),
        line(5, bad(200, Value::Null), Value::Null),
        line(6, bad(503, json!({"error": {"message": "busy"}})), Value::Null),
        line(6, bad(200, completion("second try")), Value::Null),
        line(6, bad(503, json!({"error": {"message": "busy"}})), Value::Null),
        line(7, bad(200, completion("first")), Value::Null),
        line(7, bad(200, completion("second")), Value::Null),
    ];
    let (answers, unasked) = answers(&cases, &requests).unwrap();
    assert_eq!(unasked, 0);
    let said = |answer: &Answer| {
        (answer.outcome, answer.error.clone().or(answer.response.clone()).unwrap())
    };
    let said: Vec<_> = answers.iter().map(said).collect();
    let expected = [
        (Outcome::Failed, "ran out of time"),
        (Outcome::Failed, "HTTP 429: slow down"),
        (Outcome::Failed, "HTTP 400: too long"),
        (Outcome::Failed, "HTTP 400: too long"),
        (Outcome::Filtered, "HTTP 400: no"),
        (Outcome::Failed, "the reply is empty"),
        (Outcome::Answered, "second try"),
        (Outcome::Answered, "first"),
    ];
    assert_eq!(said, expected.map(|(outcome, text)| (outcome, text.to_owned())));
}

#[test]
fn what_failed_in_the_file_is_asked_where_there_is_an_address() {
    let server = Server::start(|_, seen| says(&format!("live {}", question(seen))));
    let requests: Vec<_> = (0..4).map(request).collect();
    let asked = emitted(&requests);
    let expired = json!({"code": "batch_expired", "message": "ran out of time"});
    let busy = json!({"status_code": 503, "body": {"error": {"message": "busy"}}});
    let id = |at: usize| &asked[at]["custom_id"];
    let lines = [
        replied(&asked[0], &completion("from the file")),
        json!({"custom_id": id(1), "response": null, "error": expired}),
        json!({"custom_id": id(2), "response": busy, "error": null}),
    ];
    let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
    file.write_all(lines.map(|line| line.to_string()).join("\n").as_bytes()).unwrap();
    let replies = Replies::read(&[file.path().to_str().unwrap().to_owned()]).unwrap();
    let models = Model::open("m", &connection(&server)).unwrap();
    let all = || requests.clone().into_iter().map(Ok);
    let plan = plan(&models, &from_file(&replies), all()).unwrap();
    assert_eq!((plan.lines[0].answered, plan.lines[0].to_send), (1, 3));
    let answers = ask(models, limits(64), from_file(&replies), all());
    let texts: Vec<_> = answers.map(|answer| answer.unwrap().response.unwrap()).collect();
    assert_eq!(texts, ["from the file", "live q1", "live q2", "live q3"]);
    assert_eq!((server.count(), replies.unasked()), (3, 0));
}

#[test]
fn a_line_that_cannot_be_read_is_an_error_with_its_place() {
    let good = replied(&emitted(&[request(0)])[0], &completion("yes")).to_string();
    let request_line = emitted(&[request(0)])[0].to_string();
    for (bad, said) in [
        ("{\"custom_id\": \"x\", \"resp", "F: line 3: not JSON: "),
        ("[]", "F: line 3: no `custom_id`"),
        ("{\"id\": \"batch_1\", \"object\": \"batch\"}", "F: line 3: no `custom_id`"),
        (&request_line, "F: line 3: neither a `response` nor an `error`"),
    ] {
        let error = answers(&[good.clone(), String::new(), bad.to_owned()], &[]).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert_eq!(error.exit_code(), 5);
    }
    assert!(Replies::read(&["/nowhere/replies.jsonl".to_owned()]).is_err());
}

#[test]
fn a_model_that_is_only_named_cannot_be_asked() {
    assert!(Model::named("sim:cautious").is_err() && Model::named("").is_err());
    let models = vec![Model::named("m").unwrap()];
    let once = std::iter::once(Ok(request(0)));
    let error = ask(models, limits(64), Known::default(), once).next().unwrap().unwrap_err();
    assert_eq!(error.to_string().split(';').next(), Some("model m: no address to ask it at"));
}

#[test]
fn a_file_of_requests_is_for_who_reads_it() {
    let server = Server::start(|_, _| says("yes"));
    let written = |spec: &str| {
        let models = Model::open(spec, &connection(&server)).unwrap();
        let mut out = Vec::new();
        Requests::default().write(&models[0], &request(0), &mut out)?;
        Ok::<Value, Error>(serde_json::from_slice(&out).unwrap())
    };
    let line = written("completions:m").unwrap();
    assert_eq!((&line["url"], &line["body"]["prompt"]), (&"/v1/completions".into(), &"q0".into()));
    let error = written("anthropic:m").unwrap_err().to_string();
    assert!(error.contains("does not read OpenAI's batch format"), "{error}");
}
