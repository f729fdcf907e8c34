//! Stages that are queries: SQL over the rows so far, under the name `input`, and over named files.

use crate::sql::{self, Limits};
use arrow::array::{AsArray, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use seval_core::input::{INPUT, NamedTable};
use seval_core::plain::with_columns;
use seval_core::rows::Batches;
use seval_core::select::ledger::StageLedger;
use seval_core::select::quality::{self, Judgement, POSITION};
use seval_core::select::{Drop, Stage, lazily};
use seval_core::{Error, Result, Rows};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What queries run with.
#[derive(Clone)]
pub struct Engine {
    /// The files with a name.
    pub tables: Vec<NamedTable>,
    /// Threads.
    pub threads: usize,
    /// Bytes for sorting and joining.
    pub memory: usize,
}

impl Engine {
    /// The rows that a statement makes of a table and of the named ones.
    pub fn run(&self, statement: &str, input: NamedTable) -> Result<Rows> {
        let tables = std::iter::once(input).chain(self.tables.iter().cloned()).collect();
        let limits = Limits { memory_bytes: Some(self.memory), threads: self.threads, time: None };
        sql::query(statement, tables, &limits)
    }

    /// The columns that a statement makes of such rows.
    fn columns(&self, statement: &str, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(self.run(statement, NamedTable::empty(INPUT, input))?.schema)
    }

    /// The rows that a statement makes of others, when they are pulled.
    fn later(&self, statement: String, rows: Rows) -> Result<Rows> {
        let schema = self.columns(&statement, &rows.schema)?;
        let (engine, history) = (self.clone(), rows.history.clone());
        let batches =
            lazily(move || Ok(engine.run(&statement, NamedTable::of_rows(INPUT, rows))?.batches));
        Ok(Rows { schema, batches, history })
    }
}

/// `--sql`: whatever rows the statement makes.
pub struct Sql {
    /// The SELECT.
    pub statement: String,
    /// What it runs with.
    pub engine: Engine,
}

impl Stage for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn apply(self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows> {
        let read = Arc::new(AtomicU64::new(0));
        let made = self.engine.later(self.statement, counted(rows, &read))?;
        let mut batches = made.batches;
        let batches = std::iter::from_fn(move || {
            let next = batches.next();
            let rows = next.as_ref().map_or(0, batch_rows);
            ledger.made(read.swap(0, Ordering::Relaxed), rows);
            next
        });
        Ok(Rows { batches: Box::new(batches), ..made })
    }
}

fn batch_rows(batch: &Result<RecordBatch>) -> u64 {
    batch.as_ref().map_or(0, |batch| batch.num_rows() as u64)
}

/// The rows, counted as they are read.
fn counted(rows: Rows, read: &Arc<AtomicU64>) -> Rows {
    let read = read.clone();
    let batches = rows.batches.inspect(move |batch| {
        read.fetch_add(batch_rows(batch), Ordering::Relaxed);
    });
    Rows { batches: Box::new(batches), ..rows }
}

/// `--where`: the rows for which a condition holds, in their order, whatever the condition looks at.
pub struct Where {
    /// The condition.
    pub condition: String,
    /// What it runs with.
    pub engine: Engine,
}

impl Stage for Where {
    fn name(&self) -> &'static str {
        "where"
    }

    fn apply(self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows> {
        let (schema, history) = (rows.schema.clone(), rows.history.clone());
        let rows = numbered(rows)?;
        // On lines of its own, so that a comment at its end ends there.
        let statement = format!("SELECT {POSITION} FROM {INPUT} WHERE (\n{}\n)", self.condition);
        self.engine.columns(&statement, &rows.schema)?;
        let reason = format!("not {}", self.condition.trim());
        let columns = schema.fields().len();
        let engine = self.engine;
        let batches = lazily(move || {
            let table = NamedTable::of_rows(INPUT, rows);
            let kept = positions(engine.run(&statement, table.clone())?)?;
            replay(&table, columns, ledger, move |row| match kept.get(row) {
                Some(true) => None,
                _ => Some(Drop { reason: reason.clone(), ..Drop::default() }),
            })
        });
        Ok(Rows { schema, batches, history })
    }
}

/// The rows of a table once more, with these columns, and without those that are dropped.
fn replay(
    table: &NamedTable,
    columns: usize,
    ledger: StageLedger,
    why: impl Fn(usize) -> Option<Drop> + Send + 'static,
) -> Result<Batches> {
    let mut row = 0;
    let columns: Vec<usize> = (0..columns).collect();
    let batches = (table.open)(&columns).map_err(said)?.map(move |batch| {
        let batch = batch.map_err(said)?;
        let first = row;
        row += batch.num_rows();
        let drops = (0..batch.num_rows()).filter_map(|at| Some((at, why(first + at)?)));
        ledger.pass(&batch, &drops.collect::<Vec<_>>())
    });
    Ok(Box::new(batches))
}

/// The rows with their numbers.
fn numbered(rows: Rows) -> Result<Rows> {
    if rows.schema.index_of(POSITION).is_ok() {
        return Err(Error::data("the input", format!("there is a column `{POSITION}` already"))
            .hint("rename it: the rows are numbered in one of that name"));
    }
    let number = Arc::new(Field::new(POSITION, DataType::Int64, true));
    let fields: Vec<_> = rows.schema.fields().iter().cloned().chain([number]).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let (own, mut row) = (schema.clone(), 0);
    let batches = rows.batches.map(move |batch| {
        let batch = batch?;
        let end = row + batch.num_rows() as i64;
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_iter_values(row..end)));
        row = end;
        with_columns(&own, columns, batch.num_rows())
    });
    Ok(Rows { schema, batches: Box::new(batches), history: rows.history })
}

