//! What models did with the prompts of a selection, from files of verdicts.

use crate::contract::Contract;
use crate::input::{self, Source};
use crate::select::ledger::StageLedger;
use crate::select::victims::items::{Items, ItemsBuilder, Verdict};
use crate::{Error, Result, cli};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use std::collections::HashSet;

/// The columns that are read.
const COLUMNS: [&str; 3] = ["prompt_id", "model", "verdict"];

/// The prompts of the rows so far, and where the verdicts are.
pub struct Verdicts {
    sources: Vec<Source>,
    builder: ItemsBuilder,
    known: HashSet<String>,
    of_row: Vec<usize>,
}

impl Verdicts {
    /// Verdicts from these files.
    pub fn new(sources: Vec<Source>) -> Self {
        let (builder, known) = (ItemsBuilder::default(), HashSet::new());
        Self { sources, builder, known, of_row: Vec::new() }
    }

    /// Adds a row by its prompt_id.
    pub fn row(&mut self, prompt_id: &str) {
        let item = self.builder.item(prompt_id);
        self.known.insert(prompt_id.to_owned());
        self.of_row.push(item);
    }

    /// Reads the verdicts: the matrix, and the number of each row's item in it.
    pub fn finish(mut self, ledger: &StageLedger) -> Result<(Items, Vec<usize>)> {
        let options = input::Options {
            columns: Some(COLUMNS.map(str::to_owned).into()),
            ..input::Options::default()
        };
        let rows = input::read(self.sources, &options)?;
        Contract::verdicts()?.check(&rows.schema, &["verdict"], "--verdicts")?;
        let (mut read, mut about) = (0, 0);
        for batch in rows.batches {
            let batch = batch?;
            let [ids, models, verdicts] = texts(&batch)?;
            for row in 0..batch.num_rows() {
                read += 1;
                let known = verdicts.is_valid(row).then(|| Verdict::named(verdicts.value(row)));
                let verdict = known.flatten().ok_or_else(|| {
                    Error::data(
                        format!("--verdicts: row {read}"),
                        "the verdict is none of safe, unsafe, unscored",
                    )
                })?;
                // Verdicts on other prompts say nothing here.
                let known = ids.is_valid(row) && self.known.contains(ids.value(row));
                if known && models.is_valid(row) {
                    about += 1;
                    self.builder.add(ids.value(row), models.value(row), verdict);
                }
            }
        }
        let items = self.builder.finish();
        if about == 0 && !self.of_row.is_empty() {
            return Err(Error::data("--verdicts", "no verdict is about any of these prompts")
                .hint("they are matched by prompt_id: give verdicts on these very prompts"));
        }
        ledger.note(format!(
            "{} verdicts, {} of them about these prompts, by {} models",
            cli::count(read),
            cli::count(about),
            cli::count(items.models.len() as u64)
        ));
        Ok((items, self.of_row))
    }
}

fn texts(batch: &RecordBatch) -> Result<[&StringArray; 3]> {
    let mut found = Vec::new();
    for name in COLUMNS {
        let column = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let what = format!("column `{name}` of text is missing");
        found.push(column.ok_or_else(|| {
            Error::data("--verdicts", what).hint("give what seval-critique writes")
        })?);
    }
    found.try_into().map_err(|_| Error::data("--verdicts", "columns are missing"))
}
