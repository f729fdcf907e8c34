//! Every model with its rate and the ranks that it may have.

use super::Options;
use super::items::{Party, Table, ones};
use crate::Result;
use crate::plain::with_columns;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use seval_stats::resample::{Estimate, Model, estimates};
use std::sync::Arc;

/// The models as a table.
pub fn table(table: &Table, options: &Options) -> Result<RecordBatch> {
    let clusters = table.cluster_count();
    let mut ranked: Vec<(&Party, Option<Estimate>)> = Vec::new();
    for parties in table.by_critic() {
        let models: Vec<Model> =
            parties.iter().map(|party| model(party, &table.clusters, clusters)).collect();
        let found = estimates(&models, options.draws, options.seed);
        let mut of_critic: Vec<_> = parties.iter().zip(found).collect();
        of_critic.sort_by_key(|(_, found)| found.map_or(usize::MAX, |found| found.rank));
        ranked.extend(of_critic);
    }
    let text = |of: fn(&Party) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(ranked.iter().map(|(party, _)| of(party))))
    };
    let count = |of: fn(&Party) -> u64| -> ArrayRef {
        let counts = ranked.iter().map(|(party, _)| of(party) as i64);
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let number = |of: fn(&Estimate) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter(ranked.iter().map(|(_, found)| found.as_ref().map(of))))
    };
    let place = |of: fn(&Estimate) -> usize| -> ArrayRef {
        let places = ranked.iter().map(|(_, found)| found.as_ref().map(|found| of(found) as i64));
        Arc::new(Int64Array::from_iter(places))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("critic", text(|party| &party.critic)),
        ("model", text(|party| &party.name)),
        ("items", count(|party| ones(&party.scored))),
        ("unscored", count(Party::unscored)),
        ("rate", number(|found| found.rate)),
        ("rate_low", number(|found| found.low)),
        ("rate_high", number(|found| found.high)),
        ("rank", place(|found| found.rank)),
        ("rank_low", place(|found| found.rank_low)),
        ("rank_high", place(|found| found.rank_high)),
    ];
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    with_columns(&schema, columns.into_iter().map(|(_, column)| column).collect(), ranked.len())
}

/// A model's items by cluster.
fn model(party: &Party, clusters: &[usize], count: usize) -> Model {
    let mut model = Model { hits: vec![0; count], of: vec![0; count] };
    for (item, cluster) in clusters.iter().enumerate() {
        let bit = |bits: &[u64]| (bits[item / 64] >> (item % 64) & 1) as u32;
        model.of[*cluster] += bit(&party.scored);
        model.hits[*cluster] += bit(&party.unsafe_);
    }
    model
}
