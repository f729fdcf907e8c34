//! Who is at fault when a query fails, in one line.
//!
//! DataFusion wraps an error once for each layer it passes, prefixes each layer's name and spreads
//! the text over lines. Here the innermost one is found and said once. A fault of a table is never
//! guessed from such a text: [`crate::table`] notes it where it happens.

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

/// Why there is no answer; the text is one line without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The statement is at fault: bad syntax, an unknown column, anything but one SELECT.
    #[error("{0}")]
    Sql(String),
    /// A table's rows are at fault: they could not be read, or a value does not fit the statement.
    #[error("{0}")]
    Data(String),
    /// The machine is at fault: the memory limit, the temporary folder.
    #[error("{0}")]
    Resources(String),
}

impl From<ArrowError> for Error {
    /// Gives back the error that [`crate::Rows::batches`] carried.
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::ExternalError(inner) => match inner.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Data(other.to_string()),
            },
            other => Self::Data(other.to_string()),
        }
    }
}

/// Why a statement was not planned: said by us, or by the engine in its own words.
pub(crate) enum Refused {
    Ours(Error),
    Engine(DataFusionError),
}

impl From<DataFusionError> for Refused {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(error)
    }
}

/// When an error happened: it tells a bad statement from bad values.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    Planning,
    Running,
}

/// Sorts and cleans an error of the engine; `tables` are the names the statement may use.
pub(crate) fn explain(error: &DataFusionError, phase: Phase, tables: &[String]) -> Error {
    match innermost(error) {
        DataFusionError::ResourcesExhausted(text) => {
            Error::Resources(format!("more than the memory limit is needed: {}", one_line(text)))
        }
        DataFusionError::IoError(error) => Error::Resources(one_line(&error.to_string())),
        DataFusionError::SchemaError(error, _) => Error::Sql(schema_error(error)),
        DataFusionError::SQL(error, _) => Error::Sql(syntax_error(&error.to_string())),
        DataFusionError::Plan(text) => Error::Sql(unknown_table(text, tables)),
        DataFusionError::NotImplemented(text) => {
            Error::Sql(format!("not supported: {}", one_line(text)))
        }
        DataFusionError::ArrowError(error, _) => match phase {
            Phase::Planning => Error::Sql(one_line(&error.to_string())),
            Phase::Running => Error::Data(one_line(&error.to_string())),
        },
        other => Error::Sql(one_line(&other.message())),
    }
}

/// Unwraps context, sharing and lists down to the error that says something.
fn innermost(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            innermost(inner)
        }
        DataFusionError::Shared(inner) => innermost(inner),
        DataFusionError::Collection(all) => all.first().map_or(error, innermost),
        DataFusionError::External(inner) => {
            inner.downcast_ref::<DataFusionError>().map_or(error, innermost)
        }
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::ExternalError(inner) => {
                inner.downcast_ref::<DataFusionError>().map_or(error, innermost)
            }
            _ => error,
        },
        other => other,
    }
}

fn schema_error(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let mut names: Vec<String> = Vec::new();
            for column in valid_fields {
                let name = as_written(column);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let asked = &field.name;
            match names.is_empty() {
                true => format!("no column `{asked}`: no table is read here"),
                false => format!("no column `{asked}`; there are: {}", names.join(", ")),
            }
        }
        SchemaError::AmbiguousReference { field } => {
            format!("column `{}` can be more than one here; write table.column", field.name)
        }
        other => one_line(&other.to_string()),
    }
}

/// A column as it must be written in a statement: unquoted names are folded to lower case.
fn as_written(column: &Column) -> String {
    let name = &column.name;
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match plain {
        true => name.clone(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn syntax_error(text: &str) -> String {
    let text = text.strip_prefix("sql parser error: ").unwrap_or(text);
    format!("syntax: {}", one_line(text))
}

/// DataFusion has no variant of its own for a table that is not there, only this text.
fn unknown_table(text: &str, tables: &[String]) -> String {
    let name = text.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"));
    let Some(name) = name else { return one_line(text) };
    let name = name.strip_prefix("datafusion.").unwrap_or(name);
    let name = name.strip_prefix("public.").unwrap_or(name);
    format!("no table `{name}`; there is: {}", tables.join(", "))
}

/// One line of readable length, lower-case start, no full stop, without the names of layers.
fn one_line(text: &str) -> String {
    const LAYERS: [&str; 8] = [
        "DataFusion error: ",
        "Error during planning: ",
        "Execution error: ",
        "External error: ",
        "Arrow error: ",
        "Schema error: ",
        "Internal error: ",
        "caused by ",
    ];
    const LONGEST: usize = 400;
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for layer in LAYERS {
        line = line.replace(layer, "");
    }
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    let line = line.trim_end_matches('.');
    let mut letters = line.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => line.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn layers_and_lines_go() {
        let text =
            "Error during planning: Execution error: Invalid function 'foo'.\nDid you mean 'for'?";
        assert_eq!(one_line(text), "invalid function 'foo'. Did you mean 'for'?");
        assert_eq!(one_line("UTF-8 is broken."), "UTF-8 is broken");
    }

    #[test]
    fn wrapped_errors_are_said_once() {
        let inner = DataFusionError::ResourcesExhausted("no memory".into());
        let wrapped = DataFusionError::Context("sort".into(), Box::new(inner));
        let arrow = ArrowError::ExternalError(Box::new(wrapped));
        let outer = DataFusionError::ArrowError(Box::new(arrow), None);
        let explained = explain(&outer, Phase::Running, &[]);
        assert_eq!(
            explained,
            Error::Resources("more than the memory limit is needed: no memory".into())
        );
    }

    #[test]
    fn an_error_comes_back_in_its_kind() {
        let ours = Error::Resources("full".into());
        let carried = ArrowError::ExternalError(Box::new(ours.clone()));
        assert_eq!(Error::from(carried), ours);
        assert_eq!(
            Error::from(ArrowError::JsonError("row 3".into())),
            Error::Data("Json error: row 3".into())
        );
    }

    #[test]
    fn columns_are_shown_as_they_must_be_written() {
        assert_eq!(as_written(&Column::from_name("risk_type")), "risk_type");
        assert_eq!(as_written(&Column::from_name("Question")), "\"Question\"");
        assert_eq!(as_written(&Column::from_name("a \"b\"")), "\"a \"\"b\"\"\"");
    }
}
