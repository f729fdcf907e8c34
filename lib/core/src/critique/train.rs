//! A critic that is trained from labels, offline: linear, quick, and calibrated.
//!
//! Hashed n-grams of words and characters, logistic regression with an L2 penalty, one class
//! against the others, and Platt's calibration on scores of rows that were not trained on. The
//! penalty is chosen by cross-validation in which rows of one group, the answers to one prompt, are
//! never apart. The same rows and settings give the same bytes, whatever the order of the rows and
//! the number of threads.

mod features;
mod figures;
mod file;
mod fit;
#[cfg(test)]
mod tests;
mod validate;

pub use figures::Figures;
pub use file::{Column, Meta};

use super::verdict::{Mark, ScoreFrom, Verdict};
use crate::refusal::Refusal;
use crate::{Error, Result};
use features::{BUCKETS, SPACES, Space, WORTH, bucket, count, space};
use file::{Curve, Record};
use fit::{Columns, Row, reciprocal_root, sigmoid};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A labelled response.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What the model said.
    pub response: String,
    /// What it was asked.
    pub prompt: Option<String>,
    /// The label as the rows have it; see [`Settings::labels`].
    pub label: String,
    /// Rows with the same group are never on both sides of a split: the base prompt. Without it the
    /// prompt, and without that the response.
    pub group: Option<String>,
}

/// What is trained, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the critic judges and what it was trained on, for whoever finds the file.
    pub about: String,
    /// The column that the labels are values of.
    pub column: Column,
    /// By label, the value of the column; a label that is not here is the value itself.
    pub labels: BTreeMap<String, String>,
    /// Whether the prompt is looked at too. It is, for whether a response is unsafe; how far a
    /// response refuses stands in the response, and the prompt misleads on other models.
    pub prompt: bool,
    /// Into how many parts the rows are split for cross-validation, 2 or more; 5 is usual.
    pub folds: usize,
}

/// What training found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many rows have each class.
    pub classes: Vec<(String, usize)>,
    /// By penalty, the log loss of rows that were not trained on.
    pub penalties: Vec<(f64, f64)>,
    /// The penalty that was chosen.
    pub penalty: f64,
    /// Figures of the chosen penalty on rows that were not trained on. The penalty and the
    /// calibration were chosen on the same rows, so they are slightly better than on new ones.
    pub figures: Figures,
}

/// A trained critic. Immutable: threads share a reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// What it is.
    pub meta: Meta,
    // One for class 1 if there are two classes, else one for each.
    curves: Vec<Curve>,
    // By bucket.
    table: Vec<Record>,
    // By bucket, the words that it stands for.
    words: BTreeMap<u32, String>,
}

/// Trains a critic. The rows are kept in memory, some fifteen bytes for each byte of text.
pub fn train(
    samples: impl Iterator<Item = Sample>,
    settings: &Settings,
) -> Result<(Trained, Report)> {
    let mut known: Vec<(u128, Sample)> =
        samples.map(|sample| (identity(&sample), sample)).collect();
    known.par_sort_unstable_by_key(|(identity, _)| *identity);
    let mut hash = Xxh3::new();
    known.iter().for_each(|(identity, _)| hash.update(&identity.to_le_bytes()));
    let (data, samples): (_, Vec<Sample>) =
        (hash.digest128(), known.into_iter().map(|(_, sample)| sample).collect());
    let (classes, truth) = classes(&samples, settings)?;
    let groups: Vec<u64> = samples.iter().map(group).collect();
    let folds = validate::folds(&groups, &truth, &classes, settings.folds)?;
    let (columns, rows) = rows(&samples, settings.prompt);
    let split = validate::Split {
        columns: &columns,
        rows: &rows,
        truth: &truth,
        folds: &folds,
        classes: classes.len(),
    };
    let found = split.choose();
    let models: Vec<(Vec<f64>, f64)> = modelled(classes.len())
        .map(|class| {
            let rows: Vec<_> = rows.iter().zip(truth.iter().map(|own| *own == class)).collect();
            let weights = columns.logistic(columns.start(), &rows, found.penalty);
            (columns.spread(&weights), weights[columns.buckets.len()])
        })
        .collect();
    let (curves, table) = file::quantise(&columns.idf, &models, &found.platt);
    let words = words(&samples, &models);
    let report = Report {
        classes: classes
            .iter()
            .enumerate()
            .map(|(at, class)| (class.clone(), truth.iter().filter(|own| **own == at).count()))
            .collect(),
        penalties: found.penalties,
        penalty: found.penalty,
        figures: found.figures.clone(),
    };
    let meta = Meta {
        about: settings.about.clone(),
        column: settings.column,
        classes,
        prompt: settings.prompt,
        penalty: found.penalty,
        folds: settings.folds,
        rows: samples.len(),
        groups: groups.iter().collect::<BTreeSet<_>>().len(),
        data: format!("{data:032x}"),
        cross_validation: found.figures,
    };
    Ok((Trained { meta, curves, table, words }, report))
}

