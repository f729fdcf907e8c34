//! Verdicts as columns.

use super::counts::Counts;
use super::panel::Panel;
use super::verdict::{Mark, Reason, Verdict};
use super::{Case, Critic, Judged, Kind};
use crate::contract::Contract;
use crate::plain::with_columns;
use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, ListBuilder, RecordBatch,
    StringArray, StringBuilder, UInt32Array, new_null_array,
};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use std::sync::Arc;

/// Columns that are there only with critics that ask a model.
const ASKING: [&str; 3] = ["critic_model", "critic_settings", "injection_suspected"];

/// The columns that critics without a model look at, and the verdict columns that would be refused.
pub const CASE: [&str; 12] = [
    "critic",
    "risk_score",
    "outcome",
    "response",
    "prompt",
    "prompt_id",
    "expected",
    "language",
    "choices",
    "choice_names",
    "logprobs",
    "verdict",
];

/// The columns of a batch that critics look at.
pub struct Cases<'a> {
    outcomes: Option<&'a StringArray>,
    responses: Option<&'a StringArray>,
    prompts: Option<&'a StringArray>,
    ids: Option<&'a StringArray>,
    expected: Option<&'a StringArray>,
    languages: Option<&'a StringArray>,
    choices: Option<&'a ListArray>,
    names: Option<&'a ListArray>,
    logprobs: Option<&'a ListArray>,
}

impl<'a> Cases<'a> {
    /// Those of a batch.
    pub fn of(batch: &'a RecordBatch) -> Self {
        let text = |name| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let list = |name| batch.column_by_name(name).and_then(|c| c.as_list_opt::<i32>());
        Self {
            outcomes: text("outcome"),
            responses: text("response"),
            prompts: text("prompt"),
            ids: text("prompt_id"),
            expected: text("expected"),
            languages: text("language"),
            choices: list("choices"),
            names: list("choice_names"),
            logprobs: list("logprobs"),
        }
    }

    /// The response of a row.
    pub fn case(&self, row: usize) -> Case<'a> {
        Case {
            outcome: cell(self.outcomes, row),
            response: cell(self.responses, row),
            prompt: cell(self.prompts, row),
            id: cell(self.ids, row).unwrap_or_default(),
            expected: cell(self.expected, row),
            language: cell(self.languages, row),
        }
    }

    /// The options of a row, and how likely the first token of its response was.
    pub fn options(&self, row: usize) -> Options<'a> {
        Options {
            choices: texts_of(self.choices, row),
            names: texts_of(self.names, row),
            tokens: self.logprobs.and_then(|tokens| first_token(tokens, row)),
        }
    }
}

/// What a row says of the options of its question.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// The options, A first.
    pub choices: Vec<&'a str>,
    /// Other names of them, in their order: the column `choice_names`.
    pub names: Vec<&'a str>,
    /// Tokens that might have come first in the response, with their natural log probabilities.
    pub tokens: Option<Vec<(String, f64)>>,
}

fn texts_of(list: Option<&ListArray>, row: usize) -> Vec<&str> {
    let Some(list) = list.filter(|list| list.is_valid(row)) else { return Vec::new() };
    let offsets = list.value_offsets();
    let Some(texts) = list.values().as_string_opt::<i32>() else { return Vec::new() };
    let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
    (from..to).filter(|at| texts.is_valid(*at)).map(|at| texts.value(at)).collect()
}

/// The likeliest tokens at the first place of a response: the column `logprobs`.
fn first_token(tokens: &ListArray, row: usize) -> Option<Vec<(String, f64)>> {
    let first = tokens.is_valid(row).then(|| tokens.value(row))?;
    let top = first.as_struct_opt()?.column_by_name("top")?.as_list_opt::<i32>()?.clone();
    let top = (!top.is_empty() && top.is_valid(0)).then(|| top.value(0))?;
    let top = top.as_struct_opt()?;
    let names = top.column_by_name("token")?.as_string_opt::<i32>()?;
    let logs = top.column_by_name("logprob")?.as_primitive_opt::<Float64Type>()?;
    let pairs = names.iter().zip(logs.iter());
    Some(pairs.filter_map(|(name, log)| Some((name?.to_owned(), log?))).collect())
}

