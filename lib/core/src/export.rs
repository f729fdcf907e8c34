//! Data sets for others: a folder as the Hugging Face hub has them, and rows without their texts.
//!
//! The folder holds Parquet in shards, a card (README.md) whose head says which files are which set, the
//! columns with what they mean, and a warning. It has no program in it, so that whoever loads it runs none.

use crate::contract::Contract;
use crate::output::{self, Format, Writer};
use crate::plain::with_columns;
use crate::random::content_id;
use crate::{Error, Result, Rows};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// A shard ends after so many bytes of rows, as they are in memory: some 100 to 500 MB on disk.
const SHARD_BYTES: usize = 1 << 30;
/// The only split: what tests a model is not to train it.
const SPLIT: &str = "test";

/// What was written of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its files.
    pub shards: usize,
}

/// The rows with a hash in the place of every text that somebody wrote or a model answered. What the
/// contracts say to be a name, an id or a closed list stays; a text column of the user's own does not. Who
/// knows a text can find its hash: short or common ones are not hidden from them.
pub fn redact(rows: Rows) -> Result<Rows> {
    let hidden: Vec<bool> = rows.schema.fields().iter().map(|field| is_hidden(field)).collect();
    let fields = rows.schema.fields().iter().zip(&hidden).map(|(field, hidden)| match hidden {
        true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        false => Arc::clone(field),
    });
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let to = schema.clone();
    let batches = rows.batches.map(move |batch| {
        let batch = batch?;
        let column = |(column, hidden): (&ArrayRef, &bool)| match hidden {
            true => hashes(column),
            false => Ok(column.clone()),
        };
        let columns =
            batch.columns().iter().zip(&hidden).map(column).collect::<Result<Vec<_>>>()?;
        with_columns(&to, columns, batch.num_rows())
    });
    Ok(Rows { schema, batches: Box::new(batches), history: rows.history })
}

fn is_hidden(field: &Field) -> bool {
    let free = ["choice", "expected", "error", "replies", "logprobs"];
    let name = field.name().as_str();
    let is_text = field.data_type() == &DataType::Utf8 || field.data_type().is_nested();
    let known = Contract::any_column(name).is_some() && !free.contains(&name);
    is_text && (output::is_content(name) || !known)
}

fn hashes(column: &ArrayRef) -> Result<ArrayRef> {
    let texts = output::exact(column)?.into_iter();
    let hashed = texts.map(|text| text.map(|text| format!("xxh3:{}", content_id(&text))));
    Ok(Arc::new(StringArray::from_iter(hashed)))
}

/// Writes sets of rows, each with its name, as a new folder. It appears when it is complete.
pub fn folder(path: &Path, title: &str, sets: Vec<(String, Rows)>) -> Result<Vec<Written>> {
    let place = path.to_string_lossy().into_owned();
    if path.exists() {
        return Err(Error::usage(&place, "is there already").hint("name a folder that is not"));
    }
    let io = |error: std::io::Error| Error::io(&place, &error);
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new()
        .prefix(".seval-export.")
        .suffix(".tmp")
        .permissions(public())
        .tempdir_in(above)
        .map_err(io)?;
    let mut written = Vec::new();
    for (name, rows) in sets {
        let schema = rows.schema.clone();
        written.push(set(beside.path(), &name, rows).map_err(|error| error.at(&place))?);
        let columns = serde_json::to_string_pretty(&columns(&schema)).unwrap_or_default() + "\n";
        let file = beside.path().join("schema").join(format!("{name}.json"));
        output::write_bytes(&file, columns.as_bytes())?;
    }
    output::write_bytes(&beside.path().join("README.md"), card(title, &written).as_bytes())?;
    output::write_bytes(&beside.path().join("CONTENT_WARNING.md"), WARNING.as_bytes())?;
    std::fs::rename(beside.keep(), path).map_err(io)?;
    Ok(written)
}

fn public() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o777)
}

const WARNING: &str = "\
# Content warning

These rows come from a safety evaluation of language models. Prompts ask for what a model should refuse, and
responses may hold what it should not have said. They may be upsetting to read, and none of it is advice. Use
them to measure and to reduce risks.
";

