//! Files of requests and replies: JSON lines of the kind that OpenAI's batch service, others like it
//! and vLLM's batch runner read and write, so that another program or another day does the asking.
//!
//! - A request is known by its [`Fingerprint`], which is its `custom_id`. Who will be asked is not
//!   known when it is written, so the word `batch` stands for the address: replies serve nobody who
//!   asks a server, and a server's answers are no replies.
//! - Replies come in any order; they wait in a temporary journal, not in memory.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};

use serde_json::{Value, json};
use seval_core::input::{self, detect::Format};
use seval_core::{Error, Result};

use crate::dialect::Dialect;
use crate::exchange::{Answer, Outcome, Request};
use crate::fingerprint::{Asked, Fingerprint};
use crate::journal::{Journal, Record};
use crate::model::Model;
use crate::reply::{self, Complaint, Reply};

/// Stands for the address in the fingerprints of requests that are written to a file.
pub(crate) const ADDRESS: &str = "batch";

/// Replies that are saved together.
const GROUP: usize = 256;

/// The longest line of a reply: more is no reply.
const LINE_BYTES: u64 = 256 << 20;

/// Writes requests, each once.
#[derive(Debug, Default)]
pub struct Requests {
    written: HashSet<Fingerprint>,
    repeated: u64,
}

impl Requests {
    /// Writes a request to that model, exactly as it would be sent, to `out`, which should have a
    /// buffer; what was written before is not written again, since one reply serves both.
    pub fn write(&mut self, model: &Model, request: &Request, out: &mut dyn Write) -> Result<()> {
        let fingerprint = model.asked_by_file(request).fingerprint;
        if !self.written.insert(fingerprint) {
            self.repeated += 1;
            return Ok(());
        }
        let (url, body) = model.batch(request)?;
        let line = json!({
            "custom_id": fingerprint.to_string(),
            "method": "POST",
            "url": url,
            "body": body,
        });
        writeln!(out, "{line}").map_err(|error| Error::io("writing requests", &error))
    }

    /// How many were written.
    pub fn written(&self) -> u64 {
        self.written.len() as u64
    }

    /// How many were not, since the same request was written before.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }
}

/// The replies to requests that were written by [`Requests`].
pub struct Replies {
    journal: Journal,
    foreign: u64,
}

impl Replies {
    /// Reads files of replies, also in gzip, zstd or zip, each line in any order.
    ///
    /// A line that cannot be read is an error; one that says why there is no answer is a failed
    /// answer, and a model that has an address is asked instead. Of several replies to one request
    /// the first that is an answer counts.
    pub fn read(files: &[String]) -> Result<Self> {
        let journal = Journal::temporary(&files.join(", "))?;
        let mut replies = Self { journal, foreign: 0 };
        for source in input::sources(files)? {
            let name = source.name();
            let opened = source.open().map_err(|error| error.at(&name))?;
            if !matches!(opened.format, Format::JsonLines | Format::JsonDocument) {
                return Err(Error::data(name, "not JSON lines")
                    .hint("give the result file of a batch, as it was fetched"));
            }
            replies.take(opened.bytes).map_err(|error| error.at(&name))?;
        }
        Ok(replies)
    }

    /// The journal to give to [`crate::ask`].
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// How many replies are to requests that were not asked: of all lines, before anything is
    /// asked; of what was left over, after.
    pub fn unasked(&self) -> u64 {
        self.foreign + self.journal.untaken() as u64
    }

    fn take(&mut self, bytes: impl Read) -> Result<()> {
        let mut lines = BufReader::new(bytes);
        let mut records = Vec::new();
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let read = (&mut lines).take(LINE_BYTES).read_until(b'\n', &mut line);
            if read.map_err(|error| Error::io("", &error))? == 0 {
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let place = || format!("line {number}");
            let parsed = reply::parse(&line)
                .map_err(|error| Error::data(place(), format!("not JSON: {error}")))?;
            let (fingerprint, answer) = read_line(&parsed).map_err(|error| error.at(place()))?;
            match fingerprint {
                None => self.foreign += 1,
                Some(fingerprint) => {
                    records.push(Record::reply(Asked::unknown(fingerprint), answer));
                }
            }
            if records.len() == GROUP {
                self.journal.save_all(std::mem::take(&mut records))?;
            }
        }
        self.journal.save_all(records)
    }
}

/// The request that a line replies to, if it is one of ours, and the answer.
fn read_line(line: &Value) -> Result<(Option<Fingerprint>, Answer)> {
    let Some(id) = line.get("custom_id").and_then(Value::as_str) else {
        return Err(Error::data("", "no `custom_id`, which says what it replies to")
            .hint("give the result file of a batch, not the requests or a list of batches"));
    };
    let there = |name: &str| line.get(name).filter(|value| !value.is_null());
    let response = there("response");
    let status = response.and_then(|response| response.get("status_code")?.as_u64());
    let body = response.and_then(|response| response.get("body")).filter(|body| !body.is_null());
    let failed = |complaint: Complaint| {
        let why = match status {
            Some(status) if status >= 400 => complaint.with_status(&status),
            _ => complaint.message,
        };
        let outcome = if complaint.filtered { Outcome::Filtered } else { Outcome::Failed };
        Answer::without_text(outcome, why)
    };
    let answer = match (there("error"), body) {
        (Some(error), _) => failed(reply::complaint(error)),
        (None, Some(body)) if status.is_some_and(|status| status >= 400) => {
            failed(reply::complaint(body))
        }
        (None, Some(body)) => match reply::read_value(body, |value| Dialect::Chat.read(value)) {
            Reply::Answer(answer) => *answer,
            Reply::Complaint(complaint) => failed(complaint),
        },
        (None, None) if status.is_some() => {
            failed(Complaint { message: "the reply is empty".to_owned(), ..Complaint::default() })
        }
        (None, None) => {
            return Err(Error::data("", "neither a `response` nor an `error`")
                .hint("give the result file of a batch, not the requests"));
        }
    };
    let error = answer.error.as_deref().map(reply::short);
    Ok((Fingerprint::parse(id), Answer { error, ..answer }))
}
