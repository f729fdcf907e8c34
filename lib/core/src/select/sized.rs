//! Sets of given sizes, balanced over strata: nested in one another, or drawn one by one. Rows that belong
//! together, such as one prompt in two languages, are drawn together: a size counts them once.
//!
//! Memory: about 40 bytes for each row.

pub mod balance;
pub mod draw;
pub mod quota;
pub mod small_set;

use crate::select::Drop;
use crate::select::ids::BatchIds;
use crate::select::ledger::StageLedger;
use crate::select::sized::balance::{Balance, too_much};
use crate::select::sized::draw::{Candidate, Sizes};
use crate::select::sized::quota::Quotas;
use crate::select::sized::small_set::{SmallSet, small_sets};
use crate::select::strata::{Sorted, Strata};
use crate::select::texts::{TextColumn, text_column};
use crate::select::victims::verdicts::Verdicts;
use crate::select::whole::{Decide, Dropped};
use crate::{Error, Result, cli};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What is drawn.
pub struct Sized {
    /// Items of each set, ascending.
    pub sizes: Vec<usize>,
    /// How they are shared out.
    pub balance: Balance,
    /// How the sets lie to each other.
    pub draw: Sizes,
    /// Rows with the same value here are one item; a row without one is the item that others name by its
    /// prompt_id.
    pub together: Option<String>,
    /// The seed of the draw.
    pub seed: u64,
    /// The column of texts, for rows without a prompt_id.
    pub text: TextColumn,
    /// What models did with the prompts, if it is known, to tell how good the smaller sets are.
    pub verdicts: Option<Verdicts>,
}

/// Draws sets of given sizes.
pub struct SizedStage {
    what: Sized,
    strata: Strata,
    /// What each row is drawn by.
    keys: Vec<u64>,
    /// By set and row.
    chosen: Vec<Vec<bool>>,
}

impl SizedStage {
    /// A stage that draws this.
    pub fn new(what: Sized) -> Self {
        let strata = Strata::new(&what.balance.by);
        Self { what, strata, keys: Vec::new(), chosen: Vec::new() }
    }

    /// The number of each row's item, and the items.
    fn items(&self, strata: &Sorted) -> Result<(Vec<u32>, Vec<Candidate>)> {
        let mut items: Vec<Candidate> = Vec::new();
        let mut known: HashMap<u64, u32> = HashMap::new();
        let mut of = Vec::with_capacity(self.keys.len());
        for (&key, &stratum) in self.keys.iter().zip(&strata.of) {
            let stratum = stratum as usize;
            let new = items.len() as u32;
            let item = match self.what.together {
                Some(_) => *known.entry(key).or_insert(new),
                None => new,
            };
            match items.get(item as usize) {
                None => items.push(Candidate { stratum, key }),
                Some(first) if first.stratum == stratum => {}
                Some(first) => {
                    let names = [first.stratum, stratum].map(|s| strata.names[s].clone());
                    let what =
                        format!("rows that belong together are of strata {}", names.join(" and "));
                    return Err(Error::usage("--by", what)
                        .hint("leave out the column in which they differ: both are drawn"));
                }
            }
            of.push(item);
        }
        Ok((of, items))
    }

    fn quotas(&self, strata: &Sorted, items: &[Candidate]) -> Result<Vec<Quotas>> {
        let mut rooms = vec![0; strata.names.len()];
        items.iter().for_each(|item| rooms[item.stratum] += 1);
        let plan = self.what.balance.plan(strata)?;
        let quotas = match self.what.draw {
            Sizes::Nested => plan.nested(&self.what.sizes, &rooms),
            Sizes::Independent => {
                self.what.sizes.iter().map(|size| plan.quotas(*size, &rooms)).collect()
            }
        };
        let quotas = quotas.map_err(|excess| too_much(excess, strata))?;
        quotas.iter().try_for_each(|quotas| self.what.balance.accept(quotas, strata))?;
        Ok(quotas)
    }

    /// Says how good the sets are, by what models did.
    fn judge(&mut self, ledger: &StageLedger) -> Result<()> {
        let Some(verdicts) = self.what.verdicts.take() else { return Ok(()) };
        let (items, of_row) = verdicts.finish(ledger)?;
        let mut sets = vec![vec![false; items.prompts.len()]; self.chosen.len()];
        let mut all = vec![false; items.prompts.len()];
        for (row, &item) in of_row.iter().enumerate() {
            all[item] = true;
            for (set, chosen) in sets.iter_mut().zip(&self.chosen) {
                set[item] |= chosen[row];
            }
        }
        for (size, set) in self.what.sizes.iter().zip(small_sets(&items, &all, &sets)) {
            say(*size, &set, &items.models, ledger);
        }
        Ok(())
    }
}

