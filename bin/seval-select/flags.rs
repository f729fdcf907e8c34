//! The flags of seval-select. The stages keep the order of the command line, which clap's own structs lose.

use crate::server::ServerFlags;
use clap::{ArgMatches, Args, Command, FromArgMatches, Parser};
use seval_core::cli::{OutputFlags, SharedFlags};
use seval_core::select::duplicates::keep::Keep;
use seval_core::select::duplicates::normal::Normal;
use seval_core::select::duplicates::shingle::Shingles;
use seval_core::select::victims::choose::Mix;

const EXAMPLES: &str = "\
Examples:
  $ seval-select --exact prompts.parquet -o distinct.parquet
  $ seval-select --near 0.8 --rejects lost.csv prompts.parquet -o k.parquet
  $ seval-select --where \"language = 'en'\" prompts.parquet -o en.parquet
  $ seval-select --size 50,100 --by language prompts.parquet -o s.parquet
  $ seval-select --diverse 50 --report r.md prompts.parquet -o d.parquet
  $ seval-select --from import/s-eval items.jsonl -o imported.parquet
  $ seval-select --list

Stages run in the order given, each on what the one before let pass.
Order and memory: rows come out in the order they go in. --exact streams and keeps 32 bytes for each distinct \
text. Other stages read all rows first; beyond --memory they use the temporary folder, and the result is the \
same. --semantic and --diverse keep the vectors, or the sets of shingles, of all rows in memory.
Exit status: 0 the output is complete; 1 disk or server; 2 command line, query or template; 4 stopped by \
--max-retry-after; 5 input, or quotas that cannot be met.";

/// Imports data sets as prompt rows, and keeps the rows worth testing.
///
/// Reads prompt rows, or with --from the files of a data set as its authors publish them; writes the rows
/// that pass all stages. Each stage says how many it kept and why it dropped the others; --rejects keeps
/// every dropped row with its reason.
/// An example: `seval-select --exact --near 0.8 prompts.parquet -o kept.parquet`.
#[derive(Parser)]
#[command(name = "seval-select", version, after_long_help = EXAMPLES)]
pub struct Flags {
    /// Files, globs or folders of rows, as any of the five programs reads them; `-` or nothing is standard
    /// input. NAME=FILE is a table of that name for --sql and --where.
    #[arg(value_name = "[NAME=]FILE")]
    pub files: Vec<String>,

    #[command(flatten)]
    pub stages: Stages,

    #[command(flatten)]
    pub alike: AlikeFlags,

    #[command(flatten)]
    pub share: ShareFlags,

    #[command(flatten)]
    pub server: ServerFlags,

    #[command(flatten)]
    pub output: OutputFlags,

    /// Write dropped rows to this file, with `stage`, `reason`, `duplicate_of` and `similarity`.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub rejects: Option<String>,

    /// Write what the stages did, similarities, and counts before and after, to this file: Markdown, or a
    /// table by its extension; `-` prints it on standard error.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<String>,

    /// Write only these columns, comma-separated; others are not read where no stage needs them.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Output")]
    pub columns: Vec<String>,

    /// Memory in MiB, about, 16 or more; beyond it, the temporary folder is used.
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = memory, help_heading = "General")]
    pub memory: usize,

    /// Another seed draws other rows.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "General")]
    pub seed: u64,

    #[command(flatten)]
    pub shared: SharedFlags,
}

/// One stage, as asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    From(String),
    Sql(String),
    Where(String),
    Quality(String),
    Exact,
    Near(f64),
    Semantic(f64),
    Exclude(String),
    FailedBy(usize),
    Discriminating(usize),
    Mix(Mix),
    Size(Sizes),
    Diverse(usize),
}

#[derive(Args)]
#[command(next_help_heading = "Stages, in the order given")]
struct StageFlags {
    /// Import with this query: import/s-eval, or a .sql file. It comes first.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    /// Go on with the rows of this SELECT; the rows so far are the table `input`.
    #[arg(long, value_name = "SELECT")]
    sql: Vec<String>,

    /// Keep the rows for which this SQL condition holds; it may look into other tables. `_position` is a row's
    /// number, from 0.
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Vec<String>,

    /// Drop what these rules reject: quality/prompts, or a .sql file.
    #[arg(long, value_name = "NAME")]
    quality: Vec<String>,

    /// Drop texts that are the same but for Unicode form, case and white space (see --same).
    #[arg(long)]
    exact: bool,