/// One set: its shards under names that say how many there are.
fn set(root: &Path, name: &str, rows: Rows) -> Result<Written> {
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Err(Error::usage(name, "a set's name has letters, digits, _ and - only"));
    }
    let data = root.join("data").join(name);
    for folder in [&data, &root.join("schema")] {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::io(folder.to_string_lossy(), &error))?;
    }
    let unnamed = |shard: usize| data.join(format!("{shard}.parquet"));
    let create = |shard: usize| {
        let path = Some(unnamed(shard).to_string_lossy().into_owned());
        let options = output::Options { path, format: Some(Format::Parquet), ..Default::default() };
        Writer::create(&options, &rows.schema, &rows.history)
    };
    let (mut writer, mut shards, mut bytes, mut total) = (create(0)?, 1, 0, 0);
    for batch in rows.batches {
        let batch: RecordBatch = batch?;
        if bytes > SHARD_BYTES {
            total += std::mem::replace(&mut writer, create(shards)?).finish()?;
            (shards, bytes) = (shards + 1, 0);
        }
        bytes += batch.get_array_memory_size();
        writer.write(&batch)?;
    }
    total += writer.finish()?;
    for shard in 0..shards {
        let named = data.join(format!("{SPLIT}-{shard:05}-of-{shards:05}.parquet"));
        std::fs::rename(unnamed(shard), &named)
            .map_err(|error| Error::io(named.to_string_lossy(), &error))?;
    }
    Ok(Written { name: name.to_owned(), rows: total, shards })
}

/// The columns with their types and, where a contract has them, what they mean.
fn columns(schema: &Schema) -> serde_json::Value {
    let column = |field: &Arc<Field>| {
        let known = Contract::any_column(field.name());
        let values = known.as_ref().map(|known| known.values.clone()).unwrap_or_default();
        json!({
            "name": field.name(),
            "type": field.data_type().to_string(),
            "about": known.map(|known| known.about),
            "values": (!values.is_empty()).then_some(values),
        })
    };
    schema.fields().iter().map(column).collect()
}

/// The card: a YAML head that says where the sets are, and what a reader must know.
fn card(title: &str, sets: &[Written]) -> String {
    let mut text = String::from("---\nconfigs:\n");
    for set in sets {
        let name = &set.name;
        let _ = write!(
            text,
            "- config_name: {name}\n  data_files:\n  - split: {SPLIT}\n    path: data/{name}/{SPLIT}-*.parquet\n"
        );
    }
    // JSON strings are YAML strings.
    let quoted = serde_json::Value::from(title).to_string();
    let _ = write!(
        text,
        "license: other\nlicense_name: to-be-stated\npretty_name: {quoted}\ntask_categories:\n- text-generation\n\
         tags:\n- safety\n- evaluation\nextra_gated_prompt: >-\n  These rows come from a safety evaluation and may be \
         upsetting to read. Use them to measure and to\n  reduce risks.\n---\n\n# Safety evaluation rows\n\n\
         | set | rows | files |\n|---|---|---|\n"
    );
    for set in sets {
        let _ = writeln!(text, "| {} | {} | {} |", set.name, set.rows, set.shards);
    }
    text.push_str(
        "\n`schema/` has the columns and what they mean. What made the rows (programs, arguments, hashes of inputs \
         and\ntemplates) stands in each file's metadata under `seval.history`. State the licence of the prompts and of \
         the\nmodels' responses before you publish this. See CONTENT_WARNING.md.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;

    fn rows() -> Rows {
        input::of_text(
            r#"{"prompt_id":"1","prompt":"How?","model":"m","mine":"a secret","score":1,"risk_tags":["x"]}"#,
        )
        .unwrap()
    }

    #[test]
    fn only_known_names_stay() {
        let mut rows = redact(rows()).unwrap();
        let batch = rows.batches.next().unwrap().unwrap();
        let texts = output::exact(batch.column_by_name("mine").unwrap()).unwrap();
        assert_eq!(texts, [Some(format!("xxh3:{}", content_id("a secret")))]);
        let shown = format!("{batch:?}");
        assert!(!shown.contains("How?") && !shown.contains("a secret") && shown.contains("\"m\""));
    }

    #[test]
    fn a_folder_appears_whole_and_once() {
        let there = tempfile::tempdir().unwrap();
        let path = there.path().join("set");
        let written = folder(&path, "Mine: \"all\"", vec![("verdicts".into(), rows())]).unwrap();
        assert_eq!(written, [Written { name: "verdicts".into(), rows: 1, shards: 1 }]);
        assert!(path.join("data/verdicts/test-00000-of-00001.parquet").is_file());
        let card = std::fs::read_to_string(path.join("README.md")).unwrap();
        assert!(
            card.contains("pretty_name: \"Mine: \\\"all\\\"\"")
                && card.contains("| verdicts | 1 | 1 |")
        );
        assert!(folder(&path, "again", Vec::new()).is_err());
        assert!(folder(&there.path().join("b"), "x", vec![("../up".into(), rows())]).is_err());
        assert_eq!(std::fs::read_dir(there.path()).unwrap().count(), 1);
    }
}
