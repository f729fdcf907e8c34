//! Learning: from pairs of a base prompt and an attack prompt to templates that make the one of the other.
//!
//! Where the base prompt is found in the attack, the rest is a frame; frames and what
//! varies in them become texts and slots of a template. It remembers what every pair was made with, by
//! prompt_id and never by text, so that the published rows come out again; new prompts get a choice drawn.
//! What was learnt is what the written template, run by the same engine, gives back to the byte.

mod find;
mod pairs;
mod pieces;
mod slots;
mod write;

use crate::output::Place;
use crate::template::metadata::PromptExample;
use crate::template::render::{Row, Template};
use crate::template::{File, MAX_BYTES};
use crate::{Error, Result, cli, expand};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use pairs::{Attack, Pair};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use write::{Head, Part};

/// A file is written if this share of an attack's rows comes out again: `1 / MIN_SHARE`.
const MIN_SHARE: usize = 10;
/// Shapes that one template holds for a language.
const MAX_SHAPES: usize = 64;
/// The longest name of an attack that becomes a file's.
const MAX_NAME: usize = 100;

/// What was learnt of one attack.
#[derive(Debug)]
pub struct Learnt {
    /// Its name.
    pub name: String,
    /// Rows whose base prompt is known.
    pub pairs: u64,
    /// Those that the template gives back to the byte.
    pub regenerated: u64,
    /// Rows that are not given back, by reason.
    pub not: BTreeMap<&'static str, u64>,
    /// Rows without a base prompt, which are no pairs.
    pub unpaired: u64,
    /// What is in the template, in words.
    pub holds: String,
    /// The template; none if too little was learnt.
    pub file: Option<File>,
}

/// Reads pairs and writes the templates they were made with into `into`/attack, and says what it did.
/// Files of other content that are there already are refused without `force`.
pub fn learn(base: &str, attack: &str, into: &Path, force: bool) -> Result<()> {
    if base == "-" && attack == "-" {
        return Err(Error::usage("--learn", "standard input is named twice")
            .hint("name a file; one that holds both can be given twice"));
    }
    let set = Path::new(attack).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let attacks = pairs::read(base, attack)?;
    let learnt = attacks
        .into_iter()
        .map(|(name, attack)| attack_learnt(&name, &attack, &set))
        .collect::<Result<Vec<Learnt>>>()?;
    let written = publish(&learnt, into, force)?;
    report(&learnt, &written, &set);
    if written.is_empty() {
        return Err(Error::data(attack, "no attack could be learnt").hint(
            "templates are learnt of attacks that hold their base prompt, as it is or encoded",
        ));
    }
    Ok(())
}

/// Learns one attack of a set.
fn attack_learnt(name: &str, attack: &Attack, set: &str) -> Result<Learnt> {
    let mut learnt = Learnt {
        name: name.to_owned(),
        pairs: attack.pairs.len() as u64,
        regenerated: 0,
        not: BTreeMap::new(),
        unpaired: attack.unpaired,
        holds: String::new(),
        file: None,
    };
    // A template makes one row of a base prompt.
    let mut taken = HashSet::new();
    let firsts: Vec<&Pair> =
        attack.pairs.iter().filter(|pair| taken.insert(pair.base.id.as_str())).collect();
    let parts = parts(&firsts);
    let missed: HashSet<&str> = parts
        .iter()
        .flat_map(|part| part.ids.iter().zip(&part.found))
        .filter(|(_, found)| found.is_none())
        .map(|(id, _)| *id)
        .collect();
    let parts: Vec<Part<'_>> = parts.into_iter().filter(|part| !part.shapes.is_empty()).collect();
    let template = match parts.is_empty() || !is_file_name(name) {
        true => None,
        false => compiled(name, &parts, &learnt, set)?,
    };
    let made = match &template {
        Some((_, template)) => rendered(template, &attack.pairs)?,
        None => vec![None; attack.pairs.len()],
    };
    let first: HashMap<&str, &str> =
        firsts.iter().map(|pair| (pair.base.id.as_str(), pair.text.as_str())).collect();
    for (pair, made) in attack.pairs.iter().zip(&made) {
        let id = pair.base.id.as_str();
        if made.as_ref() == Some(&pair.text) {
            learnt.regenerated += 1;
            continue;
        }
        let why = match (first.get(id) == Some(&pair.text.as_str()), &template) {
            (false, _) => "another row of the same base prompt",
            (true, _) if missed.contains(id) => "the base prompt is not in it",
            (true, None) if !is_file_name(name) => "the attack's name is no file name",
            (true, None) => "the template would be too large",
            (true, Some(_)) => "comes out otherwise, or is the only one of its shape",
        };
        *learnt.not.entry(why).or_default() += 1;
    }
    let enough = learnt.regenerated as usize * MIN_SHARE >= attack.pairs.len();
    match template.filter(|_| learnt.regenerated > 0) {
        Some((holds, template)) if enough => {
            learnt.holds = holds;
            learnt.file = Some(template.file);
        }
        Some(_) => {
            learnt.not.insert("like too few others", learnt.regenerated);
            learnt.regenerated = 0;
        }
        None => {}
    }
    Ok(learnt)
}

