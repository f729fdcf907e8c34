//! The text of a learnt template.
//!
//! Everything that comes from the data is a string literal in a `{% set %}`, in which nothing can be read
//! as template syntax. What a prompt was made with is a list of numbers, found by its prompt_id.

use super::find::{Fill, Found};
use super::slots::{Shape, Text};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// What one template holds for one language.
pub struct Part<'a> {
    /// The language; none: any.
    pub language: Option<String>,
    /// The prompt_ids of its rows.
    pub ids: Vec<&'a str>,
    /// How the rows were found.
    pub found: Vec<Option<Found>>,
    /// The shapes of those that were.
    pub shapes: Vec<Shape>,
}

/// What is said of a template in its leading comment.
pub struct Head<'a> {
    /// What it does.
    pub about: &'a str,
    /// Where it is from.
    pub source: &'a str,
    /// The languages it is for.
    pub languages: &'a [String],
    /// The example's prompt.
    pub prompt: &'a str,
    /// What becomes of it.
    pub output: &'a str,
}

/// A leading comment.
pub fn head(head: &Head<'_>) -> String {
    let mut text = format!("{{#\nabout = {}\n", toml(head.about));
    let _ = writeln!(text, "source = {}", toml(head.source));
    let mut row = format!("prompt = {}", toml(head.prompt));
    if let Some(first) = head.languages.first() {
        let languages: Vec<String> = head.languages.iter().map(|tag| toml(tag)).collect();
        let _ = writeln!(text, "needs = [\"language\"]\nlanguages = [{}]", languages.join(", "));
        let _ = write!(row, ", language = {}", toml(first));
    }
    // A newline at the start of an example's output is not part of it.
    let newline = if head.output.starts_with('\n') { "\n" } else { "" };
    let output = toml(&format!("{newline}{}", head.output));
    let _ = writeln!(text, "example.row = {{ {row} }}\nexample.output = {output}\n#}}");
    text
}

/// A template's body: one part for each language, the last also for what no part is for.
pub fn body(parts: &[Part<'_>]) -> String {
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        if parts.len() > 1 {
            let _ = match (&part.language, at + 1 == parts.len()) {
                (Some(tag), false) => {
                    let word = if at == 0 { "if" } else { "elif" };
                    let tag = quoted(tag);
                    writeln!(
                        text,
                        "{{%- {word} language is string and (language | lower | split(\"-\"))[0] == {tag} -%}}"
                    )
                }
                _ => writeln!(text, "{{%- else -%}}"),
            };
        }
        text.push_str(&part.body());
    }
    if parts.len() > 1 {
        text.push_str("{%- endif -%}\n");
    }
    text
}

/// Ids are cut to this many characters, or more where that does not tell them apart.
const ID: usize = 12;

/// A shape of fewer than one in this many rows is an exception.
const RARE: usize = 10;

/// What makes a list of numbers of a text. A list of lists would be built anew for every prompt, one of
/// texts is a constant.
const NUMBERS: &str = " | split(\" \") | map(\"int\") | list";

/// The texts of a template, each once.
#[derive(Default)]
struct Texts<'a> {
    places: HashMap<&'a str, usize>,
    all: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn place(&mut self, text: &'a str) -> usize {
        *self.places.entry(text).or_insert_with(|| {
            self.all.push(text);
            self.all.len() - 1
        })
    }
}

/// A shape as a template has it: its lines, and a list of numbers for each row.
struct Branch {
    lines: Vec<String>,
    picks: Vec<Vec<usize>>,
}

