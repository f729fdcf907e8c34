//! From a question to its answer, whoever knows it.

use std::collections::VecDeque;

use super::{Event, Run};
use crate::engine::QUESTIONS;
use crate::engine::job::Job;
use crate::exchange::{Answer, Outcome};
use crate::fingerprint::Fingerprint;
use crate::journal::{self, Journal};
use crate::reply;
use crate::turns::Step;
use seval_core::{Error, Result};

impl Run {
    /// Finds out how a job is to be answered.
    pub(super) fn enter(&mut self, job: Box<Job>) {
        let models = self.models.clone();
        let model = &models[job.request.model];
        if let Some(answer) = model.simulate(&job.request) {
            return self.answered(job, Box::new(answer));
        }
        // Without a journal every row is asked, so that the rows of a run do not depend on its pace.
        let asked = job.prepared.asked.clone();
        if let (Some(journal), Some(asked)) = (&self.known.journal, &asked)
            && let Some(row) = journal.find(asked.fingerprint, model.max_response_bytes())
        {
            self.missing = None;
            return self.look_up(job, asked.fingerprint, row, journal.clone());
        }
        if let Some(replies) = &self.known.replies {
            let fingerprint = model.asked_by_file(&job.request).fingerprint;
            let found = match model.has_no_address() {
                true => replies.find(fingerprint, 0),
                // What failed there is asked here.
                false => replies.find_final(fingerprint),
            };
            if let Some(row) = found {
                return self.look_up(job, fingerprint, row, replies.clone());
            }
            if model.has_no_address() {
                let cause = format!("no reply to this request in {}", replies.place());
                let answer = Answer::without_text(Outcome::Failed, cause);
                return self.answered(job, Box::new(answer));
            }
        }
        self.ask(job);
    }

    /// A job that nobody has the answer to yet.
    fn ask(&mut self, job: Box<Job>) {
        if let Some(why) = self.lost.get(&job.request.model) {
            let answer = not_asked(why);
            return self.answered(job, Box::new(answer));
        }
        let asked = job.prepared.asked.clone();
        if let Some(asked) = &asked {
            // The same question again waits for the answer to the first.
            match self.waiting.get_mut(&asked.fingerprint) {
                Some(waiting) => return waiting.push_back(job),
                None => drop(self.waiting.insert(asked.fingerprint, VecDeque::new())),
            }
            if let Some(missing) = &mut self.missing {
                missing.push(asked.clone());
            }
            if self.missing.as_ref().is_some_and(|missing| missing.len() == QUESTIONS) {
                // What is wrong with the journal its next use will say.
                let _ = self.compare();
            }
        }
        let (lane, tokens) = (job.request.model, job.prepared.estimate.tokens);
        // There is a lane for every model.
        let _ = self.pace.push(lane, job, tokens);
    }

    fn look_up(&mut self, job: Box<Job>, fingerprint: Fingerprint, row: i64, journal: Journal) {
        let found = journal.read(fingerprint, row);
        self.coming.push(Box::pin(async move {
            let answer = match found {
                Ok(found) => found.await.unwrap_or_else(|_| Err(journal::ended())).map(Box::new),
                Err(error) => Err(error),
            };
            Event::Known(job, answer)
        }));
    }

    /// Says in what the first questions differ from those of earlier runs, if none was asked then.
    pub(super) fn compare(&mut self) -> Result<()> {
        let (Some(missing), Some(journal)) = (self.missing.take(), &self.known.journal) else {
            return Ok(());
        };
        if missing.is_empty() {
            return Ok(());
        }
        let found = journal.differences(missing)?;
        self.coming.push(Box::pin(async move {
            let found = found.await.unwrap_or_else(|_| Err(journal::ended()));
            let texts = |found: Vec<_>| found.iter().map(ToString::to_string).collect();
            Event::Differs(found.map(texts))
        }));
        Ok(())
    }

    pub(super) fn differs(&self, differences: &[String]) {
        if !differences.is_empty() {
            let what = differences.join("; ");
            self.progress.odd(format!(
                "the journal has answers to the same prompts, asked differently: {what}"
            ));
        }
    }

    /// A question has its answer: so do all who asked the same, unless it failed and may be asked
    /// again.
    pub(super) fn settled(&mut self, job: Box<Job>, answer: Box<Answer>) {
        let fingerprint = job.prepared.asked.as_ref().map(|asked| asked.fingerprint);
        let waiting = fingerprint.and_then(|fingerprint| self.waiting.remove(&fingerprint));
        let waiting = waiting.unwrap_or_default();
        if journal::is_kept(answer.outcome) {
            if let Some(journal) = &self.known.journal {
                journal.count_reused(waiting.len());
            }
            for other in waiting {
                self.answered(other, answer.clone());
            }
        } else {
            // The first of them asks, and the others wait for it.
            waiting.into_iter().for_each(|other| self.enter(other));
        }
        self.answered(job, answer);
    }

    /// An answer for a job: the last one, or the conversation goes on.
    pub(super) fn answered(&mut self, mut job: Box<Job>, answer: Box<Answer>) {
        let answer = match job.rest.take() {
            None => answer,
            Some(rest) if rest.is_last() => Box::new(rest.sum(*answer)),
            Some(rest) => match rest.go_on(&mut job.request, *answer) {
                Step::Done(answer) => answer,
                Step::Next(rest) => {
                    let journal = self.known.journal.is_some();
                    let Job { number, request, .. } = *job;
                    let prepared = self.models[request.model].prepare(&request, journal);
                    let job = Job { number, ..Job::new(request, Some(rest), prepared) };
                    return self.enter(Box::new(job));
                }
            },
        };
        self.window.fill(job.number, answer);
    }
}

/// What becomes of a request to a model that is asked nothing more.
pub(super) fn not_asked(why: &Error) -> Answer {
    Answer::without_text(Outcome::Failed, reply::short(&why.to_string()))
}
