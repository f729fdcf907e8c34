//! The questions that critics ask of a batch of responses.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use rayon::prelude::*;
use seval_core::critique::columns::{Again, Cases};
use seval_core::critique::judge::guarded::{self, BASE_PROMPT};
use seval_core::critique::verdict::{Mark, Reason, Verdict};
use seval_core::critique::{Case, Critic, Judged};
use seval_core::rows::Batches;
use seval_core::template::render::Row;
use seval_core::{Error, Result};

use crate::exchange::{Decoding, Request, Traits};

/// How a verdict comes.
pub enum Step {
    /// It is there, from this critic.
    Known(usize, Judged),
    /// A model is asked for it.
    Asked(Asked),
}

/// Questions to a model about one response.
pub struct Asked {
    /// Index into the critics.
    pub critic: usize,
    /// How many.
    pub questions: usize,
    /// What the reply must repeat.
    pub nonce: String,
    /// Whether the response looks meant for the critic.
    pub injection_suspected: bool,
}

/// The questions of the rows, made as they are taken.
pub struct Requests {
    pub batches: Batches,
    pub asking: Asking,
    pub ready: std::vec::IntoIter<Request>,
    /// Batches with how each verdict comes, before their questions.
    pub sent: mpsc::SyncSender<(RecordBatch, Vec<Vec<Step>>)>,
}

/// Who is asked what of a response.
pub struct Asking {
    pub critics: Arc<Vec<Critic>>,
    /// Critics, their models, and how these are asked.
    pub asks: Vec<(usize, usize, Decoding)>,
    pub escalate: Option<(f64, f64)>,
    pub policy: Option<String>,
    pub bases: HashMap<String, String>,
    /// Whose verdicts are judged again, if the rows are verdicts.
    pub again: Option<Arc<Again>>,
    /// Which of several askings of the same question.
    pub sample: i64,
    pub seed: u64,
}

impl Iterator for Requests {
    type Item = Result<Request>;

    /// What comes without waiting.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ready.len(), None)
    }

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(request) = self.ready.next() {
                return Some(Ok(request));
            }
            let batch = match self.batches.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            let rows = match self.asking.rows(&batch) {
                Ok(rows) => rows,
                Err(error) => return Some(Err(error)),
            };
            let (steps, requests): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            self.ready = requests.into_iter().flatten().collect::<Vec<_>>().into_iter();
            // The other end hangs up only when nobody wants the verdicts any more.
            self.sent.send((batch, steps)).ok()?;
        }
    }
}

impl Asking {
    /// For each row how its verdicts come, and what is asked for them.
    fn rows(&self, batch: &RecordBatch) -> Result<Vec<(Vec<Step>, Vec<Request>)>> {
        let cases = Cases::of(batch);
        let seen = Arc::new(self.with_bases(batch)?);
        let only = self.again.as_ref().map(|again| again.critics(batch)).transpose()?;
        let row = |row: usize| {
            let only = only.as_ref().map(|only| only[row]);
            let case = cases.case(row);
            let options = cases.options(row);
            let (mut steps, mut requests) = (Vec::new(), Vec::new());
            for (at, critic) in self.critics.iter().enumerate() {
                if only.is_some_and(|only| only != Some(at)) {
                    continue;
                }
                let step = match critic.judge(&case, &options) {
                    Some(judged) => Step::Known(at, judged),
                    None => match lacks(critic, &case, &seen, row) {
                        Some(why) => {
                            Step::Known(at, Verdict::unscored(Reason::NotOffered, why).into())
                        }
                        None => {
                            let (asked, questions) = self.ask(at, critic, &case, &seen, row)?;
                            requests.extend(questions);
                            Step::Asked(asked)
                        }
                    },
                };
                let decides = match (&step, self.escalate) {
                    (Step::Known(_, judged), Some(unsure)) => is_decisive(judged, unsure),
                    _ => false,
                };
                steps.push(step);
                if decides {
                    break;
                }
            }
            Ok((steps, requests))
        };
        (0..batch.num_rows()).into_par_iter().map(row).collect()
    }

