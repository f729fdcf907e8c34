//! What a query gives: rows, types, scans, order, errors of tables.

use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use serde_json::json;
use seval_sql::{Batches, Error, Limits, Table};

use crate::rows::{ask, json as as_json, limits, lines, rows, table};

fn people() -> Table {
    lines("people", "{\"name\":\"a\",\"n\":1,\"Age\":3}\n{\"name\":\"b\",\"n\":2,\"Age\":null}\n")
}

/// A table of `n` numbers `v` and their remainders `r`, in batches of 1000.
fn numbers(n: i64) -> Table {
    let fields = ["v", "r"].map(|name| Field::new(name, DataType::Int64, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let batches = (0..n).step_by(1000).map(|from| {
        let values = || from..n.min(from + 1000);
        let v = Int64Array::from_iter_values(values());
        let r = Int64Array::from_iter_values(values().map(|v| v * 7919 % 101));
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(v), Arc::new(r)]).unwrap()
    });
    let batches = batches.collect();
    table("numbers", &schema, batches)
}

#[test]
fn a_select_gives_rows() {
    let got = rows("SELECT name, n + 1 AS m FROM people WHERE n > 1;", vec![people()], 1).unwrap();
    assert_eq!(got, [json!({"name": "b", "m": 3})]);
    let got = rows("/* a comment */ WITH t AS (SELECT 1 AS a) SELECT a FROM t", vec![], 1).unwrap();
    assert_eq!(got, [json!({"a": 1})]);
}

#[test]
fn no_rows_still_have_columns() {
    let none = seval_sql::query("SELECT name FROM people WHERE false", vec![people()], &limits(1));
    let none = none.unwrap();
    assert_eq!(none.schema.field(0).name(), "name");
    assert_eq!(none.batches.count(), 0);
}

#[test]
fn a_table_may_be_scanned_twice() {
    let sql = "SELECT a.name, b.name AS other FROM people a JOIN people b ON a.n = b.n + 1";
    let got = rows(sql, vec![people()], 1).unwrap();
    assert_eq!(got, [json!({"name": "b", "other": "a"})]);
}

#[test]
fn only_the_columns_used_are_asked_for() {
    let asked: Arc<Mutex<Vec<Vec<usize>>>> = Arc::default();
    let spied = |asked: &Arc<Mutex<Vec<Vec<usize>>>>| {
        let (inner, asked) = (people(), Arc::clone(asked));
        let open = Arc::clone(&inner.open);
        let open = move |columns: &[usize]| {
            asked.lock().unwrap().push(columns.to_vec());
            open(columns)
        };
        Table { open: Arc::new(open), ..inner }
    };
    let position = |name: &str| people().schema.index_of(name).unwrap();
    rows("SELECT name FROM people WHERE n > 0", vec![spied(&asked)], 1).unwrap();
    let mut wanted = vec![position("name"), position("n")];
    wanted.sort_unstable();
    assert_eq!(*asked.lock().unwrap(), [wanted]);
    asked.lock().unwrap().clear();
    let got = rows("SELECT count(*) AS n FROM people", vec![spied(&asked)], 1).unwrap();
    assert_eq!(got, [json!({"n": 2})]);
    assert_eq!(*asked.lock().unwrap(), [Vec::<usize>::new()]);
}

#[test]
fn types_are_plain() {
    let sql = "SELECT count(*) AS c, row_number() OVER () AS r, md5('a') AS m, upper('a') AS u,
        arrow_cast('a', 'Utf8View') AS v, arrow_cast('a', 'Dictionary(Int32, Utf8)') AS d,
        arrow_cast('a', 'LargeUtf8') AS l, null AS z, [arrow_cast('a', 'Utf8View')] AS s,
        xxh3_128('a') AS x, CAST('a' AS VARCHAR) AS t, avg(n) AS f FROM people";
    let got = ask(sql, vec![people()], &limits(1)).unwrap();
    let schema = got[0].schema();
    let types: Vec<&DataType> = schema.fields().iter().map(|field| field.data_type()).collect();
    let (text, int) = (&DataType::Utf8, &DataType::Int64);
    let list = &DataType::new_list(DataType::Utf8, true);
    assert_eq!(types[..8], [int, int, text, text, text, text, text, text]);
    assert!(matches!(types[8], DataType::List(item) if item.data_type() == text), "{list}");
    assert_eq!(types[9..], [text, text, &DataType::Float64]);
}

#[test]
fn functions_take_numbers_nulls_and_columns() {
    let sql = "SELECT wilson_low(0, 10) AS a, wilson_high(n, 2.5) AS b, wilson_low(n, null) AS c,
        wilson_low(0, 0) AS d, json_text('{\"k\":' || n || '}', 'k') AS e,
        json_text(null, 'k') AS f,
        md5('bread') AS g, json_text(name, 'k') AS h FROM people ORDER BY n LIMIT 1";
    let got = rows(sql, vec![people()], 1).unwrap().remove(0);
    assert_eq!(got["a"], 0.0);
    assert!((got["b"].as_f64().unwrap() - 0.846_65).abs() < 1e-5, "{got}");
    assert_eq!(got["e"], "1");
    assert_eq!(got["g"], "dba7b12a19fe9d49fbb53d65c49bbce6");
    for null in ["c", "d", "f", "h"] {
        assert!(got[null].is_null(), "{null}: {got}");
    }
}

