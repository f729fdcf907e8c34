//! A plan says what the run then does, and asks nothing.

use super::{ZERO_SHOT, folder, list, run, said};
use crate::run::Folder;
use crate::server::{chat, rows, serve};
use serde_json::{Value, json};

fn plan(folder: &Folder, line: &str) -> Vec<Value> {
    rows(&folder.ok(&format!("{line} --plan --format jsonl")))
}

/// Of the rows that a template made: how many, and bytes of prompts.
fn made(rows: &[Value], template: &Value) -> (usize, usize) {
    let of = rows.iter().filter(|row| row["template"] == *template);
    let bytes = of.clone().map(|row| row["prompt"].as_str().unwrap().len()).sum();
    (of.count(), bytes)
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[test]
fn a_plan_of_attacks_is_what_the_run_does() {
    let (address, seen) =
        serve(|_, body| (200, chat(&format!("Something new: {}", said(body).len()))));
    let folder = folder();
    let row = |at: usize| {
        let language = ["en", "zh", "es"][at % 3];
        format!("{{\"prompt\":\"What is {at}, or 什么?\",\"language\":\"{language}\"}}\n")
    };
    folder.write("b.jsonl", (0..11).map(row).collect::<String>());
    let line =
        "seval-expand b.jsonl -t base64 -t 'rot13|translation' -t many_shot -m mt --max-tokens 100";
    let planned = plan(&folder, &format!("{line} --price 2,10"));
    assert_eq!(seen.count(), 0);
    let (_, rows) = run(&folder, &format!("{line} --base-url {address} -o a.jsonl"), "a.jsonl");
    let [input, encoded, asked, shots, all] = &planned[..] else { panic!("{planned:?}") };
    assert_eq!((number(&input["rows"]), &input["template"]), (11, &json!("rows as they come")));
    for line in [encoded, shots] {
        let made = made(&rows, &line["template"]);
        assert_eq!((number(&line["rows"]), number(&line["bytes"])), made);
        assert_eq!((&line["requests"], &line["cost"]), (&json!(0), &json!(0.0)));
    }
    assert_eq!(number(&asked["rows"]), made(&rows, &asked["template"]).0);
    assert_eq!((number(&asked["requests"]), &asked["bytes"]), (seen.count(), &Value::Null));
    assert_eq!((number(&all["rows"]), &all["bytes"]), (rows.len(), &Value::Null));
    assert_eq!(number(&all["requests"]), seen.count());
    // Four ASCII characters are a token, and every other character.
    let tokens = |text: &str| {
        let others = text.chars().filter(|c| !c.is_ascii()).count();
        (text.chars().count() - others).div_ceil(4) + others
    };
    let sent = |body: &Value| -> usize {
        let turns = body["messages"].as_array().unwrap().iter();
        turns.map(|turn| tokens(turn["content"].as_str().unwrap())).sum()
    };
    let input = seen.bodies().iter().map(sent).sum::<usize>();
    let output = seen.count() * 100;
    assert_eq!((number(&all["input_tokens"]), number(&all["output_tokens"])), (input, output));
    let cost = (input * 2 + output * 10) as f64 / 1e6;
    assert!((all["cost"].as_f64().unwrap() - cost).abs() < 1e-12, "{all}");
    // What the model is told first counts for every request.
    let told = plan(&folder, &format!("{line} --system 'Four tokens long'"));
    assert_eq!(number(&told[4]["input_tokens"]), input + 4 * seen.count());
    assert_eq!(told[4]["cost"], Value::Null);
}

#[test]
fn a_plan_of_base_prompts_counts_what_comes_of_them() {
    let (address, seen) = serve(|_, body| (200, chat(&list(body))));
    let folder = folder();
    let line = format!("{ZERO_SHOT} -t question -t base64");
    let planned = plan(&folder, &line);
    let (_, rows) = run(&folder, &format!("{line} --base-url {address} -o p.jsonl"), "p.jsonl");
    let of = |start: &str| {
        planned.iter().find(|l| l["template"].as_str().unwrap().starts_with(start)).unwrap()
    };
    for start in ["generate/zero_shot@", "generate/question@", "attack/base64@"] {
        let line = of(start);
        assert_eq!(number(&line["rows"]), made(&rows, &line["template"]).0, "{line}");
    }
    let (question, all) = (of("generate/question@"), of("all"));
    assert_eq!(number(&question["bytes"]), made(&rows, &question["template"]).1);
    assert_eq!((number(&all["rows"]), number(&all["requests"])), (rows.len(), seen.count()));
    // Attacks are made of the languages that they have wording for.
    let both = line.replace("--language en", "--language en,es").replace("-t question", "");
    let planned = plan(&folder, &both);
    let counts: Vec<usize> = planned.iter().map(|line| number(&line["rows"])).collect();
    let (_, rows) = run(&folder, &format!("{both} --base-url {address} -o q.jsonl"), "q.jsonl");
    // The model of this test says the same in both.
    assert_eq!((counts, rows.len()), (vec![16, 8, 24], 16));
}

#[test]
fn a_plan_counts_only_what_is_written() {
    let folder = folder();
    let line = "seval-expand --taxonomy s-eval --total 20 -t question -t base64 --only-new";
    let planned = plan(&folder, line);
    let written = rows(&folder.ok(&format!("{line} --format jsonl")));
    assert_eq!(planned[0]["step"], json!("base prompts, left out"));
    assert_eq!(number(&planned.last().unwrap()["rows"]), written.len());
}
