//! From flags to stages.

use crate::flags::{Asked, Draw, Flags, Method};
use crate::query::{Engine, Quality, Sql, Where};
use seval_core::contract::Contract;
use seval_core::input::{INPUT, NamedTable, Source};
use seval_core::provenance::Stage as History;
use seval_core::select::Stage;
use seval_core::select::diversify::diverse;
use seval_core::select::diversify::{Diverse, DiverseStage};
use seval_core::select::duplicates::exact::{AllOfEach, FirstOfEach};
use seval_core::select::duplicates::exclude::Exclude;
use seval_core::select::duplicates::keep::Keep;
use seval_core::select::duplicates::near_duplicates::NearDuplicates;
use seval_core::select::duplicates::reader::Likeness;
use seval_core::select::duplicates::semantic::{EMBEDDING, From, Semantic};
use seval_core::select::duplicates::{Duplicates, Find};
use seval_core::select::import::Import;
use seval_core::select::rowwise::Rowwise;
use seval_core::select::sized::balance::{Balance, Shares};
use seval_core::select::sized::draw::Sizes;
use seval_core::select::sized::{Sized, SizedStage};
use seval_core::select::texts::TextColumn;
use seval_core::select::victims::verdicts::Verdicts;
use seval_core::select::victims::{Victims, Wanted};
use seval_core::select::whole::{Decide, Whole};
use seval_core::template::metadata::{self, QueryMetadata};
use seval_core::{Error, Result, Rows, input};
use seval_net::embed::{Embedder, embed};

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
        let piped = |source: &Source| matches!(source, Source::Stdin);
        if named.iter().any(|(_, sources)| sources.iter().any(piped)) {
            return Err(Error::usage(
                "-",
                "standard input is a table of its own, and no rows are named",
            )
            .hint("name the file of the rows"));
        }
        inputs.rows = input::sources(&[])?;
    }
    for (name, sources) in named {
        history.inputs.extend(input::hashes(&sources)?);
        match name == INPUT {
            true => inputs.rows = sources,
            false => inputs.tables.push(input::table(&name, sources, &input::Options::default())?),
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
    check_shares(flags)?;
    let chooses =
        |asked: &Asked| !matches!(asked, Asked::From(_) | Asked::Sql(_) | Asked::Where(_));
    if flags.alike.text == "prompt" && asked.iter().any(chooses) {
        Contract::refuse_answered(&rows.schema)?;
    }
    let stages = asked.iter().map(|asked| stage(flags, asked, &engine, history));
    Ok((rows, stages.collect::<Result<_>>()?))
}

/// Shares are of sizes: given to nothing, they would be forgotten in silence.
fn check_shares(flags: &Flags) -> Result<()> {
    let sized = |asked: &Asked| matches!(asked, Asked::Size(_) | Asked::Diverse(_));
    let share = &flags.share;
    let given = [
        ("--together", share.together.is_some()),
        ("--quotas", share.quotas != "proportional"),
        ("--ceil", share.ceil.is_some()),
    ];
    match given.iter().find(|(_, given)| *given && !flags.stages.0.iter().any(sized)) {
        Some((flag, _)) => Err(Error::usage(flag, "there is no size to share out")
            .hint("say how many rows with --size or --diverse")),
        None => Ok(()),
    }
}

/// The columns to read, where no query may look at others.
fn columns(flags: &Flags) -> Option<Vec<String>> {
    let queries = |asked: &Asked| {
        matches!(asked, Asked::From(_) | Asked::Sql(_) | Asked::Where(_) | Asked::Quality(_))
    };
    if flags.columns.is_empty() || flags.stages.0.iter().any(queries) || flags.report.is_some() {
        return None;
    }
    let mut columns = flags.columns.clone();
    // The last two only to be refused.
    let named = ["prompt_id", "messages", "outcome", "verdict"];
    columns.extend(named.map(str::to_owned));
    // Says how texts are cut, where they are.
    if flags.stages.0.iter().any(|asked| *asked != Asked::Exact) {
        columns.push("language".to_owned());
    }
    columns.push(flags.alike.text.clone());
    columns.extend(flags.share.by.iter().cloned());
    columns.extend(flags.share.together.iter().cloned());
    columns.extend(flags.alike.embedding.iter().cloned());
    if let Keep::Max(column) = &flags.alike.keep {
        columns.push(column.clone());
    }
    Some(columns)
}

/// All files that are read, the journal too.
pub fn files(flags: &Flags) -> Vec<String> {
    let named = flags.files.iter().filter_map(|file| file.split_once('=')).map(|(_, file)| file);
    let excluded = flags.stages.0.iter().filter_map(|asked| match asked {
        Asked::Exclude(file) => Some(file.as_str()),
        _ => None,
    });
    let verdicts = flags.share.verdicts.iter().map(String::as_str);
    let all = flags.files.iter().map(String::as_str).chain(named).chain(excluded).chain(verdicts);
    let mut all: Vec<String> =
        all.chain([flags.share.quotas.as_str()]).map(str::to_owned).collect();
    all.extend(flags.server.journal.iter().map(|path| path.to_string_lossy().into_owned()));
    all
}

fn stage(
    flags: &Flags,
    asked: &Asked,
    engine: &Engine,
    history: &mut History,
) -> Result<Box<dyn Stage>> {
    let (alike, engine) = (&flags.alike, engine.clone());
    let text = TextColumn(alike.text.clone());
    Ok(match asked {
        Asked::From(name) => Box::new(Import { importer: name.clone() }),
        Asked::Sql(statement) => Box::new(Sql { statement: statement.clone(), engine }),
        Asked::Where(condition) => Box::new(Where { condition: condition.clone(), engine }),
        Asked::Quality(name) => Box::new(quality(flags, name, engine, history)?),
        Asked::Exact if alike.keep == Keep::First => {
            Box::new(Rowwise(FirstOfEach::new(text, alike.same)))
        }
        Asked::Exact => duplicates(flags, AllOfEach::new(alike.same)),
        Asked::Near(least) => duplicates(flags, NearDuplicates::new(likeness(flags, *least))?),
        Asked::Semantic(least) => duplicates(flags, Semantic::new(*least, embeddings(flags)?)?),
        Asked::Exclude(file) => {
            let sources = beside("--exclude", std::slice::from_ref(file), history)?;
            let likeness = likeness(flags, alike.exclude_near);
            whole(flags, Exclude::new(text, sources, likeness, alike.overlap.0)?)
        }
        Asked::FailedBy(k) => victims(flags, Wanted::FailedBy(*k), history)?,
        Asked::Discriminating(n) => victims(flags, Wanted::Discriminating(*n), history)?,
        Asked::Mix(mix) => victims(flags, Wanted::Mix(*mix), history)?,
        Asked::Size(sizes) => {
            let verdicts = match flags.share.verdicts.is_empty() {
                true => None,
                false => Some(verdicts(flags, history)?),
            };
            let what = Sized {
                sizes: sizes.0.clone(),
                balance: balance(flags, history)?,
                draw: match flags.share.draw {
                    Draw::Nested => Sizes::Nested,
                    Draw::Independent => Sizes::Independent,
                },
                together: flags.share.together.clone(),
                seed: flags.seed,
                text,
                verdicts,
            };
            whole(flags, SizedStage::new(what))
        }
        Asked::Diverse(size) => {
            let what = Diverse {
                size: *size,
                method: match flags.share.method {
                    Method::KCenter => diverse::Method::KCenter,
                    Method::FacilityLocation => diverse::Method::FacilityLocation,
                },
                balance: balance(flags, history)?,
                embedding: embedding_column(flags),
                text,
                normal: alike.same,
                shingles: alike.shingles,
                seed: flags.seed,
            };
            whole(flags, DiverseStage::new(what))
        }
    })
}

/// A file of rules.
fn quality(flags: &Flags, name: &str, engine: Engine, history: &mut History) -> Result<Quality> {
    let file = flags.shared.template_library().get(&["quality"], name)?;
    let query = metadata::sql::<QueryMetadata>(&file)?;
    history.files.insert(file.name.clone(), file.hash());
    let optional = query.metadata.optional(INPUT, &file.place)?;
    let needs = query.metadata.needs(INPUT);
    Ok(Quality { name: file.name, body: query.body, needs, optional, engine })
}

/// How texts are compared by their shingles.
fn likeness(flags: &Flags, threshold: f64) -> Likeness {
    Likeness {
        threshold,
        normal: flags.alike.same,
        shingles: flags.alike.shingles,
        memory: (flags.memory << 20) / 2,
    }
}

/// The column of embeddings: the one named, or the one that --embed makes.
fn embedding_column(flags: &Flags) -> Option<String> {
    let made = flags.alike.embed.is_some().then(|| EMBEDDING.to_owned());
    flags.alike.embedding.clone().or(made)
}

/// Where embeddings come from.
fn embeddings(flags: &Flags) -> Result<From> {
    let Some(model) = &flags.alike.embed else {
        return match &flags.alike.embedding {
            Some(column) => Ok(From::Column(column.clone())),
            None => Err(Error::usage("--semantic", "there are no embeddings")
                .hint("name a model with --embed, or their column with --embedding")),
        };
    };
    let server = &flags.server;
    let embedder = Embedder::open(model, &server.connection(&flags.shared, true)?)?;
    let (limits, journal) = (server.limits(), server.journal()?);
    Ok(From::Model(Box::new(move |texts| {
        let texts = texts.into_iter().map(Ok);
        embed(embedder.clone(), limits, journal.clone(), texts).collect()
    })))
}

fn balance(flags: &Flags, history: &mut History) -> Result<Balance> {
    let share = &flags.share;
    let shares = match share.quotas.as_str() {
        "proportional" => Shares::Proportional,
        "equal" => Shares::Equal,
        file => Shares::Table(beside("--quotas", &[file.to_owned()], history)?),
    };
    let (by, up_but, allow_short) = (share.by.clone(), share.ceil.clone(), share.allow_short);
    Ok(Balance { by, shares, up_but, allow_short })
}

fn verdicts(flags: &Flags, history: &mut History) -> Result<Verdicts> {
    Ok(Verdicts::new(beside("--verdicts", &flags.share.verdicts, history)?))
}

fn victims(flags: &Flags, wanted: Wanted, history: &mut History) -> Result<Box<dyn Stage>> {
    let text = TextColumn(flags.alike.text.clone());
    let verdicts = verdicts(flags, history)?;
    let allow_short = flags.share.allow_short;
    Ok(whole(flags, Victims::new(wanted, verdicts, text, flags.seed, allow_short)))
}

fn duplicates(flags: &Flags, find: impl Find + 'static) -> Box<dyn Stage> {
    let text = TextColumn(flags.alike.text.clone());
    whole(flags, Duplicates::new(find, text, flags.alike.keep.clone()))
}

/// Files that are read beside the rows.
fn beside(flag: &str, files: &[String], history: &mut History) -> Result<Vec<Source>> {
    let sources = input::sources(files)?;
    if sources.iter().any(|source| matches!(source, Source::Stdin)) {
        return Err(
            Error::usage(flag, "standard input is where the rows come from").hint("name a file")
        );
    }
    history.inputs.extend(input::hashes(&sources)?);
    Ok(sources)
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
    let optional = query.metadata.optional(INPUT, &file.place)?;
    let needs = query.metadata.needs(INPUT);
    let leaves = needs.iter().any(|name| name == input::PATH);
    let options = input::Options { positions: true, leaves, ..input::Options::default() };
    let table = input::table(INPUT, sources, &options)?.or_null(&optional);
    table.check(&needs, &file.name)?;
    history.files.insert(file.name.clone(), file.hash());
    engine.run(&query.body, table)
}
