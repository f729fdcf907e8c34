//! Every pair of models under one critic.

use super::items::{Party, Table, ones};
use crate::Result;
use crate::plain::with_columns;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use rayon::prelude::*;
use seval_stats::multiple::{benjamini_hochberg, holm};
use seval_stats::paired::{Clusters, Difference, mcnemar};
use std::sync::Arc;

/// Two models on the items that both have a verdict for.
struct Pair<'t> {
    a: &'t Party,
    b: &'t Party,
    items: u64,
    both: u64,
    only_a: u64,
    only_b: u64,
    difference: Option<Difference>,
    /// None without an item in common.
    p: Option<f64>,
    p_holm: Option<f64>,
    p_bh: Option<f64>,
}

/// The pairs as a table.
pub fn table(table: &Table) -> Result<RecordBatch> {
    let order = Order::of(table);
    let pairs: Vec<Pair<'_>> =
        table.by_critic().flat_map(|parties| adjusted(of_critic(parties, &order))).collect();
    let text = |of: for<'p> fn(&'p Pair<'_>) -> &'p str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(pairs.iter().map(of)))
    };
    let count = |of: fn(&Pair<'_>) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(pairs.iter().map(|pair| of(pair) as i64)))
    };
    let number = |of: fn(&Pair<'_>) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(pairs.iter().map(of)))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("critic", text(|pair| &pair.a.critic)),
        ("model_a", text(|pair| &pair.a.name)),
        ("model_b", text(|pair| &pair.b.name)),
        ("items", count(|pair| pair.items)),
        ("both", count(|pair| pair.both)),
        ("only_a", count(|pair| pair.only_a)),
        ("only_b", count(|pair| pair.only_b)),
        ("neither", count(|pair| pair.items - pair.both - pair.only_a - pair.only_b)),
        ("difference", number(|pair| pair.difference.map(|d| d.value))),
        ("difference_low", number(|pair| pair.difference.map(|d| d.low))),
        ("difference_high", number(|pair| pair.difference.map(|d| d.high))),
        ("p", number(|pair| pair.p)),
        ("p_holm", number(|pair| pair.p_holm)),
        ("p_bh", number(|pair| pair.p_bh)),
        ("detectable", number(|pair| pair.difference.map(|d| d.detectable))),
    ];
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    with_columns(&schema, columns.into_iter().map(|(_, column)| column).collect(), pairs.len())
}

fn of_critic<'t>(parties: &'t [Party], order: &Order) -> Vec<Pair<'t>> {
    let pairs: Vec<(&Party, &Party)> = parties
        .iter()
        .enumerate()
        .flat_map(|(at, a)| parties[at + 1..].iter().map(move |b| (a, b)))
        .collect();
    pairs.into_par_iter().map(|(a, b)| pair(a, b, order)).collect()
}

fn pair<'t>(a: &'t Party, b: &'t Party, order: &Order) -> Pair<'t> {
    let words = |of: fn(u64, u64) -> u64| -> Vec<u64> {
        let both = a.scored.iter().zip(&b.scored).map(|(a, b)| a & b);
        let unsafe_ = a.unsafe_.iter().zip(&b.unsafe_);
        both.zip(unsafe_).map(|(both, (a, b))| both & of(*a, *b)).collect()
    };
    let items = words(|_, _| !0);
    let (only_a, only_b) = (words(|a, b| a & !b), words(|a, b| b & !a));
    let difference = order.clusters(&items, &only_a, &only_b).difference();
    let (only_a, only_b) = (ones(&only_a), ones(&only_b));
    let (items, both) = (ones(&items), ones(&words(|a, b| a & b)));
    let p = (items > 0).then(|| mcnemar(only_a, only_b));
    Pair { a, b, items, both, only_a, only_b, difference, p, p_holm: None, p_bh: None }
}

/// With the p values that many comparisons at once allow.
fn adjusted(mut pairs: Vec<Pair<'_>>) -> Vec<Pair<'_>> {
    let p: Vec<f64> = pairs.iter().filter_map(|pair| pair.p).collect();
    let tested = pairs.iter_mut().filter(|pair| pair.p.is_some());
    for ((pair, holm), bh) in tested.zip(holm(&p)).zip(benjamini_hochberg(&p)) {
        (pair.p_holm, pair.p_bh) = (Some(holm), Some(bh));
    }
    pairs
}

/// The items, those of one cluster together.
enum Order {
    /// Every item is a cluster.
    Single,
    /// The items in the order of their clusters, which of them begin one.
    Clustered(Vec<(usize, bool)>),
}

impl Order {
    fn of(table: &Table) -> Self {
        if table.cluster_count() == table.clusters.len() {
            return Self::Single;
        }
        let mut items: Vec<usize> = (0..table.clusters.len()).collect();
        items.sort_by_key(|item| table.clusters[*item]);
        let mut last = None;
        let begins = |item: &usize| {
            let cluster = Some(table.clusters[*item]);
            let begins = cluster != last;
            last = cluster;
            (*item, begins)
        };
        Self::Clustered(items.iter().map(begins).collect())
    }

    /// The sums over clusters.
    fn clusters(&self, items: &[u64], only_a: &[u64], only_b: &[u64]) -> Clusters {
        let mut sums = Clusters::default();
        match self {
            Self::Single => {
                let (a, b) = (ones(only_a), ones(only_b));
                sums.add_alike(a, 1, 1);
                sums.add_alike(b, 1, -1);
                sums.add_alike(ones(items) - a - b, 1, 0);
            }
            Self::Clustered(order) => {
                let bit = |bits: &[u64], at: usize| (bits[at / 64] >> (at % 64) & 1) as i64;
                let (mut n, mut difference) = (0, 0);
                for (item, begins) in order {
                    if *begins && n > 0 {
                        sums.add(n, difference);
                        (n, difference) = (0, 0);
                    }
                    n += bit(items, *item);
                    difference += bit(only_a, *item) - bit(only_b, *item);
                }
                if n > 0 {
                    sums.add(n, difference);
                }
            }
        }
        sums
    }
}
