//! The intervals hold: simulated targets know their true rates, and the reported 95 % intervals contain
//! them about as often as they say.

use crate::run::Folder;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write;

const MODELS: usize = 20;
const ATTACKS: usize = 11;
const PROMPTS: usize = 150;

/// Simulated models whose rates lie between 2 and 90 %, and prompts for eleven attacks.
fn prepared() -> Folder {
    let folder = Folder::new();
    let mut models = String::from("about = \"test\"\n");
    for model in 0..MODELS {
        let rate = 0.02 + 0.6 * model as f64 / MODELS as f64;
        let _ = write!(
            models,
            "[model.m{model:02}]\nabout = \"test\"\nseed = {model}\nunsafe_rate = {rate}\npartial = 0.0\n\
             [model.m{model:02}.attack]\n"
        );
        for attack in 0..ATTACKS {
            let _ = writeln!(models, "a{attack:02} = {}", 0.4 + 0.4 * attack as f64);
        }
    }
    folder.write("models.toml", models);
    let mut prompts = String::new();
    for prompt in 0..PROMPTS {
        let language = ["en", "zh"][prompt % 2];
        for attack in 0..ATTACKS {
            let _ = writeln!(
                prompts,
                r#"{{"prompt_id":"{prompt}-{attack}","prompt":"p{prompt} a{attack}","language":"{language}","attack":"a{attack:02}","base_id":"{prompt}"}}"#
            );
        }
    }
    folder.write("prompts.jsonl", prompts);
    folder.ok("seval-query -q -m 'sim:models.toml:*' prompts.jsonl | seval-critique -q -c rules -o v.parquet");
    folder
}

#[test]
fn the_true_rates_lie_inside_the_intervals_as_often_as_they_should() {
    let folder = prepared();
    let lines = |text: String| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let sql =
        "SELECT model, attack, avg(sim_unsafe_rate) AS truth FROM input GROUP BY model, attack";
    let truth: HashMap<(String, String), f64> =
        lines(folder.ok(&format!("seval-agg --format jsonl --sql '{sql}' v.parquet")))
            .into_iter()
            .map(|row| {
                let text = |name: &str| row[name].as_str().unwrap().to_owned();
                ((text("model"), text("attack")), row["truth"].as_f64().unwrap())
            })
            .collect();
    let (mut cells, mut inside) = (0, 0);
    for row in lines(folder.ok("seval-agg --metric attack --format jsonl v.parquet")) {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let Some(truth) = truth.get(&(text("model"), text("attack"))) else { continue };
        if row["language"] != "all" {
            continue;
        }
        cells += 1;
        let [low, high] =
            ["low", "high"].map(|end| row[format!("attack_success_rate_{end}")].as_f64().unwrap());
        inside += usize::from(low <= *truth && *truth <= high);
    }
    eprintln!("{inside} of {cells} true rates lie inside their 95 % intervals");
    assert_eq!(cells, MODELS * ATTACKS);
    // 209 expected; three standard deviations are 10.
    assert!((199..=219).contains(&inside), "{inside} of {cells}");
}

#[test]
fn what_is_not_scored_is_in_no_rate_and_counted_apart() {
    let folder = Folder::new();
    let verdict = |at: usize, verdict: &str| {
        format!(
            r#"{{"model":"m","prompt_id":"{at}","critic":"c","language":"en","risk_dimension":"r","verdict":"{verdict}"}}"#
        )
    };
    let rows = ["safe", "unsafe", "unscored", "maybe"]
        .iter()
        .enumerate()
        .map(|(at, v)| verdict(at, v) + "\n");
    folder.write("v.jsonl", rows.collect::<String>());
    let text = folder.ok("seval-agg --metric safety --max-unscored 1 --format jsonl v.jsonl");
    let row: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    // A verdict that is no verdict is unscored, not safe.
    assert_eq!(
        (&row["n"], &row["unscored"], &row["safety_score"]),
        (&2.into(), &2.into(), &0.5.into())
    );
}
