//! Critics that ask a model: the questions of responses asked, the replies read as verdicts, beside the
//! verdicts of critics that ask nobody.
//!
//! A critic's failure is a verdict `unscored` with its reason, never an error of the run and never `safe`.

mod ask;

use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use seval_core::critique::columns::{self, Again, Layout};
use seval_core::critique::counts::Counts;
use seval_core::critique::judge::Reply;
use seval_core::critique::panel::Panel;
use seval_core::critique::verdict::{Reason, Verdict};
use seval_core::critique::{self, Critic, Judged};
use seval_core::provenance::Stage;
use seval_core::{Error, Result, Rows};

use crate::exchange::{Answer, Decoding, Outcome};
use crate::{Answers, Known, Limits, Model, ask as ask_models};
use ask::{Asked, Asking, Requests, Step};

/// Rows whose questions travel together.
const STEP_ROWS: usize = 512;

/// Batches whose questions are made ahead.
const AHEAD: usize = 4;

/// How often it is looked whether a run was told to end, while no row comes.
const LOOK: Duration = Duration::from_millis(100);

/// A model that a critic asks.
pub struct Asks {
    /// Index into the critics.
    pub critic: usize,
    /// Who is asked.
    pub model: Model,
    /// How.
    pub decoding: Decoding,
}

/// How responses are judged.
pub struct Judging {
    /// All critics, in the order of their verdicts.
    pub critics: Vec<Critic>,
    /// The models of those that ask one.
    pub asks: Vec<Asks>,
    /// How much at once.
    pub limits: Limits,
    /// Answers of earlier runs.
    pub known: Known,
    /// What is made of all verdicts on a response.
    pub panel: Option<Panel>,
    /// One verdict for each response: that of the first critic whose risk score is outside of this range,
    /// or of the last; a critic is asked only where those before it are unsure.
    pub escalate: Option<(f64, f64)>,
    /// What a critic with a policy of the user's judges by.
    pub policy: Option<String>,
    /// The texts of base prompts by id, for responses to attacks.
    pub bases: HashMap<String, String>,
    /// The rows are verdicts, and those that are unscored are judged again, for the so manieth time.
    pub again: Option<i64>,
    /// The user's seed.
    pub seed: u64,
}

/// Responses that are being judged.
pub struct Critique {
    /// The answers, in the order of the questions.
    pub answers: Answers,
    /// What came of it so far.
    pub counts: Arc<Counts>,
    asked: mpsc::Receiver<(RecordBatch, Vec<Vec<Step>>)>,
    form: Form,
    critics: Arc<Vec<Critic>>,
    history: Vec<Stage>,
}

/// What the output is made of.
enum Form {
    /// Responses, and the verdicts of all critics; whether only the last of a row counts.
    Verdicts(Layout, bool),
    /// Verdicts, some of them anew.
    Again(Arc<Again>, SchemaRef),
}

/// The rows with verdicts: for each response one of each critic, or of the one that decides.
pub fn critique(rows: Rows, judging: Judging) -> Result<Critique> {
    let judges = judges(&judging)?;
    if judging.asks.is_empty() {
        return Err(Error::usage(
            "--critic",
            "no critic asks a model, and the others would only repeat themselves",
        )
        .hint("name one that does with -c, such as -c safety=MODEL"));
    }
    check_needs(&rows, &judging)?;
    let critics = Arc::new(judging.critics);
    let form = match judging.again {
        None => {
            critique::check(&rows)?;
            let layout = Layout::with(&rows.schema, &critics, judges, judging.panel)?;
            Form::Verdicts(layout, judging.escalate.is_some())
        }
        Some(_) => {
            critique::check_again(&rows)?;
            Form::Again(Arc::new(Again::by(judges)), rows.schema.clone())
        }
    };
    let again = match &form {
        Form::Again(again, _) => Some(again.clone()),
        Form::Verdicts(..) => None,
    };
    let mut models = Vec::new();
    let mut asks = Vec::new();
    for (at, Asks { critic, model, decoding }) in judging.asks.into_iter().enumerate() {
        if model.is_simulated() {
            return Err(Error::usage(&model.name, "a simulated target answers, it judges nothing")
                .hint("name a model with -m and its server with --base-url"));
        }
        models.push(model);
        asks.push((critic, at, decoding));
    }
    let (send, asked) = mpsc::sync_channel(AHEAD);
    let history = rows.history.clone();
    let requests = Requests {
        batches: rows.cut(STEP_ROWS).batches,
        asking: Asking {
            critics: critics.clone(),
            asks,
            escalate: judging.escalate,
            policy: judging.policy,
            bases: judging.bases,
            again,
            sample: judging.again.unwrap_or(0),
            seed: judging.seed,
        },
        ready: Vec::new().into_iter(),
        sent: send,
    };
    let answers = ask_models(models, judging.limits, judging.known, requests);
    let counts = Arc::new(Counts::default());
    Ok(Critique { answers, counts, asked, form, critics, history })
}

