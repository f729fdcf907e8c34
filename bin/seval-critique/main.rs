//! seval-critique: verdicts on responses.

#[path = "../model.rs"]
mod model;
#[path = "../server.rs"]
mod server;
#[path = "../shown.rs"]
mod shown;

mod critics;
mod flags;
mod measure;

use flags::{Action, Flags};
use seval_core::cli;
use seval_core::critique::columns::CASE;
use seval_core::critique::counts::Tally;
use seval_core::critique::critique;
use seval_core::provenance::Stage;
use seval_core::select::columns::only;
use seval_core::{Error, Kind, Result, Rows, input, output};
use seval_net::{Journal, Progress, judge};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main("seval-critique", |flags: &Flags| &flags.shared, run)
}

fn run(mut flags: Flags) -> Result<()> {
    if flags.shared.shown(&["critic"])? {
        return Ok(());
    }
    match flags.command.take() {
        Some(Action::Calibrate(wanted)) => return measure::calibrate(&wanted),
        Some(Action::Sensitivity(wanted)) => return measure::sensitivity(&wanted),
        Some(Action::Train(wanted)) => return measure::train(&wanted),
        None => {}
    }
    let mut stage = Stage::new("seval-critique");
    let critics = critics::open(&flags, &mut stage)?;
    let by_rules_alone = critics.ask_nobody() && flags.critics.retry_unscored.is_none();
    let rows = rows(&flags, stage, by_rules_alone)?;
    let tally = match by_rules_alone {
        true => by_rules(rows, critics, &flags)?,
        false => by_models(rows, critics, &flags)?,
    };
    say(&tally);
    check(&tally, flags.critics.max_unscored)
}

/// The rows; without a model that may be shown any of them, only the columns that are wanted.
fn rows(flags: &Flags, mut stage: Stage, by_rules_alone: bool) -> Result<Rows> {
    let sources = input::sources(&flags.input.files)?;
    stage.inputs.extend(input::hashes(&sources)?);
    flags.output.refuse_over(stage.inputs.keys())?;
    if let Some(journal) = &flags.asking.server.journal {
        let rows = stage.inputs.keys().map(String::as_str);
        let rows = rows.chain(flags.output.output.as_deref());
        output::refuse_over("--journal", &journal.to_string_lossy(), rows)?;
    }
    let wanted = flags.columns.iter().map(String::as_str).chain(CASE);
    let columns =
        (by_rules_alone && !flags.columns.is_empty()).then(|| wanted.map(str::to_owned).collect());
    let mut rows = input::read(sources, &input::Options { columns, ..Default::default() })?;
    rows.history.push(stage);
    Ok(rows)
}

/// The verdicts of critics that ask nobody.
fn by_rules(rows: Rows, critics: critics::Critics, flags: &Flags) -> Result<Tally> {
    let (rows, counts) = critique(rows, critics.all, critics.panel)?;
    let rows = only(cli::with_progress(rows), &flags.columns)?;
    output::write(rows, &(&flags.output).into())?;
    Ok(counts.tally())
}

/// The verdicts of critics some of which ask a model.
fn by_models(rows: Rows, critics: critics::Critics, flags: &Flags) -> Result<Tally> {
    let journal = flags.asking.server.journal()?;
    let judging = critics::judging(critics, journal.clone(), flags)?;
    let critique = judge::critique(rows, judging)?;
    let counts = critique.counts.clone();
    let shown = shown::Shown::start(critique.answers.progress(), || None);
    cli::when_told(critique.answers.stopper());
    let written = only(critique.into_rows(), &flags.columns)
        .and_then(|rows| output::write(rows, &(&flags.output).into()));
    let progress = shown.stop();
    let closed = journal.as_ref().map_or(Ok(()), Journal::close);
    written?;
    closed?;
    say_asked(&progress, journal.as_ref());
    let tally = counts.tally();
    if flags.critics.retry_unscored.is_some() && tally.read == 0 {
        cli::warn(
            "no row was left unscored by the critics that are named: nothing was judged again",
        );
    }
    Ok(tally)
}

/// What the models were asked.
fn say_asked(progress: &Progress, journal: Option<&Journal>) {
    let mut parts = vec![format!("{} questions to models", cli::count(progress.answers()))];
    parts.extend(
        journal.map(|journal| format!("{} from the journal", cli::count(journal.reused()))),
    );
    parts.extend(progress.cost().filter(|_| progress.sent() > 0).map(|cost| format!("${cost:.4}")));
    cli::note(parts.join("; "));
    progress.take_oddities().iter().for_each(cli::warn);
}

fn say(tally: &Tally) {
    let reasons = tally.unscored.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, count)| format!("{} {}", cli::count(*count), reason.as_str()))
        .collect();
    let reasons = match reasons.is_empty() {
        true => String::new(),
        false => format!(" ({})", reasons.join(", ")),
    };
    cli::note(format_args!(
        "{} responses in; verdicts: {} safe, {} unsafe, {} unscored{reasons}",
        cli::count(tally.read),
        cli::count(tally.safe),
        cli::count(tally.unsafe_),
        cli::count(tally.all_unscored()),
    ));
    if tally.right + tally.wrong > 0 {
        let (right, wrong) = (cli::count(tally.right), cli::count(tally.wrong));
        cli::note(format_args!("answers: {right} right, {wrong} wrong"));
    }
    if tally.injections > 0 {
        cli::warn(format_args!(
            "{} verdicts are on responses that look meant for the critic; see `injection_suspected`",
            cli::count(tally.injections)
        ));
    }
}

/// Too many without a verdict make rates that say little.
fn check(tally: &Tally, most: f64) -> Result<()> {
    let share = tally.share_failed();
    if share <= most {
        return Ok(());
    }
    let what = format!(
        "{} of {} verdicts are missing ({:.1} %), more than {:.1} %",
        cli::count(tally.failed),
        cli::count(tally.judged()),
        share * 100.0,
        most * 100.0
    );
    Err(Error::new(Kind::Unfit, "--max-unscored", what).hint(
        "the output is complete; the column unscored_reason says why, and --retry-unscored judges those again",
    ))
}
