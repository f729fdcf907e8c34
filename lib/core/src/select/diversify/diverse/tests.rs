//! Against the same computed in the plainest way, on small random items.

use super::*;
use crate::select::diversify::sets::{Sets, jaccard};

/// Small random sets, some empty, some the same, with their similarities.
fn sets(draws: &mut Draws) -> (Box<dyn Similarity>, Vec<Vec<i32>>) {
    let mut sets = Sets::default();
    let alphabet = 2 + draws.below(20);
    for _ in 0..1 + draws.below(12) {
        let set: Vec<u64> = (0..draws.below(8)).map(|_| draws.below(alphabet)).collect();
        sets.push(&set);
    }
    let n = sets.len();
    let of = |a, b| (jaccard(sets.get(a), sets.get(b)) * f64::from(ONE)) as i32;
    let matrix = (0..n).map(|a| (0..n).map(|b| of(a, b)).collect()).collect();
    (Box::new(Jaccard::new(&sets)), matrix)
}

/// Small random vectors, some zero, some the same, with their similarities as they are computed.
fn vectors(draws: &mut Draws) -> (Box<dyn Similarity>, Vec<Vec<i32>>) {
    let (n, dim) = (1 + draws.below(12) as usize, 1 + draws.below(9) as usize);
    let numbers: Vec<f32> = (0..n * dim).map(|_| draws.below(5) as f32 - 2.0).collect();
    let cosine = Cosine::new(&numbers, dim);
    let matrix: Vec<Vec<i32>> = (0..n)
        .map(|a| {
            let mut row = vec![-ONE; n];
            cosine.raise(&mut row, &[a]);
            row
        })
        .collect();
    for (a, row) in matrix.iter().enumerate() {
        for (b, &similarity) in row.iter().enumerate() {
            let of = |a: usize, b: usize| -> f64 {
                let pairs = numbers[a * dim..].iter().zip(&numbers[b * dim..]).take(dim);
                pairs.map(|(x, y)| f64::from(x * y)).sum()
            };
            let norms = (of(a, a) * of(b, b)).sqrt();
            let zeros = f64::from(u8::from(of(a, a) == of(b, b)));
            let expected = if norms > 0.0 { of(a, b) / norms } else { zeros };
            assert!((f64::from(similarity) / f64::from(ONE) - expected).abs() < 1e-6);
        }
    }
    (Box::new(cosine), matrix)
}

/// A random case: similarities, their matrix, keys, strata, quotas.
type Case = (Box<dyn Similarity>, Vec<Vec<i32>>, Vec<u64>, Vec<u32>, Vec<usize>);

fn case(seed: u64, strata: u64) -> Case {
    let mut draws = Draws::new(seed, "case", "");
    let (similarity, matrix) =
        if seed.is_multiple_of(2) { sets(&mut draws) } else { vectors(&mut draws) };
    let keys = (0..matrix.len()).map(|_| draws.below(u64::MAX)).collect();
    let of: Vec<u32> = (0..matrix.len()).map(|_| draws.below(strata) as u32).collect();
    let quota = |stratum| {
        let items = of.iter().filter(|&&of| u64::from(of) == stratum).count();
        draws.below(items as u64 + 1) as usize
    };
    let quotas = (0..strata).map(quota).collect();
    (similarity, matrix, keys, of, quotas)
}

/// What an item is worth beside those chosen.
fn worth(method: Method, matrix: &[Vec<i32>], chosen: &[usize], item: usize) -> u64 {
    let nearest =
        |to: usize, least: i32| chosen.iter().map(|&c| matrix[c][to]).fold(least, i32::max);
    match method {
        Method::KCenter => (i64::from(ONE) - i64::from(nearest(item, -ONE))) as u64,
        Method::FacilityLocation => {
            let gain = |to: usize| (matrix[item][to] - nearest(to, 0)).max(0) as u64;
            (0..matrix.len()).map(gain).sum()
        }
    }
}

fn naive(method: Method, matrix: &[Vec<i32>], items: &Items) -> Vec<(usize, u64)> {
    let mut left = items.quotas.to_vec();
    let mut picks: Vec<(usize, u64)> = Vec::new();
    while left.iter().any(|&left| left > 0) {
        let chosen: Vec<usize> = picks.iter().map(|pick| pick.0).collect();
        let free = |&item: &usize| left[items.strata[item] as usize] > 0 && !chosen.contains(&item);
        let rank = |&item: &usize| {
            let hash = Draws::new(items.seed, "diverse", &items.keys[item].to_string());
            (worth(method, matrix, &chosen, item), Reverse(hash.clone().below(u64::MAX)))
        };
        let best = (0..matrix.len()).filter(free).max_by_key(rank).unwrap();
        picks.push((best, worth(method, matrix, &chosen, best)));
        left[items.strata[best] as usize] -= 1;
    }
    picks
}

#[test]
fn the_lazy_queue_finds_what_computing_everything_finds() {
    for seed in 0..1000 {
        let (similarity, matrix, keys, strata, quotas) = case(seed, 1 + seed % 3);
        let items = Items { keys: &keys, strata: &strata, quotas: &quotas, seed };
        for method in [Method::KCenter, Method::FacilityLocation] {
            let picks = choose(method, similarity.as_ref(), &items);
            let naive = naive(method, &matrix, &items);
            for (at, (pick, (item, value))) in picks.iter().zip(&naive).enumerate() {
                assert_eq!(pick.item, *item, "{method:?} of case {seed}, pick {at}");
                let first = at == 0 && method == Method::KCenter;
                let value = *value as f64 / f64::from(ONE);
                assert_eq!(pick.value, (!first).then_some(value));
            }
            for (stratum, &quota) in quotas.iter().enumerate() {
                let of = picks.iter().filter(|pick| strata[pick.item] as usize == stratum);
                assert_eq!(of.count(), quota, "{method:?} of case {seed}, stratum {stratum}");
            }
        }
    }
}

