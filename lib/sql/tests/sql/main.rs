//! The face of seval-sql as a caller uses it, and the SQL templates on texts of our own. One
//! binary, because each links the whole engine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attack_metrics;
mod import;
mod published;
mod quality;
mod query;
mod refused;
mod rows;
mod safety_metric;
mod statistics;
mod templates;
