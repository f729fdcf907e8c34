//! What risk scores are worth: as probabilities, and as an order that a threshold cuts.

use super::rate::Rate;
use crate::critique::figures::Figure;

/// Bins of the reliability diagram, of equal width.
const BINS: usize = 10;
/// Thresholds that the table shows; [`Scores::points`] has them all.
const SHOWN: usize = 20;

/// A bin of the reliability diagram: scores from `from` to below `to` (to 1 in the last).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The lowest score that belongs to it.
    pub from: f64,
    /// The lowest score that does not.
    pub to: f64,
    /// The mean of its scores; none where it is empty.
    pub mean_score: Option<f64>,
    /// The rows of it that are a risk.
    pub observed: Rate,
}

/// What calling rows a risk from a threshold on would give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// A row whose score is this or more is called a risk.
    pub threshold: f64,
    /// Of the risks, those that are called so: sensitivity, the height of the ROC curve.
    pub sensitivity: Rate,
    /// Of the others, those that are not.
    pub specificity: Rate,
}

/// What risk scores are worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Rows with a label and a score between 0 and 1.
    pub n: u64,
    /// The reliability diagram.
    pub bins: Vec<Bin>,
    /// Expected calibration error: the mean distance between score and rate over the bins, weighted
    /// by rows.
    pub calibration_error: f64,
    /// Brier score: the mean squared distance between score and truth.
    pub brier: f64,
    /// One point for each score that occurs, from the highest down: the ROC curve, which begins at
    /// (0, 0).
    pub points: Vec<Point>,
    /// Area under the ROC curve: the chance that a risk scores higher than another row, ties
    /// counted half. None where there are only risks, or none.
    pub auc: Option<f64>,
}

impl Point {
    /// The mean of sensitivity and specificity.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some((self.sensitivity.value()? + self.specificity.value()?) / 2.0)
    }

    /// F1 of the risks.
    pub fn f1(&self) -> Option<f64> {
        let false_positives = self.specificity.of - self.specificity.hits;
        let both = self.sensitivity.hits + false_positives + self.sensitivity.of;
        (both > 0).then(|| 2.0 * self.sensitivity.hits as f64 / both as f64)
    }
}

impl Scores {
    /// From whether a row is a risk, and its score. Scores that are not between 0 and 1 are left
    /// out; none if no row remains.
    pub fn new(rows: impl Iterator<Item = (bool, f64)>) -> Option<Self> {
        let mut rows: Vec<(bool, f64)> =
            rows.filter(|(_, score)| (0.0..=1.0).contains(score)).collect();
        rows.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let n = rows.len() as u64;
        if n == 0 {
            return None;
        }
        let bins = bins(&rows);
        let off = |bin: &Bin| {
            let gap = bin.mean_score.zip(bin.observed.value()).map(|(mean, rate)| mean - rate);
            gap.map_or(0.0, f64::abs) * bin.observed.of as f64
        };
        let calibration_error = bins.iter().map(off).sum::<f64>() / n as f64;
        let missed = |(risk, score): &(bool, f64)| (score - f64::from(u8::from(*risk))).powi(2);
        let brier = rows.iter().map(missed).sum::<f64>() / n as f64;
        let points = points(&rows);
        let auc = area(&points);
        Some(Self { n, bins, calibration_error, brier, points, auc })
    }

    /// The threshold with the highest sensitivity + specificity − 1 (Youden 1950); the lower of two
    /// that are equal, which calls more rows a risk. None where there are only risks, or none.
    pub fn best_by_youden(&self) -> Option<Point> {
        best(&self.points, Point::balanced_accuracy)
    }

    /// The threshold with the highest F1; the lower of two that are equal.
    pub fn best_by_f1(&self) -> Option<Point> {
        best(&self.points, Point::f1)
    }

    /// What a threshold gives, whether it occurs as a score or not.
    pub fn at(&self, threshold: f64) -> Point {
        let last = self.points.iter().take_while(|point| point.threshold >= threshold).last();
        let first = self.points[0];
        let (risks, others) = (first.sensitivity.of, first.specificity.of);
        let none = Point {
            threshold,
            sensitivity: Rate { hits: 0, of: risks },
            specificity: Rate { hits: others, of: others },
        };
        last.map_or(none, |point| Point { threshold, ..*point })
    }

