//! The languages of base prompts: which there is wording for, and what is lacking in them.

use seval_core::template::chain::Chain;
use seval_core::{Error, Result, cli};

/// Leaves out the languages that none of the templates has wording for; that may not be all.
pub fn spoken_by(chains: &[Chain], languages: &mut Vec<String>) -> Result<()> {
    let spoken = |language: &String| chains.iter().any(|chain| chain.speaks(Some(language)));
    let (spoken, silent): (Vec<_>, Vec<_>) =
        std::mem::take(languages).into_iter().partition(spoken);
    *languages = spoken;
    let what = format!("no generate/ template has wording for `{}`", silent.join("`, `"));
    match (silent.is_empty(), languages.is_empty()) {
        (true, _) => {}
        (false, false) => cli::warn(what),
        (false, true) => {
            return Err(Error::usage("--language", what)
                .hint("add a template with --templates; --show generate/question is one to copy"));
        }
    }
    Ok(())
}

/// Says that there are fewer prompts than were asked for.
pub fn say_total(made: usize, total: usize) {
    if made < total {
        let (made, total) = (cli::count(made as u64), cli::count(total as u64));
        cli::warn(format_args!(
            "{made} of {total} base prompts in each language: there are no more"
        ));
    }
}

/// Says that some leaves have nothing in a language.
pub fn say_silent(language: &str, risks: &[&str]) {
    let more = if risks.len() > 8 { ", …" } else { "" };
    if !risks.is_empty() {
        let shown = risks.iter().take(8).copied().collect::<Vec<_>>().join(", ");
        cli::warn(format_args!("no topics in `{language}`: {shown}{more}"));
    }
}
