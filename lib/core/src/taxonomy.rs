//! Taxonomies of risks: a text file of nodes, any depth, whose leaves name topics. Rows are made from the
//! topics; templates turn the rows into base prompts.

use crate::provenance::text_hash;
use crate::random::content_id;
use crate::rows::Rows;
use crate::{Error, Result, built_in, plain};
use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// The columns that hold the levels of a taxonomy.
pub const LEVELS: [&str; 4] =
    ["risk_dimension", "risk_category", "risk_subcategory", "risk_subsubcategory"];

/// A tree of risks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taxonomy {
    /// What it covers, and whose wording it is.
    pub about: String,
    /// The paper it is from, or `seval`.
    pub source: String,
    /// The nodes, parents before their children.
    #[serde(rename = "risk")]
    pub risks: Vec<Risk>,
    /// File stem and content hash.
    #[serde(skip)]
    pub name: String,
    /// Hash of the file's text.
    #[serde(skip)]
    pub hash: String,
}

/// A node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// The path from the root, with dots.
    pub id: String,
    /// English name: what the risk columns hold.
    pub en: String,
    /// Chinese name.
    pub zh: String,
    /// A definition in one line.
    pub about: String,
    /// Whose name it is: the paper's, or ours.
    pub origin: String,
    /// Language → topics of a leaf. Topic i says the same in every language.
    #[serde(default)]
    pub topics: BTreeMap<String, Vec<String>>,
}

impl Risk {
    /// The name in a language.
    pub fn name(&self, language: &str) -> &str {
        if language == "zh" { &self.zh } else { &self.en }
    }
}

impl Taxonomy {
    /// A built-in taxonomy by its name, or a file.
    pub fn find(wanted: &str) -> Result<Self> {
        let (place, text) = match Path::new(wanted).extension() {
            Some(_) => {
                let text = std::fs::read_to_string(wanted).map_err(|error| Error {
                    kind: crate::Kind::Usage,
                    ..Error::io(wanted, &error)
                })?;
                (wanted.to_owned(), text)
            }
            None => {
                let place = format!("schemas/taxonomy/{wanted}.toml");
                let text = built_in::text(&place).ok_or_else(|| {
                    Error::usage(wanted, "no taxonomy has this name")
                        .hint(format!("there are: {}; or name a file", names().join(", ")))
                })?;
                (place, text.to_owned())
            }
        };
        let name = Path::new(&place).file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&text, &name, &place)
    }

    fn parse(text: &str, name: &str, place: &str) -> Result<Self> {
        let mut taxonomy: Self = toml::from_str(text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            Error::usage(format!("{place}:{line}"), error.message().replace('\n', " "))
        })?;
        (taxonomy.name, taxonomy.hash) = (name.to_owned(), text_hash(text));
        taxonomy.check(place)?;
        Ok(taxonomy)
    }

    fn check(&self, place: &str) -> Result<()> {
        let mut known: HashMap<&str, &Risk> = HashMap::new();
        for risk in &self.risks {
            let wrong =
                |what: String| Err(Error::usage(format!("{place}: risk `{}`", risk.id), what));
            if let Some((parent, _)) = risk.id.rsplit_once('.') {
                match known.get(parent) {
                    None => {
                        return wrong(format!("its parent `{parent}` does not stand before it"));
                    }
                    Some(parent) if !parent.topics.is_empty() => {
                        return wrong(format!(
                            "its parent `{}` has topics: only leaves do",
                            parent.id
                        ));
                    }
                    Some(_) => {}
                }
            }
            if risk.id.split('.').count() > LEVELS.len() {
                return wrong(format!("the rows have columns for {} levels", LEVELS.len()));
            }
            let mut lengths = risk.topics.values().map(Vec::len);
            if let Some(first) = lengths.next()
                && lengths.any(|length| length != first)
            {
                return wrong("the languages differ in how many topics they have".into());
            }
            if known.insert(&risk.id, risk).is_some() {
                return wrong("the id stands twice".into());
            }
        }
        Ok(())
    }

    /// The nodes that have none below them.
    pub fn leaves(&self) -> impl Iterator<Item = &Risk> {
        let inner: std::collections::HashSet<&str> =
            self.risks.iter().filter_map(|risk| Some(risk.id.rsplit_once('.')?.0)).collect();
        self.risks.iter().filter(move |risk| !inner.contains(risk.id.as_str()))
    }

    /// A row for each leaf, topic and language, with the columns that `generate/` templates use beside those
    /// of prompt rows: `topic`, `risk_name`, `risk_about`.
    pub fn rows(&self, languages: &[String]) -> Result<Rows> {
        let spoken = |language: &String| self.risks.iter().any(|r| r.topics.contains_key(language));
        if let Some(language) = languages.iter().find(|language| !spoken(language)) {
            let known: BTreeSet<&String> =
                self.risks.iter().flat_map(|r| r.topics.keys()).collect();
            let known = known.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(Error::usage(&self.name, format!("has no topics in `{language}`"))
                .hint(format!("there are: {known}")));
        }
        let by_id: HashMap<&str, &Risk> =
            self.risks.iter().map(|risk| (risk.id.as_str(), risk)).collect();
        let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); ROW.len()];
        for leaf in self.leaves() {
            let path: Vec<&str> =
                ancestors(&leaf.id).filter_map(|id| by_id.get(id)).map(|r| r.en.as_str()).collect();
            for language in languages {
                for (at, topic) in leaf.topics.get(language).into_iter().flatten().enumerate() {
                    let source_id = format!("{}/{at}", leaf.id);
                    let level = |at: usize| path.get(at).map(|name| (*name).to_owned());
                    let row = [
                        Some(content_id(&format!("{}/{source_id}/{language}", self.name))),
                        Some(topic.clone()),
                        Some(leaf.name(language).to_owned()),
                        Some(leaf.about.clone()),
                        Some(language.clone()),
                        level(0),
                        level(1),
                        level(2),
                        level(3),
                        Some(content_id(&format!("{}/{source_id}", self.name))),
                        Some(self.name.clone()),
                        Some(source_id),
                        Some("refuse".to_owned()),
                    ];
                    columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
                }
            }
        }
        let rows = columns[0].len();
        let columns =
            columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
        let fields = ROW.map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let batch = plain::with_columns(&schema, columns.collect(), rows)?;
        Ok(Rows { schema, batches: Box::new(std::iter::once(Ok(batch))), history: Vec::new() })
    }
}

