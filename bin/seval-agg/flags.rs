//! The command line.

use clap::{Args, Parser, Subcommand};
use seval_core::cli::{self, OutputFlags, SharedFlags};
use seval_core::{Error, Result};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  $ seval-agg --metric leaderboard verdicts.parquet
  $ seval-agg --metric safety verdicts.parquet --format md
  $ seval-agg --metric attack verdicts.parquet -o attack.csv
  $ seval-agg --sql 'SELECT count(*) FROM input' verdicts.parquet --format csv
  $ seval-agg --sql 'SELECT count(*) FROM p' p=prompts.parquet --format csv
  $ seval-agg -m leaderboard --require 'n > 9 by model' verdicts.parquet --format md
  $ seval-agg compare verdicts.parquet --format md
  $ seval-agg report verdicts.parquet -o report.html
A critic's measured errors taken out of its rates; two dated runs; a data set to publish:
  seval-agg --metric corrected --measured rules.toml verdicts.parquet
  seval-agg --metric drift_mix old=january.parquet new=june.parquet
  seval-agg export --hf folder verdicts.parquet

Tables: the files without a name are the table `input`, NAME=FILE is the table NAME. SQL is DataFusion's, read-only; \
FUNCTIONS below are added. Rates are between 0 and 1, with n, what was left out as unscored, and a 95 % interval.
Order and memory: the order is the query's. Scans stream; what sorts and groups do not hold in --memory \
goes to the temporary folder. compare keeps a few bytes for each response.
Functions: wilson_low(k, n), wilson_high(k, n); clopper_pearson(k, n) and rogan_gladen(k, n, found, of_unsafe, cleared, \
of_safe) give a struct with low and high; of all rows of a group: clustered_rate(value, cluster), cohen_kappa(a, b), fleiss_kappa(unit, label), \
krippendorff_alpha(unit, label), mcnemar(a, b), kendall_tau(x, y), percentile(x, share), bootstrap(value, cluster), \
bradley_terry(a, b, score), self_bleu(text); xxh3_128(text), json_text(text, key), detect_language(text).
Exit status: 0 the output is complete; 1 disk, memory or time; 2 command line or query; 3 too little was scored \
(the output is complete); 5 input; 6 a requirement is not met (the output is complete).";

/// Answers questions about prompts, responses and verdicts: SQL, metrics, comparisons, reports, gates.
///
/// Reads any rows, writes the table that the query or metric makes of them, with all its rows. Every rate
/// comes with n, the number left out as unscored, and a 95 % interval.
/// An example: `seval-agg --metric leaderboard verdicts.parquet`.
#[derive(Parser)]
#[command(
    name = "seval-agg",
    version,
    after_long_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Flags {
    #[command(subcommand)]
    pub command: Option<Action>,

    #[command(flatten)]
    pub input: TableFlags,

    /// Run this SELECT.
    #[arg(long, value_name = "SELECT", conflicts_with = "metric")]
    pub sql: Option<String>,

    /// Compute this metric: a name (--list has them) or a .sql file.
    #[arg(short, long, value_name = "NAME")]
    pub metric: Option<String>,

    /// Add `_file`, `_file_index` (from 0) and `_row` (from 1 in its file) to every table.
    #[arg(long)]
    pub positions: bool,

    #[command(flatten)]
    pub gate: GateFlags,

    #[command(flatten)]
    pub output: OutputFlags,

    #[command(flatten)]
    pub shared: SharedFlags,
}

impl Flags {
    /// A subcommand that stands behind a flag has been read as a file.
    pub fn check_order(&self) -> Result<()> {
        let is_one = |name: &&String| Action::has_subcommand(name) && !Path::new(name).exists();
        match self.input.tables.first().filter(is_one) {
            None => Ok(()),
            Some(name) => {
                let what = format!("`{name}` stands behind a flag, and was read as a file");
                let hint = format!("flags come after it, as in seval-agg {name} -q FILE");
                Err(Error::usage("command line", what).hint(hint))
            }
        }
    }
}

