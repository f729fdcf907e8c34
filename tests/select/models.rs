//! Selection by what models did, and by embeddings that a model gives.

use super::{read, texts};
use crate::run::Folder;
use crate::server::serve;
use serde_json::{Value, json};

/// Twenty prompts and the verdicts of four models. Model m fails the prompts whose number is below 5 m, but the
/// last model has no verdict about prompt 0; prompt 19 has no verdict at all.
fn write(folder: &Folder) {
    let id = |at: usize| format!("{at:032x}");
    let prompt =
        |at: usize| json!({"prompt_id": id(at), "prompt": format!("question number {at}")});
    folder.write("p.jsonl", (0..20).map(|at| format!("{}\n", prompt(at))).collect::<String>());
    let mut verdicts = String::new();
    for model in 0..4 {
        for at in 0..19 {
            let verdict = match at {
                0 if model == 3 => "unscored",
                _ if at < 5 * model => "unsafe",
                _ => "safe",
            };
            let row =
                json!({"prompt_id": id(at), "model": format!("m{model}"), "verdict": verdict});
            verdicts.push_str(&format!("{row}\n"));
        }
    }
    folder.write("v.jsonl", verdicts);
}

fn kept(folder: &Folder, how: &str) -> Vec<usize> {
    folder.ok(&format!(
        "seval-select -q {how} --verdicts v.jsonl p.jsonl --rejects r.parquet -o k.parquet"
    ));
    let number = |id: &String| usize::from_str_radix(id, 16).unwrap();
    texts(&read(folder, "k.parquet"), "prompt_id").iter().map(number).collect()
}

fn reasons(folder: &Folder) -> Vec<String> {
    let mut reasons = texts(&read(folder, "r.parquet"), "reason");
    reasons.dedup();
    reasons
}

#[test]
fn prompts_that_models_fail_are_kept_and_unknown_is_never_easy() {
    let folder = Folder::new();
    write(&folder);
    assert_eq!(kept(&folder, "--failed-by 2"), (0..10).collect::<Vec<_>>());
    assert_eq!(reasons(&folder), ["fewer than 2 of 4 models fail it", "no verdict"]);
    // The model without a verdict about prompt 0 would decide.
    assert_eq!(kept(&folder, "--failed-by 3"), (1..5).collect::<Vec<_>>());
    assert_eq!(reasons(&folder)[0], "models without a verdict would decide it");
    let row = &read(&folder, "k.parquet")[0];
    assert_eq!(
        (&row["models_scored"], &row["models_failed"], &row["difficulty"]),
        (&json!(4), &json!(3), &json!(0.75))
    );
}

#[test]
fn a_mix_is_drawn_exactly_or_said_to_be_impossible() {
    let folder = Folder::new();
    write(&folder);
    // Two of four models fail prompts up to 9.
    let mixed = kept(&folder, "--mix high=3,low=4");
    assert_eq!((mixed.iter().filter(|at| **at < 10).count(), mixed.len()), (3, 7));
    let line = "seval-select --mix high=12,low=4 --verdicts v.jsonl p.jsonl -o k.parquet";
    let said = folder.fails(5, line);
    assert!(said.contains("10 of 12 prompts of high risk, 2 short"), "{said}");
    assert_eq!(kept(&folder, "--mix high=12,low=0 --allow-short").len(), 10);
    let best = kept(&folder, "--discriminating 5");
    assert_eq!(best.len(), 5);
    // A prompt that all or none fail tells nothing.
    assert!(best.iter().all(|at| (1..15).contains(at)), "{best:?}");
}

