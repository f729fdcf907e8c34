//! Duplicates of any kind: rows in one cluster, of which one is kept. Every row that goes on gets `cluster_id`,
//! the smallest prompt_id of its cluster, which does not depend on the order of rows, and `cluster_size`.

pub mod clusters;
pub mod cosine;
pub mod embeddings;
pub mod exact;
pub mod exclude;
pub mod keep;
pub mod near;
pub mod near_duplicates;
pub mod normal;
pub mod reader;
pub mod semantic;
pub mod shingle;

use crate::Result;
use crate::select::Drop;
use crate::select::duplicates::clusters::Clusters;
use crate::select::duplicates::keep::{Keep, Values};
use crate::select::ids::Ids;
use crate::select::ledger::StageLedger;
use crate::select::texts::{TextColumn, Texts};
use crate::select::whole::{Decide, Dropped};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Finds duplicates.
pub trait Find: Send {
    /// What the command line calls it.
    fn name(&self) -> &'static str;

    /// Why a duplicate is dropped.
    fn reason(&self) -> String;

    /// Checks that the columns it needs beside the text are there; those it adds.
    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>> {
        let _ = schema;
        Ok(Vec::new())
    }

    /// How often it reads the rows.
    fn readings(&self) -> usize {
        1
    }

    /// Reads some batches, the first of whose rows has the number `row`.
    fn read(
        &mut self,
        reading: usize,
        row: usize,
        batches: &[(Texts<'_>, &RecordBatch)],
    ) -> Result<()>;

    /// The clusters of so many rows.
    fn clusters(&mut self, rows: usize, ledger: &StageLedger) -> Result<Clusters>;

    /// How alike the rows of each pair are, which are of one cluster.
    fn similarities(&mut self, pairs: &[(u32, u32)]) -> Result<Vec<f64>>;

    /// The values of the columns it adds, for these rows.
    fn columns(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let _ = rows;
        Ok(Vec::new())
    }
}

/// Keeps one row of each cluster of duplicates.
pub struct Duplicates<F> {
    find: F,
    text: TextColumn,
    values: Values,
    ids: Ids,
    clusters: Clusters,
    /// Lowest row of a cluster of several → what is said of the cluster.
    known: HashMap<u32, Cluster>,
}

/// A cluster of several rows.
struct Cluster {
    id: Option<String>,
    size: i64,
    kept: u32,
}

impl<F: Find> Duplicates<F> {
    /// Duplicates by the text of that column; of each cluster the row that `keep` says.
    pub fn new(find: F, text: TextColumn, keep: Keep) -> Self {
        let (ids, clusters, known) = (Ids::default(), Clusters::default(), HashMap::new());
        Self { find, text, values: Values::new(keep), ids, clusters, known }
    }
}

impl<F: Find> Decide for Duplicates<F> {
    fn name(&self) -> &'static str {
        self.find.name()
    }

    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>> {
        self.text.check(schema)?;
        self.values.check(schema)?;
        let mut fields = self.find.check(schema)?;
        fields.push(Field::new("cluster_id", DataType::Utf8, true));
        fields.push(Field::new("cluster_size", DataType::Int64, true));
        Ok(fields)
    }

    fn readings(&self) -> usize {
        self.find.readings()
    }

    fn read(&mut self, reading: usize, row: usize, batches: &[RecordBatch]) -> Result<()> {
        let texts = batches.iter().map(|batch| Ok((self.text.of(batch)?, batch)));
        let texts = texts.collect::<Result<Vec<_>>>()?;
        if reading == 0 {
            for (texts, batch) in &texts {
                self.ids.add(batch, Some(texts));
                self.values.add(batch, texts)?;
            }
        }
        self.find.read(reading, row, &texts)
    }

    fn decide(&mut self, rows: usize, ledger: &StageLedger) -> Result<Vec<Dropped>> {
        self.clusters = self.find.clusters(rows, ledger)?;
        for row in 0..rows as u32 {
            let root = self.clusters.root(row);
            if root == row {
                continue;
            }
            let first = || Cluster { id: self.ids.get(root), size: 1, kept: root };
            let cluster = self.known.entry(root).or_insert_with(first);
            cluster.size += 1;
            let id = self.ids.get(row);
            if id.is_some() && (cluster.id.is_none() || id < cluster.id) {
                cluster.id = id;
            }
            if self.values.is_better(row, cluster.kept) {
                cluster.kept = row;
            }
        }
        let names: HashSet<&String> = self.known.values().filter_map(|c| c.id.as_ref()).collect();
        let named = self.known.values().filter(|cluster| cluster.id.is_some()).count();
        if names.len() < named {
            let what = "clusters share a cluster_id, since rows share a prompt_id";
            ledger.warn(what, (named - names.len()) as u64);
        }
        let mut pairs = Vec::new();
        for row in 0..rows as u32 {
            let kept = self.known.get(&self.clusters.root(row)).map_or(row, |cluster| cluster.kept);
            if kept != row {
                pairs.push((row, kept));
            }
        }
        let similarities = self.find.similarities(&pairs)?;
        let dropped = pairs.into_iter().zip(similarities).map(|((row, kept), similarity)| {
            Dropped { row, of: Some(kept), similarity: Some(similarity) }
        });
        Ok(dropped.collect())
    }

    fn why(&self, dropped: &Dropped) -> Drop {
        Drop {
            reason: self.find.reason(),
            duplicate_of: dropped.of.and_then(|row| self.ids.get(row)),
            similarity: dropped.similarity,
        }
    }

    fn columns(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let mut columns = self.find.columns(rows.clone())?;
        let (mut ids, mut sizes) = (Vec::new(), Vec::new());
        for row in rows {
            let cluster = self.known.get(&self.clusters.root(row as u32));
            ids.push(match cluster {
                Some(cluster) => cluster.id.clone(),
                None => self.ids.get(row as u32),
            });
            sizes.push(cluster.map_or(1, |cluster| cluster.size));
        }
        columns.push(Arc::new(StringArray::from(ids)));
        columns.push(Arc::new(Int64Array::from(sizes)));
        Ok(columns)
    }
}
