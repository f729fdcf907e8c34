//! Chains: templates applied one after the other, each to what the one before it made.
//! `attack/past_tense|attack/base64` first puts a prompt into the past tense, then encodes it.

use super::metadata::{Makes, ReplyForm};
use super::render::{Row, Template};
use super::{File, Library};
use crate::conversation::{self, Turn};
use crate::{Error, Result};
use std::sync::Arc;

/// What stands between the templates of a chain.
const THEN: char = '|';

/// One or more templates in order.
#[derive(Clone)]
pub struct Chain {
    templates: Vec<Arc<Template>>,
    /// The stems: what the column `attack` holds.
    pub name: String,
    /// Names with content hashes: what the column `template` holds.
    pub id: String,
}

/// What a chain made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// One user turn.
    Prompt(String),
    /// A conversation.
    Messages(Vec<Turn>),
}

impl Made {
    /// The text of the prompt: for a conversation its last turn.
    pub fn prompt(&self) -> &str {
        match self {
            Self::Prompt(text) => text,
            Self::Messages(turns) => turns.last().map_or("", |turn| &turn.content),
        }
    }

    /// The turns that are sent.
    pub fn into_turns(self) -> Vec<Turn> {
        match self {
            Self::Prompt(text) => vec![Turn::user(text)],
            Self::Messages(turns) => turns,
        }
    }
}

/// Whether no template can be applied to what a chain makes.
fn ends(templates: &[Arc<Template>]) -> bool {
    let is_conversation = |template: &Arc<Template>| {
        template.metadata.makes == Makes::Messages && template.metadata.reply.is_none()
    };
    templates.last().is_some_and(is_conversation)
}

impl Chain {
    /// The chains that `wanted` names: names, patterns or paths with `|` between them. A pattern that fits
    /// several templates makes a chain of each; the second list names those that it leaves out, since they
    /// make conversations, which nothing can follow.
    pub fn find(
        library: &Library,
        kinds: &[&str],
        wanted: &str,
    ) -> Result<(Vec<Self>, Vec<String>)> {
        let mut chains: Vec<Vec<Arc<Template>>> = vec![Vec::new()];
        let mut left_out = Vec::new();
        for part in wanted.split(THEN) {
            if part.trim().is_empty() {
                return Err(Error::usage(format!("--template '{wanted}'"), "a name is empty")
                    .hint("a | stands between two names; --list shows them"));
            }
            let files = library.find(kinds, part.trim())?;
            let templates = files.into_iter().map(|file| Template::compile(file).map(Arc::new));
            let templates = templates.collect::<Result<Vec<_>>>()?;
            let is_pattern = wanted.contains(['*', '?', '[']);
            let (ended, open): (Vec<_>, Vec<_>) =
                chains.into_iter().partition(|chain| is_pattern && ends(chain));
            left_out.extend(ended.iter().flatten().map(|template| template.file.stem().to_owned()));
            chains = open
                .iter()
                .flat_map(|chain| {
                    templates.iter().map(|next| [&chain[..], std::slice::from_ref(next)].concat())
                })
                .collect();
        }
        let chains = chains.into_iter().map(|templates| Self::new(templates, wanted));
        Ok((chains.collect::<Result<_>>()?, left_out))
    }

    fn new(templates: Vec<Arc<Template>>, wanted: &str) -> Result<Self> {
        let refuse = |what: String, hint: &str| Err(Error::usage(wanted, what).hint(hint));
        let metadata = |template: &Arc<Template>| template.metadata.clone();
        let last = templates.len().saturating_sub(1);
        for template in &templates[..last] {
            if metadata(template).makes == Makes::Messages && metadata(template).reply.is_none() {
                return refuse(
                    format!(
                        "{} makes a conversation, which no template is applied to",
                        template.file.name
                    ),
                    "let it come last",
                );
            }
        }
        if let Some(first) = templates.iter().find(|t| t.file.kind() == "generate")
            && last > 0
        {
            return refuse(
                format!("{} makes base prompts of a taxonomy", first.file.name),
                "give it a -t of its own: attacks are made of all base prompts",
            );
        }
        let asking: Vec<_> = templates.iter().filter(|t| t.metadata.reply.is_some()).collect();
        if let [first, second, ..] = asking[..] {
            return refuse(
                format!("both {} and {} ask a model", first.file.name, second.file.name),
                "make the rows of the first, then of the second in a run of its own",
            );
        }
        if let Some(list) = asking
            .first()
            .filter(|t| t.metadata.reply == Some(ReplyForm::List) && t.file.kind() != "generate")
        {
            return refuse(
                format!("{} asks for a list of prompts", list.file.name),
                "only templates in generate/ do; an attack asks with reply = \"prompt\"",
            );
        }
        let join = |part: &dyn Fn(&Arc<Template>) -> String| {
            templates.iter().map(part).collect::<Vec<_>>().join(&THEN.to_string())
        };
        let (name, id) = (join(&|t| t.file.stem().to_owned()), join(&|t| t.id.clone()));
        Ok(Self { templates, name, id })
    }

