//! Rules about prompts, a SELECT over table `input` (templates/quality/): every row comes out once, with
//! `_reject`, why it is dropped, or null, and `_warning`, what is odd about it. Rules drop rows and change
//! nothing: a rules file that loses a row or edits a column is an error.

use super::import::Import;
use super::{Drop, Stage};
use crate::input::NamedTable;
use crate::rows::Rows;
use crate::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};

/// Drops the rows that the rules reject, and counts their warnings.
#[derive(Default)]
pub struct Quality(Import);

impl Stage for Quality {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn judge(&mut self, batch: &RecordBatch) -> Result<Vec<Option<Drop>>> {
        self.0.judge(batch)
    }

    fn warnings(&self) -> Vec<(String, u64)> {
        self.0.warnings()
    }
}

/// The rows that `rules` made of a table: checked to have a `_reject` and all columns of the table, and to
/// be as many as there were, which is known when the last one has been read.
pub fn checked(rows: Rows, table: &NamedTable, rules: &str) -> Result<Rows> {
    check(&rows.schema, &table.own(), rules)?;
    Ok(counted(rows, table.count()?, rules))
}

/// The columns of the rows as they came in: `own` are those of the table, see [`NamedTable::own`].
pub fn finish(rows: Rows, own: SchemaRef) -> Result<Rows> {
    let positions = own
        .fields()
        .iter()
        .map(|field| rows.schema.index_of(field.name()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::data("the rules", error))?;
    let batches = rows.batches.map(move |batch| {
        batch?.project(&positions).map_err(|error| Error::data("the rules", error))
    });
    Ok(Rows { schema: own, batches: Box::new(batches), history: rows.history })
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

/// The rows; an error after the last one if there are not `expected`.
fn counted(rows: Rows, expected: u64, rules: &str) -> Rows {
    let (mut batches, rules) = (rows.batches, rules.to_owned());
    let mut left = Some(expected);
    let mut read = 0;
    let batches = std::iter::from_fn(move || {
        if let Some(batch) = batches.next() {
            read += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
            // After an error nothing more is known of the number of rows.
            left = left.filter(|_| batch.is_ok());
            return Some(batch);
        }
        let expected = left.take().filter(|expected| *expected != read)?;
        let what = format!("{read} rows came out of {expected}");
        Some(Err(Error::usage(&rules, what)
            .hint("rules give every row once, without WHERE, and say in `_reject` which to drop")))
    });
    Rows { schema: rows.schema, batches: Box::new(batches), history: rows.history }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringArray};
    use arrow::datatypes::Field;
    use std::sync::Arc;

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
        let finished = finish(made, own.clone()).unwrap();
        let batch = finished.batches.map(|batch| batch.unwrap()).next().unwrap();
        assert_eq!((batch.schema(), finished.schema), (own.clone(), own));
    }
}
