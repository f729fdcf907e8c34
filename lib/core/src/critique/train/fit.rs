//! Logistic regression with an L2 penalty, fitted with L-BFGS (Liu and Nocedal 1989), and Platt's
//! calibration of its scores (Platt 1999, with the targets and the reasons of Lin, Lin and Weng
//! 2007).

use super::features::{BUCKETS, Feature, SPACES, WORTH, bucket, space};
use lbfgs::Lbfgs;

/// A row: its features by column, kind after kind; where each kind ends; the reciprocal of its
/// norm.
#[derive(Clone, Debug)]
pub(super) struct Row {
    features: Vec<Feature>,
    ends: [u32; SPACES],
    gain: [f32; SPACES],
}

/// The buckets that are learnt, and what they are worth.
#[derive(Debug)]
pub(super) struct Columns {
    worth: [f32; 256],
    /// By column, its bucket; in order.
    pub buckets: Vec<u32>,
    /// By bucket, the inverse document frequency as the file holds it; 0 if it is not learnt.
    pub idf: Vec<u8>,
    // By column.
    own: Vec<f32>,
}

impl Columns {
    /// With these inverse document frequencies by bucket.
    pub fn new(idf: Vec<u8>) -> Self {
        let buckets: Vec<u32> = (0..BUCKETS as u32).filter(|at| idf[*at as usize] > 0).collect();
        let own = buckets.iter().map(|at| f32::from(idf[*at as usize])).collect();
        Self { worth: *WORTH, buckets, idf, own }
    }

    /// The row of features by bucket, in order; each kind gets the length 1.
    pub fn row(&self, features: Vec<Feature>) -> Row {
        let (mut columns, mut sums, mut ends) = (Vec::new(), [0f32; SPACES], [0; SPACES]);
        // What is left of the buckets after the one before: both are in order.
        let mut rest = 0;
        for feature in features {
            let at = bucket(feature);
            if self.idf[at] == 0 {
                continue;
            }
            rest += self.buckets[rest..].partition_point(|own| (*own as usize) < at);
            let value = self.worth[(feature & 255) as usize] * self.own[rest];
            sums[space(at)] += value * value;
            columns.push((rest as u32) << 8 | feature & 255);
            ends[space(at)] = columns.len() as u32;
        }
        // A kind that is not there ends where the one before does.
        (1..SPACES).for_each(|kind| ends[kind] = ends[kind].max(ends[kind - 1]));
        columns.shrink_to_fit();
        Row { features: columns, ends, gain: sums.map(reciprocal_root) }
    }

    /// Weights by column as weights by bucket.
    pub fn spread(&self, weights: &[f64]) -> Vec<f64> {
        let mut all = vec![0.0; BUCKETS];
        for (bucket, weight) in self.buckets.iter().zip(weights) {
            all[*bucket as usize] = *weight;
        }
        all
    }

    /// The score of a row by weights that are multiplied with `own`.
    fn dot(&self, row: &Row, scaled: &[f32]) -> f64 {
        let part = |(features, gain): (&[Feature], f32)| {
            let value = |f: &Feature| self.worth[(f & 255) as usize] * scaled[bucket(*f)];
            f64::from(gain * features.iter().map(value).sum::<f32>())
        };
        row.parts().map(part).sum()
    }

    /// The scores of rows.
    pub fn scores<'a>(&self, weights: &[f64], rows: impl Iterator<Item = &'a Row>) -> Vec<f64> {
        let scaled = weights.iter().zip(&self.own).map(|(weight, own)| *weight as f32 * own);
        let (scaled, intercept): (Vec<f32>, _) = (scaled.collect(), weights[self.own.len()]);
        rows.map(|row| intercept + self.dot(row, &scaled)).collect()
    }

    /// Weights without knowledge.
    pub fn start(&self) -> Vec<f64> {
        vec![0.0; self.own.len() + 1]
    }

    /// Weights by column and the intercept after them, for rows of which each is in the class or
    /// not. `penalty` is against the sum of the losses of all rows. From any start it comes to the
    /// same end.
    pub fn logistic(&self, start: Vec<f64>, rows: &[(&Row, bool)], penalty: f64) -> Vec<f64> {
        let columns = self.own.len();
        let (mut scaled, mut sums) = (vec![0f32; columns], vec![0f32; columns]);
        let scale = 1.0 / rows.len().max(1) as f64;
        minimise(start, |weights, gradient| {
            for ((to, weight), own) in scaled.iter_mut().zip(weights).zip(&self.own) {
                *to = *weight as f32 * own;
            }
            sums.fill(0.0);
            let (mut loss, mut intercept, mut norm) = (0.0, 0.0, 0.0);
            for (row, is) in rows {
                let score = weights[columns] + self.dot(row, &scaled);
                loss += softplus(if *is { -score } else { score });
                let error = sigmoid(score) - f64::from(u8::from(*is));
                intercept += error;
                for (features, gain) in row.parts() {
                    let push = gain * error as f32;
                    for feature in features {
                        sums[bucket(*feature)] += push * self.worth[(feature & 255) as usize];
                    }
                }
            }
            for (((to, weight), sum), own) in
                gradient.iter_mut().zip(weights).zip(&sums).zip(&self.own)
            {
                norm += weight * weight;
                *to = scale * (f64::from(sum * own) + penalty * weight);
            }
            gradient[columns] = scale * intercept;
            scale * (loss + 0.5 * penalty * norm)
        })
    }
}

