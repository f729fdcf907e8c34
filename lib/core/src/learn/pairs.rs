//! Pairs of a base prompt and an attack prompt, from a user's own copy of a published set.

use crate::contract::Contract;
use crate::{Error, Result, input};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A base prompt.
#[derive(Debug, PartialEq, Eq)]
pub struct Base {
    /// Its prompt_id.
    pub id: String,
    /// Its text.
    pub prompt: String,
    /// Its language, if it is known.
    pub language: Option<String>,
}

/// A base prompt and what an attack made of it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The base prompt.
    pub base: Arc<Base>,
    /// The attack prompt.
    pub text: String,
}

/// The rows of one attack.
#[derive(Debug, Default)]
pub struct Attack {
    /// Those whose base prompt is known.
    pub pairs: Vec<Pair>,
    /// How many have a base prompt that is not, or are no single prompt.
    pub unpaired: u64,
}

/// The attacks of a set, by name.
pub type Attacks = BTreeMap<String, Attack>;

/// The pairs of two files of prompt rows, which may be one and the same.
pub fn read(base: &str, attack: &str) -> Result<Attacks> {
    let bases = bases(base)?;
    if bases.is_empty() {
        return Err(Error::data(base, "there is no base prompt: no row without an `attack`")
            .hint("give the base prompts first, then the attacks"));
    }
    let mut attacks = Attacks::new();
    each(attack, &["prompt", "attack", "base_id"], |columns, row| {
        let Some(name) = columns.text("attack", row) else { return Ok(()) };
        let attack = attacks.entry(name.to_owned()).or_default();
        let base = columns.text("base_id", row).and_then(|id| bases.get(id));
        match (base, columns.text("prompt", row)) {
            (Some(base), Some(text)) if !columns.conversation(row) => {
                attack.pairs.push(Pair { base: base.clone(), text: text.to_owned() });
            }
            _ => attack.unpaired += 1,
        }
        Ok(())
    })?;
    if attacks.is_empty() {
        return Err(Error::data(attack, "there is no attack prompt: no row with an `attack`")
            .hint("give the base prompts first, then the attacks"));
    }
    if attacks.values().all(|attack| attack.pairs.is_empty()) {
        return Err(Error::data(
            attack,
            format!("no `base_id` is the prompt_id of a row of {base}"),
        )
        .hint("import both files in one run: seval-select --from import/… BASE ATTACK"));
    }
    Ok(attacks)
}

fn bases(path: &str) -> Result<HashMap<String, Arc<Base>>> {
    let mut bases = HashMap::new();
    each(path, &["prompt_id", "prompt"], |columns, row| {
        let attacked = columns.text("attack", row).is_some();
        let (id, prompt) = (columns.text("prompt_id", row), columns.text("prompt", row));
        if let (false, false, Some(id), Some(prompt)) =
            (attacked, columns.conversation(row), id, prompt)
        {
            let language = columns.text("language", row).map(str::to_owned);
            let base = Base { id: id.to_owned(), prompt: prompt.to_owned(), language };
            let base = Arc::new(base);
            let known = bases.entry(base.id.clone()).or_insert_with(|| base.clone());
            if known.prompt != base.prompt {
                return Err(Error::data(path, format!("prompt_id {id} is of two prompts"))
                    .hint("make the ids again: leave the column out and import the file"));
            }
        }
        Ok(())
    })?;
    Ok(bases)
}

/// The text columns of a batch.
struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        let column: &StringArray = self.0.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn conversation(&self, row: usize) -> bool {
        self.0.column_by_name("messages").is_some_and(|messages| messages.is_valid(row))
    }
}

/// Calls `f` for every row of a file of prompt rows.
fn each(
    path: &str,
    needed: &[&str],
    mut f: impl FnMut(&Columns<'_>, usize) -> Result<()>,
) -> Result<()> {
    let rows = input::read(input::sources(&[path.to_owned()])?, &input::Options::default())?;
    Contract::prompts()?.check(&rows.schema, needed, path)?;
    Contract::refuse_answered(&rows.schema)?;
    for batch in rows.batches {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            f(&Columns(&batch), row)?;
        }
    }
    Ok(())
}