impl Part<'_> {
    fn body(&self) -> String {
        let mut texts = Texts::default();
        // New prompts are made like rows that others are like, not like exceptions.
        let total: usize = self.shapes.iter().map(|shape| shape.rows.len()).sum();
        let follow = |shape: &Shape| match shape.rows.len() {
            rows if 2 * shape.common < rows && RARE * rows >= total => rows,
            _ => shape.common,
        };
        let mut from = 0;
        let mut branches = Vec::new();
        for (at, shape) in self.shapes.iter().enumerate() {
            let to = from + follow(shape);
            let drawn = if to > from { from..to } else { 0..1 };
            branches.push(self.branch(at, shape, drawn, &mut texts));
            from = to;
        }
        // First those that new prompts follow, then the others.
        let mut first = Vec::new();
        let mut last = Vec::new();
        for (shape, branch) in self.shapes.iter().zip(&mut branches) {
            let mut rows: Vec<(usize, Vec<usize>)> =
                shape.rows.iter().copied().zip(std::mem::take(&mut branch.picks)).collect();
            last.extend(rows.split_off(follow(shape)));
            first.append(&mut rows);
        }
        let drawn = first.len();
        first.append(&mut last);
        self.joined(&texts, &branches, &first, drawn)
    }

    /// The lines of a shape, and the numbers of its rows.
    fn branch<'t>(
        &self,
        number: usize,
        shape: &'t Shape,
        drawn: std::ops::Range<usize>,
        texts: &mut Texts<'t>,
    ) -> Branch {
        let mut picks: Vec<Vec<usize>> = vec![vec![number]; shape.rows.len()];
        let mut lines = Vec::new();
        let (low, high) = (drawn.start, drawn.end - 1);
        for group in 1..shape.groups() {
            lines.push(format!(
                "{{%- set other{group} = pick if known else (picks[random.number({low}, {high})]{NUMBERS}) -%}}"
            ));
        }
        let mut frame: Vec<Vec<String>> = Vec::new();
        for gap in &shape.gaps {
            let mut printed = Vec::new();
            for text in gap.iter().filter(|text| **text != Text::Constant(String::new())) {
                printed.push(match text {
                    Text::Constant(text) => format!("texts[{}]", texts.place(text)),
                    Text::Slot { values, group } => {
                        let column = picks[0].len();
                        for (pick, value) in picks.iter_mut().zip(values) {
                            pick.push(texts.place(value));
                        }
                        let from = match group {
                            0 => "pick".to_owned(),
                            group => format!("other{group}"),
                        };
                        format!("texts[{from}[{column}]]")
                    }
                });
            }
            frame.push(printed);
        }
        let fills = self.fills(shape, &mut picks, &mut lines);
        let mut fills = fills.into_iter();
        for gap in frame {
            lines.extend(
                gap.into_iter().chain(fills.next()).map(|part| format!("{{{{- {part} -}}}}")),
            );
        }
        Branch { lines, picks }
    }

    /// What fills the holes of a shape.
    fn fills(
        &self,
        shape: &Shape,
        picks: &mut [Vec<usize>],
        lines: &mut Vec<String>,
    ) -> Vec<String> {
        let found: Vec<&Found> =
            shape.rows.iter().filter_map(|row| self.found[*row].as_ref()).collect();
        let form = shape.signature.form;
        if shape.signature.holes.contains('p') {
            let column = picks[0].len();
            let count = shape.signature.holes.len();
            for (pick, found) in picks.iter_mut().zip(&found) {
                for hole in &found.holes {
                    if let Fill::Piece(piece) = &hole.fill {
                        pick.extend([piece.start, piece.end]);
                    }
                }
            }
            let cuts: Vec<String> = (0..count)
                .map(|at| (column + 2 * at, column + 2 * at + 1))
                .map(|(from, to)| format!("prompt[pick[{from}]:pick[{to}]]"))
                .collect();
            let cuts = cuts.join(", ");
            lines.push(format!(
                "{{%- set parts = [{cuts}] if known else (prompt | pieces({count})) -%}}"
            ));
            let filters = shape.signature.escape.filters();
            return (0..count).map(|at| format!("parts[{at}] | default(\"\"){filters}")).collect();
        }
        if found.iter().any(|found| found.key > 0) {
            let column = picks[0].len();
            for (pick, found) in picks.iter_mut().zip(&found) {
                pick.push(found.key as usize);
            }
            let key = format!("pick[{column}]");
            let keys: BTreeSet<u32> = found.iter().map(|found| found.key).collect();
            // A key that the text does not name as a number belongs to the text that was chosen.
            let drawn = match (keys.first(), keys.last()) {
                (Some(low), Some(high)) if shape.signature.holes.contains('k') => {
                    format!("{key} if known else random.number({low}, {high})")
                }
                _ => key,
            };
            lines.push(format!("{{%- set key = {drawn} -%}}"));
        }
        let fill = |letter: char| match letter {
            'k' => "key".to_owned(),
            _ => form.expression(),
        };
        shape.signature.holes.chars().map(fill).collect()
    }

    fn joined(
        &self,
        texts: &Texts<'_>,
        branches: &[Branch],
        picks: &[(usize, Vec<usize>)],
        drawn: usize,
    ) -> String {
        let mut body = String::from("{%- set texts = [\n");
        let literals: Vec<String> = texts.all.iter().map(|text| quoted(text)).collect();
        let _ = writeln!(body, "{}\n] -%}}", literals.join(",\n"));
        let alike = picks.iter().all(|(_, pick)| pick.len() == 1);
        if branches.len() == 1 && alike {
            body.push_str(
                &branches
                    .iter()
                    .flat_map(|branch| &branch.lines)
                    .fold(String::new(), |lines, line| lines + line + "\n"),
            );
            return body;
        }
        let lists: Vec<String> = picks
            .iter()
            .map(|(_, pick)| pick.iter().map(usize::to_string).collect::<Vec<_>>().join(" "))
            .map(|pick| quoted(&pick))
            .collect();
        let _ = writeln!(body, "{{%- set picks = [\n{}\n] -%}}", wrapped(&lists));
        let length = id_length(&self.ids);
        let short = |id: &str| id.chars().take(length).collect::<String>();
        let seen: Vec<String> = picks
            .iter()
            .enumerate()
            .map(|(at, (row, _))| format!("{}:{at}", quoted(&short(self.ids[*row]))))
            .collect();
        let _ = writeln!(body, "{{%- set seen = {{\n{}\n}} -%}}", wrapped(&seen));
        let cut = if length < usize::MAX { format!("[:{length}]") } else { String::new() };
        let _ = writeln!(
            body,
            "{{%- set id = prompt_id{cut} if prompt_id is defined and prompt_id is string else none -%}}\n\
             {{%- set known = seen[id] is defined -%}}\n\
             {{%- set pick = picks[seen[id] if known else random.number(0, {})]{NUMBERS} -%}}",
            drawn.max(1) - 1
        );
        for (at, branch) in branches.iter().enumerate() {
            if branches.len() > 1 {
                let word = if at == 0 { "if" } else { "elif" };
                let _ = writeln!(body, "{{%- {word} pick[0] == {at} -%}}");
            }
            for line in &branch.lines {
                let _ = writeln!(body, "{line}");
            }
        }
        if branches.len() > 1 {
            body.push_str("{%- endif -%}\n");
        }
        body
    }
}

/// How much of the ids tells them apart; all of it where they are not ours.
fn id_length(ids: &[&str]) -> usize {
    let ours = |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !ids.iter().all(ours) {
        return usize::MAX;
    }
    let apart = |length: &usize| {
        let short: BTreeSet<&str> = ids.iter().map(|id| &id[..*length]).collect();
        short.len() == ids.len()
    };
    (ID..32).find(apart).unwrap_or(32)
}

/// The items on lines of bounded length.
fn wrapped(items: &[String]) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            lines.push(',');
            length += 1;
            if length + item.len() > 100 {
                lines.push('\n');
                length = 0;
            }
        }
        lines.push_str(item);
        length += item.len();
    }
    lines
}

/// A Jinja string literal. Braces are written as escapes, so that no tool can see a tag in it.
fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\t' => literal.push_str("\\t"),
            '\r' => literal.push_str("\\r"),
            '{' | '}' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{feff}' => {
                let _ = write!(literal, "\\u{:04x}", c as u32);
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// A TOML string that does not end the comment it stands in.
fn toml(text: &str) -> String {
    let text = quoted(text).replace("\\u007b", "{").replace("\\u007d", "}");
    text.replace("#}", "\\u0023}").replace("{#", "{\\u0023")
}
