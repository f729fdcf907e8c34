//! seval-agg: SQL and metrics over any rows.

#[path = "../sql.rs"]
mod sql;

use clap::Parser;
use seval_core::cli::{self, OutputFlags, SharedFlags};
use seval_core::provenance::Stage;
use seval_core::template::metadata::{self, QueryMetadata};
use seval_core::{Error, Result, input, output};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  $ seval-agg --metric leaderboard verdicts.parquet
  $ seval-agg --metric safety verdicts.parquet --format md
  $ seval-agg --metric attack verdicts.parquet -o attack.csv
  $ seval-agg --sql 'SELECT count(*) FROM input' verdicts.parquet --format csv
  $ seval-agg --sql 'SELECT count(*) FROM p' p=prompts.parquet --format csv

Tables: the files without a name are the table `input`, NAME=FILE is the table NAME. SQL is DataFusion's,
read-only, with wilson_low(k, n), wilson_high(k, n), xxh3_128(text) and json_text(text, key) added.
Order and memory: the order is the query's. Scans stream; what sorts and groups do not hold in --memory
goes to the temporary folder.
Exit status: 0 the output is complete; 1 disk or memory; 2 command line or query; 5 input.";

/// Answers questions about prompts, responses and verdicts: SQL, and metrics with their intervals.
///
/// Reads any rows, writes the table that the query or metric makes of them, with all its rows. Every rate
/// comes with n, the number left out as unscored, and a 95 % interval.
/// An example: `seval-agg --metric leaderboard verdicts.parquet`.
#[derive(Parser)]
#[command(name = "seval-agg", version, after_long_help = EXAMPLES)]
struct Flags {
    /// Files, globs or folders for the table `input`, or NAME=FILE for a table of that name; `-` or nothing
    /// is standard input.
    #[arg(value_name = "[NAME=]FILE")]
    tables: Vec<String>,

    /// Run this SELECT.
    #[arg(long, value_name = "SELECT", conflicts_with = "metric")]
    sql: Option<String>,

    /// Compute this metric: safety, attack, leaderboard, or a .sql file.
    #[arg(short, long, value_name = "NAME")]
    metric: Option<String>,

    /// Add `_file`, `_file_index` (from 0) and `_row` (from 1 in its file) to every table.
    #[arg(long)]
    positions: bool,

    /// Memory for sorting and grouping, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory: usize,

    #[command(flatten)]
    output: OutputFlags,

    #[command(flatten)]
    shared: SharedFlags,
}

fn main() -> ExitCode {
    cli::main("seval-agg", |flags: &Flags| &flags.shared, run)
}

fn run(flags: Flags) -> Result<()> {
    if flags.shared.shown(&["metric"])? {
        return Ok(());
    }
    let mut stage = Stage::new("seval-agg");
    let (statement, needs, optional) = statement(&flags, &mut stage)?;
    let mut tables = Vec::new();
    for (name, sources) in input::tables(&flags.tables)? {
        stage.inputs.extend(input::hashes(&sources)?);
        let optional = if name == input::INPUT { optional.as_slice() } else { &[] };
        tables.push(input::table(&name, sources, flags.positions, optional)?);
    }
    for table in tables.iter().filter(|table| table.name == input::INPUT) {
        table.check(&needs, flags.metric.as_deref().unwrap_or("the query"))?;
    }
    let mut rows = sql::query(&statement, tables, flags.shared.threads(), flags.memory << 20)?;
    rows.history.push(stage);
    let options = output::Options { all_rows: true, ..(&flags.output).into() };
    output::write(rows, &options).map(|_| ())
}

type Statement = (String, Vec<String>, Vec<(String, arrow::datatypes::DataType)>);

/// The SELECT, the columns its input must have, and those it may lack.
fn statement(flags: &Flags, stage: &mut Stage) -> Result<Statement> {
    match (&flags.sql, &flags.metric) {
        (Some(sql), _) => Ok((sql.clone(), Vec::new(), Vec::new())),
        (None, Some(name)) => {
            let file = flags.shared.template_library().get(&["metric"], name)?;
            let query = metadata::sql::<QueryMetadata>(&file)?;
            stage.files.insert(file.name.clone(), file.hash());
            let optional = query.metadata.optional(&file.place)?;
            Ok((query.body, query.metadata.needs, optional))
        }
        (None, None) => Err(Error::usage("command line", "neither --sql nor --metric is given")
            .hint("try --metric leaderboard; --list shows the metrics")),
    }
}