#[test]
fn threads_change_no_value() {
    let sql = "SELECT r, count(*) AS n, sum(v) AS s, avg(v) AS m, min(xxh3_128('x' || v)) AS h
        FROM numbers GROUP BY r ORDER BY r";
    let one = rows(sql, vec![numbers(30_000)], 1).unwrap();
    assert_eq!(one.len(), 101);
    for threads in [2, 3] {
        assert_eq!(rows(sql, vec![numbers(30_000)], threads).unwrap(), one);
    }
}

#[test]
fn plain_rows_keep_their_order() {
    let sql = "SELECT v FROM numbers WHERE r < 50 UNION ALL SELECT -v FROM numbers WHERE r = 0";
    let one = rows(sql, vec![numbers(30_000)], 1).unwrap();
    let values: Vec<i64> = one.iter().map(|row| row["v"].as_i64().unwrap()).collect();
    let (first, second) = values.split_at(values.iter().rposition(|v| *v > 0).unwrap() + 1);
    assert!(first.is_sorted() && second.is_sorted_by_key(|v| -v));
    assert_eq!(rows(sql, vec![numbers(30_000)], 2).unwrap(), one);
}

#[test]
fn rows_come_while_the_table_is_read() {
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, false)]));
    let endless = Arc::clone(&schema);
    let open = move |_: &[usize]| -> Result<Batches, ArrowError> {
        let schema = Arc::clone(&endless);
        Ok(Box::new((0..).map(move |v| {
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(vec![v]))])
        })))
    };
    let table = Table { name: "endless".into(), schema, open: Arc::new(open) };
    let asked = seval_sql::query("SELECT v * 2 AS d FROM endless", vec![table], &limits(1));
    let first: Vec<_> = asked.unwrap().batches.take(2).map(|batch| batch.unwrap()).collect();
    assert_eq!(as_json(&first)[..2], [json!({"d": 0}), json!({"d": 2})]);
}

#[test]
fn the_words_of_a_table_come_back() {
    let failing = |at_open: bool, threads| {
        let inner = numbers(3_000);
        let open = Arc::clone(&inner.open);
        let open = move |columns: &[usize]| -> Result<Batches, ArrowError> {
            let fault = || ArrowError::ExternalError("rows.jsonl:17: expected text".into());
            match at_open {
                true => Err(fault()),
                false => Ok(Box::new(open(columns)?.take(2).chain([Err(fault())]))),
            }
        };
        let table = Table { open: Arc::new(open), ..inner };
        let sql = "SELECT r, count(*) AS n FROM numbers GROUP BY r ORDER BY n";
        rows(sql, vec![table], threads).unwrap_err()
    };
    let wanted = Error::Data("rows.jsonl:17: expected text".into());
    for (at_open, threads) in [(true, 1), (true, 2), (false, 1), (false, 2)] {
        assert_eq!(failing(at_open, threads), wanted);
    }
}

#[test]
fn an_engine_that_dies_is_no_short_answer() {
    for threads in [1, 2] {
        let inner = numbers(3_000);
        let open = Arc::clone(&inner.open);
        let open = move |columns: &[usize]| -> Result<Batches, ArrowError> {
            let dying = std::iter::from_fn(|| panic!("a bug of the caller"));
            Ok(Box::new(open(columns)?.take(2).chain(dying)))
        };
        let table = Table { open: Arc::new(open), ..inner };
        let failed = rows("SELECT v FROM numbers WHERE r > 3", vec![table], threads).unwrap_err();
        assert!(failed.to_string().contains("a bug of the caller"), "{failed}");
    }
}

#[test]
fn batches_of_other_types_are_the_tables_fault() {
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, true)]));
    let liar = table("liar", &schema, ask("SELECT 1 AS v", vec![], &limits(1)).unwrap());
    let Err(Error::Data(text)) = rows("SELECT v FROM liar", vec![liar], 1) else { panic!() };
    assert!(text.contains("Utf8") && text.contains("Int64"), "{text}");
}

#[test]
fn a_value_that_does_not_fit_is_the_datas_fault() {
    let Err(Error::Data(text)) =
        rows("SELECT CAST(name AS BIGINT) AS i FROM people", vec![people()], 1)
    else {
        panic!()
    };
    assert!(text.contains("'a'"), "{text}");
}

#[test]
fn memory_is_bounded() {
    let tight = Limits { memory_bytes: Some(1 << 20), ..limits(1) };
    let sql = "SELECT a.v, b.v AS w FROM numbers a JOIN numbers b ON a.v = b.v + 1";
    let Err(Error::Resources(text)) = ask(sql, vec![numbers(300_000)], &tight) else { panic!() };
    assert!(text.starts_with("more than the memory limit is needed: ") && !text.contains('\n'));
    // A sort spills.
    let sql = "SELECT v, r FROM numbers ORDER BY r, v DESC";
    let got = ask(sql, vec![numbers(300_000)], &tight).unwrap();
    assert_eq!(got.iter().map(RecordBatch::num_rows).sum::<usize>(), 300_000);
}
