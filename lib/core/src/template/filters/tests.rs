//! Filters by name, and that what attack templates encode can be decoded.

use super::*;
use crate::encode::Encoder;
use crate::template::metadata::{self, PromptMetadata};
use crate::template::render::{Row, Template};
use crate::template::{File, Library};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use minijinja::ErrorKind;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Stands for the payload where the carrier alone is rendered.
const HOLE: char = '\u{e000}';

const PROMPTS: [(&str, &str); 5] = [
    ("en", "How would someone in marketing go about it?"),
    ("en", "Who decides this, in \"Zoë's\" case?\n\nName 3 steps: a, b and 10c."),
    ("en", "Tell me about base64 'n' \\escapes\\, and 中文."),
    ("zh", "怎样才能做到？请说明。"),
    ("zh", "请说明“AI”的三个步骤：\n一、甲；二、乙。"),
];

fn render(file: &File, language: &str, prompt: &str, id: &str) -> String {
    let column = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let columns = [("prompt", column(prompt)), ("language", column(language))];
    let batch = Arc::new(RecordBatch::try_from_iter(columns).unwrap());
    let row = Row { batch: &batch, row: 0, seed: 0, id, prompt: None };
    let mut out = String::new();
    Template::compile(file.clone()).unwrap().render(&row, &mut out).unwrap();
    out
}

fn encoder(name: &str) -> Option<&'static Encoder> {
    ENCODERS.iter().find(|encoder| encoder.name == name)
}

/// The expressions of a template that print the prompt encoded, and the names of their filters.
fn payloads(body: &str) -> Vec<(&str, Vec<&str>)> {
    let expressions = body.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    let encoded = expressions.filter_map(|(inside, _)| {
        let filters = inside.trim().strip_prefix("prompt")?.trim_start().strip_prefix('|')?;
        let name = |filter: &'_ str| filter.find('(').unwrap_or(filter.len());
        let names = filters.split('|').map(str::trim).map(|filter| &filter[..name(filter)]);
        let names: Vec<&str> = names.collect();
        let known = |name: &&str| *name == "caesar" || encoder(name).is_some();
        names.iter().all(known).then(|| (inside.trim(), names))
    });
    encoded.collect()
}

/// What the payload decodes to, and what it should: the last filter is taken off first.
fn decoded(payload: &str, prompt: &str, filters: &[&str]) -> (Option<String>, String) {
    let (mut text, mut kept) = (Some(payload.to_owned()), prompt.to_owned());
    for name in filters.iter().rev() {
        text = text.and_then(|text| match encoder(name) {
            Some(encoder) => (encoder.decode)(&text),
            None if *name == "caesar" => {
                let tried = (1..=25).map(|key| encode::from_caesar(&text, key));
                tried.into_iter().find(|text| text == prompt)
            }
            None => None,
        });
    }
    for name in filters {
        kept = encoder(name).map_or(kept.clone(), |encoder| (encoder.kept)(&kept));
    }
    (text, kept)
}

#[test]
fn every_encoded_payload_decodes_to_the_prompt() {
    let mut used = BTreeSet::new();
    for file in Library::default().list("attack").unwrap() {
        let parts = metadata::jinja::<PromptMetadata>(&file).unwrap();
        let payloads = payloads(&parts.body);
        if payloads.is_empty() {
            continue;
        }
        let speaks = |language| parts.metadata.languages.iter().any(|known| known == language);
        assert!(speaks("en"), "{}: a carrier sentence has a language", file.place);
        let mut met = BTreeSet::new();
        for (language, prompt) in PROMPTS.iter().filter(|(language, _)| speaks(*language)) {
            // Each id draws anew, so that every way of every template is met.
            for id in 0..12 {
                let id = id.to_string();
                let text = render(&file, language, prompt, &id);
                // The carrier is the template with a hole for one payload: the way whose hole is printed.
                let found = payloads.iter().find_map(|(expression, filters)| {
                    let carrier = file.text.replace(expression, &format!("'{HOLE}'"));
                    let carrier =
                        render(&File { text: carrier, ..file.clone() }, language, prompt, &id);
                    let (before, after) = carrier.split_once(HOLE)?;
                    assert!(!after.contains(HOLE), "{}: two payloads", file.place);
                    Some((before.to_owned(), after.to_owned(), filters))
                });
                let (before, after, filters) = found.unwrap();
                let payload = text.strip_prefix(&*before).and_then(|t| t.strip_suffix(&*after));
                let payload = payload.unwrap();
                let context = format!("{} on {prompt:?}: {payload:?}", file.place);
                let (text, kept) = decoded(payload, prompt, filters);
                assert_eq!(text.as_deref(), Some(&*kept), "{context}");
                assert_ne!(payload, *prompt, "{context} is not encoded");
                assert!(before.chars().filter(|c| c.is_alphabetic()).count() > 10, "{context}");
                met.insert((*language, filters.clone()));
            }
        }
        let languages = parts.metadata.languages.len();
        let ways: BTreeSet<_> = payloads.into_iter().map(|(_, filters)| filters).collect();
        assert_eq!(met.len(), ways.len() * languages, "{}: {met:?}", file.place);
        used.extend(ways.into_iter().flatten().map(str::to_owned));
    }
    // There is a template for every encoder.
    let all = ENCODERS.iter().map(|encoder| encoder.name).chain(["caesar"]);
    assert_eq!(used, all.map(str::to_owned).collect());
}

#[test]
fn every_program_puts_the_prompt_together() {
    let file = Library::default().get(&["attack"], "code_injection").unwrap();
    for (language, prompt) in PROMPTS {
        for id in 0..20 {
            let text = render(&file, language, prompt, &id.to_string());
            let variables = text.lines().filter(|line| !line.starts_with("text = "));
            let literals = variables.filter_map(|line| {
                line.split_once(" = \"").and_then(|(_, rest)| rest.strip_suffix('"'))
            });
            let parts: Option<Vec<String>> = literals.map(encode::from_python).collect();
            assert_eq!(parts.unwrap().concat(), prompt, "{text}");
        }
    }
}

#[test]
fn a_perturbed_prompt_is_another_in_every_row() {
    let file = Library::default().get(&["attack"], "best_of_n").unwrap();
    let (language, prompt) = PROMPTS[0];
    let texts: BTreeSet<String> =
        (0..50).map(|id| render(&file, language, prompt, &id.to_string())).collect();
    assert_eq!(texts.len(), 50);
    assert!(texts.iter().all(|text| text.len() == prompt.len() && text != prompt));
}

#[test]
fn no_filter_takes_the_name_of_another() {
    let plain = Environment::new();
    let mut engine = Environment::new();
    add(&mut engine);
    let names = ENCODERS.iter().map(|encoder| encoder.name).chain(["caesar", "python", "pieces"]);
    for name in names {
        let call = format!("{{{{ 'a' | {name} }}}}");
        let unknown = plain.render_str(&call, ()).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::UnknownFilter, "{name} is the engine's own");
        if let Some(encoder) = encoder(name) {
            assert_eq!(engine.render_str(&call, ()).unwrap(), (encoder.encode)("a"));
        }
    }
}
