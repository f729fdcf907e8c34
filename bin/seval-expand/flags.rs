//! The command line of seval-expand.

use crate::model::ModelFlags;
use clap::Parser;
use seval_core::cli::{InputFlags, OutputFlags, SharedFlags};
use seval_core::expand::plan::Price;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  $ seval-expand --taxonomy s-eval --total 200 -o prompts.parquet
  $ seval-expand --taxonomy s-eval --per-leaf 3 --language en --format jsonl
  $ seval-expand prompts.parquet -t 'attack/*' -o attacks.parquet
  $ seval-expand prompts.parquet -t 'past_tense|base64' --only-new -o two.jsonl
  $ seval-expand prompts.parquet -t 'attack/*' --plan --format md
  $ seval-expand --show attack/deepinception
Base prompts and attacks by a generation model, on a server of your own:
  seval-expand --taxonomy s-eval -t zero_shot --per-leaf 20 -m MODEL \\
      --base-url http://127.0.0.1:8000/v1 --journal mt.journal -o prompts.parquet
  seval-expand prompts.parquet -t reverse_induction -m MODEL --emit-requests -o requests.jsonl
  seval-expand prompts.parquet -t reverse_induction -m MODEL --from-replies replies.jsonl \\
      -o attacks.parquet
Templates that regenerate your own copy of a published attack set:
  seval-expand --learn base.parquet attacks.parquet --into learnt

Order and memory: rows come out in the order they go in, each followed by the prompts made of it, in the \
order of the templates. Time grows with the rows, memory does not, but for --examples and --learn, which are \
held, and some bytes of every request that is written and every prompt that a model lists.
Exit status: 0 the output is complete; 1 network or disk; 2 command line or template; 4 stopped by \
--max-retry-after; 5 input.";

/// Makes prompt rows: base prompts from a taxonomy of risks, attacks from base prompts.
///
/// Reads prompt rows (or a taxonomy), writes the same rows and after each the prompts that the templates
/// make of it, with `prompt_id`, `prompt`, `attack`, `base_id` and `template`. Attacks are made of base
/// prompts only: rows with an `attack`, and conversations, go through as they are.
/// An example: `seval-expand --taxonomy s-eval -o prompts.parquet`.
#[derive(Parser)]
#[command(name = "seval-expand", version, after_long_help = EXAMPLES)]
pub struct Flags {
    #[command(flatten)]
    pub input: InputFlags,

    /// Make base prompts from this taxonomy, built-in or a file, instead of reading rows.
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    pub taxonomy: Option<String>,

    /// Templates by name, pattern or path: `generate/…` make base prompts, `attack/…` attacks. Several make
    /// a prompt each of every row; `a|b` is one, which applies b to what a made.
    #[arg(short, long = "template", value_name = "NAME")]
    pub template: Vec<String>,

    /// Languages of base prompts.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "en,zh",
        requires = "taxonomy",
        conflicts_with = "files"
    )]
    pub language: Vec<String>,

    /// Base prompts of each leaf and language. Without it and --total: all there are; of a generation
    /// model, 10.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = positive, requires = "taxonomy", conflicts_with = "files")]
    pub per_leaf: Option<usize>,

    /// Base prompts in all, in each language, shared out by the `weight` of the risks; what a risk cannot
    /// give goes to those beside it, and is said.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = positive, requires = "taxonomy", conflicts_with = "files")]
    pub total: Option<usize>,

    /// Leave out the rows that came in; only new prompts go on.
    #[arg(long)]
    pub only_new: bool,

    /// Decides every random choice in the templates.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub seed: u64,

    /// Write the attack templates that a published set was made with, learnt from its base prompts and its
    /// attack prompts with their `base_id` (one file can be given twice). All pairs are held in memory.
    #[arg(long, num_args = 2, value_names = ["BASE", "ATTACK"], requires = "into", conflicts_with_all = ["files", "taxonomy", "template", "output"])]
    pub learn: Option<Vec<String>>,

    /// The folder that --learn writes into, for --templates; what is there is replaced with --force only.
    #[arg(long, value_name = "FOLDER", requires = "learn")]
    pub into: Option<PathBuf>,

    /// Say what would be made and asked, as a table, and do nothing.
    #[arg(long)]
    pub plan: bool,

    /// Dollars for a million tokens in and out, for the cost in the plan; it also needs --max-tokens.
    #[arg(long, value_name = "IN,OUT", allow_negative_numbers = true, value_parser = price, requires_all = ["plan", "max_tokens"])]
    pub price: Option<Price>,

    #[command(flatten)]
    pub generation: GenerationFlags,

    #[command(flatten)]
    pub asking: ModelFlags,

    #[command(flatten)]
    pub output: OutputFlags,

    #[command(flatten)]
    pub shared: SharedFlags,
}

/// What is asked of a generation model, and what becomes of its replies.
#[derive(clap::Args)]
#[command(next_help_heading = "Generation by a model")]
pub struct GenerationFlags {
    /// The generation model, by the name its server knows it by, for templates that ask one (`reply` in
    /// their first lines).
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,

    /// What the model is told first; such as what the prompts are for, if it refuses to write them.
    #[arg(long, value_name = "TEXT", requires = "model")]
    pub system: Option<String>,

    /// Base prompts that one request asks for.
    #[arg(long, value_name = "N", default_value_t = 10, allow_negative_numbers = true, value_parser = positive)]
    pub per_request: usize,

    /// Prompt rows to draw examples from, for few-shot templates; `risk_score` says which are preferred.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<String>,

    /// Examples in one request.
    #[arg(long, value_name = "N", default_value_t = 5, allow_negative_numbers = true, value_parser = positive)]
    pub shots: usize,

    /// T of the examples' draw, p ∝ exp(risk_score / T).
    #[arg(long, value_name = "T", default_value_t = 0.1, allow_negative_numbers = true)]
    pub examples_temperature: f64,

    /// Write the requests as JSON lines of OpenAI's batch format instead, for another program to ask.
    #[arg(long, requires = "model", conflicts_with_all = ["from_replies", "journal", "plan"])]
    pub emit_requests: bool,

    /// Take the answers from this file of replies to --emit-requests; nothing is asked.
    #[arg(long, value_name = "FILE", requires = "model", conflicts_with_all = ["journal", "base_url"])]
    pub from_replies: Vec<String>,

    /// Write what the model wrote that is no prompt, and requests it did not answer, to this file, with
    /// `template`, `reason` and `reply`.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub rejects: Option<String>,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("not a whole number above 0".into()),
    }
}

fn price(text: &str) -> Result<Price, String> {
    let dollars =
        |text: &str| text.trim().parse::<f64>().ok().filter(|d| d.is_finite() && *d >= 0.0);
    let both = text.split_once(',').and_then(|(i, o)| Some((dollars(i)?, dollars(o)?)));
    match both {
        Some((input, output)) => Ok(Price { input, output }),
        None => Err("two prices with a comma between them are wanted, such as 0.5,1.5".into()),
    }
}
