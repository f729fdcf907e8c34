//! The two steps of a run, base prompts and attacks, from the command line to rows.

use crate::choose::{chains, check_asking, shows_examples};
use crate::flags::Flags;
use crate::languages::{say_silent, say_total, spoken_by};
use seval_core::expand::examples::Examples;
use seval_core::expand::plan::{self, Lines};
use seval_core::expand::rejects::Rejects;
use seval_core::expand::{Counts, Expansion, Step, expand};
use seval_core::provenance::Stage;
use seval_core::refusal::RefusalRules;
use seval_core::taxonomy::{LeafRequests, Quota, Short, Taxonomy};
use seval_core::template::File;
use seval_core::template::chain::Chain;
use seval_core::{Error, Result, Rows, cli, input, output};
use seval_net::generate::{self, Asking, Settings, Shared};
use seval_net::{Journal, Known, Model, batch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Prompts of a leaf that a model is asked for if nobody says how many.
const PER_LEAF: usize = 10;

/// What is to be done.
pub struct Steps {
    /// Rows of the taxonomy, and what makes base prompts of them; or else the rows that were read.
    base: Vec<(Rows, Expansion)>,
    input: Option<Rows>,
    attack: Vec<Chain>,
    /// Base prompts that a model is asked for, by language.
    coming: BTreeMap<String, u64>,
}

/// The generation model, and how it is asked.
pub struct Generation {
    pub model: Model,
    pub settings: Settings,
}

/// What was made, for the summary.
#[derive(Default)]
pub struct Made {
    steps: Vec<(&'static str, Arc<Counts>)>,
    generation: Option<Shared>,
    journal: Option<Journal>,
    replies: Option<batch::Replies>,
}

impl Steps {
    /// What the command line asks for; templates and inputs are noted in `stage`.
    pub fn find(flags: &Flags, stage: &mut Stage) -> Result<Self> {
        let examples = examples(flags, stage)?;
        let (generate, attack) = chains(flags, examples.as_ref())?;
        stage.record(&generate);
        stage.record(&attack);
        let mut steps = Self { base: Vec::new(), input: None, attack, coming: BTreeMap::new() };
        match &flags.taxonomy {
            Some(name) => steps.base_prompts(flags, name, generate, examples, stage)?,
            None if !generate.is_empty() => {
                return Err(Error::usage("--template", "generate/ templates need a taxonomy")
                    .hint("give --taxonomy"));
            }
            None if steps.attack.is_empty() => {
                return Err(Error::usage("--template", "no template is named")
                    .hint("name one with -t, such as -t 'attack/*'; --list shows them"));
            }
            None => {
                let sources = input::sources(&flags.input.files)?;
                stage.inputs.extend(input::hashes(&sources)?);
                steps.input = Some(input::read(sources, &input::Options::default())?);
            }
        }
        let base_asks = steps.base.iter().any(|(_, expansion)| expansion.asks());
        let attacks_ask = steps.attack.iter().any(|chain| chain.reply().is_some());
        check_asking(flags, base_asks, attacks_ask)?;
        if base_asks || attacks_ask {
            // What the rows depend on besides: what counts as a refusal, and the replies.
            let rules = refusal_rules(flags)?;
            stage.files.insert(rules.name.clone(), rules.hash());
            if !flags.generation.from_replies.is_empty() {
                let replies = input::sources(&flags.generation.from_replies)?;
                stage.inputs.extend(input::hashes(&replies)?);
            }
        }
        Ok(steps)
    }

    /// The rows of the taxonomy: one a topic for templates that need no model, one a request for others.
    fn base_prompts(
        &mut self,
        flags: &Flags,
        name: &str,
        mut generate: Vec<Chain>,
        examples: Option<Examples>,
        stage: &mut Stage,
    ) -> Result<()> {
        let taxonomy = Taxonomy::find(&flags.shared.template_library(), name)?;
        stage.files.insert(format!("taxonomy/{}", taxonomy.name), taxonomy.hash.clone());
        let mut languages = flags.language.clone();
        languages.sort();
        languages.dedup();
        if generate.is_empty() {
            let library = flags.shared.template_library();
            generate = Chain::find(&library, &["generate"], "generate/*")?.0;
            generate.retain(|chain| chain.reply().is_none());
            stage.record(&generate);
        }
        spoken_by(&generate, &mut languages)?;
        let quota = Quota { per_leaf: flags.per_leaf, total: flags.total };
        let (asking, given): (Vec<Chain>, Vec<Chain>) =
            generate.into_iter().partition(|chain| chain.reply().is_some());
        if !given.is_empty() {
            taxonomy.check_languages(&languages)?;
            let rows = taxonomy.rows(&languages)?;
            let spoken = |chain: &Chain| languages.iter().all(|l| chain.speaks(Some(l)));
            let all: Vec<usize> = (0..given.len()).filter(|&at| spoken(&given[at])).collect();
            let limited = quota.per_leaf.is_some() || quota.total.is_some();
            if limited && all.is_empty() {
                let what = format!("none is in all of {}", languages.join(", "));
                return Err(Error::usage("--template", what).hint(
                    "a quota takes the same in each, as pairs: give --language one, and run once for each",
                ));
            }
            let chosen = limited.then(|| taxonomy.choose(quota, &all, &languages, flags.seed));
            chosen.iter().for_each(|(_, short)| say_short(short));
            if let (Some((chosen, _)), Some(total)) = (&chosen, quota.total) {
                say_total(chosen.values().map(Vec::len).sum(), total);
            }
            for language in &languages {
                say_silent(language, &taxonomy.without_topics(language));
            }
            let expansion = Expansion::new(&rows.schema, given, Step::Generate, flags.seed)?
                .only(chosen.map(|(chosen, _)| chosen));
            self.base.push((rows, expansion));
        }
        if !asking.is_empty() {
            let examples = examples.filter(|_| asking.iter().any(shows_examples));
            let per_leaf = quota.per_leaf.or(quota.total.is_none().then_some(PER_LEAF));
            let (wanted, _) = taxonomy.allocate(Quota { per_leaf, ..quota }, &|_| usize::MAX >> 16);
            for language in &languages {
                let chains = asking.iter().filter(|chain| chain.speaks(Some(language))).count();
                let coming = wanted.values().sum::<usize>() * chains;
                self.coming.insert(language.clone(), coming as u64);
            }
            let requests = LeafRequests {
                wanted,
                per_request: flags.generation.per_request,
                examples: examples.as_ref().map(|examples| (examples, flags.generation.shots)),
                seed: flags.seed,
            };
            let rows = taxonomy.request_rows(&languages, &requests)?;
            let expansion = Expansion::new(&rows.schema, asking, Step::Generate, flags.seed)?;
            self.base.push((rows, expansion));
        }
        Ok(())
    }

    /// The rows of all steps. Nothing is asked before they are taken.
    pub fn rows(self, flags: &Flags) -> Result<(Rows, Made)> {
        let mut made = Made::default();
        let mut base = Vec::new();
        for (rows, expansion) in self.base {
            base.push(made.step("base prompts", flags, rows, expansion)?);
        }
        let mut rows = joined(base, self.input)?;
        if !self.attack.is_empty() {
            let expansion = attacks(flags, &rows, self.attack)?;
            rows = made.step("attacks", flags, rows, expansion)?;
        }
        Ok((rows, made))
    }

    /// The rows that need no model, how many go through as they are, and what the steps would do.
    #[expect(clippy::type_complexity, reason = "read in one place")]
    pub fn plan(
        self,
        flags: &Flags,
    ) -> Result<(Rows, Option<Arc<Counts>>, Vec<(&'static str, Lines)>)> {
        let mut lines = Vec::new();
        let mut base = Vec::new();
        let is_base = !self.base.is_empty();
        let system = flags.generation.system.as_deref();
        for (rows, expansion) in self.base {
            let (rows, planned) = plan::plan(rows, expansion, &BTreeMap::new(), system);
            let left_out = flags.only_new && !self.attack.is_empty();
            lines.push((if left_out { plan::LEFT_OUT } else { "base prompts" }, planned));
            base.push(rows);
        }
        let mut rows = joined(base, self.input)?;
        let mut kept = None;
        if !self.attack.is_empty() {
            let expansion = attacks(flags, &rows, self.attack)?;
            kept = (!is_base && !flags.only_new).then(|| expansion.counts.clone());
            let (attacked, planned) = plan::plan(rows, expansion, &self.coming, system);
            lines.push(("attacks", planned));
            rows = attacked;
        }
        Ok((rows, kept, lines))
    }

    /// The one step that asks a model, and the rows it asks for.
    pub fn asking(self, flags: &Flags) -> Result<(Rows, Expansion)> {
        let mut base = Vec::new();
        for (rows, expansion) in self.base {
            if expansion.asks() {
                return Ok((rows, expansion));
            }
            base.push(expand(rows, expansion));
        }
        let rows = joined(base, self.input)?;
        let expansion = attacks(flags, &rows, self.attack)?;
        Ok((rows, expansion))
    }
}

/// What tells a refusal from a prompt: the rule critic's phrases.
fn refusal_rules(flags: &Flags) -> Result<File> {
    flags.shared.template_library().get(&["critic"], "rules")
}

fn attacks(flags: &Flags, rows: &Rows, chains: Vec<Chain>) -> Result<Expansion> {
    let step = if flags.only_new { Step::AttackOnly } else { Step::Attack };
    Expansion::new(&rows.schema, chains, step, flags.seed)
}

/// The rows of several, one after the other.
fn joined(base: Vec<Rows>, input: Option<Rows>) -> Result<Rows> {
    let mut all = base.into_iter().chain(input);
    let first = all.next().ok_or_else(|| Error::usage("command line", "there is nothing to do"))?;
    all.try_fold(first, |before, next| match before.schema == next.schema {
        true => Ok(Rows { batches: Box::new(before.batches.chain(next.batches)), ..before }),
        false => {
            Err(Error::usage("--template", "some templates make conversations and some do not")
                .hint("make their base prompts in a run each"))
        }
    })
}

impl Generation {
    /// The model that the command line names: for files of requests and replies only by its name.
    pub fn of(flags: &Flags) -> Result<Self> {
        let name = flags.generation.model.as_deref().unwrap_or_default();
        let elsewhere = flags.generation.emit_requests || !flags.generation.from_replies.is_empty();
        let model = match elsewhere {
            true => Model::named(name)?,
            false => {
                let connection = flags.asking.server.connection(&flags.shared, true)?;
                match Model::open(name, &connection)?.as_slice() {
                    [model] => model.clone(),
                    _ => return Err(Error::usage(name, "names several models, one is needed")),
                }
            }
        };
        let decoding = flags.asking.decoding(None);
        Ok(Self { model, settings: Settings { decoding, system: flags.generation.system.clone() } })
    }
}

impl Made {
    fn step(
        &mut self,
        name: &'static str,
        flags: &Flags,
        rows: Rows,
        expansion: Expansion,
    ) -> Result<Rows> {
        self.steps.push((name, expansion.counts.clone()));
        if !expansion.asks() {
            return Ok(expand(rows, expansion));
        }
        let Generation { model, settings } = Generation::of(flags)?;
        if !flags.generation.from_replies.is_empty() {
            self.replies = Some(batch::Replies::read(&flags.generation.from_replies)?);
        }
        let replies = self.replies.as_ref().map(batch::Replies::journal);
        self.journal = match replies {
            Some(_) => None,
            None => flags.asking.server.journal()?,
        };
        let rejects = flags.generation.rejects.as_ref().map(|path| {
            let options = output::Options { path: Some(path.clone()), ..Default::default() };
            Rejects::create(&options, &rows.schema, &rows.history)
        });
        let rules = refusal_rules(flags)?;
        let asking = Asking {
            model,
            limits: flags.asking.server.limits(),
            known: Known { journal: self.journal.clone(), replies },
            settings,
            rules: RefusalRules::parse(&rules.text).map_err(|error| error.at(&rules.place))?,
            rejects: rejects.transpose()?,
        };
        let (rows, counts) = generate::generate(rows, expansion, asking)?;
        self.generation = Some(counts);
        Ok(rows)
    }

    /// Closes the journal: all of it is on disk.
    pub fn close(&self) -> Result<()> {
        self.journal.as_ref().map_or(Ok(()), Journal::close)
    }

    /// Says what was made.
    pub fn summarise(&self, flags: &Flags) {
        for (made, counts) in &self.steps {
            let of = |count: &AtomicU64| cli::count(count.load(Relaxed));
            let (read, new, passed) = (of(&counts.read), of(&counts.made), of(&counts.passed));
            let passed = match *made {
                "base prompts" => format!("{passed} rows not used"),
                _ => format!("{passed} rows no template is for"),
            };
            cli::note(format_args!("{read} rows in, {new} {made} made, {passed}"));
            say_unused(made, counts);
        }
        let Some(counts) = self.generation.as_ref().map(generate::snapshot) else {
            return;
        };
        let before = match self.journal.as_ref().filter(|_| self.replies.is_none()) {
            Some(journal) => format!(" ({} answered before)", cli::count(journal.reused())),
            None => String::new(),
        };
        cli::note(format_args!(
            "{} requests{before}, {} prompts asked for, {} came",
            cli::count(counts.requests),
            cli::count(counts.wanted),
            cli::count(counts.prompts)
        ));
        if !counts.rejected.is_empty() {
            let kept = flags.generation.rejects.as_ref().map(|path| format!("{path} has it"));
            let kept = kept.unwrap_or_else(|| "--rejects FILE keeps it".to_owned());
            cli::warn(format_args!("what is no prompt: {}; {kept}", counts.reasons()));
        }
        if counts.refused() > 0 {
            let refused = cli::count(counts.refused());
            cli::warn(format_args!(
                "the generator refused {refused} times; --system can say what the prompts are for"
            ));
        }
        if let Some(unasked) = self.replies.as_ref().map(batch::Replies::unasked).filter(|n| *n > 0)
        {
            let unasked = cli::count(unasked);
            cli::warn(format_args!("replies to requests that were not made here: {unasked}"));
        }
    }
}

/// Says which attacks made nothing: a user who names one counts on its prompts.
fn say_unused(step: &str, counts: &Counts) {
    let unused = counts.chains.iter().filter(|(_, made)| made.load(Relaxed) == 0);
    let unused: Vec<&str> = unused.map(|(name, _)| name.as_str()).collect();
    if step == "attacks" && !unused.is_empty() && counts.read.load(Relaxed) > 0 {
        let names = unused.join(", ");
        cli::warn(format_args!(
            "nothing was made by {names}: no row is a base prompt in a language that it has wording for"
        ));
    }
}

/// The examples for few-shot generation.
fn examples(flags: &Flags, stage: &mut Stage) -> Result<Option<Examples>> {
    let Some(path) = &flags.generation.examples else { return Ok(None) };
    if flags.taxonomy.is_none() {
        return Err(Error::usage("--examples", "are for base prompts").hint("give --taxonomy"));
    }
    let sources = input::sources(std::slice::from_ref(path))?;
    stage.inputs.extend(input::hashes(&sources)?);
    let rows = input::read(sources, &input::Options::default())?;
    Examples::read(rows, path, flags.generation.examples_temperature).map(Some)
}

fn say_short(short: &[Short]) {
    let shown = short.iter().take(8).map(|s| format!("{} has {} of {}", s.risk, s.has, s.wanted));
    let more = if short.len() > 8 { ", …" } else { "" };
    if !short.is_empty() {
        let shown = shown.collect::<Vec<_>>().join(", ");
        cli::warn(format_args!("fewer prompts than their share: {shown}{more}"));
    }
}
