//! What is absent: the engine from the programs that do not need it, code too long to be read, output that
//! does not go through the edge.

use crate::run::{PROGRAMS, root};
use std::path::{Path, PathBuf};

/// Whether the bytes of a program hold a text.
fn holds(program: &str, text: &str) -> bool {
    let path = PROGRAMS.iter().find(|(name, _)| *name == program).unwrap().1;
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn only_select_and_agg_hold_the_query_engine() {
    for (program, wanted) in [
        ("seval-expand", false),
        ("seval-query", false),
        ("seval-critique", false),
        ("seval-select", true),
        ("seval-agg", true),
    ] {
        assert_eq!(holds(program, "datafusion"), wanted, "{program}");
    }
}

#[test]
fn only_what_asks_models_opens_sockets() {
    for (program, _) in PROGRAMS {
        let asks = program != "seval-agg";
        assert_eq!(holds(program, "rustls"), asks, "{program}");
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_can_be_read_in_one_sitting() {
    let mut files = Vec::new();
    for folder in ["bin", "lib", "tests"] {
        rust_files(&root().join(folder), &mut files);
    }
    for file in files {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines", file.display());
    }
}

#[test]
fn sql_knows_nothing_of_ours_and_core_no_socket() {
    let manifest =
        |name: &str| std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
    assert!(!manifest("lib/sql").contains("seval-core"));
    assert!(!manifest("lib/net").contains("seval-sql"));
    for socket in ["tokio", "hyper", "datafusion"] {
        assert!(!manifest("lib/core").contains(socket), "{socket}");
    }
}

#[test]
fn the_engine_is_not_compiled_again_for_an_edit_elsewhere() {
    // A generic face would be compiled in the crates that call it.
    let face = std::fs::read_to_string(root().join("lib/sql/src/lib.rs")).unwrap();
    assert!(!face.contains("pub fn query<"));
}
