//! The fault server itself, asked by a few lines: what it says of itself is what it did.

use super::acts::{Act, End, chunked, ends, good, gzip, refuses, silence};
use super::fault_server::{Asked, FaultServer, Tally};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends a prompt on a connection.
fn send(stream: &mut TcpStream, prompt: &str) {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": prompt}]}).to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
}

/// Reads an answer of a known length: its head and its body.
fn receive(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

fn connect(server: &FaultServer) -> TcpStream {
    TcpStream::connect(&server.host).unwrap()
}

/// How a connection ends after one request: what was read, and the kind of the error, if one.
fn end_of(
    act: impl Fn(&Asked) -> Act + Send + Sync + 'static,
) -> (Vec<u8>, Option<ErrorKind>, Tally) {
    let server = FaultServer::start(act);
    let mut stream = connect(&server);
    send(&mut stream, "a");
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).err();
    server.settle();
    let tally = *server.ledger().keys.values().next().unwrap();
    (bytes, error.map(|error| error.kind()), tally)
}

#[test]
fn books_of_a_connection_that_is_kept() {
    let server = FaultServer::start(|asked| match asked.nth {
        0 => refuses(429, &[("retry-after", "1")]),
        _ => good(asked).late(1),
    });
    let mut stream = connect(&server);
    let mut texts = Vec::new();
    for prompt in ["a", "b", "a", "b", "a"] {
        send(&mut stream, prompt);
        let (head, body) = receive(&mut stream).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        texts.push((head[9..12].to_owned(), body["choices"][0]["message"]["content"].to_string()));
    }
    assert_eq!(
        texts.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(),
        ["429", "429", "200", "200", "200"]
    );
    assert!(texts[2] == texts[4] && texts[2] != texts[3]);
    drop(stream);
    server.settle();
    let ledger = server.ledger();
    let tokens = |asked: &Asked| asked.tokens();
    let billed: Vec<_> = ledger.requests[2..].iter().map(tokens).collect();
    assert_eq!(ledger.input_tokens, billed.iter().map(|tokens| tokens.0).sum::<u64>());
    assert_eq!(ledger.output_tokens, billed.iter().map(|tokens| tokens.1).sum::<u64>());
    let of = |prompt: &str| {
        let asked = ledger.requests.iter().find(|asked| asked.prompt == prompt).unwrap();
        ledger.keys[&asked.key]
    };
    assert_eq!(of("a"), Tally { connections: 1, received: 3, sent: 3, billed: 2 });
    assert_eq!(of("b"), Tally { connections: 1, received: 2, sent: 2, billed: 1 });
    assert_eq!((ledger.most_under_way, ledger.under_way, ledger.open), (1, 0, 0));
}

#[test]
fn books_of_connections_that_end() {
    let reset = Some(ErrorKind::ConnectionReset);
    let (bytes, error, tally) = end_of(|_| ends(End::Reset));
    assert_eq!((bytes.len(), error, tally.sent, tally.billed), (0, reset, 0, 0));
    let (bytes, error, tally) = end_of(|_| ends(End::Close));
    assert_eq!((bytes.len(), error, tally.sent, tally.billed), (0, None, 0, 0));
    let (bytes, error, tally) = end_of(|asked| good(asked).cut_body(20, End::Close));
    assert!(bytes.ends_with(b"\"id\":\"chatcmpl-") || bytes.len() > 20);
    assert_eq!((error, tally.received, tally.sent, tally.billed), (None, 1, 0, 1));
    let (bytes, error, tally) = end_of(|asked| good(asked).cut_body(20, End::Reset));
    assert!(!bytes.is_empty());
    assert_eq!((error, tally.received, tally.sent, tally.billed), (reset, 1, 0, 1));
}

#[test]
fn books_of_hundreds_of_connections() {
    let server = FaultServer::start(|asked| good(asked).late(20));
    let mut streams: Vec<_> = (0..300).map(|_| connect(&server)).collect();
    for (at, stream) in streams.iter_mut().enumerate() {
        send(stream, &format!("p{at}"));
    }
    for stream in &mut streams {
        assert!(receive(stream).unwrap().0.starts_with("HTTP/1.1 200"));
    }
    drop(streams);
    server.settle();
    let ledger = server.ledger();
    assert_eq!((ledger.requests.len(), ledger.keys.len(), ledger.billed()), (300, 300, 300));
    assert!(ledger.most_under_way > 1);
}

#[test]
fn books_of_a_client_that_goes_away() {
    let server = FaultServer::start(|_| silence());
    let mut stream = connect(&server);
    send(&mut stream, "a");
    assert!(server.wait(|ledger| ledger.under_way == 1));
    drop(stream);
    server.settle();
    assert_eq!(server.ledger().under_way, 0);
    // Somebody speaks TLS, or half a request.
    let mut stream = connect(&server);
    stream.write_all(&[0x16, 3, 1, 2, 0]).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 400"));
    let mut stream = connect(&server);
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{").unwrap();
    drop(stream);
    server.settle();
    assert_eq!(server.count(), 1);
}

#[test]
fn books_of_slow_and_packed_answers() {
    let server = FaultServer::start(|asked| good(asked).drip(0, Duration::from_micros(100)));
    let mut stream = connect(&server);
    send(&mut stream, "a");
    assert!(receive(&mut stream).unwrap().0.starts_with("HTTP/1.1 200"));
    let server = FaultServer::start(|_| gzip((0..64).map(|_| vec![b' '; 1 << 20])));
    let mut stream = connect(&server);
    send(&mut stream, "a");
    let (_, packed) = receive(&mut stream).unwrap();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert!(packed.len() < 1 << 17 && unpacked.len() == 64 << 20, "{}", packed.len());
    let server = FaultServer::start(|_| chunked("text/plain", b"abc", 1));
    let mut stream = connect(&server);
    send(&mut stream, "a");
    let mut bytes = [0; 4096];
    let mut there = 0;
    while !bytes[..there].ends_with(b"0\r\n\r\n") {
        there += stream.read(&mut bytes[there..]).unwrap();
    }
    assert!(bytes[..there].ends_with(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"));
}
