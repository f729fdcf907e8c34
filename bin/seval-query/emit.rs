//! Requests in files, for a batch service or a cluster.

use crate::flags::Flags;
use seval_core::cli::{self, count};
use seval_core::output::{self, Options};
use seval_core::{Error, Result, Rows};
use seval_net::batch::Requests;
use seval_net::plan::is_known;
use seval_net::rows::{Settings, requests};
use seval_net::{Known, Model, Request};
use std::path::Path;

/// Writes what has no answer yet: to one file, or to several of so many requests each.
pub fn emit(
    rows: Rows,
    models: &[Model],
    known: &Known,
    settings: &Settings,
    flags: &Flags,
) -> Result<()> {
    if let Some(model) = models.iter().find(|model| model.is_simulated()) {
        return Err(Error::usage(&model.name, "needs no file of requests").hint("ask it directly"));
    }
    let options: Options = (&flags.output).into();
    options.only_lines("requests")?;
    let shard = flags.batch.shard;
    match (shard, options.path.as_deref()) {
        (Some(_), None) => {
            return Err(Error::usage("--shard", "several files need a name")
                .hint("give -o FILE: FILE-00001 and so on are written"));
        }
        (Some(_), Some(path)) => refuse_others(path)?,
        (None, _) => {}
    }
    let (mut answered, mut files) = (0, 0);
    let mut to_write = requests(rows, models, settings)?
        .map(|request| request.and_then(one_turn))
        .filter(|request| match request {
            Ok(request) if is_known(&models[request.model], known, request) => {
                answered += 1;
                false
            }
            _ => true,
        })
        .peekable();
    let mut writer = Requests::default();
    while files == 0 || to_write.peek().is_some() {
        files += 1;
        let path = options.path.as_deref().map(|path| match shard {
            Some(_) => numbered(path, files),
            None => path.to_owned(),
        });
        let most = writer.written().saturating_add(shard.unwrap_or(u64::MAX));
        output::write_text(&Options { path, ..options.clone() }, |out| {
            while writer.written() < most
                && let Some(request) = to_write.next()
            {
                let request = request?;
                writer.write(&models[request.model], &request, out)?;
            }
            Ok(())
        })?;
    }
    drop(to_write);
    let places = if files > 1 { format!(" in {files} files") } else { String::new() };
    let mut parts = vec![format!("{} requests out{places}", count(writer.written()))];
    if writer.repeated() > 0 {
        parts.push(format!("{} more are the same as one of them", count(writer.repeated())));
    }
    if answered > 0 {
        parts.push(format!("{} more have their answer", count(answered)));
    }
    cli::note(parts.join("; "));
    Ok(())
}

/// A file has no place for what depends on an answer.
fn one_turn(request: Request) -> Result<Request> {
    match seval_net::leaves_turns_open(&request) {
        false => Ok(request),
        true => Err(Error::data("the input", "a conversation leaves turns to the model")
            .hint("each of its turns waits for the one before: ask it live")),
    }
}

/// Refuses files of an earlier run under such names: those that this one would not write over would be
/// asked again with its own.
fn refuse_others(path: &str) -> Result<()> {
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    let (before, after) = around_number(path);
    let number = |name: &str| {
        let digits = name.strip_prefix(&before)?.strip_suffix(&after)?;
        (digits.len() >= DIGITS).then(|| digits.parse::<usize>().ok()).flatten()
    };
    // Where there is no such folder, that is said when the first file is made.
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.filter(|name| number(name).is_some()).min() {
        None => Ok(()),
        Some(name) => Err(Error::usage("-o", format!("{name} is there already"))
            .hint("remove the files of the earlier run, or give another name")),
    }
}

/// The name of one of several files.
fn numbered(path: &str, number: usize) -> String {
    let (before, after) = around_number(path);
    let numbered = Path::new(path).with_file_name(format!("{before}{number:0DIGITS$}{after}"));
    numbered.to_string_lossy().into_owned()
}

/// Digits of such a number, at the least.
const DIGITS: usize = 5;

/// What stands before and after the number in the names of several files.
fn around_number(path: &str) -> (String, String) {
    let path = Path::new(path);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().unwrap_or_default().to_string_lossy();
    let dot = if end.is_empty() { "" } else { "." };
    (format!("{stem}-"), format!("{dot}{end}"))
}
