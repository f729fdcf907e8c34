//! Statistics as a query calls them: groups, nulls, threads, and what is refused.

use serde_json::{Value, json};
use seval_sql::{Error, Table};

use crate::rows::{lines, rows};

fn judged() -> Table {
    let mut text = String::new();
    for row in 0..400 {
        let (group, cluster) = (["g", "h"][row % 2], row / 8);
        let value = if row * 7919 % 13 < 4 { "yes" } else { "no" };
        let other = if row % 5 == 0 { "no" } else { value };
        let score = if row % 11 == 0 { Value::Null } else { json!((row * 31 % 97) as f64 / 97.0) };
        let line = json!({"group": group, "cluster": format!("c{cluster:02}"), "a": value, "b": other,
            "score": score, "n": row});
        text.push_str(&format!("{line}\n"));
    }
    lines("judged", &text)
}

const ALL: &str = "cohen_kappa(a, b) AS kappa, krippendorff_alpha(cluster, a) AS alpha, \
    fleiss_kappa(cluster, a) AS fleiss, mcnemar(a = 'yes', b = 'yes') AS p, kendall_tau(n, score) AS tau, \
    percentile(score, 0.9) AS ninth, bootstrap(score, cluster) AS mean, \
    clustered_rate(a = 'yes', cluster) AS rate, self_bleu(a) AS bleu";

#[test]
fn they_are_the_same_on_any_number_of_threads() {
    let sql = format!("SELECT \"group\", {ALL} FROM judged GROUP BY \"group\" ORDER BY \"group\"");
    let one = rows(&sql, vec![judged()], 1).unwrap();
    assert_eq!(rows(&sql, vec![judged()], 2).unwrap(), one);
    assert_eq!(one.len(), 2);
    for row in &one {
        let number = |of: &Value| of.as_f64().unwrap();
        assert!((0.4..1.0).contains(&number(&row["kappa"])), "{row}");
        assert!(number(&row["mean"]["low"]) < number(&row["mean"]["estimate"]), "{row}");
        assert!(number(&row["rate"]["low"]) < number(&row["rate"]["rate"]), "{row}");
        assert!((0.85..1.0).contains(&number(&row["ninth"])), "{row}");
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let sql = |order: &str| format!("SELECT {ALL} FROM (SELECT * FROM judged ORDER BY {order})");
    let up = rows(&sql("n"), vec![judged()], 1).unwrap();
    assert_eq!(rows(&sql("score, n DESC"), vec![judged()], 1).unwrap(), up);
}

#[test]
fn a_null_counts_for_nothing_and_nothing_is_null() {
    let sql = "SELECT clustered_rate(NULL, cluster) AS rate, bootstrap(NULL, cluster) AS mean, \
        cohen_kappa(NULL, b) AS kappa, percentile(NULL, 0.5) AS half, mcnemar(NULL, true) AS p \
        FROM judged";
    let got = rows(sql, vec![judged()], 1).unwrap();
    assert!(got[0].as_object().unwrap().values().all(Value::is_null), "{got:?}");
    let sql = "SELECT clopper_pearson(1, NULL) AS c, clopper_pearson(0, 0) AS z, \
        rogan_gladen(3, 10, 5, 10, 5, 10) AS r";
    let got = rows(sql, vec![], 1).unwrap();
    assert!(got[0].as_object().unwrap().values().all(Value::is_null), "{got:?}");
}

#[test]
fn values_are_those_of_the_functions() {
    let sql = "SELECT clopper_pearson(81, 263)['low'] AS low, \
        rogan_gladen(270, 1000, 95, 100, 90, 100)['rate'] AS rate";
    let got = rows(sql, vec![], 1).unwrap();
    assert!((got[0]["low"].as_f64().unwrap() - 0.2527).abs() < 5e-5);
    assert!((got[0]["rate"].as_f64().unwrap() - 0.2).abs() < 1e-12);
    let games = "{\"a\":\"m\",\"b\":\"n\",\"s\":1.0}\n{\"a\":\"n\",\"b\":\"o\",\"s\":0.5}\n";
    let sql = "SELECT one['name'] AS name FROM (SELECT unnest(bradley_terry(a, b, s)) AS one FROM games) \
        ORDER BY one['rating'] DESC";
    let got = rows(sql, vec![lines("games", games)], 1).unwrap();
    assert_eq!(
        got.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["m", "o", "n"]
    );
    let texts = "{\"t\":\"面包怎么烤\"}\n{\"t\":\"面包怎么烤\"}\n{\"t\":\"Bread\"}\n";
    let got = rows("SELECT self_bleu(t) AS b FROM t", vec![lines("t", texts)], 1).unwrap();
    assert!((got[0]["b"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{got:?}");
}

#[test]
fn what_makes_no_sense_is_said() {
    for (sql, said) in [
        ("SELECT percentile(score, 2) AS p FROM judged", "from 0 to 1"),
        ("SELECT percentile(score, score) AS p FROM judged", "one number"),
        ("SELECT bradley_terry(a, b, 7) AS r FROM judged", "a score must be from 0"),
    ] {
        let Err(error) = rows(sql, vec![judged()], 1) else { panic!("{sql}") };
        let text = match error {
            Error::Sql(text) | Error::Data(text) | Error::Resources(text) => text,
        };
        assert!(text.contains(said), "{sql}: {text}");
    }
}

#[test]
fn a_query_that_takes_too_long_is_stopped() {
    let limits = seval_sql::Limits {
        time: Some(std::time::Duration::from_millis(300)),
        ..crate::rows::limits(1)
    };
    let sql = "SELECT count(*) AS n FROM judged a CROSS JOIN judged b CROSS JOIN judged c \
        CROSS JOIN judged d";
    let started = std::time::Instant::now();
    let Err(Error::Resources(text)) = crate::rows::ask(sql, vec![judged()], &limits) else {
        panic!()
    };
    assert_eq!(text, "it took longer than the limit of 0.3 s");
    assert!(started.elapsed().as_secs() < 30);
}
