//! seval-query against servers, disks, signals and clocks that fail: RELIABILITY B4, row by row.
//!
//! Each test's name begins with its row. No test fails because a machine is slow: what is waited
//! for is an event, and the limits of time are many times what is needed.

mod acts;
mod books;
mod canary;
mod disk;
mod fault_server;
mod journals;
mod kills;
mod labels;
mod lost;
mod mixed;
mod money;
mod refusals;
mod replies;
mod signals;
mod size;
mod waits;

use crate::run::{Folder, PROGRAMS};
use crate::server::{prompts, rows};
use fault_server::FaultServer;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No run of these tests takes longer.
const LONGEST: Duration = Duration::from_secs(120);

/// A command line that asks the server for the prompts of `p.jsonl`, with a journal.
fn ask(server: &FaultServer, flags: &str) -> String {
    format!("seval-query -m m --base-url {} --journal j.db {flags} p.jsonl", server.url())
}

/// Rows of JSON lines that a run which must succeed prints.
fn answers(folder: &Folder, server: &FaultServer, flags: &str) -> Vec<Value> {
    rows(&folder.ok(&ask(server, &format!("{flags} -q --format jsonl"))))
}

/// A column of rows, as text; `-` for null.
fn column<'r>(rows: &'r [Value], name: &str) -> Vec<&'r str> {
    rows.iter().map(|row| row[name].as_str().unwrap_or("-")).collect()
}

/// Asks `count` prompts of a server with one script, without a journal; the rows.
fn asked(count: usize, server: &FaultServer, flags: &str) -> Vec<Value> {
    let folder = Folder::new();
    prompts(&folder, count);
    answers(&folder, server, flags)
}

/// The journal's books: one model's, or zeros where nothing was asked yet.
fn status(folder: &Folder) -> Value {
    let lines = rows(&folder.ok("seval-query status j.db --format jsonl"));
    assert!(lines.len() < 2, "{lines:?}");
    let none = || json!({"answers": 0, "attempts": 0, "unfinished": 0, "possibly_billed": 0});
    lines.into_iter().next().unwrap_or_else(none)
}

/// A number of the journal's books.
fn number(status: &Value, name: &str) -> usize {
    let number = status[name].as_u64();
    number.unwrap_or_else(|| panic!("no number `{name}` in {status}")) as usize
}

/// A Parquet file's rows: column to text, without nulls.
fn table(folder: &Folder, name: &str) -> Vec<HashMap<String, String>> {
    let reader =
        SerializedFileReader::new(std::fs::File::open(folder.path(name)).unwrap()).unwrap();
    let text = |field: &Field| match field {
        Field::Null => None,
        Field::Str(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let row = |row: parquet::record::Row| {
        let cells = row.get_column_iter();
        cells.filter_map(|(name, field)| Some((name.clone(), text(field)?))).collect()
    };
    reader.get_row_iter(None).unwrap().map(|found| row(found.unwrap())).collect()
}

/// A Parquet file's metadata, keys and values.
fn metadata(folder: &Folder, name: &str) -> String {
    let reader =
        SerializedFileReader::new(std::fs::File::open(folder.path(name)).unwrap()).unwrap();
    format!("{:?}", reader.metadata().file_metadata().key_value_metadata())
}

/// A command line that runs while the test goes on; killed when dropped.
struct Run {
    child: Child,
    began: Instant,
    output: Option<[JoinHandle<Vec<u8>>; 2]>,
}

/// What came of it.
#[derive(Debug)]
struct Ended {
    /// The exit status, or 128 + the signal that killed it.
    code: i32,
    stdout: String,
    stderr: String,
    /// The most memory that was seen in use, in MiB.
    memory: u64,
    took: Duration,
}

impl Run {
    /// Starts it in the folder, in place of a shell.
    fn start(folder: &Folder, line: &str) -> Self {
        Self::with(folder, line, &[])
    }

    /// The same with more in its environment.
    fn with(folder: &Folder, line: &str, environment: &[(&str, &str)]) -> Self {
        let programs = std::path::Path::new(PROGRAMS[0].1).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut child = Command::new("bash")
            .args(["-c", &format!("exec {line}")])
            .current_dir(folder.path(""))
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = reader(child.stdout.take().unwrap());
        let err = reader(child.stderr.take().unwrap());
        Self { child, began: Instant::now(), output: Some([out, err]) }
    }

    fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What /proc says of it.
    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.child.id());
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    /// Kills it with SIGKILL.
    fn kill(mut self) -> Ended {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.end()
    }

    /// Waits for its end.
    fn end(mut self) -> Ended {
        let mut memory = 0;
        let status = loop {
            let text = self.proc("status");
            let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            memory = memory.max(peak.unwrap_or(0) / 1024);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > LONGEST {
                panic!("the run does not end: {}", self.proc("cmdline").replace('\0', " "));
            }
            thread::sleep(Duration::from_millis(2));
        };
        let took = self.began.elapsed();
        let texts = self.output.take().unwrap().map(|reader| reader.join().unwrap());
        let [stdout, stderr] = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
        for word in ["internal error", "panicked"] {
            assert!(!stderr.contains(word), "{stderr}");
        }
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
        Ended { code, stdout, stderr, memory, took }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Numbers that are the same in every run.
struct Draws(u64);

impl Draws {
    /// From 0 up to and without `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
