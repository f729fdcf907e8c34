//! The flags of seval-select. The stages keep the order of the command line, which clap's own structs lose.

use clap::{ArgMatches, Args, Command, FromArgMatches, Parser};
use seval_core::cli::{OutputFlags, SharedFlags};
use seval_core::select::keep::Keep;
use seval_core::select::normal::Normal;
use seval_core::select::shingle::Shingles;

const EXAMPLES: &str = "\
Examples:
  $ seval-select --exact prompts.parquet -o distinct.parquet
  $ seval-select --exact --near 0.8 --rejects lost.parquet prompts.parquet -o kept.parquet
  $ seval-select --where \"language = 'en'\" --near 0.8 --keep longest prompts.parquet -o en.parquet
  $ seval-select --from import/s-eval items.jsonl -o imported.parquet
  $ seval-select --list

Stages run in the order given, each on what the one before let pass.
Order and memory: rows come out in the order they go in. --exact streams and keeps 32 bytes for each distinct
text. Other stages read all rows first; beyond --memory they use the temporary folder, and the result is the
same.
Exit status: 0 the output is complete; 1 disk; 2 command line, query or template; 5 input.";

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
    pub how: HowFlags,

    /// Write dropped rows to this file, with `stage`, `reason`, `duplicate_of` and `similarity`.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<String>,

    /// Write only these columns, comma-separated; others are not read where no stage needs them.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub columns: Vec<String>,

    /// Memory in MiB, about; beyond it, the temporary folder is used.
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = memory)]
    pub memory: usize,

    #[command(flatten)]
    pub output: OutputFlags,

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
    Exclude(String),
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

    /// Keep the rows for which this SQL condition holds; it may look into tables of its own.
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Vec<String>,

    /// Drop what these rules reject: quality/prompts, or a .sql file.
    #[arg(long, value_name = "NAME")]
    quality: Vec<String>,

    /// Drop texts that are the same but for Unicode form, case and white space (see --same).
    #[arg(long)]
    exact: bool,

    /// Drop texts whose sets of shingles have a Jaccard index of T or more; exact, no pair is overlooked.
    #[arg(long, value_name = "T")]
    near: Option<f64>,

    /// Drop texts that are in this file too: the same, near (--exclude-near), or with a run of words of its own
    /// (--overlap). `duplicate_of` says which row of which file.
    #[arg(long, value_name = "FILE")]
    exclude: Vec<String>,
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
        all.extend(each(matches, "exclude", Asked::Exclude));
        if matches.get_flag("exact") {
            all.extend(
                matches.indices_of("exact").into_iter().flatten().map(|at| (at, Asked::Exact)),
            );
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

/// How the stages compare and choose.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "How stages compare and choose")]
pub struct HowFlags {
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

fn memory(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(mib) if (16..=1 << 30).contains(&mib) => Ok(mib),
        _ => Err("not a number of MiB, 16 or more".into()),
    }
}
