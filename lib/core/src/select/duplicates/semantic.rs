//! Semantic duplicates: rows whose embeddings have a cosine of at least a threshold. The embeddings are a
//! column, or are asked for, and then kept in the column `embedding`.

use crate::plain::list_of;
use crate::select::duplicates::Find;
use crate::select::duplicates::clusters::Clusters;
use crate::select::duplicates::cosine::{self, Limits};
use crate::select::duplicates::embeddings::{self, Vectors};
use crate::select::ledger::StageLedger;
use crate::select::texts::Texts;
use crate::{Error, Result, cli};
use arrow::array::{ArrayRef, Float32Builder, ListBuilder, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::ops::Range;
use std::sync::Arc;

/// The column of embeddings that were asked for.
pub const EMBEDDING: &str = "embedding";

/// Gives the embeddings of texts, none of which is empty: one each, in order.
pub type Embed = Box<dyn FnMut(Vec<String>) -> Result<Vec<Vec<f32>>> + Send>;

/// Where embeddings come from.
pub enum From {
    /// This column.
    Column(String),
    /// A model.
    Model(Embed),
}

/// Finds semantic duplicates.
pub struct Semantic {
    threshold: f64,
    from: From,
    vectors: Vectors,
}

impl Semantic {
    /// Duplicates of at least this cosine.
    pub fn new(threshold: f64, from: From) -> Result<Self> {
        if !(threshold > 0.0 && threshold <= 1.0) {
            let what = format!("{threshold} is not above 0 and at most 1");
            return Err(Error::usage("--semantic", what).hint("a cosine, such as 0.92"));
        }
        Ok(Self { threshold, from, vectors: Vectors::default() })
    }

    fn ask(&mut self, texts: &Texts<'_>, rows: usize) -> Result<()> {
        let From::Model(embed) = &mut self.from else { return Ok(()) };
        let texts: Vec<Option<String>> = (0..rows)
            .map(|row| texts.get(row).filter(|text| !text.trim().is_empty()))
            .map(|text| text.map(|text| text.into_owned()))
            .collect();
        let asked: Vec<String> = texts.iter().flatten().cloned().collect();
        let mut given = embed(asked)?.into_iter();
        for text in &texts {
            let vector = text.as_ref().and_then(|_| given.next());
            self.vectors.push(vector.as_deref())?;
        }
        Ok(())
    }
}

impl Find for Semantic {
    fn name(&self) -> &'static str {
        "semantic"
    }

    fn reason(&self) -> String {
        format!("of a cluster of rows that mean the same (cosine of {} or more)", self.threshold)
    }

    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>> {
        match &self.from {
            From::Column(name) => embeddings::check(schema, name).map(|()| Vec::new()),
            From::Model(_) => Ok(vec![Field::new(EMBEDDING, list_of(DataType::Float32), true)]),
        }
    }

    fn read(&mut self, _: usize, _: usize, batches: &[(Texts<'_>, &RecordBatch)]) -> Result<()> {
        for (texts, batch) in batches {
            match &self.from {
                From::Column(name) => self.vectors.add(batch, name)?,
                From::Model(_) => self.ask(texts, batch.num_rows())?,
            }
        }
        Ok(())
    }

    fn clusters(&mut self, rows: usize, ledger: &StageLedger) -> Result<Clusters> {
        let mut clusters = Clusters::new(rows);
        let vectors = &self.vectors;
        if vectors.rows.is_empty() {
            return Ok(clusters);
        }
        let limits = Limits::default();
        let joined = cosine::join(&vectors.values, vectors.dim, self.threshold, limits)?;
        for (at, root) in joined.roots.iter().enumerate() {
            clusters.join(vectors.rows[at], vectors.rows[*root as usize]);
        }
        if let Some(recall) = joined.recall {
            let share = recall.share();
            let said = share.map_or("unknown".to_owned(), |share| format!("{share:.4}"));
            ledger.note(format!(
                "an index found the pairs; recall {said}, measured on {} pairs of {} rows",
                cli::count(recall.pairs),
                cli::count(recall.rows)
            ));
            ledger.measure("semantic", "index", "recall", share);
        }
        let without = rows - vectors.rows.len();
        if without > 0 {
            ledger.warn("no embedding: not compared", without as u64);
        }
        Ok(clusters)
    }

    fn similarities(&mut self, pairs: &[(u32, u32)]) -> Result<Vec<f64>> {
        let cosine = |(a, b): &(u32, u32)| {
            let vectors = self.vectors.of_row(*a).zip(self.vectors.of_row(*b));
            vectors.map_or(0.0, |(a, b)| cosine::cosine(a, b))
        };
        Ok(pairs.iter().map(cosine).collect())
    }

    fn columns(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        if matches!(self.from, From::Column(_)) {
            return Ok(Vec::new());
        }
        let mut lists = ListBuilder::new(Float32Builder::new());
        for row in rows {
            match self.vectors.of_row(row as u32) {
                Some(vector) => {
                    lists.values().append_slice(vector);
                    lists.append(true);
                }
                None => lists.append(false),
            }
        }
        Ok(vec![Arc::new(lists.finish())])
    }
}
