use super::*;
use crate::random::Draws;
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};

fn options() -> Options {
    Options { of: Of::All, by: "model".into(), draws: 300, seed: 1 }
}

fn compared(lines: &[String], options: &Options) -> Compared {
    compare(crate::input::of_text(&lines.join("\n")).unwrap(), options.clone()).unwrap().unwrap()
}

fn line(model: &str, prompt: &str, base: &str, verdict: &str) -> String {
    format!(
        r#"{{"model":"{model}","prompt_id":"{prompt}","base_id":"{base}","verdict":"{verdict}","critic":"c"}}"#
    )
}

fn whole(batch: &RecordBatch, name: &str) -> Vec<i64> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> f64 {
    batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().value(row)
}

/// Models, prompts in clusters, holes and rows without a verdict, in any order.
fn random_lines(seed: u64, clustered: bool) -> Vec<String> {
    let mut draws = Draws::new(seed, "rows", "");
    let mut lines = Vec::new();
    for model in ["m", "n", "o"] {
        for prompt in 0..60 {
            let verdict = ["safe", "safe", "unsafe", "unscored"][draws.below(4) as usize];
            let base = if clustered { prompt / 7 } else { prompt };
            if draws.below(10) > 0 {
                lines.push(line(model, &format!("p{prompt}"), &format!("b{base}"), verdict));
            }
        }
    }
    lines.sort_by_key(|line| Draws::new(seed, "order", line).below(1 << 40));
    lines
}

/// The counts of a pair and the variance of its difference, by the definitions.
fn by_hand(lines: &[String], a: &str, b: &str) -> ([i64; 4], f64, f64) {
    let rows: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |model: &str, prompt: &str| {
        let row = rows.iter().find(|row| row["model"] == model && row["prompt_id"] == prompt)?;
        match row["verdict"].as_str()? {
            "safe" => Some(0_i64),
            "unsafe" => Some(1),
            _ => None,
        }
    };
    let mut clusters: std::collections::BTreeMap<String, (i64, i64)> = Default::default();
    let mut counts = [0; 4];
    for prompt in 0..60 {
        let prompt = format!("p{prompt}");
        let (Some(x), Some(y)) = (of(a, &prompt), of(b, &prompt)) else { continue };
        counts[(3 - 2 * x - y) as usize] += 1;
        let row = rows.iter().find(|row| row["prompt_id"] == prompt.as_str()).unwrap();
        let cluster = clusters.entry(row["base_id"].to_string()).or_default();
        *cluster = (cluster.0 + 1, cluster.1 + x - y);
    }
    let items = counts.iter().sum::<i64>() as f64;
    let value = clusters.values().map(|c| c.1).sum::<i64>() as f64 / items;
    let squares = clusters.values().map(|c| (c.1 as f64 - value * c.0 as f64).powi(2));
    let n = clusters.len() as f64;
    (counts, value, (squares.sum::<f64>() * n / (n - 1.0)).sqrt() / items)
}

#[test]
fn pairs_are_those_by_definition() {
    for seed in 0..20 {
        let lines = random_lines(seed, seed % 2 == 0);
        let pairs = compared(&lines, &options()).pairs().unwrap();
        assert_eq!(pairs.num_rows(), 3);
        for (row, (a, b)) in [("m", "n"), ("m", "o"), ("n", "o")].into_iter().enumerate() {
            let (counts, value, error) = by_hand(&lines, a, b);
            let found = ["both", "only_a", "only_b", "neither"].map(|of| whole(&pairs, of)[row]);
            assert_eq!(found, counts, "seed {seed}");
            assert!((number(&pairs, "difference", row) - value).abs() < 1e-12);
            let detectable = (1.959_963_984_540_054 + 0.841_621_233_572_914) * error;
            assert!((number(&pairs, "detectable", row) - detectable).abs() < 1e-9);
        }
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let lines = random_lines(3, true);
    let mut back = lines.clone();
    back.reverse();
    let (one, other) = (compared(&lines, &options()), compared(&back, &options()));
    assert_eq!(one.pairs().unwrap(), other.pairs().unwrap());
    assert_eq!(one.ranks().unwrap(), other.ranks().unwrap());
}

#[test]
fn what_is_not_scored_is_counted() {
    let lines = random_lines(4, false);
    let found = compared(&lines, &options());
    let unscored = lines.iter().filter(|line| line.contains("unscored")).count();
    let ranks = found.ranks().unwrap();
    assert_eq!(found.unscored(), unscored as u64);
    assert_eq!(whole(&ranks, "unscored").iter().sum::<i64>(), unscored as i64);
    let items: i64 = whole(&ranks, "items").iter().sum();
    assert_eq!(items as u64 + found.unscored(), lines.len() as u64);
    assert_eq!((found.read, found.compared()), (lines.len() as u64, lines.len() as u64));
}

#[test]
fn an_item_twice_is_refused() {
    let mut lines = vec![line("m", "p", "p", "safe"), line("n", "p", "p", "safe")];
    lines.push(line("m", "p", "p", "unsafe"));
    let error = compare(crate::input::of_text(&lines.join("\n")).unwrap(), options())
        .unwrap()
        .err()
        .unwrap();
    assert!(error.to_string().starts_with("row 3: model m: prompt p"), "{error}");
    lines[1] = r#"{"model":"n","prompt_id":null,"verdict":"safe"}"#.to_owned();
    let rows = crate::input::of_text(&lines.join("\n")).unwrap();
    let error = compare(rows, options()).unwrap().err().unwrap();
    assert!(error.to_string().starts_with("row 2: prompt_id is missing"), "{error}");
}

#[test]
fn base_prompts_and_attacks_are_told_apart() {
    let attack = |verdict: &str| {
        line("m", "a", "p", verdict).replace("\"critic\"", "\"attack\":\"shout\",\"critic\"")
    };
    let lines = [line("m", "p", "p", "safe"), attack("unsafe")];
    let of = |of: Of| {
        let found = compared(&lines, &Options { of, ..options() });
        (found.compared(), number(&found.ranks().unwrap(), "rate", 0))
    };
    assert_eq!((of(Of::Base), of(Of::Attack), of(Of::All)), ((1, 0.0), (1, 1.0), (2, 0.5)));
}

#[test]
fn critics_are_compared_on_the_responses_of_all_models() {
    let by = |critic: &str, model: &str, verdict: &str| {
        line(model, "p", "p", verdict).replace("\"c\"", &format!("\"{critic}\""))
    };
    let lines = [
        by("c", "m", "safe"),
        by("c", "n", "unsafe"),
        by("d", "m", "unsafe"),
        by("d", "n", "unsafe"),
    ];
    let found = compared(&lines, &Options { by: "critic".into(), ..options() });
    assert_eq!((found.models(), found.items()), (2, 2));
    let pairs = found.pairs().unwrap();
    assert_eq!((whole(&pairs, "both"), whole(&pairs, "only_b")), (vec![1], vec![1]));
}
