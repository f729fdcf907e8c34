//! What varies in the frame: rows of one signature become a shape, whose texts are constant, vary
//! together, or are slots that vary on their own.
//!
//! A text that varies is cut in two, at a mark or where all rows begin or end alike, if the parts vary
//! independently and are shorter to write down than the whole.

mod cut;

use super::find::{Found, Signature};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A text of the frame: constant, or a value for each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The same in every row.
    Constant(String),
    /// One for each row of the shape. Texts of a group vary together.
    Slot {
        /// The values in the order of the rows.
        values: Vec<String>,
        /// Which other texts it varies with.
        group: usize,
    },
}

/// Rows that one piece of a template makes.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What the rows share.
    pub signature: Signature,
    /// Their indices, those that a new prompt may follow first.
    pub rows: Vec<usize>,
    /// How many of them new prompts may follow: the others have a frame of their own.
    pub common: usize,
    /// The texts before, between and after the holes; each may be several.
    pub gaps: Vec<Vec<Text>>,
}

impl Shape {
    /// Groups of texts that vary.
    pub fn groups(&self) -> usize {
        let group = |text: &Text| match text {
            Text::Constant(_) => 0,
            Text::Slot { group, .. } => group + 1,
        };
        self.gaps.iter().flatten().map(group).max().unwrap_or(0)
    }

    /// Different values of a group of texts.
    pub fn variants(&self, group: usize) -> usize {
        let columns: Vec<&Vec<String>> = self
            .gaps
            .iter()
            .flatten()
            .filter_map(|text| match text {
                Text::Slot { values, group: of } if *of == group => Some(values),
                _ => None,
            })
            .collect();
        let value = |row| columns.iter().map(|values| &values[row]).collect::<Vec<_>>();
        (0..self.rows.len()).map(value).collect::<HashSet<_>>().len()
    }
}

/// Fewer rows than this say nothing about what varies with what.
const FEW: usize = 40;
/// Of ten rows, as many must have a text in common for the others to be exceptions.
const MOST: usize = 9;
/// Of ten rows, as many may not be exceptions.
const KEPT: usize = 8;

/// The shapes of rows that were found, most rows first.
pub fn shapes(rows: &[(usize, &str, &Found)]) -> Vec<Shape> {
    let mut alike: BTreeMap<Signature, Vec<(usize, Vec<&str>)>> = BTreeMap::new();
    for (row, text, found) in rows {
        alike.entry(found.signature()).or_default().push((*row, found.gaps(text)));
    }
    let mut shapes = Vec::new();
    for (signature, rows) in alike {
        let (cut, rest) = slots(&rows);
        let (rest, cut_rows): (Vec<_>, Vec<_>) =
            rows.iter().cloned().partition(|(row, _)| cut.is_none() || rest.contains(row));
        if let Some(cut) = cut {
            let rows: Vec<usize> = cut_rows.iter().map(|(row, _)| *row).collect();
            let common = rows.len();
            shapes.push(Shape { signature: signature.clone(), rows, common, gaps: cut });
        }
        if !rest.is_empty() {
            shapes.push(whole(signature, rest));
        }
    }
    shapes.sort_by_key(|shape| std::cmp::Reverse(shape.rows.len()));
    shapes
}

/// A shape whose texts vary together. Rows whose frame is seen twice come first.
fn whole(signature: Signature, mut rows: Vec<(usize, Vec<&str>)>) -> Shape {
    let mut frames: HashMap<Vec<&str>, usize> = HashMap::new();
    rows.iter().for_each(|(_, gaps)| *frames.entry(gaps.clone()).or_default() += 1);
    let common = |gaps: &Vec<&str>| frames.get(gaps).is_some_and(|count| *count > 1);
    rows.sort_by_key(|(row, gaps)| (!common(gaps), *row));
    let count = rows.iter().filter(|(_, gaps)| common(gaps)).count();
    let columns = columns(&rows);
    let gaps = columns.iter().map(|column| vec![text(column, 0)]).collect();
    Shape { signature, rows: rows.iter().map(|(row, _)| *row).collect(), common: count, gaps }
}

