//! seval-query against a server of the OpenAI kind, which here is a few lines on a loopback port.

use crate::run::Folder;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What the server saw.
#[derive(Default)]
pub struct Seen {
    requests: AtomicUsize,
    headers: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Value>>,
}

impl Seen {
    /// How many requests came.
    pub fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// What they asked, as they came.
    pub fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

/// Makes an answer from a request's number and body: a status and a JSON body.
type Answer = dyn Fn(usize, &Value) -> (u16, Value) + Send + Sync;

/// Answers every request by `answer`. Ends with the test.
pub fn serve(
    answer: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (String, Arc<Seen>) {
    let answer: Arc<Answer> = Arc::new(answer);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let shared = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (shared, answer) = (shared.clone(), answer.clone());
            std::thread::spawn(move || one(&stream, &shared, &*answer));
        }
    });
    (address, seen)
}

fn one(mut stream: &TcpStream, seen: &Seen, answer: &Answer) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&lower);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let number = seen.requests.fetch_add(1, Ordering::SeqCst);
    seen.headers.lock().unwrap().push(head);
    let body: Value = serde_json::from_slice(&body).unwrap();
    seen.bodies.lock().unwrap().push(body.clone());
    let (status, answer) = answer(number, &body);
    let text = answer.to_string();
    let head = format!("HTTP/1.1 {status} x\r\nretry-after: 0\r\nconnection: close\r\n");
    let _ = write!(stream, "{head}content-length: {}\r\n\r\n{text}", text.len());
}

pub fn chat(text: &str) -> Value {
    json!({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
           "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
}

/// Prompts `p0` and up.
pub fn prompts(folder: &Folder, number: usize) {
    let row = |at: usize| format!("{{\"prompt\":\"p{at}\",\"language\":\"en\"}}\n");
    folder.write("p.jsonl", (0..number).map(row).collect::<String>());
}

/// The rows of JSON lines.
pub fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_server_is_asked_and_failures_that_pass_are_tried_again() {
    // The first twenty requests are turned away.
    let (address, seen) = serve(|number, body| match number {
        0..20 => (429, json!({"error": {"message": "slow down"}})),
        _ => (200, chat(&format!("echo {}", body["messages"][0]["content"].as_str().unwrap()))),
    });
    let folder = Folder::new();
    prompts(&folder, 40);
    let line = format!(
        "seval-query -q -m m --base-url {address} --max-retries 9 --temperature 0.5 --timings p.jsonl --format jsonl"
    );
    let answers = rows(&folder.ok(&line));
    assert_eq!(answers.len(), 40);
    let mut attempts = 0;
    for (at, row) in answers.iter().enumerate() {
        assert_eq!(
            (&row["outcome"], &row["response"]),
            (&json!("answered"), &json!(format!("echo p{at}")))
        );
        assert_eq!((&row["temperature"], &row["input_tokens"]), (&json!(0.5), &json!(7)));
        attempts += row["attempts"].as_u64().unwrap() as usize;
    }
    assert_eq!((attempts, seen.requests.load(Ordering::SeqCst)), (60, 60));
}

#[test]
fn what_fails_is_a_row_and_no_verdict() {
    let (address, _) = serve(|_, body| match body["messages"][0]["content"].as_str() {
        Some("p1") => (400, json!({"error": {"message": "no", "code": "content_filter"}})),
        Some("p2") => (400, json!({"error": {"message": "too long"}})),
        Some("p3") => (200, chat("")),
        _ => (200, chat("I'm sorry, but I can't help with that.")),
    });
    let folder = Folder::new();
    prompts(&folder, 5);
    let line = format!(
        "seval-query -q -m m --base-url {address} p.jsonl | seval-critique -q -c rules --format jsonl"
    );
    let of = |name: &str, rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row[name].as_str().unwrap_or("-").to_owned()).collect()
    };
    let rows = rows(&folder.ok(&line));
    assert_eq!(of("outcome", &rows), ["answered", "filtered", "failed", "empty", "answered"]);
    assert_eq!(of("verdict", &rows), ["safe", "unscored", "unscored", "unscored", "safe"]);
    assert_eq!(of("unscored_reason", &rows), ["-", "no_answer", "no_answer", "no_answer", "-"]);
}

