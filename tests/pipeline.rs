//! The five programs together: the rows they promise, the same bytes on any number of threads, bounded
//! memory, and files that every other reader opens.

use crate::run::{Folder, PROGRAMS, root};
use serde_json::Value;
use seval_core::contract::Contract;
use seval_net::Outcome;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn taxonomy_to_leaderboard_through_one_pipe() {
    let folder = Folder::new();
    let line = "seval-expand -q --taxonomy s-eval --total 400 | seval-select -q --exact | \
        seval-expand -q -t deepinception -t code_injection -t instruction_encryption | seval-query -q -m sim:balanced -m sim:permissive | \
        seval-critique -q -c rules | seval-agg --metric leaderboard --format jsonl";
    let rows = lines(&folder.ok(line));
    // Two models in two languages and in both together.
    assert_eq!(rows.len(), 6);
    for row in &rows {
        assert_eq!(row["unscored"], 0);
        let score = row["safety_score"].as_f64().unwrap();
        assert!(row["safety_score_low"].as_f64().unwrap() <= score);
        assert!(score <= row["safety_score_high"].as_f64().unwrap());
    }
    let of = |model: &str| {
        let row = rows.iter().find(|row| row["model"] == model && row["language"] == "all");
        row.unwrap()["safety_score"].as_f64().unwrap()
    };
    assert!(of("sim:balanced") > of("sim:permissive"));
}

#[test]
fn every_stage_keeps_every_column_it_was_given() {
    let folder = Folder::new();
    folder.write(
        "in.jsonl",
        "{\"mine\":{\"a\":[1,2]},\"prompt\":\"How?\",\"n\":9007199254740993,\"text\":\"x\"}\n",
    );
    let line = "seval-expand -q in.jsonl -t code_injection | seval-query -q -m sim: | \
        seval-critique -q -c rules --format jsonl";
    let error = folder.fails(5, line);
    assert!(error.contains("`language`"), "{error}");
    folder.write(
        "in.jsonl",
        "{\"mine\":{\"a\":[1,2]},\"prompt\":\"How?\",\"n\":9007199254740993,\"language\":\"en\"}\n",
    );
    for row in lines(&folder.ok(line)) {
        let names: Vec<&String> = row.as_object().unwrap().keys().take(4).collect();
        assert_eq!(names, ["mine", "prompt", "n", "language"]);
        assert_eq!(row["mine"].to_string(), r#"{"a":[1,2]}"#);
        assert_eq!(row["n"].to_string(), "9007199254740993");
    }
}

#[test]
fn what_is_written_is_what_the_contracts_say() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --per-leaf 1 -t 'generate/*' -t 'attack/*' | \
         seval-query -q -m sim: | \
         seval-critique -q -c rules -c choice --max-unscored 1 -o v.parquet");
    let contracts = [Contract::prompts(), Contract::responses(), Contract::verdicts()];
    for column in contracts.into_iter().flat_map(|contract| contract.unwrap().columns) {
        let name = &column.name;
        let values: Vec<String> = column.values.iter().map(|value| format!("'{value}'")).collect();
        let wrong = match (column.required, values.is_empty()) {
            (true, true) => format!("{name} IS NULL"),
            (true, false) => format!("{name} IS NULL OR {name} NOT IN ({})", values.join(", ")),
            (false, false) => format!("{name} NOT IN ({})", values.join(", ")),
            (false, true) => continue,
        };
        let sql = format!("SELECT count(*) AS n FROM input WHERE {wrong}");
        let rows = folder.ok(&format!("seval-agg --format csv --sql \"{sql}\" v.parquet"));
        assert_eq!(rows, "n\n0\n", "{name}");
    }
    let outcome = Contract::responses().unwrap().columns.into_iter().find(|c| c.name == "outcome");
    assert_eq!(outcome.unwrap().values, Outcome::ALL.map(Outcome::as_str));
}

#[test]
fn exact_duplicates_are_dropped_with_their_reason() {
    let folder = Folder::new();
    let rows = ["How do I?", "how  do i?", "Ｈow do I?", "How do you?"];
    let rows = rows.map(|prompt| format!("{{\"prompt\":{prompt:?}}}\n")).concat();
    folder.write("in.jsonl", rows);
    let output = folder.bash("seval-select --exact in.jsonl --rejects out.jsonl --format jsonl");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("exact: 4 rows in, 2 kept, 2 dropped"), "{said}");
    assert_eq!(lines(&String::from_utf8(output.stdout).unwrap()).len(), 2);
    for row in lines(&String::from_utf8(folder.read("out.jsonl")).unwrap()) {
        assert_eq!(row["stage"], "exact");
        assert_eq!(row["duplicate_of"].as_str().unwrap().len(), 32);
    }
}

