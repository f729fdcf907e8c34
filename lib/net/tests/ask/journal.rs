//! The journal: what it keeps, what it is asked for, and which files it refuses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use seval_core::{Kind, Result};
use seval_net::plan::plan;
use seval_net::{Answer, Connection, Journal, Message, Model, Outcome, Request, ask};
use tempfile::TempDir;

use crate::server::{Act, Seen, Server, error, question, reply, says};
use crate::{connection, kept, limits, request};

/// A folder and the journal's path in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.db");
    (folder, path)
}

/// A run with the journal at `path`, and how many answers came from it.
fn run(path: &Path, connection: &Connection, requests: Vec<Request>) -> (Vec<Answer>, u64) {
    let models = Model::open("m", connection).unwrap();
    let journal = Journal::open(path).unwrap();
    let requests = requests.into_iter().map(Ok);
    let answers = ask(models, limits(8), kept(&journal), requests);
    let answers = answers.map(Result::unwrap).collect();
    journal.close().unwrap();
    (answers, journal.reused())
}

fn requests(count: usize) -> Vec<Request> {
    (0..count).map(request).collect()
}

/// The error of opening, which must say where.
fn refused(path: &Path, kind: Kind) -> String {
    let error = Journal::open(path).err().unwrap();
    assert_eq!(error.kind, kind, "{error}");
    assert_eq!(error.place, path.to_string_lossy());
    assert!(!error.hint.is_empty(), "{error}");
    error.to_string()
}

#[test]
fn what_was_answered_is_not_asked_again() {
    let server = Server::start(|n, seen| says(&format!("{n} to {}\0 好", question(seen))));
    let (folder, path) = place();
    let (first, reused) = run(&path, &connection(&server), requests(40));
    assert_eq!((server.count(), reused), (40, 0));
    let (again, reused) = run(&path, &connection(&server), requests(60));
    assert_eq!((server.count(), reused), (60, 40));
    assert_eq!(again[..40], first);
    assert_eq!(Journal::open(&path).unwrap().answers(), 60);
    // Closed, it is one file, which others cannot read.
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.map(|name| name.into_string().unwrap()).any(|name| name == "answers.db"));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_failed_is_asked_again_and_what_is_final_is_not() {
    let server = Server::start(|_, seen: &Seen| match question(seen).as_str() {
        "q0" => error(422, "no"),
        "q1" => Act::Pause(Duration::from_millis(400)),
        "q2" => reply(serde_json::json!({"error": {"message": "no", "code": "content_filter"}})),
        "q3" => says(""),
        "q4" => reply(serde_json::json!({"choices": [
            {"message": {"content": "cut", "reasoning": "why"}, "finish_reason": "length"}]})),
        "q5" => Act::Endless,
        _ => says("yes"),
    });
    let connection = Connection {
        idle_timeout: Duration::from_millis(100),
        max_response_bytes: 1 << 16,
        ..connection(&server)
    };
    let (_folder, path) = place();
    let (first, _) = run(&path, &connection, requests(7));
    let outcomes: Vec<_> = first.iter().map(|answer| answer.outcome).collect();
    use Outcome::*;
    assert_eq!(outcomes, [Failed, TimedOut, Filtered, Empty, Truncated, TooLarge, Answered]);
    let (again, reused) = run(&path, &connection, requests(7));
    assert_eq!((again[2..].to_vec(), reused, server.count()), (first[2..].to_vec(), 5, 9));
}