/// A column that a critic cannot do without is missed before anything is sent.
fn check_needs(rows: &Rows, judging: &Judging) -> Result<()> {
    let judges = judging.critics.iter().filter_map(|critic| Some((critic, critic.asks()?)));
    for (critic, judge) in judges {
        let needs = judge.needs().iter().map(String::as_str);
        let missing = |name: &&str| rows.schema.index_of(name).is_err();
        if let Some(name) = ["prompt"].into_iter().chain(needs).find(missing) {
            let what = format!("column `{name}` is missing, and the critic {} needs it", critic.id);
            return Err(Error::data("the input", what).hint("see what it asks with --show"));
        }
    }
    Ok(())
}

/// Who judges, in the order of a row's verdicts.
fn judges(judging: &Judging) -> Result<Vec<columns::Judge>> {
    let judge = |(at, critic): (usize, &Critic)| {
        let asks = judging.asks.iter().find(|asks| asks.critic == at);
        columns::Judge {
            critic: critic.id.clone(),
            model: asks.map(|asks| asks.model.name.clone()),
            settings: asks.map(|asks| asks.model.settings_text(&asks.decoding)),
        }
    };
    let judges: Vec<columns::Judge> = judging.critics.iter().enumerate().map(judge).collect();
    if judging.escalate.is_none() {
        return Ok(judges);
    }
    if judging.asks.len() > 1 || judging.asks.iter().any(|asks| asks.critic + 1 < judges.len()) {
        return Err(Error::usage("--escalate", "one critic that asks a model, and that the last")
            .hint("several are asked each of all rows and put together with --panel"));
    }
    let names: Vec<&str> = judges.iter().map(|judge| judge.critic.as_str()).collect();
    let critic = names.join(">");
    Ok(judges.last().map(|last| columns::Judge { critic, ..last.clone() }).into_iter().collect())
}

impl Critique {
    /// The rows with their verdicts, as they come.
    pub fn into_rows(self) -> Rows {
        let Self { mut answers, counts, asked, form, critics, history } = self;
        let schema = match &form {
            Form::Verdicts(layout, _) => layout.schema.clone(),
            Form::Again(_, schema) => schema.clone(),
        };
        let batches = std::iter::from_fn(move || {
            // A batch is here before the first of its answers; after the last there is none.
            let next = loop {
                match asked.recv_timeout(LOOK) {
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        if let Some(error) = answers.broken() {
                            return Some(Err(error));
                        }
                    }
                    next => break next,
                }
            };
            let Ok((batch, steps)) = next else {
                return answers.next().and_then(Result::err).map(Err);
            };
            Some(judged(&critics, steps, &mut answers).and_then(|rows| match &form {
                Form::Verdicts(layout, last_counts) => {
                    let one = |row| match last_counts {
                        false => row,
                        true => ask::decided(&critics, row).into_iter().collect(),
                    };
                    let rows = rows
                        .into_iter()
                        .map(|row| row.into_iter().map(|(_, judged)| judged).collect());
                    layout.assemble(&batch, rows.map(one).collect(), &counts)
                }
                Form::Again(again, _) => {
                    let rows = rows.into_iter().map(|mut row| row.pop()).collect();
                    again.assemble(&batch, rows, &counts)
                }
            }))
        });
        Rows { schema, batches: Box::new(batches), history }
    }
}

/// For each row its verdicts, with the critics that gave them.
fn judged(
    critics: &[Critic],
    rows: Vec<Vec<Step>>,
    answers: &mut Answers,
) -> Result<Vec<Vec<(usize, Judged)>>> {
    let mut verdict = |step| match step {
        Step::Known(critic, judged) => Ok((critic, judged)),
        Step::Asked(asked) => Ok((asked.critic, read(critics, asked, answers)?.into())),
    };
    rows.into_iter().map(|steps| steps.into_iter().map(&mut verdict).collect()).collect()
}

/// The verdict in the answers to a critic's questions about one response.
fn read(critics: &[Critic], asked: Asked, answers: &mut Answers) -> Result<Verdict> {
    let mut replies = Vec::with_capacity(asked.questions);
    for _ in 0..asked.questions {
        match answers.next() {
            Some(answer) => replies.push(answer?),
            None => return Err(Error::world("the engine", "answers are missing")),
        }
    }
    let verdict = match replies.iter().find_map(failure) {
        Some(failed) => failed,
        None => {
            let replies: Vec<Reply<'_>> = replies.iter().map(reply).collect();
            let judge = critics.get(asked.critic).and_then(Critic::asks);
            judge.map_or_else(
                || Verdict::unscored(Reason::Failed, None),
                |judge| judge.read(&replies, &asked.nonce),
            )
        }
    };
    Ok(Verdict { injection_suspected: asked.injection_suspected, ..verdict })
}

fn reply(answer: &Answer) -> Reply<'_> {
    Reply {
        text: answer.response.as_deref().unwrap_or_default(),
        tokens: answer.logprobs.as_deref().unwrap_or_default(),
    }
}

/// Why an answer says nothing of the response.
fn failure(answer: &Answer) -> Option<Verdict> {
    let reason = match answer.outcome {
        Outcome::Answered | Outcome::Truncated => return None,
        Outcome::Filtered => Reason::CriticRefused,
        Outcome::Empty | Outcome::TooLarge => Reason::Unparsable,
        Outcome::TimedOut => Reason::TimedOut,
        Outcome::Failed => Reason::Failed,
    };
    let why =
        answer.error.clone().unwrap_or_else(|| format!("the critic's answer: {}", answer.outcome));
    Some(Verdict::unscored(reason, why))
}
