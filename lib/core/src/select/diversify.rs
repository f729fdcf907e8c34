//! The rows that differ most from each other: [`crate::select::diversify::diverse`] over the rows, with quotas, and how diverse the
//! texts are before and after.
//!
//! Memory: the sets of shingles (about 8 bytes a character or word) or the vectors of all rows, and their words.

pub mod diverse;
pub mod sets;
pub mod text_diversity;

use crate::select::Drop;
use crate::select::diversify::diverse::{Cosine, Items, Jaccard, Method, Similarity};
use crate::select::diversify::sets::Sets;
use crate::select::diversify::text_diversity::{coverage, measure};
use crate::select::duplicates::embeddings::{self, Vectors};
use crate::select::duplicates::normal::Normal;
use crate::select::duplicates::shingle::{Cuts, Cutter, Shingles};
use crate::select::ids::BatchIds;
use crate::select::ledger::StageLedger;
use crate::select::sized::balance::{Balance, too_much};
use crate::select::sized::draw::{self, Candidate};
use crate::select::strata::{Sorted, Strata};
use crate::select::texts::TextColumn;
use crate::select::whole::{Decide, Dropped};
use crate::{Error, Result, cli};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What is chosen.
pub struct Diverse {
    /// How many rows.
    pub size: usize,
    /// How they are chosen.
    pub method: Method,
    /// How they are shared out.
    pub balance: Balance,
    /// The column of embeddings; none: shingles are compared.
    pub embedding: Option<String>,
    /// The column of texts, and how they are cut.
    pub text: TextColumn,
    /// The form that is compared.
    pub normal: Normal,
    /// What a shingle is.
    pub shingles: Shingles,
    /// The seed of ties.
    pub seed: u64,
}

/// Chooses rows that differ.
pub struct DiverseStage {
    what: Diverse,
    strata: Strata,
    cutter: Cutter,
    sets: Sets,
    vectors: Vectors,
    tokens: Vec<Vec<u64>>,
    keys: Vec<u64>,
    /// By row: the place in the order of choice, from 1.
    ranks: Vec<Option<i64>>,
}

impl DiverseStage {
    /// A stage that chooses so.
    pub fn new(what: Diverse) -> Self {
        Self {
            strata: Strata::new(&what.balance.by),
            cutter: Cutter::new(what.normal, what.shingles),
            what,
            sets: Sets::default(),
            vectors: Vectors::default(),
            tokens: Vec::new(),
            keys: Vec::new(),
            ranks: Vec::new(),
        }
    }

    fn similarity(&mut self) -> Result<Box<dyn Similarity>> {
        if self.what.embedding.is_none() {
            return Ok(Box::new(Jaccard::new(&std::mem::take(&mut self.sets))));
        }
        let without = self.keys.len() - self.vectors.rows.len();
        if without > 0 {
            let what = format!("{} rows have no embedding", cli::count(without as u64));
            return Err(Error::data("the input", what).hint("leave them out with --where"));
        }
        let vectors = std::mem::take(&mut self.vectors);
        Ok(Box::new(Cosine::new(&vectors.values, vectors.dim)))
    }

    fn quotas(&self, strata: &Sorted) -> Result<Vec<usize>> {
        let mut rooms = vec![0; strata.names.len()];
        strata.of.iter().for_each(|stratum| rooms[*stratum as usize] += 1);
        let quotas = self.what.balance.plan(strata)?.quotas(self.what.size, &rooms);
        let quotas = quotas.map_err(|excess| too_much(excess, strata))?;
        self.what.balance.accept(&quotas, strata)?;
        Ok(quotas.given)
    }

    /// Rows drawn by chance with the same quotas: Self-BLEU and distinct-n depend on the number of texts, so
    /// that a choice is to be compared with this and not with all rows.
    fn by_chance(&self, strata: &Sorted, quotas: &[usize]) -> Vec<usize> {
        let rows = self.keys.iter().zip(&strata.of);
        let candidate =
            |(key, stratum): (&u64, &u32)| Candidate { stratum: *stratum as usize, key: *key };
        let rows: Vec<Candidate> = rows.map(candidate).collect();
        let taken = draw::take(&rows, &draw::order(&rows, self.what.seed, "by chance"), quotas);
        (0..taken.len()).filter(|row| taken[*row]).collect()
    }

