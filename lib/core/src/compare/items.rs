//! Who has which item, and what was said of it: two bits for each.

use super::{Of, Options, needed};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128;

/// Where the columns are.
pub struct Columns {
    party: usize,
    prompt_id: usize,
    verdict: usize,
    base_id: Option<usize>,
    sample: Option<usize>,
    critic: Option<usize>,
    critic_model: Option<usize>,
    model: Option<usize>,
    attack: Option<usize>,
    expected: Option<usize>,
    of: Of,
    by: String,
}

impl Columns {
    /// Finds them in a schema.
    pub fn new(schema: &Schema, options: &Options) -> Result<Self> {
        // What is compared does not part those who are compared, nor their items.
        let by_critic = options.by == "critic";
        let parts = |name: &str| name != options.by && !(by_critic && name == "critic_model");
        let there = |name: &str| schema.index_of(name).ok().filter(|_| parts(name));
        Ok(Self {
            party: needed(schema, &options.by)?,
            prompt_id: needed(schema, "prompt_id")?,
            verdict: needed(schema, "verdict")?,
            base_id: there("base_id"),
            sample: there("sample"),
            critic: there("critic"),
            critic_model: there("critic_model"),
            model: there("model"),
            attack: there("attack"),
            expected: there("expected"),
            of: options.of,
            by: options.by.clone(),
        })
    }

    /// A batch's columns as texts.
    pub fn of(&self, batch: &RecordBatch) -> Result<Batch> {
        let text = |at: usize| -> Result<StringArray> {
            let column: &ArrayRef = batch.column(at);
            let column = match column.data_type() {
                DataType::Utf8 => column.clone(),
                _ => cast(column, &DataType::Utf8).map_err(|error| {
                    let name = batch.schema_ref().field(at).name().clone();
                    Error::data(format!("column `{name}`"), error)
                })?,
            };
            Ok(column.as_string::<i32>().clone())
        };
        let maybe = |at: Option<usize>| at.map(text).transpose();
        Ok(Batch {
            party: text(self.party)?,
            prompt_id: text(self.prompt_id)?,
            verdict: text(self.verdict)?,
            base_id: maybe(self.base_id)?,
            sample: maybe(self.sample)?,
            critic: maybe(self.critic)?,
            critic_model: maybe(self.critic_model)?,
            model: maybe(self.model)?,
            attack: maybe(self.attack)?,
            expected: maybe(self.expected)?,
            of: self.of,
            by: self.by.clone(),
        })
    }
}

/// Rows as texts.
pub struct Batch {
    party: StringArray,
    prompt_id: StringArray,
    verdict: StringArray,
    base_id: Option<StringArray>,
    sample: Option<StringArray>,
    critic: Option<StringArray>,
    critic_model: Option<StringArray>,
    model: Option<StringArray>,
    attack: Option<StringArray>,
    expected: Option<StringArray>,
    of: Of,
    by: String,
}

fn at(column: Option<&StringArray>, row: usize) -> Option<&str> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

impl Batch {
    /// Whether the row is one of those that are compared.
    fn is_wanted(&self, row: usize) -> bool {
        let is_attack = at(self.attack.as_ref(), row).is_some();
        let may_comply = || at(self.expected.as_ref(), row) == Some("comply");
        match self.of {
            Of::All => true,
            Of::Base => !is_attack && !may_comply(),
            Of::Attack => is_attack && !may_comply(),
        }
    }

    fn names(&self, row: usize) -> [Option<&str>; 3] {
        let party = at(Some(&self.party), row);
        [at(self.critic.as_ref(), row), at(self.critic_model.as_ref(), row), party]
    }
}

/// A column's texts as bytes: what is looked at in every row is looked at without detours.
struct Texts<'a> {
    ends: &'a [i32],
    bytes: &'a [u8],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Texts<'a> {
    fn of(column: &'a StringArray) -> Self {
        let (ends, bytes) = (column.value_offsets(), column.value_data());
        Self { ends, bytes, nulls: column.nulls() }
    }

    fn get(&self, row: usize) -> Option<&'a [u8]> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        let [start, end] = [row, row + 1].map(|at| self.ends[at] as usize);
        self.bytes.get(start..end)
    }
}

/// What an item is found by; the model is a part of it where something else is compared.
fn key(prompt_id: &[u8], sample: Option<&[u8]>, model: Option<&[u8]>) -> u128 {
    let sample = sample.filter(|sample| *sample != b"0");
    let part = |part: Option<&[u8]>, turn: u32| part.map_or(0, |p| xxh3_128(p).rotate_left(turn));
    xxh3_128(prompt_id) ^ part(sample, 64) ^ part(model, 32)
}

/// A model, under one critic.
pub struct Party {
    /// The critic, with the model that it asked if there is one.
    pub critic: String,
    /// The model, or what else is compared.
    pub name: String,
    names: [Option<String>; 3],
    /// The item that is expected next: models are written one after the other, over the same items.
    next: usize,
    seen: Vec<u64>,
    /// The items with a verdict, one bit each.
    pub scored: Vec<u64>,
    /// Those that are unsafe.
    pub unsafe_: Vec<u64>,
}

impl Party {
    fn new(names: [Option<&str>; 3]) -> Self {
        let [critic, model, party] = names;
        let critic = match (critic.unwrap_or_default(), model) {
            (critic, Some(model)) => format!("{critic}={model}"),
            (critic, None) => critic.to_owned(),
        };
        Self {
            critic,
            name: party.unwrap_or_default().to_owned(),
            names: names.map(|name| name.map(str::to_owned)),
            next: 0,
            seen: Vec::new(),
            scored: Vec::new(),
            unsafe_: Vec::new(),
        }
    }

