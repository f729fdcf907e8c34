//! Statements that are refused, and what the person reads.

use seval_sql::{Error, Table};

use crate::rows::{lines, rows};

fn tables() -> Vec<Table> {
    let text = "{\"prompt\":\"a\",\"Question\":1,\"a;\\\"b\":2}\n";
    vec![lines("input", text), lines("scores", "{\"model\":\"m\",\"n\":1}\n")]
}

/// The text of a fault of the statement.
fn fault(sql: &str) -> String {
    match rows(sql, tables(), 1) {
        Err(Error::Sql(text)) => text,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn a_wrong_name_shows_the_right_ones() {
    assert_eq!(
        fault("SELECT promt FROM input"),
        "no column `promt`; there are: prompt, \"Question\", \"a;\"\"b\""
    );
    assert_eq!(fault("SELECT x"), "no column `x`: no table is read here");
    assert_eq!(fault("SELECT * FROM inputs"), "no table `inputs`; there is: input, scores");
    assert_eq!(
        fault("SELECT i.n FROM input i"),
        "no column `n`; there are: prompt, \"Question\", \"a;\"\"b\""
    );
    assert_eq!(
        fault("SELECT prompt FROM input a JOIN input b ON a.prompt = b.prompt"),
        "column `prompt` can be more than one here; write table.column"
    );
    assert!(fault("SELECT xxh3(prompt) FROM input").starts_with("invalid function 'xxh3'"));
    assert!(fault("SELECT wilson_low(prompt) FROM input").contains("wilson_low"));
}

#[test]
fn odd_names_can_be_asked_for() {
    let got = rows("SELECT \"Question\", \"a;\"\"b\" AS x FROM input", tables(), 1).unwrap();
    assert_eq!(got, [serde_json::json!({"Question": 1, "x": 2})]);
}

#[test]
fn bad_syntax_has_a_place() {
    let text = fault("SELECT (prompt FROM input");
    assert!(text.starts_with("syntax: ") && text.contains("Line: 1"), "{text}");
    assert!(fault("").contains("exactly one SELECT"));
    assert_eq!(fault("SELECT 1 AS a; SELECT 2 AS a"), "exactly one SELECT is wanted");
}

#[test]
fn nothing_is_written_or_set() {
    for (sql, verb) in [
        ("COPY input TO '/tmp/out.csv'", "COPY"),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE"),
        ("CREATE TABLE t AS SELECT * FROM input", "CREATE"),
        ("CREATE VIEW t AS SELECT * FROM input", "CREATE"),
        ("DROP TABLE input", "DROP"),
        ("INSERT INTO input VALUES ('a')", "INSERT"),
        ("DELETE FROM input", "DELETE"),
        ("UPDATE input SET prompt = 'b'", "UPDATE"),
        ("SET datafusion.execution.batch_size = 1", "SET"),
        ("RESET datafusion.execution.batch_size", "RESET"),
        ("SHOW TABLES", "SHOW"),
        ("EXPLAIN SELECT * FROM input", "EXPLAIN"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("BEGIN", "BEGIN"),
    ] {
        let wanted = format!("only a SELECT can be run here, not {verb}: nothing is ever written");
        assert_eq!(fault(sql), wanted, "{sql}");
    }
    fault("WITH t AS (SELECT 'a') INSERT INTO input SELECT * FROM t");
    assert_eq!(
        fault("SELECT prompt INTO copied FROM input"),
        "only a SELECT can be run here: nothing is ever written"
    );
}

#[test]
fn what_the_engine_would_ignore_is_refused() {
    for (rest, name) in [
        ("PREWHERE prompt = 'b'", "PREWHERE"),
        ("TABLESAMPLE (10 ROWS)", "TABLESAMPLE"),
        ("SAMPLE 0.1", "TABLESAMPLE"),
        ("PARTITION (p0)", "PARTITION"),
        ("START WITH prompt = 'b' CONNECT BY prompt = 'c'", "CONNECT BY"),
        ("SETTINGS a = 1", "SETTINGS"),
        ("FORMAT JSON", "FORMAT"),
        ("FOR UPDATE", "FOR UPDATE"),
    ] {
        let wanted = format!("not supported: {name}");
        assert_eq!(fault(&format!("SELECT prompt FROM input {rest}")), wanted);
        let within = format!("SELECT 1 AS a WHERE EXISTS (SELECT prompt FROM input {rest})");
        assert_eq!(fault(&within), wanted);
    }
    assert_eq!(fault("SELECT * ILIKE 'p%' FROM input"), "not supported: * ILIKE");
    assert_eq!(fault("FROM input"), "not supported: FROM without SELECT");
}

#[test]
fn only_the_given_tables_are_there() {
    for (sql, name) in [
        ("SELECT * FROM '/etc/passwd'", "/etc/passwd"),
        ("SELECT * FROM 'file.parquet'", "file.parquet"),
        ("SELECT * FROM 's3://bucket/file.parquet'", "s3://bucket/file.parquet"),
        ("SELECT * FROM information_schema.tables", "information_schema.tables"),
    ] {
        assert_eq!(fault(sql), format!("no table `{name}`; there is: input, scores"), "{sql}");
    }
    for sql in ["SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM parquet_metadata('x')"] {
        fault(sql);
    }
}

#[test]
fn two_columns_of_a_name_are_refused() {
    let sql = "SELECT a.prompt, b.prompt FROM input a JOIN input b ON a.prompt = b.prompt";
    assert_eq!(fault(sql), "two columns are named `prompt`; rename one with AS");
}

#[test]
fn deep_nesting_is_an_error_or_an_answer() {
    let deep = format!("SELECT {}1{} AS a", "(".repeat(2000), ")".repeat(2000));
    assert!(!fault(&deep).contains('\n'));
    let long = format!("SELECT {}1 AS a", "1 + ".repeat(2000));
    assert_eq!(rows(&long, tables(), 1).unwrap(), [serde_json::json!({"a": 2001})]);
}
