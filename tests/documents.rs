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
    // Prompts where a list is asked for, and a text of its own for everything else.
    let (address, _) = serve(|number, body| match body.to_string().contains("numbered list") {
        true => (200, chat(&format!("1. What about {number}?\n2. And {number} again?"))),
        false => (200, chat(&format!("The answer to question {number}."))),
    });
    let s_eval = public_data("s-eval");
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let template = readme.split("```jinja\n").nth(1).unwrap().split("```").next().unwrap();
    std::fs::create_dir_all(folder.path("mine/attack")).unwrap();
    folder.write("mine/attack/whisper.j2", template);
    let readme = readme.replace("\\\n", "");
    let mut ran = 0;
    for block in readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        if block.contains("S-Eval_") || block.contains("--learn") {
            let Some(data) = &s_eval else { continue };
            folder.ok(&format!("cp {}/*.zip .", data.display()));
        }
        for command in block.lines().filter(|line| line.starts_with("seval-")) {
            let command = command.replace("http://127.0.0.1:8000/v1", &address);
            folder.ok(&command.replace("MODEL", "m").replace("URL", &address));
            if command.contains("--emit-requests") {
                answer_requests(&folder);
            }
            ran += 1;
        }
    }
    assert_eq!(ran, if s_eval.is_some() { 12 } else { 7 });
}

/// What a batch service makes of requests.jsonl.
fn answer_requests(folder: &Folder) {
    let requests = String::from_utf8(folder.read("requests.jsonl")).unwrap();
    let replies = requests.lines().enumerate().map(|(number, line)| {
        let id = serde_json::from_str::<serde_json::Value>(line).unwrap()["custom_id"].clone();
        let body = chat(&format!("Swali la {number}."));
        format!(
            "{}\n",
            serde_json::json!({"custom_id": id, "response": {"status_code": 200, "body": body}})
        )
    });
    folder.write("replies.jsonl", replies.collect::<String>());
}

#[test]
fn the_page_about_the_models_file_has_every_key_and_its_example_is_read() {
    let page = std::fs::read_to_string(root().join("docs/models.md")).unwrap();
    let folder = Folder::new();
    folder.write("p.jsonl", "{\"prompt\":\"p\"}\n");
    for (text, prefix) in [("[model.a]\nheat = 1\n", ""), ("[model.a.price]\nheat = 1\n", "price.")]
    {
        folder.write("wrong.toml", text);
        let said = folder.fails(2, "seval-query --models wrong.toml -m a p.jsonl");
        // unknown field `heat`, expected one of `provider`, `base_url`, …
        let keys: Vec<&str> = said.split('`').skip(3).step_by(2).collect();
        assert!(keys.len() >= 5, "{said}");
        for key in keys {
            assert!(page.contains(&format!("\n| `{prefix}{key}` | ")), "no {prefix}{key}");
        }
    }
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    folder.write("models.toml", example);
    let line = "seval-query -q --models models.toml -m big --dry-run p.jsonl --format csv";
    let plan = folder.ok(line);
    assert!(plan.lines().nth(1).is_some_and(|line| line.starts_with("big,1,")), "{plan}");
}

#[test]
fn every_document_names_only_paths_that_exist() {
    for name in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/benchmarks.md", "docs/models.md"]
    {
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
