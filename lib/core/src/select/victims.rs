//! Selection by what models did (S-Eval's victims): prompts that so many of them fail, that tell them apart
//! best, or a mix of prompts of high and of low risk. A prompt that no verdict decides about is dropped, and
//! said to be so.

pub mod choose;
pub mod items;
pub mod verdicts;

use crate::select::Drop;
use crate::select::ids::BatchIds;
use crate::select::ledger::StageLedger;
use crate::select::sized::quota::Short;
use crate::select::texts::TextColumn;
use crate::select::victims::choose::{Choice, Mix, failed_by, mix, top_by_discrimination};
use crate::select::victims::items::Item;
use crate::select::victims::verdicts::Verdicts;
use crate::select::whole::{Decide, Dropped};
use crate::{Error, Result, cli};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Which prompts are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// Those that at least so many models fail.
    FailedBy(usize),
    /// The so many that tell models apart best.
    Discriminating(usize),
    /// So many of high and so many of low risk.
    Mix(Mix),
}

/// Keeps prompts by what models did with them.
pub struct Victims {
    wanted: Wanted,
    verdicts: Option<Verdicts>,
    text: TextColumn,
    seed: u64,
    allow_short: bool,
    keys: Vec<u64>,
    /// By row.
    items: Vec<Item>,
    choices: Vec<Choice>,
    models: usize,
}

impl Victims {
    /// Keeps what is wanted, by these verdicts.
    pub fn new(
        wanted: Wanted,
        verdicts: Verdicts,
        text: TextColumn,
        seed: u64,
        allow_short: bool,
    ) -> Self {
        let (keys, items, choices) = (Vec::new(), Vec::new(), Vec::new());
        let verdicts = Some(verdicts);
        Self { wanted, verdicts, text, seed, allow_short, keys, items, choices, models: 0 }
    }

    fn accept(&self, short: &[Short]) -> Result<()> {
        let Some(first) = short.first() else { return Ok(()) };
        let of = |short: &Short| {
            let kind = match (self.wanted, short.stratum) {
                (Wanted::Mix(_), 0) => "high risk",
                (Wanted::Mix(_), _) => "low risk",
                _ => "known discrimination",
            };
            let (has, wanted) = (cli::count(short.has as u64), cli::count(short.wanted as u64));
            format!("{has} of {wanted} prompts of {kind}, {} short", short.wanted - short.has)
        };
        let what = short.iter().map(of).collect::<Vec<_>>().join("; ");
        match self.allow_short {
            true => cli::warn(format_args!("{}: {what}", self.name())),
            false => {
                let place = format!("--{}", self.name());
                let hint = format!("ask for {} or fewer, or go on with --allow-short", first.has);
                return Err(Error::data(place, format!("cannot be met: {what}")).hint(hint));
            }
        }
        Ok(())
    }
}

impl Decide for Victims {
    fn name(&self) -> &'static str {
        match self.wanted {
            Wanted::FailedBy(_) => "failed-by",
            Wanted::Discriminating(_) => "discriminating",
            Wanted::Mix(_) => "mix",
        }
    }

    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>> {
        self.text.check_ids(schema)?;
        Ok(vec![
            Field::new("models_scored", DataType::Int64, true),
            Field::new("models_failed", DataType::Int64, true),
            Field::new("difficulty", DataType::Float64, true),
            Field::new("discrimination", DataType::Float64, true),
        ])
    }

    fn read(&mut self, _: usize, _: usize, batches: &[RecordBatch]) -> Result<()> {
        for batch in batches {
            let texts = self.text.of(batch).ok();
            let ids = BatchIds::new(batch, texts.as_ref());
            for row in 0..batch.num_rows() {
                let id = ids.get(row).text().unwrap_or_default();
                self.keys.push(xxh3_64(id.as_bytes()));
                if let Some(verdicts) = &mut self.verdicts {
                    verdicts.row(&id);
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self, rows: usize, ledger: &StageLedger) -> Result<Vec<Dropped>> {
        let Some(verdicts) = self.verdicts.take() else { return Ok(Vec::new()) };
        let (items, of_row) = verdicts.finish(ledger)?;
        let statistics = items.statistics();
        self.models = items.models.len();
        self.items = of_row.into_iter().map(|item| statistics[item]).collect();
        if let Wanted::FailedBy(k) = self.wanted
            && k > self.models
            && rows > 0
        {
            let what = format!("{k} models are more than the {} with verdicts", self.models);
            return Err(Error::usage("--failed-by", what));
        }
        let (choices, short) = match self.wanted {
            Wanted::FailedBy(k) => (failed_by(&self.items, k, self.models), Vec::new()),
            Wanted::Discriminating(n) => {
                let chosen = top_by_discrimination(&self.items, &self.keys, n);
                (chosen.choices, chosen.short)
            }
            Wanted::Mix(wanted) => {
                let chosen = mix(&self.items, &self.keys, wanted, self.seed);
                (chosen.choices, chosen.short)
            }
        };
        self.accept(&short)?;
        self.choices = choices;
        let dropped = (0..rows).filter(|row| self.choices[*row] != Choice::Keep);
        Ok(dropped.map(|row| Dropped::alone(row as u32)).collect())
    }

    fn why(&self, dropped: &Dropped) -> Drop {
        let row = dropped.row as usize;
        let unknown = self.choices.get(row) == Some(&Choice::Unknown);
        let scored = self.items.get(row).map_or(0, |item| item.scored);
        let reason = match self.wanted {
            _ if scored == 0 => "no verdict".to_owned(),
            Wanted::FailedBy(_) if unknown => "models without a verdict would decide it".to_owned(),
            Wanted::FailedBy(k) => format!("fewer than {k} of {} models fail it", self.models),
            Wanted::Discriminating(_) if unknown => "its discrimination is not known".to_owned(),
            Wanted::Discriminating(n) => format!("not among the {n} that tell models apart best"),
            Wanted::Mix(_) => "not drawn".to_owned(),
        };
        Drop { reason, ..Drop::default() }
    }

    fn columns(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let items = &self.items[rows];
        let count = |of: fn(&Item) -> usize| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(items.iter().map(|item| of(item) as i64)))
        };
        let number = |of: fn(&Item) -> Option<f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter(items.iter().map(of)))
        };
        Ok(vec![
            count(|item| item.scored),
            count(|item| item.failed),
            number(|item| item.difficulty),
            number(|item| item.discrimination),
        ])
    }
}
