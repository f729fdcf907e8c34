//! The templates that the command line names, and whether what they need is there.

use crate::flags::Flags;
use seval_core::expand::examples::Examples;
use seval_core::output::same_place;
use seval_core::template::chain::Chain;
use seval_core::{Error, Result, cli};
use seval_net::generate;

/// The column of examples drawn by their score.
const SCORED: &str = "scored_examples";

/// The templates for each of the two steps. Of a pattern, those that lack a model or examples are left out.
pub fn chains(flags: &Flags, examples: Option<&Examples>) -> Result<(Vec<Chain>, Vec<Chain>)> {
    let kinds: &[&str] = match flags.taxonomy.is_some() {
        true => &["generate", "attack"],
        false => &["attack", "generate"],
    };
    let mut all: Vec<Chain> = Vec::new();
    let mut left_out = Vec::new();
    for wanted in &flags.template {
        let (found, ended) = Chain::find(&flags.shared.template_library(), kinds, wanted)?;
        if !ended.is_empty() {
            let names = ended.join(", ");
            cli::note(format_args!("left out of {wanted}, since they make conversations: {names}"));
        }
        for chain in found {
            let is_pattern = wanted.contains(['*', '?', '[']);
            match lacks(flags, &chain, examples) {
                Some(_) if is_pattern => left_out.push(chain.name),
                Some(error) => return Err(error),
                // Named twice, its prompts would count twice.
                None if all.iter().any(|known| known.id == chain.id) => {}
                None => all.push(chain),
            }
        }
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        cli::note(format_args!(
            "left out, since they need a model (-m) or examples (--examples): {names}"
        ));
    }
    Ok(all.into_iter().partition(|chain| chain.kind() == "generate"))
}

/// What the command line lacks for a chain.
fn lacks(flags: &Flags, chain: &Chain, examples: Option<&Examples>) -> Option<Error> {
    if chain.reply().is_some() && flags.generation.model.is_none() {
        return Some(
            Error::usage(&chain.name, "it asks a generation model, and none is named")
                .hint("give -m MODEL and --base-url, or --emit-requests to ask later"),
        );
    }
    let by_score = chain.needs().any(|(name, _)| name == SCORED);
    match examples {
        None if shows_examples(chain) => Some(
            Error::usage(&chain.name, "it needs example prompts")
                .hint("give --examples FILE, such as prompts that an earlier run made"),
        ),
        Some(examples) if by_score && !examples.are_scored => Some(
            Error::usage(&chain.name, "it draws examples by `risk_score`, which --examples lacks")
                .hint("give rows that seval-critique has scored, or use generate/few_shot"),
        ),
        _ => None,
    }
}

/// Whether a chain shows the model examples.
pub fn shows_examples(chain: &Chain) -> bool {
    chain.needs().any(|(name, _)| name == "examples" || name == SCORED)
}

/// Refuses to write one file over another. That the rows do not go over what is read is seen to once it is
/// known.
fn check_places(flags: &Flags) -> Result<()> {
    let generation = &flags.generation;
    let journal =
        flags.asking.server.journal.as_ref().map(|path| path.to_string_lossy().into_owned());
    let out = flags.output.output.as_deref().unwrap_or("-");
    let asked = [("--rejects", generation.rejects.as_deref()), ("--journal", journal.as_deref())];
    let paid = generation.from_replies.iter().map(|path| ("--from-replies", path.as_str()));
    let mut others: Vec<(&str, &str)> = vec![("--output", out)];
    others.extend(paid);
    if let Some((what, _)) = others[1..].iter().find(|(_, path)| same_place(path, out)) {
        return Err(Error::usage("--output", format!("is the file of {what}")).hint(ITS_OWN));
    }
    others.extend(flags.input.files.iter().map(|path| ("an input", path.as_str())));
    others.extend(generation.examples.iter().map(|path| ("--examples", path.as_str())));
    for (flag, path) in asked.into_iter().filter_map(|(flag, path)| Some((flag, path?))) {
        if let Some((what, _)) = others.iter().find(|(_, other)| same_place(path, other)) {
            return Err(Error::usage(flag, format!("is the file of {what}")).hint(ITS_OWN));
        }
        others.push((flag, path));
    }
    Ok(())
}

const ITS_OWN: &str = "give it a file of its own";

/// Refuses what cannot be asked, before anything is.
pub fn check_asking(flags: &Flags, base_asks: bool, attacks_ask: bool) -> Result<()> {
    let flag = match flags.generation.emit_requests {
        true => Some("--emit-requests"),
        false => (!flags.generation.from_replies.is_empty()).then_some("--from-replies"),
    };
    check_places(flags)?;
    let model = flags.generation.model.as_deref().unwrap_or_default();
    match (base_asks, attacks_ask, flag) {
        (true, true, _) => {
            Err(Error::usage("--template", "both base prompts and attacks ask a model")
                .hint("make the base prompts first, and the attacks of them in a run of their own"))
        }
        (false, false, Some(flag)) => Err(Error::usage(flag, "none of the templates asks a model")
            .hint("those that do have `reply` in their first lines, such as attack/translation")),
        (false, false, None) if flags.generation.model.is_some() => {
            Err(Error::usage("--model", "none of the templates asks a model").hint(
                "those that do have `reply` in their first lines, such as attack/translation",
            ))
        }
        (false, false, None) => Ok(()),
        _ if model.starts_with("sim:") => Err(generate::refuse_simulated(model)),
        _ => Ok(()),
    }
}
