//! Queries and metrics over the tables that were given.

use crate::flags::TableFlags;
use crate::sql::{self, Limits};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use seval_core::cli::SharedFlags;
use seval_core::critique::calibrate::Measured;
use seval_core::input::{self, INPUT, NamedTable};
use seval_core::provenance::Stage;
use seval_core::template::File;
use seval_core::template::metadata::{self, QueryMetadata};
use seval_core::{Error, Result, Rows};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The table of what was measured of critics.
const MEASURED: &str = "measured";

/// The tables that queries may read, and what they may use.
pub struct Inputs {
    tables: Vec<NamedTable>,
    limits: Limits,
    /// This program's part in the history of what it writes.
    pub stage: Stage,
}

impl Inputs {
    /// Opens the files.
    pub fn open(flags: &TableFlags, shared: &SharedFlags, positions: bool) -> Result<Self> {
        let mut stage = Stage::new("seval-agg");
        let mut tables = Vec::new();
        for (name, sources) in input::tables(&flags.tables)? {
            stage.inputs.extend(input::hashes(&sources)?);
            let options = input::Options { positions, ..input::Options::default() };
            tables.push(input::table(&name, sources, &options)?);
        }
        if !flags.measured.is_empty() {
            tables.push(NamedTable::of_rows(MEASURED, Rows::of(measured(&flags.measured)?)));
        }
        let time = (flags.timeout > 0).then(|| Duration::from_secs(flags.timeout));
        let memory_bytes = Some(flags.memory << 20);
        let limits = Limits { memory_bytes, threads: shared.threads(), time };
        Ok(Self { tables, limits, stage })
    }

    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&NamedTable> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The tables with names of their own.
    pub fn named(&self) -> impl Iterator<Item = &NamedTable> {
        self.tables.iter().filter(|table| table.name != INPUT)
    }

    /// Whether the table `input` has all these columns.
    pub fn has(&self, columns: &[&str]) -> bool {
        let table = self.table(INPUT);
        table.is_some_and(|table| columns.iter().all(|name| table.schema.index_of(name).is_ok()))
    }

    /// The rows that a SELECT makes of the tables.
    pub fn sql(&self, statement: &str) -> Result<Rows> {
        sql::query(statement, self.tables.clone(), &self.limits)
    }

    /// The rows that a SELECT makes of one table alone.
    pub fn sql_over(&self, statement: &str, table: NamedTable) -> Result<Rows> {
        sql::query(statement, vec![table], &self.limits)
    }

    /// The rows of a metric.
    pub fn metric(&self, metric: &Metric) -> Result<Rows> {
        let Metric { file, metadata, body } = metric;
        for wanted in &metadata.tables {
            if self.table(wanted).is_none() {
                let hint = match wanted == MEASURED {
                    true => "give --measured FILE, which `seval-critique calibrate --into` writes"
                        .into(),
                    false => format!("give it as {wanted}=FILE; --show {} says more", file.name),
                };
                let what = format!("{} needs a table `{wanted}`", file.name);
                return Err(Error::usage("command line", what).hint(hint));
            }
        }
        let mut tables = Vec::new();
        for table in &self.tables {
            table.check(&metadata.needs(&table.name), &file.name)?;
            tables.push(table.or_null(&metadata.optional(&table.name, &file.place)?));
        }
        sql::query(body, tables, &self.limits)
    }
}

/// A metric's file.
pub struct Metric {
    /// The file.
    pub file: File,
    /// Its head.
    pub metadata: QueryMetadata,
    body: String,
}

impl Metric {
    /// The metric or form of this name.
    pub fn open(shared: &SharedFlags, kind: &str, name: &str) -> Result<Self> {
        let file = shared.template_library().get(&[kind], name)?;
        let parts = metadata::sql::<QueryMetadata>(&file)?;
        Ok(Self { file, metadata: parts.metadata, body: parts.body })
    }
}

/// What was measured of critics as a table.
fn measured(paths: &[PathBuf]) -> Result<RecordBatch> {
    let read = |path: &PathBuf| {
        let place = path.to_string_lossy();
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(&place, &error))?;
        Measured::parse(&text).map_err(|error| error.at(&place))
    };
    let all = paths.iter().map(read).collect::<Result<Vec<_>>>()?;
    let text = |of: fn(&Measured) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all.iter().map(of)))
    };
    let share = |of: fn(&Measured) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(all.iter().map(of)))
    };
    let count = |of: fn(&Measured) -> u64| -> Result<ArrayRef> {
        let counts = all.iter().map(|measured| i64::try_from(of(measured)));
        let counts = counts.collect::<std::result::Result<Vec<_>, _>>();
        counts
            .map(|counts| Arc::new(Int64Array::from(counts)) as ArrayRef)
            .map_err(|_| Error::usage("--measured", "more rows were measured than can be counted"))
    };
    RecordBatch::try_from_iter([
        ("critic", text(|measured| &measured.critic)),
        ("reference", text(|measured| &measured.reference)),
        ("sensitivity", share(|measured| measured.sensitivity)),
        ("n_unsafe", count(|measured| measured.n_unsafe)?),
        ("specificity", share(|measured| measured.specificity)),
        ("n_safe", count(|measured| measured.n_safe)?),
    ])
    .map_err(|error| Error::usage("--measured", error))
}