#[test]
fn what_is_sent_differently_is_asked() {
    let server = Server::start(|n, _| says(&format!("{n}")));
    let (_folder, path) = place();
    let edit = |edit: &dyn Fn(&mut Request)| {
        let mut request = request(0);
        edit(&mut request);
        request
    };
    let system = Message { role: "system".into(), content: "Be brief.".into() };
    let others = [
        request(0),
        edit(&|request| request.sample = 1),
        edit(&|request| request.decoding.temperature = Some(0.0)),
        edit(&|request| request.decoding.temperature = Some(1.0)),
        edit(&|request| request.decoding.seed = Some(1)),
        edit(&|request| request.messages.insert(0, system.clone())),
    ];
    for count in 1..=others.len() {
        let (_, reused) = run(&path, &connection(&server), others[..count].to_vec());
        assert_eq!((server.count(), reused as usize), (count, count - 1));
    }
    // What a model does not see, and how it is reached, make no other question.
    let unseen = edit(&|request| request.traits.prompt_id = "p".into());
    let patient = Connection {
        attempt_timeout: Duration::from_secs(7),
        api_key: Some("another".to_owned().into()),
        base_url: Some(format!("{}/?key=7", server.url)),
        ..connection(&server)
    };
    assert_eq!(run(&path, &patient, vec![unseen]).1, 1);
    // Another server or model is another question.
    let other = Server::start(|_, _| says("other"));
    assert_eq!(run(&path, &connection(&other), requests(1)).1, 0);
    let journal = Journal::open(&path).unwrap();
    let models = Model::open("n", &connection(&server)).unwrap();
    let once = std::iter::once(Ok(request(0)));
    assert_eq!(ask(models, limits(64), kept(&journal), once).count(), 1);
    assert_eq!((journal.reused(), journal.answers()), (0, others.len() + 2));
}

#[test]
fn the_samples_of_one_run_are_no_difference() {
    let server = Server::start(|_, _| says("yes"));
    let (_folder, path) = place();
    // Each sample has a seed of its own.
    let all = |seed: i64| {
        let sampled = move |n: usize| {
            let (mut request, sample) = (request(n / 2), n as i64 % 2);
            (request.sample, request.decoding.seed) = (sample, Some(seed + sample));
            request
        };
        (0..4).map(sampled).collect::<Vec<_>>()
    };
    run(&path, &connection(&server), all(5)[..3].to_vec());
    let differences = |seed: i64| {
        let models = Model::open("m", &connection(&server)).unwrap();
        let journal = Journal::open_to_read(&path).unwrap();
        let mut plan = plan(&models, &kept(&journal), all(seed).into_iter().map(Ok)).unwrap();
        journal.close().unwrap();
        plan.differences.sort();
        (plan.lines[0].to_send, plan.differences)
    };
    assert_eq!(differences(5), (1, Vec::new()));
    let changed = [(5, 7), (6, 8)].map(|(then, now)| {
        format!("decoding was {{\"seed\":{then}}} and is now {{\"seed\":{now}}}")
    });
    assert_eq!(differences(7), (4, changed.to_vec()));
}

#[test]
fn the_same_question_twice_is_asked_once() {
    let server = Server::start(|n, _| match n {
        0 => error(422, "no"),
        _ => Act::After(Duration::from_millis(30), Box::new(says(&format!("{n}")))),
    });
    let (_folder, path) = place();
    let same = vec![request(0); 200];
    let (answers, reused) = run(&path, &connection(&server), same);
    let answered = answers.iter().filter(|answer| answer.outcome == Outcome::Answered);
    assert!(answered.clone().all(|answer| answer.response.as_deref() == Some("1")));
    assert_eq!((answered.count(), server.count(), reused), (199, 2, 198));
}

