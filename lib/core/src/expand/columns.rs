//! The columns of expanded rows: those of the row they come from, with what a new prompt changes.

use super::{Applicable, Step};
use crate::conversation::{self, Turn};
use crate::plain::with_columns;
use crate::random::content_id;
use crate::template::chain::Chain;
use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringBuilder, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// Output rows under construction.
pub struct Building {
    /// For each output row, the input row it comes from and the chain that made it; none: the row itself.
    origins: Vec<(usize, Option<usize>)>,
    ids: StringBuilder,
    prompts: StringBuilder,
    /// Turns of conversations, if the rows have any.
    messages: Option<Vec<Option<Vec<Turn>>>>,
}

impl Building {
    /// For about so many rows, whose prompts have about so many bytes.
    pub fn new(rows: usize, bytes: usize, messages: bool) -> Self {
        Self {
            origins: Vec::with_capacity(rows),
            ids: StringBuilder::with_capacity(rows, rows * 32),
            prompts: StringBuilder::with_capacity(rows, bytes + bytes / 8),
            messages: messages.then(Vec::new),
        }
    }

    /// An input row as it is.
    pub fn keep(&mut self, rows: &Applicable, row: usize) -> Result<()> {
        self.origins.push((row, None));
        self.ids.append_value(rows.ids.value(row));
        let prompts = rows.text("prompt").filter(|prompts| prompts.is_valid(row));
        self.prompts.append_option(prompts.map(|prompts| prompts.value(row)));
        if let Some(messages) = &mut self.messages {
            let column = rows.batch.column_by_name("messages");
            let cells = column.and_then(|c| c.as_list_opt::<i32>()).filter(|c| c.is_valid(row));
            let turns = cells.map(|cells| conversation::turns(cells.value(row).as_struct()));
            messages.push(turns.transpose()?);
        }
        Ok(())
    }

    /// What a chain made of an input row.
    pub fn add(
        &mut self,
        row: usize,
        chain: usize,
        prompt: &str,
        turns: Option<Vec<Turn>>,
    ) -> Result<()> {
        self.origins.push((row, Some(chain)));
        self.ids.append_value(match &turns {
            Some(turns) => conversation::id(turns)?,
            None => content_id(prompt),
        });
        self.prompts.append_value(prompt);
        if let Some(messages) = &mut self.messages {
            messages.push(turns);
        }
        Ok(())
    }

    /// Bytes of the prompts so far.
    pub fn bytes(&self) -> usize {
        self.prompts.values_slice().len()
    }

    /// New prompts so far, of each of so many chains.
    pub fn made_by(&self, chains: usize) -> Vec<u64> {
        let mut made = vec![0; chains];
        self.origins.iter().filter_map(|(_, chain)| *chain).for_each(|chain| made[chain] += 1);
        made
    }
}

/// The output batch.
pub fn assemble(
    rows: &Applicable,
    schema: &SchemaRef,
    chains: &[Chain],
    step: Step,
    mut building: Building,
) -> Result<RecordBatch> {
    let origins = &building.origins;
    let all = UInt32Array::from_iter_values(origins.iter().map(|(row, _)| *row as u32));
    let attack = step != Step::Generate;
    // What a column holds: `new` for prompts that a chain made, the input's value for the others.
    let column = |name: &str, new: &dyn Fn(usize, &Chain, &mut StringBuilder)| -> ArrayRef {
        let old = rows.text(name);
        let mut column = StringBuilder::with_capacity(origins.len(), origins.len() * 32);
        for (row, chain) in origins {
            match chain {
                Some(chain) => new(*row, &chains[*chain], &mut column),
                None => column
                    .append_option(old.filter(|old| old.is_valid(*row)).map(|old| old.value(*row))),
            }
        }
        Arc::new(column.finish())
    };
    let mut prompts: Option<ArrayRef> = Some(Arc::new(building.prompts.finish()));
    let mut ids: Option<ArrayRef> = Some(Arc::new(building.ids.finish()));
    let mut build = |name: &str| -> Result<ArrayRef> {
        let made = match name {
            "prompt_id" => ids.take(),
            "prompt" => prompts.take(),
            "messages" => building.messages.as_deref().map(conversation::column).transpose()?,
            "template" => Some(column(name, &|_, chain, out| out.append_value(&chain.id))),
            "attack" if attack => {
                Some(column(name, &|_, chain, out| out.append_value(&chain.name)))
            }
            "base_id" if attack => {
                Some(column(name, &|row, _, out| out.append_value(rows.ids.value(row))))
            }
            "pair_id" => Some(column(name, &|row, chain, out| {
                let pairs = rows.text(name).filter(|pairs| pairs.is_valid(row));
                // Two rows are a pair if their base prompts are one and the same chain was applied. What
                // a model wrote is no translation of what it wrote for the other.
                out.append_option(
                    pairs
                        .filter(|_| chain.is_paired())
                        .map(|pairs| content_id(&format!("{}:{}", chain.name, pairs.value(row)))),
                );
            })),
            _ => None,
        };
        Ok(match (made, rows.batch.column_by_name(name)) {
            (Some(made), _) => made,
            (None, Some(input)) => take(input, &all, None).map_err(|e| Error::data("", e))?,
            (None, None) => {
                let field = schema.field_with_name(name).map_err(|e| Error::data("", e))?;
                new_null_array(field.data_type(), origins.len())
            }
        })
    };
    let columns = schema.fields().iter().map(|field| build(field.name()));
    with_columns(schema, columns.collect::<Result<Vec<_>>>()?, origins.len())
}
