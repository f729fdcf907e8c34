//! Labels against verdicts, class by class.

use super::rate::Rate;
use crate::critique::figures::Figure;
use crate::{Error, Result};
use seval_stats::agreement::{Kappa, kappa_of_table};

/// How often each class was said of rows of each label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// The classes.
    pub classes: Vec<String>,
    /// Rows: first by label, then by what was said, both in the order of the classes.
    pub counts: Vec<Vec<u64>>,
    /// Labelled rows without a verdict, by label.
    pub unscored: Vec<u64>,
    /// Rows without a label; nothing else counts them.
    pub unlabelled: u64,
}

/// How well one class is told from the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassRates {
    /// Of the rows that were said to be of the class, those that are.
    pub precision: Rate,
    /// Of the rows of the class, those of which it was said; also called sensitivity, for unsafe.
    pub recall: Rate,
    /// Of the rows of other classes, those of which it was said: FPR.
    pub false_positives: Rate,
    /// Of the rows of the class, those of which another was said: FNR.
    pub false_negatives: Rate,
    /// Of the rows of other classes, those of which another was said.
    pub specificity: Rate,
    /// The harmonic mean of precision and recall; none where the class is neither there nor said.
    pub f1: Option<f64>,
}

impl Confusion {
    /// Counts pairs of a label and what was said. A class that is not among `classes` is an error.
    pub fn new<'a>(
        pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
        classes: &[&str],
    ) -> Result<Self> {
        let mut confusion = Self {
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
            counts: vec![vec![0; classes.len()]; classes.len()],
            unscored: vec![0; classes.len()],
            unlabelled: 0,
        };
        let place = |what: &str, class: &str| {
            classes.iter().position(|&known| known == class).ok_or_else(|| {
                Error::data("", format!("the {what} `{class}` is none of {}", classes.join(", ")))
            })
        };
        for (label, said) in pairs {
            let Some(label) = label else {
                confusion.unlabelled += 1;
                continue;
            };
            let label = place("label", label)?;
            match said {
                Some(said) => confusion.counts[label][place("verdict", said)?] += 1,
                None => confusion.unscored[label] += 1,
            }
        }
        Ok(confusion)
    }

    /// Labelled rows with a verdict.
    pub fn n(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    fn labelled(&self, class: usize) -> u64 {
        self.counts[class].iter().sum()
    }

    fn said(&self, class: usize) -> u64 {
        self.counts.iter().map(|row| row[class]).sum()
    }

    /// Rows whose label was said.
    pub fn accuracy(&self) -> Rate {
        let hits = (0..self.classes.len()).map(|at| self.counts[at][at]).sum();
        Rate { hits, of: self.n() }
    }

    /// The mean of the recalls of the classes that rows have.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls = (0..self.classes.len()).filter_map(|at| self.class(at).recall.value());
        mean(recalls)
    }

    /// The mean of the F1 of the classes that are there or said.
    pub fn macro_f1(&self) -> Option<f64> {
        mean((0..self.classes.len()).filter_map(|at| self.class(at).f1))
    }

    /// How well a class is told, by its place among the classes.
    pub fn class(&self, class: usize) -> ClassRates {
        let (hits, labelled, said) =
            (self.counts[class][class], self.labelled(class), self.said(class));
        let others = self.n() - labelled;
        let false_positives = said - hits;
        let both = labelled + said;
        ClassRates {
            precision: Rate { hits, of: said },
            recall: Rate { hits, of: labelled },
            false_positives: Rate { hits: false_positives, of: others },
            false_negatives: Rate { hits: labelled - hits, of: labelled },
            specificity: Rate { hits: others - false_positives, of: others },
            f1: (both > 0).then(|| 2.0 * hits as f64 / both as f64),
        }
    }

    /// Cohen's kappa; none where both always give one and the same class, or there are no rows.
    pub fn kappa(&self) -> Option<Kappa> {
        kappa_of_table(&self.counts)
    }

    /// The figures as rows of a table; `part` says which rows they are of.
    pub fn table(&self, part: &str) -> Vec<Figure> {
        let accuracy = Figure::rate(part, "", "accuracy", self.accuracy());
        let kappa = self.kappa();
        let mut figures = vec![
            Figure::count(part, "", "rows", self.n()),
            Figure::count(part, "", "unscored", self.unscored.iter().sum()),
            Figure::count(part, "", "unlabelled", self.unlabelled),
            accuracy,
            Figure::new(part, "", "balanced_accuracy", self.balanced_accuracy()),
            Figure::new(part, "", "macro_f1", self.macro_f1()),
            Figure {
                interval: kappa.map(|kappa| kappa.interval),
                n: Some(self.n()),
                ..Figure::new(part, "", "cohen_kappa", kappa.map(|kappa| kappa.value))
            },
        ];
        for (at, class) in self.classes.iter().enumerate() {
            let rates = self.class(at);
            figures.push(Figure::count(part, class, "unscored", self.unscored[at]));
            for (measure, rate) in [
                ("precision", rates.precision),
                ("recall", rates.recall),
                ("false_positive_rate", rates.false_positives),
                ("false_negative_rate", rates.false_negatives),
                ("specificity", rates.specificity),
            ] {
                figures.push(Figure::rate(part, class, measure, rate));
            }
            figures.push(Figure::new(part, class, "f1", rates.f1));
            for (other, rows) in self.classes.iter().zip(&self.counts[at]) {
                let of = format!("{class} said to be {other}");
                figures.push(Figure::count(part, &of, "rows", *rows));
            }
        }
        figures
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0u32), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}
