//! Ratings from pairwise comparisons.

use crate::rate::Z;

/// A player's rating on Elo's scale: 400 points are odds of ten to one, 1000 is the mean of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rating {
    /// The rating.
    pub rating: f64,
    /// The ends of its 95 % interval, relative to the mean of all.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

const MEAN: f64 = 1000.0;
const SCALE: f64 = 400.0 / std::f64::consts::LN_10;

/// Bradley and Terry's ratings (1952) of `players` from comparisons: the first, the second, and the first's
/// score (1 won, 0 lost, one half a tie; a tie is half a win). The likeliest ratings, not Elo's step by step,
/// so that the order of the comparisons does not matter. Each player also ties once with one of average
/// strength: without that, who never lost would have no finite rating. Intervals are from the observed
/// information.
pub fn bradley_terry(players: usize, comparisons: &[(usize, usize, f64)]) -> Vec<Rating> {
    // Row and column `players` are the average one.
    let all = players + 1;
    let mut met = vec![vec![0.0; all]; all];
    let mut won = vec![0.5; all];
    for &(a, b, score) in comparisons.iter().filter(|(a, b, _)| a != b) {
        met[a][b] += 1.0;
        met[b][a] += 1.0;
        won[a] += score;
        won[b] += 1.0 - score;
    }
    met[players][..players].fill(1.0);
    met[..players].iter_mut().for_each(|row| row[players] = 1.0);
    let strengths = likeliest(&met, &won);
    let covariance = inverse(information(&met, &strengths));
    let n = players as f64;
    let logs: Vec<f64> = strengths[..players].iter().map(|strength| strength.ln()).collect();
    let mean = logs.iter().sum::<f64>() / n;
    let column = |at: usize| covariance.iter().map(|row| row[at]).sum::<f64>() / n;
    let of_mean = (0..players).map(column).sum::<f64>() / n;
    let rating = |at: usize| {
        // The variance of a rating's distance from the mean of all.
        let variance = covariance[at][at] - 2.0 * column(at) + of_mean;
        let (rating, reach) =
            (MEAN + SCALE * (logs[at] - mean), SCALE * Z * variance.max(0.0).sqrt());
        Rating { rating, low: rating - reach, high: rating + reach }
    };
    (0..players).map(rating).collect()
}

/// Strengths by minorisation and maximisation (Hunter 2004); the average player's is 1.
fn likeliest(met: &[Vec<f64>], won: &[f64]) -> Vec<f64> {
    let players = met.len() - 1;
    let mut strengths = vec![1.0_f64; met.len()];
    for _ in 0..100_000 {
        let mut moved: f64 = 0.0;
        for player in 0..players {
            let against = (0..met.len()).filter(|other| met[player][*other] > 0.0);
            let sum: f64 = against
                .map(|other| met[player][other] / (strengths[player] + strengths[other]))
                .sum();
            let next = won[player] / sum;
            moved = moved.max((next / strengths[player]).ln().abs());
            strengths[player] = next;
        }
        if moved < 1e-12 {
            break;
        }
    }
    strengths
}

/// The observed information of the logarithms of the strengths.
fn information(met: &[Vec<f64>], strengths: &[f64]) -> Vec<Vec<f64>> {
    let players = met.len() - 1;
    let mut table = vec![vec![0.0; players]; players];
    for a in 0..players {
        for b in 0..met.len() {
            let even = strengths[a] * strengths[b] / (strengths[a] + strengths[b]).powi(2);
            table[a][a] += met[a][b] * even;
            if b < players && b != a {
                table[a][b] -= met[a][b] * even;
            }
        }
    }
    table
}

/// The inverse of a positive definite table, by elimination.
fn inverse(mut table: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = table.len();
    let mut inverse: Vec<Vec<f64>> =
        (0..n).map(|row| (0..n).map(|at| f64::from(u8::from(at == row))).collect()).collect();
    for at in 0..n {
        let scale = table[at][at];
        for column in 0..n {
            table[at][column] /= scale;
            inverse[at][column] /= scale;
        }
        for row in (0..n).filter(|row| *row != at) {
            let times = table[row][at];
            for column in 0..n {
                table[row][column] -= times * table[at][column];
                inverse[row][column] -= times * inverse[at][column];
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_become_points() {
        // Ten to one, seen often: 400 points.
        let games: Vec<_> =
            (0..11_000).map(|at| (0, 1, f64::from(u8::from(at % 11 > 0)))).collect();
        let found = bradley_terry(2, &games);
        assert!((found[0].rating - found[1].rating - 400.0).abs() < 2.0, "{found:?}");
        assert!((found[0].rating + found[1].rating - 2000.0).abs() < 1e-6);
        assert!(found[0].low > 1180.0 && found[0].high < 1220.0);
    }

    #[test]
    fn the_order_of_games_does_not_matter() {
        let games = [(0, 1, 1.0), (1, 2, 0.5), (2, 0, 0.0), (0, 1, 0.0)];
        let mut back = games;
        back.reverse();
        let (one, other) = (bradley_terry(3, &games), bradley_terry(3, &back));
        assert!(one.iter().zip(&other).all(|(a, b)| (a.rating - b.rating).abs() < 1e-6));
    }

    #[test]
    fn who_never_lost_has_a_rating() {
        let found = bradley_terry(3, &[(0, 1, 1.0), (0, 1, 1.0)]);
        assert!(found.iter().all(|rating| rating.rating.is_finite() && rating.low < rating.high));
        assert!(found[0].rating > found[2].rating && found[2].rating > found[1].rating);
        assert!(bradley_terry(0, &[]).is_empty());
    }

    #[test]
    fn more_games_are_more_certain() {
        let games = [(0, 1, 1.0), (0, 1, 0.0), (1, 2, 1.0), (1, 2, 0.0)];
        let width = |times: usize| {
            let found = bradley_terry(3, &games.repeat(times));
            found[0].high - found[0].low
        };
        assert!(width(100) < width(1) / 5.0);
    }
}
