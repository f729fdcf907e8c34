//! A generation that ends in the middle, and is run again.

use super::{ZERO_SHOT, column, folder, leaf, list, run};
use crate::run::{Folder, PROGRAMS};
use crate::server::{chat, rows, serve};
use serde_json::Value;
use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_killed_generation_goes_on_where_it_was() {
    const LEAVES: usize = 40;
    const CONNECTIONS: usize = 4;
    let mut taxonomy = "about = 'x'\nsource = 'seval'\n".to_owned();
    for at in 0..LEAVES {
        let _ = write!(taxonomy, "[[risk]]\nid = 'r{at}'\nen = 'R{at}'\nabout = ''\n");
        taxonomy.push_str("topics.en = ['t']\n");
    }
    let (address, seen) = serve(|_, body| {
        std::thread::sleep(Duration::from_millis(10));
        let said = super::said(body);
        let risk = said.split("Risk: ").nth(1).unwrap().lines().next().unwrap();
        (200, chat(&format!("1. What is {risk}?\n2. And what of {risk}?")))
    });
    let arguments = format!(
        "-q --taxonomy t.toml -t zero_shot --language en --per-leaf 2 -m mt --base-url {address} \
         --max-connections {CONNECTIONS} --journal j.db -o p.parquet --rejects r.jsonl"
    );
    let folder = Folder::new();
    folder.write("t.toml", &taxonomy);
    let expand = PROGRAMS.iter().find(|(name, _)| *name == "seval-expand").unwrap().1;
    let mut killed = Command::new(expand)
        .args(arguments.split(' '))
        .current_dir(folder.path(""))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while seen.count() < LEAVES / 2 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    assert!(!killed.wait().unwrap().success());
    let names = folder.names();
    assert!(
        !names.iter().any(|name| ["p.parquet", "r.jsonl"].contains(&name.as_str())),
        "{names:?}"
    );
    assert!(seen.count() < LEAVES);
    folder.ok(&format!("seval-expand {arguments}"));
    assert!((LEAVES..=LEAVES + CONNECTIONS).contains(&seen.count()), "{}", seen.count());
    let asked = seen.count();
    let other = Folder::new();
    other.write("t.toml", &taxonomy);
    other.ok(&format!("seval-expand {arguments}"));
    assert_eq!(seen.count() - asked, LEAVES);
    assert_eq!(folder.read("p.parquet"), other.read("p.parquet"));
    let text = other.ok("seval-agg --sql 'SELECT * FROM input' p.parquet --format jsonl");
    assert_eq!(rows(&text).len(), 2 * LEAVES);
}

#[test]
fn asking_the_same_again_is_another_sample() {
    // Each reply says something new.
    let (address, seen) = serve(|number, body| {
        let list = list(body).replace("words", &format!("words of reply {number}"));
        (200, chat(&list))
    });
    let folder = folder();
    let line = ZERO_SHOT.replace("--per-leaf 4", "--per-leaf 8");
    let line = format!("{line} --base-url {address} --max-connections 1 --journal j.db -o p.jsonl");
    let (_, first) = run(&folder, &line, "p.jsonl");
    let bodies = seen.bodies();
    assert_eq!((bodies.len(), first.len()), (4, 16));
    assert!(bodies[0] == bodies[1] && bodies[1] != bodies[2] && bodies[2] == bodies[3]);
    let (said, second) = run(&folder, &line, "p.jsonl");
    assert_eq!((first, seen.count()), (second, 4));
    assert!(
        said.contains("4 requests (4 answered before), 16 prompts asked for, 16 came"),
        "{said}"
    );
    // More of the same leaves: only the new samples are asked.
    let more = line.replace("--per-leaf 8", "--per-leaf 12");
    assert_eq!((run(&folder, &more, "p.jsonl").1.len(), seen.count()), (24, 6));
}

#[test]
fn what_a_model_wrote_before_is_no_new_prompt() {
    let (address, _) = serve(|_, body: &Value| match leaf(body) {
        "Left" => (200, chat(&list(body))),
        _ => (200, chat("1. what about LEFT in 2 words?\n2. What about Right?")),
    });
    let folder = folder();
    let line = ZERO_SHOT.replace("--per-leaf 4", "--per-leaf 8");
    let line = format!("{line} --base-url {address} -o p.jsonl --rejects r.jsonl");
    let (said, prompts) = run(&folder, &line, "p.jsonl");
    assert_eq!(prompts.len(), 5);
    assert_eq!(column(&prompts, "prompt")[4], "What about Right?");
    assert!(said.contains("4 requests, 16 prompts asked for, 5 came"), "{said}");
    assert!(said.contains("what is no prompt: 7 the same as another; r.jsonl has it"), "{said}");
    let rejects = rows(&String::from_utf8(folder.read("r.jsonl")).unwrap());
    assert_eq!(column(&rejects, "reason"), ["the same as another"; 7]);
}
