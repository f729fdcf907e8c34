//! The sets of shingles that may be near another one, in memory up to a limit and in a temporary file beyond.

use crate::input::spool;
use crate::{Error, Result};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// Some sets, in the order of their rows.
#[derive(Clone, Default)]
pub struct Block {
    /// Each set's row.
    pub rows: Vec<u32>,
    /// How many shingles each text has, those counted that no other text shares.
    pub sizes: Vec<u32>,
    ends: Vec<usize>,
    keys: Vec<u64>,
}

impl Block {
    /// How many sets.
    pub fn sets(&self) -> usize {
        self.rows.len()
    }

    /// A set's shared shingles, ascending.
    pub fn keys(&self, set: usize) -> &[u64] {
        let start = if set == 0 { 0 } else { self.ends[set - 1] };
        &self.keys[start..self.ends[set]]
    }

    /// Shingles of all sets.
    pub fn shingles(&self) -> usize {
        self.keys.len()
    }

    /// The bytes it takes.
    pub fn bytes(&self) -> usize {
        8 * self.keys.len() + 16 * self.rows.len()
    }

    /// Appends a set.
    pub fn push(&mut self, row: u32, size: u32, keys: &[u64]) {
        self.rows.push(row);
        self.sizes.push(size);
        self.keys.extend_from_slice(keys);
        self.ends.push(self.keys.len());
    }

    /// Each set with as many of its first shingles as `change` says, which may edit them; the sets for which
    /// it says none are gone.
    pub fn retain(&mut self, mut change: impl FnMut(u32, &mut [u64]) -> Option<usize>) {
        let (mut sets, mut end, mut start) = (0, 0, 0);
        for set in 0..self.sets() {
            let stop = self.ends[set];
            if let Some(kept) = change(self.sizes[set], &mut self.keys[start..stop]) {
                self.keys.copy_within(start..start + kept, end);
                end += kept;
                self.rows[sets] = self.rows[set];
                self.sizes[sets] = self.sizes[set];
                self.ends[sets] = end;
                sets += 1;
            }
            start = stop;
        }
        self.rows.truncate(sets);
        self.sizes.truncate(sets);
        self.ends.truncate(sets);
        self.keys.truncate(end);
    }
}

/// All sets.
pub struct Store {
    /// Bytes in memory; half as many are a block of the file, since two blocks are looked at together.
    limit: usize,
    /// The blocks that were full.
    full: Option<BufWriter<File>>,
    places: Vec<Place>,
    /// The one that is not.
    last: Block,
}

/// Where a block lies in the file.
#[derive(Clone, Copy)]
struct Place {
    at: u64,
    last_row: u32,
    sets: usize,
    keys: usize,
}

impl Store {
    /// An empty store that holds about `limit` bytes in memory for each block in use.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), full: None, places: Vec::new(), last: Block::default() }
    }

    /// How many blocks.
    pub fn blocks(&self) -> usize {
        self.places.len() + 1
    }

    /// The block that has a row's set, if there is one.
    pub fn block_of(&self, row: u32) -> usize {
        self.places.partition_point(|place| place.last_row < row)
    }

    /// Shingles of all sets.
    pub fn shingles(&self) -> usize {
        self.places.iter().map(|place| place.keys).sum::<usize>() + self.last.shingles()
    }

    /// Appends a set; rows come in ascending order.
    pub fn push(&mut self, row: u32, size: u32, keys: &[u64]) -> Result<()> {
        self.last.push(row, size, keys);
        let room = if self.places.is_empty() { self.limit } else { self.limit / 2 };
        if self.last.bytes() < room {
            return Ok(());
        }
        let all = std::mem::take(&mut self.last);
        let mut part = Block::default();
        for set in 0..all.sets() {
            part.push(all.rows[set], all.sizes[set], all.keys(set));
            if part.bytes() >= self.limit / 2 || set + 1 == all.sets() {
                self.spill(&std::mem::take(&mut part))?;
            }
        }
        Ok(())
    }

    fn spill(&mut self, block: &Block) -> Result<()> {
        let file = match &mut self.full {
            Some(file) => file,
            None => self.full.insert(BufWriter::with_capacity(1 << 20, spool::unnamed()?)),
        };
        let at = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let ends = block.ends.iter().map(|end| *end as u64);
        let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(failed);
        for number in block.rows.iter().chain(&block.sizes) {
            put(&number.to_le_bytes())?;
        }
        for number in ends.chain(block.keys.iter().copied()) {
            put(&number.to_le_bytes())?;
        }
        let last_row = block.rows.last().copied().unwrap_or(0);
        self.places.push(Place { at, last_row, sets: block.sets(), keys: block.keys.len() });
        Ok(())
    }

    /// The block of that number, as read back or as it is.
    pub fn block(&mut self, number: usize) -> Result<Cow<'_, Block>> {
        let Some(&place) = self.places.get(number) else {
            return Ok(Cow::Borrowed(&self.last));
        };
        self.read(place).map(Cow::Owned)
    }

    fn read(&mut self, place: Place) -> Result<Block> {
        let Some(file) = &mut self.full else {
            return Err(Error::world("temporary file", "it is gone"));
        };
        file.flush().map_err(failed)?;
        let file = file.get_mut();
        file.seek(SeekFrom::Start(place.at)).map_err(failed)?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut small = |count: usize| -> Result<Vec<u32>> {
            let mut numbers = Vec::with_capacity(count);
            for _ in 0..count {
                numbers.push(u32::from_le_bytes(number(&mut file)?));
            }
            Ok(numbers)
        };
        let (rows, sizes) = (small(place.sets)?, small(place.sets)?);
        let mut large = |count: usize| -> Result<Vec<u64>> {
            let mut numbers = Vec::with_capacity(count);
            for _ in 0..count {
                numbers.push(u64::from_le_bytes(number(&mut file)?));
            }
            Ok(numbers)
        };
        let ends = large(place.sets)?.into_iter().map(|end| end as usize).collect();
        Ok(Block { rows, sizes, ends, keys: large(place.keys)? })
    }

    /// Shows every block.
    pub fn for_each(&mut self, mut look: impl FnMut(&Block)) -> Result<()> {
        for number in 0..self.blocks() {
            let block = self.block(number)?;
            look(&block);
        }
        Ok(())
    }

    /// The store with every block as `change` leaves it; what fits together again is one block.
    pub fn rewrite(mut self, mut change: impl FnMut(&mut Block)) -> Result<Self> {
        if self.places.is_empty() {
            change(&mut self.last);
            return Ok(self);
        }
        let mut new = Self::new(self.limit);
        for number in 0..self.blocks() {
            let mut block = match self.places.get(number).copied() {
                Some(place) => self.read(place)?,
                None => std::mem::take(&mut self.last),
            };
            change(&mut block);
            for set in 0..block.sets() {
                new.push(block.rows[set], block.sizes[set], block.keys(set))?;
            }
        }
        Ok(new)
    }
}

fn number<const N: usize>(file: &mut impl Read) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn failed(error: std::io::Error) -> Error {
    Error::io(std::env::temp_dir().to_string_lossy(), &error)
        .hint("set TMPDIR to a folder with space")
}
