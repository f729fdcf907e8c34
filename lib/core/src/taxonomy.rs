//! Taxonomies of risks: a text file of nodes, any depth, whose leaves name topics. Rows are made from the
//! topics; templates turn the rows into base prompts.

mod quota;
mod rows;

pub use quota::{Quota, Short};
pub use rows::LeafRequests;

use crate::provenance::text_hash;
use crate::template::{Library, TAXONOMY};
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use toml::Spanned;

/// The columns that hold the first levels of a taxonomy; deeper ones are `risk_level_5` and so on.
pub const LEVELS: [&str; 4] =
    ["risk_dimension", "risk_category", "risk_subcategory", "risk_subsubcategory"];

/// The column that holds a level, counted from 0.
pub fn level_name(level: usize) -> String {
    LEVELS.get(level).map_or_else(|| format!("risk_level_{}", level + 1), |&name| name.to_owned())
}

/// Where an example of the form is.
const EXAMPLE: &str = "see seval-expand --show taxonomy/s-eval";

/// A tree of risks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taxonomy {
    /// What it covers, and whose wording it is.
    pub about: String,
    /// The paper it is from, or `seval`.
    pub source: String,
    /// The nodes, in the order of the rows.
    #[serde(rename = "risk")]
    pub risks: Vec<Risk>,
    /// File stem.
    #[serde(skip)]
    pub name: String,
    /// Hash of the file's text.
    #[serde(skip)]
    pub hash: String,
    /// For each risk the one above it; none for the roots.
    #[serde(skip)]
    parents: Vec<Option<usize>>,
}

/// A node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Unique. With dots it is the path from the root: `a.b` is below `a`.
    pub id: Spanned<String>,
    /// The id of the risk above it, where the id is no path.
    pub parent: Option<String>,
    /// English name: what the risk columns hold.
    pub en: String,
    /// Chinese name.
    pub zh: Option<String>,
    /// A definition in one line.
    pub about: String,
    /// Whose name it is: the paper's, or ours.
    pub origin: Option<String>,
    /// Its share of `--total` beside the risks with the same parent; without any there, every leaf counts
    /// the same.
    pub weight: Option<f64>,
    /// Language → topics of a leaf. Topic i says the same in every language.
    #[serde(default)]
    pub topics: BTreeMap<String, Vec<String>>,
}

impl Risk {
    /// The name in a language.
    pub fn name(&self, language: &str) -> &str {
        match &self.zh {
            Some(zh) if language == "zh" => zh,
            _ => &self.en,
        }
    }

    fn id(&self) -> &str {
        self.id.get_ref()
    }

    fn parent_id(&self) -> Option<&str> {
        match &self.parent {
            Some(parent) => Some(parent),
            None => self.id().rsplit_once('.').map(|(parent, _)| parent),
        }
    }
}

impl Taxonomy {
    /// A taxonomy by its name, or a file.
    pub fn find(library: &Library, wanted: &str) -> Result<Self> {
        let file = library.get(&[TAXONOMY], wanted)?;
        Self::parse(&file.text, file.stem(), &file.place)
    }

    fn parse(text: &str, name: &str, place: &str) -> Result<Self> {
        let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let mut taxonomy: Self = toml::from_str(text).map_err(|error| {
            let line = line(error.span().map_or(0, |span| span.start));
            Error::usage(format!("{place}:{line}"), error.message().replace('\n', " "))
                .hint(EXAMPLE)
        })?;
        (taxonomy.name, taxonomy.hash) = (name.to_owned(), text_hash(text));
        let at =
            |risk: &Risk| format!("{place}:{}: risk `{}`", line(risk.id.span().start), risk.id());
        taxonomy.parents = taxonomy.link(&at)?;
        taxonomy.check(&at)?;
        if taxonomy.leaves().all(|leaf| taxonomy.risks[leaf].topics.is_empty()) {
            return Err(Error::usage(place, "no risk has topics")
                .hint(format!("give leaves `topics.en = [\"…\"]`; {EXAMPLE}")));
        }
        Ok(taxonomy)
    }

