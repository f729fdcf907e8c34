//! Whether the models answer.

use crate::flags::ModelsFlags;
use crate::models::{Finder, decodings};
use arrow::datatypes::DataType;
use serde_json::{Value, json};
use seval_core::cli::{self, SharedFlags};
use seval_core::output;
use seval_core::provenance::Stage;
use seval_core::{Error, Result};
use seval_net::{Decoding, Known, Limits, Message, Model, Outcome, Request, Traits, ask, table};

/// Asks each model once and says what it found.
pub fn check(flags: &ModelsFlags, shared: &SharedFlags) -> Result<()> {
    if flags.asking.server.journal.is_some() {
        return Err(Error::usage("--journal", "models check asks anew and keeps no answer")
            .hint("leave it out"));
    }
    let read = flags.ask.models.iter().map(|path| path.to_string_lossy().into_owned());
    flags.output.refuse_over(&read.collect::<Vec<_>>())?;
    let finder = Finder::new(&flags.ask, &flags.asking, shared, true)?;
    let mut models = Vec::new();
    for spec in finder.named_or_all(&flags.ask)? {
        match finder.find(&spec, &mut Stage::new("")) {
            Ok(found) => models.extend(found.into_iter().map(Ok)),
            Err(error) => models.push(Err((spec, error))),
        }
    }
    let in_file = flags.asking.server.api_key_file.is_some();
    Model::check_key(in_file, models.iter().filter_map(|model| model.as_ref().ok()))?;
    let mut found = Vec::new();
    let mut failed = 0;
    for model in models {
        let (answers, row) = match model {
            Ok(model) => {
                let decodings = decodings(&flags.ask, &flags.asking, &model)?;
                asked(model, decodings.into_iter().next().unwrap_or_default(), flags)
            }
            Err((spec, error)) => (false, unasked(&spec, &error)),
        };
        failed += u32::from(!answers);
        found.push(row);
    }
    let columns = [
        ("model", DataType::Utf8),
        ("outcome", DataType::Utf8),
        ("served_model", DataType::Utf8),
        ("finish_reason", DataType::Utf8),
        ("input_tokens", DataType::Int64),
        ("output_tokens", DataType::Int64),
        ("cost", DataType::Float64),
        ("logprobs", DataType::Boolean),
        ("latency_ms", DataType::Int64),
        ("error", DataType::Utf8),
    ];
    let rows = table::rows(table::schema(&columns), &found)?;
    output::write(rows, &(&flags.output).into())?;
    match failed {
        0 => Ok(()),
        _ => {
            cli::note(format_args!("{failed} of {} models do not answer", found.len()));
            Err(Error::world("models check", "not every model answers")
                .hint("see the column `error`"))
        }
    }
}

/// Asks a model; whether it answers, and the row about it.
fn asked(model: Model, decoding: Decoding, flags: &ModelsFlags) -> (bool, Value) {
    let name = model.name.clone();
    let request = Request {
        model: 0,
        sample: 0,
        decoding,
        messages: vec![Message::user("Reply with the word: ready")],
        traits: Traits::default(),
    };
    let limits = Limits { max_retries: 0, ..flags.asking.server.limits() };
    let answer = ask(vec![model], limits, Known::default(), std::iter::once(Ok(request)));
    match answer.last() {
        Some(Ok(answer)) => {
            let row = json!({
                "model": name,
                "outcome": answer.outcome.as_str(),
                "served_model": answer.served_model,
                "finish_reason": answer.finish_reason,
                "input_tokens": answer.usage.input_tokens,
                "output_tokens": answer.usage.output_tokens,
                "cost": answer.cost,
                "logprobs": answer.logprobs.is_some(),
                "latency_ms": answer.latency_ms,
                "error": answer.error,
            });
            let silent = [Outcome::Failed, Outcome::TimedOut, Outcome::TooLarge];
            (!silent.contains(&answer.outcome), row)
        }
        Some(Err(error)) => (false, unasked(&name, &error)),
        None => (false, json!({ "model": name })),
    }
}

/// The row about a model that cannot be asked.
fn unasked(name: &str, error: &Error) -> Value {
    json!({ "model": name, "outcome": Outcome::Failed.as_str(), "error": error.to_string() })
}
