//! Verdicts beside labels that people gave, and verdicts beside each other: read from rows, measured by
//! critic.

use super::calibrate::{Calibration, Judged, Measured};
use super::figures::{self, Figure};
use super::sensitivity::Sensitivity;
use super::verdict::{Mark, Reason};
use crate::contract::Contract;
use crate::plain::with_columns;
use crate::rows::Rows;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use seval_stats::agreement::{Level, fleiss_kappa, krippendorff_alpha};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// What verdicts are compared in, and with what.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `verdict` or `refusal`.
    pub of: String,
    /// The column of the labels that count.
    pub label: String,
    /// What labels mean, where they are not the verdict's own words.
    pub meaning: HashMap<String, String>,
    /// Columns of single annotators, for their agreement.
    pub annotators: Vec<String>,
    /// The column by which figures are given too.
    pub by: Option<String>,
}

/// One verdict on a labelled row.
struct Row {
    key: u128,
    critic: String,
    said: Option<String>,
    risk_score: Option<f64>,
    label: Option<String>,
    annotators: Vec<Option<String>>,
    group: String,
}

/// Figures of critics, and what a rate is corrected by; the latter only for verdicts.
pub struct Found {
    /// By critic; agreement of annotators stands under no critic.
    pub figures: Vec<(String, Vec<Figure>)>,
    /// By critic, its sensitivity and specificity.
    pub measured: Vec<Measured>,
}

/// The classes that a column may hold, and the one whose probability the risk score is.
fn classes(of: &str) -> Result<(Vec<String>, Option<&'static str>)> {
    let contract = Contract::verdicts()?;
    let column = contract.columns.iter().find(|column| column.name == of);
    let values = column.map(|column| column.values.clone()).unwrap_or_default();
    let classes = values.into_iter().filter(|value| value != "unscored").collect();
    Ok((classes, (of == "verdict").then_some("unsafe")))
}

/// Compares the verdicts of each critic with the labels. `reference` says whose labels these are.
pub fn calibrate(rows: Rows, wanted: &Wanted, reference: &str) -> Result<Found> {
    let (classes, risk) = classes(&wanted.of)?;
    let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
    let rows = read(rows, wanted, &classes)?;
    let mut found = Found { figures: Vec::new(), measured: Vec::new() };
    for critic in critics(&rows) {
        let judged: Vec<Judged<'_>> = rows
            .iter()
            .filter(|row| row.critic == critic)
            .map(|row| Judged {
                label: row.label.as_deref(),
                said: row.said.as_deref(),
                risk_score: row.risk_score,
                group: &row.group,
            })
            .collect();
        let calibration = Calibration::new(&judged, &classes, risk)?;
        if risk.is_some() {
            // A file of one class alone has figures, and no sensitivity or specificity.
            found.measured.extend(Measured::new(critic, reference, &calibration.all).ok());
        }
        found.figures.push((critic.to_owned(), calibration.table()));
    }
    if wanted.annotators.len() > 1 {
        found.figures.push((String::new(), agreement(&rows)));
    }
    Ok(found)
}

/// How far the annotators agree, each row counted once.
fn agreement(rows: &[Row]) -> Vec<Figure> {
    let mut seen = BTreeSet::new();
    let labels: BTreeSet<&String> =
        rows.iter().flat_map(|row| row.annotators.iter().flatten()).collect();
    let number = |label: &String| labels.iter().position(|known| *known == label);
    let units: Vec<Vec<Option<f64>>> = rows
        .iter()
        .filter(|row| seen.insert(row.key))
        .map(|row| {
            let numbers = row.annotators.iter();
            numbers.map(|label| Some(number(label.as_ref()?)? as f64)).collect()
        })
        .collect();
    let n = Some(units.len() as u64);
    let figure = |measure, value| Figure { n, ..Figure::new("annotators", "", measure, value) };
    vec![
        figure("fleiss_kappa", fleiss_kappa(&units)),
        figure("krippendorff_alpha", krippendorff_alpha(&units, Level::Nominal)),
    ]
}

