//! Reads rows for the near join, as often as memory makes necessary: once if all shingles can be kept, three
//! times otherwise.

use crate::select::duplicates::near::{Block, Collecting, Counting, Limits, Threshold};
use crate::select::duplicates::normal::Normal;
use crate::select::duplicates::shingle::{Cuts, Cutter, Shingles};
use crate::select::texts::Texts;
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

    /// The shingles of every text of some batches, in order and in parts.
    pub fn cut(&self, batches: &[(Texts<'_>, &RecordBatch)]) -> Vec<Cuts> {
        let rows: Vec<(&Texts<'_>, usize)> = batches
            .iter()
            .flat_map(|(texts, batch)| (0..batch.num_rows()).map(move |row| (texts, row)))
            .collect();
        let cut = |rows: &[(&Texts<'_>, usize)]| {
            let mut cutter = Cutter::new(self.normal, self.shingles);
            let lengths = rows.iter().filter_map(|(texts, row)| texts.get(*row));
            let mut cuts = Cuts::with_capacity(rows.len(), lengths.map(|text| text.len()).sum());
            for (texts, row) in rows {
                match texts.get(*row) {
                    Some(text) => cutter.cut(&text, texts.language(*row), &mut cuts),
                    None => cuts.push_none(),
                }
            }
            cuts
        };
        rows.par_chunks(PART).map(cut).collect()
    }
}

/// Cuts, counts and collects the texts of all rows.
pub struct Reader {
    likeness: Likeness,
    threshold: Threshold,
    state: State,
}

enum State {
    /// The first reading: the shingles of all texts so far, as long as they are few.
    Gathering(Gathered),
    /// They were too many to be kept: the texts are cut again to count them, and once more to collect them.
    Counting(Counting),
    Collecting(Box<Collecting>),
}

#[derive(Default)]
struct Gathered {
    /// None once they are too many.
    cuts: Option<Vec<(u32, Cuts)>>,
    /// Shingles, of texts of so many bytes.
    shingles: u64,
    cut_bytes: u64,
    /// Bytes of all texts.
    bytes: u64,
}

impl Gathered {
    /// Shingles of all texts, about.
    fn expected(&self) -> u64 {
        let rate = self.shingles as f64 / self.cut_bytes.max(1) as f64;
        (rate * self.bytes as f64) as u64 + 1
    }
}

impl Reader {
    /// A reader of rows that are compared so; `flag` names the threshold.
    pub fn new(likeness: Likeness, flag: &str) -> Result<Self> {
        let threshold = likeness.threshold(flag)?;
        let gathered = Gathered { cuts: Some(Vec::new()), ..Gathered::default() };
        Ok(Self { likeness, threshold, state: State::Gathering(gathered) })
    }

    /// How often it reads the rows, as far as is known.
    pub fn readings(&self) -> usize {
        match &self.state {
            State::Gathering(Gathered { cuts: Some(_), .. }) => 1,
            _ => 3,
        }
    }

    /// Reads some batches, the first of whose rows has the number `row`.
    pub fn read(
        &mut self,
        reading: usize,
        row: usize,
        batches: &[(Texts<'_>, &RecordBatch)],
    ) -> Result<()> {
        if reading == 0 {
            self.gather(row, batches);
            return Ok(());
        }
        self.enter(reading);
        let cuts = self.likeness.cut(batches);
        match &mut self.state {
            State::Counting(counting) => cuts.iter().for_each(|cuts| counting.count(cuts)),
            State::Collecting(collecting) => {
                add(collecting, &(row as u32..).step_by(PART).zip(cuts).collect::<Vec<_>>())?;
            }
            State::Gathering(_) => {}
        }
        Ok(())
    }

    /// All rows have been read.
    pub fn finish(self) -> Result<Collecting> {
        match self.state {
            State::Gathering(Gathered { cuts, shingles, .. }) => {
                let counting = counting(self.likeness, self.threshold, shingles);
                collect(counting, cuts.unwrap_or_default())
            }
            State::Counting(counting) => Ok(counting.finish()),
            State::Collecting(collecting) => Ok(*collecting),
        }
    }

    /// The state of that reading.
    fn enter(&mut self, reading: usize) {
        let state = std::mem::replace(&mut self.state, State::Gathering(Gathered::default()));
        self.state = match (state, reading) {
            (State::Gathering(gathered), 1) => {
                State::Counting(counting(self.likeness, self.threshold, gathered.expected()))
            }
            (State::Counting(counting), 2) => State::Collecting(Box::new(counting.finish())),
            (state, _) => state,
        };
    }

    /// Keeps the shingles of a first reading's texts, if there is room.
    fn gather(&mut self, row: usize, batches: &[(Texts<'_>, &RecordBatch)]) {
        let State::Gathering(gathered) = &mut self.state else { return };
        let bytes = batches.iter().flat_map(|(texts, batch)| {
            (0..batch.num_rows()).filter_map(|row| texts.get(row)).map(|text| text.len() as u64)
        });
        let bytes: u64 = bytes.sum();
        gathered.bytes += bytes;
        let Some(kept) = &mut gathered.cuts else { return };
        let cuts = self.likeness.cut(batches);
        gathered.shingles += cuts.iter().map(|cuts| cuts.shingles() as u64).sum::<u64>();
        gathered.cut_bytes += bytes;
        kept.extend((row as u32..).step_by(PART).zip(cuts));
        if gathered.shingles * 8 > self.likeness.memory as u64 / 4 {
            gathered.cuts = None;
        }
    }
}

fn counting(likeness: Likeness, threshold: Threshold, shingles: u64) -> Counting {
    Counting::new(threshold, Limits { shingles, memory: likeness.memory })
}

/// The sets of texts whose shingles were all kept.
fn collect(mut counting: Counting, cuts: Vec<(u32, Cuts)>) -> Result<Collecting> {
    cuts.iter().for_each(|(_, cuts)| counting.count(cuts));
    let mut collecting = counting.finish();
    let mut cuts = cuts.into_iter();
    loop {
        // A few at a time, so that the memory of these is free for the sets.
        let part: Vec<_> = cuts.by_ref().take(4 * rayon::current_num_threads()).collect();
        if part.is_empty() {
            return Ok(collecting);
        }
        add(&mut collecting, &part)?;
    }
}

/// Takes the texts in that may be near another.
fn add(collecting: &mut Collecting, cuts: &[(u32, Cuts)]) -> Result<()> {
    let candidates = |(row, cuts): &(u32, Cuts)| collecting.candidates(*row, cuts);
    let blocks: Vec<Block> = cuts.par_iter().map(candidates).collect();
    blocks.iter().try_for_each(|block| collecting.add(block))
}
