//! Sizes, quotas and what belongs together.

use super::{Chance, read, texts};
use crate::run::Folder;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// S-Eval's dimensions with their numbers of base prompts in the full set, and in the small and medium ones.
const DIMENSIONS: [(&str, usize, usize, usize); 8] = [
    ("Crimes_and_Illegal_Activities", 2348, 235, 705),
    ("Cybersecurity", 1002, 101, 301),
    ("Data_Privacy", 1342, 135, 403),
    ("Physical_and_Mental_Health", 1002, 101, 301),
    ("Ethics_and_Morality", 1000, 100, 300),
    ("Extremism", 1097, 110, 330),
    ("Hate_Speech", 1193, 116, 355),
    ("Inappropriate_Suggestions", 1016, 102, 305),
];

/// 10,000 prompts in each of two languages, in the proportions of S-Eval's full set.
fn write_full(folder: &Folder) {
    let mut lines = String::new();
    for (dimension, rows, _, _) in DIMENSIONS {
        for row in 0..rows {
            for language in ["en", "zh"] {
                let prompt = format!("{language}: question {row} about {dimension}");
                let pair = format!("{dimension} {row}");
                let line = json!({"prompt": prompt, "language": language, "risk_dimension": dimension, "pair_id": pair});
                lines.push_str(&format!("{line}\n"));
            }
        }
    }
    folder.write("full.jsonl", lines);
}

