//! The edge: the only place that talks to the terminal, and the flags that all five programs share.
//!
//! Standard output carries data only. Everything for people goes to standard error, cleaned of control
//! sequences. A panic is an error like others, a reader that has gone away is the quiet end of a filter.

pub mod flags;
mod signals;

pub use flags::{InputFlags, OutputFlags, SharedFlags, share};
pub use signals::when_told;

use crate::safe_text::SafeText;
use crate::{Error, Kind, Result, output};
use clap::{CommandFactory, FromArgMatches};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The running program's name.
static PROGRAM: OnceLock<&'static str> = OnceLock::new();
/// 0 errors only, 1 summaries and warnings, 2 more.
static LEVEL: AtomicU8 = AtomicU8::new(1);

thread_local! {
    /// Set while a parser runs that may panic on hostile bytes.
    static QUIET_PANICS: Cell<bool> = const { Cell::new(false) };
}

/// Runs a program: parses its flags, does what all programs do alike, then `run`.
pub fn main<Flags>(
    program: &'static str,
    shared: fn(&Flags) -> &SharedFlags,
    run: impl FnOnce(Flags) -> Result<()>,
) -> ExitCode
where
    Flags: CommandFactory + FromArgMatches,
{
    let _ = PROGRAM.set(program);
    catch_panics();
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let flags = match flags::parse::<Flags>(shared)? {
            Some(flags) => flags,
            None => return Ok(()),
        };
        shared(&flags).apply()?;
        signals::watch()?;
        run(flags)
    }));
    output::remove_unfinished();
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&error),
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(error: &Error) -> ExitCode {
    if error.kind != Kind::ReaderGone {
        say(error);
    }
    match signals::told() {
        Some(signal) if error.kind == Kind::Incomplete => ExitCode::from(128 + signal),
        _ => ExitCode::from(error.exit_code()),
    }
}

/// A panic is a defect of ours: said in one line, with the place to report it by.
fn catch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if QUIET_PANICS.get() {
            return;
        }
        let place =
            panic.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
        let what = panic.payload_as_str().unwrap_or("a panic");
        say(format_args!("{place}: internal error: {what}; please report this line"));
    }));
}

/// Runs `parse`, whose panic is silent and gives none.
pub(crate) fn quietly<T>(parse: impl FnOnce() -> T) -> Option<T> {
    let before = QUIET_PANICS.replace(true);
    let result = std::panic::catch_unwind(AssertUnwindSafe(parse));
    QUIET_PANICS.set(before);
    result.ok()
}

/// One message on standard error: *program: message*.
fn say(message: impl Display) {
    let program = PROGRAM.get().copied().unwrap_or("seval");
    let text = SafeText::message(&format!("{program}: {message}")).to_string();
    // Nobody can be told that standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A line of a page that was asked for, on standard error.
pub fn print_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", SafeText::message(line));
}

/// A summary or a note; not with `--quiet`.
pub fn note(message: impl Display) {
    if LEVEL.load(Ordering::Relaxed) >= 1 {
        say(message);
    }
}

/// A warning: something is odd, and the run goes on. Not with `--quiet`.
pub fn warn(message: impl Display) {
    note(format_args!("warning: {message}"));
}

/// What was done in detail; with `--verbose`.
pub fn detail(message: impl Display) {
    if LEVEL.load(Ordering::Relaxed) >= 2 {
        say(message);
    }
}

/// A number with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A line about work under way, on standard error: on a terminal it is written over, elsewhere each is a line of
/// its own. Not with `--quiet`.
pub struct Line(Option<ProgressBar>);

impl Line {
    /// A line with nothing in it.
    pub fn new() -> Self {
        let bar = is_shown().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self(bar)
    }

    /// Whether it is written over.
    pub fn is_live(&self) -> bool {
        self.0.is_some()
    }

    /// What it says now.
    pub fn show(&self, text: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(SafeText::message(text).to_string()),
            None => note(text),
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Whether standard error is a terminal, and something may be said.
fn is_shown() -> bool {
    std::io::stderr().is_terminal() && LEVEL.load(Ordering::Relaxed) >= 1
}

/// Shows how many rows have gone through, on standard error and only if it is a terminal.
pub fn with_progress(rows: crate::Rows) -> crate::Rows {
    if !is_shown() {
        return rows;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{human_pos} rows in {elapsed}") {
        bar.set_style(style);
    }
    let mut source = rows.batches;
    let batches = std::iter::from_fn(move || {
        let next = source.next();
        match &next {
            Some(Ok(batch)) => bar.inc(batch.num_rows() as u64),
            _ => bar.finish_and_clear(),
        }
        next
    });
    crate::Rows { batches: Box::new(batches), ..rows }
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 1234567].map(super::count), ["0", "999", "1,000", "1,234,567"]);
    }
}
