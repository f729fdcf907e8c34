//! The file of what a generation model wrote that is no prompt, and of the requests it did not answer.

use super::Ask;
use super::reply::Reject;
use crate::output::{Options, Writer};
use crate::plain::with_columns;
use crate::provenance::Stage;
use crate::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// What the file adds to the columns of the row that was asked for.
const ADDED: [&str; 3] = ["template", "reason", "reply"];

/// The file under construction.
pub struct Rejects {
    writer: Writer,
    schema: SchemaRef,
}

impl Rejects {
    /// Creates the file, for rows of that schema.
    pub fn create(options: &Options, input: &Schema, history: &[Stage]) -> Result<Self> {
        let own = input.fields().iter().filter(|field| !ADDED.contains(&field.name().as_str()));
        let added = ADDED.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
        let schema = Arc::new(Schema::new(own.cloned().chain(added).collect::<Vec<_>>()));
        Ok(Self { writer: Writer::create(options, &schema, history)?, schema })
    }

    /// Adds what was rejected of the rows of a batch.
    pub fn write(&mut self, batch: &RecordBatch, rejected: &[(&Ask<'_>, Reject)]) -> Result<()> {
        if rejected.is_empty() {
            return Ok(());
        }
        let rows = UInt32Array::from_iter_values(rejected.iter().map(|(ask, _)| ask.row as u32));
        let text = |of: &dyn Fn(&(&Ask<'_>, Reject)) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rejected.iter().map(of)))
        };
        let column = |field: &Arc<Field>| match field.name().as_str() {
            "template" => Ok(text(&|(ask, _)| ask.chain.id.clone())),
            "reason" => Ok(text(&|(_, reject)| reject.reason.clone())),
            "reply" => Ok(text(&|(_, reject)| reject.text.clone())),
            name => {
                let column = batch.column_by_name(name);
                let column = column.ok_or_else(|| Error::data("", format!("no column {name}")))?;
                take(column, &rows, None).map_err(|error| Error::data("", error))
            }
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        self.writer.write(&with_columns(&self.schema, columns, rejected.len())?)
    }

    /// Publishes the file.
    pub fn finish(self) -> Result<()> {
        self.writer.finish().map(|_| ())
    }
}
