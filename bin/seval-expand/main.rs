//! seval-expand: rows × templates → prompt rows.

use clap::Parser;
use seval_core::cli::{self, InputFlags, OutputFlags, SharedFlags};
use seval_core::expand::{Counts, Step, expand};
use seval_core::provenance::Stage;
use seval_core::taxonomy::Taxonomy;
use seval_core::template::render::Template;
use seval_core::{Error, Result, Rows, input, learn, output};
use std::path::PathBuf;
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

    /// Write the attack templates that a published set was made with, learnt from its base prompts and its
    /// attack prompts with their `base_id` (one file can be given twice). All pairs are held in memory.
    #[arg(long, num_args = 2, value_names = ["BASE", "ATTACK"], requires = "into", conflicts_with_all = ["files", "taxonomy", "template", "output"])]
    learn: Option<Vec<String>>,

    /// The folder that --learn writes into, for --templates; what is there is replaced with --force only.
    #[arg(long, value_name = "FOLDER", requires = "learn")]
    into: Option<PathBuf>,

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
    if let (Some([base, attack]), Some(into)) = (flags.learn.as_deref(), &flags.into) {
        return learn::learn(base, attack, into, flags.output.force);
    }
    let (generate, attack) = templates(&flags)?;
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
        let (attacked, counts) = expand(rows, attack, step, flags.seed)?;
        rows = attacked;
        steps.push(("attacks", counts));
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
    mut generate: Vec<Template>,
    stage: &mut Stage,
) -> Result<(Rows, Arc<Counts>)> {
    let taxonomy = Taxonomy::find(taxonomy)?;
    if generate.is_empty() {
        generate = compile(flags, "generate/*")?;
    }
    stage.files.insert(format!("taxonomy/{}", taxonomy.name), taxonomy.hash.clone());
    stage.record(&generate);
    let mut languages = flags.language.clone();
    languages.sort();
    languages.dedup();
    expand(taxonomy.rows(&languages)?, generate, Step::Generate, flags.seed)
}

/// The prompt rows that attacks are made of.
fn prompts(
    flags: &Flags,
    generate: &[Template],
    attack: &[Template],
    stage: &mut Stage,
) -> Result<Rows> {
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
fn templates(flags: &Flags) -> Result<(Vec<Template>, Vec<Template>)> {
    let mut all = Vec::new();
    for wanted in &flags.template {
        for template in compile(flags, wanted)? {
            // Named twice, its prompts would count twice.
            if !all.iter().any(|known: &Template| known.id == template.id) {
                all.push(template);
            }
        }
    }
    Ok(all.into_iter().partition(|template: &Template| template.file.kind() == "generate"))
}

fn compile(flags: &Flags, wanted: &str) -> Result<Vec<Template>> {
    let kinds: &[&str] = match flags.taxonomy.is_some() {
        true => &["generate", "attack"],
        false => &["attack"],
    };
    flags
        .shared
        .template_library()
        .find(kinds, wanted)?
        .into_iter()
        .map(Template::compile)
        .collect()
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
