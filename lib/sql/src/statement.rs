//! The one SELECT that a text must be.
//!
//! DataFusion's parser knows the clauses of many dialects and its planner silently ignores some of
//! them: `FROM t TABLESAMPLE (10 ROWS)` or `PREWHERE n = 1` would answer another question with all
//! rows. They are refused here.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{
    Query, Select, SelectFlavor, SelectItem, Statement as SqlStatement, TableFactor, Visit,
    Visitor, WildcardAdditionalOptions,
};

use crate::error::{Error, Refused};

/// Parses one SELECT (or `WITH`, or `VALUES`) whose every clause will be heeded.
pub(crate) fn one_select(sql: &str) -> Result<Statement, Refused> {
    let refuse = |text: String| Err(Refused::Ours(Error::Sql(text)));
    let mut statements = DFParser::parse_sql(sql)?;
    let (Some(statement), None) = (statements.pop_front(), statements.pop_front()) else {
        return refuse("exactly one SELECT is wanted".into());
    };
    let Statement::Statement(inner) = &statement else { return refuse(not_a_select(&statement)) };
    if !matches!(**inner, SqlStatement::Query(_)) {
        return refuse(not_a_select(&statement));
    }
    match inner.visit(&mut Heeded) {
        ControlFlow::Continue(()) => Ok(statement),
        ControlFlow::Break(clause) => refuse(format!("not supported: {clause}")),
    }
}

fn not_a_select(statement: &Statement) -> String {
    let text = statement.to_string();
    let verb = text.split_whitespace().next().unwrap_or_default();
    format!("only a SELECT can be run here, not {verb}: nothing is ever written")
}

/// Looks for what the planner would ignore; breaks with the clause's name.
struct Heeded;

impl Visitor for Heeded {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        first(&[
            (query.settings.is_some(), "SETTINGS"),
            (query.format_clause.is_some(), "FORMAT"),
            (query.for_clause.is_some(), "FOR"),
            (!query.locks.is_empty(), "FOR UPDATE"),
        ])
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        let no_list = matches!(select.flavor, SelectFlavor::FromFirstNoSelect);
        first(&[
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (select.value_table_mode.is_some(), "AS STRUCT and AS VALUE"),
            (select.exclude.is_some(), "EXCLUDE after the columns; write * EXCLUDE (…)"),
            (select.projection.iter().any(has_ilike), "* ILIKE"),
            (no_list, "FROM without SELECT"),
        ])
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Table {
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
                ..
            } => first(&[
                (sample.is_some(), "TABLESAMPLE"),
                (!partitions.is_empty(), "PARTITION"),
                (version.is_some(), "a version of a table"),
                (*with_ordinality, "WITH ORDINALITY"),
                (json_path.is_some(), "a path into a table"),
                (!with_hints.is_empty() || !index_hints.is_empty(), "hints"),
            ]),
            TableFactor::Derived { sample, .. } => first(&[(sample.is_some(), "TABLESAMPLE")]),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn has_ilike(item: &SelectItem) -> bool {
    let (SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options)) = item else {
        return false;
    };
    matches!(options, WildcardAdditionalOptions { opt_ilike: Some(_), .. })
}

/// Breaks with the first name whose condition holds.
fn first(clauses: &[(bool, &'static str)]) -> ControlFlow<&'static str> {
    match clauses.iter().find(|(there, _)| *there) {
        Some((_, name)) => ControlFlow::Break(name),
        None => ControlFlow::Continue(()),
    }
}
