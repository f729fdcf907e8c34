//! What a run came to.

use seval_core::cli::{self, count};
use seval_net::batch::Replies;
use seval_net::{Journal, Outcome, Progress};

/// Says what a run came to.
pub fn say(progress: &Progress, journal: Option<&Journal>, replies: Option<&Replies>) {
    let outcomes = Outcome::ALL.iter().filter(|outcome| progress.of(**outcome) > 0);
    let outcomes = outcomes.map(|outcome| format!("{} {outcome}", count(progress.of(*outcome))));
    let mut parts = vec![outcomes.collect::<Vec<_>>().join(", ")];
    parts.extend(journal.map(|journal| match journal.unused() {
        0 => format!("{} from the journal", count(journal.reused())),
        unused => format!(
            "{} from the journal, {} of its earlier answers not asked for",
            count(journal.reused()),
            count(unused)
        ),
    }));
    parts.extend(
        replies.map(|replies| format!("{} from replies", count(replies.journal().reused()))),
    );
    let cost = progress.cost().filter(|_| progress.sent() > 0);
    parts.extend(cost.map(|cost| format!("${cost:.4} in this run")));
    if progress.possibly_billed() > 0 {
        let possibly = count(progress.possibly_billed());
        parts.push(format!("{possibly} possibly billed without an answer"));
    }
    cli::note(format_args!("{} responses: {}", count(progress.answers()), parts.join("; ")));
    progress.take_oddities().iter().for_each(cli::warn);
    let unasked = replies.map_or(0, Replies::unasked);
    if unasked > 0 {
        cli::warn(format_args!("{} replies are to requests that were not asked", count(unasked)));
    }
    let ok = progress.of(Outcome::Answered) + progress.of(Outcome::Truncated);
    if progress.answers() > 0 && ok == 0 {
        cli::warn("no request was answered; see the columns `outcome` and `error`");
    }
}
