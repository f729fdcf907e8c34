//! A trained critic as a file: little-endian, and the same bytes for the same critic.
//!
//! `SEVALCRT`, version (u32), length of the metadata (u32), the metadata (JSON), length of the body
//! (u32), the body (zstd), and the xxh3 of all that (u64). The body: by model, slope and offset
//! (f32); the inverse document frequencies (u8, by bucket); by model, the weights (i8, by bucket);
//! then the words: bucket (u32), length (u8), text.

use super::features::BUCKETS;
use super::{Figures, Trained};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"SEVALCRT";
const VERSION: u32 = 1;
/// Most classes, and so most models.
pub(super) const MOST_CLASSES: usize = 3;
const MOST_META: usize = 1 << 20;
const MOST_WORDS: usize = 1 << 20;
const LEVEL: i32 = 12;

/// What is learnt: the values of which column the labels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Whether a response is unsafe.
    Verdict,
    /// How far it refuses; anything but a full refusal is unsafe, as for the rule critic.
    Refusal,
}

impl Column {
    /// The name of the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Refusal => "refusal",
        }
    }

    /// Its values that can be learnt; the first is the one without risk.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Self::Verdict => &["safe", "unsafe"],
            Self::Refusal => &["full_refusal", "partial_refusal", "full_compliance"],
        }
    }
}

/// What a trained critic is and how it came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// What it judges and what it was trained on.
    pub about: String,
    /// The column that it gives.
    pub column: Column,
    /// The values that it gives; the first is the one without risk.
    pub classes: Vec<String>,
    /// Whether it looks at the prompt.
    pub prompt: bool,
    /// The weight of the L2 penalty against the sum of the losses of all rows.
    pub penalty: f64,
    /// The folds of the cross-validation.
    pub folds: usize,
    /// How many rows it was trained on.
    pub rows: usize,
    /// How many groups they were in.
    pub groups: usize,
    /// The xxh3 (128 bits, hexadecimal) of the rows, in whatever order.
    pub data: String,
    /// How good it was on rows that it was not trained on.
    pub cross_validation: Figures,
}

/// What makes a probability of a sum of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    pub slope: f32,
    pub offset: f32,
}

/// What is known of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Record {
    pub idf: u8,
    pub weights: [i8; MOST_CLASSES],
}

/// Inverse document frequency, 1 + ln((1 + rows) / (1 + met)), in twentieths, as the file holds it;
/// only its ratio to others counts. 0 for a bucket that fewer than two rows have: it tells of a
/// single row.
pub(super) fn idf(rows: usize, met: u32) -> u8 {
    match met {
        0 | 1 => 0,
        _ => (20.0 * (1.0 + ((1.0 + rows as f32) / (1.0 + met as f32)).ln())).round() as u8,
    }
}

/// Weights by bucket, with their intercept, in 127 steps either way: rounding moves the score by
/// less than a hundredth of the largest weight, since features are short vectors of many parts.
pub(super) fn quantise(
    idf: &[u8],
    models: &[(Vec<f64>, f64)],
    platt: &[[f64; 2]],
) -> (Vec<Curve>, Vec<Record>) {
    let mut table: Vec<_> =
        idf.iter().map(|idf| Record { idf: *idf, ..Record::default() }).collect();
    let mut curves = Vec::new();
    for (at, ((weights, intercept), [slope, offset])) in models.iter().zip(platt).enumerate() {
        let most = weights.iter().fold(0f64, |most, weight| most.max(weight.abs()));
        let step = if most > 0.0 { most / 127.0 } else { 1.0 };
        for (record, weight) in table.iter_mut().zip(weights) {
            record.weights[at] = (weight / step).round() as i8;
        }
        let offset = slope * intercept + offset;
        curves.push(Curve { slope: (slope * step) as f32, offset: offset as f32 });
    }
    (curves, table)
}

