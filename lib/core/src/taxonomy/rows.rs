//! The rows that `generate/` templates are applied to: one for each topic, or for templates that ask a
//! generation model one for each request about a leaf.

use super::{Taxonomy, level_name};
use crate::expand::examples::{Examples, Preference};
use crate::random::content_id;
use crate::rows::Rows;
use crate::{Error, Result, plain};
use arrow::array::{ArrayRef, Int64Array, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is asked of a generation model about each leaf.
pub struct LeafRequests<'a> {
    /// Leaf → prompts wanted, in each language.
    pub wanted: BTreeMap<usize, usize>,
    /// Prompts asked for in one request.
    pub per_request: usize,
    /// Examples to draw from, and how many for each request.
    pub examples: Option<(&'a Examples, usize)>,
    /// Decides which examples are drawn.
    pub seed: u64,
}

/// The columns of a row, as they come from the taxonomy.
#[derive(Default)]
struct Columns {
    text: BTreeMap<String, Vec<Option<String>>>,
    rows: usize,
}

impl Columns {
    fn push(&mut self, cells: impl IntoIterator<Item = (String, Option<String>)>) {
        for (name, cell) in cells {
            let column = self.text.entry(name).or_default();
            column.resize(self.rows, None);
            column.push(cell);
        }
        self.rows += 1;
    }

    /// The rows, with the columns in the order of `names` and then `more`.
    fn finish(mut self, names: Vec<String>, more: Vec<(&str, ArrayRef)>) -> Result<Rows> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for name in names {
            let mut cells = self.text.remove(&name).unwrap_or_default();
            cells.resize(self.rows, None);
            fields.push(Field::new(name, DataType::Utf8, true));
            columns.push(Arc::new(StringArray::from(cells)) as ArrayRef);
        }
        for (name, column) in more {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = plain::with_columns(&schema, columns, self.rows)?;
        Ok(Rows { schema, batches: Box::new(std::iter::once(Ok(batch))), history: Vec::new() })
    }
}

impl Taxonomy {
    /// Refuses languages that no leaf has topics in.
    pub fn check_languages(&self, languages: &[String]) -> Result<()> {
        let known: BTreeSet<&String> = self.risks.iter().flat_map(|r| r.topics.keys()).collect();
        match languages.iter().find(|language| !known.contains(language)) {
            None => Ok(()),
            Some(language) => {
                let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
                Err(Error::usage(&self.name, format!("has no topics in `{language}`"))
                    .hint(format!("give --language {}", known.join(","))))
            }
        }
    }

    /// The English names of leaves that have topics, but none in that language.
    pub fn without_topics(&self, language: &str) -> Vec<&str> {
        let risks = self.leaves().map(|leaf| &self.risks[leaf]);
        let silent = risks.filter(|r| !r.topics.is_empty() && !r.topics.contains_key(language));
        silent.map(|risk| risk.en.as_str()).collect()
    }

    /// A row for each leaf, language and topic, with the columns that `generate/` templates use beside those
    /// of prompt rows: `topic`, `risk_name`, `risk_about`.
    pub fn rows(&self, languages: &[String]) -> Result<Rows> {
        let mut columns = Columns::default();
        for leaf in self.leaves() {
            let risk = &self.risks[leaf];
            for language in languages {
                for (at, topic) in risk.topics.get(language).into_iter().flatten().enumerate() {
                    let source_id = format!("{}/{at}", risk.id());
                    let item = format!("{}/{source_id}", self.name);
                    let own = [
                        ("prompt_id", content_id(&format!("{item}/{language}"))),
                        ("topic", topic.clone()),
                        ("pair_id", content_id(&item)),
                        ("source_id", source_id),
                    ];
                    let own = own.map(|(name, cell)| (name.to_owned(), Some(cell)));
                    columns.push(own.into_iter().chain(self.shared(leaf, language)));
                }
            }
        }
        columns.finish(self.names(&["prompt_id", "topic", "pair_id", "source_id"]), Vec::new())
    }

    /// A row for each request about a leaf in a language, with the columns `topics`, `count` (prompts
    /// wanted), `examples` and where they have scores `scored_examples`, `risk_name`, `risk_about` for the templates.
    pub fn request_rows(&self, languages: &[String], requests: &LeafRequests<'_>) -> Result<Rows> {
        let mut columns = Columns::default();
        let mut topics = ListBuilder::new(StringBuilder::new());
        let mut drawn: Vec<(&str, Preference, ListBuilder<StringBuilder>)> = Vec::new();
        if let Some((examples, _)) = requests.examples {
            drawn.push(("examples", Preference::None, ListBuilder::new(StringBuilder::new())));
            if examples.are_scored {
                let cells = ListBuilder::new(StringBuilder::new());
                drawn.push(("scored_examples", Preference::Score, cells));
            }
        }
        let mut counts = Vec::new();
        for (&leaf, &wanted) in &requests.wanted {
            let risk = &self.risks[leaf];
            let path: Vec<&str> =
                self.path(leaf).into_iter().map(|risk| self.risks[risk].en.as_str()).collect();
            for language in languages {
                for (number, start) in (0..wanted).step_by(requests.per_request).enumerate() {
                    let item = format!("{}/{}/{language}/{number}", self.name, risk.id());
                    let id = content_id(&item);
                    for (_, preference, cells) in &mut drawn {
                        let Some((from, shots)) = requests.examples else { continue };
                        let seed = requests.seed;
                        let draw = from.draw(*preference, &path, language, shots, seed, &id)?;
                        cells.append_value(draw.iter().map(Some));
                    }
                    let known = risk.topics.get(language).into_iter().flatten();
                    topics.append_value(known.map(Some));
                    counts.push((wanted - start).min(requests.per_request) as i64);
                    let own = [("prompt_id", id), ("source_id", risk.id().to_owned())];
                    let own = own.map(|(name, cell)| (name.to_owned(), Some(cell)));
                    columns.push(own.into_iter().chain(self.shared(leaf, language)));
                }
            }
        }
        let mut more: Vec<(&str, ArrayRef)> = vec![
            ("topics", Arc::new(topics.finish())),
            ("count", Arc::new(Int64Array::from(counts))),
        ];
        for (name, _, mut cells) in drawn {
            more.push((name, Arc::new(cells.finish())));
        }
        columns.finish(self.names(&["prompt_id", "source_id"]), more)
    }

    /// The cells that all rows of a leaf share.
    fn shared(&self, leaf: usize, language: &str) -> Vec<(String, Option<String>)> {
        let risk = &self.risks[leaf];
        let mut cells: Vec<(String, Option<String>)> = [
            ("risk_name", risk.name(language)),
            ("risk_about", &risk.about),
            ("language", language),
            ("source", &self.name),
            ("expected", "refuse"),
        ]
        .map(|(name, cell)| (name.to_owned(), Some(cell.to_owned())))
        .into();
        let levels = self.path(leaf).into_iter().enumerate();
        cells.extend(
            levels.map(|(level, risk)| (level_name(level), Some(self.risks[risk].en.clone()))),
        );
        cells
    }

    /// The names of the columns, the levels of the deepest leaf among them.
    fn names(&self, own: &[&str]) -> Vec<String> {
        let shared = ["risk_name", "risk_about", "language"].map(str::to_owned);
        let depth = (0..self.risks.len()).map(|risk| self.path(risk).len()).max().unwrap_or(0);
        let levels = (0..depth.max(super::LEVELS.len())).map(level_name);
        let own = own.iter().map(|name| (*name).to_owned());
        let last = ["source", "expected"].map(str::to_owned);
        own.chain(shared).chain(levels).chain(last).collect()
    }
}
