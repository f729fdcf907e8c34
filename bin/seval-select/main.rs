//! seval-select: imports data sets and keeps the rows worth testing.

#[path = "../sql.rs"]
mod sql;

use clap::Parser;
use seval_core::cli::{self, InputFlags, OutputFlags, SharedFlags};
use seval_core::contract::Contract;
use seval_core::provenance::Stage as History;
use seval_core::select::{self, Stage, exact::Exact, import};
use seval_core::template::metadata::{self, QueryMetadata};
use seval_core::{Error, Result, Rows, input, output};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  $ seval-select --exact prompts.parquet -o distinct.parquet
  $ seval-select --exact --rejects lost.csv prompts.parquet -o d.parquet
  $ seval-expand --taxonomy s-eval | seval-select --exact --format jsonl
  $ seval-select --from import/s-eval items.jsonl -o imported.parquet
  $ seval-select --list

Order and memory: rows come out in the order they go in. --exact keeps 32 bytes for each distinct prompt;
an import is a query, and may spill to the temporary folder.
Exit status: 0 the output is complete; 1 disk; 2 command line or importer; 5 input.";

/// Imports data sets as prompt rows, and keeps the rows worth testing.
///
/// Reads prompt rows, or with --from the files of a data set as its authors publish them; writes the rows
/// that pass all stages. Each stage says how many it kept and why it dropped the others; --rejects keeps
/// every dropped row with its reason.
/// An example: `seval-select --exact prompts.parquet -o distinct.parquet`.
#[derive(Parser)]
#[command(name = "seval-select", version, after_long_help = EXAMPLES)]
struct Flags {
    #[command(flatten)]
    input: InputFlags,

    /// Import with this query: import/s-eval, or a .sql file.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    /// Drop prompts that are the same text but for Unicode form, case and white space; the first stays.
    #[arg(long)]
    exact: bool,

    /// Write dropped rows to this file, with `stage`, `reason` and `duplicate_of`.
    #[arg(long, value_name = "FILE")]
    rejects: Option<String>,

    /// Memory of an import's sorting and joining, in MiB; beyond it, the temporary folder is used.
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory: usize,

    #[command(flatten)]
    output: OutputFlags,

    #[command(flatten)]
    shared: SharedFlags,
}

fn main() -> ExitCode {
    cli::main("seval-select", |flags: &Flags| &flags.shared, run)
}

fn run(flags: Flags) -> Result<()> {
    if flags.shared.shown(&["import"])? {
        return Ok(());
    }
    let taken = |path: &String| path == "-" || Some(path) == flags.output.output.as_ref();
    if flags.rejects.as_ref().is_some_and(taken) {
        return Err(Error::usage("--rejects", "is where the rows that are kept go")
            .hint("give dropped rows a file of their own"));
    }
    let mut stage = History::new("seval-select");
    let sources = input::sources(&flags.input.files)?;
    stage.inputs = input::hashes(&sources)?;
    let mut stages: Vec<Box<dyn Stage>> = Vec::new();
    let mut rows = match &flags.from {
        Some(name) => {
            stages.push(Box::new(import::Import::default()));
            imported(&flags, name, sources, &mut stage)?
        }
        None => input::read(sources, &input::Options::default())?,
    };
    if flags.exact {
        Contract::refuse_answered(&rows.schema)?;
        stages.push(Box::new(Exact::default()));
    }
    rows.history.push(stage);
    let rejects = flags
        .rejects
        .as_ref()
        .map(|path| output::Options { path: Some(path.clone()), ..output::Options::default() });
    let (rows, selection) = select::select(rows, stages, rejects.as_ref())?;
    let rows = if flags.from.is_some() { import::finish(rows)? } else { rows };
    let written = output::write(cli::with_progress(rows), &(&flags.output).into())?;
    selection.finish()?;
    cli::note(format_args!("{} rows out", cli::count(written)));
    Ok(())
}

/// The rows that the importer's SELECT makes of the files.
fn imported(
    flags: &Flags,
    name: &str,
    sources: Vec<input::Source>,
    stage: &mut History,
) -> Result<Rows> {
    let file = flags.shared.template_library().get(&["import"], name)?;
    let query = metadata::sql::<QueryMetadata>(&file)?;
    let optional = query.metadata.optional(&file.place)?;
    let table = input::table(input::INPUT, sources, true, &optional)?;
    table.check(&query.metadata.needs, &file.name)?;
    stage.files.insert(file.name.clone(), file.hash());
    let rows = sql::query(&query.body, vec![table], flags.shared.threads(), flags.memory << 20)?;
    import::check(&rows, &file.name)?;
    Ok(rows)
}
