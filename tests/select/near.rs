//! Near duplicates against brute force, through the program.

use super::{Chance, read};
use crate::run::{Folder, public_data};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of English and Chinese, many of them near others; some have no text.
fn write(folder: &Folder, name: &str, texts: &[(Option<String>, &str)], order: &[usize]) {
    let line = |at: &usize| {
        let (text, language) = &texts[*at];
        let row = serde_json::json!({"prompt": text, "language": language, "prompt_id": format!("{at:032x}")});
        format!("{row}\n")
    };
    folder.write(name, order.iter().map(line).collect::<String>());
}

fn some_texts(chance: &mut Chance) -> Vec<(Option<String>, &'static str)> {
    let mut texts: Vec<(Option<String>, &str)> = Vec::new();
    let mut tokens: Vec<Vec<u64>> = Vec::new();
    for at in 0..400 {
        let mut text = match at {
            0..40 => (0..chance.below(25)).map(|_| chance.below(500)).collect(),
            _ => tokens[chance.below(at) as usize].clone(),
        };
        for _ in 0..chance.below(5) {
            let place = chance.below(text.len() as u64 + 1) as usize;
            text.insert(place, chance.below(500));
        }
        let chinese = at % 2 == 1;
        let token = |token: &u64| match chinese {
            true => char::from_u32(0x4e00 + *token as u32).unwrap().to_string(),
            false => format!("W{token}, "),
        };
        let joined = (at % 50 != 7).then(|| text.iter().map(token).collect());
        texts.push((joined, if chinese { "zh" } else { "en" }));
        tokens.push(text);
    }
    texts
}

fn shingles(text: &str, language: &str) -> BTreeSet<String> {
    let (tokens, size): (Vec<String>, usize) = match language {
        "zh" => (text.chars().map(String::from).collect(), 5),
        _ => {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
            (words.map(str::to_lowercase).collect(), 3)
        }
    };
    let size = size.min(tokens.len()).max(1);
    match tokens.is_empty() {
        true => BTreeSet::from([String::new()]),
        false => tokens.windows(size).map(|run| run.join(" ")).collect(),
    }
}

/// Each row's cluster, by the lowest number of its rows.
fn brute_force(texts: &[(Option<String>, &str)], threshold: f64) -> Vec<usize> {
    let sets: Vec<Option<BTreeSet<String>>> =
        texts.iter().map(|(text, language)| Some(shingles(text.as_ref()?, language))).collect();
    let mut roots: Vec<usize> = (0..texts.len()).collect();
    for b in 0..sets.len() {
        for a in 0..b {
            let (Some(x), Some(y)) = (&sets[a], &sets[b]) else { continue };
            let shared = x.intersection(y).count();
            if shared as f64 / (x.len() + y.len() - shared) as f64 >= threshold {
                let (low, high) = (roots[a].min(roots[b]), roots[a].max(roots[b]));
                roots.iter_mut().filter(|root| **root == high).for_each(|root| *root = low);
            }
        }
    }
    roots
}

/// Number of each row → its cluster_id and size, and whether it was kept.
fn selected(folder: &Folder) -> BTreeMap<usize, (String, i64, bool)> {
    let mut all = BTreeMap::new();
    for (file, kept) in [("k.parquet", true), ("r.parquet", false)] {
        for row in read(folder, file) {
            let number = usize::from_str_radix(row["prompt_id"].as_str().unwrap(), 16).unwrap();
            let cluster = row["cluster_id"].as_str().unwrap().to_owned();
            let twice = all.insert(number, (cluster, row["cluster_size"].as_i64().unwrap(), kept));
            assert!(twice.is_none());
        }
    }
    all
}

#[test]
fn near_duplicates_are_those_of_brute_force() {
    let mut chance = Chance(7);
    let texts = some_texts(&mut chance);
    let folder = Folder::new();
    for threshold in [0.3, 0.5, 0.8, 1.0] {
        let roots = brute_force(&texts, threshold);
        let mut order: Vec<usize> = (0..texts.len()).collect();
        for how in ["", "-j 1", "--memory 16", "--keep longest"] {
            write(&folder, "in.jsonl", &texts, &order);
            let line = "-q --near THRESHOLD in.jsonl --rejects r.parquet -o k.parquet";
            let line = line.replace("THRESHOLD", &threshold.to_string());
            folder.ok(&format!("seval-select {how} {line}"));
            let found = selected(&folder);
            assert_eq!(found.len(), texts.len(), "{how}");
            let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
            for (number, root) in roots.iter().enumerate() {
                let (id, size, is_kept) = &found[&number];
                let members = roots.iter().filter(|other| *other == root).count();
                assert_eq!(
                    (id, *size),
                    (&format!("{root:032x}"), members as i64),
                    "{how} {number}"
                );
                *kept.entry(*root).or_default() += usize::from(*is_kept);
            }
            assert!(kept.values().all(|kept| *kept == 1), "{how}");
            // Another order of the rows changes nothing in the clusters.
            for at in (1..order.len()).rev() {
                order.swap(at, chance.below(at as u64 + 1) as usize);
            }
        }
    }
}

#[test]
fn of_a_cluster_the_row_stays_that_the_rule_says() {
    let folder = Folder::new();
    folder.write(
        "in.jsonl",
        r#"{"prompt":"one two three four","score":1,"prompt_id":"a"}
{"prompt":"One two three four!","score":3,"prompt_id":"b"}
{"prompt":"one two three four five","score":2,"prompt_id":"c"}
{"prompt":"something else altogether","score":9,"prompt_id":"d"}
"#,
    );
    for (keep, expected) in [("first", "a"), ("longest", "c"), ("max:score", "b")] {
        let line = format!(
            "seval-select -q --near 0.6 --keep {keep} in.jsonl --rejects r.jsonl --format jsonl"
        );
        let kept = crate::server::rows(&folder.ok(&line));
        let ids: Vec<&Value> = kept.iter().map(|row| &row["prompt_id"]).collect();
        assert_eq!(ids, [expected, "d"], "{keep}");
        for row in crate::server::rows(&String::from_utf8(folder.read("r.jsonl")).unwrap()) {
            assert_eq!(row["duplicate_of"], expected);
            let to_c = row["prompt_id"] == "c" || expected == "c";
            let similarity = row["similarity"].as_f64().unwrap();
            assert_eq!(similarity, if to_c { 2.0 / 3.0 } else { 1.0 }, "{row}");
        }
    }
    let exact =
        folder.ok("seval-select -q --exact --same case --keep max:score in.jsonl --format jsonl");
    assert_eq!(exact.lines().count(), 4);
    let exact = folder
        .ok("seval-select -q --exact --keep max:score in.jsonl --columns prompt_id --format csv");
    assert_eq!(exact, "prompt_id\na\nb\nc\nd\n");
}

#[test]
fn s_eval_as_published_has_no_near_duplicates_among_its_base_prompts() {
    let Some(data) = public_data("s-eval") else { return };
    let file = data.join("S-Eval_base_risk_zh_small.jsonl.zip");
    let folder = Folder::new();
    let line = format!(
        "seval-select --from import/s-eval --near 0.61 --shingles chars:2 {} -o k.parquet",
        file.display()
    );
    let said = String::from_utf8_lossy(&folder.bash(&line).stderr).into_owned();
    assert!(said.contains("near: 1,000 rows in, 1,000 kept, 0 dropped"), "{said}");
}
