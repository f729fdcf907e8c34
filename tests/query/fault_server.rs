//! A server of the OpenAI kind that fails as it is told to, and keeps the books: it is the oracle
//! for what was asked how often, what was answered in full and what was paid.
//!
//! Plain TCP, HTTP/1.1 with connections kept, a thread for each. What a request gets is a function
//! of what it says and of how often it came (see [`super::acts`]); the books are by the hash of
//! what it says. Tokens are billed once a request was read in full and an answer was made, also
//! when the connection breaks while it is sent.

use super::acts::{Act, End, Step};
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// No test waits longer for something to happen.
const LONGEST: Duration = Duration::from_secs(120);

/// The most bytes of a request's head.
const HEAD: usize = 16 << 10;

/// A request that was read in full.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The hash of the body.
    pub key: u64,
    /// How many requests of this key came before.
    pub nth: usize,
    /// How many requests of any key came before.
    pub position: usize,
    /// What the last turn says.
    pub prompt: String,
    pub body: Value,
    /// The header of that name, as it came.
    pub authorization: String,
    /// The address with its query.
    pub path: String,
    pub at: Instant,
}

impl Asked {
    /// A number that depends on the seed, on what is asked and on how often it was.
    pub fn draw(&self, seed: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (seed, self.key, self.nth).hash(&mut hasher);
        hasher.finish()
    }

    /// The answer: nothing but a function of what is asked.
    pub fn answer(&self) -> String {
        format!("answer {:016x} to {}", self.key, self.prompt)
    }

    /// Input and output tokens of that answer.
    pub fn tokens(&self) -> (u64, u64) {
        (5 + self.key % 40, 3 + self.key / 40 % 90)
    }
}

/// What became of the requests of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections on which it came.
    pub connections: usize,
    /// Requests read in full.
    pub received: usize,
    /// Answers written to the last byte, whatever they say.
    pub sent: usize,
    /// Answers that cost something.
    pub billed: usize,
}

/// The books.
#[derive(Default)]
pub struct Ledger {
    /// Connections accepted, and those that are open.
    pub connections: usize,
    pub open: usize,
    /// Requests in order of arrival.
    pub requests: Vec<Asked>,
    pub keys: HashMap<u64, Tally>,
    /// Requests that are being answered.
    pub under_way: usize,
    /// The most requests that were being answered at once.
    pub most_under_way: usize,
    /// Tokens billed.
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Ledger {
    /// Answers that cost something.
    pub fn billed(&self) -> usize {
        self.keys.values().map(|tally| tally.billed).sum()
    }

    /// How often the prompt was asked.
    pub fn asked(&self, prompt: &str) -> usize {
        self.requests.iter().filter(|asked| asked.prompt == prompt).count()
    }
}

type Script = dyn Fn(&Asked) -> Act + Send + Sync;

/// A server that runs until the tests' process ends.
#[derive(Clone)]
pub struct FaultServer {
    /// Where it listens, as `127.0.0.1:PORT`.
    pub host: String,
    books: Arc<Books>,
}

#[derive(Default)]
struct Books {
    ledger: Mutex<Ledger>,
    changed: Condvar,
}

impl FaultServer {
    /// Does with each request what the script says.
    pub fn start(script: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let script: Arc<Script> = Arc::new(script);
        let books = Arc::<Books>::default();
        let server = Self { host, books: books.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, books) = (script.clone(), books.clone());
                books.note(|ledger| {
                    ledger.connections += 1;
                    ledger.open += 1;
                });
                let serve = move || {
                    // A client that goes away is what many tests are about.
                    let _ = converse(stream, &*script, &books);
                    books.note(|ledger| ledger.open -= 1);
                };
                thread::Builder::new().stack_size(256 << 10).spawn(serve).unwrap();
            }
        });
        server
    }

    /// The address for `--base-url`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.host)
    }

    /// The books as they are now.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.books.ledger()
    }

    /// Forgets the requests: the server runs on, and a thousand of them would be many.
    pub fn forget(&self) {
        let mut ledger = self.ledger();
        (ledger.requests, ledger.keys) = Default::default();
    }

    /// Waits until nobody is connected, and all that was sent is in the books.
    pub fn settle(&self) {
        // Connections are taken up in order: once this one is answered, no other waits.
        let mut probe = TcpStream::connect(&self.host).unwrap();
        probe.write_all(b"?").unwrap();
        let _ = probe.read_to_end(&mut Vec::new());
        drop(probe);
        assert!(self.wait(|ledger| ledger.open == 0), "somebody is still connected");
    }

    /// Requests read in full.
    pub fn count(&self) -> usize {
        self.ledger().requests.len()
    }

    /// Waits until the books say so; whether they do.
    pub fn wait(&self, so: impl Fn(&Ledger) -> bool) -> bool {
        self.wait_for(LONGEST, so)
    }

    /// The same, for so long.
    pub fn wait_for(&self, most: Duration, so: impl Fn(&Ledger) -> bool) -> bool {
        let wait = self.books.changed.wait_timeout_while(self.ledger(), most, |ledger| !so(ledger));
        !wait.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Books {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let changed = change(&mut self.ledger());
        self.changed.notify_all();
        changed
    }
}