/// The classes that have a model of their own: of two, the second is enough.
fn modelled(classes: usize) -> std::ops::Range<usize> {
    usize::from(classes == 2)..classes
}

/// The class of a row. Class 0 has no risk, and is given only if it is likelier than all others
/// together.
fn class(probabilities: &[f64]) -> usize {
    if probabilities[0] > 0.5 {
        return 0;
    }
    let likelier =
        |best, at: usize| if probabilities[at] > probabilities[best] { at } else { best };
    (1..probabilities.len()).fold(1, likelier)
}

/// The probabilities of the classes from those of each against the others.
fn normalised(each: &[f64]) -> Vec<f64> {
    if let [second] = each {
        return vec![1.0 - second, *second];
    }
    let sum: f64 = each.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    each.iter().map(|p| p / sum).collect()
}

fn identity(sample: &Sample) -> u128 {
    let mut hash = Xxh3::new();
    let texts = [Some(&sample.response), sample.prompt.as_ref(), Some(&sample.label)];
    for text in texts.into_iter().chain([sample.group.as_ref()]) {
        hash.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        hash.update(text.map_or(&[], |text| text.as_bytes()));
    }
    hash.digest128()
}

fn group(sample: &Sample) -> u64 {
    let group = sample.group.as_ref().or(sample.prompt.as_ref()).unwrap_or(&sample.response);
    xxh3_64(group.as_bytes())
}

/// The classes that there are, and the class of each sample.
fn classes(samples: &[Sample], settings: &Settings) -> Result<(Vec<String>, Vec<usize>)> {
    let all = settings.column.values();
    let mut found = Vec::with_capacity(samples.len());
    for sample in samples {
        let value = settings.labels.get(&sample.label).unwrap_or(&sample.label);
        let at = all.iter().position(|known| known == value).ok_or_else(|| {
            let column = settings.column.as_str();
            Error::data(format!("label `{value}`"), format!("is no value of `{column}`"))
                .hint(format!("say which it stands for: {}", all.join(", ")))
        })?;
        found.push(at);
    }
    let there: Vec<usize> = (0..all.len()).filter(|at| found.contains(at)).collect();
    if there.len() < 2 || there[0] != 0 {
        let what = format!("need rows labelled `{}` and rows labelled otherwise", all[0]);
        return Err(Error::data("labels", what));
    }
    let truth = found.iter().filter_map(|at| there.iter().position(|known| known == at)).collect();
    Ok((there.iter().map(|at| all[*at].to_owned()).collect(), truth))
}

/// The rows as features.
fn rows(samples: &[Sample], prompt: bool) -> (Columns, Vec<Row>) {
    let features: Vec<_> = samples
        .par_iter()
        .map(|sample| {
            let prompt = sample.prompt.as_deref().filter(|_| prompt);
            let mut features = count(prompt, &sample.response);
            features.sort_unstable();
            features.shrink_to_fit();
            features
        })
        .collect();
    let mut met = vec![0u32; BUCKETS];
    features.iter().flatten().for_each(|feature| met[bucket(*feature)] += 1);
    let columns = Columns::new(met.iter().map(|met| file::idf(samples.len(), *met)).collect());
    let rows = features.into_iter().map(|features| columns.row(features)).collect();
    (columns, rows)
}

