//! p values of many comparisons at once.

/// Holm's adjusted p values (1979): the chance of any false finding is held.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let n = p.len() as f64;
    let mut adjusted = vec![1.0; p.len()];
    let mut most: f64 = 0.0;
    for (place, &at) in order.iter().enumerate() {
        most = most.max((n - place as f64) * p[at]).min(1.0);
        adjusted[at] = most;
    }
    adjusted
}

/// Benjamini and Hochberg's adjusted p values (1995): the share of false ones among the findings is held.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let n = p.len() as f64;
    let mut adjusted = vec![1.0; p.len()];
    let mut least: f64 = 1.0;
    for (place, &at) in order.iter().enumerate().rev() {
        least = least.min(n / (place + 1) as f64 * p[at]);
        adjusted[at] = least;
    }
    adjusted
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(found: &[f64], expected: &[f64]) {
        let alike = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(alike && found.len() == expected.len(), "{found:?} is not {expected:?}");
    }

    #[test]
    fn by_hand() {
        let p = [0.01, 0.04, 0.03, 0.005];
        same(&holm(&p), &[0.03, 0.06, 0.06, 0.02]);
        same(&benjamini_hochberg(&p), &[0.02, 0.04, 0.04, 0.02]);
        same(&holm(&[0.6, 0.7]), &[1.0, 1.0]);
        same(&holm(&[]), &[]);
        same(&benjamini_hochberg(&[0.3]), &[0.3]);
    }
}
