//! Where the programs meet the shell: exit statuses, pipes, files and their permissions, signals, the
//! terminal. Nothing here depends on how fast the machine is.

use crate::run::Folder;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const MAKE: &str = "seval-expand --taxonomy s-eval --language en";

/// A folder with prompts and responses, in a few rows.
fn prepared() -> Folder {
    let folder = Folder::new();
    let row = |n: usize| {
        format!("{{\"prompt\":\"How {n}?\",\"language\":\"en\",\"response\":\"No.\"}}\n")
    };
    let ask = |n: usize| format!("{{\"prompt\":\"How {n}?\",\"language\":\"en\"}}\n");
    folder.write("rows.jsonl", (0..50).map(row).collect::<String>());
    folder.write("ask.jsonl", (0..50).map(ask).collect::<String>());
    folder.ok("seval-expand -q rows.jsonl -t code_injection -o rows.arrows");
    folder
}

fn mode(folder: &Folder, name: &str) -> u32 {
    std::fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o7777
}

/// Nothing that a terminal would obey, nothing that a reader would not see.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(|c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
    })
}

// ---- exit statuses and messages

#[test]
fn the_exit_status_says_who_must_act() {
    let folder = prepared();
    folder.write("damaged.parquet", "PAR1");
    folder.bash(&format!("{MAKE} -q -o fine.parquet"));
    for (code, line, says) in [
        (1, "seval-critique -c rules rows.jsonl -o none/a.csv", "none/a.csv: "),
        (1, "seval-critique -c rules rows.jsonl --format csv -o /dev/full", "No space left"),
        (1, "seval-critique -c rules rows.jsonl --format parquet -o /dev/full", "No space left"),
        (1, "seval-critique -c rules rows.jsonl --format feather -o /dev/full", "No space left"),
        (1, "seval-critique -c rules rows.jsonl --format jsonl > /dev/full", "No space left"),
        (2, "seval-critique -c rules rows.jsonl --nonsense", "--nonsense"),
        (2, "seval-critique -c rules none.jsonl", "none.jsonl: "),
        (2, "seval-critique -c rules 'none*.jsonl'", "no file matches"),
        (2, "seval-critique -c none rows.jsonl", "no template has this name"),
        (2, "seval-critique rows.jsonl", "no critic is named; name one with -c"),
        (2, "seval-critique -c rules rows.jsonl -o out.xyz", "use .parquet"),
        (2, "seval-critique -c rules rows.jsonl -o . -f csv", "is a folder"),
        (2, "seval-critique -c rules - - < rows.jsonl", "standard input is named twice"),
        (2, "seval-critique -c rules rows.jsonl -j 0", "0 is not in 1..=256"),
        (2, "seval-critique -c rules s3://bucket/a.parquet", "fetch the file first"),
        (2, "seval-critique -c rules rows.jsonl -q -v", "cannot be used with"),
        (2, "seval-query ask.jsonl", "no model is named"),
        (2, "seval-query 'SELECT 1 FROM input'", "seval-agg --sql"),
        (2, "seval-expand rows.jsonl", "no template is named"),
        (2, "seval-expand --taxonomy none", "none: "),
        (5, "seval-critique -c rules damaged.parquet", "damaged.parquet: footer: "),
        (5, "seval-critique -c rules fine.parquet", "column `response` is missing"),
        (5, "seval-critique -c rules < /dev/null", "standard input: the input is empty"),
    ] {
        let said = folder.fails(code, line);
        let program = line.split(' ').next().unwrap();
        assert!(said.starts_with(&format!("{program}: ")) && said.contains(says), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "one line, whatever went wrong: {said}");
        assert!(!said.trim_end().ends_with('.'), "{said}");
    }
    // What failed left nothing.
    assert_eq!(
        folder.names(),
        ["ask.jsonl", "damaged.parquet", "fine.parquet", "rows.arrows", "rows.jsonl"]
    );
}

#[test]
fn the_output_is_opened_before_the_work() {
    let folder = prepared();
    // Nobody listens there: the folder is what is wrong first.
    let line = "seval-query -m some --base-url http://127.0.0.1:1/v1 ask.jsonl -o none/a.csv";
    let said = folder.fails(1, line);
    assert!(said.contains("none/a.csv: ") && said.contains("does the folder exist"), "{said}");
}

