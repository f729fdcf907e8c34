//! What a journal holds: counts by model, answers as rows, and whether all of it is as it was written.

use std::path::Path;

use arrow::datatypes::{DataType, TimeUnit};
use rusqlite::Row;
use serde_json::{Value, json};
use seval_core::{Error, Result, Rows};

use super::file::{self, damaged, trouble};
use super::store;
use crate::fingerprint::Fingerprint;
use crate::table;

/// Answers that are read together.
const GROUP: i64 = 4096;

/// What a journal holds of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    /// As it was asked.
    pub model: String,
    /// Answers that serve later runs.
    pub answers: i64,
    /// Attempts that came to no answer.
    pub failed: i64,
    /// Requests sent, or about to be when their run was killed.
    pub attempts: i64,
    /// Those that were under way when their run was killed.
    pub unfinished: i64,
    /// Those and others that may be charged for, though no answer came of them.
    pub possibly_billed: i64,
    /// Tokens sent, as the server counts.
    pub input_tokens: i64,
    /// Tokens that came back.
    pub output_tokens: i64,
    /// In dollars, where the price was known.
    pub cost: f64,
}

const TOTALS: &str = "
    WITH
    sent AS (SELECT model, count(*) AS n FROM attempt GROUP BY model),
    kept AS (
        SELECT model, count(DISTINCT fingerprint) AS n, count(attempt) AS sent,
            sum(input_tokens) AS input, sum(output_tokens) AS output, sum(cost) AS cost
        FROM answer GROUP BY model),
    lost AS (
        SELECT attempt.model, count(*) AS n, sum(billed = 2) AS possibly,
            sum(input_tokens) AS input, sum(output_tokens) AS output, sum(cost) AS cost
        FROM ended JOIN attempt ON attempt.id = ended.attempt GROUP BY attempt.model),
    model AS (SELECT model FROM sent UNION SELECT model FROM kept)
    SELECT model, coalesce(kept.n, 0), coalesce(lost.n, 0), coalesce(sent.n, 0),
        coalesce(sent.n, 0) - coalesce(kept.sent, 0) - coalesce(lost.n, 0),
        coalesce(lost.possibly, 0), coalesce(kept.input, 0) + coalesce(lost.input, 0),
        coalesce(kept.output, 0) + coalesce(lost.output, 0),
        coalesce(kept.cost, 0.0) + coalesce(lost.cost, 0.0)
    FROM model LEFT JOIN sent USING (model) LEFT JOIN kept USING (model)
        LEFT JOIN lost USING (model)
    ORDER BY model";

/// What a journal holds, by model. A run may be writing to it.
pub fn totals(path: &Path) -> Result<Vec<Total>> {
    let place = path.to_string_lossy();
    let connection = file::read(path)?;
    let total = |row: &Row<'_>| {
        let unfinished: i64 = row.get(4)?;
        Ok(Total {
            model: row.get(0)?,
            answers: row.get(1)?,
            failed: row.get(2)?,
            attempts: row.get(3)?,
            unfinished,
            possibly_billed: unfinished + row.get::<_, i64>(5)?,
            input_tokens: row.get(6)?,
            output_tokens: row.get(7)?,
            cost: row.get(8)?,
        })
    };
    let read = || -> rusqlite::Result<Vec<Total>> {
        connection.prepare(TOTALS)?.query_map((), total)?.collect()
    };
    read().map_err(|error| trouble(&place, &error))
}

/// The totals as rows.
pub fn as_rows(totals: &[Total]) -> Result<Rows> {
    let columns = [
        ("model", DataType::Utf8),
        ("answers", DataType::Int64),
        ("failed", DataType::Int64),
        ("attempts", DataType::Int64),
        ("unfinished", DataType::Int64),
        ("possibly_billed", DataType::Int64),
        ("input_tokens", DataType::Int64),
        ("output_tokens", DataType::Int64),
        ("cost", DataType::Float64),
    ];
    let rows = totals.iter().map(|total| {
        json!({
            "model": total.model,
            "answers": total.answers,
            "failed": total.failed,
            "attempts": total.attempts,
            "unfinished": total.unfinished,
            "possibly_billed": total.possibly_billed,
            "input_tokens": total.input_tokens,
            "output_tokens": total.output_tokens,
            "cost": total.cost,
        })
    });
    table::rows(table::schema(&columns), &rows.collect::<Vec<_>>())
}

