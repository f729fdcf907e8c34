//! What an importer's SELECT gives becomes prompt rows.

use crate::contract::Contract;
use crate::conversation;
use crate::plain::with_columns;
use crate::random::content_id;
use crate::rows::Rows;
use crate::select::Stage;
use crate::select::ledger::StageLedger;
use crate::select::reasons::Reasons;
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// Drops the rows that the importer rejects and those without a prompt; puts a `prompt_id` in front of rows
/// that have none.
pub struct Import {
    /// The importer's name.
    pub importer: String,
}

impl Stage for Import {
    fn name(&self) -> &'static str {
        "import"
    }

    fn apply(self: Box<Self>, rows: Rows, ledger: StageLedger) -> Result<Rows> {
        Contract::prompts()?.check(&rows.schema, &["prompt"], &self.importer)?;
        let reasons = Reasons { name: self.name(), wanted: Some("prompt") };
        finish(Box::new(reasons).apply(rows, ledger)?)
    }
}

/// The rows with a `prompt_id`.
fn finish(rows: Rows) -> Result<Rows> {
    let mut fields = Vec::new();
    if rows.schema.index_of("prompt_id").is_err() {
        fields.extend(Contract::prompts()?.field("prompt_id").map(Arc::new));
    }
    fields.extend(rows.schema.fields().iter().cloned());
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
                let talks = batch.column_by_name("messages").and_then(|c| c.as_list_opt::<i32>());
                let ids = prompts.iter().enumerate().map(|(row, prompt)| {
                    match talks.filter(|talks| talks.is_valid(row)) {
                        Some(talks) => {
                            let turns = conversation::turns(talks.value(row).as_struct())?;
                            conversation::id(&turns).map(Some)
                        }
                        None => Ok(prompt.map(content_id)),
                    }
                });
                Ok(Arc::new(ids.collect::<Result<StringArray>>()?))
            }
            None => Err(missing(name)),
        }
    };
    let columns =
        schema.fields().iter().map(|field| column(field.name())).collect::<Result<Vec<_>>>()?;
    with_columns(schema, columns, batch.num_rows())
}
