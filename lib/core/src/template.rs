//! Templates: one text file each, metadata first. `{# … #}` (Jinja) or `/* … */` (SQL) holds TOML with
//! `about`, `source`, what it needs and a mandatory example that the tests run; the body stays valid for
//! every other tool. Built-in files have the names of their paths (`attack/deepinception`); a path on disk,
//! or a folder given with `--templates`, adds to them and overrides them.

pub mod chain;
mod filters;
pub mod metadata;
mod near;
pub mod render;

use crate::provenance::text_hash;
use crate::{Error, Result, built_in};
use std::path::{Path, PathBuf};

/// A template's text, found but not parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Folder and stem: `attack/deepinception`.
    pub name: String,
    /// Where it is, for messages.
    pub place: String,
    /// Metadata and body.
    pub text: String,
}

impl File {
    /// The name with the hash of the content: what the `template` column holds.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.hash())
    }

    /// The hash of the content.
    pub fn hash(&self) -> String {
        text_hash(&self.text)
    }

    /// The last part of the name.
    pub fn stem(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The folder part of the name: what kind of template it is.
    pub fn kind(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// How many names an error message lists.
const SHOWN: usize = 12;

/// Where templates are looked for.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// A folder laid out as templates/, whose files come before the built-in ones.
    pub folder: Option<PathBuf>,
}

impl Library {
    /// All templates of a kind (`attack`), by name.
    pub fn list(&self, kind: &str) -> Result<Vec<File>> {
        let mut files = Vec::new();
        if let Some(folder) = &self.folder {
            if !folder.is_dir() {
                return Err(Error::usage(folder.to_string_lossy(), "is no folder of templates")
                    .hint("give one that holds attack/ or another folder of such a name"));
            }
            files.extend(on_disk(&folder.join(kind))?);
        }
        let root = format!("templates/{kind}/");
        for (path, text) in built_in::under(&root) {
            let name = stem_of(path.trim_start_matches("templates/"));
            if !files.iter().any(|file: &File| file.name == name) {
                files.push(File { name, place: path.to_owned(), text: text.to_owned() });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// The templates that `wanted` names: a name, a pattern such as `attack/*`, or a path. A name without
    /// a folder is looked for in each of `kinds`.
    pub fn find(&self, kinds: &[&str], wanted: &str) -> Result<Vec<File>> {
        let path = Path::new(wanted);
        if path.is_file() && path.extension().is_some() {
            return Ok(vec![read(path)?]);
        }
        let names: Vec<String> = match wanted.contains('/') {
            true => vec![wanted.to_owned()],
            false => kinds.iter().map(|kind| format!("{kind}/{wanted}")).collect(),
        };
        let mut known = Vec::new();
        for name in &names {
            let pattern = glob::Pattern::new(name).map_err(|error| {
                Error::usage(wanted, error.msg).hint("a pattern is such as 'attack/*' or 'base??'")
            })?;
            let kind = name.split('/').next().unwrap_or_default();
            let files = self.list(kind)?;
            if !kinds.contains(&kind) {
                continue;
            }
            known.extend(files.iter().map(|file| file.name.clone()));
            let found: Vec<File> =
                files.into_iter().filter(|file| pattern.matches(&file.name)).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        if path.extension().is_some_and(|end| ["j2", "sql", "toml"].iter().any(|e| end == *e)) {
            return Err(Error::usage(wanted, "there is no such file")
                .hint("a built-in template is named without its extension; --list shows them"));
        }
        let known = match known.len() {
            0 => format!("there are templates in {}/ only", kinds.join("/, ")),
            1..=SHOWN => format!("there are: {}", known.join(", ")),
            _ => match near::nearest(wanted, &known) {
                Some(near) => format!("did you mean {near}? --list shows all"),
                None => "--list shows those there are".into(),
            },
        };
        Err(Error::usage(wanted, "no template has this name").hint(known))
    }

    /// The one template that `wanted` names.
    pub fn get(&self, kinds: &[&str], wanted: &str) -> Result<File> {
        let mut files = self.find(kinds, wanted)?;
        match files.len() {
            1 => Ok(files.remove(0)),
            many => Err(Error::usage(wanted, format!("names {many} templates, one is needed"))),
        }
    }
}

/// The first sentence a template says of itself; empty if it cannot be read.
pub fn about(file: &File) -> String {
    let table: Option<toml::Table> = match file.text.trim_start_matches('\u{feff}').as_bytes() {
        [b'{', b'#', ..] => metadata::jinja(file).ok().map(|parts| parts.metadata),
        [b'/', b'*', ..] => metadata::sql(file).ok().map(|parts| parts.metadata),
        _ => toml::from_str(&file.text).ok(),
    };
    let about = table.as_ref().and_then(|table| table.get("about")?.as_str()).unwrap_or_default();
    let words = about.split_whitespace().collect::<Vec<_>>().join(" ");
    words.split_inclusive(". ").next().unwrap_or_default().trim().to_owned()
}

fn on_disk(folder: &Path) -> Result<Vec<File>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io(folder.to_string_lossy(), &error))?.path();
        let known =
            path.extension().is_some_and(|end| ["j2", "sql", "toml"].iter().any(|e| end == *e));
        if known {
            files.push(read(&path)?);
        }
    }
    Ok(files)
}

/// A template larger than this is a mistake.
pub const MAX_BYTES: u64 = 4 << 20;

fn read(path: &Path) -> Result<File> {
    let place = path.to_string_lossy().into_owned();
    let io = |error: std::io::Error| Error::io(&place, &error);
    if std::fs::metadata(path).map_err(io)?.len() > MAX_BYTES {
        return Err(Error::usage(place, format!("a template of more than {MAX_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| {
        let error = Error::io(&place, &error);
        Error { kind: crate::Kind::Usage, ..error }
    })?;
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match folder.is_empty() {
        true => stem.into_owned(),
        false => format!("{folder}/{stem}"),
    };
    Ok(File { name, place, text })
}

fn stem_of(path: &str) -> String {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem).to_owned()
}
