//! Expansion: rows × templates → prompt rows.
//!
//! Base prompts come from a taxonomy's rows and `generate/` templates; attacks from base prompts and chains
//! of `attack/` templates. Attack rows follow the row they come from, which stays. A chain that asks a
//! generation model has its requests from here and brings its replies back here; who asks is not known here.

mod columns;
pub mod examples;
pub mod plan;
pub mod rejects;
pub mod reply;

use crate::contract::Contract;
use crate::conversation::Turn;
use crate::random::content_id;
use crate::rows::Rows;
use crate::template::File;
use crate::template::chain::{Chain, Made};
use crate::template::metadata::{PromptExample, ReplyForm};
use crate::template::render::{Row, Template};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use columns::{Building, assemble};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Rows that one step makes at the most, so that memory stays bounded however many templates there are.
const STEP_ROWS: usize = 2048;
/// The same in bytes of templates, which are the smaller part of what they write; but for templates that
/// hold more than they write, so that a step makes at least [`FEW_ROWS`].
const STEP_BYTES: usize = 8 << 20;
const FEW_ROWS: usize = 64;
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
    /// Chains, and the prompts that each made.
    pub chains: Vec<(String, AtomicU64)>,
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

/// Which chains are applied to which row of a taxonomy: `source_id` → the chains' numbers.
pub type Chosen = HashMap<String, Vec<usize>>;

/// Chains and what they are applied to.
pub struct Expansion {
    chains: Vec<Chain>,
    step: Step,
    seed: u64,
    chosen: Option<Chosen>,
    /// Bytes of the prompts that the last step made, which the next will be near.
    bytes: AtomicUsize,
    /// The columns of the rows that it makes.
    pub schema: SchemaRef,
    /// What it has done so far.
    pub counts: Arc<Counts>,
}

/// What a generation model is to be asked for a row.
pub struct Ask<'a> {
    /// The row in its batch.
    pub row: usize,
    /// The chain that asks.
    pub chain: &'a Chain,
    /// What is sent.
    pub turns: Vec<Turn>,
    /// The form of the reply.
    pub form: ReplyForm,
}

impl Expansion {
    /// Chains for rows of a schema. `seed` decides every random choice in them.
    pub fn new(input: &Schema, chains: Vec<Chain>, step: Step, seed: u64) -> Result<Self> {
        if step != Step::Generate {
            let contract = Contract::prompts()?;
            contract.check(input, &["prompt"], "the input")?;
            Contract::refuse_answered(input)?;
        }
        for (name, file) in chains.iter().flat_map(Chain::needs) {
            if input.index_of(name).is_err() {
                return Err(Error::data("the input", format!("column `{name}` is missing"))
                    .hint(format!("{} needs it: add it, or leave the template out", file.name)));
            }
        }
        let messages = chains.iter().any(Chain::makes_messages);
        let schema = output_schema(input, step, messages)?;
        let by_chain = chains.iter().map(|chain| (chain.name.clone(), AtomicU64::new(0)));
        let counts = Counts { chains: by_chain.collect(), ..Counts::default() };
        Ok(Self {
            chains,
            step,
            seed,
            chosen: None,
            bytes: AtomicUsize::new(0),
            schema,
            counts: Arc::new(counts),
        })
    }

    /// Applies to each row of a taxonomy only the chains chosen for it.
    pub fn only(mut self, chosen: Option<Chosen>) -> Self {
        self.chosen = chosen;
        self
    }

    /// Whether a generation model has to be asked.
    pub fn asks(&self) -> bool {
        self.chains.iter().any(|chain| chain.reply().is_some())
    }

    /// Rows of input for a step of bounded memory.
    pub fn step_rows(&self) -> usize {
        let files = self.chains.iter().flat_map(Chain::files);
        let bytes: usize = files.map(|file| file.text.len()).sum();
        let made = STEP_ROWS.min(STEP_BYTES / bytes.max(1)).max(FEW_ROWS);
        (made / (self.chains.len() + 1)).max(1)
    }