/// The gaps of rows, one list for each gap.
fn columns<'a>(rows: &[(usize, Vec<&'a str>)]) -> Vec<Vec<&'a str>> {
    let count = rows.first().map_or(0, |(_, gaps)| gaps.len());
    (0..count).map(|gap| rows.iter().map(|(_, gaps)| gaps[gap]).collect()).collect()
}

fn text(values: &[&str], group: usize) -> Text {
    match values.first() {
        Some(first) if values.iter().all(|value| value == first) => {
            Text::Constant((*first).to_owned())
        }
        _ => Text::Slot { values: values.iter().map(|value| (*value).to_owned()).collect(), group },
    }
}

/// The texts as slots that vary independently, and the rows that do not fit; none where the texts vary
/// together.
fn slots(rows: &[(usize, Vec<&str>)]) -> (Option<Vec<Vec<Text>>>, HashSet<usize>) {
    let none = (None, HashSet::new());
    let columns = columns(rows);
    if rows.len() < FEW || columns.iter().all(|column| is_constant(column, &[])) {
        return none;
    }
    let mut alive = vec![true; rows.len()];
    columns.iter().for_each(|column| without_exceptions(column, &mut alive));
    let living = |column: &Vec<&str>| -> Vec<String> {
        let rows = column.iter().zip(&alive).filter(|(_, alive)| **alive);
        rows.map(|(text, _)| (*text).to_owned()).collect()
    };
    let varying: Vec<Vec<String>> =
        columns.iter().filter(|column| !is_constant(column, &alive)).map(living).collect();
    if !cut::apart(&varying) {
        return none;
    }
    let mut parts: Vec<Vec<Vec<&str>>> = Vec::new();
    for column in &columns {
        parts.push(cut::cut(column, &mut alive));
        for part in parts.iter().flatten() {
            without_exceptions(part, &mut alive);
        }
    }
    let whole = parts.iter().map(Vec::len).sum::<usize>() == columns.len();
    if whole && varying.len() == 1 && alive.iter().all(|alive| *alive) {
        return none;
    }
    let rest = rows.iter().zip(&alive).filter(|(_, alive)| !**alive).map(|((row, _), _)| *row);
    let mut group = 0;
    let mut texts = Vec::new();
    for parts in &parts {
        let mut gap: Vec<Text> = Vec::new();
        for part in parts {
            let kept: Vec<&str> = part
                .iter()
                .zip(&alive)
                .filter(|(_, alive)| **alive)
                .map(|(text, _)| *text)
                .collect();
            match (gap.last_mut(), text(&kept, group)) {
                (Some(Text::Constant(before)), Text::Constant(next)) => before.push_str(&next),
                (_, constant @ Text::Constant(_)) => gap.push(constant),
                (_, slot) => {
                    gap.push(slot);
                    group += 1;
                }
            }
        }
        texts.push(gap);
    }
    (Some(texts), rest.collect())
}

/// Whether the rows that are alive, or all, have the same text.
fn is_constant(column: &[&str], alive: &[bool]) -> bool {
    let lives = |row: usize| alive.get(row).is_none_or(|alive| *alive);
    let mut texts = column.iter().enumerate().filter(|(row, _)| lives(*row)).map(|(_, text)| text);
    let first = texts.next();
    texts.all(|text| Some(text) == first)
}

/// Where most rows have the same text, those that have another are no longer `alive`.
fn without_exceptions(column: &[&str], alive: &mut [bool]) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut total = 0;
    for (text, _) in column.iter().zip(alive.iter()).filter(|(_, alive)| **alive) {
        *counts.entry(text).or_default() += 1;
        total += 1;
    }
    let Some((most, count)) = counts.into_iter().max_by_key(|(text, count)| (*count, *text)) else {
        return;
    };
    if 10 * count >= MOST * total && 10 * count >= KEPT * column.len() {
        column.iter().zip(alive).for_each(|(text, alive)| *alive &= *text == most);
    }
}