/// The pairs by language, the most frequent language last, and what was found in them.
fn parts<'a>(pairs: &[&'a Pair]) -> Vec<Part<'a>> {
    let mut languages: BTreeMap<Option<String>, Vec<&Pair>> = BTreeMap::new();
    for pair in pairs {
        let primary = |tag: &str| tag.split('-').next().unwrap_or(tag).to_ascii_lowercase();
        let language = pair.base.language.as_deref().map(primary);
        languages.entry(language).or_default().push(pair);
    }
    let mut languages: Vec<_> = languages.into_iter().collect();
    languages.sort_by_key(|(language, pairs)| (language.is_none(), pairs.len()));
    languages
        .into_iter()
        .map(|(language, pairs)| {
            let mut found = find::find(&pairs);
            let rows: Vec<(usize, &str, &find::Found)> = pairs
                .iter()
                .zip(&found)
                .enumerate()
                .filter_map(|(row, (pair, found))| Some((row, pair.text.as_str(), found.as_ref()?)))
                .collect();
            let mut shapes = slots::shapes(&rows);
            let rare = shapes.split_off(shapes.len().min(MAX_SHAPES));
            rare.iter().flat_map(|shape| &shape.rows).for_each(|row| found[*row] = None);
            let ids = pairs.iter().map(|pair| pair.base.id.as_str()).collect();
            Part { language, ids, found, shapes }
        })
        .collect()
}

/// The template and what it holds; none if it is larger than a template may be.
fn compiled(
    name: &str,
    parts: &[Part<'_>],
    learnt: &Learnt,
    set: &str,
) -> Result<Option<(String, Template)>> {
    let body = write::body(parts);
    let languages: Vec<String> = match parts.iter().any(|part| part.language.is_none()) {
        true => Vec::new(),
        false => parts.iter().filter_map(|part| part.language.clone()).collect(),
    };
    let holds = parts.iter().map(holds).collect::<Vec<_>>().join("; ");
    let pairs = cli::count(learnt.pairs);
    let about = format!("{name} as learnt from {pairs} pairs of {set}: {holds}.");
    let source = format!("{set}, whose licence holds for the texts below");
    let chinese = languages.first().is_some_and(|tag| tag == "zh");
    let prompt = if chinese { "面包怎么烤？" } else { "How would someone bake bread?" };
    let file = |output: &str| {
        let head = Head { about: &about, source: &source, languages: &languages, prompt, output };
        let place = format!("attack/{name}.j2");
        File { name: format!("attack/{name}"), place, text: write::head(&head) + &body }
    };
    let draft = file("");
    let text = |text: &str| toml::Value::String(text.to_owned());
    let mut row = toml::Table::from_iter([("prompt".to_owned(), text(prompt))]);
    row.extend(languages.first().map(|tag| ("language".to_owned(), text(tag))));
    let output = expand::example(&draft, &PromptExample { row, output: String::new() })?;
    let file = file(&output);
    if file.text.len() as u64 > MAX_BYTES {
        return Ok(None);
    }
    Ok(Some((holds, Template::compile(file)?)))
}

/// What a part of a template holds, in words.
fn holds(part: &Part<'_>) -> String {
    let Some(most) = part.shapes.first() else { return String::new() };
    let some = |count: usize, what: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{} {what}{s}", cli::count(count as u64))
    };
    let slots: Vec<String> =
        (0..most.groups()).map(|group| cli::count(most.variants(group) as u64)).collect();
    let varies = match slots.as_slice() {
        [] => "one frame".to_owned(),
        [frames] => format!("{frames} frames"),
        slots => format!("slots of {} variants", slots.join(", ")),
    };
    let language = part.language.as_ref().map(|tag| format!("{tag} ")).unwrap_or_default();
    match part.shapes.len() {
        1 => format!("{language}{varies}"),
        shapes => {
            let rows = some(most.rows.len(), "row");
            format!("{language}{}, of {rows} {varies}", some(shapes, "shape"))
        }
    }
}

