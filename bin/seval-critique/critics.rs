//! The critics that the command line names, and the models that they ask.

use crate::flags::{CriticFlags, Flags};
use arrow::array::AsArray;
use seval_core::contract::Contract;
use seval_core::critique::judge::Judge;
use seval_core::critique::panel::{Method, Panel};
use seval_core::critique::train::Trained;
use seval_core::critique::{Critic, Kind};
use seval_core::input::{self, Options};
use seval_core::provenance::{self, Stage};
use seval_core::template::File;
use seval_core::{Error, Result};
use seval_net::judge::{Asks, Judging};
use seval_net::models_file::ModelsFile;
use seval_net::{Connection, Decoding, Journal, Known, Model};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Critics with the models that they ask.
pub struct Critics {
    /// In the order of the command line.
    pub all: Vec<Critic>,
    /// By critic, who it asks.
    pub models: Vec<Option<Model>>,
    /// What they come to together.
    pub panel: Option<Panel>,
}

impl Critics {
    /// Whether no model is asked.
    pub fn ask_nobody(&self) -> bool {
        self.models.iter().all(Option::is_none)
    }
}

/// Opens them. Nothing is sent.
pub fn open(flags: &Flags, stage: &mut Stage) -> Result<Critics> {
    let wanted = &flags.critics;
    if wanted.critic.is_empty() {
        return Err(Error::usage("--critic", "no critic is named")
            .hint("name one with -c, such as -c rules; --list shows them"));
    }
    let models = Models {
        file: wanted.models.as_deref().map(ModelsFile::read).transpose()?,
        connection: flags.asking.server.connection(&flags.shared, true)?,
        default: wanted.model.as_deref(),
    };
    let policy = wanted.policy.as_deref().map(|path| policy(path, stage)).transpose()?;
    let mut critics = Critics { all: Vec::new(), models: Vec::new(), panel: panel(wanted)? };
    for named in &wanted.critic {
        let (name, model) = match named.split_once('=').filter(|_| !Path::new(named).is_file()) {
            Some((name, model)) => (name, Some(model)),
            None => (named.as_str(), None),
        };
        for mut critic in found(name, flags, stage)? {
            // By another policy it is another critic.
            if let (Some(hash), true) = (&policy, critic.asks().is_some_and(Judge::uses_policy)) {
                critic.id = format!("{}+{hash}", critic.id);
            }
            let model = models.of(&critic, model)?;
            let is_known = |(other, asked): (&Critic, &Option<Model>)| {
                let name = |model: &Option<Model>| model.as_ref().map(|model| model.name.clone());
                other.id == critic.id && name(asked) == name(&model)
            };
            // Named twice, its verdicts would count twice.
            if !critics.all.iter().zip(&critics.models).any(is_known) {
                critics.all.push(critic);
                critics.models.push(model);
            }
        }
    }
    let in_file = flags.asking.server.api_key_file.is_some();
    Model::check_key(in_file, critics.models.iter().flatten())?;
    if wanted.escalate.is_some() && critics.ask_nobody() {
        return Err(Error::usage("--escalate", "no critic asks a model")
            .hint("end with one that does, such as -c rules -c safety=MODEL"));
    }
    if !wanted.bases.is_empty() {
        stage.inputs.extend(input::hashes(&input::sources(&wanted.bases)?)?);
    }
    if let Some(panel) = &critics.panel {
        panel.check(&critics.all.iter().map(|critic| critic.id.as_str()).collect::<Vec<_>>())?;
    }
    Ok(critics)
}

/// The hash of a policy, as it stands in the names of critics.
fn policy(path: &Path, stage: &mut Stage) -> Result<String> {
    let place = path.to_string_lossy().into_owned();
    let hash = provenance::file_hash(path).map_err(|error| Error::io(&place, &error))?;
    stage.files.insert(place, hash.clone());
    Ok(hash.chars().take(8).collect())
}

/// The critics of one name.
fn found(name: &str, flags: &Flags, stage: &mut Stage) -> Result<Vec<Critic>> {
    if Path::new(name).extension().is_some_and(|end| end == "critic") {
        return trained(name, stage).map(|critic| vec![critic]);
    }
    let found = Critic::find(&flags.shared.template_library(), name)?;
    let note = |(file, critic): (File, Critic)| {
        stage.files.insert(file.name.clone(), file.hash());
        critic
    };
    Ok(found.into_iter().map(note).collect())
}

/// A critic that was trained.
fn trained(path: &str, stage: &mut Stage) -> Result<Critic> {
    let bytes = std::fs::read(path).map_err(|error| {
        let error = Error::io(path, &error);
        Error { kind: seval_core::Kind::Usage, ..error }
    })?;
    let trained = Trained::parse(&bytes).map_err(|error| error.at(path))?;
    let hash = provenance::bytes_hash(&bytes);
    let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    stage.files.insert(path.to_owned(), hash.clone());
    Ok(Critic::trained(&stem, trained, &hash))
}

