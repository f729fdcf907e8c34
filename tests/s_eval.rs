//! S-Eval's published files, where they are: imported, linked, decoded, asked and scored.

use crate::run::{Folder, public_data};
use serde_json::Value;
use seval_core::encode::{from_base64, from_caesar, from_url};
use std::collections::HashMap;

/// The three small files as published, imported into `in.parquet`; none where they are not.
pub fn imported() -> Option<(Folder, String)> {
    let data = public_data("s-eval")?;
    let folder = Folder::new();
    let files = ["base_risk_en", "base_risk_zh", "attack_zh"];
    let files = files.map(|name| format!("{}/S-Eval_{name}_small.jsonl.zip", data.display()));
    let line = format!("seval-select --from import/s-eval {} -o in.parquet", files.join(" "));
    let output = folder.bash(&line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    Some((folder, said))
}

fn rows(folder: &Folder, sql: &str, tables: &str) -> Vec<Value> {
    let text = folder.ok(&format!("seval-agg --format jsonl --sql \"{sql}\" {tables}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_attack_row_is_linked_to_its_base_prompt() {
    let Some((folder, said)) = imported() else { return };
    assert!(said.contains("import: 12,000 rows in, 12,000 kept, 0 dropped"), "{said}");
    assert!(said.contains("traceid is not the md5 of the prompt"), "{said}");
    let sql = "SELECT count(*) AS n, count(*) FILTER (WHERE b.risk_dimension = a.risk_dimension AND b.language = a.language) AS same \
        FROM input a JOIN input b ON a.base_id = b.prompt_id WHERE a.attack IS NOT NULL AND b.attack IS NULL";
    let linked = rows(&folder, sql, "in.parquet");
    assert_eq!(linked[0].to_string(), r#"{"n":10000,"same":10000}"#);
    let sql = "SELECT attack IS NULL AS base, language, count(*) AS n, count(DISTINCT pair_id) AS pairs FROM input GROUP BY 1, 2 ORDER BY 1, 2";
    let counts = rows(&folder, sql, "in.parquet");
    let counts: Vec<String> = counts.iter().map(Value::to_string).collect();
    assert_eq!(
        counts,
        [
            r#"{"base":false,"language":"zh","n":10000,"pairs":10000}"#,
            r#"{"base":true,"language":"en","n":1000,"pairs":1000}"#,
            r#"{"base":true,"language":"zh","n":1000,"pairs":1000}"#,
        ]
    );
    let sql = "SELECT count(*) AS n FROM input a JOIN input b USING (pair_id) WHERE a.language = 'zh' AND b.language = 'en' AND a.risk_dimension = b.risk_dimension";
    assert_eq!(rows(&folder, sql, "in.parquet")[0]["n"], 1000);
}

#[test]
fn every_encrypted_prompt_decodes_to_its_base_prompt() {
    let Some((folder, _)) = imported() else { return };
    let sql = "SELECT a.prompt AS attack, b.prompt AS base FROM input a JOIN input b ON a.base_id = b.prompt_id \
        WHERE a.attack = 'instruction_encryption' AND b.attack IS NULL";
    let pairs = rows(&folder, sql, "in.parquet");
    let mut ways: HashMap<&str, usize> = HashMap::new();
    for pair in &pairs {
        let (attack, base) = (pair["attack"].as_str().unwrap(), pair["base"].as_str().unwrap());
        if let Some(way) = decoded(attack, base) {
            *ways.entry(way).or_default() += 1;
        }
    }
    assert_eq!(pairs.len(), 1000);
    // SPEC §1.4: URL 344, Base64 326, Caesar 330.
    assert_eq!((ways["url"], ways["base64"], ways["caesar"]), (344, 326, 330));
}

/// The way in which some part of the attack decodes to the base prompt.
fn decoded(attack: &str, base: &str) -> Option<&'static str> {
    let word = |c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c);
    if attack.split(word).any(|word| from_base64(word).as_deref() == Some(base)) {
        return Some("base64");
    }
    if !attack.contains(base) && from_url(attack).is_some_and(|text| text.contains(base)) {
        return Some("url");
    }
    (1..=9).any(|key| from_caesar(attack, key).contains(base)).then_some("caesar")
}

#[test]
fn the_adaptive_rate_is_at_least_the_highest_single_one() {
    let Some((folder, _)) = imported() else { return };
    folder.ok("seval-query -q -m sim: in.parquet | seval-critique -q -c rules -o v.parquet");
    let text = folder.ok("seval-agg --metric attack --format jsonl v.parquet");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rate = |row: &Value| row["attack_success_rate"].as_f64().unwrap();
    let zh = || rows.iter().filter(|row| row["language"] == "zh" && row["risk_dimension"] == "all");
    let adaptive = rate(zh().find(|row| row["attack"] == "adaptive").unwrap());
    let single = |row: &&Value| {
        let name = row["attack"].as_str().unwrap();
        name != "adaptive" && !name.starts_with("overall")
    };
    let singles: Vec<f64> = zh().filter(single).map(rate).collect();
    assert_eq!(singles.len(), 10);
    assert!(singles.iter().all(|single| *single <= adaptive), "{singles:?} {adaptive}");
}

#[test]
fn exact_dedup_drops_nothing_since_nothing_is_double() {
    let Some((folder, _)) = imported() else { return };
    let output = folder.bash("seval-select --exact in.parquet -o out.parquet");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("exact: 12,000 rows in, 12,000 kept, 0 dropped"), "{said}");
}
