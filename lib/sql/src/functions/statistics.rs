//! Statistics as SQL: what a query calls, and the function of `seval_stats` that computes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use seval_stats::{agreement, bootstrap, correct, diversity, order, paired, rate, ratings};
use xxhash_rust::xxh3::xxh3_64;

use super::aggregate::{Columns, of_all};

/// Draws of a bootstrap.
const REPLICATES: usize = 2000;

/// Registers the statistics:
///
/// * `clopper_pearson(k, n)`: struct of `low` and `high`, the exact 95 % interval of k/n.
/// * `rogan_gladen(k, n, found, of_unsafe, cleared, of_safe)`: struct of `rate`, `low` and `high`: the rate
///   k/n that a critic gives, corrected for its sensitivity found/of_unsafe and its specificity
///   cleared/of_safe; null where the critic is no better than chance.
/// * `clustered_rate(value, cluster)`: struct of `rate`, `low` and `high`: the share of true values, with
///   Wilson's interval of as many independent answers as spread as far as these clusters do.
/// * `cohen_kappa(a, b)`: agreement of two labels of each row.
/// * `fleiss_kappa(unit, label)`, `krippendorff_alpha(unit, label)`: agreement of several labels of each
///   unit; the former of units with as many labels as most have.
/// * `mcnemar(a, b)`: exact two-sided p value that a and b are as often true.
/// * `kendall_tau(x, y)`: rank correlation, tau-b.
/// * `percentile(x, share)`: between the two nearest values; the share is one value for the group.
/// * `bootstrap(value, cluster)`: struct of `estimate` (the mean), `low` and `high` (percentiles of the means
///   of clusters drawn again) and `bca_low` and `bca_high` (bias-corrected and accelerated).
/// * `self_bleu(text)`: mean BLEU-4 of each text against all others; lower is more diverse. A token is a word, or
///   a character of a script without spaces.
/// * `bradley_terry(a, b, score)`: list of struct of `name`, `rating`, `low` and `high` on Elo's scale; score
///   is 1 where a won, 0 where b did, 0.5 for a tie.
pub(super) fn register(session: &SessionContext) {
    let float = DataType::Float64;
    session.register_udf(numbers("clopper_pearson", &["low", "high"], 2, |v| {
        rate::clopper_pearson(v[0], v[1]).map(|(low, high)| vec![low, high])
    }));
    session.register_udf(numbers("rogan_gladen", &["rate", "low", "high"], 6, |v| {
        let corrected = correct::rogan_gladen((v[0], v[1]), (v[2], v[3]), (v[4], v[5]))?;
        Some(vec![corrected.rate, corrected.low, corrected.high])
    }));
    let (texts, bools) = ([DataType::Utf8, DataType::Utf8], [DataType::Boolean, DataType::Boolean]);
    let floats = [DataType::Float64, DataType::Float64];
    for udaf in [
        of_all("cohen_kappa", &texts, float.clone(), |rows| {
            Ok(number(agreement::cohen_kappa(pairs(rows)).map(|kappa| kappa.value)))
        }),
        of_all("fleiss_kappa", &texts, float.clone(), |rows| {
            Ok(number(agreement::fleiss_kappa(&units(rows, true))))
        }),
        of_all("krippendorff_alpha", &texts, float.clone(), |rows| {
            let units = units(rows, false);
            Ok(number(agreement::krippendorff_alpha(&units, agreement::Level::Nominal)))
        }),
        of_all("self_bleu", &[DataType::Utf8], float.clone(), |rows| {
            let texts: Vec<Vec<u64>> = rows.texts(0).iter().flatten().map(tokens).collect();
            Ok(number(diversity::measure(&texts).self_bleu))
        }),
        of_all("mcnemar", &bools, float.clone(), |rows| {
            let both = rows.booleans(0).values().iter().zip(rows.booleans(1).values());
            let (mut only_a, mut only_b) = (0, 0);
            for (a, b) in both {
                only_a += u64::from(a && !b);
                only_b += u64::from(b && !a);
            }
            Ok(number((rows.rows() > 0).then(|| paired::mcnemar(only_a, only_b))))
        }),
        of_all("kendall_tau", &floats, float.clone(), |rows| {
            let (x, y) = (rows.numbers(0).values(), rows.numbers(1).values());
            Ok(number(order::kendall_tau(x, y)))
        }),
        of_all("percentile", &floats, float.clone(), |rows| {
            let shares = rows.numbers(1).values();
            let Some(&share) = shares.first() else { return Ok(number(None)) };
            if shares.iter().any(|other| other != &share) || !(0.0..=1.0).contains(&share) {
                return Err(wrong("percentile: the share must be one number from 0 to 1"));
            }
            Ok(number(order::percentile(rows.numbers(0).values(), share)))
        }),
        of_all("clustered_rate", &[DataType::Boolean, DataType::Utf8], ends(&RATE), |rows| {
            let mut of: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
            let values = rows.booleans(0).values().iter();
            for (value, cluster) in values.zip(rows.texts(1).iter().flatten()) {
                let counts = of.entry(cluster).or_default();
                *counts = (counts.0 + u64::from(value), counts.1 + 1);
            }
            let found = rate::clustered(&of.into_values().collect::<Vec<_>>());
            structured(
                &RATE,
                found.map(|(rate, low, high)| [rate, low, high]).as_ref().map(<[f64; 3]>::as_slice),
            )
        }),
        of_all("bootstrap", &[float, DataType::Utf8], ends(&BOOTSTRAP), |rows| {
            let (sums, counts) = clusters(rows);
            let found = bootstrap::mean(&sums, &counts, REPLICATES, 0);
            let found = found.map(|f| [f.estimate, f.low, f.high, f.bca_low, f.bca_high]);
            structured(&BOOTSTRAP, found.as_ref().map(<[f64; 5]>::as_slice))
        }),
        of_all(
            "bradley_terry",
            &[DataType::Utf8, DataType::Utf8, DataType::Float64],
            DataType::new_list(DataType::Struct(rating_fields()), true),
            bradley_terry,
        ),
    ] {
        session.register_udaf(udaf);
    }
}

