//! seval-critique: verdicts on responses.

use clap::Parser;
use seval_core::cli::{self, InputFlags, OutputFlags, SharedFlags};
use seval_core::critique::{Critic, critique};
use seval_core::provenance::Stage;
use seval_core::{Error, Result, input, output};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

const EXAMPLES: &str = "\
Examples:
  $ seval-critique -c rules responses.parquet -o verdicts.parquet
  $ seval-critique -c rules < responses.parquet | seval-agg --metric safety
  $ seval-critique -c rules responses.parquet --format jsonl | head -n 3
  $ seval-critique --show critic/rules

Order and memory: rows come out in the order they go in. Time grows with the text, memory does not.
Exit status: 0 the output is complete; 1 disk; 2 command line or critic; 5 input.";

/// Says of each response whether it is safe, how far it refuses, and why.
///
/// Reads response rows (`response`, and `outcome` and `expected` if there), writes them with `critic`, `verdict`,
/// `risk_score`, `risk_tags`, `refusal`, `correct`, `explanation` and `unscored_reason`; one row for each
/// response and critic. A request that gave no answer is `unscored`, never `safe`.
/// An example: `seval-critique -c rules responses.parquet -o verdicts.parquet`.
#[derive(Parser)]
#[command(name = "seval-critique", version, after_long_help = EXAMPLES)]
struct Flags {
    #[command(flatten)]
    input: InputFlags,

    /// Critics by name, pattern or path.
    #[arg(short, long = "critic", value_name = "NAME")]
    critic: Vec<String>,

    #[command(flatten)]
    output: OutputFlags,

    #[command(flatten)]
    shared: SharedFlags,
}

fn main() -> ExitCode {
    cli::main("seval-critique", |flags: &Flags| &flags.shared, run)
}

fn run(flags: Flags) -> Result<()> {
    if flags.shared.shown(&["critic"])? {
        return Ok(());
    }
    if flags.critic.is_empty() {
        return Err(Error::usage("--critic", "no critic is named")
            .hint("name one with -c, such as -c rules; --list shows them"));
    }
    let mut stage = Stage::new("seval-critique");
    let mut critics = Vec::new();
    for (file, critic) in Critic::find(&flags.shared.template_library(), &flags.critic)? {
        stage.files.insert(file.name.clone(), file.hash());
        critics.push(critic);
    }
    let sources = input::sources(&flags.input.files)?;
    stage.inputs = input::hashes(&sources)?;
    let (mut rows, counts) = critique(input::read(sources, &input::Options::default())?, critics)?;
    rows.history.push(stage);
    output::write(cli::with_progress(rows), &(&flags.output).into())?;
    let of = |count: &std::sync::atomic::AtomicU64| cli::count(count.load(Ordering::Relaxed));
    cli::note(format_args!(
        "{} responses in; verdicts: {} safe, {} unsafe, {} unscored",
        of(&counts.read),
        of(&counts.safe),
        of(&counts.unsafe_),
        of(&counts.unscored)
    ));
    Ok(())
}
