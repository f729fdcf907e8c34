//! Conversations that leave turns to the model: an assistant's turn without text is filled by the
//! model's answer to what stands before it, and then the conversation goes on.

use crate::exchange::{Answer, Message, Outcome, Request, Usage};
use crate::reply;

/// What is left of a conversation once its first part has been asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rest {
    /// The turns to come, the first of which the answer stands for.
    messages: Vec<Message>,
    /// The model's answers so far.
    replies: Vec<String>,
    usage: Usage,
    cost: Option<f64>,
    turns: usize,
}

/// Whether the model is to write this turn.
pub(crate) fn is_left_open(message: &Message) -> bool {
    message.role == "assistant" && message.content.is_empty()
}

/// Whether a conversation leaves turns to the model before its last one.
pub fn leaves_turns_open(request: &Request) -> bool {
    request.messages.split_last().is_some_and(|(_, before)| before.iter().any(is_left_open))
}

/// Cuts a request where the model has to speak first; what is left of it, if anything is.
pub(crate) fn cut(request: &mut Request) -> Option<Box<Rest>> {
    let open = request.messages.iter().position(is_left_open)?;
    let messages = request.messages.split_off(open);
    // The answer to the last turn is the response, whether its place is left open or not.
    (messages.len() > 1).then(|| {
        let turns = messages.iter().filter(|message| is_left_open(message)).count();
        let last_is_open = messages.last().is_some_and(is_left_open);
        let turns = turns + usize::from(!last_is_open);
        Box::new(Rest { messages, turns, ..Rest::default() })
    })
}

impl Rest {
    /// The conversation goes on after an answer; an answer that there is no going on from comes back.
    ///
    /// `request` is what was asked, and becomes what is asked next.
    pub fn go_on(mut self: Box<Self>, request: &mut Request, answer: Answer) -> Step {
        let usable = matches!(answer.outcome, Outcome::Answered | Outcome::Truncated);
        let turn = self.replies.len() + 1;
        let (true, Some(text)) = (usable, &answer.response) else {
            let why = answer.error.as_deref().unwrap_or(answer.outcome.as_str());
            let error = Some(reply::short(&format!("turn {turn} of {}: {why}", self.turns)));
            return Step::Done(Box::new(self.sum(Answer { error, ..answer })));
        };
        let reply = Message { role: "assistant".into(), content: text.clone() };
        self.replies.push(text.clone());
        self.add(&answer);
        self.messages.remove(0);
        request.messages.push(reply);
        request.messages.append(&mut self.messages);
        if let Some(rest) = cut(request) {
            self.messages = rest.messages;
        }
        Step::Next(self)
    }

    /// Bytes of text that are still to come.
    pub fn weight(&self) -> usize {
        self.messages.iter().map(|message| message.content.len()).sum()
    }

    /// Whether a turn after the one being asked is still to come.
    pub fn is_last(&self) -> bool {
        self.messages.is_empty()
    }

    /// The last answer, with what came before it.
    pub fn sum(mut self, answer: Answer) -> Answer {
        self.add(&answer);
        Answer { usage: self.usage, cost: self.cost, replies: self.replies, ..answer }
    }

    fn add(&mut self, answer: &Answer) {
        let add = |sum: &mut Option<i64>, more: Option<i64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or_default().saturating_add(more));
            }
        };
        let (sum, more) = (&mut self.usage, &answer.usage);
        add(&mut sum.input_tokens, more.input_tokens);
        add(&mut sum.cached_tokens, more.cached_tokens);
        add(&mut sum.cache_write_tokens, more.cache_write_tokens);
        add(&mut sum.output_tokens, more.output_tokens);
        add(&mut sum.reasoning_tokens, more.reasoning_tokens);
        if let Some(more) = answer.cost {
            self.cost = Some(self.cost.unwrap_or_default() + more);
        }
    }
}

/// What follows an answer in the middle of a conversation.
pub(crate) enum Step {
    /// There is more to ask.
    Next(Box<Rest>),
    /// It ends here.
    Done(Box<Answer>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Decoding, Traits};

    fn request(turns: &[(&str, &str)]) -> Request {
        let turn = |(role, content): &(&str, &str)| Message {
            role: (*role).to_owned(),
            content: (*content).to_owned(),
        };
        Request {
            model: 0,
            sample: 0,
            decoding: Decoding::default(),
            messages: turns.iter().map(turn).collect(),
            traits: Traits::default(),
        }
    }

    fn answer(text: &str) -> Answer {
        let usage = Usage { input_tokens: Some(2), output_tokens: Some(1), ..Usage::default() };
        Answer { response: Some(text.into()), usage, ..Answer::of(Outcome::Answered) }
    }

    fn contents(request: &Request) -> Vec<&str> {
        request.messages.iter().map(|message| message.content.as_str()).collect()
    }

    #[test]
    fn open_turns_are_filled_one_after_the_other() {
        let mut asked = request(&[
            ("system", "s"),
            ("user", "1"),
            ("assistant", ""),
            ("user", "2"),
            ("assistant", "given"),
            ("user", "3"),
            ("assistant", ""),
            ("user", "4"),
        ]);
        let rest = cut(&mut asked).unwrap();
        assert_eq!(contents(&asked), ["s", "1"]);
        let Step::Next(rest) = rest.go_on(&mut asked, answer("a")) else { panic!("no next") };
        assert_eq!(contents(&asked), ["s", "1", "a", "2", "given", "3"]);
        assert!(!rest.is_last());
        let Step::Next(rest) = rest.go_on(&mut asked, answer("b")) else { panic!("no next") };
        assert_eq!(contents(&asked), ["s", "1", "a", "2", "given", "3", "b", "4"]);
        assert!(rest.is_last());
        let sum = rest.sum(answer("c"));
        assert_eq!(sum.replies, ["a", "b"]);
        assert_eq!((sum.usage.input_tokens, sum.response.as_deref()), (Some(6), Some("c")));
    }

    #[test]
    fn an_open_turn_at_the_end_is_the_response() {
        let mut asked = request(&[("user", "1"), ("assistant", "")]);
        assert_eq!(cut(&mut asked), None);
        assert_eq!(contents(&asked), ["1"]);
        let mut asked = request(&[("user", "1"), ("assistant", "Sure, ")]);
        assert_eq!(cut(&mut asked), None);
        assert_eq!(contents(&asked), ["1", "Sure, "]);
    }

    #[test]
    fn a_turn_without_an_answer_ends_the_conversation() {
        let mut asked = request(&[("user", "1"), ("assistant", ""), ("user", "2")]);
        let rest = cut(&mut asked).unwrap();
        let failed = Answer::without_text(Outcome::Filtered, "no");
        let Step::Done(answer) = rest.go_on(&mut asked, failed) else { panic!("goes on") };
        assert_eq!(answer.outcome, Outcome::Filtered);
        assert_eq!(answer.error.as_deref(), Some("turn 1 of 2: no"));
    }
}
