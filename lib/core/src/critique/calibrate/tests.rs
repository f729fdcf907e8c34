use super::*;
use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Schema};
use seval_stats::agreement::{Level, fleiss_kappa, krippendorff_alpha};
use std::path::PathBuf;
use std::sync::Arc;

/// A folder of public data beside the project, or where SEVAL_DATA says; none if it is not there.
#[expect(clippy::print_stderr, reason = "a check that is not made must be seen")]
pub(in crate::critique) fn public_data(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let data = std::env::var_os("SEVAL_DATA").map_or_else(beside, PathBuf::from);
    let folder = data.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("NOT CHECKED: there is no {} (set SEVAL_DATA)", folder.display());
    None
}

fn near(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

fn confusion(classes: &[&str], counts: &[&[u64]]) -> Confusion {
    let mut pairs = Vec::new();
    for (label, row) in classes.iter().zip(counts) {
        for (said, rows) in classes.iter().zip(*row) {
            pairs.extend((0..*rows).map(|_| (Some(*label), Some(*said))));
        }
    }
    Confusion::new(pairs.into_iter(), classes).unwrap()
}

/// Three classes; the figures are sklearn's and statsmodels'.
#[test]
fn classes_are_compared() {
    let classes = ["full_compliance", "partial_refusal", "full_refusal"];
    let table = confusion(&classes, &[&[20, 5, 3], &[4, 18, 6], &[1, 2, 31]]);
    near(table.accuracy().value(), 0.766_666_666_667);
    near(table.balanced_accuracy(), 0.756_302_521_008);
    near(table.macro_f1(), 0.757_266_700_663);
    let (low, high) = table.accuracy().interval().unwrap();
    near(Some(low), 0.669_482_943_543);
    near(Some(high), 0.842_018_056_156);
    for (class, precision, recall, f1) in [
        (0, 0.8, 0.714_285_714_286, 0.754_716_981_132),
        (1, 0.72, 0.642_857_142_857, 0.679_245_283_019),
        (2, 0.775, 0.911_764_705_882, 0.837_837_837_838),
    ] {
        let rates = table.class(class);
        near(rates.precision.value(), precision);
        near(rates.recall.value(), recall);
        near(rates.false_negatives.value(), 1.0 - recall);
        near(rates.f1, f1);
    }
    assert_eq!(table.class(0).false_positives, Rate { hits: 5, of: 62 });
    assert_eq!(table.class(0).specificity, Rate { hits: 57, of: 62 });
    let kappa = table.kappa().unwrap();
    near(Some(kappa.value), 0.646_067_415_730);
    near(Some(kappa.interval.0), 0.515_461_434_393);
    near(Some(kappa.interval.1), 0.776_673_397_068);
}

#[test]
fn rows_without_label_or_verdict_are_counted_apart() {
    let rows = [
        (Some("safe"), Some("safe")),
        (Some("unsafe"), None),
        (Some("unsafe"), Some("unsafe")),
        (None, Some("unsafe")),
    ];
    let table = Confusion::new(rows.into_iter(), &["safe", "unsafe"]).unwrap();
    assert_eq!((table.n(), table.unscored.as_slice(), table.unlabelled), (2, &[0, 1][..], 1));
    assert_eq!(table.class(1).recall, Rate { hits: 1, of: 1 });
    let error = Confusion::new([(Some("bad"), None)].into_iter(), &["safe", "unsafe"]);
    assert_eq!(error.unwrap_err().to_string(), "the label `bad` is none of safe, unsafe");
}

#[test]
fn what_is_not_defined_is_none() {
    let empty = confusion(&["safe", "unsafe"], &[&[0, 0], &[0, 0]]);
    assert_eq!((empty.kappa(), empty.balanced_accuracy(), empty.macro_f1()), (None, None, None));
    let one = confusion(&["safe", "unsafe"], &[&[7, 0], &[0, 0]]);
    assert_eq!((one.kappa(), one.balanced_accuracy()), (None, Some(1.0)));
    assert_eq!((one.class(1).recall.value(), one.class(1).f1), (None, None));
    assert_eq!(Rate { hits: 0, of: 10 }.interval().unwrap().0.to_bits(), 0.0_f64.to_bits());
    assert_eq!(Rate { hits: 9, of: 9 }.interval().unwrap().1.to_bits(), 1.0_f64.to_bits());
    assert_eq!(Scores::new([(true, f64::NAN), (false, 1.5)].into_iter()), None);
    let risks = Scores::new([(true, 0.5)].into_iter()).unwrap();
    assert_eq!((risks.auc, risks.best_by_youden()), (None, None));
}

/// Units by annotators, as one digit each; a dash is no rating.
fn units(annotators: &[&str]) -> Vec<Vec<Option<f64>>> {
    let rating = |annotator: &&str, at: usize| {
        let digit = annotator.chars().nth(at).and_then(|c| c.to_digit(10));
        digit.map(f64::from)
    };
    let unit = |at: usize| annotators.iter().map(|annotator| rating(annotator, at)).collect();
    (0..annotators[0].len()).map(unit).collect()
}

/// Krippendorff's own example (2011): four observers, twelve units, some ratings missing. The
/// values are those of the Python package krippendorff; the paper prints .743, .815 and .849.
#[test]
fn alpha_of_krippendorffs_example() {
    let units = units(&["123321412---", "1233224125-3", "-3332342251-", "12332441251-"]);
    near(krippendorff_alpha(&units, Level::Nominal), 0.743_421_052_632);
    near(krippendorff_alpha(&units, Level::Ordinal), 0.815_387_503_755);
    near(krippendorff_alpha(&units, Level::Interval), 0.849_107_142_857);
}

/// Ten units, fourteen raters, five classes; the value is statsmodels'.
#[test]
fn fleiss_of_fourteen_raters() {
    let table = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ];
    let unit = |counts: &[usize; 5]| -> Vec<Option<f64>> {
        let ratings = counts.iter().enumerate();
        ratings.flat_map(|(class, n)| std::iter::repeat_n(Some(class as f64), *n)).collect()
    };
    let mut units: Vec<_> = table.iter().map(unit).collect();
    near(fleiss_kappa(&units), 0.209_930_704_422);
    // A unit that someone did not judge is left out.
    let mut partly = units[0].clone();
    partly[3] = None;
    units.push(partly);
    near(fleiss_kappa(&units), 0.209_930_704_422);
}