#[test]
fn standard_output_is_data_whatever_is_said_beside_it() {
    let folder = prepared();
    let line = "seval-critique -c rules rows.jsonl --format jsonl";
    let plain = folder.ok(&format!("{line} -q 2> quiet"));
    assert_eq!(folder.read("quiet"), b"");
    let loud = folder.ok(&format!("{line} -v 2> loud"));
    assert!(!folder.read("loud").is_empty());
    assert!(plain == loud && plain == folder.ok(&format!("{line} 2> /dev/null")));
    assert!(plain.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    folder.ok(&format!("{line} -o out.jsonl -v > nothing"));
    assert_eq!(folder.read("nothing"), b"");
    assert_eq!(folder.read("out.jsonl"), plain.as_bytes());
    // Also where standard error is gone.
    assert_eq!(folder.ok(&format!("{line} 2>&-")), plain);
    assert_eq!(folder.ok(&format!("{line} 2> /dev/full")), plain);
}

// ---- pipes

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = prepared();
    for format in ["arrow", "parquet", "feather", "jsonl", "csv", "csv-raw", "md", "table"] {
        for program in
            [MAKE, "seval-critique -c rules rows.arrows", "seval-query -m sim: ask.jsonl"]
        {
            // The reader is gone before the first byte comes.
            let line =
                format!("({program} -q --format {format}; echo $? > status) | true; cat status");
            let output = folder.bash(&format!("set +o pipefail; {line}"));
            assert_eq!(output.stdout, b"0\n", "{program} {format}");
            assert_eq!(output.stderr, b"", "{program} {format}");
        }
    }
    let line =
        "seval-expand -q --taxonomy s-eval --format jsonl | head -c 1; echo ${PIPESTATUS[0]}";
    let output = folder.bash(line);
    assert_eq!((output.stdout, output.stderr), (b"{0\n".to_vec(), Vec::new()));
    for line in ["seval-expand --list", "seval-expand --help", "seval-expand --generate man"] {
        let output = folder.bash(&format!("({line}; echo $? >&2) | true"));
        assert_eq!(output.stderr, b"0\n", "{line}");
    }
}

