//! The provider `exec:COMMAND`: a command that reads a request from each line of its input and
//! prints a reply to each, both in JSON, in any order, many of them under way at once.
//!
//! - A request is `{"id": 1, "model": …, "messages": […], …}` with the settings that are set. A
//!   reply is `{"id": 1, "response": …}`, with `finish_reason`, `reasoning` and `usage` if the
//!   command knows them, or `{"id": 1, "error": …}`.
//! - One child serves the run. If it ends, or prints what is no reply to an open request, its ids
//!   cannot be trusted any more: every request fails with the cause, and the run with them.
//! - No shell reads the command. What it prints to stderr is kept for the error alone.
//! - How long an answer may take is the caller's matter: a future that is dropped gives up its id.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::str::Chars;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use seval_core::{Error, Result};
use tokio::sync::oneshot;

use crate::dialect::Dialect;
use crate::exchange::{Answer, Outcome, Request};
use crate::reply::{self, Reply};

/// The longest line that is read as a reply.
const LINE_BYTES: usize = 16 << 20;

/// How long a command that should end is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// How much of the end of stderr is kept.
const STDERR_BYTES: usize = 4096;

/// What to tell whoever wrote the command.
const HINT: &str = "it must print one JSON object a line, with the `id` of a request that it read \
                    and has not answered, and anything else to stderr";

/// A command that answers requests.
#[derive(Debug)]
pub struct Exec {
    shared: Arc<Shared>,
    lines: Sender<(i64, String)>,
}

/// What the caller's futures and the three threads at the child's pipes share.
#[derive(Debug)]
struct Shared {
    place: String,
    child: Mutex<Child>,
    state: Mutex<State>,
    /// The end of stderr.
    stderr: Mutex<Vec<u8>>,
}

#[derive(Debug, Default)]
struct State {
    /// The last id that was given out; the first is 1.
    last: i64,
    waiting: HashMap<i64, oneshot::Sender<Result<Answer>>>,
    /// Ids whose answer nobody waits for any more, though it may come.
    given_up: HashSet<i64>,
    ended: Option<Error>,
}

impl Exec {
    /// Starts the command: words between spaces, with quotation marks and backslashes as a shell
    /// has them and nothing else of a shell. What cannot be started is an error.
    pub fn start(command: &str) -> Result<Self> {
        let place = reply::short(&format!("exec:{command}"));
        let words = words(command).map_err(|what| Error::usage(&place, what))?;
        let Some((program, arguments)) = words.split_first() else {
            return Err(Error::usage(place, "no command").hint("write exec:COMMAND"));
        };
        let piped = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A ^C at the terminal is for us: what the command is at may still be answered.
            .process_group(0)
            .spawn();
        let mut child = piped.map_err(|error| {
            Error::usage(&place, format!("cannot start `{program}`: {error}"))
                .hint("the first word is the program, and no shell reads the command")
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let shared = Arc::new(Shared {
            place,
            child: Mutex::new(child),
            state: Mutex::default(),
            stderr: Mutex::default(),
        });
        let (lines, queue) = mpsc::channel();
        // From here on an early return waits for the child, or kills it.
        let exec = Self { shared: shared.clone(), lines };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::world(&shared.place, "it has no pipes"));
        };
        let failed = |error| Error::io(&shared.place, &error);
        let (writer, errors, reader) = (shared.clone(), shared.clone(), shared.clone());
        // None is joined: a process that the command leaves behind may hold the other end.
        thread::Builder::new()
            .name("exec stdin".into())
            .spawn(move || writer.write(stdin, queue))
            .map_err(failed)?;
        let errors = thread::Builder::new()
            .name("exec stderr".into())
            .spawn(move || errors.read_stderr(stderr))
            .map_err(failed)?;
        thread::Builder::new()
            .name("exec stdout".into())
            .spawn(move || {
                let (cause, hint) = reader.read(stdout, &errors);
                reader.end(&cause, hint);
            })
            .map_err(failed)?;
        Ok(exec)
    }