impl Trained {
    /// The file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut body = Vec::with_capacity(BUCKETS * 4);
        for curve in &self.curves {
            body.extend(curve.slope.to_le_bytes());
            body.extend(curve.offset.to_le_bytes());
        }
        body.extend(self.table.iter().map(|record| record.idf));
        for at in 0..self.curves.len() {
            body.extend(self.table.iter().map(|record| record.weights[at] as u8));
        }
        for (bucket, text) in &self.words {
            body.extend(bucket.to_le_bytes());
            body.push(text.len() as u8);
            body.extend(text.as_bytes());
        }
        let wrong = |error: &dyn std::fmt::Display| Error::world("the trained critic", error);
        let meta = serde_json::to_vec(&self.meta).map_err(|e| wrong(&e))?;
        let body = zstd::bulk::compress(&body, LEVEL).map_err(|e| wrong(&e))?;
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        for part in [meta, body] {
            out.extend((part.len() as u32).to_le_bytes());
            out.extend(part);
        }
        out.extend(xxh3_64(&out).to_le_bytes());
        Ok(out)
    }

    /// Reads a file; whatever the bytes are, it takes no more memory than a real one.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::data("", "damaged, or cut short").hint("train it again");
        let mut rest = bytes;
        if take(&mut rest, 8) != Some(&MAGIC[..]) {
            return Err(Error::data("", "no trained critic"));
        }
        let version = number(&mut rest).ok_or_else(damaged)?;
        if version != VERSION {
            let what = format!("version {version} of the format of trained critics is not known");
            return Err(Error::data("", what).hint("train it again with this version of seval"));
        }
        let (start, end) = bytes.split_last_chunk::<8>().ok_or_else(damaged)?;
        if xxh3_64(start) != u64::from_le_bytes(*end) {
            return Err(damaged());
        }
        let mut part = || {
            let length = number(&mut rest)? as usize;
            take(&mut rest, length)
        };
        let (meta, body) = part().zip(part()).ok_or_else(damaged)?;
        let meta: Meta = Some(meta)
            .filter(|meta| rest.len() == 8 && meta.len() <= MOST_META)
            .and_then(|meta| serde_json::from_slice(meta).ok())
            .filter(Meta::is_sound)
            .ok_or_else(damaged)?;
        let models = super::modelled(meta.classes.len()).len();
        let most = models * (8 + BUCKETS) + BUCKETS + MOST_WORDS;
        let body = zstd::bulk::decompress(body, most).map_err(|_| damaged())?;
        read(meta, models, &body).ok_or_else(damaged)
    }
}

impl Meta {
    /// Whether the classes are two or three values of the column, in its order.
    fn is_sound(&self) -> bool {
        let all = self.column.values();
        let at = |class: &String| all.iter().position(|value| value == class);
        let places: Vec<_> = self.classes.iter().map(at).collect();
        places.len() > 1 && places[0] == Some(0) && places.is_sorted_by(|a, b| a.is_some() && a < b)
    }
}

fn read(meta: Meta, models: usize, mut body: &[u8]) -> Option<Trained> {
    let rest = &mut body;
    let mut curves = Vec::new();
    for _ in 0..models {
        let [slope, offset] = [number(rest)?, number(rest)?].map(f32::from_bits);
        if !slope.is_finite() || !offset.is_finite() {
            return None;
        }
        curves.push(Curve { slope, offset });
    }
    let idf = take(rest, BUCKETS)?;
    let mut table: Vec<_> =
        idf.iter().map(|idf| Record { idf: *idf, ..Record::default() }).collect();
    for at in 0..models {
        for (record, weight) in table.iter_mut().zip(take(rest, BUCKETS)?) {
            record.weights[at] = *weight as i8;
        }
    }
    let mut words = BTreeMap::new();
    while !rest.is_empty() {
        let bucket = number(rest)?;
        let length = take(rest, 1)?[0];
        let text = std::str::from_utf8(take(rest, usize::from(length))?).ok()?;
        words.insert(bucket, text.to_owned());
    }
    Some(Trained { meta, curves, table, words })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, others) = rest.split_at_checked(length)?;
    *rest = others;
    Some(part)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4)?.try_into().ok().map(u32::from_le_bytes)
}
