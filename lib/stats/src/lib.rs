//! seval-stats: the statistics of an evaluation, as pure functions of numbers.
//!
//! Intervals are of 95 %. Nothing here reads a clock or draws from a global generator: a seed gives the same
//! numbers everywhere. A statistic that is not defined is none, never a number that looks like one.
#![allow(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]

pub mod agreement;
pub mod bootstrap;
pub mod correct;
pub mod diversity;
mod draws;
pub mod multiple;
pub mod order;
pub mod paired;
pub mod rate;
pub mod ratings;
pub mod resample;