#[test]
fn an_answer_is_on_disk_before_it_is_given() {
    let server = Server::start(|_, seen| says(&question(seen)));
    let (folder, path) = place();
    let models = Model::open("m", &connection(&server)).unwrap();
    let journal = Journal::open(&path).unwrap();
    let requests = (0..60).map(|n| Ok(request(n)));
    let limits = limits(4);
    let mut answers = ask(models, limits, kept(&journal), requests);
    for taken in 1..=60 {
        assert!(answers.next().unwrap().is_ok());
        if taken % 7 == 1 {
            // What a process that is killed now leaves behind. The file cannot change meanwhile, but
            // its log can grow, which is read to its last whole commit.
            let copy = folder.path().join(format!("{taken}.db"));
            std::fs::copy(&path, &copy).unwrap();
            std::fs::copy(folder.path().join("answers.db-wal"), with(&copy, "-wal")).unwrap();
            let kept = Journal::open(&copy).unwrap().answers();
            assert!(kept >= taken, "{kept} of {taken}");
        }
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

#[test]
fn one_run_at_a_time() {
    let (_folder, path) = place();
    for _ in 0..20 {
        let first = Journal::open(&path).unwrap();
        assert!(refused(&path, Kind::World).contains("another program has this journal open"));
        first.close().unwrap();
    }
    Journal::open(&path).unwrap();
}

#[test]
fn what_is_no_journal_is_left_as_it_is() {
    let (folder, path) = place();
    let theirs = folder.path().join("theirs.db");
    let database = rusqlite::Connection::open(&theirs).unwrap();
    database.execute_batch("CREATE TABLE answer (id INTEGER); PRAGMA user_version = 1;").unwrap();
    drop(database);
    let theirs = std::fs::read(theirs).unwrap();
    let jsonl = b"{\"prompt\":\"p\"}\n".to_vec();
    for bytes in [b"x".to_vec(), jsonl, vec![0; 5000], theirs] {
        std::fs::write(&path, &bytes).unwrap();
        assert!(refused(&path, Kind::Usage).contains("is not a journal of seval"));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    assert!(refused(folder.path(), Kind::Usage).contains("is not a file"));
    refused(&folder.path().join("none/answers.db"), Kind::World);
    assert!(Journal::open(Path::new("")).is_err());
    // Empty is what a process leaves that is killed as it makes the file.
    std::fs::write(&path, "").unwrap();
    assert_eq!(Journal::open(&path).unwrap().answers(), 0);
}

#[test]
fn a_journal_of_a_newer_seval_is_refused() {
    let (_folder, path) = place();
    Journal::open(&path).unwrap().close().unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA user_version = 3").unwrap();
    drop(database);
    assert!(refused(&path, Kind::Usage).contains("a journal of version 3, and this seval knows 2"));
}

#[test]
fn a_damaged_journal_is_an_error_and_no_answer() {
    let server = Server::start(|_, seen| says(&format!("yes to {}", question(seen)).repeat(99)));
    let (_folder, path) = place();
    let (sound, _) = run(&path, &connection(&server), requests(200));
    let whole = std::fs::read(&path).unwrap();
    let ask_all = || -> Result<Vec<Answer>> {
        let models = Model::open("m", &connection(&server)).unwrap();
        let journal = Journal::open(&path)?;
        let requests = requests(200).into_iter().map(Ok);
        let answers = ask(models, limits(64), kept(&journal), requests).collect();
        let _ = journal.close();
        answers
    };
    // A letter of a text, which SQLite cannot see; then every page once; then an end that is missing.
    let mut damaged = Vec::new();
    let at = whole.windows(9).position(|bytes| bytes == b"yes to q7").unwrap();
    damaged.push(flipped(&whole, at));
    damaged.extend((4096..whole.len()).step_by(4096 * 9).map(|at| flipped(&whole, at)));
    damaged.push(whole[..whole.len() / 2].to_vec());
    let mut errors = 0;
    for bytes in damaged {
        std::fs::write(&path, &bytes).unwrap();
        match ask_all() {
            Err(error) => {
                assert_eq!(error.kind, Kind::Data, "{error}");
                assert!(error.to_string().contains("the journal is damaged"), "{error}");
                errors += 1;
            }
            Ok(answers) => assert_eq!(answers.len(), sound.len()),
        }
        let _ = std::fs::remove_file(with(&path, "-wal"));
    }
    assert!(errors > 3, "{errors}");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(ask_all().unwrap(), sound);
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}