/// Answers on one connection until either side has enough.
fn converse(mut stream: TcpStream, script: &Script, books: &Books) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut known = Vec::new();
    loop {
        let Some((head, mut body)) = head(&mut stream)? else { return Ok(()) };
        // The last byte stays in the socket until it is known what is to be done: closing a socket
        // with unread bytes in it resets the connection.
        let last = body.len() - 1;
        stream.read_exact(&mut body[..last])?;
        if stream.peek(&mut body[last..])? == 0 {
            return Ok(());
        }
        let asked = books.note(|ledger| received(ledger, &head, &body, &mut known));
        let act = script(&asked);
        let reset = matches!(act.end, End::Reset);
        if !reset {
            stream.read_exact(&mut body[last..])?;
        }
        let done = act.steps.iter().enumerate().try_for_each(|(at, step)| {
            // The answer is made when the first byte of it is on its way.
            if act.billed && !step.is_wait() && act.steps[..at].iter().all(Step::is_wait) {
                books.note(|ledger| bill(ledger, &asked));
            }
            perform(&mut stream, step)
        });
        books.note(|ledger| {
            ledger.under_way -= 1;
            ledger.keys.entry(asked.key).or_default().sent +=
                usize::from(done.is_ok() && act.whole);
        });
        done?;
        match act.end {
            End::Keep => {}
            End::Close => return Ok(()),
            End::Reset => {
                // What was sent so far should be read before the reset throws it away.
                if !act.steps.is_empty() {
                    thread::sleep(Duration::from_millis(30));
                }
                return Ok(());
            }
        }
    }
}

/// Reads a request's head; it and room for the body, or none if the connection is over.
fn head(stream: &mut TcpStream) -> Result<Option<(String, Vec<u8>)>> {
    let mut bytes = vec![0; HEAD];
    let length = loop {
        let there = stream.peek(&mut bytes)?;
        if there == 0 {
            return Ok(None);
        }
        if !bytes[0].is_ascii_uppercase() {
            // Somebody speaks TLS to us. What is left unread would reset the connection.
            stream.read_exact(&mut bytes[..there])?;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")?;
            return Ok(None);
        }
        if let Some(at) = bytes[..there].windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if there == HEAD {
            return Err(Error::new(ErrorKind::InvalidData, "the head is too long"));
        }
        thread::sleep(Duration::from_millis(1));
    };
    bytes.truncate(length);
    stream.read_exact(&mut bytes)?;
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = header(&head, "content-length").parse::<usize>().unwrap_or(0);
    if length == 0 {
        return Err(Error::new(ErrorKind::InvalidData, "a request without a body"));
    }
    Ok(Some((head, vec![0; length])))
}

/// A header's value; empty if it is not there.
fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value.trim())
}

fn received(ledger: &mut Ledger, head: &str, bytes: &[u8], known: &mut Vec<u64>) -> Asked {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let key = hasher.finish();
    let body: Value = serde_json::from_slice(bytes).unwrap();
    let turns = body["messages"].as_array();
    let prompt = turns.and_then(|turns| turns.last()).map(|turn| &turn["content"]);
    let tally = ledger.keys.entry(key).or_default();
    let asked = Asked {
        key,
        nth: tally.received,
        position: ledger.requests.len(),
        prompt: prompt.and_then(Value::as_str).unwrap_or_default().to_owned(),
        body,
        authorization: header(head, "authorization").to_owned(),
        path: head.split(' ').nth(1).unwrap_or_default().to_owned(),
        at: Instant::now(),
    };
    tally.received += 1;
    if !known.contains(&key) {
        tally.connections += 1;
        known.push(key);
    }
    ledger.under_way += 1;
    ledger.most_under_way = ledger.most_under_way.max(ledger.under_way);
    ledger.requests.push(asked.clone());
    asked
}

fn bill(ledger: &mut Ledger, asked: &Asked) {
    let (input, output) = asked.tokens();
    ledger.input_tokens += input;
    ledger.output_tokens += output;
    ledger.keys.entry(asked.key).or_default().billed += 1;
}

fn perform(stream: &mut TcpStream, step: &Step) -> Result<()> {
    match step {
        Step::Wait(wait) => thread::sleep(*wait),
        Step::Until(gate) => gate.pass(LONGEST),
        Step::Send(bytes) => stream.write_all(bytes)?,
        Step::Drip(bytes, pause) => {
            for byte in bytes {
                stream.write_all(&[*byte])?;
                thread::sleep(*pause);
            }
        }
        Step::Endless(bytes) => loop {
            stream.write_all(bytes)?;
        },
        Step::Hold => {
            // Until the client hangs up, which makes the read return.
            stream.set_read_timeout(Some(LONGEST))?;
            let _ = stream.read(&mut [0]);
        }
    }
    Ok(())
}
