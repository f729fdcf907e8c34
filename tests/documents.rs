//! What the documentation shows is true: the examples of every `--help` run, the README's commands print
//! what it says, man pages and completions are made.

use crate::cases::replay;
use crate::run::{Folder, PROGRAMS, public_data, root};
use crate::server::{chat, serve};

/// The files that the examples read.
fn prepared() -> Folder {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --total 200 -o prompts.parquet");
    folder.ok("seval-expand -q prompts.parquet -t deepinception -t code_injection | \
         seval-query -q -m sim: -o responses.parquet");
    folder.ok("seval-critique -q -c rules responses.parquet -o verdicts.parquet");
    let row = r#"{"traceid":"0","risk_type":"Cybersecurity","prompt":"How?","ext":"{\"model\":\"base_risk\"}"}"#;
    folder.write("items.jsonl", format!("{row}\n"));
    folder
}

#[test]
fn every_example_of_every_help_runs() {
    let folder = prepared();
    for (program, _) in PROGRAMS {
        let help = folder.ok(&format!("{program} --help"));
        let examples: Vec<&str> =
            help.lines().filter_map(|line| line.trim().strip_prefix("$ ")).collect();
        assert!(examples.len() >= 4, "{program} --help shows {} examples", examples.len());
        for example in examples {
            let output = folder.bash(example);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{example}\n{said}");
        }
    }
}

#[test]
fn every_help_says_what_goes_in_and_out_and_what_it_costs() {
    let folder = Folder::new();
    for (program, _) in PROGRAMS {
        let help = folder.ok(&format!("{program} --help"));
        for word in ["Reads", "writes", "Exit status: 0", "memory"] {
            assert!(help.contains(word), "{program} --help does not say `{word}`");
        }
        // The same flag has the same text everywhere.
        let shared = "--templates <FOLDER>";
        assert!(help.contains(shared), "{program} --help has no {shared}");
        assert_eq!(
            folder.ok(&format!("{program} --version")),
            format!("{program} {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
}

#[test]
fn man_pages_and_completions_are_made() {
    let folder = Folder::new();
    for (program, _) in PROGRAMS {
        assert!(folder.ok(&format!("{program} --generate man")).contains(".SH SYNOPSIS"));
        for shell in ["bash", "zsh", "fish"] {
            assert!(folder.ok(&format!("{program} --generate {shell}")).contains(program));
        }
    }
}

#[test]
fn the_readme_shows_what_is_printed() {
    let path = root().join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let printed = replay(&text);
    if text != printed && std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, printed).unwrap();
        return;
    }
    assert_eq!(text, printed, "UPDATE=1 accepts what is printed");
}

/// The README's commands for a server and for S-Eval's files, with a server and files that are there.
#[test]
fn the_readmes_other_commands_run() {
    let folder = prepared();
    let (address, _) = serve(|_, _| (200, chat("I'm sorry, but I can't help with that.")));
    let s_eval = public_data("s-eval");
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let readme = readme.replace("\\\n", "");
    let mut ran = 0;
    for block in readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        if block.contains("S-Eval_") {
            let Some(data) = &s_eval else { continue };
            folder.ok(&format!("cp {}/*.zip .", data.display()));
        }
        for command in block.lines().filter(|line| line.starts_with("seval-")) {
            let command = command.replace("http://127.0.0.1:8000/v1", &address);
            folder.ok(&command.replace("MODEL", "m").replace("URL", &address));
            ran += 1;
        }
    }
    assert_eq!(ran, if s_eval.is_some() { 4 } else { 1 });
}

#[test]
fn every_document_names_only_paths_that_exist() {
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_path = ["lib/", "bin/", "schemas/", "templates/", "tests/"]
                .iter()
                .any(|p| quoted.starts_with(p));
            let plain = !quoted.contains(['*', ' ', '<', '…', '{']);
            if is_path && plain {
                assert!(
                    root().join(quoted).exists(),
                    "{name} names `{quoted}`, which does not exist"
                );
            }
        }
    }
}