#[test]
fn standard_output_that_is_closed_is_no_panic() {
    let folder = prepared();
    for line in
        [format!("{MAKE} --format csv"), "seval-expand --help".into(), "seval-expand --list".into()]
    {
        let output = folder.bash(&format!("{line} >&-"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {said}");
        assert!(!said.contains("internal error") && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn what_cannot_be_renamed_is_written_through() {
    let folder = prepared();
    let whole = folder.ok("seval-critique -q -c rules rows.jsonl --format csv");
    let line = "seval-critique -q -c rules rows.jsonl --format csv -o";
    let through = "mkfifo fifo; cat fifo > read & LINE fifo; wait";
    folder.ok(&through.replace("LINE", line));
    assert_eq!(folder.read("read"), whole.as_bytes());
    assert_eq!(folder.ok(&format!("{line} /dev/stdout | cat")), whole);
    // A file that is standard output goes on; it is not replaced.
    folder.ok(&format!("(echo first; {line} /dev/stdout; echo last) > file"));
    assert_eq!(folder.read("file"), format!("first\n{whole}last\n").as_bytes());
    folder.ok(&format!("(echo first; {line} /dev/fd/1; echo last) >> more"));
    assert_eq!(folder.read("more"), format!("first\n{whole}last\n").as_bytes());
    folder.ok(&format!("{line} /dev/null"));
    assert_eq!(
        folder.names(),
        ["ask.jsonl", "fifo", "file", "more", "read", "rows.arrows", "rows.jsonl"]
    );
    // Rows come through a FIFO with a name, too.
    let line = "seval-critique -q -c rules fifo --format csv";
    assert_eq!(
        folder.ok(&format!("timeout 20 cat rows.jsonl > fifo & timeout 20 {line}; wait")),
        whole
    );
}

// ---- files

#[test]
fn a_file_keeps_its_permissions_and_a_new_one_gets_the_usual() {
    let folder = prepared();
    let line = "seval-critique -q -c rules rows.jsonl -o";
    for (umask, expected) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        folder.ok(&format!("umask {umask}; {line} new-{umask}.csv"));
        assert_eq!(mode(&folder, &format!("new-{umask}.csv")), expected, "{umask}");
    }
    folder.ok(&format!("echo old > old.csv; chmod 640 old.csv; umask 077; {line} old.csv"));
    assert_eq!(mode(&folder, "old.csv"), 0o640);
    folder.ok(&format!(
        "mkdir far; echo old > far/it.csv; ln -s far/it.csv link.csv; {line} link.csv"
    ));
    assert!(std::fs::symlink_metadata(folder.path("link.csv")).unwrap().is_symlink());
    assert_eq!(folder.read("far/it.csv"), folder.read("new-022.csv"));
    // A link to nothing is a place, too.
    folder.ok(&format!("ln -s far/other.csv to-be.csv; {line} to-be.csv"));
    assert_eq!(folder.read("far/other.csv"), folder.read("new-022.csv"));
    assert_eq!(std::fs::read_dir(folder.path("far")).unwrap().count(), 2);
}

#[test]
fn a_run_that_fails_leaves_the_old_output() {
    let folder = prepared();
    for name in ["out.parquet", "out.arrow", "out.arrows", "out.jsonl", "out.csv", "out.md"] {
        folder.write(name, "old");
        // The rows are sound up to the end, which is missing.
        let line = format!("head -c -8 rows.arrows | seval-critique -c rules -o {name}");
        assert!(folder.fails(5, &line).contains("without its end marker"));
        assert_eq!(folder.read(name), b"old");
        std::fs::remove_file(folder.path(name)).unwrap();
        folder.fails(5, &line);
        assert_eq!(folder.names(), ["ask.jsonl", "rows.arrows", "rows.jsonl"]);
    }
}

#[test]
fn a_signal_leaves_the_old_output_and_its_own_status() {
    let folder = prepared();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        for name in ["out.parquet", "out.csv"] {
            folder.write(name, "old");
            // The upstream stays open until the program is gone, which has its unfinished file by then.
            let line = format!(
                "mkfifo up; exec 3<> up; seval-critique -c rules < up -o {name} & program=$!
                head -c -8 rows.arrows >&3
                for i in $(seq 1000); do ls .{name}.*.tmp >/dev/null 2>&1 && break; sleep 0.01; done
                ls -A | grep -c tmp; kill -{signal} $program; wait $program; status=$?
                rm up; echo $status"
            );
            let output = folder.bash(&line);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(String::from_utf8_lossy(&output.stdout), format!("1\n{code}\n"), "{said}");
            assert_eq!(folder.read(name), b"old");
            std::fs::remove_file(folder.path(name)).unwrap();
            assert_eq!(folder.names(), ["ask.jsonl", "rows.arrows", "rows.jsonl"]);
        }
    }
}

#[test]
fn no_rows_are_an_output_without_rows() {
    let folder = prepared();
    folder.ok("seval-query -q -m sim: --limit 0 ask.jsonl -o none.parquet");
    for (end, size) in
        [("parquet", 500), ("arrow", 500), ("arrows", 200), ("csv", 20), ("jsonl", 0)]
    {
        folder.ok(&format!("seval-critique -q -c rules none.parquet -o out.{end}"));
        assert!(folder.read(&format!("out.{end}")).len() >= size, "{end}");
        let again = format!("seval-critique -c rules out.{end}");
        match end {
            "jsonl" => assert!(folder.fails(5, &again).contains("the input is empty")),
            // The columns are there: the verdicts too.
            _ => assert!(folder.fails(5, &again).contains("there is a column `critic` already")),
        }
    }
    assert_eq!(
        folder.ok("seval-critique -q -c rules none.parquet | seval-select -q --format jsonl"),
        ""
    );
}

#[test]
fn a_query_that_nobody_reads_to_its_end_leaves_no_copy_of_its_input() {
    let folder = Folder::new();
    let rows = (0..200_000).map(|at| format!("{{\"prompt\":\"p{at}\"}}\n"));
    folder.write("rows.jsonl", rows.collect::<String>());
    let line = "mkdir tmp; export TMPDIR=$PWD/tmp; \
        seval-agg --sql 'SELECT prompt FROM input' rows.jsonl -f csv | head -n 1; ls tmp | grep -c arrow";
    let output = folder.bash(line);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "prompt\n0\n");
}

// ---- people

#[test]
fn a_terminal_without_rows_is_told_so_at_once() {
    let folder = Folder::new();
    if !folder.bash("command -v script").status.success() {
        eprintln!("not checked: there is no `script`");
        return;
    }
    let start = Instant::now();
    for program in
        ["seval-critique -c rules", "seval-expand -t code_injection", "seval-query -m sim:"]
    {
        let output =
            folder.bash(&format!("timeout 20 script -qec '{program}' /dev/null < /dev/null"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("no rows are piped in and no file is named; name a file"), "{said}");
    }
    assert!(start.elapsed() < Duration::from_secs(20));
    // Binary is not for a terminal, a short table is.
    let line =
        "timeout 20 script -qec 'seval-expand -q --taxonomy s-eval --format parquet' /dev/null";
    assert_eq!(folder.bash(line).status.code(), Some(2));
    let shown = folder.bash(&line.replace(" --format parquet", ""));
    assert!(shown.status.success() && shown.status.signal().is_none());
    let shown = String::from_utf8(shown.stdout).unwrap().replace('\r', "");
    assert!(shown.lines().count() < 40 && is_harmless(&shown), "{shown}");
}

#[test]
fn hostile_texts_never_reach_the_terminal() {
    let folder = Folder::new();
    let hostile = r"\u001b[2J\u001b]0;title\u0007x\r\u009b31m\u202e\u200b\u0000\u007f";
    let raw: String = serde_json::from_str(&format!("\"{hostile}\"")).unwrap();
    let row = format!(
        "{{\"prompt\":\"{hostile}\",\"response\":\"{hostile}\",\"{hostile}\":\"{hostile}\",\"tags\":[\"{hostile}\"]}}\n"
    );
    folder.write("rows.jsonl", row);
    for format in ["table", "md"] {
        for content in ["", "--show-content"] {
            let line = format!("seval-critique -q -c rules rows.jsonl --format {format} {content}");
            let shown = folder.ok(&line);
            assert!(is_harmless(&shown), "{line}: {shown:?}");
            let seen = format == "md" && !content.is_empty();
            assert!(!seen || shown.matches("31m").count() == 5, "{shown:?}");
        }
    }
    if folder.bash("command -v script").status.success() {
        for format in ["csv", "csv-raw", "jsonl"] {
            let line = format!("seval-critique -q -c rules rows.jsonl --format {format}");
            let shown = folder.bash(&format!("timeout 20 script -qec '{line}' /dev/null"));
            let shown = String::from_utf8(shown.stdout).unwrap().replace("\r\n", "\n");
            assert!(shown.contains("unsafe") && is_harmless(&shown), "{line}: {shown:?}");
        }
    }
    let name: String = raw.chars().filter(|&c| c != '\0').collect();
    folder.write(&format!("{name}.jsonl"), "{");
    for line in [
        "seval-critique -c rules *x*.jsonl",
        "seval-critique -c \"$(echo *x*)\" rows.jsonl",
        "seval-critique \"--$(echo *x*)\" rows.jsonl",
        "seval-critique -c rules rows.jsonl rows.jsonl -o \"$(echo *x*)\"",
        "seval-expand rows.jsonl -t code_injection",
    ] {
        let output = folder.bash(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.is_empty() && is_harmless(&said), "{line}: {said:?}");
    }
}

#[test]
fn a_spreadsheet_runs_no_cell() {
    let folder = Folder::new();
    let cells = ["=1+1", "+1", "-1", "@x", "\\t=1", "\\r=1", " =1", "＝1", "a=1", "'", ""];
    let row = |cell: &str| format!("{{\"response\":\"{cell}\",\"n\":-1}}\n");
    folder.write("rows.jsonl", cells.map(row).concat());
    let line = "seval-critique -q -c rules rows.jsonl --format";
    let guarded = folder.ok(&format!("{line} csv"));
    let firsts = guarded.lines().skip(1).filter(|line| line.contains(",-1,"));
    let firsts: Vec<char> =
        firsts.map(|line| line.trim_start_matches('"').chars().next().unwrap()).collect();
    assert_eq!(firsts.iter().filter(|&&c| c == '\'').count(), 8 + 1, "{guarded}");
    let raw = folder.ok(&format!("{line} csv-raw"));
    assert!(raw.contains("\n=1+1,-1,") && raw.contains("\n＝1,-1,"), "{raw}");
}