    fn ask(
        &self,
        at: usize,
        critic: &Critic,
        case: &Case<'_>,
        batch: &Arc<RecordBatch>,
        row: usize,
    ) -> Result<(Asked, Vec<Request>)> {
        let lost = || Error::usage(&critic.id, "asks a model, and none is named");
        let judge = critic.asks().ok_or_else(lost)?;
        let (_, model, decoding) = self.asks.iter().find(|asks| asks.0 == at).ok_or_else(lost)?;
        let response = case.answer().unwrap_or_default();
        let prompt = case.prompt.unwrap_or_default();
        // Of all that somebody else wrote and the judge is shown, so that none of it can hold the nonce.
        let text = |name| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let other = |name| text(name).filter(|c| c.is_valid(row)).map_or("", |c| c.value(row));
        let shown = [response, other("response_b"), other(BASE_PROMPT)].join("\u{1f}");
        let nonce = guarded::nonce(&critic.id, prompt, &shown, self.seed);
        let row = Row { batch, row, seed: self.seed, id: case.id, prompt: None };
        let questions = judge.requests(&row, &nonce, self.policy.as_deref())?;
        let injection_suspected = judge.injection_suspected(&row)?;
        let asked = Asked { critic: at, questions: questions.len(), nonce, injection_suspected };
        let request = |messages| Request {
            model: *model,
            sample: self.sample,
            decoding: decoding.clone(),
            messages,
            traits: Traits::default(),
        };
        Ok((asked, questions.into_iter().map(request).collect()))
    }

    /// The batch with the base prompts of its attacks: a response may only be understood with the
    /// question that the attack hides.
    fn with_bases(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if self.bases.is_empty() || batch.column_by_name(BASE_PROMPT).is_some() {
            return Ok(batch.clone());
        }
        let ids = batch.column_by_name("base_id").and_then(|ids| ids.as_string_opt::<i32>());
        let base = |row: usize| {
            let ids = ids.filter(|ids| ids.is_valid(row))?;
            self.bases.get(ids.value(row)).map(String::as_str)
        };
        let bases: StringArray = (0..batch.num_rows()).map(base).collect();
        let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(BASE_PROMPT, DataType::Utf8, true)));
        let columns: Vec<ArrayRef> =
            batch.columns().iter().cloned().chain([Arc::new(bases) as ArrayRef]).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .map_err(|error| Error::data("the input", error))
    }
}

/// What a row lacks that a critic cannot judge it without.
fn lacks(critic: &Critic, case: &Case<'_>, batch: &RecordBatch, row: usize) -> Option<String> {
    if case.prompt.is_none() {
        return Some("there is no prompt".to_owned());
    }
    let is_null = |name: &&String| batch.column_by_name(name).is_some_and(|c| c.is_null(row));
    let name = critic.asks()?.needs().iter().find(is_null)?;
    Some(format!("`{name}` is null"))
}

/// Whether a verdict needs no second opinion: its score is outside of the range in which critics are
/// unsure. A response that is not there nobody can judge.
fn is_decisive(judged: &Judged, (low, high): (f64, f64)) -> bool {
    match (judged.verdict.mark, judged.verdict.risk_score) {
        (Mark::Unscored(Reason::NoAnswer), _) => true,
        (Mark::Unscored(_), _) | (_, None) => false,
        (Mark::Safe | Mark::Unsafe, Some(score)) => score < low || score > high,
    }
}

/// The verdict that counts, with who gave it: the last, since all before were unsure; an unscored one
/// falls back on nobody.
pub fn decided(critics: &[Critic], mut judged: Vec<Judged>) -> Option<Judged> {
    let critic = critics.get(judged.len().checked_sub(1)?)?;
    let mut last = judged.pop()?;
    let why = last.verdict.explanation.take();
    last.verdict.explanation = Some(match why {
        Some(why) => format!("{}: {why}", critic.id),
        None => critic.id.clone(),
    });
    Some(last)
}
