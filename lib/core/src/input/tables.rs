//! Inputs as tables that a query may scan several times, each time with the columns it needs. Parquet files
//! are scanned where they are; anything else is copied once into a temporary Arrow file.

use super::detect::Format;
use super::{Options, Source, read, sources, spool};
use crate::contract::Contract;
use crate::plain::with_columns;
use crate::provenance::Stage;
use crate::{Error, Result, Rows};
use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tempfile::NamedTempFile;

/// Batches as a query engine takes them.
pub type ArrowBatches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Opens a table's rows with the columns of these positions, in this order.
pub type Open = Arc<dyn Fn(&[usize]) -> Result<ArrowBatches, ArrowError> + Send + Sync>;

/// A table under the name by which a query calls it.
#[derive(Clone)]
pub struct NamedTable {
    /// The name.
    pub name: String,
    /// Its columns; those that it lacks and gets as nulls stand last.
    pub schema: SchemaRef,
    /// How many these are.
    absent: usize,
    /// Opens its rows.
    pub open: Open,
    /// What made its rows.
    pub history: Vec<Stage>,
}

impl NamedTable {
    /// Rows on their way as a table: copied into a temporary file when a query first opens it.
    pub fn of_rows(name: &str, rows: Rows) -> Self {
        let (schema, history) = (rows.schema.clone(), rows.history.clone());
        let (wanted, rows) = (schema.clone(), Mutex::new(Some(rows)));
        let kept: OnceLock<Result<NamedTempFile>> = OnceLock::new();
        let open = move |projection: &[usize]| {
            let copied = kept.get_or_init(|| {
                let rows = rows.lock().unwrap_or_else(PoisonError::into_inner).take();
                rows.map_or_else(|| Err(Error::world("temporary file", "was not written")), copy)
            });
            let file = copied.as_ref().map_err(|error| external(error.clone()))?;
            scan(vec![Source::File(file.path().to_owned())], &wanted, projection)
        };
        Self { name: name.to_owned(), schema, absent: 0, open: Arc::new(open), history }
    }

    /// The table with these columns too, which are null where it lacks them.
    #[must_use]
    pub fn or_null(&self, optional: &[(String, DataType)]) -> Self {
        let missing = optional.iter().filter(|(name, _)| self.schema.index_of(name).is_err());
        let missing: Vec<_> =
            missing.map(|(name, of)| Arc::new(Field::new(name, of.clone(), true))).collect();
        let own = self.schema.fields().len();
        let fields: Vec<_> = self.schema.fields().iter().cloned().chain(missing).collect();
        let absent = self.absent + fields.len() - own;
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let (inner, all) = (self.open.clone(), schema.clone());
        let open = move |projection: &[usize]| {
            let schema = Arc::new(all.project(projection)?);
            let there: Vec<usize> = projection.iter().copied().filter(|at| *at < own).collect();
            let batches = inner(&there)?;
            let is_own: Vec<bool> = projection.iter().map(|at| *at < own).collect();
            let with_nulls = move |batch: RecordBatch| {
                let mut columns = batch.columns().iter().cloned();
                let column = |(field, own): (&Arc<Field>, &bool)| match own {
                    true => columns.next(),
                    false => Some(new_null_array(field.data_type(), batch.num_rows())),
                };
                let columns = schema.fields().iter().zip(&is_own).filter_map(column).collect();
                with_columns(&schema, columns, batch.num_rows()).map_err(external)
            };
            Ok(Box::new(batches.map(move |batch| with_nulls(batch?))) as ArrowBatches)
        };
        let (name, history) = (self.name.clone(), self.history.clone());
        Self { name, schema, absent, open: Arc::new(open), history }
    }

    /// A table of these columns without rows: what a query makes of it is known without reading any.
    pub fn empty(name: &str, schema: &SchemaRef) -> Self {
        let open = |_: &[usize]| Ok(Box::new(std::iter::empty()) as ArrowBatches);
        let (name, schema) = (name.to_owned(), schema.clone());
        Self { name, schema, absent: 0, open: Arc::new(open), history: Vec::new() }
    }

