//! The command line.

use crate::model::ModelFlags;
use clap::{Args, Parser, Subcommand};
use seval_core::cli::{InputFlags, OutputFlags, SharedFlags};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  $ seval-query -m sim: prompts.parquet -o responses.parquet
  $ seval-query -m sim:cautious -m sim:permissive prompts.parquet -o r.parquet
  $ seval-query -m 'sim:*' --limit 10 prompts.parquet --format jsonl
  $ seval-query -m sim: prompts.parquet | seval-critique -c rules --format csv
  $ seval-query -m sim: --set temperature=0,0.7 prompts.parquet -o study.parquet
A server of your own, and what it will take:
  seval-query -m MODEL --base-url http://127.0.0.1:8000/v1 --journal answers.db prompts.parquet \\
    -o responses.parquet
  seval-query --models models.toml -m big -m small --dry-run prompts.parquet
  seval-query models check --models models.toml
Files for a batch service or a cluster, and its results:
  seval-query -m MODEL --emit-requests --shard 50000 prompts.parquet -o requests.jsonl
  seval-query -m MODEL --from-replies 'results-*.jsonl' prompts.parquet -o responses.parquet

Order: for each row the models as given, for each model its decoding settings, for each of these the samples. \
Its memory is bounded, whatever the size of the input.

Models are `sim:NAME`, `replay:FILE` (answers in a file of rows), `exec:COMMAND` (a command that reads and writes \
JSON lines), `PROVIDER:MODEL` (`--list` has the providers), a name in --models, or the name by which the server at \
--base-url knows it.

An interrupted run leaves no output; with --journal, the same command goes on from the answers it has, and what \
failed is asked again. The first Ctrl-C waits for what is under way, the second does not.

Exit status: 0 the output is complete; 1 network or disk; 2 command line; 3 --strict-model; 4 stopped by \
--max-requests, --max-cost or --max-retry-after; 5 input; 130 or 143 interrupted.";

/// Asks models: prompts in, responses out.
///
/// Reads prompt rows (`prompt`, or `messages` where a conversation is asked), asks every model, and writes
/// for each row, model and sample a row with `model`, `response`, `outcome` and the settings used. A request
/// that fails is a row with its outcome and error. `query` means asking a model; SQL is seval-agg's.
/// An example: `seval-query -m sim: prompts.parquet -o responses.parquet`.
#[derive(Parser)]
#[command(
    name = "seval-query",
    version,
    after_long_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Flags {
    #[command(subcommand)]
    pub command: Option<Action>,

    #[command(flatten)]
    pub input: InputFlags,

    #[command(flatten)]
    pub ask: AskFlags,

    #[command(flatten)]
    pub run: RunFlags,

    #[command(flatten)]
    pub asking: ModelFlags,

    #[command(flatten)]
    pub batch: BatchFlags,

    #[command(flatten)]
    pub output: OutputFlags,

    #[command(flatten)]
    pub shared: SharedFlags,
}

impl Flags {
    /// Whether models are asked, and not only planned with or written to files.
    pub fn sends(&self) -> bool {
        !(self.run.dry_run || self.batch.emit_requests)
    }
}

/// Who is asked what.
#[derive(Args, Clone, Debug)]
pub struct AskFlags {
    /// A model to ask: `sim:NAME` (a simulated target; `sim:` is the default one, `sim:*` all of them), a name in
    /// --models, `PROVIDER:MODEL`, `replay:FILE`, `exec:COMMAND`, or the name by which the server at
    /// --base-url knows it.
    #[arg(short, long = "model", value_name = "MODEL")]
    pub model: Vec<String>,

    /// A file of models: addresses, keys by name, settings, limits and prices.
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,

    /// Decoding settings to try, each with each: temperature=0,0.7 top_p=0.9,1. `default` is the server's.
    #[arg(long, value_name = "SETTING=VALUES", num_args = 1..)]
    pub set: Vec<String>,

    /// The server's sampling seed; sample i gets seed + i.
    #[arg(long, value_name = "SEED")]
    pub seed: Option<i64>,

    /// For each token of an answer, its log probability and those of the N likeliest: the column `logprobs`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=100))]
    pub top_logprobs: Option<i64>,

    /// Have answers sent in pieces, as they are made.
    #[arg(long)]
    pub stream: bool,
}

/// How much of it is done.
#[derive(Args, Clone, Debug)]
pub struct RunFlags {
    /// Answers to each prompt.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub samples: i64,

    /// Ask only for the first rows.
    #[arg(long, value_name = "ROWS")]
    pub limit: Option<usize>,

    /// Add `latency_ms` and `attempts`, which differ from run to run.
    #[arg(long)]
    pub timings: bool,

    /// Say what would be asked, how much of it is answered, and what it takes; nothing is sent, and -o, where the
    /// answers will go, is not written. The plan goes to standard output, as --format says.
    #[arg(long, conflicts_with = "emit_requests")]
    pub dry_run: bool,

    /// Send at most so many requests in this run; with --journal, since it ends the run and another goes on.
    #[arg(long, value_name = "N")]
    pub max_requests: Option<u64>,

    /// Spend at most so many US dollars in this run, by the prices in --models; with --journal, as --max-requests.
    #[arg(long, value_name = "DOLLARS", value_parser = dollars)]
    pub max_cost: Option<f64>,

    /// Seconds to wait for what is under way when the run is told to end.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub grace: u64,

    /// End the run if another model answers than was asked.
    #[arg(long)]
    pub strict_model: bool,
}

/// Asking by files.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Files of requests")]
pub struct BatchFlags {
    /// Write the requests as JSON lines of OpenAI's batch format instead, for another program to ask; what
    /// --journal has an answer to is left out.
    #[arg(long)]
    pub emit_requests: bool,

    /// Requests in each file: -o FILE becomes FILE-00001 and so on, of which none may be there.
    #[arg(long, value_name = "N", requires = "emit_requests", value_parser = clap::value_parser!(u64).range(1..))]
    pub shard: Option<u64>,

    /// Take answers from this file of replies to --emit-requests; what has none there, or one that failed, is
    /// asked, if there is an address. It may be given several times, and be a glob.
    #[arg(long, value_name = "FILE")]
    pub from_replies: Vec<String>,
}

/// What there is to do besides asking.
#[derive(Subcommand)]
pub enum Action {
    /// See to the models: `models check` asks each of them once.
    Models(Box<ModelsFlags>),
    /// Say what a journal holds, by model. Also while a run writes to it.
    Status(JournalFlags),
    /// Write a journal's answers as rows, with the hash of what was asked.
    Export(JournalFlags),
    /// Compare every answer of a journal with its checksum.
    Verify(JournalFlags),
}

/// Which models are seen to.
#[derive(Args)]
pub struct ModelsFlags {
    /// `check`.
    #[arg(value_name = "WHAT", value_parser = ["check"])]
    pub what: String,

    #[command(flatten)]
    pub ask: AskFlags,

    #[command(flatten)]
    pub asking: ModelFlags,

    #[command(flatten)]
    pub output: OutputFlags,
}

/// Which journal.
#[derive(Args)]
pub struct JournalFlags {
    /// The journal.
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,

    #[command(flatten)]
    pub output: OutputFlags,
}

fn dollars(text: &str) -> Result<f64, String> {
    match text.trim_start_matches('$').parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("not a sum of at least 0".into()),
    }
}