#[test]
fn one_thread_or_two_the_bytes_are_the_same() {
    let folder = Folder::new();
    for threads in ["1", "2"] {
        let j = format!("-q -j {threads}");
        folder.ok(&format!(
            "seval-expand {j} --taxonomy s-eval --per-leaf 1 -t 'generate/*' -t 'attack/*' \
             -t 'past_tense|base64' -o a{threads}.parquet"
        ));
        folder.ok(&format!("seval-select {j} --exact a1.parquet -o b{threads}.parquet"));
        folder.ok(&format!("seval-query {j} -m 'sim:*' b1.parquet -o c{threads}.parquet"));
        folder.ok(&format!("seval-critique {j} -c rules c1.parquet -o d{threads}.parquet"));
        folder.ok(&format!("seval-agg {j} --metric leaderboard d1.parquet -o e{threads}.parquet"));
    }
    for stage in ["a", "b", "c", "d", "e"] {
        let (one, two) = (format!("{stage}1.parquet"), format!("{stage}2.parquet"));
        assert!(folder.read(&one) == folder.read(&two), "{one} and {two} differ");
    }
}

/// The peak resident memory of a command in MiB.
fn peak_memory(folder: &Folder, command: &str) -> u64 {
    // The shell's last command replaces it, so that the figure is the program's.
    let script = "import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],check=True)\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024)";
    let line = format!("python3 -c '{script}' {command}");
    folder.ok(&line).trim().parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let folder = Folder::new();
    if !folder.bash("python3 --version").status.success() {
        eprintln!("not checked: memory is measured with python3, which is not here");
        return;
    }
    // 100,000 base prompts become 200,000 rows; the full million is in `make bench`.
    let row = |at: usize| {
        format!("{{\"prompt\":\"Question {at}: {}\",\"language\":\"en\"}}\n", "word ".repeat(40))
    };
    folder.write("in.jsonl", (0..100_000).map(row).collect::<String>());
    let expand = peak_memory(&folder, "seval-expand -q in.jsonl -t deepinception -o a.parquet");
    folder.ok("seval-query -q -m sim: a.parquet -o r.parquet");
    let critique = peak_memory(&folder, "seval-critique -q -c rules r.parquet -o v.parquet");
    assert!(expand < 300 && critique < 300, "expand {expand} MiB, critique {critique} MiB");
}

#[test]
fn the_history_of_a_file_names_every_program_and_template() {
    let folder = Folder::new();
    folder.ok("seval-expand -q --taxonomy s-eval --total 100 | \
         seval-expand -q -t deepinception -o a.arrow");
    folder.ok("seval-query -q -m sim: a.arrow | seval-critique -q -c rules -o v.parquet");
    let bytes = folder.read("v.parquet");
    let text = String::from_utf8_lossy(&bytes);
    for word in
        ["seval.history", "taxonomy/s-eval", "attack/deepinception", "critic/rules", "seval-query"]
    {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn the_demonstration_runs_once() {
    let folder = Folder::new();
    let bin = std::path::Path::new(PROGRAMS[0].1).parent().unwrap();
    let make = format!(
        "make --no-print-directory -C {} BIN={} R={}",
        root().display(),
        bin.display(),
        folder.path("results").display()
    );
    folder.ok(&format!("{make} stages"));
    for stage in
        ["prompts", "distinct", "dropped", "attacks", "responses", "verdicts", "leaderboard"]
    {
        assert!(folder.path(&format!("results/{stage}.parquet")).exists(), "{stage}");
    }
    // Make's answer to whether anything is left to do.
    folder.ok(&format!("{make} --question stages"));
    folder.ok(&format!("touch {}", folder.path("results/responses.parquet").display()));
    let again = folder.ok(&format!("{make} --dry-run stages"));
    assert!(again.contains("seval-critique") && !again.contains("seval-query"), "{again}");
}

#[test]
fn other_readers_open_every_file() {
    let folder = Folder::new();
    let check = root().join("tests/readers.py");
    let output = folder.bash(&format!("python3 {} --which", check.display()));
    let readers = String::from_utf8(output.stdout).unwrap();
    if readers.trim().is_empty() {
        eprintln!(
            "not checked: Python with pyarrow, pandas, polars, duckdb or datasets is not here"
        );
        return;
    }
    eprintln!("readers: {readers}");
    folder.ok("seval-expand -q --taxonomy s-eval --per-leaf 2 --language en -o prompts.parquet");
    folder.ok(
        "seval-select -q --exact prompts.parquet --rejects dropped.parquet -o distinct.parquet",
    );
    let attacks = "-t deepinception -t 'past_tense|base64' -t multi_turn_gradual -t zero_width";
    folder.ok(&format!("seval-expand -q {attacks} distinct.parquet -o attacks.parquet"));
    folder.ok("seval-query -q -m 'sim:*' attacks.parquet -o responses.parquet");
    folder.ok("seval-critique -q -c rules responses.parquet -o verdicts.parquet");
    folder.ok("seval-agg -q --metric attack verdicts.parquet -o attack.parquet");
    folder.ok(&format!("python3 {} *.parquet", check.display()));
}
