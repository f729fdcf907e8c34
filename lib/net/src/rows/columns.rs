//! The columns of response rows.

use super::Settings;
use crate::exchange::{Answer, Logprob};
use crate::table;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder, UInt32Array,
};
use arrow::compute::take_arrays;
use arrow::datatypes::{Field, Schema, SchemaRef};
use serde_json::{Value, json};
use seval_core::contract::Contract;
use seval_core::plain::with_columns;
use seval_core::{Error, Result};
use std::sync::Arc;

/// Which columns the output has.
pub struct Layout {
    /// The input's columns, then those of responses.
    pub schema: SchemaRef,
    input: usize,
}

impl Layout {
    /// `simulated`: some model knows the truth about its answers.
    pub fn new(input: &Schema, settings: &Settings, simulated: bool) -> Result<Self> {
        let contract = Contract::responses()?;
        let added = contract.columns.iter().filter(|column| match column.name.as_str() {
            "latency_ms" | "attempts" => settings.timings,
            "sim_unsafe_rate" | "sim_unsafe" => simulated,
            "replies" => input.index_of("messages").is_ok(),
            "logprobs" => {
                settings.variants.iter().any(|variant| variant.decoding.top_logprobs.is_some())
            }
            _ => true,
        });
        let mut fields: Vec<_> = input.fields().iter().cloned().collect();
        fields.extend(added.filter_map(|column| contract.field(&column.name)).map(Arc::new));
        Ok(Self { schema: Arc::new(Schema::new(fields)), input: input.fields().len() })
    }
}

/// The responses to the rows of `batch`, for each row the models, for each model the samples: those
/// after the first `given`.
pub fn assemble(
    batch: &RecordBatch,
    given: usize,
    layout: &Layout,
    models: &[String],
    settings: &Settings,
    answers: &[Answer],
) -> Result<RecordBatch> {
    let variants = settings.variants.len();
    let columns = match variants {
        1 => Ok(batch.slice(given, answers.len()).columns().to_vec()),
        _ => {
            let rows = (given..given + answers.len()).map(|at| (at / variants) as u32);
            take_arrays(batch.columns(), &UInt32Array::from_iter_values(rows), None)
        }
    };
    let mut columns = columns.map_err(|error| Error::data("", error))?;
    let variant = |at: usize| &settings.variants[(given + at) % variants];
    let decoding = |at: usize| &variant(at).decoding;
    for field in layout.schema.fields().iter().skip(layout.input) {
        let column: ArrayRef = match field.name().as_str() {
            "model" => {
                let name = |at: usize| models[variant(at).model].as_str();
                Arc::new(StringArray::from_iter_values((0..answers.len()).map(name)))
            }
            "sample" => {
                let sample = |at: usize| variant(at).sample;
                Arc::new(Int64Array::from_iter_values((0..answers.len()).map(sample)))
            }
            "temperature" => floats(answers, |at, _| decoding(at).temperature),
            "top_p" => floats(answers, |at, _| decoding(at).top_p),
            "top_k" => integers(answers, |at, _| decoding(at).top_k),
            "max_tokens" => integers(answers, |at, _| decoding(at).max_tokens),
            "seed" => integers(answers, |at, _| decoding(at).seed),
            "response" => texts(answers, |answer| answer.response.as_deref()),
            "reasoning" => texts(answers, |answer| answer.reasoning.as_deref()),
            "outcome" => texts(answers, |answer| Some(answer.outcome.as_str())),
            "finish_reason" => texts(answers, |answer| answer.finish_reason.as_deref()),
            "input_tokens" => integers(answers, |_, answer| answer.usage.input_tokens),
            "output_tokens" => integers(answers, |_, answer| answer.usage.output_tokens),
            "cached_tokens" => integers(answers, |_, answer| answer.usage.cached_tokens),
            "reasoning_tokens" => integers(answers, |_, answer| answer.usage.reasoning_tokens),
            "cost" => floats(answers, |_, answer| answer.cost),
            "served_model" => texts(answers, |answer| answer.served_model.as_deref()),
            "system_fingerprint" => texts(answers, |answer| answer.system_fingerprint.as_deref()),
            "logprobs" => logprobs(answers, field)?,
            "replies" => replies(answers),
            "error" => texts(answers, |answer| answer.error.as_deref()),
            "latency_ms" => integers(answers, |_, answer| Some(answer.latency_ms)),
            "attempts" => integers(answers, |_, answer| Some(answer.attempts)),
            "sim_unsafe_rate" => {
                floats(answers, |_, answer| answer.truth.map(|truth| truth.unsafe_rate))
            }
            "sim_unsafe" => {
                let truth = answers.iter().map(|answer| answer.truth.map(|truth| truth.is_unsafe));
                Arc::new(truth.collect::<BooleanArray>())
            }
            other => {
                return Err(Error::usage(
                    "schemas/response.toml",
                    format!("nothing fills `{other}`"),
                ));
            }
        };
        columns.push(column);
    }
    with_columns(&layout.schema, columns, answers.len())
}

fn texts<'a>(answers: &'a [Answer], of: impl Fn(&'a Answer) -> Option<&'a str>) -> ArrayRef {
    // Whoever lets a large column grow copies it again and again.
    let bytes = answers.iter().filter_map(&of).map(str::len).sum();
    let mut cells = StringBuilder::with_capacity(answers.len(), bytes);
    answers.iter().for_each(|answer| cells.append_option(of(answer)));
    Arc::new(cells.finish())
}

fn integers(answers: &[Answer], of: impl Fn(usize, &Answer) -> Option<i64>) -> ArrayRef {
    Arc::new(answers.iter().enumerate().map(|(at, answer)| of(at, answer)).collect::<Int64Array>())
}

fn floats(answers: &[Answer], of: impl Fn(usize, &Answer) -> Option<f64>) -> ArrayRef {
    Arc::new(
        answers.iter().enumerate().map(|(at, answer)| of(at, answer)).collect::<Float64Array>(),
    )
}

/// Answers to earlier turns; null where there was none.
fn replies(answers: &[Answer]) -> ArrayRef {
    let mut cells = ListBuilder::new(StringBuilder::new());
    for answer in answers {
        answer.replies.iter().for_each(|reply| cells.values().append_value(reply));
        cells.append(!answer.replies.is_empty());
    }
    Arc::new(cells.finish())
}

/// A cell of the column `logprobs`, as JSON.
pub fn logprobs_cell(tokens: &[Logprob]) -> Value {
    let top = |(token, logprob): &(String, f64)| json!({"token": token, "logprob": logprob});
    let token = |token: &Logprob| {
        let likeliest: Vec<_> = token.top.iter().map(top).collect();
        json!({"token": token.token, "logprob": token.logprob, "top": likeliest})
    };
    tokens.iter().map(token).collect()
}

/// Tokens with their log probabilities, and the likeliest at the place of each.
fn logprobs(answers: &[Answer], field: &Field) -> Result<ArrayRef> {
    let rows = answers
        .iter()
        .map(|answer| json!({"logprobs": answer.logprobs.as_deref().map(logprobs_cell)}));
    let schema = Arc::new(Schema::new(vec![field.clone()]));
    let batch = table::batch(&schema, &rows.collect::<Vec<_>>())?;
    Ok(batch.column(0).clone())
}
