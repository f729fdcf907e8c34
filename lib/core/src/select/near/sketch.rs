//! Which shingles may be in more than one text: two bits for each of many slots, in a fraction of the memory
//! that the shingles take. Two shingles in one slot make a rare one look shared, which costs a comparison
//! later and changes no answer; a shared one never looks rare.

use rayon::prelude::*;

/// Slots for each shingle, if memory allows: about one rare shingle in eight then looks shared.
const SLOTS: u64 = 8;
/// Slots of a word.
const PER_WORD: u64 = 32;

/// Counts to two.
pub struct Sketch {
    words: Vec<u64>,
    shift: u32,
}

impl Sketch {
    /// A sketch for so many shingles, of at most so many bytes.
    pub fn new(shingles: u64, bytes: usize) -> Self {
        let most = (bytes as u64 / 8).max(1);
        let wanted = (shingles.saturating_mul(SLOTS) / PER_WORD).clamp(1 << 10, 1 << 40);
        let words = wanted.next_power_of_two();
        let words = if words > most { (most + 1).next_power_of_two() / 2 } else { words };
        Self { words: vec![0; words as usize], shift: 64 - words.trailing_zeros() }
    }

    /// Counts every shingle of every list; threads share the slots out, not the lists.
    pub fn count(&mut self, lists: &[Vec<u64>]) {
        let shift = self.shift;
        let part = self.words.len().div_ceil(rayon::current_num_threads());
        self.words.par_chunks_mut(part).enumerate().for_each(|(index, words)| {
            let first = index * part;
            for hash in lists.iter().flatten() {
                let at = word_of(*hash, shift).wrapping_sub(first);
                if let Some(word) = words.get_mut(at) {
                    let slot = slot_of(*hash);
                    // 00 → 01 → 11.
                    *word |= (1 | (*word >> slot & 1) << 1) << slot;
                }
            }
        });
    }

    /// Whether the shingle may have been counted more than once.
    pub fn is_shared(&self, hash: u64) -> bool {
        let word = self.words.get(word_of(hash, self.shift)).copied().unwrap_or(u64::MAX);
        word >> slot_of(hash) & 2 != 0
    }
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
        let slots = (2 * shingles).max(1 << 10).next_power_of_two();
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