    /// Its files, for the record of what rows were made of.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.templates.iter().map(|template| &template.file)
    }

    /// The folder of its templates: `generate` or `attack`.
    pub fn kind(&self) -> &str {
        self.templates.first().map_or("", |template| template.file.kind())
    }

    /// The columns that it cannot do without, and the template that says so.
    pub fn needs(&self) -> impl Iterator<Item = (&str, &File)> {
        self.templates.iter().flat_map(|template| {
            template.metadata.needs.iter().map(|name| (name.as_str(), &template.file))
        })
    }

    /// Whether all its templates have wording for a language.
    pub fn speaks(&self, language: Option<&str>) -> bool {
        self.templates.iter().all(|template| template.speaks(language))
    }

    /// What a generation model is asked for; none: no model is needed.
    pub fn reply(&self) -> Option<ReplyForm> {
        self.templates.iter().find_map(|template| template.metadata.reply)
    }

    /// Whether it makes of two rows that say the same in two languages two that still do: a list of prompts
    /// that a model wrote says something of its own.
    pub fn is_paired(&self) -> bool {
        self.reply() != Some(ReplyForm::List)
    }

    /// Whether it makes conversations.
    pub fn makes_messages(&self) -> bool {
        let last = self.templates.last().map(|template| &template.metadata);
        last.is_some_and(|last| last.makes == Makes::Messages && last.reply.is_none())
    }

    fn asks_at(&self) -> usize {
        let asks = |template: &Arc<Template>| template.metadata.reply.is_some();
        self.templates.iter().position(asks).unwrap_or(self.templates.len())
    }

    /// What is asked of the generation model: the text of the template that asks, with those before it.
    pub fn request(&self, row: &Row<'_>) -> Result<Made> {
        apply(&self.templates[..=self.asks_at().min(self.templates.len() - 1)], row)
    }

    /// What the templates after the one that asks make of its reply.
    pub fn after_reply(&self, row: &Row<'_>, reply: &str) -> Result<Made> {
        match self.templates.get(self.asks_at() + 1..) {
            Some([]) | None => Ok(Made::Prompt(reply.to_owned())),
            Some(rest) => apply(rest, &Row { prompt: Some(reply), ..*row }),
        }
    }

    /// Appends what a chain that asks no model makes of a row to `out`; the turns, if it is a conversation.
    pub fn render(&self, row: &Row<'_>, out: &mut String) -> Result<Option<Vec<Turn>>> {
        match &self.templates[..] {
            [one] if one.metadata.makes == Makes::Prompt => one.render(row, out).map(|()| None),
            templates => match apply(templates, row)? {
                Made::Prompt(text) => {
                    out.push_str(&text);
                    Ok(None)
                }
                Made::Messages(turns) => {
                    out.push_str(turns.last().map_or("", |turn| &turn.content));
                    Ok(Some(turns))
                }
            },
        }
    }
}

fn apply(templates: &[Arc<Template>], row: &Row<'_>) -> Result<Made> {
    let mut made = Made::Prompt(row.prompt.unwrap_or_default().to_owned());
    for (at, template) in templates.iter().enumerate() {
        let mut text = String::new();
        let prompt = if at == 0 { row.prompt } else { Some(made.prompt()) };
        template.render(&Row { prompt, ..*row }, &mut text)?;
        made = match template.metadata.makes {
            Makes::Prompt => Made::Prompt(text),
            Makes::Messages => Made::Messages(conversation::parse(&text).map_err(|what| {
                Error::usage(&template.file.place, format!("it writes no conversation: {what}"))
                    .hint(
                        "a JSON list of role and content is wanted, the user's turn last; \
                         write texts with `| tojson`",
                    )
            })?),
        };
    }
    Ok(made)
}
