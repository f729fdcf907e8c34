//! The way from our rows to the query engine and back, for the two programs that hold it.

use seval_core::input::NamedTable;
use seval_core::provenance::Stage;
use seval_core::{Error, Result, Rows, plain};

pub use seval_sql::Limits;

/// The rows that a SELECT makes of the tables.
pub fn query(statement: &str, tables: Vec<NamedTable>, limits: &Limits) -> Result<Rows> {
    let history = history(&tables);
    let scanned = tables.into_iter().map(|table| seval_sql::Table {
        name: table.name,
        schema: table.schema,
        open: table.open,
    });
    let rows = seval_sql::query(statement, scanned.collect(), limits).map_err(failed)?;
    let schema = plain::plain_schema(&rows.schema, "the query")?;
    let columns = schema.clone();
    let batches = rows.batches.map(move |batch| {
        let batch = batch.map_err(|error| failed(error.into()))?;
        plain::to_plain(&batch, &columns, "the query")
    });
    Ok(Rows { schema, batches: Box::new(batches), history })
}

/// What made the tables, each program's part once.
fn history(tables: &[NamedTable]) -> Vec<Stage> {
    let mut history: Vec<Stage> = Vec::new();
    for made in tables.iter().flat_map(|table| &table.history) {
        if !history.contains(made) {
            history.push(made.clone());
        }
    }
    history
}

/// The engine's error by who must act.
fn failed(error: seval_sql::Error) -> Error {
    match error {
        seval_sql::Error::Sql(what) => Error::usage("the query", what),
        seval_sql::Error::Data(what) => Error::data("", what),
        seval_sql::Error::Resources(what) => {
            Error::world("the query", what).hint("--help says what limits it")
        }
    }
}
