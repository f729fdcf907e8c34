//! The rules about prompts on prompts that are asked: the built-in ones, and S-Eval's where they are.

use crate::run::{Folder, root};
use crate::s_eval;
use serde_json::Value;

/// How many rows of a file the rules reject, and of how many: base prompts, and attacks.
fn rejected(folder: &Folder, rows: &str) -> [(u64, u64); 2] {
    let rules = root().join("templates/quality/prompts.sql");
    folder.ok(&format!("seval-agg -q --metric {} {rows} -o judged.parquet", rules.display()));
    let count = |attack: &str| {
        let sql = format!(
            "SELECT count(_reject) AS rejected, count(*) AS n FROM input WHERE attack IS {attack}"
        );
        let text = folder.ok(&format!("seval-agg --format jsonl --sql \"{sql}\" judged.parquet"));
        let row: Value = serde_json::from_str(text.trim()).unwrap();
        (row["rejected"].as_u64().unwrap(), row["n"].as_u64().unwrap())
    };
    [count("NULL"), count("NOT NULL")]
}

#[test]
fn built_in_prompts_pass() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval -o base.parquet");
    assert_eq!(rejected(&folder, "base.parquet"), [(0, 24_480), (0, 0)]);
}

#[test]
fn built_in_attacks_pass() {
    let folder = Folder::new();
    let output = folder.ok("seval-expand --list");
    let names = output.lines().filter_map(|line| line.split_whitespace().next());
    let attacks: Vec<&str> = names.filter(|name| name.starts_with("attack/")).collect();
    assert!(attacks.len() > 50, "{attacks:?}");
    folder.ok("seval-expand -q --taxonomy s-eval --total 100 -o base.parquet");
    for attack in attacks {
        let made = folder
            .bash(&format!("seval-expand -q base.parquet --only-new -t {attack} -o a.parquet"));
        // Some need a generation model, or a column that base prompts lack.
        if made.status.success() {
            let [_, (rejected, all)] = rejected(&folder, "a.parquet");
            assert_eq!(rejected, 0, "{attack}: of {all}");
        }
    }
}

#[test]
fn s_evals_prompts_pass_but_for_a_few() {
    let Some((folder, _)) = s_eval::imported() else { return };
    let [base, attacks] = rejected(&folder, "in.parquet");
    assert_eq!((base.1, attacks.1), (2000, 10_000));
    // Under 1 %, and half of these few are statements or stand in quotation marks.
    assert!(base.0 < 20, "{base:?}");
    assert_eq!(attacks.0, 0);
}
