//! seval-query: asks models.

#[path = "../model.rs"]
mod model;
#[path = "../server.rs"]
mod server;
#[path = "../shown.rs"]
mod shown;

mod check;
mod emit;
mod flags;
mod journal;
mod models;
mod plan;
mod progress;

use flags::{Action, Flags};
use seval_core::cli;
use seval_core::output::Format;
use seval_core::provenance::Stage;
use seval_core::{Error, Result, Rows, input, output};
use seval_net::rows::{Settings, query};
use seval_net::{Journal, Known, Limits, batch::Replies};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Texts are made on one thread and let go of on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main("seval-query", |flags: &Flags| &flags.shared, run)
}

fn run(mut flags: Flags) -> Result<()> {
    if flags.shared.shown(&["sim", "provider"])? {
        return Ok(());
    }
    match flags.command.take() {
        Some(Action::Models(wanted)) => return check::check(&wanted, &flags.shared),
        Some(Action::Status(wanted)) => return journal::status(&wanted),
        Some(Action::Export(wanted)) => return journal::export(&wanted),
        Some(Action::Verify(wanted)) => return journal::verify(&wanted),
        None => {}
    }
    give_back_files(&mut flags);
    refuse_sql(&flags.input.files)?;
    let mut stage = Stage::new("seval-query");
    let (models, decodings) = models::open(&flags, &mut stage)?;
    models::check_seeds(&decodings, flags.run.samples)?;
    let settings = Settings::new(decodings, flags.run.samples, flags.run.timings);
    models::check_budget(&flags, &models)?;
    let rows = rows(&flags, stage)?;
    check_places(&flags)?;
    let replies = replies(&flags)?;
    let known =
        Known { journal: journal(&flags)?, replies: replies.as_ref().map(Replies::journal) };
    let journal = known.journal.clone();
    if !flags.sends() {
        if flags.run.dry_run {
            flags.output.format = flags.output.format.or_else(plan_format);
        }
        let done = match flags.run.dry_run {
            true => plan::plan(rows, &models, &known, &settings, &flags),
            false => emit::emit(rows, &models, &known, &settings, &flags),
        };
        journal.as_ref().map_or(Ok(()), Journal::close)?;
        return done;
    }
    let total = total(&flags, settings.variants.len());
    let query = query(rows, models, limits(&flags), known, settings)?;
    let shown = shown::Shown::start(query.answers.progress(), total);
    cli::when_told(query.answers.stopper());
    let written = output::write(query.into_rows(), &(&flags.output).into());
    let progress = shown.stop();
    journal.as_ref().map_or(Ok(()), Journal::close)?;
    if written.is_ok() || progress.answers() > 0 {
        progress::say(&progress, journal.as_ref(), replies.as_ref());
    }
    written.map(|_| ())
}

/// What follows `--set` and is no setting is a file of rows.
fn give_back_files(flags: &mut Flags) {
    let set = std::mem::take(&mut flags.ask.set);
    let is_file = |text: &String| !text.contains('=') || std::path::Path::new(text).exists();
    let (files, set): (Vec<_>, Vec<_>) =
        set.into_iter().partition(|text| !seval_net::grid::is_setting(text) && is_file(text));
    flags.ask.set = set;
    flags.input.files.extend(files);
}

fn rows(flags: &Flags, mut stage: Stage) -> Result<Rows> {
    let sources = input::sources(&flags.input.files)?;
    stage.inputs = input::hashes(&sources)?;
    let mut rows = input::read(sources, &input::Options::default())?;
    if let Some(limit) = flags.run.limit {
        rows = rows.limit(limit);
    }
    rows.history.push(stage);
    Ok(rows)
}

/// Counts the answers to come, where the rows are in files.
fn total(flags: &Flags, variants: usize) -> impl FnOnce() -> Option<u64> + Send + 'static {
    let (files, limit) = (flags.input.files.clone(), flags.run.limit);
    move || {
        let sources = input::sources(&files).ok()?;
        if sources.iter().any(|source| matches!(source, input::Source::Stdin)) {
            return None;
        }
        let options = input::Options { columns: Some(vec!["prompt".into()]), ..Default::default() };
        let rows = input::read(sources, &options).ok()?;
        let rows: usize = rows.batches.map_while(Result::ok).map(|batch| batch.num_rows()).sum();
        Some((limit.map_or(rows, |limit| rows.min(limit)) * variants) as u64)
    }
}

/// The journal, which is only read where nothing will be sent.
fn journal(flags: &Flags) -> Result<Option<Journal>> {
    let server = &flags.asking.server;
    match flags.sends() {
        true => server.journal(),
        false => server.journal.as_deref().map(Journal::open_to_read).transpose(),
    }
}

/// A plan is for people: a pipe gets a table too, if no format is named.
fn plan_format() -> Option<Format> {
    (!std::io::stdout().is_terminal()).then_some(Format::Md)
}

fn replies(flags: &Flags) -> Result<Option<Replies>> {
    match flags.batch.from_replies.is_empty() {
        true => Ok(None),
        false => Replies::read(&flags.batch.from_replies).map(Some),
    }
}

fn limits(flags: &Flags) -> Limits {
    Limits {
        max_requests: flags.run.max_requests,
        max_cost: flags.run.max_cost,
        grace: Duration::from_secs(flags.run.grace),
        strict_model: flags.run.strict_model,
        ..flags.asking.server.limits()
    }
}

/// Refuses an output or a journal that would be written over what is read, or over each other.
fn check_places(flags: &Flags) -> Result<()> {
    let read = files(flags)?;
    // Several files have other names.
    if flags.batch.shard.is_none() {
        flags.output.refuse_over(&read)?;
    }
    let Some(journal) = &flags.asking.server.journal else { return Ok(()) };
    let mut others = read.iter().map(String::as_str).chain(flags.output.output.as_deref());
    match others.find(|other| output::same_place(&journal.to_string_lossy(), other)) {
        None => Ok(()),
        Some(_) => Err(Error::usage("--journal", "is a file of rows that are read or written")
            .hint("give it a file of its own")),
    }
}

/// All files that are read, but for the journal.
fn files(flags: &Flags) -> Result<Vec<String>> {
    let replayed = flags.ask.model.iter().filter_map(|model| model.strip_prefix("replay:"));
    let rows = flags.input.files.iter().chain(&flags.batch.from_replies).map(String::as_str);
    let rows: Vec<String> = rows.chain(replayed).map(str::to_owned).collect();
    let sources = if rows.is_empty() { Vec::new() } else { input::sources(&rows)? };
    let rows = sources.iter().filter_map(|source| source.file());
    let server = &flags.asking.server;
    let others = [&flags.ask.models, &server.api_key_file, &server.ca_file].into_iter().flatten();
    let all = rows.chain(others.map(PathBuf::as_path));
    Ok(all.map(|path| path.to_string_lossy().into_owned()).collect())
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
