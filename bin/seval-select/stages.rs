//! From flags to stages.

use crate::flags::{Asked, Flags};
use crate::query::{Engine, Quality, Sql, Where};
use seval_core::contract::Contract;
use seval_core::input::{INPUT, NamedTable, Source};
use seval_core::provenance::Stage as History;
use seval_core::select::Stage;
use seval_core::select::duplicates::Duplicates;
use seval_core::select::exact::{AllOfEach, FirstOfEach};
use seval_core::select::exclude::Exclude;
use seval_core::select::import::Import;
use seval_core::select::keep::Keep;
use seval_core::select::near_duplicates::NearDuplicates;
use seval_core::select::reader::Likeness;
use seval_core::select::rowwise::Rowwise;
use seval_core::select::texts::TextColumn;
use seval_core::select::whole::{Decide, Whole};
use seval_core::template::metadata::{self, QueryMetadata};
use seval_core::{Error, Result, Rows, input};

type Stages = Vec<Box<dyn Stage>>;

/// What the command line names: the rows, and tables beside them.
pub struct Inputs {
    rows: Vec<Source>,
    tables: Vec<NamedTable>,
}

/// Finds the files and notes their hashes.
pub fn inputs(flags: &Flags, history: &mut History) -> Result<Inputs> {
    let mut inputs = Inputs { rows: Vec::new(), tables: Vec::new() };
    let named = input::tables(&flags.files)?;
    if named.iter().all(|(name, _)| name != INPUT) {
        inputs.rows = input::sources(&[])?;
    }
    for (name, sources) in named {
        history.inputs.extend(input::hashes(&sources)?);
        match name == INPUT {
            true => inputs.rows = sources,
            false => inputs.tables.push(input::table(&name, sources, false, &[])?),
        }
    }
    Ok(inputs)
}

/// The rows at the start, and the stages they go through.
pub fn stages(flags: &Flags, inputs: Inputs, history: &mut History) -> Result<(Rows, Stages)> {
    let engine = Engine {
        tables: inputs.tables,
        threads: flags.shared.threads(),
        memory: flags.memory << 20,
    };
    let asked = &flags.stages.0;
    let rows = match asked.first() {
        Some(Asked::From(name)) => imported(flags, name, inputs.rows, &engine, history)?,
        _ => {
            let options = input::Options { columns: columns(flags), ..Default::default() };
            input::read(inputs.rows, &options)?
        }
    };
    let compares = |asked: &Asked| matches!(asked, Asked::Exact | Asked::Near(_));
    if flags.how.text == "prompt" && asked.iter().any(compares) {
        Contract::refuse_answered(&rows.schema)?;
    }
    let stages = asked.iter().map(|asked| stage(flags, asked, &engine, history));
    Ok((rows, stages.collect::<Result<_>>()?))
}

/// The columns to read, where no query may look at others.
fn columns(flags: &Flags) -> Option<Vec<String>> {
    let queries = |asked: &Asked| {
        matches!(asked, Asked::From(_) | Asked::Sql(_) | Asked::Where(_) | Asked::Quality(_))
    };
    if flags.columns.is_empty() || flags.stages.0.iter().any(queries) {
        return None;
    }
    let mut columns = flags.columns.clone();
    let named = [flags.how.text.as_str(), "prompt_id", "messages", "language"];
    columns.extend(named.map(str::to_owned));
    if let Keep::Max(column) = &flags.how.keep {
        columns.push(column.clone());
    }
    Some(columns)
}

fn stage(
    flags: &Flags,
    asked: &Asked,
    engine: &Engine,
    history: &mut History,
) -> Result<Box<dyn Stage>> {
    let (how, engine) = (&flags.how, engine.clone());
    let text = TextColumn(how.text.clone());
    Ok(match asked {
        Asked::From(name) => Box::new(Import { importer: name.clone() }),
        Asked::Sql(statement) => Box::new(Sql { statement: statement.clone(), engine }),
        Asked::Where(condition) => Box::new(Where { condition: condition.clone(), engine }),
        Asked::Quality(name) => {
            let file = flags.shared.template_library().get(&["quality"], name)?;
            let query = metadata::sql::<QueryMetadata>(&file)?;
            history.files.insert(file.name.clone(), file.hash());
            let optional = query.metadata.optional(&file.place)?;
            let needs = query.metadata.needs;
            Box::new(Quality { name: file.name, body: query.body, needs, optional, engine })
        }
        Asked::Exact if how.keep == Keep::First => {
            Box::new(Rowwise(FirstOfEach::new(text, how.same)))
        }
        Asked::Exact => {
            whole(flags, Duplicates::new(AllOfEach::new(how.same), text, how.keep.clone()))
        }
        Asked::Exclude(file) => {
            let sources = input::sources(std::slice::from_ref(file))?;
            if sources.iter().any(|source| matches!(source, Source::Stdin)) {
                return Err(
                    Error::usage("--exclude", "standard input is read once").hint("name a file")
                );
            }
            history.inputs.extend(input::hashes(&sources)?);
            let likeness = likeness(flags, how.exclude_near);
            whole(flags, Exclude::new(text, sources, likeness, how.overlap.0)?)
        }
        Asked::Near(threshold) => {
            let likeness = likeness(flags, *threshold);
            let find = NearDuplicates::new(likeness)?;
            whole(flags, Duplicates::new(find, text, how.keep.clone()))
        }
    })
}

/// How texts are compared by their shingles.
fn likeness(flags: &Flags, threshold: f64) -> Likeness {
    Likeness {
        threshold,
        normal: flags.how.same,
        shingles: flags.how.shingles,
        memory: (flags.memory << 20) / 2,
    }
}

fn whole(flags: &Flags, decide: impl Decide + 'static) -> Box<dyn Stage> {
    Box::new(Whole { decide, memory: (flags.memory << 20) / 16 })
}

/// The rows that the importer's SELECT makes of the files.
fn imported(
    flags: &Flags,
    name: &str,
    sources: Vec<Source>,
    engine: &Engine,
    history: &mut History,
) -> Result<Rows> {
    let file = flags.shared.template_library().get(&["import"], name)?;
    let query = metadata::sql::<QueryMetadata>(&file)?;
    let optional = query.metadata.optional(&file.place)?;
    let table = input::table(INPUT, sources, true, &optional)?;
    table.check(&query.metadata.needs, &file.name)?;
    history.files.insert(file.name.clone(), file.hash());
    engine.run(&query.body, table)
}
