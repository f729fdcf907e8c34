//! seval-select as a whole: what its stages keep and drop, in files, in any order, on any number of threads.

mod balance;
mod models;
mod near;

use crate::run::Folder;
use crate::server::rows;
use serde_json::Value;

/// A number from 0 up to `below`, another one each time.
pub struct Chance(u64);

impl Chance {
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }
}

/// The rows of a file.
fn read(folder: &Folder, file: &str) -> Vec<Value> {
    rows(&folder.ok(&format!("seval-agg -q --sql 'SELECT * FROM input' {file} --format jsonl")))
}

/// The values of a column of text.
fn texts(rows: &[Value], column: &str) -> Vec<String> {
    rows.iter().map(|row| row[column].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_stage_keeps_count_and_rejects_and_kept_are_the_input() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --total 400 -o p.parquet");
    folder.ok("seval-expand -q p.parquet -t past_tense -o a.parquet");
    // Some rows twice, and some that another stage drops.
    let line = "seval-select a.parquet p.parquet --exact --where \"language = 'en'\" \
                --near 0.5 --quality quality/prompts --size 200 --by risk_dimension \
                --diverse 100 --rejects r.parquet -o k.parquet";
    let said = folder.bash(line);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let mut before = None;
    for stage in ["exact", "where", "near", "quality", "size", "diverse"] {
        let start = format!("seval-select: {stage}: ");
        let counts = said.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        let counts: Vec<u64> = counts
            .split(", ")
            .map(|count| count.split(' ').next().unwrap().replace(',', "").parse().unwrap())
            .collect::<Vec<_>>();
        let [read, kept, dropped] = counts[..] else { panic!("{said}") };
        assert_eq!(read, kept + dropped, "{said}");
        assert_eq!(before.unwrap_or(read), read, "{said}");
        before = Some(kept);
    }
    let (kept, rejects) = (read(&folder, "k.parquet"), read(&folder, "r.parquet"));
    assert_eq!(kept.len(), 100);
    let mut all = texts(&kept, "prompt_id");
    all.extend(texts(&rejects, "prompt_id"));
    let mut came = texts(&read(&folder, "a.parquet"), "prompt_id");
    came.extend(texts(&read(&folder, "p.parquet"), "prompt_id"));
    all.sort();
    came.sort();
    assert_eq!(all, came);
    for row in &rejects {
        assert!(row["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{row}");
        let duplicate = ["exact", "near"].contains(&row["stage"].as_str().unwrap());
        assert_eq!(row["duplicate_of"].is_string(), duplicate, "{row}");
        assert_eq!(row["similarity"].is_number(), duplicate, "{row}");
    }
}

#[test]
fn the_same_bytes_on_any_number_of_threads_and_with_little_memory() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --total 2000 -o p.parquet");
    folder.ok("seval-expand -q p.parquet -t past_tense -t base64 -o a.parquet");
    let stages = "--exact --keep longest --near 0.4 --size 300,900 --diverse 200 \
                  --by risk_dimension,language";
    let run = |how: &str, name: &str| {
        let line = format!(
            "seval-select -q {how} {stages} a.parquet --rejects {name}.r.parquet \
             --report {name}.csv -o {name}.parquet"
        );
        folder.ok(&line);
        let part = |end: &str| folder.read(&format!("{name}.{end}"));
        [part("parquet"), part("r.parquet"), part("csv")]
    };
    let usual = run("-j 2", "usual");
    assert!(usual == run("-j 1", "one"));
    assert!(usual == run("-j 2 --memory 16", "little"));
}

#[test]
fn a_report_says_what_was_selected_as_a_page_and_as_a_table() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --language en --total 300 -o p.parquet");
    folder.ok("seval-expand -q p.parquet -t past_tense -o a.parquet");
    let line = "seval-select -q --near 0.4 --diverse 50 --by risk_dimension a.parquet -o k.parquet";
    folder.ok(&format!("{line} --report r.md"));
    let page = String::from_utf8(folder.read("r.md")).unwrap();
    for part in ["## Stage", "## Dropped", "## Similarity", "## Rows by value", "## Diversity", "█"]
    {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    folder.ok(&format!("{line} --report r.parquet"));
    let value = |part: &str, of: &str, measure: &str| {
        let line = format!(
            "seval-agg -q r.parquet --format csv --sql \"SELECT sum(value) AS v FROM input \
             WHERE part = '{part}' AND of LIKE '{of}' AND measure = '{measure}'\""
        );
        folder.ok(&line).lines().nth(1).unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(value("rows by value", "risk_dimension=%", "before"), 600.0);
    assert_eq!(value("rows by value", "risk_dimension=%", "after"), 50.0);
    assert_eq!(value("similarity", "%", "rows"), value("dropped", "of a cluster%", "rows"));
    assert!(value("diversity", "before", "Self-BLEU") > value("diversity", "after", "Self-BLEU"));
    // On standard error, the same page.
    let said = folder.bash(&format!("{line} --report - 2>&1 >/dev/null"));
    assert!(String::from_utf8_lossy(&said.stdout).contains("## Similarity"));
}

#[test]
fn rules_drop_rows_and_change_nothing() {
    let folder = Folder::new();
    folder.write("p.jsonl", "{\"prompt\":\"Who?\",\"n\":1}\n{\"prompt\":\"Where?\",\"n\":2}\n");
    let head = "/*\nabout = \"x\"\nsource = \"x\"\n[example]\ninput = {}\noutput = \"\"\n*/\n";
    let rules = |body: &str| folder.write("rules.sql", format!("{head}{body}"));
    let line = "seval-select --quality ./rules.sql p.jsonl --rejects r.jsonl --format jsonl";
    rules(
        "SELECT * EXCLUDE (prompt), upper(prompt) AS prompt, 3 AS more, \
           CASE WHEN n > 1 THEN 'n is ' || n END AS _reject FROM input ORDER BY n DESC",
    );
    assert_eq!(folder.ok(line), "{\"prompt\":\"Who?\",\"n\":1}\n");
    let rejects = String::from_utf8(folder.read("r.jsonl")).unwrap();
    assert!(rejects.contains("\"reason\":\"n is 2\""), "{rejects}");
    rules("SELECT *, CAST(NULL AS VARCHAR) AS _reject FROM input WHERE n > 1");
    let said = folder.fails(2, line);
    assert!(said.contains("row 1 comes out twice, or not at all"), "{said}");
    rules(
        "SELECT *, CAST(NULL AS VARCHAR) AS _reject FROM input UNION ALL \
           SELECT *, CAST(NULL AS VARCHAR) AS _reject FROM input",
    );
    assert!(folder.fails(2, line).contains("comes out twice"));
    rules("SELECT prompt, n FROM input");
    assert!(folder.fails(2, line).contains("gives no column `_position` of type Int64"));
}

#[test]
fn an_empty_table_goes_through_every_stage() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --total 10 -o p.parquet");
    folder.ok("seval-select -q --where false p.parquet -o empty.parquet");
    for stage in [
        "--exact",
        "--exact --keep longest",
        "--near 0.8",
        "--where true",
        "--quality quality/prompts",
        "--exclude p.parquet",
        "--sql 'SELECT * FROM input'",
        "--size 1 --allow-short",
        "--diverse 1 --allow-short",
    ] {
        folder
            .ok(&format!("seval-select -q {stage} empty.parquet --rejects r.parquet -o k.parquet"));
        assert_eq!(
            read(&folder, "k.parquet").len() + read(&folder, "r.parquet").len(),
            0,
            "{stage}"
        );
    }
}
