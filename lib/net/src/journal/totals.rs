//! What a journal holds: counts by model, answers as rows, and whether all of it is as it was written.

use std::path::Path;

use arrow::datatypes::{DataType, TimeUnit};
use rusqlite::Row;
use serde_json::{Value, json};
use seval_core::contract::parse_type;
use seval_core::{Error, Result, Rows};

use super::file::{self, damaged, trouble};
use super::store;
use crate::fingerprint::Fingerprint;
use crate::rows::logprobs_cell;
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
    /// In dollars, where a price was known.
    pub cost: Option<f64>,
}

/// A server that counts a million million tokens in one answer lies, and the sums must not overflow.
const TOTALS: &str = "
    WITH
    sent AS (SELECT model, count(*) AS n FROM attempt GROUP BY model),
    kept AS (
        SELECT model, count(DISTINCT fingerprint) AS n, count(attempt) AS sent,
            sum(min(input_tokens, 1 << 40)) AS input, sum(min(output_tokens, 1 << 40)) AS output,
            sum(cost) AS cost
        FROM answer GROUP BY model),
    lost AS (
        SELECT attempt.model, count(*) AS n, sum(billed = 2) AS possibly,
            sum(min(input_tokens, 1 << 40)) AS input, sum(min(output_tokens, 1 << 40)) AS output,
            sum(cost) AS cost
        FROM ended JOIN attempt ON attempt.id = ended.attempt GROUP BY attempt.model),
    model AS (SELECT model FROM sent UNION SELECT model FROM kept)
    SELECT model, coalesce(kept.n, 0), coalesce(lost.n, 0), coalesce(sent.n, 0),
        coalesce(sent.n, 0) - coalesce(kept.sent, 0) - coalesce(lost.n, 0),
        coalesce(lost.possibly, 0), coalesce(kept.input, 0) + coalesce(lost.input, 0),
        coalesce(kept.output, 0) + coalesce(lost.output, 0),
        coalesce(kept.cost + lost.cost, kept.cost, lost.cost)
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
    let logprobs = parse_type("logprobs");
    let logprobs = logprobs.ok_or_else(|| Error::data("logprobs", "has no type"))?;
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
        ("cache_write_tokens", whole()),
        ("output_tokens", whole()),
        ("reasoning_tokens", whole()),
        ("cost", DataType::Float64),
        ("served_model", text()),
        ("system_fingerprint", text()),
        ("logprobs", logprobs),
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
        "cache_write_tokens": answer.usage.cache_write_tokens,
        "output_tokens": answer.usage.output_tokens,
        "reasoning_tokens": answer.usage.reasoning_tokens,
        "cost": answer.cost,
        "served_model": answer.served_model,
        "system_fingerprint": answer.system_fingerprint,
        "logprobs": answer.logprobs.as_deref().map(logprobs_cell),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::exchange::{Answer, Logprob, Outcome, Usage};
    use crate::fingerprint::Asked;
    use crate::journal::{Begin, Billed, Journal, Record};

    const LIE: Usage = Usage {
        input_tokens: Some(i64::MAX),
        cached_tokens: None,
        cache_write_tokens: Some(7),
        output_tokens: Some(i64::MAX),
        reasoning_tokens: None,
    };

    /// An answer of a model, with its cost.
    fn record(model: &str, number: u8, cost: Option<f64>, outcome: Outcome) -> Record {
        let asked = Asked::unknown(Fingerprint::from_bytes([number; 16]));
        let top = vec![("yes".to_owned(), -0.5), ("no".to_owned(), -1.0)];
        let token = Logprob { token: "yes".into(), logprob: -0.5, top };
        let answer = Answer { usage: LIE, logprobs: Some(vec![token]), ..Answer::of(outcome) };
        Record { cost, ..Record::reply(Asked { model: model.into(), ..asked }, answer) }
    }

    /// A journal of two models, the first of which has two answers and two failures.
    fn journal(path: &Path) {
        let journal = Journal::open(path).unwrap();
        let begin = |number| Begin {
            fingerprint: Fingerprint::from_bytes([number; 16]),
            model: Arc::from("free"),
        };
        let first = journal.begin(vec![begin(8), begin(9)]).unwrap().blocking_recv();
        let first = first.unwrap().unwrap();
        let failed = |number, attempt| Record {
            attempt: Some(attempt),
            billed: Billed::Possibly,
            ..record("free", number, None, Outcome::Failed)
        };
        journal
            .save_all(vec![
                record("free", 1, None, Outcome::Answered),
                record("free", 2, None, Outcome::Answered),
                record("priced", 3, Some(0.5), Outcome::Answered),
                failed(8, first),
                failed(9, first + 1),
            ])
            .unwrap();
        journal.close().unwrap();
    }

    #[test]
    fn a_server_that_lies_about_tokens_makes_no_journal_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.db");
        journal(&path);
        let totals = totals(&path).unwrap();
        let [free, priced] = totals.as_slice() else { panic!("{totals:?}") };
        assert_eq!((free.answers, free.failed, free.possibly_billed), (2, 2, 2));
        assert_eq!((free.input_tokens, free.output_tokens), (4 << 40, 4 << 40));
        assert_eq!((priced.answers, priced.input_tokens), (1, 1 << 40));
        // What has no price costs nobody knows what.
        assert_eq!((free.cost, priced.cost), (None, Some(0.5)));
    }

    #[test]
    fn answers_have_all_that_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.db");
        journal(&path);
        let mut batches = answers(&path).unwrap().batches;
        let batch = batches.next().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 3);
        let cells = |name: &str| batch.column_by_name(name).unwrap();
        let written = cells("cache_write_tokens").as_primitive::<Int64Type>();
        assert_eq!(written.value(0), 7);
        let tokens = cells("logprobs").as_list::<i32>().value(0);
        let tokens = tokens.as_struct();
        assert_eq!(tokens.column_by_name("token").unwrap().as_string::<i32>().value(0), "yes");
        let top = tokens.column_by_name("top").unwrap().as_list::<i32>().value(0);
        assert_eq!(top.len(), 2);
    }
}