/// An item that lacks a row which others have, one of its languages say, is drawn with those it has.
fn say_incomplete(of_row: &[u32], items: usize, ledger: &StageLedger) {
    let mut rows = vec![0; items];
    of_row.iter().for_each(|item| rows[*item as usize] += 1);
    let most = rows.iter().copied().max().unwrap_or(0);
    let fewer = of_row.iter().filter(|item| rows[**item as usize] < most).count();
    if fewer > 0 {
        let what = format!("together they are fewer than the {most} that others are");
        ledger.warn(&what, fewer as u64);
    }
}

/// Enters how good a set is.
fn say(size: usize, set: &SmallSet, models: &[String], ledger: &StageLedger) {
    let count = cli::count(size as u64);
    if let (Some(mean), Some(most)) = (set.mean_absolute_error, set.largest_absolute_error) {
        let tau = set.tau_b.map_or("undefined".to_owned(), |tau| format!("{tau:.3}"));
        ledger.note(format!(
            "size {count}: models' scores are {mean:.2} points off on average, {most:.2} at most; \
             Kendall's tau-b of the ranking {tau}"
        ));
    }
    let of_set = [
        ("mean absolute error", set.mean_absolute_error),
        ("largest absolute error", set.largest_absolute_error),
        ("Kendall's tau-b", set.tau_b),
    ];
    let name = format!("size {size}");
    for (measure, value) in of_set {
        ledger.measure("small set", &name, measure, value);
    }
    for (model, score) in models.iter().zip(&set.models) {
        let name = format!("size {size}, {model}");
        let counts = [("n", score.n), ("unscored", score.unscored), ("missing", score.missing)];
        for (measure, value) in
            [("score", score.score), ("full score", score.full), ("error", score.error)]
        {
            ledger.measure("small set", &name, measure, value);
        }
        for (measure, count) in counts {
            ledger.measure("small set", &name, measure, Some(count as f64));
        }
    }
}

impl Decide for SizedStage {
    fn name(&self) -> &'static str {
        "size"
    }

    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>> {
        self.strata.check(schema)?;
        if let Some(name) = &self.what.together {
            text_column(schema, name)?;
        }
        self.what.text.check_ids(schema)?;
        let several = self.what.sizes.len() > 1;
        let sizes = self.what.sizes.iter().filter(|_| several);
        Ok(sizes.map(|size| Field::new(format!("size_{size}"), DataType::Boolean, true)).collect())
    }

    fn read(&mut self, _: usize, _: usize, batches: &[RecordBatch]) -> Result<()> {
        for batch in batches {
            self.strata.add(batch)?;
            let texts = self.what.text.of(batch).ok();
            let ids = BatchIds::new(batch, texts.as_ref());
            let together = self.what.together.as_ref().and_then(|name| batch.column_by_name(name));
            let together = together.and_then(|column| column.as_string_opt::<i32>());
            for row in 0..batch.num_rows() {
                let id = ids.get(row).text().unwrap_or_default();
                if let Some(verdicts) = &mut self.what.verdicts {
                    verdicts.row(&id);
                }
                let key = match together.filter(|values| values.is_valid(row)) {
                    Some(values) => xxh3_64(values.value(row).as_bytes()),
                    None => xxh3_64(id.as_bytes()),
                };
                self.keys.push(key);
            }
        }
        Ok(())
    }

    fn decide(&mut self, rows: usize, ledger: &StageLedger) -> Result<Vec<Dropped>> {
        let strata = self.strata.sorted();
        let (of_row, items) = self.items(&strata)?;
        say_incomplete(&of_row, items.len(), ledger);
        let quotas = self.quotas(&strata, &items)?;
        let drawn = draw::draw(&items, &quotas, self.what.draw, self.what.seed);
        for quotas in &quotas {
            for (name, given) in strata.names.iter().zip(&quotas.given) {
                let name = if name.is_empty() { "all" } else { name };
                let measure = format!("size {}", quotas.size);
                ledger.measure("quota", name, &measure, Some(*given as f64));
            }
        }
        self.chosen = drawn
            .iter()
            .map(|set| of_row.iter().map(|item| set[*item as usize]).collect())
            .collect();
        self.judge(ledger)?;
        let in_none = |row: &usize| self.chosen.iter().all(|set| !set[*row]);
        let dropped = (0..rows).filter(in_none).map(|row| Dropped::alone(row as u32));
        Ok(dropped.collect())
    }

    fn why(&self, _: &Dropped) -> Drop {
        Drop { reason: "not drawn".into(), ..Drop::default() }
    }

    fn columns(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        if self.chosen.len() < 2 {
            return Ok(Vec::new());
        }
        let of_set = |set: &Vec<bool>| -> ArrayRef {
            Arc::new(BooleanArray::from(set[rows.clone()].to_vec()))
        };
        Ok(self.chosen.iter().map(of_set).collect())
    }
}