#[test]
fn a_small_choice_is_the_beginning_of_a_large_one() {
    for seed in 0..50 {
        let (similarity, _, keys, strata, _) = case(seed, 1);
        for method in [Method::KCenter, Method::FacilityLocation] {
            let of = |size| {
                let items = Items { keys: &keys, strata: &strata, quotas: &[size], seed };
                choose(method, similarity.as_ref(), &items)
            };
            assert_eq!(of(keys.len() + 3).len(), keys.len());
            assert_eq!(of(keys.len() / 2), of(keys.len())[..keys.len() / 2]);
        }
    }
}

/// All choices of `size` of `n` items.
fn subsets(n: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    let list = move |bits: u32| (0..n).filter(|at| bits >> at & 1 == 1).collect();
    (0..1u32 << n).filter(move |bits| bits.count_ones() as usize == size).map(list)
}

#[test]
fn greedy_choices_are_as_good_as_proved() {
    for seed in 0..200 {
        let (similarity, matrix, keys, strata, _) = case(seed, 1);
        let (n, size) = (keys.len(), keys.len().min(3));
        let items = Items { keys: &keys, strata: &strata, quotas: &[size], seed };
        let chosen = |method| -> Vec<usize> {
            choose(method, similarity.as_ref(), &items).iter().map(|pick| pick.item).collect()
        };
        let nearest = |chosen: &[usize], to: usize| {
            chosen.iter().map(|&c| f64::from(matrix[c][to])).fold(f64::MIN, f64::max)
        };
        let covered = |chosen: &[usize]| (0..n).map(|to| nearest(chosen, to).max(0.0)).sum::<f64>();
        let best = subsets(n, size).map(|all| covered(&all)).fold(0.0, f64::max);
        let bound = (1.0 - 1.0 / std::f64::consts::E) * best;
        assert!(covered(&chosen(Method::FacilityLocation)) >= bound, "case {seed}");
        // Twice the best radius is for metrics; 1 - cosine is none.
        if seed.is_multiple_of(2) {
            let radius = |chosen: &[usize]| {
                (0..n).map(|to| f64::from(ONE) - nearest(chosen, to)).fold(0.0, f64::max)
            };
            let best = subsets(n, size).map(|all| radius(&all)).fold(f64::MAX, f64::min);
            assert!(radius(&chosen(Method::KCenter)) <= 2.0 * best + 2.0, "case {seed}");
        }
    }
}

/// More items than one block, with templates: sets and vectors of `order`'s items, and their keys.
fn many(order: &[u64]) -> (Jaccard, Cosine, Vec<u64>, Vec<u32>) {
    let (mut sets, mut numbers) = (Sets::default(), Vec::new());
    for item in order {
        let mut draws = Draws::new(1, "many", &item.to_string());
        let template = draws.below(5);
        let own = (0..6).map(|_| 1000 + draws.below(3000));
        sets.push(&(template * 20..template * 20 + 10).chain(own).collect::<Vec<_>>());
        numbers.extend((0..20).map(|_| (draws.unit() - 0.3) as f32));
    }
    let strata = order.iter().map(|item| (item % 4) as u32).collect();
    (Jaccard::new(&sets), Cosine::new(&numbers, 20), order.to_vec(), strata)
}

#[test]
fn neither_the_order_of_items_nor_threads_matter() {
    let order: Vec<u64> = (0..17_000).collect();
    let mut shuffled = order.clone();
    shuffled.sort_by_key(|item| Draws::new(2, "order", &item.to_string()).below(u64::MAX));
    let run = |order: &[u64], threads: usize, sets: bool| {
        let (jaccard, cosine, keys, strata) = many(order);
        let items = Items { keys: &keys, strata: &strata, quotas: &[5, 0, 9, 6], seed: 3 };
        let space: &dyn Similarity = if sets { &jaccard } else { &cosine };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let picks = |method| pool.install(|| choose(method, space, &items));
        let by_key = |pick: &Pick| (keys[pick.item], pick.value);
        let mut all: Vec<_> = picks(Method::KCenter).iter().map(by_key).collect();
        // All pairs of vectors would take long here.
        if sets {
            all.extend(picks(Method::FacilityLocation).iter().map(by_key));
        }
        all
    };
    for sets in [true, false] {
        let expected = run(&order, 1, sets);
        assert_eq!(expected.len(), if sets { 40 } else { 20 });
        assert_eq!(run(&order, 4, sets), expected);
        assert_eq!(run(&shuffled, 2, sets), expected);
    }
}

#[test]
fn gains_of_vectors_do_not_depend_on_threads() {
    let order: Vec<u64> = (0..1500).collect();
    let (_, cosine, keys, strata) = many(&order);
    let items = Items { keys: &keys, strata: &strata, quotas: &[9, 9, 9, 9], seed: 3 };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| choose(Method::FacilityLocation, &cosine, &items))
    };
    assert_eq!(run(1), run(3));
}
