//! Expansion: rows × templates → prompt rows.
//!
//! Base prompts come from a taxonomy's rows and `generate/` templates; attacks from base prompts and
//! `attack/` templates. Attack rows follow the row they come from, which stays.

mod columns;

use crate::contract::Contract;
use crate::random::content_id;
use crate::rows::Rows;
use crate::template::File;
use crate::template::metadata::PromptExample;
use crate::template::render::{Row, Template};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use columns::{Made, assemble};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows that one step makes at the most, so that memory stays bounded however many templates there are.
const STEP_ROWS: usize = 8192;
/// The same in bytes of templates, which are the smaller part of what they write.
const STEP_BYTES: usize = 8 << 20;
/// What to do about rows without a prompt.
pub const WITHOUT_PROMPT: &str =
    "leave such rows out: seval-agg --sql 'SELECT * FROM input WHERE prompt IS NOT NULL'";

/// What an expansion did, for the summary.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows that came in.
    pub read: AtomicU64,
    /// Prompts made.
    pub made: AtomicU64,
    /// Rows that no template was for: attacks already, conversations, or another language.
    pub passed: AtomicU64,
}

/// What templates are applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A taxonomy's rows: the prompts replace them.
    Generate,
    /// Prompt rows: the prompts follow them.
    Attack,
    /// Prompt rows: only the new prompts go on.
    AttackOnly,
}

/// The rows through the templates. `seed` decides every random choice in them.
pub fn expand(
    rows: Rows,
    templates: Vec<Template>,
    step: Step,
    seed: u64,
) -> Result<(Rows, Arc<Counts>)> {
    if step != Step::Generate {
        let contract = Contract::prompts()?;
        contract.check(&rows.schema, &["prompt"], "the input")?;
        Contract::refuse_answered(&rows.schema)?;
    }
    for template in &templates {
        for name in &template.metadata.needs {
            if rows.schema.index_of(name).is_err() {
                return Err(Error::data("the input", format!("column `{name}` is missing"))
                    .hint(format!("{} needs it", template.file.name)));
            }
        }
    }
    let schema = output_schema(&rows.schema, step)?;
    let counts = Arc::new(Counts::default());
    let (counted, out) = (counts.clone(), schema.clone());
    let bytes: usize = templates.iter().map(|template| template.file.text.len()).sum();
    let step_rows = (STEP_ROWS / (templates.len() + 1)).min(STEP_BYTES / bytes.max(1)).max(1);
    let rows = rows.cut(step_rows).map_parallel(schema, move |batch| {
        expand_batch(&batch, &out, &templates, step, seed, &counted)
    });
    Ok((rows, counts))
}

/// What a template makes of its own example.
pub fn example(file: &File, example: &PromptExample) -> Result<String> {
    let names = example.row.keys().map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(names.collect::<Vec<_>>()));
    let cells = example
        .row
        .values()
        .map(|text| Arc::new(StringArray::from(vec![text.as_str()])) as ArrayRef);
    let batch = Arc::new(crate::plain::with_columns(&schema, cells.collect(), 1)?);
    let mut text = String::new();
    let row = Row { batch: &batch, row: 0, seed: 0, id: "example" };
    Template::compile(file.clone())?.render(&row, &mut text)?;
    Ok(text)
}

/// The input's columns, then those of prompt rows that it lacks. A taxonomy's own columns end here.
fn output_schema(input: &Schema, step: Step) -> Result<SchemaRef> {
    let contract = Contract::prompts()?;
    let mut fields = Vec::new();
    if step == Step::Generate {
        for name in ["prompt_id", "prompt"].into_iter().chain(crate::taxonomy::LEVELS) {
            fields.extend(contract.field(name).map(Arc::new));
        }
        fields.insert(2, Arc::new(Field::new("language", DataType::Utf8, true)));
    } else {
        fields.extend(input.fields().iter().cloned());
    }
    for name in
        ["prompt_id", "attack", "base_id", "pair_id", "template", "source", "source_id", "expected"]
    {
        if !fields.iter().any(|field| field.name() == name) {
            fields.extend(contract.field(name).map(Arc::new));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn expand_batch(
    batch: &RecordBatch,
    schema: &SchemaRef,
    templates: &[Template],
    step: Step,
    seed: u64,
    counts: &Counts,
) -> Result<RecordBatch> {
    let batch = Arc::new(batch.clone());
    let text =
        |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (prompts, attacks, languages) = (text("prompt"), text("attack"), text("language"));
    let ids = row_ids(&batch, text("prompt_id"), prompts)?;
    let conversations = batch.column_by_name("messages");
    let mut made: Vec<Made> = Vec::new();
    let mut passed = 0;
    for (row, id) in ids.iter().enumerate() {
        if step == Step::Attack {
            made.push(Made { row, template: None, prompt: String::new() });
        }
        let other = attacks.is_some_and(|attacks| attacks.is_valid(row))
            || conversations.is_some_and(|messages| messages.is_valid(row));
        let language = languages.filter(|languages| languages.is_valid(row)).map(|l| l.value(row));
        let before = made.len();
        for (index, template) in templates.iter().enumerate() {
            if other || !template.speaks(language) {
                continue;
            }
            let mut prompt = String::new();
            template
                .render(&Row { batch: &batch, row, seed, id }, &mut prompt)
                .map_err(|error| error.at(format!("prompt {id}")))?;
            made.push(Made { row, template: Some(index), prompt });
        }
        passed += u64::from(made.len() == before);
    }
    counts.read.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
    counts.passed.fetch_add(passed, Ordering::Relaxed);
    let new = made.iter().filter(|made| made.template.is_some()).count();
    counts.made.fetch_add(new as u64, Ordering::Relaxed);
    assemble(&batch, schema, templates, step, &ids, &made)
}

/// The rows' prompt_ids; made from the prompt where the input has none.
fn row_ids(
    batch: &RecordBatch,
    ids: Option<&StringArray>,
    prompts: Option<&StringArray>,
) -> Result<Vec<String>> {
    (0..batch.num_rows())
        .map(|row| match (ids, prompts) {
            (Some(ids), _) if ids.is_valid(row) => Ok(ids.value(row).to_owned()),
            (_, Some(prompts)) if prompts.is_valid(row) => Ok(content_id(prompts.value(row))),
            _ => Err(Error::data("the input", "a row has neither `prompt` nor `prompt_id`")
                .hint(WITHOUT_PROMPT)),
        })
        .collect()
}
