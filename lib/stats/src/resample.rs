//! Many models at once, their clusters of items drawn again together, so that differences and ranks can be
//! read from the draws.
//!
//! A draw gives each cluster a weight, the same for all models. Weights are whole numbers from 0 to 5 out of
//! one random byte, with mean 1, variance 1 and third moment 4.98, so close to Poisson's (mean 1, variance
//! 1, third moment 5), which are those of drawing with repetition in large samples; such weights are a valid
//! bootstrap (Praestgaard and Wellner 1993). A rate is a ratio of weighted sums, so it does not matter that
//! weights do not add up to the same number in each draw.
//!
//! The sums are what costs: draws times clusters times models. Counts are taken apart into their binary
//! digits, one bit for each cluster; the weights of four clusters have sixteen sums, which are computed
//! once for all models, in bytes, for many draws side by side.

use crate::bootstrap::{accelerated, acceleration};
use crate::draws::Draws;
use crate::order::of_sorted;
use crate::rate::{TAIL, wilson};
use rayon::prelude::*;

/// A model's items, by cluster: clusters have the same place in every model.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Items that have what is asked.
    pub hits: Vec<u32>,
    /// Items that could.
    pub of: Vec<u32>,
}

/// What is known of a model's rate, and of its place among all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The rate.
    pub rate: f64,
    /// The ends of its 95 % interval (bias-corrected and accelerated; Wilson's with as many items as there
    /// are clusters where all or none have what is asked).
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// 1 for the lowest rate; models with equal rates share the lower number.
    pub rank: usize,
    /// The ends of the middle 95 % of its ranks.
    pub rank_low: usize,
    /// See `rank_low`.
    pub rank_high: usize,
}

/// Draws that are added side by side: a table of their sums stays in the fastest cache.
const LANES: usize = 256;
/// Clusters whose weights are summed in every combination.
const BLOCK: usize = 4;
/// Weights are at most 5: so many blocks fit a byte.
const BLOCKS_A_BYTE: usize = 255 / (5 * BLOCK);

type Lanes = [u8; LANES];

/// The rates of models over so many draws; none for a model without items.
pub fn estimates(models: &[Model], draws: usize, seed: u64) -> Vec<Option<Estimate>> {
    let replicates = replicates(models, draws, seed);
    let rates: Vec<Option<f64>> = models.iter().map(rate).collect();
    let place = |rate: f64, all: &mut dyn Iterator<Item = f64>| {
        1 + all.filter(|other| *other < rate).count()
    };
    let ranks = |at: usize| {
        let rank = |draw: usize| {
            let mut others = replicates.iter().flatten().map(|rates| rates[draw]);
            Some(place(replicates[at].as_ref()?[draw], &mut others) as f64)
        };
        let mut ranks: Vec<f64> = (0..draws).filter_map(rank).collect();
        ranks.sort_unstable_by(f64::total_cmp);
        ranks
    };
    let estimate = |at: usize| {
        let (rate, model) = (rates[at]?, &models[at]);
        let rank = place(rate, &mut rates.iter().flatten().copied());
        let ranks = ranks(at);
        let rank_low = of_sorted(&ranks, TAIL).map_or(rank, |end| end.floor() as usize);
        let rank_high = of_sorted(&ranks, 1.0 - TAIL).map_or(rank, |end| end.ceil() as usize);
        let (low, high) = interval(model, rate, replicates[at].as_deref().unwrap_or_default());
        let (rank_low, rank_high) = (rank_low.min(rank), rank_high.max(rank));
        Some(Estimate { rate, low, high, rank, rank_low, rank_high })
    };
    (0..models.len()).into_par_iter().map(estimate).collect()
}

fn totals(model: &Model) -> (u64, u64) {
    let sum = |of: &[u32]| of.iter().map(|count| u64::from(*count)).sum();
    (sum(&model.hits), sum(&model.of))
}

fn rate(model: &Model) -> Option<f64> {
    let (hits, of) = totals(model);
    (of > 0).then(|| hits as f64 / of as f64)
}

fn interval(model: &Model, rate: f64, replicates: &[f64]) -> (f64, f64) {
    let clusters = model.of.iter().filter(|of| **of > 0).count();
    if rate <= 0.0 || rate >= 1.0 || clusters < 2 || replicates.is_empty() {
        return wilson(rate * clusters as f64, clusters as f64).unwrap_or((0.0, 1.0));
    }
    let (hits, of) = totals(model);
    let without = |(h, n): (&u32, &u32)| {
        let left = of - u64::from(*n);
        if left == 0 { rate } else { (hits - u64::from(*h)) as f64 / left as f64 }
    };
    let clustered = model.hits.iter().zip(&model.of).filter(|(_, of)| **of > 0);
    let left_out: Vec<f64> = clustered.map(without).collect();
    let mut sorted = replicates.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    accelerated(&sorted, rate, acceleration(&left_out))
}

