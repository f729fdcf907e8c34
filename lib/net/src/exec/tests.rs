use super::*;
use crate::exchange::{Decoding, Message, Traits, Usage};
use futures::future::{join, join_all};
use std::future::Future;
use tokio::time::timeout;

/// Puts the id of the line that was read into `$n`.
const READ: &str = "read -r l; n=${l#*:}; n=${n%%,*};";

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A shell with a script that has no `'` in it.
fn sh(script: &str) -> Exec {
    Exec::start(&format!("sh -c '{script}'")).unwrap()
}

/// A shell that runs `script` for each request, with its id in `$n`.
fn each(script: &str) -> Exec {
    sh(&format!("while {READ} test -n \"$n\"; do {script}; done"))
}

fn request() -> Request {
    Request {
        model: 0,
        sample: 0,
        decoding: Decoding { temperature: Some(0.5), ..Decoding::default() },
        messages: vec![Message::user("How,\n\"you\"?")],
        traits: Traits::default(),
    }
}

fn ask(exec: &Exec) -> Result<Answer> {
    run(exec.ask("m", &request()))
}

#[test]
fn a_reply_has_all_its_parts() {
    let exec = each(
        r#"printf "{\"id\":$n,\"response\":\"r$n\",\"finish_reason\":\"stop\",\"reasoning\":\"t\",";
        printf "\"error\":\"\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}\n\n""#,
    );
    for response in ["r1", "r2"] {
        let answer = ask(&exec).unwrap();
        assert_eq!(answer.outcome, Outcome::Answered, "{answer:?}");
        assert_eq!(answer.response.as_deref(), Some(response));
        assert_eq!(answer.reasoning.as_deref(), Some("t"));
        assert_eq!(answer.finish_reason.as_deref(), Some("stop"));
        let (input_tokens, output_tokens) = (Some(3), Some(4));
        assert_eq!(answer.usage, Usage { input_tokens, output_tokens, ..Usage::default() });
    }
}

#[test]
fn a_request_is_one_line_with_the_settings_that_are_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it is here");
    let exec = Exec::start(&format!("tee \"{}\"", path.display())).unwrap();
    // A request is no reply, but it has an id.
    let answer = ask(&exec).unwrap();
    assert_eq!(answer.outcome, Outcome::Failed);
    let cause = "the command's reply has neither a text `response` nor an `error`";
    assert_eq!(answer.error.as_deref(), Some(cause));
    drop(exec);
    let line = concat!(
        r#"{"id":1,"model":"m","messages":[{"role":"user","content":"How,\n\"you\"?"}],"#,
        r#""temperature":0.5}"#,
        "\n"
    );
    assert_eq!(std::fs::read_to_string(path).unwrap(), line);
}

#[test]
fn replies_come_in_any_order() {
    // The second of each two first.
    let exec = each(
        r#"m=$n; read -r l; n=${l#*:}; n=${n%%,*};
        printf "{\"id\":$n,\"response\":\"r$n\"}\n{\"id\":\"$m\",\"response\":\"r$m\"}\n""#,
    );
    let request = request();
    let answers = run(join_all((0..500).map(|_| exec.ask("m", &request))));
    for (id, answer) in (1..).zip(answers) {
        assert_eq!(answer.unwrap().response, Some(format!("r{id}")));
    }
}

