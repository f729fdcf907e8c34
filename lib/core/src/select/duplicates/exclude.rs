//! Decontamination: drops rows whose text is in another file, or nearly so: the same text, a near one, or a run
//! of words that one of its texts has too. Each says which row of which file.
//!
//! Memory: about 24 bytes for each run of words in the other file, and what [`crate::select::duplicates::near`] takes.

use crate::input::{self, Source};
use crate::select::Drop;
use crate::select::duplicates::exact::hashes;
use crate::select::duplicates::near::Pairs;
use crate::select::duplicates::reader::{Likeness, Reader};
use crate::select::duplicates::shingle::{Cutter, Shingles};
use crate::select::ledger::StageLedger;
use crate::select::texts::{TextColumn, Texts};
use crate::select::whole::{Decide, Dropped};
use crate::{Error, Result};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Field, Int64Type, Schema};
use rayon::prelude::*;
use std::collections::HashMap;

/// What is excluded, and how much likeness is too much.
pub struct Exclude {
    text: TextColumn,
    sources: Vec<Source>,
    likeness: Likeness,
    /// So many words, or characters, in a row; none: runs do not matter.
    runs: Option<Shingles>,
    reader: Option<Reader>,
    excluded: Excluded,
    /// Rows → what they are like: the first that is found of the three ways.
    found: HashMap<u32, Found>,
    /// The number of the first row.
    first: usize,
    /// Readings that have begun.
    begun: usize,
}

/// Why a row is like an excluded one.
#[derive(Clone, Copy)]
enum Found {
    Same(u32),
    Near(u32, f64),
    Run(u32, f64),
}

/// The excluded rows.
#[derive(Default)]
struct Excluded {
    rows: usize,
    /// Where each file's rows begin, and its name.
    files: Vec<(usize, String)>,
    texts: HashMap<u128, u32>,
    runs: HashMap<u64, u32>,
}

impl Excluded {
    /// FILE:ROW, rows counted from 1.
    fn place(&self, row: u32) -> String {
        let file = self.files.partition_point(|(first, _)| *first <= row as usize);
        match file.checked_sub(1).and_then(|file| self.files.get(file)) {
            Some((first, name)) => format!("{name}:{}", row as usize - first + 1),
            None => row.to_string(),
        }
    }
}

impl Exclude {
    /// Excludes the texts of these files.
    pub fn new(
        text: TextColumn,
        sources: Vec<Source>,
        likeness: Likeness,
        runs: Option<Shingles>,
    ) -> Result<Self> {
        let reader = Some(Reader::new(likeness, "--exclude-near")?);
        let (excluded, found) = (Excluded::default(), HashMap::new());
        Ok(Self { text, sources, likeness, runs, reader, excluded, found, first: 0, begun: 0 })
    }

    /// Reads the excluded rows, which come before the others.
    fn read_excluded(&mut self, reading: usize) -> Result<()> {
        let columns = [self.text.0.as_str(), "messages", "language"].map(str::to_owned);
        let options =
            input::Options { positions: true, columns: Some(columns.into()), ..Default::default() };
        let (sources, mut row) = (self.sources.clone(), 0);
        let rows = input::read(sources, &options)?;
        self.text.check(&rows.schema).map_err(|error| error.at("--exclude"))?;
        for batch in rows.batches {
            let batch = batch?;
            let texts = self.text.of(&batch)?;
            if reading == 0 {
                self.note_files(row, &batch);
                self.note_texts(row as u32, &texts, batch.num_rows());
            }
            if let Some(reader) = &mut self.reader {
                reader.read(reading, row, &[(texts, &batch)])?;
            }
            row += batch.num_rows();
        }
        self.excluded.rows = row;
        match u32::try_from(row) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::data("--exclude", format!("{row} rows are too many"))),
        }
    }

    fn note_files(&mut self, row: usize, batch: &RecordBatch) {
        let numbers = batch.column_by_name("_row").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let names = batch.column_by_name("_file").and_then(|c| c.as_string_opt::<i32>());
        let (Some(numbers), Some(names)) = (numbers, names) else { return };
        if batch.num_rows() > 0 && numbers.value(0) == 1 {
            self.excluded.files.push((row, names.value(0).to_owned()));
        }
    }

    fn note_texts(&mut self, row: u32, texts: &Texts<'_>, rows: usize) {
        for (row, hash) in (row..).zip(hashes(texts, rows, self.likeness.normal)) {
            if let Some(hash) = hash {
                self.excluded.texts.entry(hash).or_insert(row);
            }
        }
        for (row, runs) in (row..).zip(self.runs_of(texts, rows)) {
            for run in runs {
                self.excluded.runs.entry(run).or_insert(row);
            }
        }
    }

    /// The runs of each row's text; none where it has fewer words than a run.
    fn runs_of(&self, texts: &Texts<'_>, rows: usize) -> Vec<Vec<u64>> {
        let Some(runs) = self.runs else { return vec![Vec::new(); rows] };
        let normal = self.likeness.normal;
        let cutter = || Cutter::new(normal, runs);
        let cut = |cutter: &mut Cutter, row: usize| match texts.get(row) {
            Some(text) => cutter.full_runs(&text, texts.language(row)),
            None => Vec::new(),
        };
        (0..rows).into_par_iter().map_init(cutter, cut).collect()
    }

    /// Compares rows by their whole text and by their runs of words.
    fn look_up(&mut self, row: u32, texts: &Texts<'_>, rows: usize) {
        let hashes = hashes(texts, rows, self.likeness.normal);
        let runs = self.runs_of(texts, rows);
        for (row, (hash, runs)) in (row..).zip(hashes.into_iter().zip(runs)) {
            let same = hash.and_then(|hash| self.excluded.texts.get(&hash));
            let run = || {
                let mut known = runs.iter().filter_map(|run| self.excluded.runs.get(run));
                let first = *known.next()?;
                Some(Found::Run(first, (1 + known.count()) as f64 / runs.len() as f64))
            };
            let found = same.map(|excluded| Found::Same(*excluded)).or_else(run);
            if let Some(found) = found {
                self.found.insert(row, found);
            }
        }
    }
}