/// Compares critics with each other on the same responses.
pub fn sensitivity(rows: Rows) -> Result<Vec<Figure>> {
    let marks = ["safe", "unsafe"];
    let wanted = Wanted {
        of: "verdict".to_owned(),
        label: String::new(),
        meaning: HashMap::new(),
        annotators: Vec::new(),
        by: None,
    };
    let rows = read(rows, &wanted, &marks)?;
    // What critics come to together is none of them.
    let is_one = |name: &&str| !name.starts_with("panel:") && !name.contains('>');
    let critics: Vec<&str> = critics(&rows).into_iter().filter(is_one).collect();
    let at: HashMap<&str, usize> =
        critics.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let mut responses: HashMap<u128, usize> = HashMap::new();
    let mut all: Vec<Vec<Mark>> = vec![Vec::new(); critics.len()];
    for row in &rows {
        let place = responses.len();
        let response = *responses.entry(row.key).or_insert(place);
        if response == place {
            all.iter_mut().for_each(|marks| marks.push(Mark::Unscored(Reason::NoAnswer)));
        }
        let mark = match row.said.as_deref() {
            Some("safe") => Mark::Safe,
            Some("unsafe") => Mark::Unsafe,
            _ => continue,
        };
        if let Some(cell) = at.get(row.critic.as_str()).and_then(|at| all[*at].get_mut(response)) {
            *cell = mark;
        }
    }
    let named: Vec<(&str, &[Mark])> =
        critics.iter().zip(&all).map(|(critic, marks)| (*critic, marks.as_slice())).collect();
    Ok(Sensitivity::new(&named)?.table())
}

/// Figures of critics as a table: `critic`, then what [`figures::as_batch`] gives.
pub fn table(found: &[(String, Vec<Figure>)]) -> Result<RecordBatch> {
    let all: Vec<Figure> = found.iter().flat_map(|(_, figures)| figures.iter().cloned()).collect();
    let batch = figures::as_batch(&all)?;
    let names = found.iter().flat_map(|(critic, figures)| {
        let critic = (!critic.is_empty()).then_some(critic.as_str());
        std::iter::repeat_n(critic, figures.len())
    });
    let names: StringArray = names.collect();
    let mut fields = vec![Arc::new(Field::new("critic", DataType::Utf8, true))];
    fields.extend(batch.schema().fields().iter().cloned());
    let mut columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(names)];
    columns.extend(batch.columns().iter().cloned());
    with_columns(&Arc::new(Schema::new(fields)), columns, all.len())
}

fn critics(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.critic.as_str()).collect()
}

fn read(rows: Rows, wanted: &Wanted, classes: &[&str]) -> Result<Vec<Row>> {
    Contract::verdicts()?.check(&rows.schema, &["critic", &wanted.of], "the input")?;
    let named = [Some(&wanted.label).filter(|label| !label.is_empty()), wanted.by.as_ref()];
    for name in named.into_iter().flatten().chain(&wanted.annotators) {
        rows.schema.index_of(name).map_err(|_| {
            let has: Vec<&str> = rows.schema.fields().iter().map(|f| f.name().as_str()).collect();
            let what = format!("column `{name}` is missing; there are: {}", has.join(", "));
            Error::data("the input", what)
        })?;
    }
    let mut read = Vec::new();
    for batch in rows.batches {
        let batch = batch?;
        let text = |name: &str| column(&batch, name);
        let (critics, said, labels) = (text("critic")?, text(&wanted.of)?, text(&wanted.label)?);
        let groups = wanted.by.as_deref().map_or(Ok(None), text)?;
        let annotators: Vec<Option<StringArray>> =
            wanted.annotators.iter().map(|name| text(name)).collect::<Result<_>>()?;
        let scores = numbers(&batch, "risk_score")?;
        let models = text("critic_model")?;
        let keys = keys(&batch)?;
        for (row, key) in keys.into_iter().enumerate() {
            let meant = |column: &Option<StringArray>| {
                let label = cell(column, row)?;
                Some(wanted.meaning.get(label).map_or(label, String::as_str).to_owned())
            };
            let label = meant(&labels);
            if let Some(label) = label.as_deref().filter(|label| !classes.contains(label)) {
                let what = format!("the label `{label}` is none of {}", classes.join(", "));
                return Err(Error::data(format!("column `{}`", wanted.label), what)
                    .hint(format!("say what it means: --map '{label}={}'", classes.join("|"))));
            }
            read.push(Row {
                key,
                critic: who(cell(&critics, row).unwrap_or_default(), cell(&models, row)),
                said: cell(&said, row).filter(|said| classes.contains(said)).map(str::to_owned),
                risk_score: scores.as_ref().filter(|s| s.is_valid(row)).map(|s| s.value(row)),
                label,
                annotators: annotators.iter().map(meant).collect(),
                group: cell(&groups, row).unwrap_or_default().to_owned(),
            });
        }
    }
    Ok(read)
}