const RATE: [&str; 3] = ["rate", "low", "high"];
const BOOTSTRAP: [&str; 5] = ["estimate", "low", "high", "bca_low", "bca_high"];

fn wrong(what: &str) -> DataFusionError {
    DataFusionError::Plan(what.to_owned())
}

fn number(value: Option<f64>) -> ScalarValue {
    ScalarValue::Float64(value)
}

/// A struct of numbers with these names.
fn ends(names: &[&str]) -> DataType {
    let fields = names.iter().map(|name| Field::new(*name, DataType::Float64, true));
    DataType::Struct(fields.collect())
}

fn structured(names: &[&str], values: Option<&[f64]>) -> Result<ScalarValue> {
    let DataType::Struct(fields) = ends(names) else { return Err(wrong("no struct")) };
    let column = |at: usize| -> ArrayRef {
        Arc::new(Float64Array::from(vec![values.map(|values| values[at])]))
    };
    let columns = (0..names.len()).map(column).collect();
    let nulls = values.is_none().then(|| vec![false].into());
    Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields, columns, nulls)?)))
}

/// A function of `takes` numbers that gives a struct of some; null in, null out.
fn numbers(
    name: &str,
    gives: &'static [&'static str],
    takes: usize,
    of: fn(&[f64]) -> Option<Vec<f64>>,
) -> ScalarUDF {
    let body = move |values: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(values)?;
        let columns: Vec<&Float64Array> =
            arrays.iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        let rows = columns.first().map_or(0, |column| column.len());
        let mut found: Vec<Vec<Option<f64>>> = vec![Vec::with_capacity(rows); gives.len()];
        let mut there = Vec::with_capacity(rows);
        for row in 0..rows {
            let whole = columns.iter().all(|column| column.is_valid(row));
            let given: Vec<f64> = columns.iter().map(|column| column.value(row)).collect();
            let result = if whole { of(&given) } else { None };
            there.push(result.is_some());
            for (at, column) in found.iter_mut().enumerate() {
                column.push(result.as_ref().map(|result| result[at]));
            }
        }
        let DataType::Struct(fields) = ends(gives) else { return Err(wrong("no struct")) };
        let columns = found.into_iter().map(|c| Arc::new(Float64Array::from(c)) as ArrayRef);
        let made = StructArray::try_new(fields, columns.collect(), Some(there.into()))?;
        Ok(ColumnarValue::Array(Arc::new(made)))
    };
    let types = vec![DataType::Float64; takes];
    create_udf(name, types, ends(gives), Volatility::Immutable, Arc::new(body))
}

