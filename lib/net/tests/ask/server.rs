//! A scripted HTTP server on a port of its own. It answers each request by a function of the
//! request and its position, closes the connection after each, and keeps what it saw.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What to do with a request.
pub enum Act {
    /// Status, further headers, body.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The same, later.
    After(Duration, Box<Act>),
    /// Resets the connection before any answer.
    Reset,
    /// Announces more than it sends.
    CutShort,
    /// Begins a body and pauses.
    Pause(Duration),
    /// Sends without end.
    Endless,
}

/// A request as it arrived.
#[derive(Clone)]
pub struct Seen {
    pub at: Instant,
    pub head: String,
    pub body: Value,
}

pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers by `script`, which gets the position of the request (from 0) and the request.
    pub fn start(script: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (script, log) = (Arc::new(script), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, log) = (script.clone(), log.clone());
                // A client that goes away mid-request is part of some tests.
                thread::spawn(move || drop(serve(stream.unwrap(), &*script, &log)));
            }
        });
        Self { url, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// An address at which nothing listens, nor will while a test runs: a port that was just given back may be
/// another test's next.
pub fn nowhere() -> Server {
    Server { url: "http://127.0.0.1:9/v1".to_owned(), seen: Arc::default() }
}

/// What the last turn of the request says.
pub fn question(seen: &Seen) -> String {
    seen.body["messages"].as_array().unwrap().last().unwrap()["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A complete answer with that text.
pub fn says(text: &str) -> Act {
    reply(json!({
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5},
    }))
}

/// A good status with that body.
pub fn reply(body: Value) -> Act {
    Act::Reply(200, Vec::new(), body.to_string().into_bytes())
}

/// A bad status with a message.
pub fn error(status: u16, message: &str) -> Act {
    let body = json!({"error": {"message": message, "type": "test", "code": null}});
    Act::Reply(status, Vec::new(), body.to_string().into_bytes())
}

/// A bad status with a header.
pub fn error_with(status: u16, name: &'static str, value: &str) -> Act {
    Act::Reply(status, vec![(name, value.to_owned())], b"{}".to_vec())
}

fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(usize, &Seen) -> Act + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    // The last byte stays in the socket until the script says what to do: closing a socket with
    // unread bytes in it is what resets the connection.
    let last = body.len() - 1;
    stream.read_exact(&mut body[..last])?;
    body[last] = b'}';
    let seen = Seen { at: Instant::now(), head, body: serde_json::from_slice(&body).unwrap() };
    let position = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    let mut act = script(position, &seen);
    if matches!(act, Act::Reset) {
        return Ok(());
    }
    stream.read_exact(&mut byte)?;
    while let Act::After(wait, then) = act {
        thread::sleep(wait);
        act = *then;
    }
    match act {
        Act::Reply(status, headers, body) => {
            let mut head = format!(
                "HTTP/1.1 {status} Test\r\nconnection: close\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            stream.write_all((head + "\r\n").as_bytes())?;
            stream.write_all(&body)
        }
        Act::CutShort => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choices\": [")
        }
        Act::Pause(wait) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choices\": [")?;
            thread::sleep(wait);
            Ok(())
        }
        Act::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"choices\": \"")?;
            loop {
                stream.write_all(&[b'a'; 1 << 16])?;
            }
        }
        Act::Reset | Act::After(..) => Ok(()),
    }
}
