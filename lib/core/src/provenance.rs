//! Where rows come from: each program adds one [`Stage`] to the history that travels with them, in the
//! schema's metadata on a pipe and in the key-value metadata of a Parquet file.
//!
//! Nothing here differs between two runs on the same input with the same flags: no clock, no host, and
//! of the arguments only those that the rows depend on.

use crate::template::chain::Chain;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// The key under which the history is kept.
pub const HISTORY: &str = "seval.history";

/// The name under which we write files.
pub const WRITER: &str = "seval";

/// Flags that say where the rows go or how they are shown, never what they are. A value follows those
/// marked true.
const NOT_CONTENT: &[(&str, bool)] = &[
    ("-o", true),
    ("--output", true),
    ("-f", true),
    ("--format", true),
    ("-j", true),
    ("--threads", true),
    ("--rejects", true),
    ("--report", true),
    ("--memory", true),
    ("--max-connections", true),
    ("--journal", true),
    ("-q", false),
    ("--quiet", false),
    ("-v", false),
    ("--verbose", false),
    ("--show-content", false),
    ("--force", false),
];

/// One program's part in making the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The program.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// Its arguments, without those that do not change the rows. Keys are never arguments.
    pub args: Vec<String>,
    /// Templates, taxonomies, critics: name → content hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Input files: name → hash of the bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
}

impl Stage {
    /// The stage of the running program.
    pub fn new(tool: &str) -> Self {
        let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
        Self {
            tool: tool.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            args: content_args(args),
            ..Self::default()
        }
    }

    /// Notes the templates that were used.
    pub fn record(&mut self, chains: &[Chain]) {
        for file in chains.iter().flat_map(Chain::files) {
            self.files.insert(file.name.clone(), file.hash());
        }
    }
}

/// The arguments that the rows depend on.
fn content_args(args: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let name = arg.split('=').next().unwrap_or(&arg);
        match NOT_CONTENT.iter().find(|(flag, _)| is_flag(flag, name)) {
            Some((flag, true)) if arg == *flag => {
                args.next();
            }
            Some(_) => {}
            None => kept.push(without_secrets(arg)),
        }
    }
    kept
}

/// An address without its query and user, which may hold a key.
fn without_secrets(arg: String) -> String {
    let Some((before, rest)) = arg.split_once("://") else { return arg };
    let path = rest.split(['?', '#']).next().unwrap_or(rest);
    let host_at = path.find('/').unwrap_or(path.len());
    let (host, path) = path.split_at(host_at);
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{before}://{host}{path}")
}

/// `-oFILE` and `-vv` are the short flag with something behind it.
fn is_flag(flag: &str, name: &str) -> bool {
    flag == name || (flag.len() == 2 && !name.starts_with("--") && name.starts_with(flag))
}

/// The history as text for a file's metadata.
pub fn to_text(history: &[Stage]) -> String {
    serde_json::to_string(history).unwrap_or_default()
}

/// The history in a file's metadata; a text that is not one of ours gives none.
pub fn from_text(text: &str) -> Vec<Stage> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Hash of a text: 16 hex digits of xxh3-64, for names such as `attack/rot13@3f…`.
pub fn text_hash(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

/// Hash of bytes: 16 hex digits of xxh3-64.
pub fn bytes_hash(bytes: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
}

/// Hash of a file's bytes: 32 hex digits of xxh3-128.
pub fn file_hash(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(format!("{:032x}", hasher.digest128()));
        }
        hasher.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_only_say_where_to_are_left_out() {
        let args = ["-o", "a.parquet", "-t", "attack/*", "--output=b", "-j2", "-vv", "-q", "x.csv"];
        let kept = content_args(args.map(String::from));
        assert_eq!(kept, ["-t", "attack/*", "x.csv"]);
        let kept = content_args(["--base-url", "http://me:pw@h/v1?key=k"].map(String::from));
        assert_eq!(kept, ["--base-url", "http://h/v1"]);
    }
}