#[test]
fn small_sets_are_said_to_be_as_good_as_they_are() {
    let folder = Folder::new();
    write(&folder);
    let line = "seval-select --size 5,19 --verdicts v.jsonl p.jsonl --report r.csv -o k.parquet";
    let said = String::from_utf8_lossy(&folder.bash(line).stderr).into_owned();
    assert!(said.contains("76 verdicts, 76 of them about these prompts, by 4 models"), "{said}");
    assert!(said.contains("size 5: models' scores are "), "{said}");
    let table = String::from_utf8(folder.read("r.csv")).unwrap();
    assert!(table.contains("small set,size,size 19,Kendall's tau-b,1.0"), "{table}");
    assert!(table.contains("small set,size,\"size 5, m0\",score,100.0"), "{table}");
}

/// A direction for each first word; the others hardly matter.
fn vector(text: &str) -> Vec<f64> {
    let kind = text.bytes().next().map_or(0, usize::from) % 3;
    let small = text.len() as f64 / 10_000.0;
    let mut vector = vec![small, small, small, 0.1];
    vector[kind] = 1.0;
    vector
}

#[test]
fn semantic_duplicates_are_found_by_embeddings_asked_for_once() {
    let (address, seen) = serve(|_, body| {
        let texts = body["input"].as_array().unwrap().iter();
        let data: Vec<Value> = texts
            .enumerate()
            .map(|(at, text)| json!({"index": at, "embedding": vector(text.as_str().unwrap())}))
            .collect();
        (200, json!({"data": data, "usage": {"prompt_tokens": 5}}))
    });
    let folder = Folder::new();
    folder.write(
        "p.jsonl",
        r#"{"prompt":"apple pie"}
{"prompt":"berry cake, sweet"}
{"prompt":"apple tart, large"}
{"prompt":""}
{"prompt":"cherry"}
"#,
    );
    let line = format!(
        "seval-select --semantic 0.95 --embed m --base-url {address} --journal j.db p.jsonl \
         --rejects r.jsonl -o k.parquet"
    );
    let said = String::from_utf8_lossy(&folder.bash(&line).stderr).into_owned();
    assert!(said.contains("semantic: 5 rows in, 4 kept, 1 dropped"), "{said}");
    assert!(said.contains("1 rows: no embedding: not compared"), "{said}");
    let kept = read(&folder, "k.parquet");
    assert_eq!(kept[0]["embedding"].as_array().unwrap().len(), 4);
    assert!(kept[2]["embedding"].is_null() && kept[2]["prompt"] == "");
    let asked = seen.count();
    folder.ok(&line);
    assert_eq!(seen.count(), asked);
    // The embeddings are in the file: nobody has to be asked again.
    let again = "seval-select -q --embedding embedding --semantic 0.2 k.parquet --format jsonl";
    assert_eq!(folder.ok(again).lines().count(), 4);
    let line = "seval-select -q --where 'embedding IS NOT NULL' --embedding embedding --diverse 2 k.parquet --format jsonl";
    assert_eq!(folder.ok(line).lines().count(), 2);
}

#[test]
fn embeddings_that_cannot_be_compared_are_said_by_row() {
    let folder = Folder::new();
    let select = "seval-select --semantic 0.9 --embedding e p.jsonl --format jsonl";
    for (rows, says) in [
        ("[1.0, 2.0]|[1.0]", "row 2: the embedding has 1 numbers, the first 2"),
        ("[1.0, 2.0]|[1.0, null]", "row 2: the embedding has a number that is null"),
        ("[1.0, 2.0]|[0.0, 0.0]", "row 2: the embedding is all zeros"),
        ("1.0|2.0", "column `e`: the type is Float64, and embeddings are lists of numbers"),
    ] {
        let row = |e: &str| format!("{{\"prompt\":\"p\",\"e\":{e}}}\n");
        folder.write("p.jsonl", rows.split('|').map(row).collect::<String>());
        let said = folder.fails(5, select);
        assert!(said.contains(says), "{said}");
    }
    let line = "seval-select --sql \"SELECT prompt, [1.0, CAST('NaN' AS DOUBLE)] AS e FROM input\" --semantic 0.9 --embedding e p.jsonl --format jsonl";
    assert!(folder.fails(5, line).contains("row 1: the embedding has a number that is none"));
}
