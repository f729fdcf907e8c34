//! Templates: one text file each, metadata first. `{# … #}` (Jinja) or `/* … */` (SQL) holds TOML with
//! `about`, `source`, what it needs and a mandatory example that the tests run; the body stays valid for
//! every other tool. Built-in files have the names of their paths (`attack/deepinception`); a path on disk,
//! or a folder given with `--templates`, adds to them and overrides them.

pub mod chain;
mod constants;
mod filters;
pub mod metadata;
pub mod render;

use crate::provenance::text_hash;
use crate::{Error, Result, built_in};
use std::path::{Component, Path, PathBuf};

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

/// The kind of file that is no template but listed and shown like one.
pub const TAXONOMY: &str = "taxonomy";

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
            let kinds =
                built_in::under("templates/").filter_map(|(path, _)| path.split('/').nth(1));
            if !kinds.chain([TAXONOMY]).any(|kind| folder.join(kind).is_dir()) {
                return Err(Error::usage(
                    folder.to_string_lossy(),
                    "has no folder of templates in it",
                )
                .hint("give one that holds attack/ or another folder of such a name"));
            }
            files.extend(on_disk(folder, kind)?);
        }
        // Taxonomies stand with the schemas, since they are reviewed like those.
        let root = if kind == TAXONOMY { "schemas/" } else { "templates/" };
        for (path, text) in built_in::under(&format!("{root}{kind}/")) {
            let name = stem_of(path.trim_start_matches(root));
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
            _ => match nearest(wanted, &known) {
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

/// The name that was meant: the nearest one, if few letters have to be changed. One without a folder is
/// compared with the last parts of the names.
fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let bare = !wanted.contains('/');
    let last = |name: &'a str| if bare { name.rsplit('/').next().unwrap_or(name) } else { name };
    let distance = |name: &'a str| strsim::damerau_levenshtein(wanted, last(name));
    let (changes, name) = names.iter().map(|name| (distance(name), name.as_str())).min()?;
    let letters = wanted.rsplit('/').next().unwrap_or(wanted).chars().count();
    (changes * 3 <= letters).then_some(name)
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

/// The templates in a folder of `root`. What a link leads to outside of `root` is none of them: whoever
/// wrote the folder would choose which files of yours go to a model.
fn on_disk(root: &Path, kind: &str) -> Result<Vec<File>> {
    let folder = root.join(kind);
    if Path::new(kind).components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(Error::usage(kind, "leads out of the folder of templates")
            .hint("name a template as folder/name, or give a path with its extension"));
    }
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let inside = |path: &Path| match (path.canonicalize(), root.canonicalize()) {
        (Ok(path), Ok(root)) => path.starts_with(root),
        _ => false,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io(folder.to_string_lossy(), &error))?.path();
        let known =
            path.extension().is_some_and(|end| ["j2", "sql", "toml"].iter().any(|e| end == *e));
        if known && !inside(&path) {
            let place = path.to_string_lossy();
            return Err(Error::usage(place, "is a link out of the folder of templates")
                .hint("copy the file into the folder"));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        let names = ["attack/base32", "attack/base64", "attack/past_tense", "attack/rot13"]
            .map(str::to_owned);
        assert_eq!(nearest("base46", &names), Some("attack/base64"));
        assert_eq!(nearest("attack/past-tense", &names), Some("attack/past_tense"));
        assert_eq!(nearest("attack/shout", &names), None);
    }

    #[test]
    fn a_folder_of_templates_ends_at_its_own_files() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library { folder: Some(folder.path().join("mine")) };
        std::fs::create_dir_all(folder.path().join("mine/attack")).unwrap();
        let says = |wanted: &str| library.find(&["attack"], wanted).unwrap_err().to_string();
        std::fs::write(folder.path().join("secret.j2"), "key").unwrap();
        assert!(says("../secret").contains("leads out of the folder"), "{}", says("../secret"));
        assert!(says("attack/../../secret").contains("no template has this name"));
        let within = folder.path().join("mine/attack/a.j2");
        std::fs::write(&within, "{# #}").unwrap();
        std::os::unix::fs::symlink(&within, folder.path().join("mine/attack/b.j2")).unwrap();
        assert_eq!(library.find(&["attack"], "b").unwrap()[0].name, "attack/b");
        let outside = folder.path().join("secret.j2");
        std::os::unix::fs::symlink(outside, folder.path().join("mine/attack/c.j2")).unwrap();
        assert!(says("c").contains("is a link out of the folder"), "{}", says("c"));
    }
}
