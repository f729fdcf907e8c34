//! Models side by side.

use crate::flags::{CompareFlags, ComparedTable, Responses};
use crate::query::Inputs;
use seval_core::cli::{self, SharedFlags, count};
use seval_core::compare::{self, Compared, Of, Options};
use seval_core::input::{INPUT, NamedTable};
use seval_core::{Result, Rows, output};
use std::collections::BTreeSet;

/// The column that names a file and its model, where files have names.
const RUN: &str = "_run";
/// What a comparison reads.
const COLUMNS: [&str; 8] =
    ["prompt_id", "verdict", "base_id", "sample", "critic", "critic_model", "attack", "expected"];

/// Compares, and writes the pairs or the ranks.
pub fn compare(flags: &CompareFlags, shared: &SharedFlags) -> Result<()> {
    let inputs = Inputs::open(&flags.input, shared, false)?;
    flags.output.refuse_over(inputs.stage.inputs.keys())?;
    let of = match flags.of {
        Responses::Base => Of::Base,
        Responses::Attack => Of::Attack,
        Responses::All => Of::All,
    };
    let options =
        Options { of, by: flags.by.clone(), draws: flags.replicates as usize, seed: flags.seed };
    let compared = of_tables(&inputs, options)??;
    say(&compared);
    let mut rows = Rows::of(match flags.table {
        ComparedTable::Pairs => compared.pairs()?,
        ComparedTable::Ranks => compared.ranks()?,
    });
    rows.history.push(inputs.stage);
    let options = output::Options { all_rows: true, ..(&flags.output).into() };
    output::write(rows, &options).map(|_| ())
}

/// The comparison of the models in the files without a name, or of the named files.
/// The error inside is of rows that cannot be compared.
pub fn of_tables(inputs: &Inputs, mut options: Options) -> Result<Result<Compared>> {
    let statement = match inputs.table(INPUT) {
        Some(table) => format!("SELECT {} FROM {INPUT}", columns(table, &["model", &options.by])),
        None => {
            let select = |table: &NamedTable| {
                let (name, by, columns) = (&table.name, &options.by, columns(table, &[]));
                format!("SELECT {columns}, '{name}: ' || \"{by}\" AS {RUN} FROM \"{name}\"")
            };
            let all: Vec<String> = inputs.named().map(select).collect();
            options.by = RUN.to_owned();
            all.join(" UNION ALL BY NAME ")
        }
    };
    compare::compare(inputs.sql(&statement)?, options)
}

/// Those of the columns that a table has; a column that must be there is missed by name later.
fn columns(table: &NamedTable, more: &[&str]) -> String {
    let wanted: BTreeSet<&str> = COLUMNS.iter().chain(more).copied().collect();
    let there = wanted.into_iter().filter(|name| table.schema.index_of(name).is_ok());
    there.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn say(compared: &Compared) {
    cli::note(format_args!(
        "{} rows in, {} compared: {} models under their critics, {} items, {} answers without a verdict",
        count(compared.read),
        count(compared.compared()),
        count(compared.models() as u64),
        count(compared.items() as u64),
        count(compared.unscored()),
    ));
}