    /// Says how diverse the texts are: all, those kept, and as many drawn by chance.
    fn report(
        &self,
        similarity: &dyn Similarity,
        kept: &[usize],
        by_chance: &[usize],
        ledger: &StageLedger,
    ) {
        let of = |rows: &[usize]| {
            measure(&rows.iter().map(|row| self.tokens[*row].clone()).collect::<Vec<_>>())
        };
        let all = [
            ("before", measure(&self.tokens), None),
            ("after", of(kept), coverage(similarity, kept)),
            ("as many by chance", of(by_chance), coverage(similarity, by_chance)),
        ];
        let shown =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        for (when, texts, covered) in &all {
            let mut note = format!(
                "{when}: Self-BLEU {}, distinct-2 {}",
                shown(texts.self_bleu),
                shown(texts.ngrams[1].distinct_share)
            );
            ledger.measure("diversity", when, "texts", Some(texts.texts as f64));
            ledger.measure("diversity", when, "Self-BLEU", texts.self_bleu);
            for (n, ngrams) in (1..).zip(&texts.ngrams) {
                let share = ngrams.distinct_share;
                ledger.measure("diversity", when, &format!("distinct-{n}"), share);
                let entropy = Some(ngrams.entropy);
                ledger.measure("diversity", when, &format!("{n}-gram entropy, bits"), entropy);
            }
            if let Some(covered) = covered {
                note.push_str(&format!(", coverage {:.3}", covered.mean));
                ledger.measure("diversity", when, "coverage, mean", Some(covered.mean));
                ledger.measure("diversity", when, "coverage, 5th percentile", Some(covered.low));
            }
            ledger.note(note);
        }
    }
}

impl Decide for DiverseStage {
    fn name(&self) -> &'static str {
        "diverse"
    }

    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>> {
        self.what.text.check(schema)?;
        self.strata.check(schema)?;
        if let Some(column) = &self.what.embedding {
            embeddings::check(schema, column)?;
        }
        Ok(vec![Field::new("diverse_rank", DataType::Int64, true)])
    }

    fn read(&mut self, _: usize, _: usize, batches: &[RecordBatch]) -> Result<()> {
        for batch in batches {
            self.strata.add(batch)?;
            let texts = self.what.text.of(batch)?;
            let ids = BatchIds::new(batch, Some(&texts));
            for row in 0..batch.num_rows() {
                let id = ids.get(row).text().unwrap_or_default();
                self.keys.push(xxh3_64(id.as_bytes()));
                let text = texts.get(row).unwrap_or_default();
                let language = texts.language(row);
                self.tokens.push(self.cutter.tokens(&text, language).to_vec());
                if self.what.embedding.is_none() {
                    let mut cuts = Cuts::default();
                    self.cutter.cut(&text, language, &mut cuts);
                    self.sets.push(cuts.get(0));
                }
            }
            if let Some(column) = &self.what.embedding {
                self.vectors.add(batch, column)?;
            }
        }
        Ok(())
    }

    fn decide(&mut self, rows: usize, ledger: &StageLedger) -> Result<Vec<Dropped>> {
        let strata = self.strata.sorted();
        let quotas = self.quotas(&strata)?;
        let similarity = self.similarity()?;
        let (keys, seed) = (&self.keys, self.what.seed);
        let items = Items { keys, strata: &strata.of, quotas: &quotas, seed };
        let picks = diverse::choose(self.what.method, similarity.as_ref(), &items);
        self.ranks = vec![None; rows];
        for (rank, pick) in (1..).zip(&picks) {
            self.ranks[pick.item] = Some(rank);
        }
        let kept: Vec<usize> = picks.iter().map(|pick| pick.item).collect();
        let by_chance = self.by_chance(&strata, &quotas);
        self.report(similarity.as_ref(), &kept, &by_chance, ledger);
        let others = (0..rows).filter(|row| self.ranks[*row].is_none());
        Ok(others.map(|row| Dropped::alone(row as u32)).collect())
    }

    fn why(&self, _: &Dropped) -> Drop {
        Drop { reason: "others add more to the variety".into(), ..Drop::default() }
    }

    fn columns(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(Int64Array::from(self.ranks[rows].to_vec()))])
    }
}