impl Row {
    /// By kind, the features and the reciprocal of their norm.
    fn parts(&self) -> impl Iterator<Item = (&[Feature], f32)> {
        let mut from = 0;
        self.ends.iter().zip(self.gain).map(move |(end, gain)| {
            let part = &self.features[from..*end as usize];
            from = *end as usize;
            (part, gain)
        })
    }
}

/// The reciprocal of a norm from the sum of squares; 0 if nothing is there.
pub(super) fn reciprocal_root(sum: f32) -> f32 {
    if sum > 0.0 { sum.sqrt().recip() } else { 0.0 }
}

/// Slope and intercept that make probabilities of scores.
pub(super) fn platt(scores: &[f64], is: &[bool]) -> [f64; 2] {
    let positive = is.iter().filter(|is| **is).count() as f64;
    let negative = is.len() as f64 - positive;
    let targets = [1.0 / (negative + 2.0), (positive + 1.0) / (positive + 2.0)];
    let scale = 1.0 / is.len().max(1) as f64;
    let found = minimise(vec![1.0, 0.0], |at, gradient| {
        gradient.fill(0.0);
        let mut loss = 0.0;
        for (score, is) in scores.iter().zip(is) {
            let (z, target) = (at[0] * score + at[1], targets[usize::from(*is)]);
            loss += softplus(z) - target * z;
            let error = sigmoid(z) - target;
            gradient[0] += scale * error * score;
            gradient[1] += scale * error;
        }
        scale * loss
    });
    [found[0], found[1]]
}

/// The logistic function.
pub(super) fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// The place where a convex function is least, from a start. `of` gives the value and fills the
/// gradient.
fn minimise(mut at: Vec<f64>, mut of: impl FnMut(&[f64], &mut [f64]) -> f64) -> Vec<f64> {
    const MOST_STEPS: usize = 60;
    const HISTORY: usize = 6;
    // A step that lowers the value by less than this part of it is the last.
    const CLOSE: f64 = 1e-4;
    // A mean over rows with a small penalty curves little; any positive curvature is good.
    let mut hessian = Lbfgs::new(at.len(), HISTORY).with_sy_epsilon(f64::MIN_POSITIVE);
    let mut gradient = vec![0.0; at.len()];
    let mut value = of(&at, &mut gradient);
    let (mut next, mut next_gradient) = (at.clone(), gradient.clone());
    let mut direction = gradient.clone();
    for step in 0..MOST_STEPS {
        let steep: f64 = gradient.iter().map(|g| g * g).sum();
        if steep < 1e-14 {
            break;
        }
        hessian.update_hessian(&gradient, &at);
        direction.copy_from_slice(&gradient);
        hessian.apply_hessian(&mut direction);
        let slope: f64 = direction.iter().zip(&gradient).map(|(d, g)| d * g).sum();
        // The first direction is the gradient: a step of length 1.
        let mut length = if step == 0 { steep.sqrt().recip() } else { 1.0 };
        let lower = loop {
            for ((to, from), d) in next.iter_mut().zip(&at).zip(&direction) {
                *to = from - length * d;
            }
            let lower = of(&next, &mut next_gradient);
            if lower <= value - 1e-4 * length * slope {
                break lower;
            }
            length *= 0.4;
            if length < 1e-8 {
                return at;
            }
        };
        std::mem::swap(&mut at, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        let done = value - lower < CLOSE * value.abs();
        value = lower;
        if done {
            break;
        }
    }
    at
}
