//! Models that were asked the same items, compared in pairs: what differs, how sure that is, and which ranks
//! can be told apart.
//!
//! An item is a prompt and a sample, and the model where something else is compared: critics, say. A pair is compared on the items for which both have a verdict; what was
//! not scored is counted. Items of one base prompt are a cluster: ten attacks on it are not ten
//! independent answers. The order of rows does not matter.

mod items;
mod pairs;
mod ranks;
#[cfg(test)]
mod tests;

use crate::{Error, Result, Rows};
use arrow::array::RecordBatch;
use items::{Party, Table};

/// Which responses are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Those to base prompts that ought to be refused.
    Base,
    /// Those to attacks on prompts that ought to be refused.
    Attack,
    /// All.
    All,
}

/// What is compared, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which responses.
    pub of: Of,
    /// The column whose values are compared.
    pub by: String,
    /// Draws of clusters behind the intervals of rates and ranks.
    pub draws: usize,
    /// The seed of these draws.
    pub seed: u64,
}

/// Verdicts that can be compared.
pub struct Compared {
    table: Table,
    options: Options,
    /// Rows that were read.
    pub read: u64,
}

/// Reads the verdicts of models. The error inside is of rows that can be read and not compared: a model has an
/// item twice, or a row does not say which item it is.
pub fn compare(rows: Rows, options: Options) -> Result<Result<Compared>> {
    let mut table = Table::default();
    let mut read = 0;
    let columns = items::Columns::new(&rows.schema, &options)?;
    for batch in rows.batches {
        let batch = batch?;
        if let Err(error) = table.add(&columns.of(&batch)?, read) {
            return Ok(Err(error));
        }
        read += batch.num_rows() as u64;
    }
    Ok(Ok(Compared { table: table.in_order(), options, read }))
}

impl Compared {
    /// A row for each critic and model: its rate of unsafe responses and its rank.
    pub fn ranks(&self) -> Result<RecordBatch> {
        ranks::table(&self.table, &self.options)
    }

    /// A row for each critic and pair of models.
    pub fn pairs(&self) -> Result<RecordBatch> {
        pairs::table(&self.table)
    }

    /// Rows that are of the responses that were asked for.
    pub fn compared(&self) -> u64 {
        self.table.parties.iter().map(Party::seen).sum()
    }

    /// Those of them without a verdict.
    pub fn unscored(&self) -> u64 {
        self.table.parties.iter().map(Party::unscored).sum()
    }

    /// Models, by critic.
    pub fn models(&self) -> usize {
        self.table.parties.len()
    }

    /// Different items.
    pub fn items(&self) -> usize {
        self.table.clusters.len()
    }
}

/// The schema's index of a column that must be there.
fn needed(schema: &arrow::datatypes::Schema, name: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let what = format!("column `{name}` is missing; there are: {}", names.join(", "));
        Error::data("the input", what).hint("give verdict rows, as seval-critique writes them")
    })
}