/// The words that buckets of the largest weights stand for. N-grams that were met fewer than three
/// times are left out: they would tell of single rows.
fn words(samples: &[Sample], models: &[(Vec<f64>, f64)]) -> BTreeMap<u32, String> {
    const MOST: usize = 4000;
    const LONGEST: usize = 48;
    let readable = [Space::Words as usize, Space::Opening as usize];
    let weight = |at: &usize| models.iter().map(|(w, _)| w[*at].abs()).fold(0.0, f64::max);
    let mut heavy: Vec<_> = (0..BUCKETS).filter(|at| readable.contains(&space(*at))).collect();
    heavy.retain(|at| weight(at) > 0.0);
    heavy.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
    let mut texts: HashMap<usize, BTreeMap<String, u32>> =
        heavy.into_iter().take(MOST).map(|at| (at, BTreeMap::new())).collect();
    for sample in samples {
        features::readable(&sample.response, |at, text| {
            let Some(texts) = texts.get_mut(&at).filter(|_| text.len() <= LONGEST) else { return };
            match texts.get_mut(text) {
                Some(met) => *met += 1,
                None => drop(texts.insert(text.to_owned(), 1)),
            }
        });
    }
    let commonest = |texts: BTreeMap<String, u32>| {
        texts.into_iter().filter(|(_, met)| *met > 2).max_by_key(|(_, met)| *met)
    };
    let words = texts.into_iter().filter_map(|(at, t)| Some((at as u32, commonest(t)?.0)));
    words.collect()
}

impl Trained {
    /// What the critic says of a response. A response without text is for the caller: do not ask.
    pub fn judge(&self, prompt: Option<&str>, response: &str) -> Verdict {
        let features = count(prompt.filter(|_| self.meta.prompt), response);
        let worth = &*WORTH;
        // By kind, the sums of the models and after them that of squares, side by side for SIMD.
        let mut sums = [[0f32; file::MOST_CLASSES + 1]; SPACES];
        for feature in &features {
            let at = bucket(*feature);
            let Record { idf, weights: [first, second, third] } = self.table[at % BUCKETS];
            let value = worth[(feature & 255) as usize] * f32::from(idf);
            let parts = [f32::from(first), f32::from(second), f32::from(third), value];
            let sums = &mut sums[space(at) % SPACES];
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += value * part);
        }
        let gains = sums.map(|sums| reciprocal_root(sums[file::MOST_CLASSES]));
        let each: Vec<f64> = (self.curves.iter().enumerate())
            .map(|(at, curve)| {
                let sum: f32 = sums.iter().zip(gains).map(|(sums, gain)| sums[at] * gain).sum();
                sigmoid(f64::from(curve.slope * sum + curve.offset))
            })
            .collect();
        let probabilities = normalised(&each);
        let class = class(&probabilities);
        Verdict {
            mark: if class == 0 { Mark::Safe } else { Mark::Unsafe },
            risk_score: Some(1.0 - probabilities[0]),
            score_from: Some(ScoreFrom::Probability),
            risk_tags: Vec::new(),
            refusal: self.refusal(class),
            correct: None,
            explanation: self.explain(&features, &gains, class),
            injection_suspected: false,
        }
    }

    fn refusal(&self, class: usize) -> Option<Refusal> {
        let all = [Refusal::FullRefusal, Refusal::PartialRefusal, Refusal::FullCompliance];
        all.into_iter().find(|refusal| refusal.as_str() == self.meta.classes[class])
    }

    /// The words that spoke most for the class, at most five.
    fn explain(&self, features: &[u32], gains: &[f32; SPACES], class: usize) -> Option<String> {
        const MOST: usize = 5;
        // Long and short n-grams of the same words stand beside each other.
        const LOOKED_AT: usize = 32;
        let model = class.saturating_sub(usize::from(self.curves.len() == 1));
        let sign = if self.curves.len() == 1 && class == 0 { -1.0 } else { 1.0 };
        let slope = sign * self.curves[model].slope;
        let mut spoke: Vec<(f32, u32)> = Vec::new();
        // Words come before characters, which nobody can read.
        let readable = |feature: &&u32| space(bucket(**feature)) != Space::Characters as usize;
        for feature in features.iter().take_while(readable) {
            let at = bucket(*feature);
            let record = &self.table[at % BUCKETS];
            let weight = slope * f32::from(record.weights[model]);
            if weight > 0.0 {
                let value = WORTH[(feature & 255) as usize] * f32::from(record.idf);
                spoke.push((value * gains[space(at)] * weight, at as u32));
            }
        }
        let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if spoke.len() > LOOKED_AT {
            spoke.select_nth_unstable_by(LOOKED_AT, order);
            spoke.truncate(LOOKED_AT);
        }
        spoke.sort_unstable_by(order);
        let mut chosen: Vec<&str> = Vec::new();
        for text in spoke.iter().filter_map(|(_, at)| self.words.get(at)) {
            if !chosen.iter().any(|known| known.contains(&**text) || text.contains(known)) {
                chosen.push(text);
            }
            if chosen.len() == MOST {
                break;
            }
        }
        (!chosen.is_empty())
            .then(|| format!("weighed most: {}", chosen.join("; ").replace('\n', " ")))
    }
}
