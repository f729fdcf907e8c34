//! How far a rate depends on the critic: the same rows judged by several, such as paraphrases of
//! one judge's prompt, or other orders of its parts.
//!
//! Critics are compared on rows that both gave a verdict, never on one's verdict against another's
//! silence.

use super::calibrate::{Confusion, Rate};
use super::figures::Figure;
use super::verdict::Mark;
use crate::{Error, Result};
use seval_stats::agreement::Kappa;

/// What one critic makes of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The critic.
    pub critic: String,
    /// Unsafe, of the rows that it gave a verdict.
    pub unsafe_: Rate,
    /// Unsafe, of the rows that every critic gave a verdict: the rates that can be compared.
    pub unsafe_in_common: Rate,
    /// Rows without a verdict of it.
    pub unscored: u64,
}

/// What changes between two critics.
#[derive(Clone, Debug, PartialEq)]
pub struct Flips {
    /// The two.
    pub critics: [String; 2],
    /// Rows with another verdict, of those that both gave one.
    pub changed: Rate,
    /// Those of the changed rows that the second calls unsafe.
    pub to_unsafe: u64,
    /// Their agreement beyond chance; none where both give all rows one and the same verdict.
    pub kappa: Option<Kappa>,
}

/// How far a rate depends on the critic.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensitivity {
    /// By critic, in their order.
    pub shares: Vec<Share>,
    /// By pair, the first critic with each later one, and so on.
    pub flips: Vec<Flips>,
    /// Rows that any two critics judge differently, of those with two verdicts or more, as numbers
    /// from 0.
    pub flipped: Vec<usize>,
    /// Rows with two verdicts or more.
    pub compared: u64,
}

impl Sensitivity {
    /// From each critic's marks of the same rows in the same order. Fewer than two critics, or not
    /// the same number of rows, is an error.
    pub fn new(critics: &[(&str, &[Mark])]) -> Result<Self> {
        let rows = critics.first().map_or(0, |(_, marks)| marks.len());
        if critics.len() < 2 {
            return Err(Error::data("", "two critics or more are needed to compare them"));
        }
        if let Some((critic, marks)) = critics.iter().find(|(_, marks)| marks.len() != rows) {
            let what = format!("judged {} rows, {} judged {rows}", marks.len(), critics[0].0);
            return Err(Error::data(critic, what));
        }
        let is_common = |row: usize| critics.iter().all(|(_, marks)| is_scored(marks[row]));
        let common: Vec<bool> = (0..rows).map(is_common).collect();
        let shares = critics.iter().map(|(critic, marks)| Share {
            critic: (*critic).to_owned(),
            unsafe_: rate(marks.iter().copied()),
            unsafe_in_common: rate((0..rows).filter(|row| common[*row]).map(|row| marks[row])),
            unscored: marks.iter().filter(|mark| !is_scored(**mark)).count() as u64,
        });
        let mut flips = Vec::new();
        for (at, one) in critics.iter().enumerate() {
            for other in &critics[at + 1..] {
                flips.push(compared(one, other)?);
            }
        }
        let said =
            |row: usize, mark: Mark| critics.iter().filter(|(_, marks)| marks[row] == mark).count();
        let both = |row: &usize| said(*row, Mark::Safe) > 0 && said(*row, Mark::Unsafe) > 0;
        let twice = |row: &usize| said(*row, Mark::Safe) + said(*row, Mark::Unsafe) > 1;
        Ok(Self {
            shares: shares.collect(),
            flips,
            flipped: (0..rows).filter(both).collect(),
            compared: (0..rows).filter(twice).count() as u64,
        })
    }

    /// The highest rate in common less the lowest; none if no row has a verdict of every critic.
    pub fn spread(&self) -> Option<f64> {
        let rates = self.rates()?;
        let high = rates.iter().copied().fold(f64::MIN, f64::max);
        Some(high - rates.iter().copied().fold(f64::MAX, f64::min))
    }

    /// The standard deviation of the rates in common, the critics taken as a sample of wordings (n
    /// − 1).
    pub fn standard_deviation(&self) -> Option<f64> {
        let rates = self.rates()?;
        let n = rates.len() as f64;
        let mean = rates.iter().sum::<f64>() / n;
        let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
        Some((squares / (n - 1.0)).sqrt())
    }

    fn rates(&self) -> Option<Vec<f64>> {
        self.shares.iter().map(|share| share.unsafe_in_common.value()).collect()
    }