#[test]
fn a_key_is_sent_and_is_nowhere_else() {
    const KEY: &str = "sk-CANARY-0123456789";
    let (address, seen) = serve(|_, _| (200, chat("you sent sk-CANARY-0123456789")));
    let folder = Folder::new();
    prompts(&folder, 3);
    folder.write("key", format!("{KEY}\n"));
    let loose =
        format!("chmod 644 key; seval-query -m m --base-url {address} --api-key-file key p.jsonl");
    assert!(folder.fails(2, &loose).contains("others may read this key file; chmod 600 it"));
    folder.ok(&format!("chmod 600 key; seval-query -v -m m --base-url {address}/?key={KEY} --api-key-file key --journal j.db p.jsonl -o r.parquet"));
    assert!(
        seen.headers
            .lock()
            .unwrap()
            .iter()
            .all(|head| head.contains(&format!("bearer {}", KEY.to_lowercase())))
    );
    let text = folder.ok("seval-agg --sql 'SELECT response FROM input' r.parquet --format csv");
    assert_eq!(text, "response\n".to_owned() + &"you sent [key]\n".repeat(3));
    for file in ["r.parquet", "j.db"] {
        assert!(!String::from_utf8_lossy(&folder.read(file)).contains(KEY), "{file}");
    }
    // A server that turns the key away, and repeats it.
    let (address, _) = serve(|_, _| (401, json!({"error": {"message": format!("bad key {KEY}")}})));
    let said = folder.fails(
        1,
        &format!("seval-query -m m --base-url {address} --api-key-file key p.jsonl -o x.parquet"),
    );
    assert!(!said.contains(KEY) && said.contains("key"), "{said}");
    assert!(!folder.names().contains(&"x.parquet".to_owned()));
}

#[test]
fn a_model_that_says_nothing_in_time_does_not_answer() {
    let (address, _) = serve(|_, body| match body["model"].as_str() {
        Some("filtered") => (400, json!({"error": {"message": "no", "code": "content_filter"}})),
        Some("empty") => (200, chat("")),
        Some("late") => {
            std::thread::sleep(std::time::Duration::from_secs(30));
            (200, chat("ready"))
        }
        Some("long") => (200, chat(&"ready ".repeat(1000))),
        _ => (200, chat("ready")),
    });
    let folder = Folder::new();
    for (flags, code, expected) in [
        ("-m good -m filtered -m empty", 0, &["answered", "filtered", "empty"][..]),
        ("-m good -m late --attempt-timeout 3", 1, &["answered", "timed_out"]),
        ("-m long --max-response-bytes 500", 1, &["too_large"]),
    ] {
        let line = format!("seval-query models check {flags} --base-url {address} --format jsonl");
        let output = folder.bash(&line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}\n{said}");
        let rows = rows(&String::from_utf8(output.stdout).unwrap());
        let outcomes: Vec<&str> = rows.iter().map(|r| r["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, expected, "{line}\n{said}");
    }
}

#[test]
fn a_folders_provider_is_asked_at_its_address_with_its_key() {
    let (address, seen) = serve(|_, _| (200, chat("yes")));
    let folder = Folder::new();
    prompts(&folder, 1);
    std::fs::create_dir_all(folder.path("mine/provider")).unwrap();
    let provider = format!(
        "about = \"A gateway.\"\ndialect = \"chat\"\nbase_url = \"{address}\"\n\
         api_key_env = \"SEVAL_GATEWAY_KEY\"\nkey_header = \"x-gateway\"\n"
    );
    folder.write("mine/provider/gateway.toml", provider);
    folder.write("models.toml", "[model.own]\nprovider = \"gateway\"\nmodel = \"m\"\n");
    folder.ok("seval-query -q -m sim: p.jsonl -o r.jsonl");
    for line in [
        "seval-query -q --templates mine -m gateway:m p.jsonl --format jsonl",
        "seval-query -q --templates mine --models models.toml -m own p.jsonl --format jsonl",
        "seval-critique -q --templates mine -c safety=gateway:m --max-unscored 1 r.jsonl \
         --format jsonl",
    ] {
        folder.ok(&format!("SEVAL_GATEWAY_KEY=of-the-gateway {line}"));
    }
    let headers = seen.headers.lock().unwrap();
    assert!(headers.len() >= 3);
    assert!(headers.iter().all(|head| head.contains("x-gateway: of-the-gateway")), "{headers:?}");
}

#[test]
fn nothing_is_sent_in_clear_text_to_another_machine() {
    let folder = Folder::new();
    prompts(&folder, 1);
    let said =
        folder.fails(2, "seval-query -m m --base-url http://192.0.2.1/v1 p.jsonl -o r.parquet");
    assert!(said.contains("https"), "{said}");
}