/// The numbers of the rows, as one flag for each row.
fn positions(rows: Rows) -> Result<Vec<bool>> {
    let mut kept = Vec::new();
    for batch in rows.batches {
        let batch = batch?;
        for row in batch.column(0).as_primitive::<Int64Type>().iter().flatten() {
            let row = row as usize;
            if row >= kept.len() {
                kept.resize(row + 1, false);
            }
            kept[row] = true;
        }
    }
    Ok(kept)
}

/// An error of ours that travelled as one of arrow's.
fn said(error: arrow::error::ArrowError) -> Error {
    match error {
        arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::data("the input", other),
        },
        other => Error::data("the input", other),
    }
}

/// `--quality`: a file of rules, a SELECT that gives every row once with why it is dropped.
pub struct Quality {
    /// The file's name.
    pub name: String,
    /// Its SELECT.
    pub body: String,
    /// The columns that it cannot do without.
    pub needs: Vec<String>,
    /// The columns that it looks at where they are, with their types.
    pub optional: Vec<(String, DataType)>,
    /// What it runs with.
    pub engine: Engine,
}

impl Stage for Quality {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn apply(self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows> {
        let (schema, history) = (rows.schema.clone(), rows.history.clone());
        NamedTable::empty(INPUT, &schema).check(&self.needs, &self.name)?;
        let read = Arc::new(AtomicU64::new(0));
        let rows = with_nulls(numbered(counted(rows, &read))?, &self.optional)?;
        let made = self.engine.columns(&self.body, &rows.schema)?;
        quality::check(&made, &self.name)?;
        let columns = schema.fields().len();
        let batches = lazily(move || {
            let table = NamedTable::of_rows(INPUT, rows);
            let made = self.engine.run(&self.body, table.clone())?;
            // Whether the rules look at it or not, it is read to its end first.
            drop((table.open)(&[]).map_err(said)?);
            let rows = read.load(Ordering::Relaxed) as usize;
            let judgement = Judgement::read(made, rows, &self.name, &ledger)?;
            replay(&table, columns, ledger, move |row| judgement.of(row))
        });
        Ok(Rows { schema, batches, history })
    }
}

/// The rows with columns of nulls for those that they lack.
fn with_nulls(rows: Rows, optional: &[(String, DataType)]) -> Result<Rows> {
    let lacking = optional.iter().filter(|(name, _)| rows.schema.index_of(name).is_err());
    let lacking = lacking.map(|(name, of)| Arc::new(Field::new(name, of.clone(), true)));
    let fields: Vec<_> = rows.schema.fields().iter().cloned().chain(lacking).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let own = schema.clone();
    let batches = rows.batches.map(move |batch| {
        let batch = batch?;
        let rows = batch.num_rows();
        let lacking = own.fields()[batch.num_columns()..].iter();
        let nulls = lacking.map(|field| new_null_array(field.data_type(), rows));
        let columns = batch.columns().iter().cloned().chain(nulls).collect();
        with_columns(&own, columns, rows)
    });
    Ok(Rows { schema, batches: Box::new(batches), history: rows.history })
}
