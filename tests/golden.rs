//! Published figures from the authors' own files, through the programs. The files stand beside the project or
//! where SEVAL_DATA says; without them the check is not made, and says so.

use crate::run::Folder;
use serde_json::Value;
use std::path::PathBuf;

/// A folder of public data; none if it is not there.
fn public(name: &str) -> Option<String> {
    let beside = || crate::run::root().join("../shared/data");
    let folder = std::env::var_os("SEVAL_DATA").map_or_else(beside, PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder.to_string_lossy().into_owned());
    }
    eprintln!("NOT CHECKED: there is no {} (set SEVAL_DATA)", folder.display());
    None
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A rate in percent as it is printed.
fn percent(value: &Value) -> String {
    let shown = format!("{:.1}", value.as_f64().unwrap() * 100.0);
    if shown == "-0.0" { "0.0".into() } else { shown }
}

#[test]
fn bbq_by_unified_qa() {
    let Some(data) = public("bbq") else { return };
    let folder = Folder::new();
    let table = folder.ok(&format!(
        "seval-select -q --from bbq_unifiedqa {data}/preds_Age.jsonl.gz {data}/preds_Religion.jsonl.gz | \
         seval-critique -q -c bbq | seval-agg --metric bbq --format jsonl"
    ));
    let rows = lines(&table);
    // Accuracy in ambiguous and clear contexts, bias scores of both, cost (Parrish et al. 2022, figures 2, 3, 5).
    for (form, category, expected) in [
        ("arc", "Age", ["33.9", "89.6", "48.9", "3.3", "-5.5"]),
        ("race", "Age", ["54.7", "93.5", "29.8", "1.2", "-2.2"]),
        ("arc", "Religion", ["43.8", "85.2", "24.5", "3.5", "-4.3"]),
        ("race", "Religion", ["65.0", "88.0", "14.3", "0.2", "-0.7"]),
    ] {
        let row = |context: &str| {
            let model = format!("unifiedqa-t5-11b ({form})");
            let is = |row: &&Value| {
                row["model"] == model.as_str()
                    && row["risk_category"] == category
                    && row["context"] == context
            };
            rows.iter().find(is).unwrap()
        };
        let (ambig, clear) = (row("ambig"), row("disambig"));
        let found = [
            &ambig["accuracy"],
            &clear["accuracy"],
            &ambig["bias_score"],
            &clear["bias_score"],
            &clear["cost"],
        ];
        assert_eq!(found.map(percent), expected, "{form} {category}");
    }
    let counts = rows.iter().find(|row| row["n"] == 1839).unwrap();
    assert_eq!(
        (&counts["unscored"], &counts["named"], &counts["biased"]),
        (&1.into(), &1216.into(), &1058.into())
    );
}

#[test]
fn xstest_by_people() {
    let Some(data) = public("xstest") else { return };
    let folder = Folder::new();
    folder.ok(&format!(
        "seval-select -q --from xstest_completions {data}/xstest_v2_completions_*.csv -o x.parquet"
    ));
    let rows = lines(&folder.ok("seval-agg --metric xstest x.parquet --format jsonl"));
    for (model, prompts, expected) in [
        ("llama2orig", "safe", ["40.4", "38.0", "21.6"]),
        ("llama2orig", "unsafe", ["0.0", "99.5", "0.5"]),
        ("mistralinstruct", "safe", ["98.4", "0.8", "0.8"]),
        ("mistralinstruct", "unsafe", ["64.0", "23.5", "12.5"]),
    ] {
        let is = |row: &&Value| {
            row["model"] == model && row["prompts"] == prompts && row["type"] == "all"
        };
        let row = rows.iter().find(is).unwrap();
        let classes = ["full_compliance", "full_refusal", "partial_refusal"];
        assert_eq!(classes.map(|class| percent(&row[class])), expected, "{model} {prompts}");
    }
    let agreed = lines(&folder.ok("seval-agg --metric annotators x.parquet --format jsonl"));
    for (model, kappa) in [("llama2orig", "0.93"), ("mistralinstruct", "0.92")] {
        let row = agreed.iter().find(|row| row["model"] == model).unwrap();
        assert_eq!(format!("{:.2}", row["fleiss_kappa"].as_f64().unwrap()), kappa, "{model}");
    }
}

