//! The templates that the command line names, and whether what they need is there.

use crate::flags::Flags;
use seval_core::expand::examples::Examples;
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
        for chain in Chain::find(&flags.shared.template_library(), kinds, wanted)? {
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

/// Refuses what cannot be asked, before anything is.
pub fn check_asking(flags: &Flags, base_asks: bool, attacks_ask: bool) -> Result<()> {
    let flag = match flags.generation.emit_requests {
        true => Some("--emit-requests"),
        false => (!flags.generation.from_replies.is_empty()).then_some("--from-replies"),
    };
    let place = |path: &Option<String>| match path.as_deref() {
        None | Some("/dev/stdout") => "-".to_owned(),
        Some(path) => path.to_owned(),
    };
    let rejects = &flags.generation.rejects;
    if rejects.is_some() && place(rejects) == place(&flags.output.output) {
        return Err(
            Error::usage("--rejects", "is where the rows go").hint("give it a file of its own")
        );
    }
    let model = flags.generation.model.as_deref().unwrap_or_default();
    match (base_asks, attacks_ask, flag) {
        (true, true, _) => {
            Err(Error::usage("--template", "both base prompts and attacks ask a model")
                .hint("make the base prompts first, and the attacks of them in a run of their own"))
        }
        (false, false, Some(flag)) => Err(Error::usage(flag, "none of the templates asks a model")
            .hint("those that do have `reply` in their first lines, such as attack/translation")),
        (false, false, None) => Ok(()),
        _ if model.starts_with("sim:") => Err(generate::refuse_simulated(model)),
        _ => Ok(()),
    }
}