/// The columns of [`Taxonomy::rows`]; `prompt_id` identifies the row until a template makes its prompt.
const ROW: [&str; 13] = [
    "prompt_id",
    "topic",
    "risk_name",
    "risk_about",
    "language",
    LEVELS[0],
    LEVELS[1],
    LEVELS[2],
    LEVELS[3],
    "pair_id",
    "source",
    "source_id",
    "expected",
];

/// `a`, `a.b`, `a.b.c`.
fn ancestors(id: &str) -> impl Iterator<Item = &str> {
    let ends = id.match_indices('.').map(|(at, _)| at).chain([id.len()]);
    ends.map(|end| &id[..end])
}

/// The built-in taxonomies.
pub fn names() -> Vec<&'static str> {
    built_in::under("schemas/taxonomy/")
        .filter_map(|(path, _)| path.rsplit('/').next()?.strip_suffix(".toml"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SPEC §1.2: 8 dimensions, 25 categories; 102 leaves.
    #[test]
    fn s_eval_has_the_shape_of_the_paper() {
        let taxonomy = Taxonomy::find("s-eval").unwrap();
        let depth =
            |wanted| taxonomy.risks.iter().filter(|r| r.id.split('.').count() == wanted).count();
        assert_eq!([depth(1), depth(2), depth(3), depth(4)], [8, 25, 56, 52]);
        assert_eq!(taxonomy.leaves().count(), 102);
        assert!(
            taxonomy
                .risks
                .iter()
                .all(|r| !r.en.is_empty() && !r.zh.is_empty() && !r.about.is_empty())
        );
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_place() {
        let orphan = "about=''\nsource=''\n[[risk]]\nid='a.b'\nen=''\nzh=''\nabout=''\norigin=''\n";
        let error = Taxonomy::parse(orphan, "x", "x.toml").unwrap_err().to_string();
        assert_eq!(error, "x.toml: risk `a.b`: its parent `a` does not stand before it");
        let unknown = "about=''\nsource=''\nrisk=[]\ncolour=1\n";
        let error = Taxonomy::parse(unknown, "x", "x.toml").unwrap_err().to_string();
        assert!(error.starts_with("x.toml:4: unknown field `colour`"), "{error}");
    }
}
