//! How good a critic is, against labels that people gave.
//!
//! A row without a label measures nothing and is counted apart; so is a row without a verdict, by
//! its label: no rate holds it. Every rate comes with its interval.

mod confusion;
mod measured;
mod rate;
mod scores;
#[cfg(test)]
pub(super) mod tests;

pub use confusion::{ClassRates, Confusion};
pub use measured::Measured;
pub use rate::Rate;
pub use scores::{Bin, Point, Scores};

use std::collections::BTreeMap;

use super::figures::Figure;
use crate::Result;

/// A row that a person and a critic may have judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged<'a> {
    /// The class that people gave it.
    pub label: Option<&'a str>,
    /// The class that the critic gave it; none where it is unscored.
    pub said: Option<&'a str>,
    /// The critic's risk score, 0 to 1.
    pub risk_score: Option<f64>,
    /// What the row is counted under as well: a language, an attack; empty for nothing.
    pub group: &'a str,
}

/// How good a critic is.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Over all rows.
    pub all: Confusion,
    /// By group, in order of their names.
    pub groups: Vec<(String, Confusion)>,
    /// What its risk scores are worth; none without scores, or where no class stands for a risk.
    pub scores: Option<Scores>,
}

impl Calibration {
    /// Compares what the critic said with the labels. `classes` are all that may occur; `risk` is
    /// the one whose probability the risk score claims to be, if any.
    pub fn new(rows: &[Judged<'_>], classes: &[&str], risk: Option<&str>) -> Result<Self> {
        let pairs = |rows: &[Judged<'_>]| {
            Confusion::new(rows.iter().map(|row| (row.label, row.said)), classes)
        };
        let mut by_group: BTreeMap<&str, Vec<Judged<'_>>> = BTreeMap::new();
        for row in rows.iter().filter(|row| !row.group.is_empty()) {
            by_group.entry(row.group).or_default().push(*row);
        }
        let groups =
            by_group.into_iter().map(|(group, rows)| Ok((group.to_owned(), pairs(&rows)?)));
        let groups = groups.collect::<Result<_>>()?;
        let scored = |risk: &str| {
            let rows = rows.iter().filter_map(|row| Some((row.label? == risk, row.risk_score?)));
            Scores::new(rows)
        };
        Ok(Self { all: pairs(rows)?, groups, scores: risk.and_then(scored) })
    }

    /// The figures as rows of a table.
    pub fn table(&self) -> Vec<Figure> {
        let mut figures = self.all.table("all");
        for (group, confusion) in &self.groups {
            figures.extend(confusion.table(&format!("group {group}")));
        }
        figures.extend(self.scores.iter().flat_map(Scores::table));
        figures
    }
}