/// What the template makes of the base prompts of the pairs.
fn rendered(template: &Template, pairs: &[Pair]) -> Result<Vec<Option<String>>> {
    let field = |name| Field::new(name, DataType::Utf8, true);
    let schema = Schema::new(vec![field("prompt_id"), field("prompt"), field("language")]);
    let column = |of: fn(&Pair) -> Option<&str>| -> ArrayRef {
        Arc::new(pairs.iter().map(of).collect::<StringArray>())
    };
    let columns = vec![
        column(|pair| Some(&pair.base.id)),
        column(|pair| Some(&pair.base.prompt)),
        column(|pair| pair.base.language.as_deref()),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns)
        .map_err(|error| Error::data("the pairs", error))?;
    let batch = Arc::new(batch);
    let render = |row: usize| {
        let pair = &pairs[row];
        let place = Row { batch: &batch, row, seed: 0, id: &pair.base.id, prompt: None };
        let mut text = String::new();
        let spoken = template.speaks(pair.base.language.as_deref());
        (spoken && template.render(&place, &mut text).is_ok()).then_some(text)
    };
    Ok((0..pairs.len()).into_par_iter().map(render).collect())
}

/// Whether an attack's name, which is data, can be a file's.
fn is_file_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain)
}

/// Writes the files: first those that are in the way are looked for, then each appears when complete.
fn publish(learnt: &[Learnt], into: &Path, force: bool) -> Result<Vec<PathBuf>> {
    let folder = into.join("attack");
    let files: Vec<(PathBuf, &File)> = learnt
        .iter()
        .filter_map(|learnt| learnt.file.as_ref())
        .map(|file| (folder.join(format!("{}.j2", file.stem())), file))
        .collect();
    for (path, file) in &files {
        let other = |text: Vec<u8>| text != file.text.as_bytes();
        if !force && std::fs::read(path).is_ok_and(other) {
            return Err(Error::usage(path.to_string_lossy(), "is there already, and differs")
                .hint("name another folder with --into, or replace it with --force"));
        }
    }
    if !files.is_empty() {
        let place = folder.to_string_lossy();
        std::fs::create_dir_all(&folder).map_err(|error| {
            Error::io(&place, &error).hint("--into names a folder that you may write to")
        })?;
    }
    for (path, file) in &files {
        let place = path.to_string_lossy();
        let mut out = Place::create(&place)?;
        out.write_all(file.text.as_bytes()).map_err(|error| Error::io(&place, &error))?;
        out.publish()?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// Says what was learnt, and what was not and why.
fn report(learnt: &[Learnt], written: &[PathBuf], set: &str) {
    for attack in learnt {
        let count = |number: u64| cli::count(number);
        let mut line = format!(
            "{}: {} pairs, {} learnt, {} not",
            attack.name,
            count(attack.pairs),
            count(attack.regenerated),
            count(attack.pairs - attack.regenerated)
        );
        let not: Vec<String> =
            attack.not.iter().map(|(why, rows)| format!("{} {why}", count(*rows))).collect();
        if !not.is_empty() {
            line += &format!(" ({})", not.join(", "));
        }
        line += &match &attack.file {
            Some(_) => format!("; {}", attack.holds),
            None => "; no file".to_owned(),
        };
        if attack.unpaired > 0 {
            let rows = count(attack.unpaired);
            line +=
                &format!("; {rows} rows are no pairs: conversations, or their base is not here");
        }
        cli::note(line);
    }
    let sum = |of: fn(&Learnt) -> u64| learnt.iter().map(of).sum::<u64>();
    let (pairs, regenerated) = (sum(|attack| attack.pairs), sum(|attack| attack.regenerated));
    let unpaired = sum(|attack| attack.unpaired);
    cli::note(format_args!(
        "{} rows, {} of them pairs: {} learnt + {} not; {} template{} written",
        cli::count(pairs + unpaired),
        cli::count(pairs),
        cli::count(regenerated),
        cli::count(pairs - regenerated),
        written.len(),
        if written.len() == 1 { "" } else { "s" }
    ));
    if !written.is_empty() {
        cli::note(format_args!("the templates hold texts of {set}: its licence holds for them"));
    }
}

#[cfg(test)]
mod tests;