    /// Of texts whose sets of shingles have a Jaccard index of T or more keep one, and of all that hang together
    /// so; exact, no pair is overlooked.
    #[arg(long, value_name = "T")]
    near: Option<f64>,

    /// Of texts whose embeddings (--embed or --embedding) have a cosine of T or more keep one, and of all that
    /// hang together so.
    #[arg(long, value_name = "T")]
    semantic: Option<f64>,

    /// Drop texts that are in this file too: the same, near (--exclude-near), or with a run of words of its own
    /// (--overlap). `duplicate_of` says which row of which file.
    #[arg(long, value_name = "FILE")]
    exclude: Vec<String>,

    /// Keep prompts that at least K of the models in --verdicts fail: half their answers or more are unsafe.
    #[arg(long, value_name = "K", value_parser = positive, requires = "verdicts")]
    failed_by: Option<usize>,

    /// Keep the N prompts that tell the models in --verdicts apart best: item-rest correlation.
    #[arg(long, value_name = "N", value_parser = positive, requires = "verdicts")]
    discriminating: Option<usize>,

    /// Draw so many prompts of high risk and so many of low risk: high=700,low=300. High is an unsafe share of
    /// half or more in --verdicts, or of at=SHARE.
    #[arg(long, value_name = "high=N,low=N", value_parser = mix, requires = "verdicts")]
    mix: Option<Mix>,

    /// Draw N rows, balanced by --by; with several sizes, comma-separated, columns `size_N` say which rows each
    /// has.
    #[arg(long, value_name = "N,…", value_parser = Sizes::parse)]
    size: Option<Sizes>,

    /// Keep the N rows that differ most (--method), balanced by --by; `diverse_rank` is their order.
    #[arg(long, value_name = "N", value_parser = positive)]
    diverse: Option<usize>,
}

/// The stages in the order of the command line.
pub struct Stages(pub Vec<Asked>);

impl Args for Stages {
    fn augment_args(command: Command) -> Command {
        StageFlags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        StageFlags::augment_args_for_update(command)
    }
}