struct Models<'a> {
    file: Option<ModelsFile>,
    connection: Connection,
    default: Option<&'a str>,
}

impl Models<'_> {
    /// The model that a critic asks; none for one that asks nobody.
    fn of(&self, critic: &Critic, own: Option<&str>) -> Result<Option<Model>> {
        match (&critic.kind, own.or(self.default)) {
            (Kind::Judge(_), Some(spec)) => self.open(spec).map(Some),
            (Kind::Judge(_), None) => {
                let what = format!("the critic {} asks a model, and none is named", critic.id);
                Err(Error::usage("--model", what)
                    .hint("name it with -m MODEL and its server with --base-url"))
            }
            (_, _) if own.is_some() => {
                let what = format!("the critic {} asks no model", critic.id);
                Err(Error::usage("--critic", what).hint("leave out what stands behind `=`"))
            }
            _ => Ok(None),
        }
    }

    fn open(&self, spec: &str) -> Result<Model> {
        match self.file.as_ref().and_then(|file| file.get(spec)) {
            Some(entry) => Model::of_file(spec, entry, &self.connection)
                .map_err(|error| error.at(format!("model {spec}"))),
            None => {
                let mut models = Model::open(spec, &self.connection)?;
                match (models.pop(), models.is_empty()) {
                    (Some(model), true) => Ok(model),
                    _ => Err(Error::usage(spec, "names several models, and a critic asks one")),
                }
            }
        }
    }
}

fn panel(wanted: &CriticFlags) -> Result<Option<Panel>> {
    let Some(method) = &wanted.panel else { return Ok(None) };
    let weight = |text: &String| {
        let parts = text.split_once('=').map(|(name, weight)| (name.to_owned(), weight.parse()));
        match parts {
            Some((name, Ok(weight))) => Ok((name, weight)),
            _ => Err(Error::usage("--weight", format!("`{text}` is no name with a weight"))
                .hint("such as --weight safety=2")),
        }
    };
    let mut weights = BTreeMap::new();
    for (name, weight) in wanted.weight.iter().map(weight).collect::<Result<Vec<_>>>()? {
        if let Some(other) = weights.insert(name.clone(), weight) {
            let what = format!("{name} is to weigh {other} and {weight}");
            return Err(Error::usage("--weight", what).hint("give each critic one weight"));
        }
    }
    let method = Method::ALL.into_iter().find(|known| known.as_str() == method);
    let method = method.unwrap_or(Method::Majority);
    Panel::new(method, weights, wanted.min_valid).map(Some)
}

/// How they are asked.
pub fn judging(critics: Critics, journal: Option<Journal>, flags: &Flags) -> Result<Judging> {
    let wanted = &flags.critics;
    let given = flags.asking.decoding(None);
    let mut asks = Vec::new();
    for (at, model) in critics.models.into_iter().enumerate() {
        let Some(model) = model else { continue };
        let Some(judge) = critics.all[at].asks() else { continue };
        let asking = judge.asking();
        let own = Decoding {
            temperature: asking.temperature,
            max_tokens: asking.max_tokens,
            top_logprobs: asking.top_logprobs,
            ..Decoding::default()
        };
        let decoding = given.clone().over(&model.settings.decoding).over(&own);
        asks.push(Asks { critic: at, model, decoding });
    }
    let policy = wanted.policy.as_ref().map(|path| {
        std::fs::read_to_string(path).map_err(|error| Error::io(path.to_string_lossy(), &error))
    });
    Ok(Judging {
        critics: critics.all,
        asks,
        limits: flags.asking.server.limits(),
        known: Known { journal, replies: None },
        panel: critics.panel,
        escalate: wanted.escalate,
        policy: policy.transpose()?,
        bases: bases(&wanted.bases)?,
        again: wanted.retry_unscored,
        seed: wanted.seed,
    })
}

/// The texts of base prompts by id.
fn bases(files: &[String]) -> Result<HashMap<String, String>> {
    let mut bases = HashMap::new();
    if files.is_empty() {
        return Ok(bases);
    }
    let wanted = ["prompt_id", "prompt"];
    let columns = Some(wanted.map(str::to_owned).to_vec());
    let rows = input::read(input::sources(files)?, &Options { columns, ..Options::default() })?;
    Contract::prompts()?.check(&rows.schema, &wanted, "--bases")?;
    for batch in rows.batches {
        let batch = batch?;
        let [ids, prompts] =
            wanted.map(|name| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>()));
        let cells = ids.into_iter().flatten().zip(prompts.into_iter().flatten());
        bases.extend(cells.filter_map(|(id, prompt)| Some((id?.to_owned(), prompt?.to_owned()))));
    }
    Ok(bases)
}
