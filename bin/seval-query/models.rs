//! The models that the command line names.

use crate::flags::{AskFlags, ModelsFlags, RunFlags};
use crate::model::ModelFlags;
use arrow::datatypes::DataType;
use serde_json::json;
use seval_core::cli::{self, SharedFlags};
use seval_core::input::{self, Options};
use seval_core::output;
use seval_core::provenance::Stage;
use seval_core::{Error, Result};
use seval_net::grid::grid;
use seval_net::models_file::ModelsFile;
use seval_net::replay::Replay;
use seval_net::{
    Connection, Decoding, Known, Limits, Message, Model, Outcome, Request, Traits, ask, table,
};

/// The models, and for each the decoding settings to ask it with. `by_files`: a model without an address is
/// asked by files of requests and replies.
pub fn open(
    ask: &AskFlags,
    asking: &ModelFlags,
    by_files: bool,
    shared: &SharedFlags,
    stage: &mut Stage,
) -> Result<(Vec<Model>, Vec<Vec<Decoding>>)> {
    let file = ask.models.as_deref().map(ModelsFile::read).transpose()?;
    if ask.model.is_empty() {
        let hint = match &file {
            None => "name one with -m, such as -m sim: for a simulated one".to_owned(),
            Some(file) => format!("name one with -m; {}", names(file)),
        };
        return Err(Error::usage("--model", "no model is named").hint(hint));
    }
    let connection = Connection { stream: ask.stream, ..asking.server.connection()? };
    let mut models: Vec<Model> = Vec::new();
    for spec in &ask.model {
        let opened = match named(spec, file.as_ref(), &connection, shared, stage) {
            Err(_) if by_files && Model::needs_address(spec, &connection) => {
                vec![Model::named(spec)?]
            }
            opened => opened?,
        };
        for model in opened {
            if models.iter().any(|known| known.name == model.name) {
                return Err(Error::usage(spec, format!("the model {} is named twice", model.name))
                    .hint("to ask it several times, use --samples"));
            }
            models.push(model);
        }
    }
    let given = Decoding { top_logprobs: ask.top_logprobs, ..asking.decoding(ask.seed) };
    let decodings = models.iter().map(|model| {
        let defaults = given.clone().over(&model.settings.decoding);
        grid(&ask.set, &defaults)
    });
    let decodings = decodings.collect::<Result<_>>()?;
    Ok((models, decodings))
}

/// A sum can only be kept to where prices are known.
pub fn check_budget(run: &RunFlags, models: &[Model]) -> Result<()> {
    let priceless = models.iter().find(|model| {
        run.max_cost.is_some() && !model.is_simulated() && model.settings.price.is_none()
    });
    match priceless {
        None => Ok(()),
        Some(model) => {
            let what = format!("there is no price of {}", model.name);
            Err(Error::usage("--max-cost", what)
                .hint("give it one in --models: [model.NAME.price] with date, input and output"))
        }
    }
}

/// The models of one `-m`.
fn named(
    spec: &str,
    file: Option<&ModelsFile>,
    connection: &Connection,
    shared: &SharedFlags,
    stage: &mut Stage,
) -> Result<Vec<Model>> {
    if let Some(entry) = file.and_then(|file| file.get(spec)) {
        let model = Model::of_file(spec, entry, connection);
        return Ok(vec![model.map_err(|error| error.at(format!("model {spec}")))?]);
    }
    if let Some(path) = spec.strip_prefix("replay:") {
        return Ok(vec![replay(spec, path, stage)?]);
    }
    let spec = profile(spec, shared, stage)?;
    Model::open(&spec, connection).map_err(|error| match file {
        Some(file) if !spec.contains(':') => error.hint(names(file)),
        _ => error,
    })
}

fn names(file: &ModelsFile) -> String {
    format!("in --models there are: {}", file.names().collect::<Vec<_>>().join(", "))
}

/// A model that answers from a file of rows.
fn replay(name: &str, path: &str, stage: &mut Stage) -> Result<Model> {
    let sources = input::sources(&[path.to_owned()])?;
    stage.inputs.extend(input::hashes(&sources)?);
    let rows = input::read(sources, &Options::default())?;
    Ok(Model::replay(name, Replay::read(path, rows)?))
}

/// A simulated target's file is noted, and one in the --templates folder comes before the built-in one.
fn profile(spec: &str, shared: &SharedFlags, stage: &mut Stage) -> Result<String> {
    let Some(name) = spec.strip_prefix("sim:") else { return Ok(spec.to_owned()) };
    let file = match name.rsplit_once(':') {
        Some((path, _)) => shared.template_library().get(&["sim"], path)?,
        None => shared.template_library().get(&["sim"], "default")?,
    };
    stage.files.insert(file.name.clone(), file.hash());
    let overridden = shared.templates.is_some() && std::path::Path::new(&file.place).is_file();
    match name.contains(':') || !overridden {
        true => Ok(spec.to_owned()),
        false => {
            Ok(format!("sim:{}:{}", file.place, if name.is_empty() { "default" } else { name }))
        }
    }
}

/// Asks each model once and says what it found.
pub fn check(flags: &ModelsFlags, shared: &SharedFlags) -> Result<()> {
    let mut ask_flags = flags.ask.clone();
    if let (true, Some(path)) = (ask_flags.model.is_empty(), &ask_flags.models) {
        ask_flags.model = ModelsFile::read(path)?.names().map(str::to_owned).collect();
    }
    let (models, decodings) = open(&ask_flags, &flags.asking, false, shared, &mut Stage::new(""))?;
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
    let mut found = Vec::new();
    let mut failed = 0;
    for (model, decodings) in models.into_iter().zip(decodings) {
        let name = model.name.clone();
        let request = Request {
            model: 0,
            sample: 0,
            decoding: decodings.into_iter().next().unwrap_or_default(),
            messages: vec![Message::user("Reply with the word: ready")],
            traits: Traits::default(),
        };
        let limits = Limits { max_retries: 0, ..flags.asking.server.limits() };
        let answer = ask(vec![model], limits, Known::default(), std::iter::once(Ok(request)));
        found.push(match answer.last() {
            Some(Ok(answer)) => {
                failed += u32::from(answer.outcome == Outcome::Failed);
                json!({
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
                })
            }
            Some(Err(error)) => {
                failed += 1;
                json!({ "model": name, "outcome": "failed", "error": error.to_string() })
            }
            None => json!({ "model": name }),
        });
    }
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
