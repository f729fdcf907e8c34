//! Importers on files as their authors publish them, where these are, and on archives that examples
//! cannot hold. Every row that is read is kept or rejected.

use crate::run::{Folder, public_data};
use std::io::Write;

/// Imports files; what is said on standard error, and the numbers of rows kept and rejected.
fn import(folder: &Folder, importer: &str, files: &str) -> (String, usize, usize) {
    let line = format!(
        "seval-select --from import/{importer} {files} --format jsonl --rejects rejects.jsonl \
        >rows.jsonl"
    );
    let output = folder.bash(&line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let lines = |name: &str| folder.read(name).iter().filter(|byte| **byte == b'\n').count();
    (said, lines("rows.jsonl"), lines("rejects.jsonl"))
}

/// The one row of a query, as JSON.
fn one(folder: &Folder, sql: &str) -> String {
    folder.ok(&format!("seval-agg -q --format jsonl --sql \"{sql}\" rows.jsonl")).trim().into()
}

#[test]
fn question_banks() {
    let Some(data) = public_data("red-instruct") else { return };
    for (bank, questions) in
        [("harmfulqa", 1960), ("catqa_english", 550), ("catqa_chinese", 550), ("dangerousqa", 200)]
    {
        let folder = Folder::new();
        let file = format!("{}/{bank}.json", data.display());
        let (said, kept, rejected) = import(&folder, "red_instruct", &file);
        assert_eq!((kept, rejected), (questions, 0), "{bank}: {said}");
    }
    // Both languages of a question are a pair.
    let folder = Folder::new();
    let files = ["catqa_english", "catqa_chinese"];
    let files = files.map(|bank| format!("{}/{bank}.json", data.display())).join(" ");
    import(&folder, "red_instruct", &files);
    let sql = "SELECT count(*) AS n, count(DISTINCT a.risk_category) AS categories FROM input a \
        JOIN input b USING (pair_id) WHERE a.language = 'en' AND b.language = 'zh' \
        AND a.risk_subcategory = b.risk_subcategory";
    assert_eq!(one(&folder, sql), r#"{"n":550,"categories":11}"#);
}

#[test]
fn evaluation_prompts_of_beavertails() {
    let Some(data) = public_data("beavertails") else { return };
    let folder = Folder::new();
    let file = format!("{}/BeaverTails-Evaluation.json", data.display());
    let (said, kept, rejected) = import(&folder, "beavertails_evaluation", &file);
    assert_eq!((kept, rejected), (700, 0), "{said}");
    let sql = "SELECT count(*) AS categories, min(n) AS fewest, max(n) AS most FROM \
        (SELECT count(*) AS n FROM input GROUP BY risk_category)";
    assert_eq!(one(&folder, sql), r#"{"categories":14,"fewest":50,"most":50}"#);
}

#[test]
fn both_sides_of_every_transcript() {
    let Some(data) = public_data("hh-rlhf") else { return };
    let folder = Folder::new();
    let file = format!("{}/harmless-base-test.jsonl.gz", data.display());
    let (said, kept, rejected) = import(&folder, "hh_rlhf", &file);
    // 2,312 pairs; five sides do not end with a reply to a person.
    assert_eq!((kept, rejected), (4619, 5), "{said}");
    assert!(said.contains("dropped 5: it does not end with a reply to a person"), "{said}");
    // The sides of a pair answer the same turns, mostly.
    let sql = "SELECT count(*) FILTER (WHERE model = 'chosen') AS chosen, \
        count(*) FILTER (WHERE model = 'rejected') AS rejected, count(messages) AS talks, \
        count(*) FILTER (WHERE outcome = 'empty') AS empty, max(sample) AS sample FROM input";
    let found = one(&folder, sql);
    let wanted = r#"{"chosen":2308,"rejected":2311,"talks":3296,"empty":4,"sample":1}"#;
    assert_eq!(found, wanted);
}

/// A file as Inspect writes it: an archive whose members are compressed with zstd (method 93).
fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let method = zip::CompressionMethod::Zstd;
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, text) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_log_of_inspect_is_the_same_in_an_archive_and_in_a_document() {
    let sample = |id: u8, epoch: u8| {
        format!(
            r#"{{"id": {id}, "epoch": {epoch}, "input": "Which?", "target": "B",
            "output": {{"model": "m", "choices":
              [{{"message": {{"content": "B"}}, "stop_reason": "stop"}}]}},
            "scores": {{"choice": {{"value": "C", "answer": "B"}}, "length": {{"value": 1}}}}}}"#
        )
    };
    let (a, b) = (sample(1, 1), sample(1, 2));
    let header = r#"{"version": 2, "eval": {"task": "t", "model": "org/m"}}"#;
    let summaries = r#"[{"id": 1, "epoch": 1}, {"id": 1, "epoch": 2}]"#;
    let folder = Folder::new();
    let members = [
        ("_journal/start.json", header),
        ("_journal/summaries/1.json", summaries),
        ("samples/1_epoch_1.json", &a),
        ("samples/1_epoch_2.json", &b),
        ("summaries.json", summaries),
        ("header.json", header),
    ];
    folder.write("log.eval", archive(&members));
    let open = header.trim_end_matches('}');
    folder.write("log.json", format!(r#"{open}}}, "samples": [{a}, {b}]}}"#));
    let (said, kept, rejected) = import(&folder, "inspect", "log.eval");
    assert_eq!((kept, rejected), (4, 0), "{said}");
    let from_archive = folder.read("rows.jsonl");
    import(&folder, "inspect", "log.json");
    assert_eq!(from_archive, folder.read("rows.jsonl"));
}

#[test]
fn responses_of_s_eval_join_the_imported_prompts() {
    let Some((folder, _)) = crate::s_eval::imported() else { return };
    folder.ok("seval-agg -q in.parquet --format jsonl -o model.jsonl \
        --sql \"SELECT source_id AS traceid, prompt, 'No.' AS response FROM input\"");
    let (said, kept, rejected) = import(&folder, "s-eval-responses", "model.jsonl");
    assert_eq!((kept, rejected), (12_000, 0), "{said}");
    let sql = "SELECT count(*) AS n, count(p.risk_dimension) AS risks FROM input r \
        JOIN prompts p USING (prompt_id)";
    let line = format!("seval-agg -q --format jsonl --sql \"{sql}\" rows.jsonl prompts=in.parquet");
    assert_eq!(folder.ok(&line).trim(), r#"{"n":12000,"risks":12000}"#);
}