/// A critic, and the model that it asks: the same question to another model is another critic.
fn who(critic: &str, model: Option<&str>) -> String {
    match model {
        Some(model) => format!("{critic}={model}"),
        None => critic.to_owned(),
    }
}

/// A column of numbers, also from CSV; none that is not there.
fn numbers(batch: &RecordBatch, name: &str) -> Result<Option<Float64Array>> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    let numbers = cast(column, &DataType::Float64)
        .map_err(|error| Error::data(format!("column `{name}`"), error))?;
    Ok(Some(numbers.as_primitive::<Float64Type>().clone()))
}

/// What tells a response from others: which prompt, whose answer and with what settings, and its text.
fn keys(batch: &RecordBatch) -> Result<Vec<u128>> {
    let mut hashes = vec![Xxh3::new(); batch.num_rows()];
    let settings = ["temperature", "top_p", "top_k", "max_tokens", "seed"];
    let answer = ["prompt_id", "prompt", "model", "sample", "response"];
    for name in answer.into_iter().chain(settings) {
        let texts = column(batch, name)?;
        for (row, hash) in hashes.iter_mut().enumerate() {
            let text = cell(&texts, row).unwrap_or_default();
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
    }
    Ok(hashes.iter().map(Xxh3::digest128).collect())
}

/// A column as text; none that is not there.
fn column(batch: &RecordBatch, name: &str) -> Result<Option<StringArray>> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    let texts = cast(column, &DataType::Utf8)
        .map_err(|error| Error::data(format!("column `{name}`"), error))?;
    Ok(Some(texts.as_string::<i32>().clone()))
}

fn cell(column: &Option<StringArray>, row: usize) -> Option<&str> {
    column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// Labelled responses to learn from: those whose label is there, and how many are not.
pub fn samples(
    rows: Rows,
    label: &str,
    group: &str,
    mut each: impl FnMut(super::train::Sample),
) -> Result<u64> {
    let found = |name: &str| rows.schema.index_of(name).is_ok();
    let group_is_named = group != "prompt";
    for name in ["response", label].into_iter().chain(group_is_named.then_some(group)) {
        if !found(name) {
            let what = format!("column `{name}` is missing");
            return Err(Error::data("the input", what)
                .hint("name the labels with --label, and what belongs together with --group"));
        }
    }
    let mut left_out = 0;
    for batch in rows.batches {
        let batch = batch?;
        let [responses, labels, prompts, groups] = [
            column(&batch, "response")?,
            column(&batch, label)?,
            column(&batch, "prompt")?,
            column(&batch, group)?,
        ];
        for row in 0..batch.num_rows() {
            let text = |column| cell(column, row).map(str::to_owned);
            match (text(&responses), text(&labels)) {
                (Some(response), Some(label)) => each(super::train::Sample {
                    response,
                    prompt: text(&prompts),
                    label,
                    group: text(&groups),
                }),
                _ => left_out += 1,
            }
        }
    }
    Ok(left_out)
}

/// `LABEL=MEANING`, several times.
pub fn meanings(given: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |text: &String| match text.split_once('=') {
        Some((label, meaning)) => Ok((label.to_owned(), meaning.to_owned())),
        None => Err(Error::usage("--map", format!("`{text}` says of no label what it means"))
            .hint("such as --map jailbroken=unsafe")),
    };
    let mut meanings = BTreeMap::new();
    for (label, meaning) in given.iter().map(pair).collect::<Result<Vec<_>>>()? {
        if let Some(other) = meanings.insert(label.clone(), meaning.clone())
            && other != meaning
        {
            let what = format!("`{label}` is to mean {other} and {meaning}");
            return Err(Error::usage("--map", what).hint("give each label one meaning"));
        }
    }
    Ok(meanings)
}
