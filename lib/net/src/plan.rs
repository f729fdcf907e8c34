//! What a run would ask, and what of it is known already: counted before anything is sent.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use serde_json::json;
use seval_core::{Result, Rows};

use crate::engine::Known;
use crate::exchange::Request;
use crate::fingerprint::Fingerprint;
use crate::model::Model;
use crate::table;
use crate::turns;

/// What a run would ask of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The model's name.
    pub model: String,
    /// Requests that its rows make, each with one answer.
    pub requests: u64,
    /// Those that the journal, or a file of replies, has an answer to.
    pub answered: u64,
    /// Those that are the same as another of this run, whose answer the journal will have.
    pub repeated: u64,
    /// Those that are to be sent. A conversation that leaves several turns to the model counts once.
    pub to_send: u64,
    /// Tokens of what is to be sent, about.
    pub input_tokens: u64,
    /// Tokens that may come back: as many as are allowed, or 512 a request.
    pub output_tokens: u64,
    /// In dollars, where the price is known.
    pub cost: Option<f64>,
    /// Minutes that the model's own limits on requests and tokens a minute make of it.
    pub minutes: Option<f64>,
    /// Requests that the model may not be able to hold.
    pub too_long: u64,
}

/// A plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// By model.
    pub lines: Vec<Line>,
    /// In what the requests differ from those of earlier runs about the same conversations.
    pub differences: Vec<String>,
}

/// Questions that are compared with those of earlier runs.
const COMPARED: usize = 1000;

/// Counts what a run would ask. The journal is read and not written to.
pub fn plan(
    models: &[Model],
    known: &Known,
    requests: impl Iterator<Item = Result<Request>>,
) -> Result<Plan> {
    let line = |model: &Model| Line {
        model: model.name.clone(),
        cost: model.settings.price.as_ref().map(|_| 0.0),
        ..Line::default()
    };
    let mut lines: Vec<Line> = models.iter().map(line).collect();
    let mut seen: HashSet<Fingerprint> = HashSet::new();
    let mut missing = Vec::new();
    for request in requests {
        let mut request = request?;
        turns::cut(&mut request);
        let model = &models[request.model];
        let line = &mut lines[request.model];
        line.requests += 1;
        if model.is_simulated() || is_known(model, known, &request) {
            line.answered += u64::from(!model.is_simulated());
            continue;
        }
        if let Some(asked) = model.asked(&request) {
            // Without a journal every row is asked.
            if known.journal.is_some() && !seen.insert(asked.fingerprint) {
                line.repeated += 1;
                continue;
            }
            if missing.len() < COMPARED {
                missing.push(Arc::new(asked));
            }
        }
        let estimate = model.estimate(&request);
        line.to_send += 1;
        line.input_tokens += estimate.input;
        line.output_tokens += estimate.tokens - estimate.input;
        line.cost = line.cost.map(|cost| cost + estimate.cost);
        let most = model.settings.context_tokens;
        line.too_long += u64::from(most.is_some_and(|most| estimate.tokens > most));
    }
    for (line, model) in lines.iter_mut().zip(models) {
        let settings = &model.settings;
        let tokens = (line.input_tokens + line.output_tokens) as f64;
        let minutes = [
            settings.requests_per_minute.map(|most| line.to_send as f64 / most),
            settings.tokens_per_minute.map(|most| tokens / most),
        ];
        line.minutes = minutes.into_iter().flatten().reduce(f64::max);
    }
    let differences = match &known.journal {
        Some(journal) if journal.answers() > 0 && !missing.is_empty() => {
            let found = journal.differences(missing)?.blocking_recv();
            found.map_err(|_| crate::journal::ended())??
        }
        _ => Vec::new(),
    };
    Ok(Plan { lines, differences: differences.iter().map(ToString::to_string).collect() })
}

/// Whether a request has an answer already. A reply that failed is none.
pub fn is_known(model: &Model, known: &Known, request: &Request) -> bool {
    let in_journal = known.journal.as_ref().zip(model.asked(request));
    let by_file = || model.asked_by_file(request).fingerprint;
    let in_replies = known.replies.as_ref();
    in_journal.is_some_and(|(journal, asked)| {
        journal.find(asked.fingerprint, model.max_response_bytes()).is_some()
    }) || in_replies.is_some_and(|replies| replies.find_final(by_file()).is_some())
}

/// The plan as rows, and their sum where there are several models.
pub fn as_rows(plan: &Plan) -> Result<Rows> {
    let columns = [
        ("model", DataType::Utf8),
        ("requests", DataType::Int64),
        ("answered", DataType::Int64),
        ("repeated", DataType::Int64),
        ("to_send", DataType::Int64),
        ("input_tokens", DataType::Int64),
        ("output_tokens", DataType::Int64),
        ("cost", DataType::Float64),
        ("minutes", DataType::Float64),
        ("too_long", DataType::Int64),
    ];
    let rows = plan.lines.iter().map(|line| {
        json!({
            "model": line.model,
            "requests": line.requests,
            "answered": line.answered,
            "repeated": line.repeated,
            "to_send": line.to_send,
            "input_tokens": line.input_tokens,
            "output_tokens": line.output_tokens,
            "cost": line.cost,
            "minutes": line.minutes,
            "too_long": line.too_long,
        })
    });
    table::rows(table::schema(&columns), &rows.collect::<Vec<_>>())
}
