//! The models that the command line names.

use crate::flags::{AskFlags, Flags};
use crate::model::ModelFlags;
use seval_core::cli::SharedFlags;
use seval_core::input::{self, Options};
use seval_core::provenance::Stage;
use seval_core::{Error, Result};
use seval_net::grid::grid;
use seval_net::models_file::ModelsFile;
use seval_net::replay::Replay;
use seval_net::{Connection, Decoding, Model};

/// Where models are found.
pub struct Finder<'a> {
    file: Option<ModelsFile>,
    connection: Connection,
    shared: &'a SharedFlags,
}

impl<'a> Finder<'a> {
    /// `sends`: something is sent to them, which may need keys.
    pub fn new(
        ask: &AskFlags,
        asking: &ModelFlags,
        shared: &'a SharedFlags,
        sends: bool,
    ) -> Result<Self> {
        let file = ask.models.as_deref().map(ModelsFile::read).transpose()?;
        let connection = asking.server.connection(shared, sends)?;
        Ok(Self { file, connection: Connection { stream: ask.stream, ..connection }, shared })
    }

    /// With models that have no address, which are asked by files of requests and replies.
    pub fn by_files(self, by_files: bool) -> Self {
        Self { connection: Connection { by_files, ..self.connection }, ..self }
    }

    /// The names that `-m` gives, of which there has to be one.
    pub fn named(&self, ask: &AskFlags) -> Result<Vec<String>> {
        if !ask.model.is_empty() {
            return Ok(ask.model.clone());
        }
        let hint = match &self.file {
            None => "name one with -m, such as -m sim: for a simulated one".to_owned(),
            Some(file) => format!("name one with -m; {}", names(file)),
        };
        Err(Error::usage("--model", "no model is named").hint(hint))
    }

    /// The same, or else all names in the models file.
    pub fn named_or_all(&self, ask: &AskFlags) -> Result<Vec<String>> {
        match &self.file {
            Some(file) if ask.model.is_empty() => Ok(file.names().map(str::to_owned).collect()),
            _ => self.named(ask),
        }
    }

    /// The models of one name.
    pub fn find(&self, spec: &str, stage: &mut Stage) -> Result<Vec<Model>> {
        if let Some(entry) = self.file.as_ref().and_then(|file| file.get(spec)) {
            self.note_provider(entry.provider.as_deref(), stage)?;
            let model = Model::of_file(spec, entry, &self.connection);
            return Ok(vec![model.map_err(|error| error.at(format!("model {spec}")))?]);
        }
        if let Some(path) = spec.strip_prefix("replay:") {
            return Ok(vec![replay(spec, path, stage)?]);
        }
        self.note_provider(spec.split_once(':').map(|(name, _)| name), stage)?;
        let spec = profile(spec, self.shared, stage)?;
        Model::open(&spec, &self.connection).map_err(|error| match &self.file {
            Some(file) if !spec.contains(':') => error.hint(names(file)),
            _ => error,
        })
    }

    /// A provider's file in the --templates folder is noted.
    fn note_provider(&self, name: Option<&str>, stage: &mut Stage) -> Result<()> {
        let Some(name) = name.filter(|_| self.shared.templates.is_some()) else { return Ok(()) };
        let files = self.shared.template_library().list("provider")?;
        if let Some(file) = files.iter().find(|file| file.name == format!("provider/{name}")) {
            stage.files.insert(file.name.clone(), file.hash());
        }
        Ok(())
    }
}

/// The models, and for each the decoding settings to ask it with.
pub fn open(flags: &Flags, stage: &mut Stage) -> Result<(Vec<Model>, Vec<Vec<Decoding>>)> {
    let (ask, by_files) = (&flags.ask, &flags.batch);
    let finder = Finder::new(ask, &flags.asking, &flags.shared, flags.sends())?
        .by_files(by_files.emit_requests || !by_files.from_replies.is_empty());
    let mut models: Vec<Model> = Vec::new();
    for spec in &finder.named(ask)? {
        for model in finder.find(spec, stage)? {
            if models.iter().any(|known| known.name == model.name) {
                return Err(Error::usage(spec, format!("the model {} is named twice", model.name))
                    .hint("to ask it several times, use --samples"));
            }
            models.push(model);
        }
    }
    Model::check_key(flags.asking.server.api_key_file.is_some(), &models)?;
    let decodings = models.iter().map(|model| decodings(ask, &flags.asking, model));
    let decodings = decodings.collect::<Result<_>>()?;
    Ok((models, decodings))
}

