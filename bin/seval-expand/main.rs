//! seval-expand: rows × templates → prompt rows.

use clap::Parser;
use seval_core::cli::{self, InputFlags, OutputFlags, SharedFlags};
use seval_core::expand::{Counts, Expansion, Step, expand};
use seval_core::provenance::Stage;
use seval_core::taxonomy::Taxonomy;
use seval_core::template::chain::Chain;
use seval_core::{Error, Result, Rows, input, output};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const EXAMPLES: &str = "\
Examples:
  $ seval-expand --taxonomy s-eval -o prompts.parquet
  $ seval-expand prompts.parquet -t 'attack/*' -o attacks.parquet
  $ seval-expand prompts.parquet -t deepinception --only-new -o one.jsonl
  $ seval-expand --taxonomy s-eval -t question -t 'attack/*' --format jsonl
  $ seval-expand --show attack/deepinception

Order and memory: rows come out in the order they go in, each followed by the prompts made of it. Time
grows with the rows, memory does not.
Exit status: 0 the output is complete; 1 disk; 2 command line or template; 5 input.";

/// Makes prompt rows: base prompts from a taxonomy of risks, attacks from base prompts.
///
/// Reads prompt rows (or a taxonomy), writes the same rows and after each the prompts that the templates
/// make of it, with `prompt_id`, `prompt`, `attack`, `base_id` and `template`. Attacks are made of base
/// prompts only: rows with an `attack`, and conversations, go through as they are.
/// An example: `seval-expand --taxonomy s-eval -o prompts.parquet`.
#[derive(Parser)]
#[command(name = "seval-expand", version, after_long_help = EXAMPLES)]
struct Flags {
    #[command(flatten)]
    input: InputFlags,

    /// Make base prompts from this taxonomy, built-in or a file, instead of reading rows.
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    taxonomy: Option<String>,

    /// Templates by name, pattern or path: `generate/…` make base prompts, `attack/…` attacks.
    #[arg(short, long = "template", value_name = "NAME")]
    template: Vec<String>,

    /// Languages of base prompts.
    #[arg(long, value_delimiter = ',', default_value = "en,zh")]
    language: Vec<String>,

    /// Leave out the rows that came in; only new prompts go on.
    #[arg(long)]
    only_new: bool,

    /// Decides every random choice in the templates.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    output: OutputFlags,

    #[command(flatten)]
    shared: SharedFlags,
}

fn main() -> ExitCode {
    cli::main("seval-expand", |flags: &Flags| &flags.shared, run)
}

fn run(flags: Flags) -> Result<()> {
    if flags.shared.shown(&["attack", "generate"])? {
        return Ok(());
    }
    let (generate, attack) = chains(&flags)?;
    let mut stage = Stage::new("seval-expand");
    let mut steps = Vec::new();
    let mut rows = match &flags.taxonomy {
        Some(name) => {
            let (rows, counts) = base_prompts(&flags, name, generate, &mut stage)?;
            steps.push(("base prompts", counts));
            rows
        }
        None => prompts(&flags, &generate, &attack, &mut stage)?,
    };
    if !attack.is_empty() {
        stage.record(&attack);
        let step = if flags.only_new { Step::AttackOnly } else { Step::Attack };
        let expansion = Expansion::new(&rows.schema, attack, step, flags.seed)?;
        steps.push(("attacks", expansion.counts.clone()));
        rows = expand(rows, expansion);
    }
    rows.history.push(stage);
    let written = output::write(cli::with_progress(rows), &(&flags.output).into())?;
    summarise(&steps, written);
    Ok(())
}

/// Base prompts from a taxonomy, with all the generate/ templates unless some are named.
fn base_prompts(
    flags: &Flags,
    taxonomy: &str,
    mut generate: Vec<Chain>,
    stage: &mut Stage,
) -> Result<(Rows, Arc<Counts>)> {
    let taxonomy = Taxonomy::find(taxonomy)?;
    if generate.is_empty() {
        generate = Chain::find(&flags.shared.template_library(), &["generate"], "generate/*")?;
        generate.retain(|chain| chain.reply().is_none());
    }
    stage.files.insert(format!("taxonomy/{}", taxonomy.name), taxonomy.hash.clone());
    stage.record(&generate);
    let mut languages = flags.language.clone();
    languages.sort();
    languages.dedup();
    let rows = taxonomy.rows(&languages)?;
    let expansion = Expansion::new(&rows.schema, generate, Step::Generate, flags.seed)?;
    let counts = expansion.counts.clone();
    Ok((expand(rows, expansion), counts))
}

/// The prompt rows that attacks are made of.
fn prompts(flags: &Flags, generate: &[Chain], attack: &[Chain], stage: &mut Stage) -> Result<Rows> {
    if !generate.is_empty() {
        return Err(Error::usage("--template", "generate/ templates need a taxonomy")
            .hint("give --taxonomy"));
    }
    if attack.is_empty() {
        return Err(Error::usage("--template", "no template is named")
            .hint("name one with -t, such as -t 'attack/*'; --list shows them"));
    }
    let sources = input::sources(&flags.input.files)?;
    stage.inputs = input::hashes(&sources)?;
    input::read(sources, &input::Options::default())
}

/// The templates for each of the two steps.
fn chains(flags: &Flags) -> Result<(Vec<Chain>, Vec<Chain>)> {
    let kinds: &[&str] = match flags.taxonomy.is_some() {
        true => &["generate", "attack"],
        false => &["attack"],
    };
    let mut all: Vec<Chain> = Vec::new();
    for wanted in &flags.template {
        for chain in Chain::find(&flags.shared.template_library(), kinds, wanted)? {
            // Named twice, its prompts would count twice.
            if !all.iter().any(|known| known.id == chain.id) {
                all.push(chain);
            }
        }
    }
    Ok(all.into_iter().partition(|chain| chain.kind() == "generate"))
}

fn summarise(steps: &[(&str, Arc<Counts>)], written: u64) {
    for (made, counts) in steps {
        let of = |count: &std::sync::atomic::AtomicU64| cli::count(count.load(Ordering::Relaxed));
        cli::note(format_args!(
            "{} rows in, {} {made} made, {} rows no template is for",
            of(&counts.read),
            of(&counts.made),
            of(&counts.passed)
        ));
    }
    cli::note(format_args!("{} rows out", cli::count(written)));
}
