//! seval-core: what all five programs share.
//!
//! Rows in and out ([`input`], [`output`], [`rows`]), what they must hold ([`contract`], [`plain`]), the
//! text files that are the features ([`template`], [`taxonomy`], [`built_in`]), and what the programs do
//! with rows ([`expand`], [`learn`], [`select`], [`critique`], [`compare`], [`report`], [`gate`], [`export`]). [`cli`] is the only place that talks to the
//! terminal.
//!
//! Invariants: nothing here opens a socket or reads a clock; no column that came in is edited; the same
//! rows, flags and seed give the same bytes, whatever the number of threads.

pub mod built_in;
pub mod checksum;
pub mod cli;
pub mod compare;
pub mod contract;
pub mod conversation;
pub mod critique;
pub mod encode;
pub mod error;
pub mod expand;
pub mod export;
pub mod gate;
pub mod input;
mod kill;
pub mod learn;
pub mod output;
pub mod plain;
pub mod provenance;
pub mod random;
pub mod refusal;
pub mod report;
pub mod rows;
pub mod safe_text;
pub mod select;
pub mod taxonomy;
pub mod template;

pub use error::{Error, Kind, Result};
pub use kill::kill_at;
pub use rows::Rows;
