//! Chance that does not depend on order: every draw comes from (seed, what it is for, row), so that the
//! same row gets the same draw whatever stands before it and however many threads there are.

use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// The draws of one row for one purpose.
#[derive(Clone, Debug)]
pub struct Draws {
    key: u64,
    drawn: u64,
}

impl Draws {
    /// The draws for `purpose` (a template's name, say) on the row `row` (its prompt_id).
    pub fn new(seed: u64, purpose: &str, row: &str) -> Self {
        Self::of_bytes(seed, purpose, row.as_bytes())
    }

    /// The draws for `purpose` on what has the hash `key`.
    pub fn of_key(seed: u64, purpose: &str, key: u64) -> Self {
        Self::of_bytes(seed, purpose, &key.to_le_bytes())
    }

    fn of_bytes(seed: u64, purpose: &str, row: &[u8]) -> Self {
        let key = xxh3_64_with_seed(purpose.as_bytes(), seed);
        Self { key: xxh3_64_with_seed(row, key), drawn: 0 }
    }

    /// A uniform number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        let bits = xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.key);
        ((u128::from(bits) * u128::from(bound)) >> 64) as u64
    }

    /// A uniform number above 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        (self.below(1 << 52) as f64 + 0.5) / (1u64 << 52) as f64
    }
}

/// A content id: 32 hex digits of xxh3-128 of the text.
pub fn content_id(text: &str) -> String {
    hex(content_hash(text))
}

/// A content id as a number.
pub fn content_hash(text: &str) -> u128 {
    xxh3_128(text.as_bytes())
}

/// 32 hex digits.
pub fn hex(number: u128) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |at: u32| char::from(DIGITS[(number >> (4 * at)) as usize & 15]);
    (0..32).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_hash_in_hex() {
        let hash = xxh3_128(b"How?");
        assert_eq!(content_id("How?"), format!("{hash:032x}"));
    }

    #[test]
    fn draws_are_uniform_and_repeatable() {
        let mut counts = [0u32; 9];
        for row in 0..9000 {
            let draw = Draws::new(0, "caesar", &row.to_string()).below(9);
            assert_eq!(draw, Draws::new(0, "caesar", &row.to_string()).below(9));
            counts[draw as usize] += 1;
        }
        // 1,000 expected in each, standard deviation 30.
        assert!(counts.iter().all(|&count| (880..1120).contains(&count)), "{counts:?}");
    }
}
