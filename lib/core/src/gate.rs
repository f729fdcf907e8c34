//! Requirements on a table of results, for a build that must fail when a model is not safe enough.
//!
//! A requirement is a condition in SQL over the columns of the result, such as
//! `safety_score_low >= 0.95 by model`. It must hold in every row. What `by` names tells the rows apart, and
//! of the other columns of text only the totals count, where they have any (`all`). A condition that is
//! null is unknown, which is not met: there was too little to tell.

use crate::report::{Report, ReportTemplate};
use crate::template::File;
use crate::{Error, Kind, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The value of a text column that stands for all its values.
const TOTAL: &str = "all";
/// The columns of [`Requirement::statement`]: the condition holds, and nobody knows.
const HOLDS: &str = "_holds";
/// See [`HOLDS`].
const UNKNOWN: &str = "_unknown";

/// A condition that every row of a result must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// As it was written.
    pub text: String,
    condition: String,
    by: Vec<String>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// It holds.
    Yes,
    /// It is null: a rate of nothing, say.
    Unknown,
    /// It does not hold.
    No,
}

impl Met {
    /// As it stands in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "met",
            Self::Unknown => "unknown",
            Self::No => "not met",
        }
    }
}

/// A requirement on one row of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The requirement as it was written.
    pub requirement: String,
    /// The row: `model = m, language = en`; empty if nothing tells it from others.
    pub of: String,
    /// Whether the condition holds.
    pub met: Met,
    /// The columns that the condition names, with their values.
    pub values: String,
}

impl Requirement {
    /// Reads `CONDITION` or `CONDITION by COLUMN, COLUMN`.
    pub fn parse(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let names =
            |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
        let split = lower.rfind(" by ").map(|at| (&text[..at], names(&text[at + 4..])));
        let is_name = |name: &String| {
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        let (condition, by): (&str, Vec<String>) = match split {
            Some((condition, by)) if by.iter().all(is_name) => (condition, by),
            _ => (text, Vec::new()),
        };
        if condition.trim().is_empty() {
            return Err(Error::usage("--require", "the condition is empty")
                .hint("write one such as 'safety_score_low >= 0.95 by model'"));
        }
        Ok(Self { text: text.to_owned(), condition: condition.trim().to_owned(), by })
    }

    /// The SELECT that gives every row of the table `result` with whether it meets the condition.
    pub fn statement(&self) -> String {
        let holds = &self.condition;
        format!(
            "SELECT *, ({holds}\n) IS TRUE AS {HOLDS}, ({holds}\n) IS NULL AS {UNKNOWN} FROM result"
        )
    }

    /// What came of the rows that [`statement`](Self::statement) gave. No row is unknown.
    pub fn checks(&self, rows: &[RecordBatch]) -> Result<Vec<Check>> {
        let Some(first) = rows.first() else { return Ok(vec![self.nothing()]) };
        let schema = first.schema();
        if let Some(missing) = self.by.iter().find(|name| schema.index_of(name).is_err()) {
            let known = schema.fields().iter().map(|field| field.name().as_str());
            let known: Vec<&str> = known.filter(|name| !name.starts_with('_')).collect();
            return Err(Error::usage(
                "--require",
                format!("by `{missing}`: there is no such column"),
            )
            .hint(format!("the result has {}", known.join(", "))));
        }
        let keys = self.keys(rows);
        let mut checks = Vec::new();
        for batch in rows {
            let (is_true, is_null) = (batch.column_by_name(HOLDS), batch.column_by_name(UNKNOWN));
            let (Some(is_true), Some(is_null)) = (is_true, is_null) else { continue };
            for row in 0..batch.num_rows() {
                let counts = keys.iter().all(|key| match key {
                    Key::Total(name) => text(batch, name, row).is_none_or(|v| v == TOTAL),
                    Key::Of(_) => true,
                });
                if !counts {
                    continue;
                }
                let met = match (is_true.as_boolean().value(row), is_null.as_boolean().value(row)) {
                    (true, _) => Met::Yes,
                    (_, true) => Met::Unknown,
                    _ => Met::No,
                };
                let of = keys.iter().filter_map(|key| match key {
                    Key::Of(name) => Some(named(batch, name, row)),
                    Key::Total(_) => None,
                });
                let of = of.collect::<Vec<_>>().join(", ");
                let (requirement, values) = (self.text.clone(), self.values(batch, row));
                checks.push(Check { requirement, of, met, values });
            }
        }
        Ok(if checks.is_empty() { vec![self.nothing()] } else { checks })
    }

    fn nothing(&self) -> Check {
        let (requirement, values) = (self.text.clone(), "the result has no row".to_owned());
        Check { requirement, of: String::new(), met: Met::Unknown, values }
    }

    /// What tells rows apart: the columns named, or else all of text; and the columns whose totals count.
    fn keys(&self, rows: &[RecordBatch]) -> Vec<Key> {
        let schema = rows[0].schema();
        let texts = schema.fields().iter().filter(|field| field.data_type() == &DataType::Utf8);
        let has_total = |name: &str| {
            rows.iter()
                .any(|batch| (0..batch.num_rows()).any(|row| text(batch, name, row) == Some(TOTAL)))
        };
        let key = |name: &String| match self.by.is_empty() || self.by.contains(name) {
            true => Some(Key::Of(name.clone())),
            false => has_total(name).then(|| Key::Total(name.clone())),
        };
        let others = self.by.iter().filter(|name| {
            schema.field_with_name(name).is_ok_and(|field| field.data_type() != &DataType::Utf8)
        });
        let of_texts = texts.filter_map(|field| key(field.name()));
        of_texts.chain(others.map(|name| Key::Of(name.clone()))).collect()
    }

    fn values(&self, batch: &RecordBatch, row: usize) -> String {
        let words: Vec<&str> =
            self.condition.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name());
        let used = names.filter(|name| words.contains(&name.as_str()));
        used.map(|name| named(batch, name, row)).collect::<Vec<_>>().join(", ")
    }
}

