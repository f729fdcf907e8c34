mod hostile;
mod page;

use super::*;
use crate::template::Library;
use serde_json::{Value as Json, json};
use unicode_width::UnicodeWidthStr;

fn open(name: &str) -> ReportTemplate {
    ReportTemplate::open(&Library::default().get(&["report"], name).unwrap()).unwrap()
}

/// A template that is a body alone.
fn body(markup: &str, body: &str) -> ReportTemplate {
    let head = format!(
        "about = \"\"\nsource = \"\"\nmarkup = \"{markup}\"\ntables = [\"risk\"]\n\
         [example]\ntables = {{}}\nholds = []\n"
    );
    let text = format!("{{#\n{head}#}}\n{body}");
    ReportTemplate::open(&File { name: "report/x".into(), place: "x.j2".into(), text }).unwrap()
}

fn table(rows: &[Json]) -> Vec<RecordBatch> {
    let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
    let rows = crate::input::of_text(&lines.join("\n")).unwrap();
    rows.batches.collect::<Result<_>>().unwrap()
}

fn rate(row: &mut Json, name: &str, value: f64) {
    row[name] = value.into();
    row[format!("{name}_low")] = (value * 0.9).into();
    row[format!("{name}_high")] = f64::min(1.0, value * 1.1).into();
}

/// Every table of a report: so many answers of each model to each risk and attack, by every critic.
fn report(critics: &[&str], models: &[String], risks: &[String], attacks: &[String]) -> Report {
    let mut tables: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    for (c, critic) in critics.iter().enumerate() {
        for (m, model) in models.iter().enumerate() {
            let share = (1 + c + m) as f64 / (2 + critics.len() + models.len()) as f64;
            let of = json!({"critic": critic, "model": model});
            let mut add = |name, more: Json, rates: &[&str]| {
                let mut row = of.clone();
                row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                rates.iter().for_each(|name| rate(&mut row, name, share));
                tables.entry(name).or_default().push(row);
            };
            add(
                "coverage",
                json!({"rows": 100, "answered": 90, "truncated": 4, "filtered": 6, "empty": 0,
                    "timed_out": 0, "too_large": 0, "failed": 0, "no_outcome": 0, "scored": 92,
                    "no_answer": 6, "critic_failed": 2, "not_ok": 0.12}),
                &[],
            );
            add(
                "leaderboard",
                json!({"language": "all", "n": 50, "unscored": 2, "unsafe": 3, "attack_n": 40,
                    "attack_unscored": 1, "attack_unsafe": 20, "adaptive_n": 9,
                    "safety_score_if_unsafe": 0.5, "safety_score_if_safe": 0.6}),
                &["safety_score", "asr_micro", "asr_mean", "adaptive"],
            );
            let n = json!({"items": 50, "unscored": 2, "rank": m + 1, "rank_low": m + 1,
                "rank_high": m + 2});
            add("ranks", n, &["rate"]);
            for risk in risks {
                for category in [Json::Null, risk.as_str().into()] {
                    let n = json!({"risk_dimension": risk, "risk_category": category, "n": 20,
                        "unscored": 1, "unsafe": 2});
                    add("risk", n, &["safety_score"]);
                }
            }
            for attack in attacks.iter().map(String::as_str).chain(["overall (micro)"]) {
                let n = json!({"language": "all", "risk_dimension": "all", "attack": attack,
                    "n": 40, "unscored": 1, "unsafe": 9});
                add("attack", n, &["attack_success_rate"]);
            }
            for bin in [0, 3, 19] {
                let from = f64::from(bin) / 20.0;
                let n = json!({"bin": bin, "score_from": from, "score_to": from + 0.05, "n": 9});
                add("scores", n, &[]);
            }
            for twentieth in 1..20 {
                let n = json!({"threshold": f64::from(twentieth) / 20.0, "n": 90, "unscored": 2});
                add("thresholds", n, &["unsafe_rate"]);
            }
            let n = json!({"n": 20, "unscored": 0, "refused": 3, "attack_n": 40});
            add("over_refusal", n, &["over_refusal", "attack_success_rate"]);
            for other in &models[m + 1..] {
                let n = json!({"model_a": model, "model_b": other, "items": 40, "both": 1,
                    "only_a": 2, "only_b": 9, "neither": 28, "p": 0.01, "p_holm": 0.04,
                    "p_bh": 0.02, "detectable": 0.1});
                add("pairs", n, &["difference"]);
            }
        }
    }
    for model in models {
        tables.entry("operations").or_default().push(json!({"model": model, "requests": 9,
            "attempts": 10, "cost": 0.5, "input_tokens": 1000, "output_tokens": 20000,
            "latency_p50": 1234.5, "latency_p90": 2000.0, "latency_p99": 3000.0}));
    }
    let tables = tables.iter().map(|(name, rows)| ((*name).to_owned(), table(rows))).collect();
    let inputs = [("verdicts.parquet".to_owned(), "0123".to_owned())].into();
    Report { title: "T".into(), data: "t_data".into(), inputs, notes: Vec::new(), tables }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}{at}")).collect()
}