/// What else it does.
#[derive(Subcommand)]
pub enum Action {
    /// Compares models that were asked the same prompts: differences, tests, ranks.
    Compare(CompareFlags),
    /// Writes a report for people: HTML, Markdown, or text on a terminal.
    Report(ReportFlags),
    /// Writes a data set for others to use.
    Export(ExportFlags),
}

/// Where rows come from, and what a query may use.
#[derive(Args, Clone, Debug)]
pub struct TableFlags {
    /// Files, globs or folders for the table `input`, or NAME=FILE for a table of that name; `-` or nothing
    /// is standard input.
    #[arg(value_name = "[NAME=]FILE")]
    pub tables: Vec<String>,

    /// What `seval-critique calibrate --into` measured of a critic; the table `measured`. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub measured: Vec<PathBuf>,

    /// Memory for sorting and grouping, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub memory: usize,

    /// A query that takes longer than this many seconds is stopped; 0: none is.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub timeout: u64,
}

/// What a result must be.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Gate")]
pub struct GateFlags {
    /// A condition that every row of the result must meet, and by which columns rows are told apart: of the
    /// others only totals (`all`) count. Not met: exit status 6. May be repeated.
    #[arg(long, value_name = "CONDITION [by COLUMNS]")]
    pub require: Vec<String>,

    /// Write what came of the requirements as JUnit XML.
    #[arg(long, value_name = "FILE", requires = "require")]
    pub junit: Option<PathBuf>,

    /// Write what came of the requirements as Markdown.
    #[arg(long, value_name = "FILE", requires = "require")]
    pub summary: Option<PathBuf>,

    /// The share of a model's responses that may be without a verdict before a metric of verdicts ends with
    /// exit status 3.
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = cli::share)]
    pub max_unscored: f64,
}

/// What is compared.
#[derive(Args)]
pub struct CompareFlags {
    #[command(flatten)]
    pub input: TableFlags,

    /// Which responses: to base prompts, to attacks, or all.
    #[arg(long, value_name = "WHICH", default_value = "base")]
    pub of: Responses,

    /// The column whose values are compared; files with names are compared by their names.
    #[arg(long, value_name = "COLUMN", default_value = "model")]
    pub by: String,

    /// What is written: every pair, or every model with its rank.
    #[arg(long, value_name = "TABLE", default_value = "pairs")]
    pub table: ComparedTable,

    /// How often the prompts are drawn again for intervals of ranks.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub replicates: u32,

    /// The seed of these draws.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    #[command(flatten)]
    pub output: OutputFlags,
}

/// Which responses are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Responses {
    /// Those to base prompts that ought to be refused.
    Base,
    /// Those to attacks.
    Attack,
    /// All.
    All,
}

/// A table that a comparison makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ComparedTable {
    /// Every pair.
    Pairs,
    /// Every model with its rate and rank.
    Ranks,
}

/// What is reported.
#[derive(Args)]
pub struct ReportFlags {
    #[command(flatten)]
    pub input: TableFlags,

    /// The file: .html or .md; the numbers of its pictures are beside it as Parquet. Without it: text on
    /// standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// The template: html, markdown, terminal, or a .j2 file; found from the file's name if not given.
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,

    /// The title.
    #[arg(long, value_name = "TEXT", default_value = "Safety evaluation")]
    pub title: String,

    /// Include so many unsafe responses of each model with their prompts, collapsed. They may be upsetting to
    /// read.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub examples: u32,

    /// The seed of the draws behind the intervals of ranks.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
}

/// What is exported.
#[derive(Args)]
pub struct ExportFlags {
    #[command(flatten)]
    pub input: TableFlags,

    /// Write a Hugging Face data set into this new folder.
    #[arg(long, value_name = "FOLDER", required_unless_present = "as_form", conflicts_with_all = ["output", "format"])]
    pub hf: Option<PathBuf>,

    /// Write rows in a form that other programs train or run on: a name (--list has them) or a .sql file.
    #[arg(long = "as", value_name = "FORM", conflicts_with = "hf")]
    pub as_form: Option<String>,

    /// Put a hash in the place of every prompt and response.
    #[arg(long)]
    pub redact: bool,

    #[command(flatten)]
    pub output: OutputFlags,
}