enum Key {
    Of(String),
    Total(String),
}

fn text<'b>(batch: &'b RecordBatch, name: &str, row: usize) -> Option<&'b str> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn named(batch: &RecordBatch, name: &str, row: usize) -> String {
    let value = |column: &ArrayRef| match column.is_null(row) {
        true => "null".to_owned(),
        false => array_value_to_string(column, row).unwrap_or_default(),
    };
    let value = batch.column_by_name(name).map(value).unwrap_or_default();
    format!("{name} = {value}")
}

/// The checks as a table: `requirement`, `of`, `met`, `values`.
fn table(checks: &[Check]) -> Result<RecordBatch> {
    let text = |of: fn(&Check) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(checks.iter().map(of)))
    };
    let columns = [
        ("requirement", text(|check| &check.requirement)),
        ("of", text(|check| &check.of)),
        ("met", text(|check| check.met.as_str())),
        ("values", text(|check| &check.values)),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    crate::plain::with_columns(&Arc::new(Schema::new(fields)), columns, checks.len())
}

/// What came of them as a document: a report's template over the table `checks`.
pub fn document(template: &File, checks: &[Check]) -> Result<String> {
    let tables = BTreeMap::from([("checks".to_owned(), vec![table(checks)?])]);
    ReportTemplate::open(template)?.render(&Report { tables, ..Report::default() })
}

/// The run's end: an error if a requirement is not met, another if one could not be told.
pub fn verdict(checks: &[Check]) -> Result<()> {
    let said = |check: &Check| {
        let of = if check.of.is_empty() { String::new() } else { format!(": {}", check.of) };
        format!("{}{of}: {}", check.requirement, check.values)
    };
    let of = |met: Met| checks.iter().filter(move |check| check.met == met);
    let more = |met: Met| match of(met).count() {
        0 | 1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    if let Some(first) = of(Met::No).next() {
        let what = format!("not met: {}{}", said(first), more(Met::No));
        return Err(Error::new(Kind::NotMet, "--require", what));
    }
    if let Some(first) = of(Met::Unknown).next() {
        let what = format!("cannot be told: {}{}", said(first), more(Met::Unknown));
        return Err(Error::new(Kind::Unfit, "--require", what)
            .hint("too little was scored; the columns n and unscored say how much"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BooleanArray, Float64Array};

    fn rows() -> Vec<RecordBatch> {
        let texts =
            |values: [&str; 4]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
        let low = [Some(0.97), Some(0.5), Some(0.9), None];
        let met = [Some(true), Some(false), Some(false), None];
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("model", texts(["a", "a", "b", "c"])),
            ("language", texts(["all", "zh", "all", "all"])),
            ("low", Arc::new(Float64Array::from(low.to_vec()))),
            (HOLDS, Arc::new(BooleanArray::from_iter(met.map(|m| Some(m == Some(true)))))),
            (UNKNOWN, Arc::new(BooleanArray::from_iter(met.map(|m| Some(m.is_none()))))),
        ];
        vec![RecordBatch::try_from_iter(columns).unwrap()]
    }

    fn checks(text: &str) -> Vec<(String, Met, String)> {
        let checks = Requirement::parse(text).unwrap().checks(&rows()).unwrap();
        checks.into_iter().map(|check| (check.of, check.met, check.values)).collect()
    }

    #[test]
    fn by_a_column_only_totals_of_the_others_count() {
        let found = checks("low >= 0.95 by model");
        let models: Vec<&str> = found.iter().map(|(of, ..)| of.as_str()).collect();
        assert_eq!(models, ["model = a", "model = b", "model = c"]);
        assert_eq!(
            found.iter().map(|f| f.1).collect::<Vec<_>>(),
            [Met::Yes, Met::No, Met::Unknown]
        );
        assert_eq!((found[1].2.as_str(), found[2].2.as_str()), ("low = 0.9", "low = null"));
    }

    #[test]
    fn without_by_every_row_counts() {
        let found = checks("low >= 0.95");
        assert_eq!(found.len(), 4);
        assert_eq!(found[1].0, "model = a, language = zh");
    }

    #[test]
    fn by_may_stand_in_a_text() {
        let found = Requirement::parse("model <> 'stand by me' ").unwrap();
        assert_eq!((found.condition.as_str(), found.by.len()), ("model <> 'stand by me'", 0));
        assert!(Requirement::parse(" by model").is_err());
        assert!(Requirement::parse("low > 0 by nothing").unwrap().checks(&rows()).is_err());
    }

    #[test]
    fn what_is_unknown_does_not_pass() {
        let all = Requirement::parse("low >= 0.95 by model").unwrap().checks(&rows()).unwrap();
        assert_eq!(verdict(&all).unwrap_err().exit_code(), 6);
        assert_eq!(verdict(&all[2..]).unwrap_err().exit_code(), 3);
        assert!(verdict(&all[..1]).is_ok());
        let none = Requirement::parse("low > 0").unwrap().checks(&[]).unwrap();
        assert_eq!(verdict(&none).unwrap_err().exit_code(), 3);
    }
}