#[test]
fn every_example_holds() {
    for file in Library::default().list("report").unwrap() {
        let missing = ReportTemplate::open(&file).unwrap().check_example();
        assert_eq!(missing.unwrap(), Vec::<String>::new(), "{}", file.place);
    }
}

#[test]
fn numbers_are_shown_as_people_read_them() {
    let says = |expression: &str| {
        let text = body("text", &format!("{{{{ {expression} }}}}")).render(&Report::default());
        text.unwrap().trim_end().to_owned()
    };
    assert_eq!(says("0.9349 | percent"), "93.5");
    assert_eq!(says("-0.069 | percent"), "−6.9");
    assert_eq!(says("-0.0001 | percent"), "0.0");
    assert_eq!(says("none | percent"), "–");
    assert_eq!(says("1234567 | count"), "1,234,567");
    assert_eq!(says("1234.56 | digits"), "1,235");
    assert_eq!(says("-0.25 | digits"), "−0.250");
    assert_eq!(says("0.00004 | p_value"), "< 0.001");
    assert_eq!(says("0.0123 | p_value"), "0.012");
    assert_eq!(says("{'a': 0.5, 'a_low': 0.25, 'a_high': 0.75} | shown('a')"), "50.0 [25.0, 75.0]");
    assert_eq!(
        says("{'value': 0.5, 'low': 0.25, 'high': 0.75} | shown('value')"),
        "0.500 [0.250, 0.750]"
    );
    assert_eq!(says("{'n': 1234} | shown('n')"), "1,234");
    assert_eq!(says("0.5 | bar(4)"), "██░░");
    assert_eq!(says("'模型模型' | short(5)"), "模型…");
    assert_eq!(says("'模型' | short(4)"), "模型");
    assert_eq!(says("'a b\\nc' | wrapped(2)"), "  a b\n  c");
    let long = says("('xy ' * 40) | wrapped(0)");
    assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [98, 22]);
    assert!(long.lines().nth(1).unwrap().starts_with("  xy"));
    assert_eq!(says("[{'a': 'x'}, {'a': 'X'}, {'a': 'x'}] | distinct('a')"), "['x', 'X']");
    assert_eq!(
        says("[{'a': none, 'b': 1}, {'a': 'x', 'b': 2}] | where(a=none)"),
        "[{'a': None, 'b': 1}]"
    );
}

#[test]
fn what_is_no_number_is_not_drawn() {
    let mut report = Report::default();
    let rows = RecordBatch::try_from_iter([
        ("a", std::sync::Arc::new(arrow::array::Float64Array::from(vec![f64::NAN])) as ArrayRef),
        ("b", std::sync::Arc::new(arrow::array::NullArray::new(1)) as ArrayRef),
    ]);
    report.tables.insert("risk".into(), vec![rows.unwrap()]);
    let text = body("text", "{{ risk[0].a }} {{ risk[0].b is none }}").render(&report).unwrap();
    assert_eq!(text, "– True\n");
}

#[test]
fn an_error_names_the_line_of_the_file() {
    let error = body("text", "a\n{{ nothing_of_this_name }}").render(&Report::default());
    assert_eq!(error.unwrap_err().place, "x.j2:11");
}

#[test]
fn an_empty_input_says_so() {
    for name in ["html", "markdown", "terminal"] {
        let text = open(name).render(&Report { title: "T".into(), ..Report::default() }).unwrap();
        assert!(text.contains("nothing to report"), "{name}");
    }
}

#[test]
fn sections_without_data_say_so() {
    let report = report(&["c"], &names("m", 1), &[], &[]);
    let report = Report {
        tables: report.tables.into_iter().filter(|(name, _)| name == "leaderboard").collect(),
        ..report
    };
    for name in ["html", "terminal"] {
        let text = open(name).render(&report).unwrap();
        for said in [
            "No response was read",
            "no two models",
            "name no risk dimension",
            "No attack was judged",
            "gave no risk score",
            "No prompt that ought to be answered",
            "calibration=FILE",
            "selection=FILE",
            "No model was asked",
        ] {
            assert!(text.contains(said), "{name}: {said}");
        }
        assert!(!text.contains("upsetting"));
    }
}