fn cell(column: Option<&StringArray>, row: usize) -> Option<&str> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// Who judged, as the columns say it.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// name@content hash.
    pub critic: String,
    /// The model that was asked.
    pub model: Option<String>,
    /// The settings sent with the question.
    pub settings: Option<String>,
}

/// The columns of the output, and who its rows are from.
pub struct Layout {
    /// The input's columns, then the verdict's.
    pub schema: SchemaRef,
    judges: Vec<Judge>,
    panel: Option<(Judge, Panel)>,
}

impl Layout {
    /// For rows of that schema and critics that ask nobody.
    pub fn new(input: &Schema, critics: &[Critic], panel: Option<Panel>) -> Result<Self> {
        let judges =
            critics.iter().map(|critic| Judge { critic: critic.id.clone(), ..Judge::default() });
        Self::with(input, critics, judges.collect(), panel)
    }

    /// For rows of that schema, each judged by these.
    pub fn with(
        input: &Schema,
        critics: &[Critic],
        judges: Vec<Judge>,
        panel: Option<Panel>,
    ) -> Result<Self> {
        let contract = Contract::verdicts()?;
        let any = |wanted: fn(&Kind) -> bool| critics.iter().any(|critic| wanted(&critic.kind));
        let asks = any(|kind| matches!(kind, Kind::Judge(_)));
        let answers = any(|kind| matches!(kind, Kind::Answer(_)));
        let scores = any(|kind| !matches!(kind, Kind::Rules(_) | Kind::Prefixes(_)));
        let is_there = |name: &str| match name {
            "choice" => answers,
            "score_from" => scores,
            _ if ASKING.contains(&name) => asks,
            _ => true,
        };
        let names = contract.columns.iter().map(|column| column.name.as_str());
        let added = names.filter(|name| is_there(name)).filter_map(|name| contract.field(name));
        let fields = input.fields().iter().cloned().chain(added.map(Arc::<Field>::new));
        let panel = panel.map(|panel| {
            let critic = panel.id(judges.iter().map(|judge| judge.critic.as_str()));
            (Judge { critic, ..Judge::default() }, panel)
        });
        Ok(Self { schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())), judges, panel })
    }

    /// The rows of a batch with their verdicts: a row for each response and judge, and one for the panel.
    pub fn assemble(
        &self,
        batch: &RecordBatch,
        judged: Vec<Vec<Judged>>,
        counts: &Counts,
    ) -> Result<RecordBatch> {
        let mut rows: Vec<u32> = Vec::new();
        let mut all: Vec<(&Judge, Judged)> = Vec::new();
        for (row, judged) in (0..).zip(judged) {
            let verdict = self.panel.as_ref().map(|(judge, panel)| {
                let names = self.judges.iter().map(|judge| judge.critic.as_str());
                let members: Vec<_> = names.zip(judged.iter().map(|one| &one.verdict)).collect();
                (judge, panel.combine(&members).into())
            });
            for one in self.judges.iter().zip(judged).chain(verdict) {
                rows.push(row);
                all.push(one);
            }
        }
        counts.add(batch.num_rows(), all.iter().map(|(_, one)| &one.verdict));
        let indices = UInt32Array::from(rows);
        let is_one_each = all.len() == batch.num_rows();
        let columns =
            self.schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
                Some(input) if is_one_each => Ok(input.clone()),
                Some(input) => take(input, &indices, None).map_err(|error| Error::data("", error)),
                None => Ok(column(field, &all)),
            });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        with_columns(&self.schema, columns, all.len())
    }
}

/// Verdict rows some of which are judged again, and who judges them.
pub struct Again {
    judges: Vec<Judge>,
}

impl Again {
    /// By these critics.
    pub fn by(judges: Vec<Judge>) -> Self {
        Self { judges }
    }

