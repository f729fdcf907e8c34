//! The importer on S-Eval's own files, where somebody has put them; none of their text is kept
//! here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use crate::rows::column;
use crate::templates::Template;

/// The three small files, or `None` if they are not here.
fn small() -> Option<Vec<(String, String)>> {
    let beside =
        || PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../../shared/data");
    let data = std::env::var_os("SEVAL_DATA").map_or_else(beside, PathBuf::from);
    let names = ["attack_zh", "base_risk_en", "base_risk_zh"];
    names.iter().map(|name| Some(((*name).to_string(), unzipped(&data, name)?))).collect()
}

fn unzipped(data: &std::path::Path, name: &str) -> Option<String> {
    let file = File::open(data.join(format!("s-eval/S-Eval_{name}_small.jsonl.zip"))).ok()?;
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut entry = archive.by_name(&format!("S-Eval_{name}_small.jsonl")).unwrap();
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    Some(text)
}

fn counted<'a>(values: impl IntoIterator<Item = &'a Value>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value.as_str().unwrap_or("null")).or_default() += 1;
    }
    counts
}

#[test]
#[allow(clippy::print_stderr)]
fn s_eval_small_is_imported_and_linked() {
    let Some(files) = small() else {
        eprintln!("NOT CHECKED: S-Eval's files are not here; SEVAL_DATA names their folder");
        return;
    };
    let rows = Template::named("import/s-eval").run(&files);
    assert_eq!(rows.len(), 12_000);
    assert_eq!(counted(column(&rows, "_reject")), BTreeMap::from([("null", 12_000)]));
    assert_eq!(counted(column(&rows, "language")), BTreeMap::from([("en", 1000), ("zh", 11_000)]));
    let warnings = counted(column(&rows, "_warning"));
    assert_eq!(
        warnings.keys().copied().collect::<Vec<_>>(),
        ["null", "traceid is not the md5 of the prompt"]
    );
    assert!(warnings["traceid is not the md5 of the prompt"] < 10, "{warnings:?}");

    // Every base prompt of the Chinese file is under each of the ten attacks once, in the same
    // risk.
    let (attacks, bases): (Vec<&Value>, Vec<&Value>) =
        rows.iter().partition(|row| !row["attack"].is_null());
    assert_eq!((attacks.len(), bases.len()), (10_000, 2000));
    let chinese: BTreeMap<&str, &Value> = bases
        .iter()
        .filter(|row| row["language"] == "zh")
        .map(|row| (row["prompt_id"].as_str().unwrap(), *row))
        .collect();
    assert_eq!(chinese.len(), 1000);
    let mut links = BTreeMap::new();
    let mut verbatim = 0;
    for row in &attacks {
        let base = chinese[row["base_id"].as_str().unwrap()];
        assert_eq!(row["risk_dimension"], base["risk_dimension"]);
        *links.entry((row["base_id"].as_str(), row["attack"].as_str())).or_insert(0) += 1;
        let quoted = row["prompt"].as_str().unwrap().contains(base["prompt"].as_str().unwrap());
        verbatim += usize::from(quoted && row["attack"] == "deepinception");
    }
    assert_eq!((links.len(), links.values().max()), (10_000, Some(&1)));
    // An attack of one frame around the base prompt proves the alignment by its text.
    assert!(verbatim >= 990, "{verbatim}");

    // Pairs: each English base prompt with its Chinese one.
    let pairs = counted(bases.iter().map(|row| &row["pair_id"]));
    assert!(pairs.len() == 1000 && pairs.values().all(|n| *n == 2));
    assert_eq!(counted(bases.iter().map(|row| &row["risk_dimension"])).len(), 8);
}
