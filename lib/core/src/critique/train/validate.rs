//! Cross-validation by groups: the penalty, the calibration, and the figures to report.

use super::figures::{Figures, figures};
use super::fit::{Columns, Row, platt, sigmoid};
use super::{class, modelled, normalised};
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// What cross-validation chose.
pub(super) struct Chosen {
    pub penalty: f64,
    /// By penalty, the log loss.
    pub penalties: Vec<(f64, f64)>,
    /// By model, slope and intercept.
    pub platt: Vec<[f64; 2]>,
    pub figures: Figures,
}

/// The penalties tried, the strongest first; each is against the sum of the losses of all rows.
const PENALTIES: [f64; 4] = [1.0, 0.1, 0.01, 0.001];
/// Beyond this many rows the penalty is chosen on so many of them, and no more folds are tested
/// than hold so many: calibration has two numbers, and figures to a hundredth need no more.
const ENOUGH: usize = 4000;

/// The fold of each row: groups are dealt out in turn, class by class of their first row, so that
/// each fold gets its share of every class.
pub(super) fn folds(
    groups: &[u64],
    truth: &[usize],
    classes: &[String],
    folds: usize,
) -> Result<Vec<usize>> {
    if folds < 2 {
        return Err(Error::usage("folds", "cross-validation needs 2 or more"));
    }
    let mut first: BTreeMap<u64, usize> = BTreeMap::new();
    for (group, class) in groups.iter().zip(truth) {
        first.entry(*group).or_insert(*class);
    }
    let mut order: Vec<(usize, u64, u64)> = first
        .into_iter()
        .map(|(group, class)| (class, xxh3_64(&group.to_le_bytes()), group))
        .collect();
    order.sort_unstable();
    let fold: BTreeMap<u64, usize> =
        order.iter().enumerate().map(|(at, (_, _, group))| (*group, at % folds)).collect();
    let folded: Vec<usize> = groups.iter().map(|group| fold[group]).collect();
    for (at, name) in classes.iter().enumerate() {
        let without = (0..folds)
            .find(|fold| !folded.iter().zip(truth).any(|(own, class)| own != fold && *class == at));
        if without.is_some() || fold.len() < folds {
            let what = "too few prompts to train on some and test on others";
            return Err(Error::data(format!("label `{name}`"), what));
        }
    }
    Ok(folded)
}

/// Rows with their classes and folds.
pub(super) struct Split<'a> {
    pub columns: &'a Columns,
    pub rows: &'a [Row],
    pub truth: &'a [usize],
    pub folds: &'a [usize],
    pub classes: usize,
}

/// What came of one penalty.
struct Tried {
    platt: Vec<[f64; 2]>,
    figures: Figures,
}

impl Split<'_> {
    /// Chooses the penalty with the least log loss, and says how good it is.
    pub fn choose(&self) -> Chosen {
        // Rows are in the order of a hash, so the first are a sample.
        let few = self.rows.len().min(ENOUGH);
        let tried = self.attempt(few, &PENALTIES);
        let losses = tried.iter().map(|tried| tried.figures.log_loss);
        let penalties: Vec<_> = PENALTIES.into_iter().zip(losses).collect();
        let least = penalties.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
        let best = penalties.iter().position(|(_, loss)| *loss <= least).unwrap_or(0);
        let penalty = PENALTIES[best];
        let mut last = match few < self.rows.len() {
            true => self.attempt(self.rows.len(), &[penalty]),
            false => tried,
        };
        let last = last.swap_remove(best.min(last.len() - 1));
        Chosen { penalty, penalties, platt: last.platt, figures: last.figures }
    }

    /// Trains on all folds but one and tests on that one, on the first rows only; for each fold, or
    /// for so many that enough rows are tested.
    fn attempt(&self, first: usize, penalties: &[f64]) -> Vec<Tried> {
        let all = self.folds.iter().max().map_or(0, |most| most + 1);
        let below = |end| self.folds[..first].iter().filter(|fold| **fold < end).count();
        let tested = (1..all).find(|end| below(*end) >= ENOUGH).unwrap_or(all);
        let rows: Vec<usize> = (0..first).filter(|row| self.folds[*row] < tested).collect();
        let truth: Vec<usize> = rows.iter().map(|row| self.truth[*row]).collect();
        // By penalty and row, the probability of each model.
        let mut each = vec![vec![Vec::new(); rows.len()]; penalties.len()];
        let mut platts = vec![Vec::new(); penalties.len()];
        for model in modelled(self.classes) {
            let is: Vec<bool> = self.truth[..first].iter().map(|class| *class == model).collect();
            let parts: Vec<Vec<Vec<f64>>> =
                (0..tested).into_par_iter().map(|fold| self.path(fold, &is, penalties)).collect();
            let is: Vec<bool> = rows.iter().map(|row| is[*row]).collect();
            for at in 0..penalties.len() {
                let mut parts: Vec<_> = parts.iter().map(|part| part[at].iter()).collect();
                let scores: Vec<f64> =
                    rows.iter().filter_map(|row| parts[self.folds[*row]].next().copied()).collect();
                let [slope, offset] = platt(&scores, &is);
                for (each, score) in each[at].iter_mut().zip(scores) {
                    each.push(sigmoid(slope * score + offset));
                }
                platts[at].push([slope, offset]);
            }
        }
        let tried = |(each, platt): (Vec<Vec<f64>>, _)| {
            let probabilities: Vec<_> = each.iter().map(|each| normalised(each)).collect();
            let found: Vec<_> = probabilities.iter().map(|p| class(p)).collect();
            Tried { platt, figures: figures(&truth, &found, &probabilities) }
        };
        each.into_iter().zip(platts).map(tried).collect()
    }

    /// By penalty, the scores of the rows of a fold by what the others teach, each from the one
    /// before.
    fn path(&self, fold: usize, is: &[bool], penalties: &[f64]) -> Vec<Vec<f64>> {
        let rows = || self.rows.iter().zip(self.folds).zip(is);
        let others: Vec<_> =
            rows().filter(|((_, own), _)| **own != fold).map(|((row, _), is)| (row, *is)).collect();
        let mut weights = self.columns.start();
        let mut scores = Vec::new();
        for penalty in penalties {
            weights = self.columns.logistic(weights, &others, *penalty);
            let own = rows().filter(|((_, own), _)| **own == fold).map(|((row, _), _)| row);
            scores.push(self.columns.scores(&weights, own));
        }
        scores
    }
}