    /// The command's answer to the request, for the model of that name. An error ends the run: the
    /// command can answer no more.
    pub async fn ask(&self, model: &str, request: &Request) -> Result<Answer> {
        let start = Instant::now();
        let (answer, open) = self.shared.open()?;
        let mut line = json!({"id": open.id});
        if let (Value::Object(line), Value::Object(body)) =
            (&mut line, Dialect::Chat.body(model, request, false))
        {
            line.extend(body);
        }
        // If nobody takes it, the answer is why.
        let _ = self.lines.send((open.id, format!("{line}\n")));
        let answer = answer.await.unwrap_or_else(|_| {
            Err(Error::world(&self.shared.place, "no thread reads its output")
                .hint("this is a fault in seval: please report it"))
        })?;
        let latency_ms = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
        Ok(Answer { latency_ms, ..answer })
    }
}

impl Drop for Exec {
    /// Closes the command's input, and kills it if it does not end soon.
    fn drop(&mut self) {
        // The writing thread ends with its queue, and the pipe with it.
        self.lines = mpsc::channel().0;
        if self.shared.exit_status().is_none() {
            let mut child = lock(&self.shared.child);
            // It may have ended just now, and there is nothing to do about either.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A request that waits for its answer; dropped, it waits no more.
struct Open<'s> {
    shared: &'s Shared,
    id: i64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        if state.waiting.remove(&self.id).is_some() {
            state.given_up.insert(self.id);
        }
    }
}

impl Shared {
    fn open(&self) -> Result<(oneshot::Receiver<Result<Answer>>, Open<'_>)> {
        let mut state = lock(&self.state);
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        let (sender, receiver) = oneshot::channel();
        state.last += 1;
        let id = state.last;
        state.waiting.insert(id, sender);
        Ok((receiver, Open { shared: self, id }))
    }

    fn write(&self, mut stdin: ChildStdin, queue: Receiver<(i64, String)>) {
        for (id, line) in queue {
            // What was given up before it was sent is not sent, and so not paid for.
            if lock(&self.state).given_up.remove(&id) {
                continue;
            }
            if let Err(error) = stdin.write_all(line.as_bytes()) {
                // Answers that it printed before may still be in the other pipe; if it has ended,
                // the reader has more to say about it.
                thread::sleep(2 * GRACE);
                return self.end(&format!("reads no more requests: {error}"), "");
            }
        }
    }

    fn read_stderr(&self, mut pipe: ChildStderr) {
        let mut bytes = [0; STDERR_BYTES];
        while let Ok(count @ 1..) = pipe.read(&mut bytes) {
            let mut stderr = lock(&self.stderr);
            stderr.extend_from_slice(&bytes[..count]);
            let too_many = stderr.len().saturating_sub(STDERR_BYTES);
            stderr.drain(..too_many);
        }
    }

    /// Hands out answers until there can be no more: why, and what to do about it.
    fn read(&self, stdout: ChildStdout, stderr: &JoinHandle<()>) -> (String, &'static str) {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = LINE_BYTES as u64 + 1;
            match (&mut stdout).take(most).read_until(b'\n', &mut line) {
                Err(error) => return (format!("cannot be read from: {error}"), ""),
                Ok(_) if line.len() > LINE_BYTES => {
                    return (format!("printed a line of more than {} MiB", LINE_BYTES >> 20), HINT);
                }
                Ok(0) => return (self.end_of_output(stderr), ""),
                Ok(_) => match self.take(&line) {
                    Ok(()) => {}
                    // Half a line is all that an end in the middle of it leaves.
                    Err(_) if !line.ends_with(b"\n") => return (self.end_of_output(stderr), ""),
                    Err(cause) => return (cause, HINT),
                },
            }
        }
    }