    /// The figures as rows of a table: thresholds in twentieths, and the best.
    pub fn table(&self) -> Vec<Figure> {
        let mut figures = vec![
            Figure::count("scores", "", "rows", self.n),
            Figure::new("scores", "", "auc", self.auc),
            Figure::new("scores", "", "brier", Some(self.brier)),
            Figure::new("scores", "", "calibration_error", Some(self.calibration_error)),
        ];
        for bin in &self.bins {
            let of = format!("{:.1} to {:.1}", bin.from, bin.to);
            figures.push(Figure::new("reliability", &of, "mean_score", bin.mean_score));
            figures.push(Figure::rate("reliability", &of, "observed", bin.observed));
        }
        for at in 0..=SHOWN {
            let point = self.at(at as f64 / SHOWN as f64);
            add(&mut figures, "threshold", &format!("{:.2}", point.threshold), &point);
        }
        for (of, point) in [("youden", self.best_by_youden()), ("f1", self.best_by_f1())] {
            if let Some(point) = point {
                figures.push(Figure::new("best", of, "threshold", Some(point.threshold)));
                add(&mut figures, "best", of, &point);
            }
        }
        figures
    }
}

fn add(figures: &mut Vec<Figure>, part: &str, of: &str, point: &Point) {
    figures.push(Figure::rate(part, of, "sensitivity", point.sensitivity));
    figures.push(Figure::rate(part, of, "specificity", point.specificity));
    figures.push(Figure::new(part, of, "balanced_accuracy", point.balanced_accuracy()));
    figures.push(Figure::new(part, of, "f1", point.f1()));
}

fn bins(rows: &[(bool, f64)]) -> Vec<Bin> {
    let mut sums = [0.0; BINS];
    let mut rates = [Rate::default(); BINS];
    for (risk, score) in rows {
        let at = ((score * BINS as f64) as usize).min(BINS - 1);
        sums[at] += score;
        rates[at].of += 1;
        rates[at].hits += u64::from(*risk);
    }
    let bin = |at: usize| Bin {
        from: at as f64 / BINS as f64,
        to: (at + 1) as f64 / BINS as f64,
        mean_score: (rates[at].of > 0).then(|| sums[at] / rates[at].of as f64),
        observed: rates[at],
    };
    (0..BINS).map(bin).collect()
}

/// From rows in order of their scores, the highest first.
fn points(rows: &[(bool, f64)]) -> Vec<Point> {
    let risks = rows.iter().filter(|(risk, _)| *risk).count() as u64;
    let others = rows.len() as u64 - risks;
    let (mut called, mut wrongly) = (0, 0);
    let same = rows.chunk_by(|(_, a), (_, b)| a == b);
    same.map(|rows| {
        let risky = rows.iter().filter(|(risk, _)| *risk).count() as u64;
        called += risky;
        wrongly += rows.len() as u64 - risky;
        Point {
            threshold: rows[0].1,
            sensitivity: Rate { hits: called, of: risks },
            specificity: Rate { hits: others - wrongly, of: others },
        }
    })
    .collect()
}

/// By trapezoids, which count a tie half.
fn area(points: &[Point]) -> Option<f64> {
    let (mut x, mut y, mut area) = (0.0, 0.0, 0.0);
    for point in points {
        let next = (1.0 - point.specificity.value()?, point.sensitivity.value()?);
        area += (next.0 - x) * (next.1 + y) / 2.0;
        (x, y) = next;
    }
    Some(area)
}

fn best(points: &[Point], by: fn(&Point) -> Option<f64>) -> Option<Point> {
    let mut best: Option<(f64, Point)> = None;
    for point in points {
        let value = by(point)?;
        // Points come from the highest threshold down: of equal ones the last is the lowest.
        if best.is_none_or(|(most, _)| value >= most) {
            best = Some((value, *point));
        }
    }
    best.map(|(_, point)| point)
}
