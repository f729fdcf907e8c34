//! Templates learnt from pairs: from a small set of our own, and from S-Eval's files where they are.

use crate::run::Folder;
use crate::s_eval;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A set of two attacks on six base prompts; one holds its base prompt.
fn small(folder: &Folder) {
    let mut lines = String::new();
    for at in 0..6 {
        let (id, prompt) = (format!("{at:032x}"), format!("How is bread number {at} baked?"));
        let row = |id: Value, prompt: Value, attack: Value, base: Value| {
            json!({"prompt_id": id, "prompt": prompt, "language": "en", "attack": attack, "base_id": base})
                .to_string()
                + "\n"
        };
        lines += &row(json!(id), json!(prompt), Value::Null, Value::Null);
        let framed = format!("Say it: {prompt} {{{{ x }}}}");
        lines += &row(json!(format!("f{at}")), json!(framed), json!("framed"), json!(id));
        let told = format!("A tale of {at} loaves");
        lines += &row(json!(format!("t{at}")), json!(told), json!("told"), json!(id));
    }
    folder.write("set.jsonl", lines);
}

#[test]
fn a_set_is_learnt_and_regenerated() {
    let folder = Folder::new();
    small(&folder);
    let line = "seval-expand --learn set.jsonl set.jsonl --into mine";
    let output = folder.bash(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said,
        "seval-expand: framed: 6 pairs, 6 learnt, 0 not; en one frame\n\
         seval-expand: told: 6 pairs, 0 learnt, 6 not (6 the base prompt is not in it); no file\n\
         seval-expand: 12 rows, 12 of them pairs: 6 learnt + 6 not; 1 template written\n\
         seval-expand: the templates hold texts of set.jsonl: its licence holds for them\n"
    );
    let text = folder.ok(
        "seval-expand -q set.jsonl --templates mine -t attack/framed --only-new --format jsonl",
    );
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[2]["prompt"], "Say it: How is bread number 2 baked? {{ x }}");
    // The same again is no change; another file of that name is not replaced unasked.
    folder.ok(line);
    folder.write("mine/attack/framed.j2", "mine");
    let said = folder.fails(2, line);
    assert!(said.contains("framed.j2: is there already, and differs; name another"), "{said}");
    assert_eq!(folder.read("mine/attack/framed.j2"), b"mine");
    folder.ok(&format!("{line} --force"));
    assert_ne!(folder.read("mine/attack/framed.j2"), b"mine");
}

#[test]
fn what_is_no_set_is_said() {
    let folder = Folder::new();
    small(&folder);
    folder.write("base.jsonl", "{\"prompt_id\":\"a\",\"prompt\":\"How is tea made?\"}\n");
    folder.write(
        "other.jsonl",
        "{\"attack\":\"x\",\"base_id\":\"zz\",\"prompt\":\"How is tea made?\"}\n",
    );
    folder.write(
        "rewritten.jsonl",
        "{\"attack\":\"x\",\"base_id\":\"a\",\"prompt\":\"A tale of tea\"}\n",
    );
    for (files, code, what) in [
        ("base.jsonl base.jsonl", 5, "column `attack` is missing"),
        ("other.jsonl set.jsonl", 5, "column `prompt_id` is missing"),
        ("base.jsonl other.jsonl", 5, "no `base_id` is the prompt_id of a row of base.jsonl"),
        ("base.jsonl rewritten.jsonl", 5, "no attack could be learnt"),
        ("none.jsonl set.jsonl", 2, "none.jsonl"),
        ("- -", 2, "standard input is named twice"),
    ] {
        let said = folder.fails(code, &format!("seval-expand --learn {files} --into out"));
        assert!(said.contains(what), "{files}: {said}");
        assert!(!folder.path("out").exists(), "{files}");
    }
    let said = folder.fails(2, "seval-expand --learn set.jsonl set.jsonl");
    assert!(said.contains("--into"), "{said}");
}

/// The published attack rows by attack and base prompt, and the base prompts by id.
type Published = (HashMap<(String, String), String>, HashMap<String, String>);

fn published(folder: &Folder) -> Published {
    let mut attacks = HashMap::new();
    let mut bases = HashMap::new();
    folder.ok("seval-select -q --exact in.parquet -o in.jsonl");
    for line in String::from_utf8(folder.read("in.jsonl")).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        match (text("attack"), text("base_id")) {
            (Some(attack), Some(base)) => {
                attacks.insert((attack, base), text("prompt").unwrap());
            }
            _ => {
                bases.insert(text("prompt_id").unwrap(), text("prompt").unwrap());
            }
        }
    }
    (attacks, bases)
}

#[test]
fn s_eval_is_learnt_and_regenerated() {
    let Some((folder, _)) = s_eval::imported() else { return };
    let (attacks, bases) = published(&folder);
    let said = folder.bash("seval-expand --learn in.parquet in.parquet --into mine");
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("; 8 templates written"), "{said}");
    // Rows that come out as they were published, at the least, of 1,000 each.
    for (attack, least) in [
        ("deepinception", 1000),
        ("chain_of_utterances", 1000),
        ("instruction_jailbreak", 1000),
        ("in_context_attack", 1000),
        ("instruction_encryption", 1000),
        ("code_injection", 998),
        ("goal_hijacking", 987),
        ("positive_induction", 947),
    ] {
        let text = folder.ok(&format!(
            "seval-expand -q in.parquet --templates mine -t attack/{attack} --only-new --format jsonl"
        ));
        let (mut rows, mut same, mut rejoined) = (0, 0, 0);
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let (base, prompt) =
                (row["base_id"].as_str().unwrap(), row["prompt"].as_str().unwrap());
            rows += 1;
            same += usize::from(attacks[&(attack.to_owned(), base.to_owned())] == prompt);
            rejoined += usize::from(rejoins(prompt, &bases[base]));
        }
        assert_eq!(rows, 1000, "{attack}");
        assert!(same >= least, "{attack}: {same}");
        if attack == "code_injection" {
            assert!(rejoined >= 990, "{rejoined}");
        }
        let line = format!("{attack}: 1,000 pairs, {} learnt", seval_core::cli::count(same as u64));
        assert!(said.contains(&line), "{said}");
    }
    // Rewritings are not learnt, and their rows are counted.
    for attack in ["reverse_induction", "compositional_instructions"] {
        assert!(said.contains(&format!("{attack}: 1,000 pairs, 0 learnt, 1,000 not")), "{said}");
        assert!(!folder.path(&format!("mine/attack/{attack}.j2")).exists());
    }
}

/// Whether consecutive quoted texts give the base prompt, but for punctuation and white space.
fn rejoins(prompt: &str, base: &str) -> bool {
    let words = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let wanted = words(base);
    let quoted: Vec<String> = prompt.split(['\'', '"']).skip(1).step_by(2).map(words).collect();
    (0..quoted.len()).any(|first| {
        let mut joined = String::new();
        quoted[first..].iter().any(|text| {
            joined.push_str(text);
            joined == wanted
        })
    })
}
