//! The statistics against scipy and statsmodels, on random data. Where Python does not have them the check is
//! not made, and says so. SEVAL_PYTHON names another Python.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::print_stderr)]

use serde_json::{Value, json};
use seval_stats::{agreement, bootstrap, multiple, order, paired, rate, ratings};
use std::io::Write;
use std::process::{Command, Stdio};

/// Random numbers of a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 30) as f64 / (1u64 << 30) as f64
    }
}

/// A case for Python, what we find, and how near it must be.
struct Case {
    asked: Value,
    found: Vec<Option<f64>>,
    near: f64,
}

fn case(asked: Value, found: impl IntoIterator<Item = f64>) -> Case {
    Case { asked, found: found.into_iter().map(Some).collect(), near: 1e-7 }
}

fn ends(interval: Option<(f64, f64)>) -> [f64; 2] {
    let (low, high) = interval.unwrap();
    [low, high]
}

fn cases() -> Vec<Case> {
    let mut chance = Chance(7);
    let mut cases = Vec::new();
    for _ in 0..60 {
        let n = 1 + chance.below(400);
        let k = chance.below(n + 1);
        let (kf, nf) = (k as f64, n as f64);
        cases.push(case(json!({"kind":"wilson","k":k,"n":n}), ends(rate::wilson(kf, nf))));
        let exact = ends(rate::clopper_pearson(kf, nf));
        cases.push(case(json!({"kind":"clopper_pearson","k":k,"n":n}), exact));
        let (a, b) = (chance.below(60), chance.below(60));
        cases.push(case(json!({"kind":"mcnemar","a":a,"b":b}), [paired::mcnemar(a, b)]));
        let classes = 2 + chance.below(3) as usize;
        let table: Vec<Vec<u64>> =
            (0..classes).map(|_| (0..classes).map(|_| 1 + chance.below(30)).collect()).collect();
        let kappa = agreement::kappa_of_table(&table).unwrap();
        let found = [kappa.value, kappa.interval.0, kappa.interval.1];
        cases.push(case(json!({"kind":"kappa","table":table}), found));
        let raters = 2 + chance.below(4) as usize;
        let units: Vec<Vec<u64>> =
            (0..20).map(|_| (0..raters).map(|_| chance.below(classes as u64)).collect()).collect();
        let as_ratings = |unit: &Vec<u64>| unit.iter().map(|class| Some(*class as f64)).collect();
        let rated: Vec<Vec<Option<f64>>> = units.iter().map(as_ratings).collect();
        let fleiss = agreement::fleiss_kappa(&rated).unwrap();
        cases.push(case(json!({"kind":"fleiss","units":units}), [fleiss]));
        let holed: Vec<Vec<Option<f64>>> = rated
            .iter()
            .map(|unit| unit.iter().map(|r| r.filter(|_| chance.below(5) > 0)).collect())
            .collect();
        let alpha = agreement::krippendorff_alpha(&holed, agreement::Level::Nominal).unwrap();
        cases.push(case(json!({"kind":"alpha","units":holed}), [alpha]));
        let p: Vec<f64> = (0..1 + chance.below(30)).map(|_| chance.unit().powi(3)).collect();
        cases.push(case(json!({"kind":"holm","p":p}), multiple::holm(&p)));
        cases.push(case(json!({"kind":"bh","p":p}), multiple::benjamini_hochberg(&p)));
        let mut column = || (0..30).map(|_| chance.below(12) as f64).collect::<Vec<f64>>();
        let (x, y) = (column(), column());
        let tau = order::kendall_tau(&x, &y).unwrap();
        cases.push(case(json!({"kind":"tau","x":x,"y":y}), [tau]));
        let share = chance.unit();
        let found = order::percentile(&x, share).unwrap();
        cases.push(case(json!({"kind":"percentile","x":x,"share":share}), [found]));
        let differences: Vec<i64> = (0..40).map(|_| chance.below(3) as i64 - 1).collect();
        let mut sums = paired::Clusters::default();
        differences.iter().for_each(|difference| sums.add(1, *difference));
        let found = sums.difference().unwrap();
        cases.push(case(json!({"kind":"t","x":differences}), [found.low, found.high]));
    }
    for _ in 0..4 {
        // Skewed values, each a cluster of its own. Both draw by chance: near enough is a twentieth of the
        // interval's width.
        let values: Vec<f64> = (0..60).map(|_| -chance.unit().max(1e-9).ln()).collect();
        let found = bootstrap::mean(&values, &[1.0; 60], 20_000, 5).unwrap();
        let mut bca = case(json!({"kind":"bca","values":values}), [found.bca_low, found.bca_high]);
        bca.near = 0.05 * (found.bca_high - found.bca_low);
        cases.push(bca);
        let players = 3 + chance.below(3) as usize;
        let games: Vec<(usize, usize, f64)> = (0..80)
            .map(|_| {
                let a = chance.below(players as u64) as usize;
                let b = (a + 1 + chance.below(players as u64 - 1) as usize) % players;
                (a, b, [0.0, 0.5, 1.0][chance.below(3) as usize])
            })
            .collect();
        let found = ratings::bradley_terry(players, &games).into_iter().map(|r| r.rating);
        let mut one = case(json!({"kind":"bradley_terry","players":players,"games":games}), found);
        one.near = 0.01;
        cases.push(one);
    }
    cases
}

#[test]
fn they_are_those_of_scipy_and_statsmodels() {
    let python = std::env::var("SEVAL_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python)
        .args(["-c", "import numpy, scipy, statsmodels.stats.api"])
        .stderr(Stdio::null())
        .status();
    if !has.is_ok_and(|status| status.success()) {
        eprintln!("NOT CHECKED: {python} has no scipy and statsmodels (set SEVAL_PYTHON)");
        return;
    }
    let cases = cases();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference.py");
    let mut child = Command::new(&python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked: String = cases.iter().map(|case| format!("{}\n", case.asked)).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), cases.len(), "Python gave up");
    for (case, expected) in cases.iter().zip(&lines) {
        let expected = expected.as_array().unwrap();
        assert_eq!(case.found.len(), expected.len(), "{}", case.asked);
        for (found, expected) in case.found.iter().zip(expected) {
            let same = match (found, expected.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= case.near * b.abs().max(1.0),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(same, "{found:?}, and they find {expected}: {}", case.asked);
        }
    }
    eprintln!("{} cases are those of scipy and statsmodels", cases.len());
}