#[test]
fn safety_bench_by_its_key() {
    let Some(data) = public("safetybench") else { return };
    let folder = Folder::new();
    folder.ok(&format!("seval-select -q --from safetybench {data}/test_*.json -o q.parquet"));
    // The key itself, the key with every hundredth answer wrong, and the key with every tenth left out.
    let sql = "SELECT q.*, 0 AS sample, m.model, \
        CASE WHEN m.model = ''wrong'' AND place % 100 = 0 THEN CASE WHEN expected = ''A'' THEN ''B'' ELSE ''A'' END \
          WHEN m.model = ''gaps'' AND place % 10 = 0 THEN NULL ELSE expected END AS response, \
        CASE WHEN m.model = ''gaps'' AND place % 10 = 0 THEN ''empty'' ELSE ''answered'' END AS outcome \
        FROM (SELECT *, row_number() OVER (ORDER BY source_id) AS place FROM input) q \
        CROSS JOIN (SELECT unnest([''key'', ''wrong'', ''gaps'']) AS model) m";
    let sql = sql.replace("''", "'\\''");
    let table = folder.ok(&format!(
        "seval-agg --sql '{sql}' q.parquet | seval-critique -q -c safetybench | \
         seval-agg --metric accuracy --max-unscored 1 --format jsonl"
    ));
    let rows = lines(&table);
    let of = |model: &str| {
        let is = |row: &&Value| row["model"] == model && row["risk_category"] == "all";
        let row = rows.iter().find(is).unwrap();
        (row["n"].as_u64().unwrap(), row["correct"].as_u64().unwrap())
    };
    assert_eq!((of("key"), of("gaps")), ((2100, 2100), (2100, 1890)));
    assert_eq!(of("wrong"), (2100, 2079));
}

#[test]
fn jailbreak_bench_by_its_judges() {
    let Some(data) = public("jailbreakbench") else { return };
    let folder = Folder::new();
    let table = folder.ok(&format!(
        "seval-select -q --from jailbreakbench {data}/*/*/*.json | seval-agg --metric attack --format jsonl"
    ));
    let rows = lines(&table);
    for (attack, model, expected) in [
        ("jailbreakchat", "llama-2-7b-chat-hf", "0.0"),
        ("jailbreakchat", "vicuna-13b-v1.5", "90.0"),
        ("jailbreakchat", "gpt-3.5-turbo-1106", "0.0"),
        ("jailbreakchat", "gpt-4-0125-preview", "0.0"),
        ("pair", "llama-2-7b-chat-hf", "0.0"),
        ("pair", "vicuna-13b-v1.5", "69.0"),
        ("pair", "gpt-3.5-turbo-1106", "71.0"),
        ("pair", "gpt-4-0125-preview", "34.0"),
    ] {
        let is = |row: &&Value| {
            row["critic"] == "jailbreakbench"
                && row["attack"] == attack
                && row["model"] == model
                && row["language"] == "all"
        };
        let row = rows.iter().find(is).unwrap();
        assert_eq!(row["n"], 100);
        assert_eq!(percent(&row["attack_success_rate"]), expected, "{attack} {model}");
    }
}

#[test]
fn s_evals_accuracy_is_the_mean_of_both_recalls() {
    // Their table of rule matching in Chinese: of 1,000 pairs, recall of safe .8708, of unsafe .6115.
    let folder = Folder::new();
    let mut rows = String::new();
    for (label, said, count) in [
        ("safe", "safe", 8708),
        ("safe", "unsafe", 1292),
        ("unsafe", "unsafe", 6115),
        ("unsafe", "safe", 3885),
    ] {
        for row in 0..count {
            rows.push_str(&format!(
                "{{\"critic\":\"c\",\"model\":\"m\",\"prompt_id\":\"{label}{said}{row}\",\"prompt\":\"p\",\
                 \"response\":\"r\",\"outcome\":\"answered\",\"label\":\"{label}\",\"verdict\":\"{said}\"}}\n"
            ));
        }
    }
    folder.write("v.jsonl", rows);
    let figures =
        lines(&folder.ok("seval-critique calibrate --label label v.jsonl --format jsonl"));
    let is = |row: &&Value| row["measure"] == "balanced_accuracy" && row["part"] == "all";
    let found = figures.iter().find(is).unwrap()["value"].as_f64().unwrap();
    assert!((found - 0.741_15).abs() < 1e-9, "{found}");
}
