//! The stage that drops near duplicates: [`super::near`] over the rows.

use super::clusters::Clusters;
use super::duplicates::Find;
use super::ledger::StageLedger;
use super::near::{Collecting, Counting, Limits, Near, Threshold};
use super::normal::Normal;
use super::shingle::{Cutter, Shingles};
use super::texts::Texts;
use crate::{Error, Result};
use arrow::array::RecordBatch;
use rayon::prelude::*;

/// Rows that one thread cuts at a time.
const PART: usize = 256;

/// How texts are cut and compared.
#[derive(Clone, Copy, Debug)]
pub struct Likeness {
    /// The least Jaccard index.
    pub threshold: f64,
    /// The form that is compared.
    pub normal: Normal,
    /// What a shingle is.
    pub shingles: Shingles,
    /// Bytes of memory, about.
    pub memory: usize,
}

impl Likeness {
    /// The threshold, or what is wrong with it.
    pub fn threshold(&self, flag: &str) -> Result<Threshold> {
        Threshold::new(self.threshold).ok_or_else(|| {
            Error::usage(flag, format!("{} is not above 0 and at most 1", self.threshold))
                .hint("a Jaccard index, such as 0.8")
        })
    }

    /// The shingles of every text of some batches, in order; none where there is no text.
    pub fn cut(&self, batches: &[(Texts<'_>, &RecordBatch)]) -> Result<Vec<Option<Vec<u64>>>> {
        let rows: Vec<(&Texts<'_>, usize)> = batches
            .iter()
            .flat_map(|(texts, batch)| (0..batch.num_rows()).map(move |row| (texts, row)))
            .collect();
        let mut all = vec![None; rows.len()];
        all.par_chunks_mut(PART).zip(rows.par_chunks(PART)).try_for_each(|(all, rows)| {
            let mut cutter = Cutter::new(self.normal, self.shingles);
            for (shingles, (texts, row)) in all.iter_mut().zip(rows) {
                if let Some(text) = texts.get(*row) {
                    let mut cut = Vec::new();
                    cutter.cut(&text, texts.language(*row), &mut cut)?;
                    *shingles = Some(cut);
                }
            }
            Ok(())
        })?;
        Ok(all)
    }
}

/// Finds near duplicates.
pub struct NearDuplicates {
    likeness: Likeness,
    threshold: Threshold,
    bytes: usize,
    state: State,
}

enum State {
    New,
    Counting(Counting),
    Collecting(Collecting),
    Found(Near),
}

impl NearDuplicates {
    /// Near duplicates of that likeness.
    pub fn new(likeness: Likeness) -> Result<Self> {
        let threshold = likeness.threshold("--near")?;
        Ok(Self { likeness, threshold, bytes: 0, state: State::New })
    }

    /// The state of that reading.
    fn enter(&mut self, reading: usize) {
        let state = std::mem::replace(&mut self.state, State::New);
        self.state = match (state, reading) {
            (State::New, 1) => {
                // A shingle begins at every character, or at every word of some.
                let per_byte = if self.likeness.shingles.words.is_some() { 4 } else { 2 };
                let shingles = (self.bytes / per_byte).max(1) as u64;
                let limits = Limits { shingles, memory: self.likeness.memory };
                State::Counting(Counting::new(self.threshold, limits))
            }
            (State::Counting(counting), 2) => State::Collecting(counting.finish()),
            (state, _) => state,
        };
    }
}

impl Find for NearDuplicates {
    fn name(&self) -> &'static str {
        "near"
    }

    fn reason(&self) -> String {
        format!("near another row (Jaccard index of {} or more)", self.likeness.threshold)
    }

    fn readings(&self) -> usize {
        3
    }

    fn read(
        &mut self,
        reading: usize,
        row: usize,
        batches: &[(Texts<'_>, &RecordBatch)],
    ) -> Result<()> {
        if reading == 0 {
            let texts = batches.iter().flat_map(|(texts, batch)| {
                (0..batch.num_rows()).filter_map(|row| texts.get(row)).map(|text| text.len())
            });
            self.bytes += texts.sum::<usize>();
            return Ok(());
        }
        self.enter(reading);
        let cut = self.likeness.cut(batches)?;
        match &mut self.state {
            State::Counting(counting) => {
                counting.count(&cut.into_iter().flatten().collect::<Vec<_>>());
            }
            State::Collecting(collecting) => {
                let shared = |cut: Option<Vec<u64>>| collecting.shared(cut?);
                let shared: Vec<_> = cut.into_par_iter().map(shared).collect();
                for (row, set) in (row as u32..).zip(shared) {
                    if let Some((size, shingles)) = set {
                        collecting.add(row, size, &shingles)?;
                    }
                }
            }
            State::New | State::Found(_) => {}
        }
        Ok(())
    }

    fn clusters(&mut self, rows: usize, _: &StageLedger) -> Result<Clusters> {
        match std::mem::replace(&mut self.state, State::New) {
            State::Collecting(collecting) => {
                let mut near = collecting.clusters(rows)?;
                let clusters = std::mem::take(&mut near.clusters);
                self.state = State::Found(near);
                Ok(clusters)
            }
            _ => Ok(Clusters::new(rows)),
        }
    }

    fn similarities(&mut self, pairs: &[(u32, u32)]) -> Result<Vec<f64>> {
        match &mut self.state {
            State::Found(near) => near.similarities(pairs),
            _ => Ok(vec![1.0; pairs.len()]),
        }
    }
}
