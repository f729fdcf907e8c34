//! Requests and replies as files, for another program to do the asking.

use super::{ZERO_SHOT, column, folder, list, run, said};
use crate::run::Folder;
use crate::server::{chat, rows, serve};
use serde_json::{Value, json};

/// What the model says, to either kind of request.
fn reply(body: &Value) -> String {
    match said(body).contains("Risk: ") {
        true => format!("{}5. One too many?", list(body)),
        false => format!("New: {}", said(body).lines().last().unwrap()),
    }
}

/// The result file of a batch, not in the order of the requests.
fn answered(requests: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = rows(requests)
        .iter()
        .map(|line| {
            let body = chat(&reply(&line["body"]));
            json!({"id": "x", "custom_id": line["custom_id"], "error": null,
                   "response": {"status_code": 200, "request_id": "y", "body": body}})
        })
        .collect();
    lines.reverse();
    let middle = lines.len() / 2;
    lines.rotate_left(middle);
    lines
}

fn write(folder: &Folder, name: &str, lines: &[Value]) {
    folder.write(name, lines.iter().map(|line| format!("{line}\n")).collect::<String>());
}

fn text(folder: &Folder, name: &str) -> String {
    String::from_utf8(folder.read(name)).unwrap()
}

#[test]
fn replies_from_a_file_give_the_rows_of_a_server() {
    let (address, seen) = serve(|_, body| (200, chat(&reply(body))));
    let folder = folder();
    let row = |at: usize| format!("{{\"prompt\":\"Prompt {at}?\",\"language\":\"en\"}}\n");
    folder.write("b.jsonl", (0..7).map(row).collect::<String>());
    let attack = "seval-expand b.jsonl -t translation -t base64 -m mt --temperature 0.5";
    let more = ZERO_SHOT.replace("--per-leaf 4", "--per-leaf 8");
    for (line, requests, made) in [(more.as_str(), 4, 8), (attack, 7, 21)] {
        let said = folder.bash(&format!("{line} --emit-requests -o r.jsonl"));
        let said = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said, format!("seval-expand: {requests} requests out\n"));
        let lines = rows(&text(&folder, "r.jsonl"));
        assert_eq!(lines.len(), requests);
        for line in &lines {
            assert_eq!(
                (&line["method"], &line["url"]),
                (&json!("POST"), &json!("/v1/chat/completions"))
            );
            assert_eq!(line["body"]["model"], json!("mt"));
        }
        write(&folder, "a.jsonl", &answered(&text(&folder, "r.jsonl")));
        let asked = seen.count();
        let live = format!("{line} --base-url {address} -o live.jsonl --rejects live_r.jsonl");
        assert_eq!(
            (run(&folder, &live, "live.jsonl").1.len(), seen.count() - asked),
            (made, requests)
        );
        let file = format!("{line} --from-replies a.jsonl -o file.jsonl --rejects file_r.jsonl");
        folder.ok(&file);
        assert_eq!(text(&folder, "file.jsonl"), text(&folder, "live.jsonl"));
        assert_eq!(text(&folder, "file_r.jsonl"), text(&folder, "live_r.jsonl"));
        assert_eq!(seen.count() - asked, requests);
        // What the server was asked is what the file says.
        let bodies = seen.bodies();
        let sent: Vec<String> = bodies[asked..].iter().map(Value::to_string).collect();
        assert!(lines.iter().all(|line| sent.contains(&line["body"].to_string())));
    }
}

#[test]
fn missing_and_foreign_replies_are_said() {
    let folder = folder();
    folder.ok(&format!("{ZERO_SHOT} --emit-requests -o r.jsonl"));
    let mut lines = answered(&text(&folder, "r.jsonl"));
    let foreign =
        json!({"custom_id": "request-1", "response": {"status_code": 200, "body": chat("1. x")}});
    lines[0] = foreign;
    write(&folder, "a.jsonl", &lines);
    let take = format!("{ZERO_SHOT} --from-replies a.jsonl -o p.jsonl --rejects x.jsonl");
    let (said, prompts) = run(&folder, &take, "p.jsonl");
    assert_eq!(prompts.len(), 4);
    assert!(said.contains("1 failed, 1 more than asked for; x.jsonl has it"), "{said}");
    assert!(said.contains("warning: replies to requests that were not made here: 1\n"), "{said}");
    let rejects = rows(&text(&folder, "x.jsonl"));
    let failed = rejects.iter().position(|row| row["reason"] == json!("failed")).unwrap();
    assert_eq!(column(&rejects, "reply")[failed], "no reply to this request in a.jsonl");

    // Other flags make other requests.
    std::fs::remove_file(folder.path("p.jsonl")).unwrap();
    let said = folder.fails(1, &format!("{take} --temperature 1"));
    let wanted = "model mt: no prompt came of 2 requests: 2 failed (the first: no reply to this \
                  request in a.jsonl); give the replies to --emit-requests, and the flags that it was given";
    assert!(said.contains(wanted), "{said}");
    assert!(!folder.names().contains(&"p.jsonl".to_owned()));
    // The requests are no replies.
    let said = folder.fails(5, &take.replace("a.jsonl", "r.jsonl"));
    assert!(said.contains("r.jsonl: line 1: ") && said.contains("not the requests"), "{said}");
}

#[test]
fn attacks_on_base_prompts_that_need_no_model_can_be_asked_elsewhere() {
    let folder = folder();
    let line = "seval-expand --taxonomy t.toml -t question -t translation --language en -m mt";
    let said = folder.bash(&format!("{line} --emit-requests -o r.jsonl"));
    assert_eq!(String::from_utf8(said.stderr).unwrap(), "seval-expand: 3 requests out\n");
    write(&folder, "a.jsonl", &answered(&text(&folder, "r.jsonl")));
    let (_, rows) = run(&folder, &format!("{line} --from-replies a.jsonl -o p.jsonl"), "p.jsonl");
    assert_eq!(
        column(&rows, "attack"),
        ["-", "translation", "-", "translation", "-", "translation"]
    );
    // The same prompt twice is asked once.
    folder.write("b.jsonl", "{\"prompt\":\"p one\",\"language\":\"en\"}\n".repeat(3));
    let line = "seval-expand b.jsonl -t reverse_induction -m mt";
    let said = folder.bash(&format!("{line} --emit-requests -o r.jsonl"));
    assert_eq!(
        String::from_utf8(said.stderr).unwrap(),
        "seval-expand: 1 requests out; 2 more are the same as one of them\n"
    );
    write(&folder, "a.jsonl", &answered(&text(&folder, "r.jsonl")));
    let line = format!("{line} --from-replies a.jsonl --only-new -o p.jsonl");
    assert_eq!(run(&folder, &line, "p.jsonl").1.len(), 3);
}