/// The rates of each model in each draw; none for a model without items.
pub fn replicates(models: &[Model], draws: usize, seed: u64) -> Vec<Option<Vec<f64>>> {
    let planes = Planes::of(models);
    let chunks: Vec<Vec<Vec<u32>>> =
        (0..draws.div_ceil(LANES)).into_par_iter().map(|chunk| planes.sums(seed, chunk)).collect();
    let sum = |digits: &[usize], draw: usize| {
        let of = |(digit, plane): (usize, &usize)| {
            u64::from(chunks[draw / LANES][*plane][draw % LANES]) << digit
        };
        digits.iter().enumerate().map(of).sum::<u64>() as f64
    };
    let rates = |(model, (hits, of)): (&Model, &(Vec<usize>, Vec<usize>))| {
        let whole = rate(model)?;
        let drawn = |draw: usize| {
            // A draw may leave out every cluster that the model has an item in.
            let items = sum(of, draw);
            if items > 0.0 { sum(hits, draw) / items } else { whole }
        };
        Some((0..draws).map(drawn).collect())
    };
    models.iter().zip(&planes.of_models).map(rates).collect()
}

/// The binary digits of all counts, those that are the same kept once.
struct Planes {
    clusters: usize,
    /// One bit for each cluster.
    bits: Vec<Vec<u64>>,
    /// For each model the planes of the digits of its hits and of its items, the lowest first.
    of_models: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Planes {
    fn of(models: &[Model]) -> Self {
        let clusters = models.first().map_or(0, |model| model.of.len());
        let mut planes = Self { clusters, bits: Vec::new(), of_models: Vec::new() };
        for model in models {
            let of_model = (planes.digits(&model.hits), planes.digits(&model.of));
            planes.of_models.push(of_model);
        }
        planes
    }

    fn digits(&mut self, counts: &[u32]) -> Vec<usize> {
        let most = counts.iter().copied().max().unwrap_or(0);
        let plane = |digit: u32| {
            let word = |counts: &[u32]| {
                let bit = |(at, count): (usize, &u32)| u64::from(count >> digit & 1) << at;
                counts.iter().enumerate().map(bit).fold(0, |all, bit| all | bit)
            };
            let bits: Vec<u64> = counts.chunks(64).map(word).collect();
            match self.bits.iter().position(|known| *known == bits) {
                Some(known) => known,
                None => {
                    self.bits.push(bits);
                    self.bits.len() - 1
                }
            }
        };
        (0..u32::BITS - most.leading_zeros()).map(plane).collect()
    }

    /// The weighted sums of every plane in the draws of a chunk.
    fn sums(&self, seed: u64, chunk: usize) -> Vec<Vec<u32>> {
        let mut sums = vec![vec![0_u32; LANES]; self.bits.len()];
        let mut bytes = vec![[0_u8; LANES]; self.bits.len()];
        let mut table = [[0_u8; LANES]; 1 << BLOCK];
        let mut draws = Draws::new(seed, chunk as u64);
        for block in 0..self.clusters.div_ceil(BLOCK) {
            weigh(&mut table, &mut draws);
            let (word, shift) = (block * BLOCK / 64, block * BLOCK % 64);
            for (plane, sum) in self.bits.iter().zip(&mut bytes) {
                let pattern = (plane[word] >> shift) as usize & ((1 << BLOCK) - 1);
                add(sum, &table[pattern]);
            }
            if block % BLOCKS_A_BYTE == BLOCKS_A_BYTE - 1 {
                spill(&mut bytes, &mut sums);
            }
        }
        spill(&mut bytes, &mut sums);
        sums
    }
}

/// Fills the table: at each combination of four clusters, the sum of their weights in each draw.
fn weigh(table: &mut [Lanes; 1 << BLOCK], draws: &mut Draws) {
    for cluster in 0..BLOCK {
        let lanes = &mut table[1 << cluster];
        for eight in lanes.chunks_exact_mut(8) {
            eight.copy_from_slice(&draws.bits().to_le_bytes());
        }
        for lane in lanes.iter_mut() {
            let byte = *lane;
            *lane = u8::from(byte >= 94)
                + u8::from(byte >= 189)
                + u8::from(byte >= 235)
                + u8::from(byte >= 251)
                + u8::from(byte == 255);
        }
    }
    for pattern in (0..1_usize << BLOCK).filter(|pattern| pattern.count_ones() > 1) {
        let lowest = pattern & pattern.wrapping_neg();
        let (rest, one) = (table[pattern ^ lowest], table[lowest]);
        let lanes = &mut table[pattern];
        for ((lane, a), b) in lanes.iter_mut().zip(&rest).zip(&one) {
            *lane = a + b;
        }
    }
}

fn add(sum: &mut Lanes, more: &Lanes) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = sum.wrapping_add(*more);
    }
}