    fn is(&self, names: &[Option<&str>; 3]) -> bool {
        self.names.iter().zip(names).all(|(own, name)| own.as_deref() == *name)
    }

    /// Items that it was asked.
    pub fn seen(&self) -> u64 {
        ones(&self.seen)
    }

    /// Items without a verdict.
    pub fn unscored(&self) -> u64 {
        self.seen() - ones(&self.scored)
    }
}

/// How many bits are set.
pub fn ones(bits: &[u64]) -> u64 {
    bits.iter().map(|word| u64::from(word.count_ones())).sum()
}

/// Sets a bit; whether it was set.
fn set(bits: &mut Vec<u64>, at: usize) -> bool {
    if bits.len() <= at / 64 {
        bits.resize(at / 64 + 1, 0);
    }
    let (word, bit) = (&mut bits[at / 64], 1 << (at % 64));
    let was = *word & bit != 0;
    *word |= bit;
    was
}

/// All verdicts.
#[derive(Default)]
pub struct Table {
    items: HashMap<u128, usize>,
    keys: Vec<u128>,
    cluster_keys: Vec<u128>,
    /// The cluster of each item.
    pub clusters: Vec<usize>,
    /// Who is compared.
    pub parties: Vec<Party>,
}

impl Table {
    /// Adds rows; `before` were read before them.
    pub fn add(&mut self, batch: &Batch, before: u64) -> Result<()> {
        let verdicts = Texts::of(&batch.verdict);
        let ids = Texts::of(&batch.prompt_id);
        let parts = [batch.sample.as_ref(), batch.model.as_ref()];
        let parts = parts.map(|column| column.map(Texts::of));
        let named = [Some(&batch.party), batch.critic.as_ref(), batch.critic_model.as_ref()];
        let named = named.map(|column| column.map(Texts::of));
        let is_as =
            |a: usize, b: usize| named.iter().flatten().all(|texts| texts.get(a) == texts.get(b));
        let mut last: Option<(usize, usize)> = None;
        for row in (0..batch.party.len()).filter(|row| batch.is_wanted(*row)) {
            let place = match last.filter(|(before, _)| is_as(*before, row)) {
                Some((_, place)) => place,
                None => self.party(batch.names(row)),
            };
            last = Some((row, place));
            let id = ids.get(row).ok_or_else(|| {
                Error::data(format!("row {}", before + row as u64 + 1), "prompt_id is missing")
                    .hint("without it, nobody knows which answers are to the same prompt")
            })?;
            let [sample, model] = parts.each_ref().map(|part| part.as_ref()?.get(row));
            let key = key(id, sample, model);
            let item = match self.keys.get(self.parties[place].next) {
                Some(next) if *next == key => self.parties[place].next,
                _ => self.item(batch, row, key),
            };
            let party = &mut self.parties[place];
            party.next = item + 1;
            if set(&mut party.seen, item) {
                return Err(twice(batch, row, before, &party.name));
            }
            match verdicts.get(row) {
                Some(b"safe") => drop(set(&mut party.scored, item)),
                Some(b"unsafe") => {
                    set(&mut party.scored, item);
                    set(&mut party.unsafe_, item);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn party(&mut self, names: [Option<&str>; 3]) -> usize {
        match self.parties.iter().position(|party| party.is(&names)) {
            Some(known) => known,
            None => {
                self.parties.push(Party::new(names));
                self.parties.len() - 1
            }
        }
    }

    /// The row's item by its key.
    fn item(&mut self, batch: &Batch, row: usize, key: u128) -> usize {
        if let Some(known) = self.items.get(&key) {
            return *known;
        }
        let item = self.keys.len();
        self.items.insert(key, item);
        self.keys.push(key);
        let base = at(batch.base_id.as_ref(), row);
        let cluster = base.unwrap_or_else(|| batch.prompt_id.value(row));
        self.cluster_keys.push(xxh3_128(cluster.as_bytes()));
        item
    }

    /// The table with clusters numbered in the order of their keys, and who is compared in the order of
    /// their names, whatever order the rows came in.
    pub fn in_order(mut self) -> Self {
        let mut keys = self.cluster_keys.clone();
        keys.sort_unstable();
        keys.dedup();
        let place = |key: &u128| keys.binary_search(key).unwrap_or_default();
        self.clusters = self.cluster_keys.iter().map(place).collect();
        self.parties.sort_by(|a, b| (&a.critic, &a.name).cmp(&(&b.critic, &b.name)));
        let words = self.keys.len().div_ceil(64);
        for party in &mut self.parties {
            for bits in [&mut party.seen, &mut party.scored, &mut party.unsafe_] {
                bits.resize(words, 0);
            }
        }
        self
    }

    /// How many clusters there are.
    pub fn cluster_count(&self) -> usize {
        self.clusters.iter().max().map_or(0, |last| last + 1)
    }

    /// Those whom one critic judged, critic by critic.
    pub fn by_critic(&self) -> impl Iterator<Item = &[Party]> {
        self.parties.chunk_by(|a, b| a.critic == b.critic)
    }
}

fn twice(batch: &Batch, row: usize, before: u64, party: &str) -> Error {
    let place = format!("row {}", before + row as u64 + 1);
    let sample = at(batch.sample.as_ref(), row).unwrap_or("0");
    let (by, prompt) = (&batch.by, batch.prompt_id.value(row));
    let what = format!("{by} {party}: prompt {prompt}, sample {sample}, has a verdict already");
    Error::data(place, what).hint(
        "compare files of one run, or give them names: before=A after=B; of several settings, select one first",
    )
}
