//! Which shingles may be in more than one text: two bits for each of many slots, in a fraction of the memory
//! that the shingles take. Two shingles in one slot make a rare one look shared, which costs a comparison
//! later and changes no answer; a shared one never looks rare.

use crate::select::duplicates::shingle::Cuts;

/// Slots for each shingle that is counted, if memory allows: a rare one in four then looks shared.
const SLOTS: u64 = 3;
/// Slots of a word.
const PER_WORD: u64 = 32;
/// Shingles that are looked up before it is asked whether that is enough.
const LOOKED_UP: usize = 8;

/// Counts to two, a part of the shingles.
pub struct Sketch {
    words: Vec<u64>,
    shift: u32,
    /// How many of 256 shingles are counted.
    part: u8,
}

impl Sketch {
    /// A sketch for so many shingles, of at most so many bytes, of which this share is counted.
    pub fn new(shingles: u64, bytes: usize, share: f64) -> Self {
        let part = (share * 256.0).clamp(1.0, 255.0) as u8;
        let most = (bytes as u64 / 8).max(1);
        let counted = (shingles >> 8).saturating_mul(part.into());
        let wanted = (counted * SLOTS / PER_WORD).clamp(1 << 10, 1 << 40);
        let words = wanted.next_power_of_two();
        let words = if words > most { (most + 1).next_power_of_two() / 2 } else { words };
        Self { words: vec![0; words as usize], shift: 64 - words.trailing_zeros(), part }
    }

    /// Counts every shingle of some texts.
    pub fn count(&mut self, cuts: &Cuts) {
        let mut counted = Vec::new();
        for text in 0..cuts.len() {
            let shingles = cuts.get(text);
            counted.resize(shingles.len(), 0);
            let count = take(shingles, &mut counted, |hash| is_counted(hash, self.part));
            for hash in &counted[..count] {
                let slot = slot_of(*hash);
                if let Some(word) = self.words.get_mut(word_of(*hash, self.shift)) {
                    // 00 → 01 → 11.
                    *word |= (1 | (*word >> slot & 1) << 1) << slot;
                }
            }
        }
    }

    /// Those of a text's shingles that may be in another text, or twice in this one, in `shared`; false, and
    /// no care what is in it, as soon as more than `spare` are in no other.
    pub fn shared(&self, shingles: &[u64], spare: usize, shared: &mut Vec<u64>) -> bool {
        shared.resize(2 * shingles.len(), 0);
        // The counted ones go behind the others, to be looked up together.
        let (others, counted) = shared.split_at_mut(shingles.len());
        let count = take(shingles, counted, |hash| is_counted(hash, self.part));
        let mut end = 0;
        for some in (0..count).step_by(LOOKED_UP) {
            let until = count.min(some + LOOKED_UP);
            for at in some..until {
                let hash = counted[at];
                let word = self.words.get(word_of(hash, self.shift)).copied().unwrap_or(u64::MAX);
                counted[end] = hash;
                end += usize::from(word >> slot_of(hash) & 2 != 0);
            }
            if until - end > spare {
                return false;
            }
        }
        let first = take(shingles, others, |hash| !is_counted(hash, self.part));
        shared.copy_within(shingles.len()..shingles.len() + end, first);
        shared.truncate(first + end);
        true
    }
}

/// Copies what is wanted to the front of `to`; how many. Without a branch, which would be mispredicted for
/// every second hash.
fn take(from: &[u64], to: &mut [u64], wanted: impl Fn(u64) -> bool) -> usize {
    let mut count = 0;
    for hash in from {
        to[count] = *hash;
        count += usize::from(wanted(*hash));
    }
    count
}

fn is_counted(hash: u64, part: u8) -> bool {
    // Bits that choose neither word nor slot.
    (hash >> 5) as u8 <= part
}

fn word_of(hash: u64, shift: u32) -> usize {
    hash.checked_shr(shift).unwrap_or(0) as usize
}

fn slot_of(hash: u64) -> u32 {
    2 * (hash as u32 & (PER_WORD as u32 - 1))
}

/// How often shingles come, to order them by: the rarer one is the better clue. Two in one slot add up.
pub struct Counts {
    slots: Vec<u16>,
    shift: u32,
}

impl Counts {
    /// Counts for so many shingles, of at most so many bytes.
    pub fn new(shingles: usize, bytes: usize) -> Self {
        let most = (bytes / 2).max(1 << 10);
        let slots = shingles.max(1 << 10).next_power_of_two();
        let slots = if slots > most { (most + 1).next_power_of_two() / 2 } else { slots };
        Self { slots: vec![0; slots], shift: 64 - slots.trailing_zeros() }
    }

    /// Counts a text's shingles.
    pub fn add(&mut self, shingles: &[u64]) {
        for hash in shingles {
            let slot = &mut self.slots[(hash >> self.shift) as usize];
            *slot = slot.saturating_add(1);
        }
    }

    /// How often the shingle came, or more.
    pub fn of(&self, hash: u64) -> u16 {
        self.slots[(hash >> self.shift) as usize]
    }

    /// The shingle as a number that is the greater the more often it comes: eight bits of the logarithm
    /// of the count, 56 of the hash.
    pub fn ordered(&self, hash: u64) -> u64 {
        let count = u32::from(self.of(hash));
        let rarity = match count {
            0..128 => count,
            _ => 128 + 8 * (count.ilog2() - 7) + ((count >> (count.ilog2() - 3)) & 7),
        };
        u64::from(rarity) << 56 | hash >> 8
    }
}