fn spill(bytes: &mut [Lanes], sums: &mut [Vec<u32>]) {
    for (bytes, sums) in bytes.iter_mut().zip(sums) {
        for (byte, sum) in bytes.iter_mut().zip(sums) {
            *sum += u32::from(std::mem::take(byte));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn model(of: &[(u32, u32)]) -> Model {
        Model { hits: of.iter().map(|c| c.0).collect(), of: of.iter().map(|c| c.1).collect() }
    }

    /// The weights of the same draws, one by one.
    fn one_by_one(models: &[Model], draws: usize, seed: u64) -> Vec<Vec<f64>> {
        let clusters = models[0].of.len();
        let chunk = |chunk: usize| {
            let mut generator = Draws::new(seed, chunk as u64);
            let mut weights = vec![vec![0_u64; LANES]; clusters.div_ceil(BLOCK) * BLOCK];
            for cluster in &mut weights {
                for eight in cluster.chunks_exact_mut(8) {
                    for (weight, byte) in eight.iter_mut().zip(generator.bits().to_le_bytes()) {
                        let above = [94, 189, 235, 251, 255].iter().filter(|least| byte >= **least);
                        *weight = above.count() as u64;
                    }
                }
            }
            weights
        };
        let chunks: Vec<_> = (0..draws.div_ceil(LANES)).map(chunk).collect();
        let rate = |model: &Model, draw: usize| {
            let sum = |counts: &[u32]| {
                let weighed = counts.iter().enumerate().map(|(cluster, count)| {
                    u64::from(*count) * chunks[draw / LANES][cluster][draw % LANES]
                });
                weighed.sum::<u64>() as f64
            };
            sum(&model.hits) / sum(&model.of)
        };
        models.iter().map(|model| (0..draws).map(|draw| rate(model, draw)).collect()).collect()
    }

    fn some_models(clusters: u64) -> Vec<Model> {
        let mut draws = Draws::new(3, 3);
        let mut cluster = |most: u64| {
            let of = 1 + draws.below(most) as u32;
            (draws.below(u64::from(of) + 1) as u32, of)
        };
        [1, 3, 10, 300]
            .map(|most| model(&(0..clusters).map(|_| cluster(most)).collect::<Vec<_>>()))
            .into()
    }

    #[test]
    fn sums_of_digits_are_the_weighted_sums() {
        let models = some_models(333);
        let expected = one_by_one(&models, 300, 5);
        let found: Vec<Vec<f64>> = replicates(&models, 300, 5).into_iter().flatten().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn weights_have_the_moments_they_say() {
        let moment = |power: i32| {
            let of = |byte: u32| {
                let weight =
                    [94, 189, 235, 251, 255].iter().filter(|least| byte >= **least).count();
                (weight as f64).powi(power)
            };
            (0..256).map(of).sum::<f64>() / 256.0
        };
        assert_eq!((moment(1), moment(2)), (1.0, 2.0));
        assert!((moment(3) - 5.0).abs() < 0.02);
    }

    #[test]
    fn it_spreads_as_drawing_with_repetition_does() {
        let single: Vec<(u32, u32)> = (0..400).map(|at| (u32::from(at % 5 == 0), 1)).collect();
        let found = estimates(&[model(&single)], 4000, 1)[0].unwrap();
        let reach = 1.96 * (0.2 * 0.8 / 400.0_f64).sqrt();
        assert!((found.high - found.low - 2.0 * reach).abs() < 0.006, "{found:?}");
        // Clusters of ten that agree are worth one item each.
        let tens: Vec<(u32, u32)> = single.iter().map(|(hits, _)| (hits * 10, 10)).collect();
        assert_eq!(estimates(&[model(&tens)], 4000, 1)[0].unwrap(), found);
    }

    #[test]
    fn ranks_say_what_can_be_told_apart() {
        let at = |share: u64| {
            let mut draws = Draws::new(share, 9);
            model(&(0..500).map(|_| (u32::from(draws.below(100) < share), 1)).collect::<Vec<_>>())
        };
        let found = estimates(&[at(10), at(11), at(60)], 1000, 2);
        let found: Vec<Estimate> = found.into_iter().flatten().collect();
        assert_eq!((found[2].rank, found[2].rank_low, found[2].rank_high), (3, 3, 3));
        assert!(found[..2].iter().all(|one| (one.rank_low, one.rank_high) == (1, 2)), "{found:?}");
    }

    #[test]
    fn none_and_all_are_not_certain() {
        let found = estimates(&[model(&[(0, 1); 50]), model(&[(0, 0); 50])], 100, 1);
        assert!(found[0].unwrap().high > 0.07);
        assert_eq!(found[1], None);
        assert!(estimates(&[], 100, 1).is_empty());
    }
}
