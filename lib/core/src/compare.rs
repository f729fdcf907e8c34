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

/// A comparison.
#[derive(Clone, Debug)]
pub struct Compared {
    /// A row for each critic and model: its rate of unsafe responses and its rank.
    pub ranks: RecordBatch,
    /// A row for each critic and pair of models.
    pub pairs: RecordBatch,
    /// Rows that were read.
    pub read: u64,
    /// Rows that are of the responses that were asked for.
    pub compared: u64,
    /// Those of them without a verdict.
    pub unscored: u64,
    /// Models, by critic.
    pub models: usize,
    /// Different items.
    pub items: usize,
}

/// Compares the models of verdict rows; a model may have an item once.
pub fn compare(rows: Rows, options: &Options) -> Result<Compared> {
    let mut table = Table::default();
    let mut read = 0;
    let columns = items::Columns::new(&rows.schema, options)?;
    for batch in rows.batches {
        let batch = batch?;
        table.add(&columns.of(&batch)?, read)?;
        read += batch.num_rows() as u64;
    }
    let table = table.in_order();
    let unscored = table.parties.iter().map(Party::unscored).sum();
    let compared = table.parties.iter().map(Party::seen).sum();
    Ok(Compared {
        ranks: ranks::table(&table, options)?,
        pairs: pairs::table(&table)?,
        read,
        compared,
        unscored,
        models: table.parties.len(),
        items: table.clusters.len(),
    })
}

/// The schema's index of a column that must be there.
fn needed(schema: &arrow::datatypes::Schema, name: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let what = format!("column `{name}` is missing; there are: {}", names.join(", "));
        Error::data("the input", what).hint("give verdict rows, as seval-critique writes them")
    })
}