    /// The figures as rows of a table.
    pub fn table(&self) -> Vec<Figure> {
        let flipped = Rate { hits: self.flipped.len() as u64, of: self.compared };
        let mut figures = vec![
            Figure::new("all", "", "spread", self.spread()),
            Figure::new("all", "", "standard_deviation", self.standard_deviation()),
            Figure::rate("all", "", "flipped_by_any", flipped),
        ];
        for share in &self.shares {
            let critic = &share.critic;
            figures.push(Figure::rate("critic", critic, "unsafe_rate", share.unsafe_));
            let common = share.unsafe_in_common;
            figures.push(Figure::rate("critic", critic, "unsafe_rate_in_common", common));
            figures.push(Figure::count("critic", critic, "unscored", share.unscored));
        }
        for flips in &self.flips {
            let of = flips.critics.join(" and ");
            figures.push(Figure::rate("pair", &of, "changed", flips.changed));
            figures.push(Figure::count("pair", &of, "changed_to_unsafe", flips.to_unsafe));
            figures.push(Figure {
                interval: flips.kappa.map(|kappa| kappa.interval),
                n: Some(flips.changed.of),
                ..Figure::new("pair", &of, "cohen_kappa", flips.kappa.map(|kappa| kappa.value))
            });
        }
        figures
    }
}

fn is_scored(mark: Mark) -> bool {
    !matches!(mark, Mark::Unscored(_))
}

fn rate(marks: impl Iterator<Item = Mark>) -> Rate {
    marks.filter(|mark| is_scored(*mark)).fold(Rate::default(), |rate, mark| Rate {
        hits: rate.hits + u64::from(mark == Mark::Unsafe),
        of: rate.of + 1,
    })
}

fn compared(one: &(&str, &[Mark]), other: &(&str, &[Mark])) -> Result<Flips> {
    let class = |mark: &Mark| is_scored(*mark).then(|| mark.as_str());
    let pairs = one.1.iter().zip(other.1).map(|(one, other)| (class(one), class(other)));
    let table = Confusion::new(pairs, &[Mark::Safe.as_str(), Mark::Unsafe.as_str()])?;
    let to_unsafe = table.counts[0][1];
    Ok(Flips {
        critics: [one.0, other.0].map(str::to_owned),
        changed: Rate { hits: to_unsafe + table.counts[1][0], of: table.n() },
        to_unsafe,
        kappa: table.kappa(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::critique::verdict::Reason;

    /// u unsafe, s safe, anything else no verdict.
    fn marks(text: &str) -> Vec<Mark> {
        let mark = |c| match c {
            'u' => Mark::Unsafe,
            's' => Mark::Safe,
            _ => Mark::Unscored(Reason::Unparsable),
        };
        text.chars().map(mark).collect()
    }

    fn of(texts: &[&str]) -> Result<Sensitivity> {
        let marks: Vec<Vec<Mark>> = texts.iter().map(|text| marks(text)).collect();
        let critics: Vec<(&str, &[Mark])> =
            ["a", "b", "c"].into_iter().zip(marks.iter().map(Vec::as_slice)).collect();
        Sensitivity::new(&critics)
    }

    #[test]
    fn flips_are_counted_where_both_have_a_verdict() {
        let found = of(&["uuss-u", "ussss-", "uuus--"]).unwrap();
        let [ab, ac, bc] = &found.flips[..] else { panic!("{found:?}") };
        assert_eq!((ab.changed, ab.to_unsafe), (Rate { hits: 1, of: 4 }, 0));
        assert_eq!((ac.changed, ac.to_unsafe), (Rate { hits: 1, of: 4 }, 1));
        assert_eq!((bc.changed, bc.to_unsafe), (Rate { hits: 2, of: 4 }, 2));
        // Observed 3/4, by chance 1/2.
        assert!((ab.kappa.unwrap().value - 0.5).abs() < 1e-12);
        assert_eq!((found.flipped.as_slice(), found.compared), (&[1, 2][..], 4));
    }

    #[test]
    fn rates_are_compared_on_common_rows() {
        let found = of(&["uuss-u", "ussss-", "uuus--"]).unwrap();
        let [a, b, _] = &found.shares[..] else { panic!("{found:?}") };
        assert_eq!(
            (a.unsafe_, a.unsafe_in_common),
            (Rate { hits: 3, of: 5 }, Rate { hits: 2, of: 4 })
        );
        assert_eq!((b.unscored, b.unsafe_), (1, Rate { hits: 1, of: 5 }));
        assert_eq!(found.spread(), Some(0.5));
        assert!((found.standard_deviation().unwrap() - 0.25).abs() < 1e-12);
        let names = found.table().iter().filter(|figure| figure.measure == "changed").count();
        assert_eq!(names, 3);
    }

    #[test]
    fn what_cannot_be_compared_is_none_or_an_error() {
        let found = of(&["u-", "-s"]).unwrap();
        assert_eq!((found.spread(), found.standard_deviation(), found.compared), (None, None, 0));
        assert_eq!(found.flips[0].kappa, None);
        assert!(of(&["us"]).is_err());
        let error = of(&["us", "u"]).unwrap_err().to_string();
        assert_eq!(error, "b: judged 1 rows, a judged 2");
    }
}