/// The decoding settings to ask a model with.
pub fn decodings(ask: &AskFlags, asking: &ModelFlags, model: &Model) -> Result<Vec<Decoding>> {
    let given = Decoding { top_logprobs: ask.top_logprobs, ..asking.decoding(ask.seed) };
    grid(&ask.set, &given.over(&model.settings.decoding))
}

/// Sample i is asked with seed + i, which has to be a number.
pub fn check_seeds(decodings: &[Vec<Decoding>], samples: i64) -> Result<()> {
    let mut seeds = decodings.iter().flatten().filter_map(|decoding| decoding.seed);
    match seeds.find(|seed| seed.checked_add(samples - 1).is_none()) {
        None => Ok(()),
        Some(seed) => {
            let what = format!("{seed} is too large for {samples} samples, which get seed + i");
            Err(Error::usage("--seed", what).hint("give a smaller one"))
        }
    }
}

/// A sum can only be kept to where prices are known, and only with a journal does a bound that ends
/// the run leave what was paid for.
pub fn check_budget(flags: &Flags, models: &[Model]) -> Result<()> {
    let run = &flags.run;
    let mut asked = models.iter().filter(|model| !model.is_simulated()).peekable();
    let pays = flags.sends() && asked.peek().is_some();
    let priceless = asked.find(|model| run.max_cost.is_some() && model.settings.price.is_none());
    if let Some(model) = priceless {
        let what = format!("there is no price of {}", model.name);
        let hint = match model.name.starts_with("exec:") {
            true => {
                "what a command costs is not known: leave --max-cost out, or use --max-requests"
            }
            false => "give it one in --models: [model.NAME.price] with date, input and output",
        };
        return Err(Error::usage("--max-cost", what).hint(hint));
    }
    let flag = match (run.max_requests, run.max_cost) {
        (Some(_), _) => "--max-requests",
        (None, Some(_)) => "--max-cost",
        (None, None) => return Ok(()),
    };
    match pays && flags.asking.server.journal.is_none() {
        false => Ok(()),
        true => Err(Error::usage(flag, "needs a journal, or the answers before it would be lost")
            .hint("give --journal FILE; --limit asks only the first rows")),
    }
}

fn names(file: &ModelsFile) -> String {
    format!("in --models there are: {}", file.names().collect::<Vec<_>>().join(", "))
}

/// A model that answers from a file of rows.
fn replay(name: &str, path: &str, stage: &mut Stage) -> Result<Model> {
    if path.is_empty() {
        return Err(Error::usage(name, "no file of answers is named")
            .hint("name one, such as -m replay:responses.parquet"));
    }
    let sources = input::sources(&[path.to_owned()])?;
    stage.inputs.extend(input::hashes(&sources)?);
    let rows = input::read(sources, &Options::default())?;
    Ok(Model::replay(name, Replay::read(path, rows)?))
}

/// A simulated target's file is noted, and one in the --templates folder comes before the built-in one.
fn profile(spec: &str, shared: &SharedFlags, stage: &mut Stage) -> Result<String> {
    let Some(name) = spec.strip_prefix("sim:") else { return Ok(spec.to_owned()) };
    let file = match name.rsplit_once(':') {
        Some((path, _)) => shared.template_library().get(&["sim"], path)?,
        None => shared.template_library().get(&["sim"], "default")?,
    };
    stage.files.insert(file.name.clone(), file.hash());
    let overridden = shared.templates.is_some() && std::path::Path::new(&file.place).is_file();
    match name.contains(':') || !overridden {
        true => Ok(spec.to_owned()),
        false => {
            Ok(format!("sim:{}:{}", file.place, if name.is_empty() { "default" } else { name }))
        }
    }
}