    /// Checks that the columns which `who` needs are there.
    pub fn check(&self, needs: &[String], who: &str) -> Result<()> {
        let missing = needs.iter().find(|name| self.schema.index_of(name).is_err());
        let Some(missing) = missing else { return Ok(()) };
        let own = &self.schema.fields()[..self.schema.fields().len() - self.absent];
        let names: Vec<&str> = own.iter().map(|field| field.name().as_str()).collect();
        let what = format!("column `{missing}` is missing; there are: {}", names.join(", "));
        let adds = Contract::that_adds(missing)
            .map_or_else(String::new, |program| format!(", which {program} adds"));
        Err(Error::data(&self.name, what).hint(format!("{who} needs it{adds}")))
    }
}

/// The name of the table that holds the inputs without a name.
pub const INPUT: &str = "input";

/// Arguments such as `a.parquet b.parquet gold=labels.csv`: the sources of each table, `input` first.
pub fn tables(args: &[String]) -> Result<Vec<(String, Vec<Source>)>> {
    let mut unnamed = Vec::new();
    let mut named: Vec<(String, Vec<String>)> = Vec::new();
    for arg in args {
        match arg.split_once('=').filter(|(name, _)| is_name(name) && !Path::new(arg).exists()) {
            None => unnamed.push(arg.clone()),
            Some((name, path)) => {
                // SQL folds names without quotation marks to lower case.
                let name = name.to_ascii_lowercase();
                match named.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, paths)) => paths.push(path.to_owned()),
                    None => named.push((name, vec![path.to_owned()])),
                }
            }
        }
    }
    if !unnamed.is_empty() && named.iter().any(|(name, _)| name == INPUT) {
        return Err(Error::usage(INPUT, "is the table of the files without a name, and named too")
            .hint("give them all without a name, or other names"));
    }
    let piped = |paths: &Vec<String>| paths.iter().filter(|path| *path == "-").count();
    if piped(&unnamed) + named.iter().map(|(_, paths)| piped(paths)).sum::<usize>() > 1 {
        return Err(Error::usage("-", "standard input is named twice"));
    }
    let mut tables = Vec::new();
    if !unnamed.is_empty() || named.is_empty() {
        tables.push((INPUT.to_owned(), sources(&unnamed)?));
    }
    for (name, paths) in named {
        tables.push((name, sources(&paths)?));
    }
    Ok(tables)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The sources as one table.
pub fn table(name: &str, mut sources: Vec<Source>, options: &Options) -> Result<NamedTable> {
    let in_place = !options.positions && sources.iter().all(is_parquet);
    let rows = read(sources.clone(), options)?;
    let (schema, history) = (rows.schema.clone(), rows.history.clone());
    let mut kept = None;
    if !in_place {
        let copy = copy(rows)?;
        sources = vec![Source::File(copy.path().to_owned())];
        kept = Some(copy);
    }
    let wanted = schema.clone();
    let open = move |projection: &[usize]| {
        let _alive = &kept;
        scan(sources.clone(), &wanted, projection)
    };
    Ok(NamedTable { name: name.to_owned(), schema, absent: 0, open: Arc::new(open), history })
}

/// The rows of the sources with the columns of these positions.
fn scan(
    sources: Vec<Source>,
    wanted: &Schema,
    projection: &[usize],
) -> Result<ArrowBatches, ArrowError> {
    let schema = Arc::new(wanted.project(projection)?);
    let columns = Some(schema.fields().iter().map(|field| field.name().clone()).collect());
    let rows = read(sources, &Options { columns, ..Options::default() }).map_err(external)?;
    let batches = rows.batches.map(move |batch| project(&batch.map_err(external)?, &schema));
    Ok(Box::new(batches) as ArrowBatches)
}

fn project(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => column.clone(),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    with_columns(schema, columns, batch.num_rows()).map_err(external)
}

fn is_parquet(source: &Source) -> bool {
    matches!(source, Source::File(path) if path.is_file())
        && source
            .open()
            .is_ok_and(|opened| opened.format == Format::Parquet && opened.file.is_some())
}

/// All rows in a temporary Arrow file, which is read without being parsed.
fn copy(rows: Rows) -> Result<NamedTempFile> {
    let file = spool::named(".arrow")?;
    let failed = |error: ArrowError| Error::world(file.path().to_string_lossy(), error);
    let mut writer = FileWriter::try_new_buffered(file.as_file(), &rows.schema).map_err(failed)?;
    for batch in rows.batches {
        writer.write(&batch?).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    drop(writer);
    Ok(file)
}

fn external(error: Error) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}