#[test]
fn a_failure_is_an_answer() {
    for (reply, outcome, error) in [
        (r#"\"error\":\"no luck\""#, Outcome::Failed, Some("no luck")),
        (
            r#"\"error\":{\"message\":\"no\",\"code\":\"content_filter\"}"#,
            Outcome::Filtered,
            Some("no"),
        ),
        (r#"\"response\":\"a\",\"finish_reason\":\"length\""#, Outcome::Truncated, None),
        (r#"\"response\":null"#, Outcome::Empty, None),
        (r#"\"response\":\" \""#, Outcome::Empty, None),
        (
            r#"\"response\":5"#,
            Outcome::Failed,
            Some("the command's reply has neither a text `response` nor an `error`"),
        ),
    ] {
        let answer = ask(&each(&format!(r#"printf "{{\"id\":$n,{reply}}}\n""#))).unwrap();
        assert_eq!((answer.outcome, answer.error.as_deref()), (outcome, error), "{reply}");
    }
}

#[test]
fn a_command_that_breaks_the_rules_ends_the_run() {
    let good = r#"{\"id\":$n,\"response\":\"a\"}\n"#;
    for (script, what) in [
        (r#"echo Loading"#.to_owned(), "printed a line that is not JSON: "),
        (r#"echo 5"#.to_owned(), "printed a line without an `id`: 5; it must print one JSON"),
        (r#"echo "{\"response\":\"a\"}""#.to_owned(), "printed a line without an `id`: {"),
        (r#"echo "{\"id\":7}""#.to_owned(), "answered request 7, which it was not asked; it"),
        (r#"echo "{\"id\":0}""#.to_owned(), "answered request 0, which it was not asked"),
        (format!(r#"printf "{good}{good}""#), "answered request 1 twice"),
        (
            r#"head -c 17000000 /dev/zero | tr "\0" x"#.to_owned(),
            "printed a line of more than 16 MiB; it must",
        ),
        ("exit 3".to_owned(), "ended (exit status: 3)"),
        (r#"printf "{\"id\":1,\"resp"; exit 0"#.to_owned(), "ended (exit status: 0)"),
        (
            "echo one >&2; echo the cause >&2; echo >&2; exit 1".to_owned(),
            "the command ended (exit status: 1); its last words: the cause",
        ),
        ("kill -9 $$".to_owned(), "ended (signal: 9"),
    ] {
        let exec = each(&script);
        // Two, since the first is answered where the second answer is what is wrong.
        let error = ask(&exec).and_then(|_| ask(&exec)).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let error = error.to_string();
        assert!(error.starts_with("exec:sh -c ") && error.contains(what), "{script}: {error}");
        // And it is the end.
        assert_eq!(ask(&exec).unwrap_err().to_string(), error);
    }
}

#[test]
fn what_was_printed_before_the_end_counts() {
    let exec = sh(&format!(r#"{READ} printf "{{\"id\":$n,\"response\":\"a\"}}"; exit 4"#));
    let request = request();
    let (one, other) = (exec.ask("m", &request), exec.ask("m", &request));
    let (one, other) = run(join(one, other));
    assert_eq!(one.unwrap().response.as_deref(), Some("a"));
    assert!(other.unwrap_err().to_string().contains("ended (exit status: 4)"));
}

#[test]
fn much_on_stderr_blocks_nothing_and_only_its_end_is_kept() {
    let noise = "head -c 1000000 /dev/zero | tr \"\\0\" x >&2; echo >&2; echo last >&2";
    let exec = each(&format!(r#"{noise}; printf "{{\"id\":$n,\"response\":\"a\"}}\n""#));
    assert_eq!(ask(&exec).unwrap().response.as_deref(), Some("a"));
    let kept = || lock(&exec.shared.stderr).clone();
    (0..60).find_map(|_| wait_until(|| kept().ends_with(b"last\n").then_some(()))).unwrap();
    assert_eq!(kept().len(), STDERR_BYTES);
}

#[test]
fn a_late_answer_is_let_be() {
    // The answer to the first request comes with that to the second.
    let exec = each(
        r#"m=$n; read -r l; n=${l#*:}; n=${n%%,*};
        printf "{\"id\":$m,\"response\":\"r$m\"}\n{\"id\":$n,\"response\":\"r$n\"}\n""#,
    );
    run(async {
        let request = request();
        let late = timeout(Duration::from_millis(100), exec.ask("m", &request)).await;
        assert!(late.is_err());
        assert_eq!(exec.ask("m", &request).await.unwrap().response.as_deref(), Some("r2"));
    });
    let state = lock(&exec.shared.state);
    assert!(state.given_up.is_empty() && state.waiting.is_empty(), "{state:?}");
}

#[test]
fn a_command_that_hangs_is_killed_in_the_end() {
    let exec = Exec::start("sleep 600").unwrap();
    let id = lock(&exec.shared.child).id().to_string();
    // More than a pipe takes, so that the writing thread hangs as well.
    let mut request = request();
    request.messages = vec![Message::user("x".repeat(1 << 20))];
    run(async {
        let wait = Duration::from_millis(50);
        assert!(timeout(wait, exec.ask("m", &request)).await.is_err());
        assert!(timeout(wait, exec.ask("m", &request)).await.is_err());
    });
    let lives = || Command::new("kill").args(["-0", &id]).output().unwrap().status.success();
    assert!(lives());
    let start = Instant::now();
    drop(exec);
    assert!(!lives());
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn the_end_of_the_requests_is_the_end_of_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bye");
    let exec = sh(&format!("cat; echo bye >{}", path.display()));
    assert_eq!(ask(&exec).unwrap().outcome, Outcome::Failed);
    drop(exec);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "bye\n");
}

#[test]
fn a_command_that_reads_no_more_ends_the_run() {
    let exec = sh("exec 0<&-; echo closed >&2; exec sleep 600");
    let is_closed = || (!lock(&exec.shared.stderr).is_empty()).then_some(());
    (0..60).find_map(|_| wait_until(is_closed)).unwrap();
    let error = ask(&exec).unwrap_err().to_string();
    let what =
        "the command reads no more requests: Broken pipe (os error 32); its last words: clos";
    assert!(error.contains(what), "{error}");
}

#[test]
fn words_are_those_of_a_shell_without_its_tricks() {
    for (command, expected) in [
        ("", &[][..]),
        ("  a \t b\n", &["a", "b"]),
        ("a 'b  c' \"d 'e'\" ''", &["a", "b  c", "d 'e'", ""]),
        (r#"a\ b "c\"d\\e\nf" 'g\h' i\\j"#, &["a b", r#"c"d\e\nf"#, r"g\h", r"i\j"]),
        ("pre'fix'\"ed\" $HOME *|;", &["prefixed", "$HOME", "*|;"]),
    ] {
        assert_eq!(words(command).unwrap(), expected, "{command}");
    }
    for command in ["'a", "a \"b", "\"a\\"] {
        assert!(words(command).unwrap_err().contains("is not closed"), "{command}");
    }
    assert!(words("a\\").unwrap_err().contains("backslash"));
}

#[test]
fn a_command_that_cannot_start_says_so() {
    for (command, what) in [
        ("", "exec:: no command; write exec:COMMAND"),
        ("'", "exec:': the command has a quotation mark that is not closed"),
        ("/none/such x", "exec:/none/such x: cannot start `/none/such`: No such file"),
    ] {
        let error = Exec::start(command).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().starts_with(what), "{error}");
    }
}