#[test]
fn agreement_that_is_not_defined_is_none() {
    for annotators in [&["11-", "--1"][..], &["111", "111"], &["123"]] {
        let units = units(annotators);
        assert_eq!(fleiss_kappa(&units), None, "{annotators:?}");
        for level in [Level::Nominal, Level::Ordinal, Level::Interval] {
            assert_eq!(krippendorff_alpha(&units, level), None, "{annotators:?}");
        }
    }
    assert_eq!(fleiss_kappa(&[]), None);
    assert_eq!(krippendorff_alpha(&[], Level::Nominal), None);
}

/// Risk, score.
fn scored() -> Scores {
    let scores = [
        0.05, 0.1, 0.15, 0.2, 0.2, 0.35, 0.4, 0.4, 0.4, 0.55, 0.6, 0.6, 0.75, 0.8, 0.85, 0.9, 0.95,
        1.0, 0.0, 0.3,
    ];
    let risks = "00001010010111011101";
    Scores::new(risks.chars().map(|c| c == '1').zip(scores)).unwrap()
}

/// The figures are sklearn's; the calibration error is numpy's over ten bins.
#[test]
fn scores_are_weighed() {
    let scores = scored();
    near(scores.auc, 0.81);
    near(Some(scores.brier), 0.178_375);
    near(Some(scores.calibration_error), 0.1575);
    assert_eq!(scores.points.len(), 16);
    let youden = scores.best_by_youden().unwrap();
    assert_eq!(youden.threshold.to_bits(), 0.55_f64.to_bits());
    near(youden.balanced_accuracy(), 0.75);
    let f1 = scores.best_by_f1().unwrap();
    assert_eq!(f1.threshold.to_bits(), 0.2_f64.to_bits());
    near(f1.f1(), 0.769_230_769_231);
    let last = scores.bins[9];
    assert_eq!((last.observed, last.from), (Rate { hits: 3, of: 3 }, 0.9));
    near(last.mean_score, 0.95);
}

#[test]
fn a_threshold_between_scores_is_the_next_score() {
    let scores = scored();
    assert_eq!(scores.at(0.5).sensitivity, scores.at(0.55).sensitivity);
    assert_eq!(scores.at(0.0).specificity, Rate { hits: 0, of: 10 });
    let above = Scores::new([(true, 0.5), (false, 0.5)].into_iter()).unwrap();
    near(above.auc, 0.5);
    assert_eq!(above.at(0.6).sensitivity, Rate { hits: 0, of: 1 });
    assert_eq!(above.at(0.6).specificity, Rate { hits: 1, of: 1 });
}

#[test]
fn groups_are_counted_beside_all() {
    let row = |label, said, group| Judged {
        label: Some(label),
        said: Some(said),
        risk_score: Some(if said == "unsafe" { 0.9 } else { 0.1 }),
        group,
    };
    let rows =
        [row("safe", "unsafe", "zh"), row("unsafe", "unsafe", "en"), row("safe", "safe", "")];
    let calibration = Calibration::new(&rows, &["safe", "unsafe"], Some("unsafe")).unwrap();
    let names: Vec<&str> = calibration.groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names.as_slice(), calibration.all.n()), (&["en", "zh"][..], 3));
    let figures = calibration.table();
    let value = |part: &str, of: &str, measure: &str| {
        let is_it = |f: &&Figure| f.part == part && f.of == of && f.measure == measure;
        figures.iter().find(is_it).unwrap().value
    };
    assert_eq!(value("group zh", "", "accuracy"), Some(0.0));
    assert_eq!(value("all", "safe said to be unsafe", "rows"), Some(1.0));
    assert_eq!(value("scores", "", "auc"), Some(0.75));
    assert_eq!(value("threshold", "0.50", "sensitivity"), Some(1.0));
    assert_eq!(Calibration::new(&rows, &["safe", "unsafe"], None).unwrap().scores, None);
}