/// The hashes of a text's words in small letters; every character of a script without spaces is a word.
fn tokens(text: &str) -> Vec<u64> {
    let text = text.to_lowercase();
    let is_wide =
        |c: char| matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..);
    let mut tokens = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        for part in word.split_inclusive(is_wide) {
            let wide = part.chars().next_back().filter(|c| is_wide(*c));
            let narrow = wide.map_or(part, |c| &part[..part.len() - c.len_utf8()]);
            tokens.extend((!narrow.is_empty()).then(|| xxh3_64(narrow.as_bytes())));
            tokens.extend(wide.map(|c| xxh3_64(c.to_string().as_bytes())));
        }
    }
    tokens
}

fn pairs(rows: &Columns) -> impl Iterator<Item = (&str, &str)> {
    rows.texts(0).iter().flatten().zip(rows.texts(1).iter().flatten())
}

/// The labels of each unit as numbers. Whole: filled up with none to as many as the unit with most has.
fn units(rows: &Columns, whole: bool) -> Vec<Vec<Option<f64>>> {
    let mut classes: BTreeMap<&str, f64> =
        rows.texts(1).iter().flatten().map(|l| (l, 0.0)).collect();
    classes.values_mut().enumerate().for_each(|(at, class)| *class = at as f64);
    let mut units: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
    for (unit, label) in pairs(rows) {
        units.entry(unit).or_default().push(classes.get(label).copied());
    }
    let most = units.values().map(Vec::len).max().unwrap_or(0);
    let mut units: Vec<Vec<Option<f64>>> = units.into_values().collect();
    if whole {
        units.iter_mut().for_each(|unit| unit.resize(most, None));
    }
    units
}

/// The sum and the number of the values of each cluster, in order of the clusters. Values are summed in
/// their order, so that the order of rows does not matter.
fn clusters(rows: &Columns) -> (Vec<f64>, Vec<f64>) {
    let mut of: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (value, cluster) in rows.numbers(0).values().iter().zip(rows.texts(1).iter().flatten()) {
        of.entry(cluster).or_default().push(*value);
    }
    let sums = of.values_mut().map(|values| {
        values.sort_unstable_by(f64::total_cmp);
        (values.iter().sum::<f64>(), values.len() as f64)
    });
    sums.unzip()
}

fn rating_fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    vec![Field::new("name", DataType::Utf8, true), number("rating"), number("low"), number("high")]
        .into()
}

fn bradley_terry(rows: &Columns) -> Result<ScalarValue> {
    let names: BTreeMap<&str, usize> =
        pairs(rows).flat_map(|(a, b)| [a, b]).map(|name| (name, 0)).collect();
    let names: Vec<&str> = names.into_keys().collect();
    let at = |name: &str| names.binary_search(&name).unwrap_or(0);
    let scores = rows.numbers(2).values();
    if scores.iter().any(|score| !(0.0..=1.0).contains(score)) {
        return Err(wrong("bradley_terry: a score must be from 0 (b won) to 1 (a won)"));
    }
    let games: Vec<(usize, usize, f64)> =
        pairs(rows).zip(scores).map(|((a, b), score)| (at(a), at(b), *score)).collect();
    let ratings = ratings::bradley_terry(names.len(), &games);
    let column = |of: fn(&ratings::Rating) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(ratings.iter().map(of)))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(names)),
        column(|rating| rating.rating),
        column(|rating| rating.low),
        column(|rating| rating.high),
    ];
    let made = StructArray::try_new(rating_fields(), columns, None)?;
    Ok(SingleRowListArrayBuilder::new(Arc::new(made)).build_list_scalar())
}