impl FromArgMatches for Stages {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut all: Vec<(usize, Asked)> = Vec::new();
        // Nothing can be done with rows before they are there.
        all.extend(each(matches, "from", Asked::From).map(|(_, from)| (0, from)));
        all.extend(each(matches, "sql", Asked::Sql));
        all.extend(each(matches, "condition", Asked::Where));
        all.extend(each(matches, "quality", Asked::Quality));
        all.extend(each(matches, "near", Asked::Near));
        all.extend(each(matches, "semantic", Asked::Semantic));
        all.extend(each(matches, "exclude", Asked::Exclude));
        all.extend(each(matches, "failed_by", Asked::FailedBy));
        all.extend(each(matches, "discriminating", Asked::Discriminating));
        all.extend(each(matches, "mix", Asked::Mix));
        all.extend(each(matches, "size", Asked::Size));
        all.extend(each(matches, "diverse", Asked::Diverse));
        if matches.get_flag("exact") {
            let places = matches.indices_of("exact").into_iter().flatten();
            all.extend(places.map(|at| (at, Asked::Exact)));
        }
        all.sort_by_key(|(at, _)| *at);
        Ok(Self(all.into_iter().map(|(_, asked)| asked).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Every value of a flag with its place on the command line.
fn each<'a, T: Clone + Send + Sync + 'static>(
    matches: &'a ArgMatches,
    id: &str,
    asked: fn(T) -> Asked,
) -> impl Iterator<Item = (usize, Asked)> + use<'a, T> {
    let places = matches.indices_of(id).into_iter().flatten();
    let values = matches.get_many::<T>(id).into_iter().flatten();
    places.zip(values).map(move |(at, value)| (at, asked(value.clone())))
}

/// What makes texts alike.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What makes texts alike")]
pub struct AlikeFlags {
    /// The column whose text is compared.
    #[arg(long, value_name = "COLUMN", default_value = "prompt")]
    pub text: String,

    /// Of duplicates keep: first, longest, or max:COLUMN.
    #[arg(long, value_name = "RULE", default_value = "first", value_parser = Keep::parse)]
    pub keep: Keep,

    /// What makes no difference between two texts: nfkc, case, space, comma-separated, or none.
    #[arg(long, value_name = "LIST", default_value = "nfkc,case,space", value_parser = Normal::parse)]
    pub same: Normal,

    /// What a shingle is: words:N, chars:N, or both, characters then for scripts without spaces.
    #[arg(long, value_name = "LIST", default_value = "words:3,chars:5", value_parser = Shingles::parse)]
    pub shingles: Shingles,

    /// The Jaccard index from which a text is too near an excluded one.
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    pub exclude_near: f64,

    /// How many words in a row, or characters, an excluded text must not share; none: any.
    #[arg(long, value_name = "LIST", default_value = "words:13,chars:25", value_parser = Overlap::parse)]
    pub overlap: Overlap,

    /// The column of embeddings, for --semantic and --diverse.
    #[arg(long, value_name = "COLUMN", conflicts_with = "embed")]
    pub embedding: Option<String>,

    /// The model that --semantic asks for embeddings, at --base-url; they are kept in the column `embedding`.
    #[arg(long, value_name = "MODEL", requires = "semantic")]
    pub embed: Option<String>,
}

/// How sizes are shared out and rows chosen.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "How --size and --diverse choose")]
pub struct ShareFlags {
    /// The columns, comma-separated, whose values each get their share.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub by: Vec<String>,

    /// The shares: proportional, equal, or a file with the columns of --by and `weight`.
    #[arg(long, value_name = "WHAT", default_value = "proportional")]
    pub quotas: String,

    /// Round every share up, and take what is too much off this one, as S-Eval's scales do.
    #[arg(long, value_name = "VALUE", requires = "by")]
    pub ceil: Option<String>,

    /// Several sizes: nested in one another, or independent draws.
    #[arg(long, value_name = "HOW", default_value = "nested")]
    pub draw: Draw,

    /// Rows with the same value in this column are drawn together and count once; a row without one goes with
    /// those that name its prompt_id.
    #[arg(long, value_name = "COLUMN")]
    pub together: Option<String>,

    /// Go on if quotas cannot be met: what is short stays short.
    #[arg(long)]
    pub allow_short: bool,

    /// How rows that differ are chosen: the farthest from all others, or those that stand for most, which is
    /// slow for more than some 20,000 embeddings.
    #[arg(long, value_name = "HOW", default_value = "k-center")]
    pub method: Method,

    /// Verdicts of several models on these prompts, as seval-critique writes them; with --size they tell how
    /// good the smaller sets are.
    #[arg(long, value_name = "FILE")]
    pub verdicts: Vec<String>,
}

/// How sets of several sizes are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Draw {
    /// A smaller set is part of a larger one.
    Nested,
    /// Each is drawn for itself.
    Independent,
}

/// How rows that differ are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// Always the farthest from all that are chosen.
    KCenter,
    /// Always the one that stands for most of what nothing stands for yet.
    FacilityLocation,
}

/// Sizes, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(pub Vec<usize>);

impl Sizes {
    fn parse(text: &str) -> Result<Self, String> {
        let mut sizes = text.split(',').map(positive).collect::<Result<Vec<_>, _>>()?;
        sizes.sort_unstable();
        match sizes.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(format!("{} is named twice", twice[0])),
            None => Ok(Self(sizes)),
        }
    }
}

/// The runs of words that must not be shared; none if they do not matter.
#[derive(Clone, Copy, Debug)]
pub struct Overlap(pub Option<Shingles>);

impl Overlap {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            _ => Shingles::parse(text).map(|runs| Self(Some(runs))),
        }
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{}` is no whole number above 0", text.trim())),
    }
}

fn mix(text: &str) -> Result<Mix, String> {
    let mut mix = Mix { high: 0, low: 0, threshold: 0.5 };
    for part in text.split(',') {
        let wrong = || format!("`{part}`: write high=N, low=N or at=SHARE");
        let (name, value) = part.split_once('=').ok_or_else(wrong)?;
        match name.trim() {
            "high" => mix.high = value.trim().parse().map_err(|_| wrong())?,
            "low" => mix.low = value.trim().parse().map_err(|_| wrong())?,
            "at" => {
                let share = value.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
                mix.threshold = share.ok_or_else(wrong)?;
            }
            _ => return Err(wrong()),
        }
    }
    if mix.high + mix.low == 0 { Err("no prompts are asked for".into()) } else { Ok(mix) }
}

fn memory(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(mib) if (16..=1 << 30).contains(&mib) => Ok(mib),
        _ => Err("not a number of MiB, 16 or more".into()),
    }
}
