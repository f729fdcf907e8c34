//! The command line.

use crate::model::ModelFlags;
use clap::{Args, Parser, Subcommand};
use seval_core::cli::{self, InputFlags, OutputFlags, SharedFlags};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  $ seval-critique -c rules responses.parquet -o verdicts.parquet
  $ seval-critique -c rules < responses.parquet | seval-agg --metric safety
  $ seval-critique -c rules responses.parquet --format jsonl | head -n 3
  $ seval-critique --show critic/rules
A model as judge; several critics and what they come to; a model only where rules are unsure:
  seval-critique -c safety -m MODEL --base-url http://127.0.0.1:8000/v1 --journal judge.db \\
    responses.parquet -o verdicts.parquet
  seval-critique -c rules -c safety=MODEL -c llama_guard=GUARD --panel majority \\
    --base-url http://127.0.0.1:8000/v1 responses.parquet -o verdicts.parquet
  seval-critique -c rules -c safety=MODEL --escalate 0.01,1 --base-url http://127.0.0.1:8000/v1 \\
    responses.parquet -o verdicts.parquet
How good is a critic? And one learnt from labels:
  seval-critique calibrate --label human verdicts.parquet
  seval-critique train --label human labelled.parquet --into mine.critic
  seval-critique -c mine.critic responses.parquet -o verdicts.parquet

Order and memory: rows come out in the order they go in, critics as given, the panel last. Time of critics without \
a model grows with the text, memory does not.
Exit status: 0 the output is complete; 1 network or disk; 2 command line or critic; 3 more than --max-unscored \
were left without a verdict (the output is complete and says why); 4 stopped by --max-retry-after; 5 input; 130 or 143 interrupted.";

/// Says of each response whether it is safe, how far it refuses, and why.
///
/// Reads response rows (`response`, and `outcome`, `prompt` and `expected` if there), writes them with `critic`,
/// `verdict`, `risk_score`, `risk_tags`, `refusal`, `correct`, `explanation` and `unscored_reason`; one row for each
/// response and critic. What gave no answer, and what a critic did not judge, is `unscored`, never `safe`.
/// An example: `seval-critique -c rules responses.parquet -o verdicts.parquet`.
#[derive(Parser)]
#[command(
    name = "seval-critique",
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
    pub critics: CriticFlags,

    #[command(flatten)]
    pub asking: ModelFlags,

    /// Write only these columns, comma-separated; others are not read where no critic needs them.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Output")]
    pub columns: Vec<String>,

    #[command(flatten)]
    pub output: OutputFlags,

    #[command(flatten)]
    pub shared: SharedFlags,
}

/// Who judges, and what is made of it.
#[derive(Args, Clone, Debug)]
pub struct CriticFlags {
    /// Critics by name, pattern or path; NAME=MODEL names the model that this critic asks.
    #[arg(short, long = "critic", value_name = "NAME")]
    pub critic: Vec<String>,

    /// The model that critics ask: a name in --models, `PROVIDER:MODEL`, `exec:COMMAND`, or the name by which the
    /// server at --base-url knows it.
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,

    /// A file of models: addresses, keys by name, settings, limits and prices.
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,

    /// Add a verdict that all critics come to: majority, mean, max, weighted or first (the first that has one).
    #[arg(long, value_name = "METHOD", value_parser = ["majority", "mean", "max", "weighted", "first"])]
    pub panel: Option<String>,

    /// How many critics of a panel must have a verdict.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "panel")]
    pub min_valid: usize,

    /// What a critic's verdict weighs in a weighted panel: one for each critic.
    #[arg(long, value_name = "NAME=WEIGHT", requires = "panel")]
    pub weight: Vec<String>,