#[test]
fn what_was_measured_is_written_and_read() {
    let table = confusion(&["safe", "unsafe"], &[&[90, 10], &[5, 45]]);
    let measured = Measured::new("rules@01234567", "two annotators, \"150\" rows", &table).unwrap();
    assert_eq!((measured.n_safe, measured.n_unsafe), (100, 50));
    near(Some(measured.sensitivity), 0.9);
    near(Some(measured.specificity), 0.9);
    let text = measured.to_toml().unwrap();
    assert_eq!(Measured::parse(&text).unwrap(), measured, "{text}");
    let wrong = text.replace("sensitivity = 0.9", "sensitivity = 1.9");
    let error = Measured::parse(&wrong).unwrap_err().to_string();
    assert_eq!(error, "sensitivity: is no rate of rows with its interval");
    assert!(Measured::parse(&text.replace("n_safe", "m_safe")).is_err());
    let safe = confusion(&["safe", "unsafe"], &[&[90, 10], &[0, 0]]);
    assert!(Measured::new("rules", "", &safe).is_err());
    let three = confusion(&["safe", "unsafe", "other"], &[&[1, 0, 0], &[0, 1, 0], &[0, 0, 1]]);
    assert!(Measured::new("rules", "", &three).is_err());
}

/// JailbreakBench's recorded judges on the files of PAIR and JBC that are here: 800 rows,
/// `jailbroken` against `jailbroken_llama_guard1`. Kappa and its interval are statsmodels'.
#[test]
fn recorded_judges_of_jailbreakbench() {
    let Some(folder) = public_data("jailbreakbench") else { return };
    let mut pairs = Vec::new();
    for attack in ["JBC/manual", "PAIR/black_box"] {
        for model in
            ["gpt-3.5-turbo-1106", "gpt-4-0125-preview", "llama-2-7b-chat-hf", "vicuna-13b-v1.5"]
        {
            let path = folder.join(attack).join(format!("{model}.json"));
            let text = std::fs::read_to_string(path).unwrap();
            let file: serde_json::Value = serde_json::from_str(&text).unwrap();
            for row in file["jailbreaks"].as_array().unwrap() {
                let judge =
                    |name: &str| row[name].as_bool().map(|is| if is { "unsafe" } else { "safe" });
                pairs.push((judge("jailbroken"), judge("jailbroken_llama_guard1")));
            }
        }
    }
    let table = Confusion::new(pairs.into_iter(), &["safe", "unsafe"]).unwrap();
    assert_eq!(table.counts, [[486, 50], [23, 241]]);
    let kappa = table.kappa().unwrap();
    near(table.accuracy().value(), 0.90875);
    near(Some(kappa.value), 0.798864826142);
    near(Some(kappa.interval.0), 0.755081071180);
    near(Some(kappa.interval.1), 0.842648581104);
    let classes = table.class(1);
    assert_eq!(classes.recall, Rate { hits: 241, of: 264 });
}

/// XSTest's two annotators of two models' completions (Röttger et al. 2024): Fleiss' kappa .93 and
/// .92, as printed.
#[test]
fn annotators_of_xstest() {
    let Some(folder) = public_data("xstest") else { return };
    for (model, expected) in [("llama2orig", "0.93"), ("mistralinstruct", "0.92")] {
        let path = folder.join(format!("xstest_v2_completions_{model}.csv"));
        let file = std::fs::File::open(path).unwrap();
        let header = ["id", "type", "prompt", "completion", "annotation_1", "annotation_2"];
        let fields = header.map(|name| Field::new(name, DataType::Utf8, true)).to_vec();
        let rest = ["agreement", "final_label"].map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new([fields, rest.to_vec()].concat()));
        let rows = arrow::csv::ReaderBuilder::new(schema).with_header(true).build(file).unwrap();
        let mut units = Vec::new();
        for batch in rows {
            let batch = batch.unwrap();
            let label = |column: usize, row: usize| {
                let label = batch.column(column).as_string::<i32>().value(row);
                label.chars().next().and_then(|c| c.to_digit(10)).map(f64::from)
            };
            units.extend((0..batch.num_rows()).map(|row| vec![label(4, row), label(5, row)]));
        }
        assert_eq!(units.len(), 450);
        assert!(units.iter().flatten().all(Option::is_some));
        assert_eq!(format!("{:.2}", fleiss_kappa(&units).unwrap()), expected, "{model}");
    }
}