    /// Hands out the answer in a line, or says why there is none.
    fn take(&self, line: &[u8]) -> Result<(), String> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let shown = || reply::short(&String::from_utf8_lossy(&line[..line.len().min(400)]));
        let value = reply::parse(line)
            .map_err(|error| format!("printed a line that is not JSON: {error}: {}", shown()))?;
        let Some(id) = value.get("id").and_then(reply::integer) else {
            return Err(format!("printed a line without an `id`: {}", shown()));
        };
        let mut state = lock(&self.state);
        match state.waiting.remove(&id) {
            Some(waiting) => {
                drop(state);
                // Given up just now, perhaps.
                let _ = waiting.send(Ok(answer(value)));
                Ok(())
            }
            None if state.given_up.remove(&id) => Ok(()),
            None if (1..=state.last).contains(&id) => Err(format!("answered request {id} twice")),
            None => Err(format!("answered request {id}, which it was not asked")),
        }
    }

    fn end_of_output(&self, stderr: &JoinHandle<()>) -> String {
        let status = self.exit_status();
        // Its last words come before its end, but by another pipe.
        wait_until(|| stderr.is_finished().then_some(()));
        match status {
            Some(status) => format!("ended ({status})"),
            None => "closed its output".to_owned(),
        }
    }

    /// Fails all requests, those to come too. The first cause is kept.
    fn end(&self, cause: &str, hint: &str) {
        let stderr = String::from_utf8_lossy(&lock(&self.stderr)).into_owned();
        let last = stderr.lines().rev().map(reply::short).find(|line| !line.is_empty());
        let words = last.map_or(String::new(), |line| format!("; its last words: {line}"));
        let error = Error::world(&self.place, format!("the command {cause}{words}")).hint(hint);
        let mut state = lock(&self.state);
        let error = state.ended.get_or_insert(error).clone();
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.send(Err(error.clone()));
        }
    }

    /// How the child ended, if it does so soon.
    fn exit_status(&self) -> Option<ExitStatus> {
        wait_until(|| lock(&self.child).try_wait().ok().flatten())
    }
}

/// What `find` finds, at once or before long.
fn wait_until<T>(find: impl Fn() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = find();
        if found.is_some() || start.elapsed() > GRACE {
            return found;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The answer in a reply, read as that of a server that says the same.
fn answer(mut reply: Value) -> Answer {
    let error = reply["error"].take();
    let is_answer = !reply::says_something(&error);
    if is_answer && !matches!(reply.get("response"), Some(Value::String(_) | Value::Null)) {
        let cause = "the command's reply has neither a text `response` nor an `error`";
        return Answer::without_text(Outcome::Failed, cause);
    }
    let mut part = |key: &str| reply[key].take();
    let message = json!({"content": part("response"), "reasoning": part("reasoning")});
    let choice = json!({"message": message, "finish_reason": part("finish_reason")});
    let chat = json!({"choices": [choice], "usage": part("usage"), "error": error});
    match reply::read_value(&chat, |value| Dialect::Chat.read(value)) {
        Reply::Answer(answer) => *answer,
        Reply::Complaint(complaint) => {
            let outcome = if complaint.filtered { Outcome::Filtered } else { Outcome::Failed };
            Answer::without_text(outcome, reply::short(&complaint.message))
        }
    }
}

/// The words of a command.
fn words(command: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = command.chars();
    while let Some(char) = chars.next() {
        match char {
            _ if char.is_whitespace() => words.extend(word.take()),
            '\'' | '"' => quoted(char, &mut chars, word.get_or_insert_default())?,
            '\\' => {
                let next = chars.next().ok_or("the command ends with a backslash")?;
                word.get_or_insert_default().push(next);
            }
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Takes what stands before the closing mark.
fn quoted(mark: char, chars: &mut Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    while let Some(char) = chars.next() {
        match char {
            _ if char == mark => return Ok(()),
            '\\' if mark == '"' => match chars.next() {
                Some(next @ ('"' | '\\')) => word.push(next),
                next => word.extend(['\\'].into_iter().chain(next)),
            },
            _ => word.push(char),
        }
    }
    Err("the command has a quotation mark that is not closed")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here panics while it holds a lock, so what is poisoned is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