const ALL: &str = "SELECT outcome, checksum, response, reasoning, finish_reason, error,
    input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, logprobs,
    served_model, system_fingerprint, latency_ms, attempts, id, fingerprint, model, address,
    decoding, sample, cost, at
    FROM answer JOIN text USING (id) WHERE id > ?1 ORDER BY id LIMIT ?2";

/// The answers of a journal as rows, in order of arrival, each compared with its checksum.
///
/// `asked` is the hash of what was asked; the prompts themselves are not in a journal. `decoding` is
/// JSON, `at` the time of the answer.
pub fn answers(path: &Path) -> Result<Rows> {
    let text = || DataType::Utf8;
    let whole = || DataType::Int64;
    let columns = [
        ("asked", text()),
        ("model", text()),
        ("address", text()),
        ("decoding", text()),
        ("sample", whole()),
        ("response", text()),
        ("reasoning", text()),
        ("outcome", text()),
        ("finish_reason", text()),
        ("input_tokens", whole()),
        ("cached_tokens", whole()),
        ("output_tokens", whole()),
        ("reasoning_tokens", whole()),
        ("cost", DataType::Float64),
        ("served_model", text()),
        ("system_fingerprint", text()),
        ("error", text()),
        ("latency_ms", whole()),
        ("attempts", whole()),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
    ];
    let schema = table::schema(&columns);
    let place = path.to_string_lossy().into_owned();
    let connection = file::read(path)?;
    let (shape, mut last) = (schema.clone(), 0);
    let batches = std::iter::from_fn(move || {
        let read = || -> rusqlite::Result<Vec<(i64, Option<Value>)>> {
            let mut statement = connection.prepare(ALL)?;
            let rows = statement.query_map([last, GROUP], |row| Ok((row.get(16)?, line(row)?)))?;
            rows.collect()
        };
        let lines = match read() {
            Ok(lines) => lines,
            Err(error) => return Some(Err(trouble(&place, &error))),
        };
        last = lines.last()?.0;
        let known = |(id, line): (i64, Option<Value>)| line.ok_or_else(|| damaged(&place, id));
        let lines = lines.into_iter().map(known).collect::<Result<Vec<_>>>();
        Some(lines.and_then(|lines| table::batch(&shape, &lines)))
    });
    Ok(Rows { schema, batches: Box::new(batches), history: Vec::new() })
}

/// A row of [`ALL`] as an object; none if it is not what was written.
fn line(row: &Row<'_>) -> rusqlite::Result<Option<Value>> {
    let fingerprint = Fingerprint::from_bytes(row.get(17)?);
    let Some(answer) = store::answer(row, fingerprint)? else { return Ok(None) };
    let at: i64 = row.get(23)?;
    Ok(Some(json!({
        "asked": fingerprint.to_string(),
        "model": row.get::<_, String>(18)?,
        "address": row.get::<_, String>(19)?,
        "decoding": row.get::<_, String>(20)?,
        "sample": row.get::<_, i64>(21)?,
        "response": answer.response,
        "reasoning": answer.reasoning,
        "outcome": answer.outcome.as_str(),
        "finish_reason": answer.finish_reason,
        "input_tokens": answer.usage.input_tokens,
        "cached_tokens": answer.usage.cached_tokens,
        "output_tokens": answer.usage.output_tokens,
        "reasoning_tokens": answer.usage.reasoning_tokens,
        "cost": answer.cost,
        "served_model": answer.served_model,
        "system_fingerprint": answer.system_fingerprint,
        "error": answer.error,
        "latency_ms": answer.latency_ms,
        "attempts": answer.attempts,
        "at": at.saturating_mul(1000),
    })))
}

/// Compares every answer with its checksum, and the file with itself; how many answers there are.
pub fn verify(path: &Path) -> Result<u64> {
    let place = path.to_string_lossy();
    let connection = file::read(path)?;
    let check = "PRAGMA integrity_check(1)";
    let said = connection.query_row(check, (), |row| row.get::<_, String>(0));
    let said = said.map_err(|error| trouble(&place, &error))?;
    if said != "ok" {
        return Err(Error::data(&place, format!("the journal is damaged: {said}"))
            .hint("put the file aside, and start another or go back to a copy"));
    }
    let mut answers = 0;
    for batch in self::answers(path)?.batches {
        answers += batch?.num_rows() as u64;
    }
    Ok(answers)
}