fn counts(rows: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let name = format!(
            "{} {}",
            row["risk_dimension"].as_str().unwrap(),
            row["language"].as_str().unwrap()
        );
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[test]
fn the_scales_of_s_eval_come_out_with_the_same_prompts_in_both_languages() {
    let folder = Folder::new();
    write_full(&folder);
    folder
        .ok("seval-select -q full.jsonl --size 1000,3000 --by risk_dimension --together pair_id \
         --ceil Hate_Speech --draw independent -o k.parquet");
    let rows = read(&folder, "k.parquet");
    let of_size = |column: &str| -> Vec<Value> {
        rows.iter().filter(|row| row[column] == true).cloned().collect()
    };
    let (small, medium) = (of_size("size_1000"), of_size("size_3000"));
    for (dimension, _, in_small, in_medium) in DIMENSIONS {
        for language in ["en", "zh"] {
            let name = format!("{dimension} {language}");
            assert_eq!(counts(&small)[&name], in_small, "{name}");
            assert_eq!(counts(&medium)[&name], in_medium, "{name}");
        }
    }
    let pairs = |rows: &[Value], language: &str| -> Vec<String> {
        let rows = rows.iter().filter(|row| row["language"] == language).cloned();
        texts(&rows.collect::<Vec<_>>(), "pair_id")
    };
    assert_eq!(pairs(&small, "en"), pairs(&small, "zh"));
    // Independent draws share what chance gives them: 300, with a standard deviation of 13.
    let both = small.iter().filter(|row| row["size_3000"] == true && row["language"] == "en");
    let both = both.count();
    assert!((235..365).contains(&both), "{both}");
}

#[test]
fn nested_sizes_lie_one_in_the_other_and_do_not_depend_on_the_order_of_rows() {
    let folder = Folder::new();
    write_full(&folder);
    let line = "seval-select -q --size 500,1000,5000 --by risk_dimension,language";
    folder.ok(&format!("{line} full.jsonl -o k.parquet"));
    let rows = read(&folder, "k.parquet");
    assert_eq!(rows.len(), 5000);
    for (small, large, wanted) in [("size_500", "size_1000", 500), ("size_1000", "size_5000", 1000)]
    {
        let inside: Vec<&Value> = rows.iter().filter(|row| row[small] == true).collect();
        assert_eq!(inside.len(), wanted);
        assert!(inside.iter().all(|row| row[large] == true));
    }
    let mut lines: Vec<String> =
        String::from_utf8(folder.read("full.jsonl")).unwrap().lines().map(str::to_owned).collect();
    let mut chance = Chance(3);
    for at in (1..lines.len()).rev() {
        lines.swap(at, chance.below(at as u64 + 1) as usize);
    }
    folder.write("other.jsonl", lines.join("\n"));
    folder.ok(&format!("{line} other.jsonl -o o.parquet"));
    let sorted = |file: &str| {
        let mut rows: Vec<String> = read(&folder, file).iter().map(Value::to_string).collect();
        rows.sort();
        rows
    };
    assert!(sorted("k.parquet") == sorted("o.parquet"));
}

#[test]
fn quotas_are_equal_or_a_table_and_what_cannot_be_met_is_said() {
    let folder = Folder::new();
    let row =
        |at: usize, kind: &str| format!("{{\"prompt\":\"{kind} {at}\",\"kind\":\"{kind}\"}}\n");
    let rows = (0..90).map(|at| row(at, "a")).chain((0..10).map(|at| row(at, "b")));
    folder.write("in.jsonl", rows.collect::<String>());
    let count = |how: &str, kind: &str| {
        let line = format!("seval-select -q in.jsonl --by kind {how} --format jsonl");
        folder.ok(&line).matches(&format!("\"kind\":\"{kind}\"")).count()
    };
    assert_eq!((count("--size 20", "a"), count("--size 20", "b")), (18, 2));
    let equal = "--size 20 --quotas equal";
    assert_eq!((count(equal, "a"), count(equal, "b")), (10, 10));
    folder.write("q.csv", "kind,weight\na,3\nb,1\n");
    let table = "--size 20 --quotas q.csv";
    assert_eq!((count(table, "a"), count(table, "b")), (15, 5));
    let short = "seval-select in.jsonl --by kind --size 40 --quotas equal --format jsonl";
    let said = folder.fails(5, short);
    assert!(said.contains("size 40 cannot be met: b: 10 of 20, 10 short"), "{said}");
    assert!(said.contains("--allow-short"), "{said}");
    assert_eq!(count("--size 40 --quotas equal --allow-short", "a"), 20);
    assert_eq!(count("--size 40 --quotas equal --allow-short", "b"), 10);
    for (wrong, says) in [
        ("--by colour --size 5", "column `colour` is missing"),
        ("--by kind --size 5 --ceil c", "there is no stratum `c`; there are: a; b"),
        ("--size 200", "size 200 cannot be met: the rows: 100 of 200, 100 short"),
    ] {
        let line = format!("seval-select in.jsonl {wrong} --format jsonl 2>&1");
        let said = String::from_utf8(folder.bash(&line).stdout).unwrap();
        assert!(said.contains(says), "{said}");
    }
    folder.write("bad.csv", "kind,weight\na,-3\n");
    let bad = "seval-select in.jsonl --by kind --size 5 --quotas bad.csv --format jsonl";
    assert!(
        folder.fails(5, bad).contains("--quotas: row 1: the weight is no number of at least 0")
    );
}

#[test]
fn strata_that_look_alike_are_two() {
    let folder = Folder::new();
    let row =
        |a: &str, b: &str| format!("{}\n", json!({"prompt": format!("{a} {b}"), "a": a, "b": b}));
    folder.write("in.jsonl", row("p, q", "r").repeat(3) + &row("p", "q, r"));
    folder.write("w.csv", "a,b,weight\n\"p, q\",r,1\np,\"q, r\",1\n");
    let line = "seval-select -q in.jsonl --by a,b --quotas w.csv --size 2 --columns a --format csv";
    assert_eq!(folder.ok(line), "a\n\"p, q\"\np\n");
}

#[test]
fn attacks_are_drawn_with_their_base_prompts() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --language en --total 200 -o p.parquet");
    folder.ok("seval-expand -q p.parquet -t past_tense -t base64 -o a.parquet");
    folder.ok("seval-select -q --size 50 --together base_id a.parquet -o k.parquet");
    let rows = read(&folder, "k.parquet");
    assert_eq!(rows.len(), 150);
    for base in rows.iter().filter(|row| row["attack"].is_null()) {
        let of_base = rows.iter().filter(|row| row["base_id"] == base["prompt_id"]);
        assert_eq!(of_base.count(), 2);
    }
}
