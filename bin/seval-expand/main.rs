//! seval-expand: rows × templates → prompt rows.

mod choose;
mod flags;
mod languages;
#[path = "../model.rs"]
mod model;
#[path = "../server.rs"]
mod server;
mod steps;

use flags::Flags;
use seval_core::cli;
use seval_core::expand::plan;
use seval_core::provenance::Stage;
use seval_core::{Result, Rows, learn, output};
use seval_net::generate;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use steps::{Generation, Steps};

fn main() -> ExitCode {
    cli::main("seval-expand", |flags: &Flags| &flags.shared, run)
}

fn run(flags: Flags) -> Result<()> {
    if flags.shared.shown(&["attack", "generate", "taxonomy"])? {
        return Ok(());
    }
    if let (Some([base, attack]), Some(into)) = (flags.learn.as_deref(), &flags.into) {
        return learn::learn(base, attack, into, flags.output.force);
    }
    let mut stage = Stage::new("seval-expand");
    let steps = Steps::find(&flags, &mut stage)?;
    flags.output.refuse_over(stage.inputs.keys())?;
    if flags.plan {
        return write_plan(&flags, steps);
    }
    if flags.generation.emit_requests {
        return write_requests(&flags, steps);
    }
    let (mut rows, made) = steps.rows(&flags)?;
    rows.history.push(stage);
    let written = output::write(cli::with_progress(rows), &(&flags.output).into());
    // A run that failed has answers too.
    made.close()?;
    let written = written?;
    made.summarise(&flags);
    cli::note(format_args!("{} rows out", cli::count(written)));
    Ok(())
}

/// What the steps would make and ask.
fn write_plan(flags: &Flags, steps: Steps) -> Result<()> {
    let (rows, kept, lines) = steps.plan(flags)?;
    drain(rows)?;
    let kept = kept.map(|counts| counts.read.load(Relaxed));
    let table = plan::table(&lines, kept, flags.asking.max_tokens, flags.price)?;
    let options = output::Options { all_rows: true, ..(&flags.output).into() };
    output::write(table, &options).map(|_| ())
}

fn drain(rows: Rows) -> Result<()> {
    rows.batches.into_iter().try_for_each(|batch| batch.map(|_| ()))
}

/// The requests of the step that asks, for another program.
fn write_requests(flags: &Flags, steps: Steps) -> Result<()> {
    let options: output::Options = (&flags.output).into();
    options.only_lines("requests")?;
    let (rows, expansion) = steps.asking(flags)?;
    let Generation { model, settings } = Generation::of(flags)?;
    let (mut written, mut repeated) = (0, 0);
    output::write_text(&options, |out| {
        (written, repeated) = generate::emit(rows, expansion, &model, settings, out)?;
        Ok(())
    })?;
    let same = match repeated {
        0 => String::new(),
        _ => format!("; {} more are the same as one of them", cli::count(repeated)),
    };
    cli::note(format_args!("{} requests out{same}", cli::count(written)));
    Ok(())
}
