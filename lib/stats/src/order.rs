//! Statistics of order.

/// Kendall's tau-b (1945) of two columns of one length, with ties; none where one is all the same. In
/// n log n steps (Knight 1966).
pub fn kendall_tau(x: &[f64], y: &[f64]) -> Option<f64> {
    let mut pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    if pairs.len() < 2 || pairs.iter().any(|(x, y)| x.is_nan() || y.is_nan()) {
        return None;
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let of = |n: usize| (n as f64) * (n as f64 - 1.0) / 2.0;
    let tied_x: f64 = pairs.chunk_by(|a, b| a.0 == b.0).map(|tied| of(tied.len())).sum();
    let tied_both: f64 = pairs.chunk_by(|a, b| a == b).map(|tied| of(tied.len())).sum();
    let mut ys: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    let swaps = sort_counting(&mut ys) as f64;
    let tied_y: f64 = ys.chunk_by(|a, b| a == b).map(|tied| of(tied.len())).sum();
    let all = of(pairs.len());
    let concordant_less_discordant = all - tied_x - tied_y + tied_both - 2.0 * swaps;
    let scale = ((all - tied_x) * (all - tied_y)).sqrt();
    (scale > 0.0).then(|| concordant_less_discordant / scale)
}

/// Sorts by merging; how many pairs stood in the wrong order.
fn sort_counting(values: &mut [f64]) -> u64 {
    let n = values.len();
    if n < 2 {
        return 0;
    }
    let (left, right) = values.split_at_mut(n / 2);
    let mut swaps = sort_counting(left) + sort_counting(right);
    let mut merged = Vec::with_capacity(n);
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        if j == right.len() || (i < left.len() && left[i] <= right[j]) {
            merged.push(left[i]);
            i += 1;
        } else {
            merged.push(right[j]);
            swaps += (left.len() - i) as u64;
            j += 1;
        }
    }
    values.copy_from_slice(&merged);
    swaps
}

/// The value below which a share (0 to 1) of the values lies, between the two nearest in proportion (type 7
/// of Hyndman and Fan 1996). None of no value.
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    of_sorted(&sorted, share)
}

/// [`percentile`] of values in order.
pub(crate) fn of_sorted(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (place - below as f64) * (sorted[above] - sorted[below]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::draws::Draws;

    fn by_pairs(x: &[f64], y: &[f64]) -> Option<f64> {
        let (mut sum, mut of_x, mut of_y) = (0.0, 0.0, 0.0);
        for i in 0..x.len() {
            for j in 0..i {
                let sign = |d: f64| if d == 0.0 { 0.0 } else { d.signum() };
                let (a, b) = (sign(x[i] - x[j]), sign(y[i] - y[j]));
                (sum, of_x, of_y) = (sum + a * b, of_x + a * a, of_y + b * b);
            }
        }
        (of_x * of_y > 0.0).then(|| sum / f64::sqrt(of_x * of_y))
    }

    #[test]
    fn tau_is_that_of_all_pairs() {
        for seed in 0..200 {
            let mut draws = Draws::new(seed, 1);
            let n = 2 + draws.below(30) as usize;
            let mut column = || (0..n).map(|_| draws.below(6) as f64).collect::<Vec<_>>();
            let (x, y) = (column(), column());
            let (found, expected) = (kendall_tau(&x, &y), by_pairs(&x, &y));
            assert_eq!(found.is_some(), expected.is_some());
            assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12);
        }
        assert_eq!(kendall_tau(&[1.0], &[1.0]), None);
        assert_eq!(kendall_tau(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }

    #[test]
    fn percentiles_lie_between() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(&values, 0.5), Some(2.5));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values, 1.0), Some(4.0));
        assert!((percentile(&values, 0.9).unwrap() - 3.7).abs() < 1e-12);
        assert_eq!(percentile(&[], 0.5), None);
    }
}
