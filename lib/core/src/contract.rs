//! The column contracts of schemas/: one file a stage, read by the code, the docs and the tests.

use crate::plain::list_of;
use crate::{Error, Result};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde::Deserialize;

/// One stage's columns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// What its rows are, in one word: prompts, responses, verdicts.
    pub rows: String,
    /// The program that adds these columns.
    pub program: String,
    /// What the rows are, in a sentence.
    pub about: String,
    /// The columns in order.
    #[serde(rename = "column")]
    pub columns: Vec<Column>,
}

/// One column of a stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, in the words of [`parse_type`].
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether a row without it is no row of this stage.
    #[serde(default)]
    pub required: bool,
    /// What it says, in a sentence.
    pub about: String,
    /// The values it may have, if they are a closed list.
    #[serde(default)]
    pub values: Vec<String>,
}

impl Contract {
    /// The contract of prompt rows.
    pub fn prompts() -> Result<Self> {
        Self::parse("schemas/prompt.toml")
    }

    /// The contract of response rows: what asking a model adds.
    pub fn responses() -> Result<Self> {
        Self::parse("schemas/response.toml")
    }

    /// The contract of verdict rows: what judging a response adds.
    pub fn verdicts() -> Result<Self> {
        Self::parse("schemas/verdict.toml")
    }

    fn parse(path: &str) -> Result<Self> {
        let text = crate::built_in::text(path)
            .ok_or_else(|| Error::usage(path, "this contract is not built in"))?;
        let contract: Self = toml::from_str(text).map_err(|e| Error::usage(path, e.message()))?;
        for column in &contract.columns {
            parse_type(&column.type_name)
                .ok_or_else(|| Error::usage(path, format!("`{}` is no type", column.type_name)))?;
        }
        Ok(contract)
    }

    /// The Arrow field of a column of this contract.
    pub fn field(&self, name: &str) -> Option<Field> {
        let column = self.columns.iter().find(|column| column.name == name)?;
        Some(Field::new(name, parse_type(&column.type_name)?, true))
    }

    /// Checks a table: the columns `needed` are there, and every column of this contract that the table
    /// has is of the contract's type.
    pub fn check(&self, schema: &Schema, needed: &[&str], place: &str) -> Result<()> {
        for column in &self.columns {
            let Ok(field) = schema.field_with_name(&column.name) else {
                if needed.contains(&column.name.as_str()) {
                    return Err(self.missing(&column.name, schema, place));
                }
                continue;
            };
            let wanted = parse_type(&column.type_name);
            let scalar = wanted.as_ref().is_some_and(|wanted| !wanted.is_nested());
            if scalar
                && field.data_type() == &DataType::Utf8
                && !needed.contains(&column.name.as_str())
            {
                // From CSV, where everything is text; it only goes through.
                continue;
            }
            if wanted.is_some_and(|wanted| !same_type(&wanted, field.data_type())) {
                if column.type_name == "messages" {
                    return Err(Error::data(format!("{place}: column `{}`", column.name), TURNS)
                        .hint(r#"write [{"role": "user", "content": "a text"}], or rename the column"#));
                }
                return Err(Error::data(
                    format!("{place}: column `{}`", column.name),
                    format!(
                        "the type is {}, {} need {}",
                        field.data_type(),
                        self.rows,
                        column.type_name
                    ),
                )
                .hint("cast or rename the column before"));
            }
        }
        Ok(())
    }

    /// Refuses a table that has a column of this contract already; `hint` says what to give instead.
    pub fn refuse(&self, schema: &Schema, hint: &str) -> Result<()> {
        match self.columns.iter().find(|column| schema.index_of(&column.name).is_ok()) {
            None => Ok(()),
            Some(column) => {
                let what = format!("there is a column `{}` already", column.name);
                Err(Error::data("the input", what).hint(hint))
            }
        }
    }

    /// Refuses responses and verdicts where prompts are wanted: what was answered to one prompt would
    /// seem to be answered to another.
    pub fn refuse_answered(schema: &Schema) -> Result<()> {
        match ["outcome", "verdict"].iter().find(|name| schema.index_of(name).is_ok()) {
            None => Ok(()),
            Some(name) => Err(Error::data(
                "the input",
                format!("there is a column `{name}`: these are no prompts"),
            )
            .hint("give the prompts, before they were asked")),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        [Self::prompts(), Self::responses(), Self::verdicts()].into_iter().flatten()
    }

    /// The field of a column that is in one of the contracts.
    pub fn any_field(column: &str) -> Option<Field> {
        Self::all().find_map(|contract| contract.field(column))
    }

    /// The column of this name, if it is in one of the contracts.
    pub fn any_column(name: &str) -> Option<Column> {
        let columns = Self::all().flat_map(|contract| contract.columns);
        columns.into_iter().find(|column| column.name == name)
    }

    /// The program that adds a column, if it is in one of the contracts.
    pub fn that_adds(column: &str) -> Option<String> {
        Self::all()
            .find(|contract| contract.columns.iter().any(|known| known.name == column))
            .map(|contract| contract.program)
    }

    fn missing(&self, column: &str, schema: &Schema, place: &str) -> Error {
        let has: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let what = format!("column `{column}` is missing; there are: {}", has.join(", "));
        Error::data(place, what).hint(format!("did you skip {}? it adds the column", self.program))
    }
}

/// What a conversation has to be.
const TURNS: &str =
    "is no list of turns, each with a `role` and then a `content`, both texts, and nothing else";

/// Types as the schema files write them: `text`, `integer`, `float`, `boolean`, `timestamp`, `list of …`,
/// `messages` (a list of role and content), `logprobs` (a list of token, logprob and the likeliest tokens).
pub fn parse_type(name: &str) -> Option<DataType> {
    Some(match name {
        "text" => DataType::Utf8,
        "integer" => DataType::Int64,
        "float" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "messages" => {
            let text = |name| Field::new(name, DataType::Utf8, true);
            list_of(DataType::Struct(vec![text("role"), text("content")].into()))
        }
        "logprobs" => {
            let token = || Field::new("token", DataType::Utf8, true);
            let logprob = || Field::new("logprob", DataType::Float64, true);
            let top = list_of(DataType::Struct(vec![token(), logprob()].into()));
            let top = Field::new("top", top, true);
            list_of(DataType::Struct(vec![token(), logprob(), top].into()))
        }
        other => list_of(parse_type(other.strip_prefix("list of ")?)?),
    })
}

/// Equal but for the names of list items, which writers choose differently.
fn same_type(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) => same_type(a.data_type(), b.data_type()),
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name() == b.name() && same_type(a.data_type(), b.data_type()))
        }
        (a, b) => a == b,
    }
}
