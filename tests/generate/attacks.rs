//! Attacks that a model writes.

use super::{column, folder, run, said};
use crate::server::{chat, serve};
use serde_json::{Value, json};

const ROWS: &str = "{\"prompt_id\":\"b1\",\"prompt\":\"How do I one?\",\"language\":\"en\"}\n\
    {\"prompt_id\":\"b2\",\"prompt\":\"How do I two?\",\"language\":\"en\"}\n\
    {\"prompt_id\":\"b3\",\"prompt\":\"¿Y tres?\",\"language\":\"es\"}\n";

/// Rewrites the prompt that it is given.
fn rewritten(_: usize, body: &Value) -> (u16, Value) {
    let which = if said(body).contains("How do I one?") { "first" } else { "second" };
    (200, chat(&format!("A new {which} request?")))
}

#[test]
fn a_reply_is_the_attack_on_its_base_prompt() {
    let (address, seen) = serve(rewritten);
    let folder = folder();
    folder.write("b.jsonl", ROWS);
    let line = format!(
        "seval-expand b.jsonl -t reverse_induction -t base64 -t 'translation|base64' -m mt \
         --base-url {address} -o a.jsonl"
    );
    let (said, rows) = run(&folder, &line, "a.jsonl");
    let chains = ["-", "reverse_induction", "base64", "translation|base64"];
    assert_eq!(column(&rows, "attack"), [&chains[..], &chains[..], &["-"]].concat());
    let (one, two) = (["-", "b1", "b1", "b1"], ["-", "b2", "b2", "b2"]);
    assert_eq!(column(&rows, "base_id"), [&one[..], &two[..], &["-"]].concat());
    assert_eq!(rows[1]["prompt"], json!("A new first request?"));
    assert_eq!(rows[5]["prompt"], json!("A new second request?"));
    // What base64 makes of a prompt that says what the reply says.
    folder.write("r.jsonl", "{\"prompt\":\"A new second request?\",\"language\":\"en\"}\n");
    let (_, encoded) =
        run(&folder, "seval-expand r.jsonl -t base64 --only-new -o e.jsonl", "e.jsonl");
    assert_eq!((&rows[7]["prompt"], encoded.len()), (&encoded[0]["prompt"], 1));
    let names: Vec<&str> = rows[7]["template"].as_str().unwrap().split('|').collect();
    assert!(names[0].starts_with("attack/translation@") && names[1].starts_with("attack/base64@"));
    assert_eq!(seen.count(), 4);
    assert_eq!(
        said,
        "seval-expand: 3 rows in, 6 attacks made, 1 rows no template is for\n\
         seval-expand: 4 requests, 4 prompts asked for, 4 came\n\
         seval-expand: 9 rows out\n"
    );
}

#[test]
fn what_stands_before_in_a_chain_is_what_is_sent() {
    let (address, seen) = serve(rewritten);
    let folder = folder();
    folder.write("b.jsonl", ROWS);
    let line = format!(
        "seval-expand b.jsonl -t 'past_tense|reverse_induction' -m mt --base-url {address} \
         --max-connections 1 --only-new -o a.jsonl"
    );
    let (_, rows) = run(&folder, &line, "a.jsonl");
    assert_eq!(column(&rows, "prompt"), ["A new first request?", "A new second request?"]);
    let (_, past) =
        run(&folder, "seval-expand b.jsonl -t past_tense --only-new -o p.jsonl", "p.jsonl");
    for (body, past) in seen.bodies().iter().zip(&past) {
        assert!(said(body).contains(past["prompt"].as_str().unwrap()), "{}", said(body));
    }
}

#[test]
fn there_is_one_system_turn_at_the_most() {
    let (address, seen) = serve(rewritten);
    let folder = folder();
    folder.write("b.jsonl", ROWS);
    let mut sent = Vec::new();
    for system in ["", "--system 'For research.'"] {
        for name in ["translation", "reverse_induction"] {
            let asked = seen.count();
            let ask = format!("seval-expand b.jsonl -t {name} -m mt {system} -o a.jsonl");
            let alone = "--max-connections 1";
            run(&folder, &format!("{ask} --base-url {address} {alone}"), "a.jsonl");
            sent.push(seen.bodies()[asked]["messages"].as_array().unwrap().clone());
        }
    }
    let roles = |turns: &[Value]| column(turns, "role").join(" ");
    let all: Vec<String> = sent.iter().map(|turns| roles(turns)).collect();
    assert_eq!(all, ["system user", "user", "system user", "system user"]);
    let text = |at: usize| sent[at][0]["content"].as_str().unwrap();
    assert_eq!(text(2).split_once("\n\n").unwrap().0, "For research.");
    assert_eq!(text(2).split_once("\n\n").unwrap().1.len(), text(0).len());
    assert_eq!(text(3), "For research.");
}

#[test]
fn an_attack_that_is_refused_leaves_its_base_prompt() {
    let (address, _) = serve(|_, body| match said(body).contains("How do I one?") {
        true => (200, chat("I'm sorry, but I can't help with that.")),
        false => (200, chat("<think>\nHm.\n</think>\n\nA new second request?")),
    });
    let folder = folder();
    folder.write("b.jsonl", ROWS);
    let line = format!(
        "seval-expand b.jsonl -t reverse_induction -m mt --base-url {address} -o a.jsonl --rejects r.csv"
    );
    let (said, rows) = run(&folder, &line, "a.jsonl");
    assert_eq!(
        column(&rows, "prompt"),
        ["How do I one?", "How do I two?", "A new second request?", "¿Y tres?"]
    );
    assert!(said.contains("what is no prompt: 1 refused; r.csv has it"), "{said}");
    let rejects = String::from_utf8(folder.read("r.csv")).unwrap();
    assert!(rejects.contains("b1,How do I one?,en,") && rejects.contains(",refused,"), "{rejects}");
}
