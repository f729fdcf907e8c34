//! What one attempt comes to: an answer, a no, or word of when to try again.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header::HeaderMap;

use crate::client::Failure;
use crate::exchange::{Answer, Outcome};
use crate::health::Trouble;
use crate::journal::Billed;
use crate::reply::Complaint;
use crate::retry_after::{may_pass, retry_after};

/// What one attempt came to.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The answer, if this attempt is the last.
    pub answer: Box<Answer>,
    /// What it says about the server and about trying again.
    pub end: End,
    /// Whether the provider charges for it.
    pub billed: Billed,
}

/// What an attempt says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An answer, whatever is in it, or a no that will stay.
    Final,
    /// The server asks to come later, and may say when.
    Limited(Option<Duration>),
    /// The server has too much to do.
    Overloaded,
    /// It may go better next time.
    Failed,
    /// The same, but not before that time is up.
    FailedUntil(Duration),
    /// The connection was lost after the request had been sent: again may be to pay twice.
    Lost,
    /// No connection came about.
    Unreachable,
    /// It will not go better, and perhaps not for other requests either.
    Trouble(Trouble),
}

/// What may be charged for, though no answer came of it.
pub(crate) fn possibly(answer: Answer, end: End) -> Attempt {
    Attempt { answer: Box::new(answer), end, billed: Billed::Possibly }
}

/// What an error comes to that a reply with a good status ends in.
pub(crate) fn broken_off(
    status: StatusCode,
    headers: &HeaderMap,
    mut complaint: Complaint,
) -> Attempt {
    let named = complaint.status.and_then(|status| StatusCode::from_u16(status).ok());
    let part = complaint.part.take();
    let refused = refused(named.unwrap_or(status), headers, complaint);
    if part.is_none() {
        return refused;
    }
    // Text was made, so that it may be charged for, and so may another attempt.
    let end = match refused.end {
        End::Limited(_) | End::FailedUntil(_) | End::Overloaded | End::Failed => End::Lost,
        end => end,
    };
    possibly(Answer { response: part, ..*refused.answer }, end)
}

/// What a reply with a bad status comes to.
pub(crate) fn refused(status: StatusCode, headers: &HeaderMap, complaint: Complaint) -> Attempt {
    let why = complaint.with_status(&status);
    let unbilled = |answer, end| Attempt { answer: Box::new(answer), end, billed: Billed::No };
    let failed = |end| unbilled(failed(why.clone()), end);
    let after = || retry_after(headers, SystemTime::now());
    match status.as_u16() {
        _ if complaint.filtered => {
            unbilled(Answer::without_text(Outcome::Filtered, why), End::Final)
        }
        401 | 402 => failed(End::Trouble(Trouble::Denied)),
        _ if complaint.used_up => failed(End::Trouble(Trouble::Denied)),
        403 => failed(End::Trouble(Trouble::Forbidden)),
        404 => failed(End::Trouble(Trouble::NotFound)),
        300..=399 => {
            unbilled(self::failed(format!("{why}; redirects are not followed")), End::Final)
        }
        429 => failed(End::Limited(after())),
        // A wait of nothing is no wait, and says nothing of when to come back.
        code if may_pass(status) => match after().filter(|after| !after.is_zero()) {
            Some(after) => failed(End::FailedUntil(after)),
            None if matches!(code, 503 | 529) => failed(End::Overloaded),
            None => failed(End::Failed),
        },
        _ => failed(End::Final),
    }
}

/// What a request without a reply comes to.
pub(crate) fn lost(failure: Failure) -> Attempt {
    match failure {
        Failure::Unreachable(cause) => Attempt {
            answer: Box::new(failed(format!("cannot connect: {cause}"))),
            end: End::Unreachable,
            billed: Billed::No,
        },
        Failure::Lost(cause) => {
            possibly(failed(format!("the connection was lost: {cause}")), End::Lost)
        }
    }
}

/// An answer that was cut after so many bytes.
pub(crate) fn cut(limit: usize) -> Answer {
    Answer::without_text(Outcome::TooLarge, format!("{CUT} {limit} bytes"))
}

const CUT: &str = "the answer is larger than";

/// After how many bytes an answer was cut that is kept with this outcome and error; 0 if it was not.
pub(crate) fn cut_at(outcome: Outcome, error: Option<&str>) -> usize {
    let number = |error: &str| error.strip_prefix(CUT)?.strip_suffix(" bytes")?.trim().parse().ok();
    let error = error.filter(|_| outcome == Outcome::TooLarge);
    error.and_then(number).unwrap_or_default()
}

pub(crate) fn failed(why: String) -> Answer {
    Answer::without_text(Outcome::Failed, why)
}
