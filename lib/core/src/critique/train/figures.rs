//! How well predicted classes agree with labels.

use serde::{Deserialize, Serialize};

/// Figures of predictions on rows that were not trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How many rows.
    pub rows: usize,
    /// Part of the rows whose class is right.
    pub accuracy: f64,
    /// The accuracy of giving every row the commonest class.
    pub baseline: f64,
    /// Mean over classes of the part of their rows that is found (recall).
    pub balanced_accuracy: f64,
    /// Mean over classes of F1, the harmonic mean of precision and recall.
    pub f1: f64,
    /// Area under the ROC curve of the risk score: the chance that a row with risk gets a higher
    /// score than one without, ties counting half (Mann and Whitney 1947).
    pub auc: f64,
    /// Mean over rows of -ln of the probability of the right class.
    pub log_loss: f64,
}

/// The figures for rows of class `truth[i]` that were given `found[i]` with the `probabilities[i]`;
/// class 0 has no risk, the others do.
pub(super) fn figures(truth: &[usize], found: &[usize], probabilities: &[Vec<f64>]) -> Figures {
    let (rows, classes) = (truth.len(), probabilities.first().map_or(0, Vec::len));
    let part = |count: usize, of: usize| if of == 0 { 0.0 } else { count as f64 / of as f64 };
    let count = |values: &[usize], class| values.iter().filter(|value| **value == class).count();
    let right = |class| {
        truth.iter().zip(found).filter(|(truth, found)| **truth == class && truth == found).count()
    };
    let mean = |of: &dyn Fn(usize) -> f64| (0..classes).map(of).sum::<f64>() / classes as f64;
    let losses = truth.iter().zip(probabilities).map(|(class, p)| -p[*class].max(1e-15).ln());
    let risks: Vec<_> =
        truth.iter().zip(probabilities).map(|(t, p)| (1.0 - p[0], *t > 0)).collect();
    let exact = Figures {
        rows,
        accuracy: part((0..classes).map(right).sum(), rows),
        baseline: part((0..classes).map(|class| count(truth, class)).max().unwrap_or(0), rows),
        balanced_accuracy: mean(&|class| part(right(class), count(truth, class))),
        f1: mean(&|class| part(2 * right(class), count(truth, class) + count(found, class))),
        auc: auc(risks),
        log_loss: losses.sum::<f64>() / rows as f64,
    };
    exact.rounded()
}

impl Figures {
    /// Six digits: what a file holds is what was reported.
    fn rounded(self) -> Self {
        let round = |value: f64| (value * 1e6).round() / 1e6;
        Self {
            rows: self.rows,
            accuracy: round(self.accuracy),
            baseline: round(self.baseline),
            balanced_accuracy: round(self.balanced_accuracy),
            f1: round(self.f1),
            auc: round(self.auc),
            log_loss: round(self.log_loss),
        }
    }
}

fn auc(mut scores: Vec<(f64, bool)>) -> f64 {
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum, mut with) = (0.0, 0.0, 0.0);
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let positive = tied.iter().filter(|(_, is)| *is).count() as f64;
        let negative = tied.len() as f64 - positive;
        sum += positive * (below + 0.5 * negative);
        below += negative;
        with += positive;
    }
    if with == 0.0 || below == 0.0 { 0.5 } else { sum / (with * below) }
}
