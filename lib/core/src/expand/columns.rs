//! The columns of expanded rows: those of the row they come from, with what a new prompt changes.

use super::Step;
use crate::plain::with_columns;
use crate::random::content_id;
use crate::template::render::Template;
use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// A row of the output: the input row it comes from, and the prompt that a template made of it.
pub struct Made {
    /// Its row in the batch.
    pub row: usize,
    /// The template; none: the input row itself.
    pub template: Option<usize>,
    /// The new prompt; empty without a template.
    pub prompt: String,
}

/// The output batch.
pub fn assemble(
    batch: &RecordBatch,
    schema: &SchemaRef,
    templates: &[Template],
    step: Step,
    ids: &[String],
    made: &[Made],
) -> Result<RecordBatch> {
    let new_ids: Vec<String> = made
        .iter()
        .map(|made| match made.template {
            Some(_) => content_id(&made.prompt),
            None => ids[made.row].clone(),
        })
        .collect();
    let all = UInt32Array::from_iter_values(made.iter().map(|made| made.row as u32));
    let text =
        |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let attack = step != Step::Generate;
    // What a column holds: `new` for prompts that a template made, the input's value for the others.
    let column = |name: &str, new: &dyn Fn(&Made, &Template, &mut StringBuilder)| -> ArrayRef {
        let old = text(name);
        let mut column = StringBuilder::with_capacity(made.len(), made.len() * 32);
        for made in made {
            match made.template {
                Some(index) => new(made, &templates[index], &mut column),
                None => column.append_option(
                    old.filter(|old| old.is_valid(made.row)).map(|old| old.value(made.row)),
                ),
            }
        }
        Arc::new(column.finish())
    };
    let build = |name: &str| -> Result<ArrayRef> {
        Ok(match name {
            "prompt_id" => Arc::new(StringArray::from_iter_values(&new_ids)),
            "prompt" => column(name, &|made, _, out| out.append_value(&made.prompt)),
            "template" => column(name, &|_, template, out| out.append_value(&template.id)),
            "attack" if attack => {
                column(name, &|_, template, out| out.append_value(template.file.stem()))
            }
            "base_id" if attack => column(name, &|made, _, out| out.append_value(&ids[made.row])),
            "pair_id" => column(name, &|made, template, out| {
                let pair =
                    text(name).filter(|pairs| pairs.is_valid(made.row)).map(|p| p.value(made.row));
                // Two rows are a pair if their base prompts are one and the same template was applied.
                out.append_option(
                    pair.map(|pair| content_id(&format!("{}:{pair}", template.file.stem()))),
                );
            }),
            name => match batch.column_by_name(name) {
                Some(input) => take(input, &all, None).map_err(|error| Error::data("", error))?,
                None => {
                    let field =
                        schema.field_with_name(name).map_err(|error| Error::data("", error))?;
                    new_null_array(field.data_type(), made.len())
                }
            },
        })
    };
    let columns =
        schema.fields().iter().map(|field| build(field.name())).collect::<Result<Vec<_>>>()?;
    with_columns(schema, columns, made.len())
}
