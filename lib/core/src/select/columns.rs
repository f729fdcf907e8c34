//! The columns that are written, where not all are.

use crate::rows::Rows;
use crate::select::failed;
use crate::select::texts::missing;
use crate::{Error, Result};

/// The columns that are not among these names; without names, none.
pub fn others(rows: &Rows, names: &[String]) -> Vec<String> {
    let fields = rows.schema.fields().iter().map(|field| field.name());
    fields.filter(|name| !names.is_empty() && !names.contains(name)).cloned().collect()
}

/// The rows with only these columns, in this order; without names, with all.
pub fn only(rows: Rows, names: &[String]) -> Result<Rows> {
    if names.is_empty() {
        return Ok(rows);
    }
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    if let Some((_, name)) = twice {
        return Err(Error::usage("--columns", format!("`{name}` is named twice")));
    }
    let at = |name: &String| rows.schema.index_of(name).map_err(|_| missing(&rows.schema, name));
    let wanted = names.iter().map(at).collect::<Result<Vec<_>>>()?;
    let schema = rows.schema.project(&wanted).map_err(failed)?.into();
    let batches = rows.batches.map(move |batch| batch?.project(&wanted).map_err(failed));
    Ok(Rows { schema, batches: Box::new(batches), history: rows.history })
}