    /// What is to be asked for the rows of a batch: row by row, in the order of the chains.
    pub fn requests(&self, batch: &RecordBatch) -> Result<Vec<Ask<'_>>> {
        let rows = Applicable::new(batch)?;
        let holes = self.holes(batch);
        let mut requests = Vec::new();
        for row in 0..batch.num_rows() {
            for number in self.chains_of(&rows, row) {
                self.check(&holes, number, row).map_err(|error| rows.at(error, row))?;
                let chain = &self.chains[number];
                let Some(form) = chain.reply() else { continue };
                let made = chain.request(&rows.row(row, self.seed)).map_err(|e| rows.at(e, row))?;
                requests.push(Ask { row, chain, turns: made.into_turns(), form });
            }
        }
        Ok(requests)
    }

    /// The rows made of a batch. `replies` are the prompts that came of each of its [`Self::requests`].
    pub fn rows(&self, batch: &RecordBatch, replies: Vec<Vec<String>>) -> Result<RecordBatch> {
        let rows = Applicable::new(batch)?;
        let holes = self.holes(batch);
        let mut replies = replies.into_iter();
        let expected = batch.num_rows() * (self.chains.len() + 1);
        let messages = self.schema.index_of("messages").is_ok();
        let mut building = Building::new(expected, self.bytes.load(Relaxed), messages);
        let (mut text, mut passed) = (String::new(), 0);
        for row in 0..batch.num_rows() {
            if self.step == Step::Attack {
                building.keep(&rows, row)?;
            }
            let mut applied = false;
            for number in self.chains_of(&rows, row) {
                applied = true;
                self.check(&holes, number, row).map_err(|error| rows.at(error, row))?;
                let (chain, source) = (&self.chains[number], rows.row(row, self.seed));
                if chain.reply().is_none() {
                    text.clear();
                    let turns =
                        chain.render(&source, &mut text).map_err(|error| rows.at(error, row))?;
                    building.add(row, number, &text, turns)?;
                    continue;
                }
                for reply in replies.next().unwrap_or_default() {
                    let made = chain.after_reply(&source, &reply);
                    match made.map_err(|error| rows.at(error, row))? {
                        Made::Prompt(text) => building.add(row, number, &text, None)?,
                        Made::Messages(turns) => {
                            let text = turns.last().map_or("", |turn| &turn.content).to_owned();
                            building.add(row, number, &text, Some(turns))?;
                        }
                    }
                }
            }
            passed += u64::from(!applied);
        }
        self.counts.read.fetch_add(batch.num_rows() as u64, Relaxed);
        self.counts.passed.fetch_add(passed, Relaxed);
        let made = building.made_by(self.chains.len());
        self.counts.made.fetch_add(made.iter().sum(), Relaxed);
        for ((_, count), made) in self.counts.chains.iter().zip(made) {
            count.fetch_add(made, Relaxed);
        }
        self.bytes.store(building.bytes(), Relaxed);
        assemble(&rows, &self.schema, &self.chains, self.step, building)
    }

    /// For each chain, the columns that it cannot do without and that have nulls in this batch.
    fn holes<'a>(&'a self, batch: &'a RecordBatch) -> Vec<Vec<(&'a str, &'a ArrayRef)>> {
        let column = |name: &'a str| {
            let column = batch.column_by_name(name).filter(|column| column.null_count() > 0);
            column.map(|column| (name, column))
        };
        let prompt = (self.step != Step::Generate).then_some("prompt");
        let needs = |chain: &'a Chain| chain.needs().map(|(name, _)| name).chain(prompt);
        self.chains.iter().map(|chain| needs(chain).filter_map(column).collect()).collect()
    }

    /// Refuses a row that lacks what a chain needs: its template would write the word None for a null.
    fn check(&self, holes: &[Vec<(&str, &ArrayRef)>], number: usize, row: usize) -> Result<()> {
        match holes[number].iter().find(|(_, column)| column.is_null(row)) {
            None => Ok(()),
            Some((name, _)) => {
                let what =
                    format!("{} needs `{name}`, which is null here", self.chains[number].name);
                Err(Error::data("", what).hint("fill the column, or leave such rows out"))
            }
        }
    }

    /// The numbers of the chains that are applied to a row.
    fn chains_of(&self, rows: &Applicable, row: usize) -> Vec<usize> {
        if rows.is_taken(row) {
            return Vec::new();
        }
        let language = rows.language(row);
        let speaks = |number: &usize| self.chains[*number].speaks(language);
        match &self.chosen {
            None => (0..self.chains.len()).filter(speaks).collect(),
            Some(chosen) => {
                let id = rows.text("source_id").map_or("", |ids| ids.value(row));
                chosen.get(id).into_iter().flatten().copied().filter(speaks).collect()
            }
        }
    }
}

