//! The programs as users run them: commands and what they print.
//!
//! Checks that need something this machine lacks (public data sets, Python packages) say so and pass.

// A test that cannot go on panics, and what it did not check goes to standard error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod attacks;
mod bench_mk;
mod benchmarks_mk;
mod cases;
mod critique;
mod documents;
mod edge;
mod faults;
mod generate;
mod golden;
mod importers;
mod journal;
mod learn;
mod pipeline;
mod prompts;
mod quality;
mod query;
mod run;
mod s_eval;
mod select;
mod server;
mod statistics;
mod templates;
mod weight;
mod xstest;
