//! seval-query: asks models.

#[path = "../model.rs"]
mod model;
#[path = "../server.rs"]
mod server;

use clap::Parser;
use model::ModelFlags;
use seval_core::cli::{self, InputFlags, OutputFlags, SharedFlags};
use seval_core::provenance::Stage;
use seval_core::{Error, Result, input, output};
use seval_net::rows::{Settings, query};
use seval_net::{Journal, Model, Outcome};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  $ seval-query -m sim: prompts.parquet -o responses.parquet
  $ seval-query -m sim:cautious -m sim:permissive prompts.parquet -o r.parquet
  $ seval-query -m 'sim:*' --limit 10 prompts.parquet --format jsonl
  $ seval-query -m sim: prompts.parquet | seval-critique -c rules --format csv
A server of your own:
  seval-query -m MODEL --base-url http://127.0.0.1:8000/v1 --journal answers.db prompts.parquet \\
    -o responses.parquet

Order and memory: for each row the models as given, for each model the samples. Memory is bounded by the
requests under way. An interrupted run leaves no output; with --journal, the same command goes on from the
answers it has, and what failed is asked again.
Exit status: 0 the output is complete; 1 network or disk; 2 command line; 5 input.";

/// Asks models: prompts in, responses out.
///
/// Reads prompt rows (`prompt`, or `messages` where a conversation is asked), asks every model, and writes
/// for each row, model and sample a row with `model`, `response`, `outcome` and the settings used. A request
/// that fails is a row with its outcome and error. `query` means asking a model; SQL is seval-agg's.
/// An example: `seval-query -m sim: prompts.parquet -o responses.parquet`.
#[derive(Parser)]
#[command(name = "seval-query", version, after_long_help = EXAMPLES)]
struct Flags {
    #[command(flatten)]
    input: InputFlags,

    /// A model to ask: `sim:NAME` (a simulated target; `sim:` is the default one, `sim:*` all of them), or
    /// the name by which the server at --base-url knows it.
    #[arg(short, long = "model", value_name = "MODEL")]
    model: Vec<String>,

    /// Answers to each prompt.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    samples: i64,

    /// Ask only for the first rows.
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,

    /// The server's sampling seed; sample i gets seed + i.
    #[arg(long, value_name = "SEED")]
    seed: Option<i64>,

    /// Add `latency_ms` and `attempts`, which differ from run to run.
    #[arg(long)]
    timings: bool,

    #[command(flatten)]
    asking: ModelFlags,

    #[command(flatten)]
    output: OutputFlags,

    #[command(flatten)]
    shared: SharedFlags,
}

fn main() -> ExitCode {
    cli::main("seval-query", |flags: &Flags| &flags.shared, run)
}

fn run(flags: Flags) -> Result<()> {
    if flags.shared.shown(&["sim"])? {
        return Ok(());
    }
    refuse_sql(&flags.input.files)?;
    let mut stage = Stage::new("seval-query");
    let models = models(&flags, &mut stage)?;
    let sources = input::sources(&flags.input.files)?;
    stage.inputs = input::hashes(&sources)?;
    let mut rows = input::read(sources, &input::Options::default())?;
    if let Some(limit) = flags.limit {
        rows = rows.limit(limit);
    }
    rows.history.push(stage);
    check_journal(&flags)?;
    let (limits, journal) = (flags.asking.server.limits(), flags.asking.server.journal()?);
    let (rows, counts) = query(rows, models, limits, journal.clone(), settings(&flags))?;
    let written = output::write(cli::with_progress(rows), &(&flags.output).into());
    journal.as_ref().map_or(Ok(()), Journal::close)?;
    let written = written?;
    let outcomes = Outcome::ALL.iter().filter(|outcome| counts.of(**outcome) > 0);
    let outcomes = outcomes.map(|outcome| format!("{} {outcome}", cli::count(counts.of(*outcome))));
    let outcomes = outcomes.collect::<Vec<_>>().join(", ");
    let reused =
        journal.map(|journal| format!("; {} from the journal", cli::count(journal.reused())));
    let reused = reused.unwrap_or_default();
    cli::note(format_args!("{} responses: {outcomes}{reused}", cli::count(written)));
    if written > 0 && counts.of(Outcome::Answered) + counts.of(Outcome::Truncated) == 0 {
        cli::warn("no request was answered; see the columns `outcome` and `error`");
    }
    Ok(())
}

fn models(flags: &Flags, stage: &mut Stage) -> Result<Vec<Model>> {
    if flags.model.is_empty() {
        return Err(Error::usage("--model", "no model is named")
            .hint("name one with -m, such as -m sim: for a simulated one"));
    }
    let connection = flags.asking.server.connection()?;
    let mut models: Vec<Model> = Vec::new();
    for spec in &flags.model {
        for model in Model::open(&profile(spec, flags, stage)?, &connection)? {
            if models.iter().any(|known| known.name == model.name) {
                return Err(Error::usage(spec, format!("the model {} is named twice", model.name))
                    .hint("to ask it several times, use --samples"));
            }
            models.push(model);
        }
    }
    Ok(models)
}

/// A simulated target's file is noted, and one in the --templates folder comes before the built-in one.
fn profile(spec: &str, flags: &Flags, stage: &mut Stage) -> Result<String> {
    let Some(name) = spec.strip_prefix("sim:") else { return Ok(spec.to_owned()) };
    let file = match name.rsplit_once(':') {
        Some((path, _)) => flags.shared.template_library().get(&["sim"], path)?,
        None => flags.shared.template_library().get(&["sim"], "default")?,
    };
    stage.files.insert(file.name.clone(), file.hash());
    let overridden =
        flags.shared.templates.is_some() && std::path::Path::new(&file.place).is_file();
    match name.contains(':') || !overridden {
        true => Ok(spec.to_owned()),
        false => {
            Ok(format!("sim:{}:{}", file.place, if name.is_empty() { "default" } else { name }))
        }
    }
}

fn settings(flags: &Flags) -> Settings {
    Settings {
        samples: flags.samples,
        decoding: flags.asking.decoding(flags.seed),
        timings: flags.timings,
    }
}

/// Refuses a journal that would be written over, or over something.
fn check_journal(flags: &Flags) -> Result<()> {
    let Some(journal) = &flags.asking.server.journal else { return Ok(()) };
    let mut others = flags.input.files.iter().chain(&flags.output.output);
    match others.find(|other| output::same_place(&journal.to_string_lossy(), other)) {
        None => Ok(()),
        Some(_) => Err(Error::usage("--journal", "is a file of rows that are read or written")
            .hint("give it a file of its own")),
    }
}

/// `seval-query 'SELECT …'` is what the name suggests to whoever knows databases.
fn refuse_sql(files: &[String]) -> Result<()> {
    let is_sql = |text: &&String| {
        let first = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        ["SELECT", "WITH"].contains(&first.as_str()) && text.contains(' ')
    };
    match files.iter().find(is_sql) {
        None => Ok(()),
        Some(_) => Err(Error::usage("command line", "this is SQL, and seval-query asks models")
            .hint("run it with seval-agg --sql")),
    }
}