    /// The parent of every risk.
    fn link(&self, at: &dyn Fn(&Risk) -> String) -> Result<Vec<Option<usize>>> {
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (index, risk) in self.risks.iter().enumerate() {
            if let Some(first) = known.insert(risk.id(), index) {
                return Err(Error::usage(at(risk), "the id stands twice").hint(format!(
                    "give one of the two another; first at {}",
                    at(&self.risks[first])
                )));
            }
        }
        let parent = |risk: &Risk| match risk.parent_id() {
            None => Ok(None),
            Some(parent) => known.get(parent).copied().map(Some).ok_or_else(|| {
                Error::usage(at(risk), format!("there is no risk `{parent}` above it"))
                    .hint("add it, or correct the id or `parent`")
            }),
        };
        let parents: Vec<Option<usize>> = self.risks.iter().map(parent).collect::<Result<_>>()?;
        for start in 0..self.risks.len() {
            let (mut path, mut here) = (vec![start], start);
            while let Some(above) = parents[here] {
                path.push(above);
                if path[..path.len() - 1].contains(&above) {
                    let ids: Vec<&str> = path.iter().map(|&risk| self.risks[risk].id()).collect();
                    let cycle = format!("it is above itself: {}", ids.join(" → "));
                    return Err(Error::usage(at(&self.risks[start]), cycle)
                        .hint("one of these risks has the wrong `parent`"));
                }
                here = above;
            }
        }
        Ok(parents)
    }

    fn check(&self, at: &dyn Fn(&Risk) -> String) -> Result<()> {
        for (index, risk) in self.risks.iter().enumerate() {
            let above = self.parents[index].map(|parent| &self.risks[parent]);
            if let Some(above) = above.filter(|above| !above.topics.is_empty()) {
                return Err(Error::usage(
                    at(above),
                    format!("it has topics, but `{}` is below it: only leaves have", risk.id()),
                )
                .hint("give them to a leaf of their own"));
            }
            let mut lengths = risk.topics.values().map(Vec::len);
            if let Some(first) = lengths.next()
                && lengths.any(|length| length != first)
            {
                return Err(Error::usage(
                    at(risk),
                    "the languages differ in how many topics they have",
                )
                .hint("topic i must say the same in each"));
            }
            let wrong = |weight: f64| !weight.is_finite() || weight < 0.0;
            if risk.weight.is_some_and(wrong) {
                return Err(Error::usage(at(risk), "the weight is no number of at least 0")
                    .hint("a share of 1 is usual"));
            }
            for (language, topics) in &risk.topics {
                let mut known = HashSet::new();
                let wrong = topics.iter().find(|t| t.trim().is_empty() || !known.insert(*t));
                if let Some(topic) = wrong {
                    let what =
                        format!("the topic \"{topic}\" in `{language}` is empty or stands twice");
                    return Err(Error::usage(at(risk), what).hint("each topic says something else"));
                }
            }
            let sibling = |other: &usize| self.parents[*other] == self.parents[index];
            let unlike = |other: usize| self.risks[other].weight.is_some() != risk.weight.is_some();
            let other = (0..self.risks.len()).filter(sibling).find(|&other| unlike(other));
            if let (Some(other), None) = (other, risk.weight) {
                let what =
                    format!("it has no weight, but `{}` beside it has", self.risks[other].id());
                return Err(Error::usage(at(risk), what).hint("give all of them one, or none"));
            }
        }
        Ok(())
    }

    /// The numbers of the nodes that have none below them.
    fn leaves(&self) -> impl Iterator<Item = usize> {
        let inner: HashSet<usize> = self.parents.iter().flatten().copied().collect();
        (0..self.risks.len()).filter(move |risk| !inner.contains(risk))
    }

    /// A risk and those above it, the root first.
    fn path(&self, risk: usize) -> Vec<usize> {
        let mut path: Vec<usize> =
            std::iter::successors(Some(risk), |&risk| self.parents[risk]).collect();
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests;
