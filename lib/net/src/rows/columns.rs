//! The columns of response rows.

use super::Settings;
use crate::exchange::Answer;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};
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
            _ => true,
        });
        let mut fields: Vec<_> = input.fields().iter().cloned().collect();
        fields.extend(added.filter_map(|column| contract.field(&column.name)).map(Arc::new));
        Ok(Self { schema: Arc::new(Schema::new(fields)), input: input.fields().len() })
    }
}

/// The responses to the rows of `batch`: for each row the models, for each model the samples.
pub fn assemble(
    batch: &RecordBatch,
    layout: &Layout,
    models: &[String],
    settings: &Settings,
    answers: &[Answer],
) -> Result<RecordBatch> {
    let samples = usize::try_from(settings.samples).unwrap_or(1);
    let variants = models.len() * samples;
    let rows = UInt32Array::from_iter_values((0..answers.len()).map(|at| (at / variants) as u32));
    let mut columns = Vec::with_capacity(layout.schema.fields().len());
    for input in batch.columns() {
        columns.push(take(input, &rows, None).map_err(|error| Error::data("", error))?);
    }
    let sample = |at: usize| (at % samples) as i64;
    let decoding = |at: usize| settings.decoding_of(sample(at));
    for field in layout.schema.fields().iter().skip(layout.input) {
        let column: ArrayRef = match field.name().as_str() {
            "model" => {
                let name = |at: usize| models[at / samples % models.len()].as_str();
                Arc::new(StringArray::from_iter_values((0..answers.len()).map(name)))
            }
            "sample" => Arc::new(Int64Array::from_iter_values((0..answers.len()).map(sample))),
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
    Arc::new(answers.iter().map(of).collect::<StringArray>())
}

fn integers(answers: &[Answer], of: impl Fn(usize, &Answer) -> Option<i64>) -> ArrayRef {
    Arc::new(answers.iter().enumerate().map(|(at, answer)| of(at, answer)).collect::<Int64Array>())
}

fn floats(answers: &[Answer], of: impl Fn(usize, &Answer) -> Option<f64>) -> ArrayRef {
    Arc::new(
        answers.iter().enumerate().map(|(at, answer)| of(at, answer)).collect::<Float64Array>(),
    )
}