    /// Go on to the next critic only where the risk score is between these, and give one verdict for each
    /// response: `-c rules -c safety --escalate 0.01,1` asks the model about all but refusals.
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, conflicts_with = "panel")]
    pub escalate: Option<(f64, f64)>,

    /// A policy of your own, for critics that judge by one (see `--show critic/policy`).
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// The base prompts of attacks, so that critics see what an attack hides (`prompt_id` and `prompt`).
    #[arg(long, value_name = "FILE")]
    pub bases: Vec<String>,

    /// The rows are verdicts: judge again those that a critic left unscored, and keep all others. Given the
    /// number of the try, so that each asks anew.
    #[arg(long, value_name = "TRY", num_args = 0..=1, default_missing_value = "1",
          require_equals = true, conflicts_with_all = ["panel", "escalate"], value_parser = clap::value_parser!(i64).range(1..))]
    pub retry_unscored: Option<i64>,

    /// The share of verdicts that critics may fail to give; beyond it the exit status is 3.
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = cli::share)]
    pub max_unscored: f64,

    /// The seed of what is drawn.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
}

/// What there is to do besides judging.
#[derive(Subcommand)]
pub enum Action {
    /// Say how well critics agree with labels of people: accuracy, agreement, calibration, thresholds.
    Calibrate(Box<CalibrateFlags>),
    /// Say how far verdicts depend on the wording of the critic: the same rows judged by several.
    Sensitivity(Box<SensitivityFlags>),
    /// Learn a critic from labels, without a network.
    Train(Box<TrainFlags>),
}

/// What critics are compared with.
#[derive(Args)]
pub struct CalibrateFlags {
    #[command(flatten)]
    pub input: InputFlags,

    /// The column of the labels that count.
    #[arg(long, value_name = "COLUMN")]
    pub label: String,

    /// What labels mean, where they are not the verdict's own words: `--map jailbroken=unsafe`.
    #[arg(long, value_name = "LABEL=MEANING")]
    pub map: Vec<String>,

    /// Columns of other annotators, for their agreement.
    #[arg(long, value_name = "COLUMN")]
    pub annotator: Vec<String>,

    /// What is compared.
    #[arg(long, value_name = "COLUMN", default_value = "verdict", value_parser = ["verdict", "refusal"])]
    pub of: String,

    /// The column by which figures are given too.
    #[arg(long, value_name = "COLUMN")]
    pub by: Option<String>,

    /// Only these parts of the figures: all, group, annotators, scores, reliability, threshold, best.
    #[arg(long, value_name = "PART",
          value_parser = ["all", "group", "annotators", "scores", "reliability", "threshold", "best"])]
    pub part: Vec<String>,

    /// Write sensitivity and specificity with their uncertainty here, for seval-agg to correct rates by.
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,

    #[command(flatten)]
    pub output: OutputFlags,
}

/// Which verdicts are compared with each other.
#[derive(Args)]
pub struct SensitivityFlags {
    #[command(flatten)]
    pub input: InputFlags,

    #[command(flatten)]
    pub output: OutputFlags,
}

/// What a critic learns from.
#[derive(Args)]
pub struct TrainFlags {
    #[command(flatten)]
    pub input: InputFlags,

    /// The column of the labels: safe and unsafe, or full_compliance, partial_refusal and full_refusal.
    #[arg(long, value_name = "COLUMN")]
    pub label: String,

    /// What labels mean, where they are other words: `--map 2_full_refusal=full_refusal`.
    #[arg(long, value_name = "LABEL=MEANING")]
    pub map: Vec<String>,

    /// The column whose rows stay together in cross-validation; by default the prompt.
    #[arg(long, value_name = "COLUMN", default_value = "prompt")]
    pub group: String,

    /// Parts of the cross-validation.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=20))]
    pub folds: u64,

    /// The critic's file, such as mine.critic.
    #[arg(long, value_name = "FILE")]
    pub into: PathBuf,
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let numbers = text.split_once(',').map(|(low, high)| (low.trim().parse(), high.trim().parse()));
    match numbers {
        Some((Ok(low), Ok(high))) if (0.0..=1.0).contains(&low) && (low..=1.0).contains(&high) => {
            Ok((low, high))
        }
        _ => Err("not two numbers from 0 to 1, the lower first, with a comma".into()),
    }
}
