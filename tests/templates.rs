//! Every built-in template's example gives what it says, so that none can rot.

use crate::run::Folder;
use serde_json::{Map, Value};
use seval_core::critique::Critic;
use seval_core::template::metadata::{self, PromptMetadata, QueryMetadata};
use seval_core::template::{File, Library};

fn all(kind: &str) -> Vec<File> {
    let files = Library::default().list(kind).unwrap();
    assert!(!files.is_empty(), "there is no {kind}/ template");
    files
}

#[test]
fn prompt_templates() {
    for file in all("attack").into_iter().chain(all("generate")) {
        let example = metadata::jinja::<PromptMetadata>(&file).unwrap().metadata.example;
        // The example's row is a taxonomy's for generate/, a prompt row for attack/.
        let text = seval_core::expand::example(&file, &example).unwrap();
        let expected = example.output.strip_prefix('\n').unwrap_or(&example.output);
        if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
            rewrite(&file, &text);
        } else {
            assert_eq!(text, expected, "{}: UPDATE=1 writes what comes out", file.place);
        }
    }
}

/// Puts what comes out of a template into its example.
fn rewrite(file: &File, output: &str) {
    let (before, rest) = file.text.split_once("example.output = ").unwrap();
    let (_, body) = rest.split_once("#}").unwrap();
    let escaped: String = output
        .chars()
        .map(|c| match c {
            '\\' => "\\\\".to_owned(),
            '"' => "\\\"".to_owned(),
            '\n' => "\n".to_owned(),
            // What nobody can see in an editor is written by its number; so is what would end the comment.
            c if c.is_control() || is_invisible(c) => format!("\\U{:08X}", c as u32),
            '#' => "\\u0023".to_owned(),
            c => c.to_string(),
        })
        .collect();
    // A quotation mark is only escaped where three of them would end the text.
    let plain = escaped.replace("\\\"", "\"");
    let escaped = if plain.contains("\"\"") || plain.ends_with('"') { escaped } else { plain };
    let escaped = match escaped.contains("\\u0023}") {
        true => escaped,
        false => escaped.replace("\\u0023", "#"),
    };
    let text = format!("{before}example.output = \"\"\"\n{escaped}\"\"\"\n#}}{body}");
    std::fs::write(crate::run::root().join(&file.place), text).unwrap();
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e01ef}')
}

#[test]
fn importers_rules_and_metrics() {
    for (kind, program) in [
        ("import", "seval-select --from"),
        ("quality", "seval-select --quality"),
        ("metric", "seval-agg --max-unscored 1 --metric"),
        ("export", "seval-agg export --as"),
    ] {
        for file in all(kind) {
            let QueryMetadata { example, tables, .. } =
                metadata::sql::<QueryMetadata>(&file).unwrap().metadata;
            let folder = Folder::new();
            for (name, rows) in &example.input {
                folder.write(name, rows.trim_start());
            }
            // A file is the table of its name where the metadata ask for one.
            let argument = |name: &String| match name.split_once('.') {
                Some((table, _)) if tables.iter().any(|known| known == table) => {
                    format!("{table}={name}")
                }
                _ => name.clone(),
            };
            let names: Vec<String> = example.input.keys().map(argument).collect();
            let line = format!("{program} {} {} -q --format jsonl", file.name, names.join(" "));
            let found = rows(&folder.ok(&line));
            let mut expected = rows(&example.output);
            // What is rejected does not come out.
            expected.retain(|row| row.get("_reject").is_none_or(Value::is_null));
            assert_eq!(found.len(), expected.len(), "{}: rows\n{found:#?}", file.place);
            for (found, expected) in found.iter().zip(&expected) {
                // An importer's columns about a row end in its summary.
                for (key, value) in expected.iter().filter(|(key, _)| !key.starts_with('_')) {
                    let same = match (value.as_f64(), found[key].as_f64()) {
                        (Some(a), Some(b)) => (a - b).abs() < 1e-6,
                        _ => *value == found[key],
                    };
                    assert!(same, "{}: `{key}` of {found:?}", file.place);
                }
            }
        }
    }
}

fn rows(text: &str) -> Vec<Map<String, Value>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn critics() {
    for file in all("critic") {
        let failed = Critic::open(&file).unwrap().check_examples();
        assert!(failed.is_empty(), "{}: {failed:#?}", file.place);
    }
}

#[test]
fn the_programs_hold_the_files_of_this_tree() {
    // Two clones that share a target folder once got each other's templates.
    for kind in
        ["attack", "generate", "critic", "import", "metric", "export", "report", "quality", "sim"]
    {
        for file in all(kind) {
            let here = std::fs::read_to_string(crate::run::root().join(&file.place)).unwrap();
            assert_eq!(file.text, here, "{}", file.place);
        }
    }
}