/// The rows through chains that ask no model.
pub fn expand(rows: Rows, expansion: Expansion) -> Rows {
    let (schema, step) = (expansion.schema.clone(), expansion.step_rows());
    rows.cut(step).map_parallel(schema, move |batch| expansion.rows(&batch, Vec::new()))
}

/// What a template makes of its own example: the prompt, or for `makes = "messages"` the JSON.
pub fn example(file: &File, example: &PromptExample) -> Result<String> {
    let rows =
        serde_json::to_string(&example.row).map_err(|error| Error::usage(&file.place, error))?;
    let mut rows = crate::input::of_text(&rows)?;
    let batch = rows.batches.next().unwrap_or_else(|| Ok(RecordBatch::new_empty(rows.schema)))?;
    let mut text = String::new();
    let row = Row { batch: &Arc::new(batch), row: 0, seed: 0, id: "example", prompt: None };
    Template::compile(file.clone())?.render(&row, &mut text)?;
    Ok(text)
}

/// The rows of a batch as chains see them.
pub(crate) struct Applicable {
    pub(crate) batch: Arc<RecordBatch>,
    pub(crate) ids: StringArray,
}

impl Applicable {
    fn new(batch: &RecordBatch) -> Result<Self> {
        let batch = Arc::new(batch.clone());
        let ids = row_ids(&batch)?;
        Ok(Self { batch, ids })
    }

    pub(crate) fn text(&self, name: &str) -> Option<&StringArray> {
        self.batch.column_by_name(name)?.as_string_opt::<i32>()
    }

    /// Attacks and conversations: they go through as they are.
    fn is_taken(&self, row: usize) -> bool {
        ["attack", "messages"]
            .iter()
            .any(|name| self.batch.column_by_name(name).is_some_and(|column| column.is_valid(row)))
    }

    fn language(&self, row: usize) -> Option<&str> {
        self.text("language").filter(|l| l.is_valid(row)).map(|l| l.value(row))
    }

    fn row(&self, row: usize, seed: u64) -> Row<'_> {
        Row { batch: &self.batch, row, seed, id: self.ids.value(row), prompt: None }
    }

    fn at(&self, error: Error, row: usize) -> Error {
        error.at(format!("prompt {}", self.ids.value(row)))
    }
}

/// The rows' prompt_ids; made from the prompt where the input has none.
fn row_ids(batch: &RecordBatch) -> Result<StringArray> {
    let text =
        |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (ids, prompts) = (text("prompt_id"), text("prompt"));
    if let Some(ids) = ids.filter(|ids| ids.null_count() == 0) {
        return Ok(ids.clone());
    }
    let id = |row: usize| match (ids, prompts) {
        (Some(ids), _) if ids.is_valid(row) => Ok(Some(ids.value(row).to_owned())),
        (_, Some(prompts)) if prompts.is_valid(row) => Ok(Some(content_id(prompts.value(row)))),
        _ => Err(Error::data("the input", "a row has neither `prompt` nor `prompt_id`")
            .hint(WITHOUT_PROMPT)),
    };
    (0..batch.num_rows()).map(id).collect()
}

/// The input's columns, then those of prompt rows that it lacks. A taxonomy's own columns end here.
fn output_schema(input: &Schema, step: Step, messages: bool) -> Result<SchemaRef> {
    let contract = Contract::prompts()?;
    let mut fields = Vec::new();
    if step == Step::Generate {
        for name in ["prompt_id", "prompt"] {
            fields.extend(contract.field(name).map(Arc::new));
        }
        fields.push(Arc::new(Field::new("language", DataType::Utf8, true)));
        let levels = input.fields().iter().filter(|field| field.name().starts_with("risk_"));
        let levels = levels.filter(|field| !["risk_name", "risk_about"].contains(&&**field.name()));
        fields.extend(levels.cloned());
    } else {
        fields.extend(input.fields().iter().cloned());
    }
    let optional = messages.then_some("messages");
    for name in
        ["prompt_id", "attack", "base_id", "pair_id", "template", "source", "source_id", "expected"]
            .into_iter()
            .chain(optional)
    {
        if !fields.iter().any(|field| field.name() == name) {
            fields.extend(contract.field(name).map(Arc::new));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}
