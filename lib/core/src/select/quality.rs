//! Rules about prompts, a SELECT over table `input` (templates/quality/): every row comes out once, with
//! `_reject`, why it is dropped, or null, and `_warning`, what is odd about it. Rules drop rows and change
//! nothing: a rules file that gives another number of rows, or lacks a column, is an error.

use crate::rows::Rows;
use crate::{Error, Result};
use arrow::datatypes::{DataType, Schema};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The columns about a row that rules give.
const ABOUT: [&str; 2] = ["_warning", "_reject"];

/// The rows that rules made of rows of the columns `own`, with these and `_reject` and `_warning` alone. They
/// must be as many as were `read`, which is known when the last one has come.
pub fn checked(made: Rows, own: &Schema, read: Arc<AtomicU64>, rules: &str) -> Result<Rows> {
    check(&made.schema, own, rules)?;
    let names = own.fields().iter().map(|field| field.name().as_str()).chain(ABOUT);
    let wanted: Vec<usize> = names.filter_map(|name| made.schema.index_of(name).ok()).collect();
    let schema = made.schema.project(&wanted).map_err(crate::select::failed)?.into();
    let made = counted(made, read, rules);
    let batches =
        made.batches.map(move |batch| batch?.project(&wanted).map_err(crate::select::failed));
    Ok(Rows { schema, batches: Box::new(batches), history: made.history })
}

fn check(made: &Schema, own: &Schema, rules: &str) -> Result<()> {
    let reject = made.field_with_name("_reject").map(|field| field.data_type());
    if reject.ok() != Some(&DataType::Utf8) {
        return Err(Error::usage(rules, "gives no column `_reject` of text")
            .hint("SELECT *, CASE WHEN … THEN 'why it is dropped' END AS _reject FROM input"));
    }
    let same = |name: &str, of: &DataType| {
        made.field_with_name(name).is_ok_and(|field| field.data_type() == of)
    };
    match own.fields().iter().find(|field| !same(field.name(), field.data_type())) {
        None => Ok(()),
        Some(field) => {
            let what = format!("column `{}` is not there as it came in", field.name());
            Err(Error::usage(rules, what).hint("SELECT * gives all columns as they are"))
        }
    }
}

/// The rows; an error after the last one if there are not as many as were read.
fn counted(rows: Rows, read: Arc<AtomicU64>, rules: &str) -> Rows {
    let (mut batches, rules) = (rows.batches, rules.to_owned());
    let mut given = Some(0);
    let batches = std::iter::from_fn(move || {
        if let Some(batch) = batches.next() {
            // After an error nothing more is known of the number of rows.
            let rows = batch.as_ref().ok().map(|batch| batch.num_rows() as u64);
            given = given.zip(rows).map(|(given, rows)| given + rows);
            return Some(batch);
        }
        let (given, read) = (given.take()?, read.load(Ordering::Relaxed));
        let what = format!("{given} rows came out of {read}");
        (given != read).then(|| {
            Err(Error::usage(&rules, what).hint(
                "rules give every row once, without WHERE, and say in `_reject` which to drop",
            ))
        })
    });
    Rows { schema: rows.schema, batches: Box::new(batches), history: rows.history }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use arrow::datatypes::Field;

    fn rows(names: &[&str], sizes: &[usize]) -> Rows {
        let fields = names.iter().map(|name| Field::new(*name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = |size: usize| {
            let column = |name| Arc::new(StringArray::from(vec![name; size])) as ArrayRef;
            RecordBatch::try_new(schema.clone(), names.iter().map(|name| column(*name)).collect())
        };
        let batches: Vec<_> = sizes.iter().map(|size| Ok(batch(*size).unwrap())).collect();
        Rows { schema: schema.clone(), batches: Box::new(batches.into_iter()), history: vec![] }
    }

    #[test]
    fn a_lost_or_doubled_row_is_an_error() {
        let read = |expected| {
            let expected = Arc::new(AtomicU64::new(expected));
            let rows = counted(rows(&["prompt"], &[2, 3]), expected, "quality/mine");
            rows.batches.collect::<Result<Vec<_>>>().map(|batches| batches.len())
        };
        assert_eq!(read(5).unwrap(), 2);
        for expected in [4, 6] {
            let says = read(expected).unwrap_err().to_string();
            assert!(says.contains(&format!("5 rows came out of {expected}")), "{says}");
        }
    }

    #[test]
    fn rules_add_their_columns_and_take_none() {
        let own = rows(&["prompt", "mine"], &[]).schema;
        let check = |names: &[&str]| check(&rows(names, &[]).schema, &own, "quality/mine");
        assert!(check(&["mine", "_reject", "prompt"]).is_ok());
        let says = |names: &[&str]| check(names).unwrap_err().to_string();
        assert!(says(&["prompt", "mine"]).contains("no column `_reject`"));
        assert!(says(&["prompt", "_reject"]).contains("`mine` is not there"));
        let made = rows(&["language", "mine", "_reject", "prompt"], &[1]);
        let read = Arc::new(AtomicU64::new(1));
        let checked = checked(made, &own, read, "quality/mine").unwrap();
        let names: Vec<&str> = checked.schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["prompt", "mine", "_reject"]);
        assert!(checked.batches.map(|batch| batch.unwrap()).all(|batch| batch.num_columns() == 3));
    }
}
