//! Every SQL template gives what its own example promises.

use std::fs;
use std::path::PathBuf;

use arrow::datatypes::DataType;
use serde_json::Value;

use crate::rows::{files, rows};

/// A template as it stands in its file.
pub struct Template {
    pub sql: String,
    header: toml::Table,
}

impl Template {
    /// The template of a name such as `metric/safety`.
    pub fn named(name: &str) -> Self {
        let path = folder().join(name).with_extension("sql");
        let sql = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let rest = sql.strip_prefix("/*").expect("a template starts with its metadata");
        let (header, _) = rest.split_once("*/").expect("the metadata ends");
        let header = header.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
        Self { sql, header }
    }

    fn optional(&self) -> Vec<(String, DataType)> {
        let Some(columns) = self.header.get("optional") else { return Vec::new() };
        let kind = |name: &str| match name {
            "Utf8" => DataType::Utf8,
            "Int64" => DataType::Int64,
            "Float64" => DataType::Float64,
            "Boolean" => DataType::Boolean,
            other => panic!("{other} is not a type of an optional column"),
        };
        let columns = columns.as_table().unwrap().iter();
        columns.map(|(name, typed)| (name.clone(), kind(typed.as_str().unwrap()))).collect()
    }

    /// Runs it over files of JSON lines; the same rows must come with one thread and with two.
    pub fn run(&self, input: &[(String, String)]) -> Vec<Value> {
        let run = |threads| {
            rows(&self.sql, vec![files(input, &self.optional())], threads)
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let one = run(1);
        assert_eq!(run(2), one);
        one
    }

    /// Runs it over one file.
    pub fn run_lines(&self, lines: &str) -> Vec<Value> {
        self.run(&[("rows.jsonl".into(), lines.into())])
    }
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../templates")
}

/// Equal, but for the last digits of a fraction.
pub fn alike(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        _ => a == b,
    }
}

#[test]
fn every_example_holds() {
    for name in [
        "import/s-eval",
        "metric/safety",
        "metric/attack",
        "metric/leaderboard",
        "quality/prompts",
        "quality/critic",
    ] {
        let template = Template::named(name);
        for key in template.header.keys() {
            let known = ["about", "source", "needs", "optional", "example"];
            assert!(known.contains(&key.as_str()), "{name}: {key}");
        }
        let example = &template.header["example"];
        let input = example["input"].as_table().unwrap();
        let input: Vec<(String, String)> = input
            .iter()
            .map(|(name, text)| (name.clone(), text.as_str().unwrap().into()))
            .collect();
        let got = template.run(&input);
        let wanted = example["output"].as_str().unwrap().lines().filter(|line| !line.is_empty());
        let wanted: Vec<Value> = wanted.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(got.len(), wanted.len(), "{name}: {got:#?}");
        for (got, wanted) in got.iter().zip(&wanted) {
            for (key, value) in wanted.as_object().unwrap() {
                assert!(alike(&got[key], value), "{name}: {key} of {got} should be {value}");
            }
        }
    }
}
