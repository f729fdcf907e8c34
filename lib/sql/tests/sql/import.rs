//! What the importers do with files that are not quite as published.

use serde_json::{Value, json};

use crate::rows::column;
use crate::templates::Template;

const ATTACKS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const UNLINKED: &str = "no base prompt at this position: base_id is empty";
const MD5: &str = "traceid is not the md5 of the prompt";

/// A line as S-Eval writes it; the trace is not the md5 of anything.
fn line(trace: &str, risk: &str, prompt: &str, ext: &Value) -> String {
    json!({"traceid": trace, "risk_type": risk, "prompt": prompt, "ext": ext.to_string()})
        .to_string()
        + "\n"
}

fn english(risks: &[&str]) -> String {
    let line = |(i, risk): (usize, &&str)| {
        let ext = json!({"model": "base_risk", "from_traceid": format!("zh{i}")});
        line(&format!("en{i}"), risk, &format!("What is number {i} of {risk}?"), &ext)
    };
    risks.iter().enumerate().map(line).collect()
}

fn chinese(risks: &[&str]) -> String {
    let line = |(i, risk): (usize, &&str)| {
        line(
            &format!("zh{i}"),
            risk,
            &format!("第{i}个{risk}是什么？"),
            &json!({"model": "base_risk"}),
        )
    };
    // Not in the order of the English file.
    risks.iter().enumerate().map(line).rev().collect()
}

fn attacks(risks: &[&str], text: &str) -> String {
    let mut lines = String::new();
    for attack in ATTACKS {
        for (i, risk) in risks.iter().enumerate() {
            let ext = json!({"model": "attack", "category": attack});
            lines += &line(&format!("at{i}"), risk, &format!("{attack} {text} {i}"), &ext);
        }
    }
    lines
}

/// Imports files in the order given.
fn imported(files: &[String]) -> Vec<Value> {
    let files: Vec<(String, String)> =
        files.iter().enumerate().map(|(i, text)| (format!("{i}.jsonl"), text.clone())).collect();
    Template::named("import/s-eval").run(&files)
}

fn linked(rows: &[Value]) -> usize {
    rows.iter().filter(|row| !row["base_id"].is_null()).count()
}

#[test]
fn chinese_attacks_follow_the_english_order() {
    let risks = ["x_y", "z", "x_y"];
    let rows = imported(&[attacks(&risks, "问"), chinese(&risks), english(&risks)]);
    assert_eq!(rows.len(), 36);
    assert_eq!(linked(&rows), 30);
    // Row 1 of a block belongs to English row 1, which is the last row but one of the Chinese file.
    assert_eq!(rows[1]["base_id"], rows[31]["prompt_id"]);
    assert_eq!(rows[31]["source_id"], "zh1");
    assert_eq!(rows[34]["pair_id"], rows[31]["pair_id"]);
    assert_eq!(rows[0]["risk_dimension"], "x y");
    assert!(column(&rows, "_warning").iter().all(|warning| **warning == MD5));
}

#[test]
fn what_is_not_given_is_not_linked() {
    let risks = ["x", "z"];
    let alone = imported(&[attacks(&risks, "问")]);
    assert_eq!((alone.len(), linked(&alone)), (20, 0));
    assert_eq!(alone[0]["_warning"], format!("{MD5}; {UNLINKED}"));
    assert!(alone[0]["pair_id"].is_null());
    // Without the Chinese base nobody knows the prompt, without the English one the order.
    assert_eq!(linked(&imported(&[attacks(&risks, "问"), english(&risks)])), 0);
    assert_eq!(linked(&imported(&[attacks(&risks, "问"), chinese(&risks)])), 0);
    assert_eq!(linked(&imported(&[attacks(&risks, "ask"), english(&risks)])), 20);
}

#[test]
fn doubtful_positions_are_not_linked() {
    let risks = ["x", "z"];
    // Another number of rows.
    assert_eq!(linked(&imported(&[english(&["x", "z", "x"]), attacks(&risks, "ask")])), 0);
    // Another risk at some positions.
    assert_eq!(linked(&imported(&[english(&["x", "x"]), attacks(&risks, "ask")])), 10);
    // Blocks that mix attacks.
    let mixed = attacks(&risks, "ask").replacen("\\\"a\\\"", "\\\"b\\\"", 1);
    assert_eq!(linked(&imported(&[english(&risks), mixed])), 18);
    // Base rows among the attacks.
    let both = attacks(&["x"], "ask") + &english(&risks);
    assert_eq!(linked(&imported(&[english(&["x"]), both])), 0);
}

#[test]
fn of_two_base_files_the_agreeing_one_is_meant() {
    let other = english(&["z", "z"]).replace("number", "other");
    let rows = imported(&[other, english(&["x", "z"]), attacks(&["x", "z"], "ask")]);
    assert_eq!(linked(&rows), 20);
    assert_eq!(rows[4]["base_id"], rows[2]["prompt_id"]);
    assert_eq!(rows[5]["base_id"], rows[3]["prompt_id"]);
}

#[test]
fn a_file_given_twice_gives_every_row_twice() {
    let risks = ["x", "z"];
    let files = [chinese(&risks), english(&risks), attacks(&risks, "问")];
    let twice: Vec<String> = files.iter().chain(&files).cloned().collect();
    let rows = imported(&twice);
    assert_eq!((rows.len(), linked(&rows)), (48, 40));
}

#[test]
fn rows_without_a_prompt_or_risk_are_named() {
    let ext = json!({"model": "base_risk"});
    let mut lines = line("t1", "x", " ", &ext) + &line("t2", "x", "What?", &ext);
    lines +=
        "{\"traceid\":\"t3\",\"prompt\":\"Why?\",\"ext\":\"not JSON\"}\n{\"risk_type\":\"x\"}\n";
    let rows = imported(&[lines]);
    let reasons = [
        json!("prompt is empty"),
        Value::Null,
        json!("risk_type is missing"),
        json!("prompt is empty"),
    ];
    assert_eq!(column(&rows, "_reject"), reasons.iter().collect::<Vec<_>>());
}

#[test]
fn the_first_release_is_read_too() {
    let ext = json!({"model": "original_risk"});
    let rows = imported(&[line("t", "Crimes and Illegal Activities", "Why?", &ext)]);
    assert_eq!(rows[0]["risk_dimension"], "Crimes and Illegal Activities");
    assert!(rows[0]["attack"].is_null() && rows[0]["base_id"].is_null());
}
