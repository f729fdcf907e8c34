//! What an importer's SELECT gives becomes prompt rows. It may give two columns about a row beside the
//! row's own: `_reject`, why it can't become a prompt row, and `_warning`, what is odd about it.

use super::{Drop, Stage};
use crate::contract::Contract;
use crate::plain::with_columns;
use crate::random::content_id;
use crate::rows::Rows;
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// The columns about a row that end here.
const ABOUT: [&str; 2] = ["_reject", "_warning"];

/// Drops the rows that the importer rejects, and counts its warnings.
#[derive(Default)]
pub struct Import {
    warnings: Vec<(String, u64)>,
}

impl Stage for Import {
    fn name(&self) -> &'static str {
        "import"
    }

    fn judge(&mut self, batch: &RecordBatch) -> Result<Vec<Option<Drop>>> {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        if let Some(warnings) = text("_warning") {
            // Two warnings about one row are two.
            for warning in warnings.iter().flatten().flat_map(|both| both.split("; ")) {
                match self.warnings.iter_mut().find(|(known, _)| known == warning) {
                    Some((_, count)) => *count += 1,
                    None => self.warnings.push((warning.to_owned(), 1)),
                }
            }
        }
        let (rejects, prompts) = (text("_reject"), text("prompt"));
        let judge = |row: usize| {
            let reason = rejects.filter(|rejects| rejects.is_valid(row)).map(|r| r.value(row));
            let empty = prompts.is_none_or(|prompts| prompts.is_null(row)).then_some("no prompt");
            let reason = reason.or(empty)?;
            Some(Drop { reason: reason.to_owned(), duplicate_of: None })
        };
        Ok((0..batch.num_rows()).map(judge).collect())
    }

    fn warnings(&self) -> Vec<(String, u64)> {
        self.warnings.clone()
    }
}

/// Checks that the importer's columns are those of prompt rows.
pub fn check(rows: &Rows, importer: &str) -> Result<()> {
    Contract::prompts()?.check(&rows.schema, &["prompt"], importer)
}

/// The rows that were kept, without the columns about them, and with a `prompt_id` in front if they had none.
pub fn finish(rows: Rows) -> Result<Rows> {
    let mut fields = Vec::new();
    let has_id = rows.schema.index_of("prompt_id").is_ok();
    if !has_id {
        fields.extend(Contract::prompts()?.field("prompt_id").map(Arc::new));
    }
    let own = rows.schema.fields().iter().filter(|field| !ABOUT.contains(&field.name().as_str()));
    fields.extend(own.cloned());
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let out = schema.clone();
    let batches = rows.batches.map(move |batch| finish_batch(&batch?, &out));
    Ok(Rows { schema, batches: Box::new(batches), history: rows.history })
}

fn finish_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let missing = |name: &str| Error::data("the import", format!("column `{name}` is missing"));
    let column = |name: &str| -> Result<ArrayRef> {
        match batch.column_by_name(name) {
            Some(column) => Ok(column.clone()),
            None if name == "prompt_id" => {
                let prompts = batch.column_by_name("prompt").and_then(|c| c.as_string_opt::<i32>());
                let prompts = prompts.ok_or_else(|| missing("prompt"))?;
                let ids = prompts.iter().map(|prompt| prompt.map(content_id));
                Ok(Arc::new(ids.collect::<StringArray>()))
            }
            None => Err(missing(name)),
        }
    };
    let columns =
        schema.fields().iter().map(|field| column(field.name())).collect::<Result<Vec<_>>>()?;
    with_columns(schema, columns, batch.num_rows())
}