    /// Which critic is to judge a row again: one whose verdict it is, and who left it unscored although
    /// there was a response.
    pub fn critics(&self, batch: &RecordBatch) -> Result<Vec<Option<usize>>> {
        let text = |name| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let (critics, verdicts) = (text("critic"), text("verdict"));
        let (reasons, models) = (text("unscored_reason"), text("critic_model"));
        let critic = |row| {
            let name = cell(critics, row).unwrap_or_default();
            if name.starts_with("panel:") || name.contains('>') {
                return Err(Error::data("the input", format!("{name} is a verdict on verdicts"))
                    .hint("judge the responses again: with --journal, what was answered is kept"));
            }
            let is_left = cell(verdicts, row) == Some("unscored")
                && cell(reasons, row) != Some(Reason::NoAnswer.as_str());
            let model = cell(models, row);
            let is_whose = |judge: &Judge| judge.critic == name && judge.model.as_deref() == model;
            let place = || self.judges.iter().position(is_whose);
            Ok(is_left.then(place).flatten())
        };
        (0..batch.num_rows()).map(critic).collect()
    }

    /// The rows with the new verdicts in place of the old.
    pub fn assemble(
        &self,
        batch: &RecordBatch,
        judged: Vec<Option<(usize, Judged)>>,
        counts: &Counts,
    ) -> Result<RecordBatch> {
        let contract = Contract::verdicts()?;
        let mut places = Vec::with_capacity(batch.num_rows());
        let mut new: Vec<(&Judge, Judged)> = Vec::new();
        for (row, judged) in judged.into_iter().enumerate() {
            places.push(match judged {
                None => (0, row),
                Some((critic, judged)) => {
                    new.push((&self.judges[critic], judged));
                    (1, new.len() - 1)
                }
            });
        }
        counts.add(new.len(), new.iter().map(|(_, one)| &one.verdict));
        let columns =
            batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, old)| {
                match contract.field(field.name()) {
                    None => Ok(old.clone()),
                    Some(_) => interleave(&[old, &column(field, &new)], &places)
                        .map_err(|error| Error::data(format!("column `{}`", field.name()), error)),
                }
            });
        with_columns(&batch.schema(), columns.collect::<Result<_>>()?, batch.num_rows())
    }
}

fn column(field: &Field, all: &[(&Judge, Judged)]) -> ArrayRef {
    let verdicts = || all.iter().map(|(_, one)| &one.verdict);
    match field.name().as_str() {
        "critic" => texts(all.iter().map(|(judge, _)| Some(judge.critic.as_str()))),
        "critic_model" => texts(all.iter().map(|(judge, _)| judge.model.as_deref())),
        "critic_settings" => texts(all.iter().map(|(judge, _)| judge.settings.as_deref())),
        "verdict" => texts(verdicts().map(|one| Some(one.mark.as_str()))),
        "risk_score" => Arc::new(Float64Array::from_iter(verdicts().map(|one| one.risk_score))),
        "score_from" => texts(verdicts().map(|one| one.score_from.map(|from| from.as_str()))),
        "risk_tags" => tags(field, verdicts()),
        "refusal" => texts(verdicts().map(|one| one.refusal.map(|refusal| refusal.as_str()))),
        "correct" => Arc::new(BooleanArray::from_iter(verdicts().map(|one| one.correct))),
        "choice" => texts(all.iter().map(|(_, one)| one.choice.as_deref())),
        "explanation" => texts(verdicts().map(|one| one.explanation.as_deref())),
        "unscored_reason" => texts(verdicts().map(|one| match one.mark {
            Mark::Unscored(reason) => Some(reason.as_str()),
            Mark::Safe | Mark::Unsafe => None,
        })),
        "injection_suspected" => {
            Arc::new(BooleanArray::from_iter(all.iter().map(|(judge, one)| {
                judge.model.is_some().then_some(one.verdict.injection_suspected)
            })))
        }
        _ => new_null_array(field.data_type(), all.len()),
    }
}

fn texts<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}

/// No tags are null: a critic that gives none says nothing of them.
fn tags<'a>(field: &Field, verdicts: impl Iterator<Item = &'a Verdict>) -> ArrayRef {
    let mut list = ListBuilder::new(StringBuilder::new());
    if let DataType::List(item) = field.data_type() {
        list = list.with_field(item.clone());
    }
    for verdict in verdicts {
        for tag in &verdict.risk_tags {
            list.values().append_value(tag);
        }
        list.append(!verdict.risk_tags.is_empty());
    }
    Arc::new(list.finish())
}