impl Decide for Exclude {
    fn name(&self) -> &'static str {
        "exclude"
    }

    fn check(&mut self, schema: &Schema) -> Result<Vec<Field>> {
        self.text.check(schema)?;
        Ok(Vec::new())
    }

    fn readings(&self) -> usize {
        self.reader.as_ref().map_or(1, Reader::readings)
    }

    fn read(&mut self, reading: usize, row: usize, batches: &[RecordBatch]) -> Result<()> {
        if self.begun <= reading {
            self.begun = reading + 1;
            self.read_excluded(reading)?;
            self.first = self.excluded.rows;
        }
        let texts = batches.iter().map(|batch| Ok((self.text.of(batch)?, batch)));
        let texts = texts.collect::<Result<Vec<_>>>()?;
        if reading == 0 {
            let mut row = row as u32;
            for (texts, batch) in &texts {
                self.look_up(row, texts, batch.num_rows());
                row += batch.num_rows() as u32;
            }
        }
        match &mut self.reader {
            Some(reader) => reader.read(reading, self.first + row, &texts),
            None => Ok(()),
        }
    }

    fn decide(&mut self, rows: usize, ledger: &StageLedger) -> Result<Vec<Dropped>> {
        ledger.note(format!("{} excluded rows", crate::cli::count(self.excluded.rows as u64)));
        if u32::try_from(self.first + rows).is_err() {
            return Err(Error::data("the input", "the rows and the excluded ones are too many"));
        }
        let mut nearest = Nearest { first: self.first as u32, nearest: HashMap::new() };
        if let Some(reader) = self.reader.take() {
            for (row, first) in reader.finish()?.pairs(&mut nearest)? {
                // A row with the set of an excluded one, or of a row before it.
                let same = (first < nearest.first).then_some((first, 1.0));
                let same = same.or_else(|| nearest.nearest.get(&first).copied());
                if let Some(same) = same.filter(|_| row >= nearest.first) {
                    nearest.nearest.insert(row, same);
                }
            }
        }
        for (row, (excluded, index)) in nearest.nearest {
            let found =
                self.found.entry(row - nearest.first).or_insert(Found::Near(excluded, index));
            if matches!(found, Found::Run(..)) {
                *found = Found::Near(excluded, index);
            }
        }
        let mut dropped: Vec<u32> = self.found.keys().copied().collect();
        dropped.sort_unstable();
        Ok(dropped.into_iter().map(Dropped::alone).collect())
    }

    fn why(&self, dropped: &Dropped) -> Drop {
        let Some(found) = self.found.get(&dropped.row) else { return Drop::default() };
        let (reason, excluded, similarity) = match *found {
            Found::Same(row) => ("the same text as an excluded row".to_owned(), row, 1.0),
            Found::Near(row, index) => {
                let least = self.likeness.threshold;
                (format!("near an excluded row (Jaccard index of {least} or more)"), row, index)
            }
            Found::Run(row, share) => {
                ("a run of words that an excluded row has too".to_owned(), row, share)
            }
        };
        let duplicate_of = Some(self.excluded.place(excluded));
        Drop { reason, duplicate_of, similarity: Some(similarity) }
    }
}

/// The most similar excluded row of every row; excluded ones come before `first`.
struct Nearest {
    first: u32,
    nearest: HashMap<u32, (u32, f64)>,
}

impl Pairs for Nearest {
    fn group(&mut self, row: u32) -> u32 {
        u32::from(row >= self.first)
    }

    fn near(&mut self, row: u32, other: u32, shared: u32, all: u32) -> bool {
        let (excluded, row) = (row.min(other), row.max(other));
        let index = crate::select::duplicates::near::jaccard(shared, all);
        let nearest = self.nearest.entry(row).or_insert((excluded, index));
        if index > nearest.1 || (index == nearest.1 && excluded < nearest.0) {
            *nearest = (excluded, index);
        }
        true
    }
}