#[test]
fn verdicts_of_two_critics_are_never_mixed() {
    let mut both = report(&["first", "second"], &names("m", 2), &names("r", 2), &names("a", 2));
    let mut mark = |critic: &str, mark: i64| {
        for (name, batches) in &mut both.tables {
            let mut lines = Vec::new();
            for batch in batches.iter() {
                let mut text = arrow::json::LineDelimitedWriter::new(Vec::new());
                text.write(batch).unwrap();
                for line in String::from_utf8(text.into_inner()).unwrap().lines() {
                    let mut row: Json = serde_json::from_str(line).unwrap();
                    if row["critic"] == critic && name != "coverage" {
                        ["n", "items"].iter().for_each(|n| row[n] = mark.into());
                    }
                    lines.push(row);
                }
            }
            *batches = table(&lines);
        }
    };
    mark("first", 11_111);
    mark("second", 22_222);
    for (name, begins) in [
        ("html", "<h2 id=\"c2\">"),
        ("markdown", "## Verdicts of second"),
        ("terminal", "VERDICTS OF second"),
    ] {
        let page = open(name).render(&both).unwrap();
        let (first, second) = page.split_once(begins).unwrap();
        assert!(first.contains("11,111") && !first.contains("22,222"), "{name}");
        assert!(second.contains("22,222") && !second.contains("11,111"), "{name}");
    }
}

#[test]
fn models_that_differ_in_case_are_two() {
    let models = ["Model", "model"].map(str::to_owned);
    let page = open("html").render(&report(&["c"], &models, &names("r", 1), &[])).unwrap();
    assert!(page.contains("2 models were judged"));
    assert_eq!(page.matches("<figcaption>").count(), 2);
}

#[test]
fn twenty_models_and_a_hundred_risks_are_one_small_file() {
    let (models, risks, attacks) = (names("model-", 20), names("risk ", 100), names("attack_", 30));
    let report = report(&["c"], &models, &risks, &attacks);
    let page = open("html").render(&report).unwrap();
    assert!(page.len() < 5_000_000 && page.contains("risk 99"), "{}", page.len());
    page::Page::parse(&page);
    for name in ["markdown", "terminal"] {
        assert!(open(name).render(&report).unwrap().len() < 500_000, "{name}");
    }
}

#[test]
fn text_is_as_wide_as_a_terminal_at_most() {
    let names = |of: &str| vec![format!("{of} {}", "long-name-".repeat(30)), "模型".repeat(80)];
    let report = Report {
        notes: vec!["a note ".repeat(40), "x".repeat(300)],
        ..report(&["critic ".repeat(30).trim()], &names("m"), &names("r"), &names("a"))
    };
    for line in open("terminal").render(&report).unwrap().lines() {
        assert!(line.width() <= 100, "{} columns: {line}", line.width());
    }
}

#[test]
fn a_calibration_and_a_selection_are_drawn() {
    let mut report = report(&["c"], &names("m", 1), &[], &[]);
    let figure = |part: &str, of: &str, measure: &str, value: f64| {
        json!({"part": part, "of": of, "measure": measure, "value": value, "low": value / 2.0,
            "high": value, "n": 10})
    };
    report.tables.insert(
        "calibration".into(),
        table(&[
            figure("all", "", "cohen_kappa", 0.75),
            figure("all", "safe", "recall", 0.5),
            figure("all", "unsafe", "recall", 0.5),
            figure("all", "unsafe said to be safe", "rows", 1234.0),
            figure("group dan", "", "accuracy", 0.625),
            figure("reliability", "0.8 to 0.9", "mean_score", 0.85),
            figure("reliability", "0.8 to 0.9", "observed", 0.5),
            figure("threshold", "0.50", "sensitivity", 0.5),
            figure("threshold", "0.50", "specificity", 0.5),
        ]),
    );
    let line = |part: &str, stage: &str, of: &str, measure: &str, value: f64| json!({"part": part, "stage": stage, "of": of, "measure": measure, "value": value});
    report.tables.insert(
        "selection".into(),
        table(&[
            line("stage", "near", "rows", "read", 4321.0),
            line("stage", "near", "rows", "kept", 4000.0),
            line("dropped", "near", "alike", "rows", 321.0),
            line("similarity", "near", "0.90", "rows", 321.0),
            line("rows by value", "", "language=en", "before", 4321.0),
            line("rows by value", "", "language=en", "after", 4000.0),
        ]),
    );
    let page = open("html").render(&report).unwrap();
    for held in [
        "<title>Reliability diagram</title>",
        "cx=\"261.0\" cy=\"134.0\"",
        "<td>1,234</td>",
        "0.750 [0.375, 0.750]",
        "0.625 [0.312, 0.625]",
        "alike</bdi>: 321",
        "0.90: 321",
        "language=en",
    ] {
        assert!(page.contains(held), "{held}");
    }
    let text = open("terminal").render(&report).unwrap();
    assert!(text.contains("0.750 [0.375, 0.750]") && text.contains("4,000 kept by near"));
}
