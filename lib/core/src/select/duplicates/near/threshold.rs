//! What a Jaccard index of at least t means for the number of shared shingles, without rounding errors: every
//! bound is found with the very comparison that decides about a pair.

/// The least Jaccard index of two texts that are near duplicates: above 0, at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold(f64);

impl Threshold {
    /// A threshold; none outside (0, 1].
    pub fn new(least: f64) -> Option<Self> {
        (least > 0.0 && least <= 1.0).then_some(Self(least))
    }

    /// The number itself.
    pub fn least(self) -> f64 {
        self.0
    }

    /// Whether sets of which `shared` are in both and `all` in either are near.
    fn is_near(self, shared: u32, all: u32) -> bool {
        shared > 0 && jaccard(shared, all) >= self.0
    }

    /// The fewest shared shingles that make sets near whose sizes add up to `sizes`.
    pub fn least_shared(self, sizes: u32) -> u32 {
        let guess = (self.0 / (1.0 + self.0) * f64::from(sizes)) as u32;
        self.first(guess, |shared| sizes >= shared && self.is_near(shared, sizes - shared))
    }

    /// The fewest shared shingles that a set of `size` needs to be near any other.
    pub fn least_of(self, size: u32) -> u32 {
        let guess = (self.0 * f64::from(size)) as u32;
        self.first(guess, |shared| self.is_near(shared, size))
    }

    /// The smallest number near `guess` that will do; all greater ones do.
    fn first(self, guess: u32, will_do: impl Fn(u32) -> bool) -> u32 {
        let mut least = guess;
        while least > 0 && will_do(least - 1) {
            least -= 1;
        }
        while !will_do(least) {
            least += 1;
        }
        least
    }
}

/// The Jaccard index of sets of which `shared` are in both and `all` in either.
pub fn jaccard(shared: u32, all: u32) -> f64 {
    f64::from(shared) / f64::from(all)
}

/// How many numbers two ascending lists share, or none as soon as it is clear that they are fewer than
/// `least`, or that the first they share is smaller than `first`.
pub fn shared(a: &[u64], b: &[u64], least: u32, first: Option<u64>) -> Option<u32> {
    let (mut at, mut bt, mut shared) = (0, 0, 0u32);
    let least = least as usize;
    while let (Some(x), Some(y)) = (a.get(at), b.get(bt)) {
        if x == y {
            if shared == 0 && first.is_some_and(|first| *x < first) {
                return None;
            }
            shared += 1;
            at += 1;
            bt += 1;
        } else {
            at += usize::from(x < y);
            bt += usize::from(y < x);
            if shared as usize + (a.len() - at).min(b.len() - bt) < least {
                return None;
            }
        }
    }
    (shared as usize >= least).then_some(shared)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact() {
        for t in [0.05, 0.3, 1.0 / 3.0, 0.5, 0.61, 0.7, 0.8, 0.9, 0.99, 1.0] {
            let threshold = Threshold::new(t).unwrap();
            for a in 1..60u32 {
                for b in a..60 {
                    let least = threshold.least_shared(a + b);
                    for shared in 1..=a {
                        let near = f64::from(shared) / f64::from(a + b - shared) >= t;
                        assert_eq!(near, shared >= least, "{t} {a} {b} {shared}");
                        assert!(!near || shared >= threshold.least_of(b), "{t} {a} {b} {shared}");
                    }
                }
            }
        }
        assert!([0.0, -0.1, 1.1, f64::NAN].into_iter().all(|t| Threshold::new(t).is_none()));
    }

    #[test]
    fn shared_numbers_are_counted_or_given_up() {
        assert_eq!(shared(&[1, 3, 5, 7], &[2, 3, 4, 7, 9], 2, None), Some(2));
        assert_eq!(shared(&[1, 3, 5, 7], &[2, 3, 4, 7, 9], 3, None), None);
        assert_eq!(shared(&[1, 3, 5], &[1, 3, 5], 1, Some(1)), Some(3));
        assert_eq!(shared(&[1, 3, 5], &[1, 3, 5], 1, Some(3)), None);
        assert_eq!(shared(&[], &[1], 1, None), None);
    }
}
