//! Numbers drawn from a seed: a counter through a mixing function, so that draws of different streams need
//! nothing of each other.

/// Draws of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    state: u64,
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Draws {
    /// The draws of a stream of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self { state: mixed(seed ^ mixed(stream.wrapping_add(STEP))) }
    }

    /// 64 bits (SplitMix64; Steele, Lea and Flood 2014).
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mixed(self.state)
    }

    /// A whole number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
}

fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
