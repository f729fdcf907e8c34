//! Flags that mean the same in all five programs, and what every program can print about itself.

use super::LEVEL;
use crate::output::{self, Format};
use crate::template::Library;
use crate::{Error, Result};
use clap::{Args, CommandFactory, FromArgMatches};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Where rows come from.
#[derive(Args, Clone, Debug)]
pub struct InputFlags {
    /// Files, globs or folders of Parquet, Arrow, JSON lines, JSON or CSV, also in gzip, zstd or zip; `-` or
    /// nothing is standard input. The format is found from the bytes.
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,
}

/// Where rows go.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// The file to write; it appears when it is complete. Without it: standard output, an Arrow stream on a
    /// pipe, a short table on a terminal.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<String>,

    /// The format, if the file's extension does not say it.
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// Show prompts and responses in tables, not their lengths. They may be upsetting to read.
    #[arg(long)]
    pub show_content: bool,

    /// Write a binary format to a terminal all the same.
    #[arg(long)]
    pub force: bool,
}

impl OutputFlags {
    /// Refuses to write over a file that is read.
    pub fn refuse_over<'r>(&self, read: impl IntoIterator<Item = &'r String>) -> Result<()> {
        let output = self.output.as_deref().unwrap_or("-");
        output::refuse_over("-o", output, read.into_iter().map(String::as_str))
    }
}

impl From<&OutputFlags> for output::Options {
    fn from(flags: &OutputFlags) -> Self {
        Self {
            path: flags.output.clone(),
            format: flags.format,
            show_content: flags.show_content,
            force: flags.force,
            all_rows: false,
        }
    }
}

/// A document made from the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Generate {
    /// The man page.
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
}

/// What all programs take.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "General")]
pub struct SharedFlags {
    /// A folder laid out as templates/, whose files add to the built-in ones and override them.
    #[arg(long, value_name = "FOLDER", global = true)]
    pub templates: Option<PathBuf>,

    /// List the templates that this program uses, and end.
    #[arg(long)]
    pub list: bool,

    /// Print one template, to copy from, and end.
    #[arg(long, value_name = "NAME")]
    pub show: Option<String>,

    /// Print the man page or a shell's completions, and end.
    #[arg(long, value_name = "WHAT", exclusive = true)]
    pub generate: Option<Generate>,

    /// Threads; the result does not depend on them. All processors if not given.
    #[arg(short = 'j', long, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Say nothing but errors.
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,

    /// Say more.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl SharedFlags {
    /// Where the templates are.
    pub fn template_library(&self) -> Library {
        Library { folder: self.templates.clone() }
    }

    /// Sets what is global to the process.
    pub(super) fn apply(&self) -> Result<()> {
        let level = if self.quiet { 0 } else { 1 + u8::from(self.verbose) };
        LEVEL.store(level, Ordering::Relaxed);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0).into());
        pool.build_global().map_err(|error| Error::world("threads", error))
    }

    /// The number of threads in use.
    pub fn threads(&self) -> usize {
        rayon::current_num_threads()
    }

    /// Prints what `--list` or `--show` ask for; whether one of them was given.
    pub fn shown(&self, kinds: &[&str]) -> Result<bool> {
        let library = self.template_library();
        if let Some(name) = &self.show {
            print(&library.get(kinds, name)?.text)?;
            return Ok(true);
        }
        if self.list {
            let mut lines = String::new();
            for kind in kinds {
                for file in library.list(kind)? {
                    lines.push_str(&format!(
                        "{:36} {}\n",
                        file.name,
                        crate::template::about(&file)
                    ));
                }
            }
            print(&lines)?;
        }
        Ok(self.list)
    }
}

/// A flag's value that is a share of a whole.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a number from 0 to 1".into()),
    }
}

/// Prints a document on standard output.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Error::io("standard output", &error))
}

/// Reads the command line. None: it asked for something that has been printed.
pub(super) fn parse<Flags>(shared: fn(&Flags) -> &SharedFlags) -> Result<Option<Flags>>
where
    Flags: CommandFactory + FromArgMatches,
{
    let mut command = Flags::command();
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => return Err(usage(&error)),
        Err(text) => {
            let plain = text.render().to_string();
            let styled = text.render().ansi().to_string();
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
            let colour =
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            print(if colour { &styled } else { &plain })?;
            return Ok(None);
        }
    };
    let flags = Flags::from_arg_matches(&matches).map_err(|error| usage(&error))?;
    match shared(&flags).generate {
        Some(what) => {
            print(&String::from_utf8_lossy(&generate(&mut command, what)?)).map(|()| None)
        }
        None => Ok(Some(flags)),
    }
}

/// clap's message in one line of our form.
fn usage(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let more: Vec<&str> = lines
        .filter(|line| !line.starts_with("For more information"))
        .take_while(|line| !line.starts_with("Usage:"))
        .collect();
    let what = match more.is_empty() {
        true => what,
        false => format!("{what} {}", more.join(" ").replace("tip:", "- tip:")),
    };
    Error::usage("command line", what.trim_end_matches('.')).hint("see --help")
}

/// The man page or completions of a program.
fn generate(command: &mut clap::Command, what: Generate) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let shell = match what {
        Generate::Bash => Shell::Bash,
        Generate::Zsh => Shell::Zsh,
        Generate::Fish => Shell::Fish,
        Generate::Man => {
            let page = clap_mangen::Man::new(command.clone());
            page.render(&mut text).map_err(|error| Error::io("man page", &error))?;
            return Ok(text);
        }
    };
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, command, name, &mut text);
    Ok(text)
}
