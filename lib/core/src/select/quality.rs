//! Rules about prompts, a SELECT over table `input` (templates/quality/): every row comes out once, with
//! `_reject`, why it is dropped, or null, and `_warning`, what is odd about it. Rules drop rows and change
//! nothing: of what they give, only these two columns are read, and the rows go on as they were.

use crate::rows::Rows;
use crate::select::Drop;
use crate::select::ledger::StageLedger;
use crate::{Error, Result};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, Schema};
use std::collections::HashMap;

/// The number of a row, from 0, while a query looks at it.
pub const POSITION: &str = "_position";

/// Checks that rules give the columns that are read.
pub fn check(made: &Schema, rules: &str) -> Result<()> {
    for (name, of) in [(POSITION, DataType::Int64), ("_reject", DataType::Utf8)] {
        if made.field_with_name(name).map(|field| field.data_type()).ok() != Some(&of) {
            return Err(Error::usage(rules, format!("gives no column `{name}` of type {of}"))
                .hint("SELECT *, CASE WHEN … THEN 'why it is dropped' END AS _reject FROM input"));
        }
    }
    Ok(())
}

/// What rules say of rows.
pub struct Judgement {
    /// Row → why it is dropped.
    rejects: HashMap<usize, String>,
}

impl Judgement {
    /// Reads what rules said of so many rows: of each of them once.
    pub fn read(made: Rows, rows: usize, rules: &str, ledger: &StageLedger) -> Result<Self> {
        let mut seen = vec![false; rows];
        let mut rejects = HashMap::new();
        for batch in made.batches {
            let batch = batch?;
            let text = |name| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
            let positions = batch.column_by_name(POSITION);
            let positions = positions.and_then(|c| c.as_primitive_opt::<Int64Type>());
            let (reasons, warnings) = (text("_reject"), text("_warning"));
            for at in 0..batch.num_rows() {
                let row = positions.filter(|p| p.is_valid(at)).map(|p| p.value(at) as usize);
                let place = row.and_then(|row| seen.get_mut(row));
                if place.is_none_or(|seen| std::mem::replace(seen, true)) {
                    return Err(once(rules, row));
                }
                let of = |texts: Option<&arrow::array::StringArray>| {
                    texts.filter(|texts| texts.is_valid(at)).map(|texts| texts.value(at).to_owned())
                };
                if let (Some(row), Some(reason)) = (row, of(reasons)) {
                    rejects.insert(row, reason);
                }
                // Two warnings about one row are two.
                for warning in of(warnings).iter().flat_map(|both| both.split("; ")) {
                    ledger.warn(warning, 1);
                }
            }
        }
        match seen.iter().position(|seen| !seen) {
            Some(row) => Err(once(rules, Some(row))),
            None => Ok(Self { rejects }),
        }
    }

    /// Why a row is dropped, if it is.
    pub fn of(&self, row: usize) -> Option<Drop> {
        let reason = self.rejects.get(&row)?.clone();
        Some(Drop { reason, ..Drop::default() })
    }
}

fn once(rules: &str, row: Option<usize>) -> Error {
    let what = match row {
        Some(row) => format!("row {} comes out twice, or not at all", row + 1),
        None => "a row comes out that did not go in".to_owned(),
    };
    Error::usage(rules, what)
        .hint("rules give every row once, without WHERE, and say in `_reject` which to drop")
}
