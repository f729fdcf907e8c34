//! The common reply of OpenAI's chat, read without a tree of its values: most replies of most servers are
//! one text, the reason why it ended, and counts.
//!
//! It gives what [`super::chat::read`] gives, or nothing: whatever else stands in a reply is read there.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::settle;
use crate::exchange::{Answer, Outcome, Usage};

/// A text that may be borrowed.
type Text<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    system_fingerprint: Text<'a>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
    #[serde(default)]
    logprobs: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    reasoning_content: Option<IgnoredAny>,
    #[serde(default)]
    reasoning: Option<IgnoredAny>,
}

/// What OpenAI counts; other servers count more, or in other ways.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    #[serde(default, rename = "total_tokens")]
    _total_tokens: Option<IgnoredAny>,
    prompt_tokens_details: Option<PromptCounts>,
    completion_tokens_details: Option<CompletionCounts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptCounts {
    cached_tokens: Option<u32>,
    #[serde(default, rename = "audio_tokens")]
    _audio_tokens: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompletionCounts {
    reasoning_tokens: Option<u32>,
    #[serde(default, rename = "audio_tokens")]
    _audio_tokens: Option<IgnoredAny>,
    #[serde(default, rename = "accepted_prediction_tokens")]
    _accepted_prediction_tokens: Option<IgnoredAny>,
    #[serde(default, rename = "rejected_prediction_tokens")]
    _rejected_prediction_tokens: Option<IgnoredAny>,
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let (prompt, completion) = (counts.prompt_tokens_details, counts.completion_tokens_details);
        Self {
            input_tokens: counts.prompt_tokens.map(i64::from),
            cached_tokens: prompt.and_then(|prompt| prompt.cached_tokens).map(i64::from),
            cache_write_tokens: None,
            output_tokens: counts.completion_tokens.map(i64::from),
            reasoning_tokens: completion.and_then(|counts| counts.reasoning_tokens).map(i64::from),
        }
    }
}

/// The answer in a reply of the common shape; none of any other.
pub(super) fn read(body: &[u8]) -> Option<Box<Answer>> {
    let reply: Reply<'_> = serde_json::from_str(std::str::from_utf8(body).ok()?).ok()?;
    let [choice] = reply.choices;
    let Message { content, reasoning_content, reasoning } = choice.message;
    let more = [reply.error, choice.logprobs, reasoning_content, reasoning];
    // Reasoning that a server leaves in the text is taken out there.
    if more.iter().any(Option::is_some) || content.trim_start().starts_with('<') {
        return None;
    }
    let text = |text: Text<'_>| text.map(Cow::into_owned).filter(|text| !text.is_empty());
    let mut answer = Box::new(Answer {
        response: text(Some(content)),
        finish_reason: text(choice.finish_reason),
        usage: reply.usage.map(Usage::from).unwrap_or_default(),
        served_model: text(reply.model),
        system_fingerprint: text(reply.system_fingerprint),
        ..Answer::of(Outcome::Failed)
    });
    // A refusal may stand beside an empty text.
    answer.response.as_ref()?;
    settle(&mut answer);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: [&str; 9] = [
        r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Yes \u00e9 \"so\"."},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":null}}"#,
        r#"{"choices":[{"message":{"content":"Yes."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3}}}"#,
        r#"{"choices":[{"message":{"content":"Yes."}}],"usage":{"prompt_tokens":9,"completion_tokens":-4,"prompt_cache_hit_tokens":8,"cached_tokens":1.5}}"#,
        r#"{"choices":[{"message":{"content":"<think>No.</think>Yes."},"finish_reason":"length"}],"system_fingerprint":"f"}"#,
        r#"{"choices":[{"message":{"content":"Yes.","reasoning_content":"So."},"finish_reason":""}],"model":""}"#,
        r#"{"choices":[{"message":{"content":"","refusal":"No."},"finish_reason":"content_filter"}],"usage":{}}"#,
        r#"{"choices":[{"message":{"content":"Yes."},"logprobs":{"content":[]}}],"error":null}"#,
        r#"{"choices":[{"message":{"content":"Yes."},"finish_reason":"stop"},{"message":{"content":null}}],"error":{"message":"no"}}"#,
        r#"{"choices":[{"message":{"content":[{"type":"text","text":"Yes."}]},"finish_reason":"error"}],"usage":{"prompt_tokens":"3"}}"#,
    ];

    #[test]
    fn it_is_what_the_tree_gives_or_nothing() {
        let whole = |body: &[u8]| match crate::reply::read(body, super::super::chat::read) {
            Ok(crate::reply::Reply::Answer(answer)) => Some(answer),
            _ => None,
        };
        assert!(REPLIES[..2].iter().all(|reply| read(reply.as_bytes()).is_some()));
        let mut state = 7u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let mut found = 0;
        for _ in 0..20_000 {
            let mut body = REPLIES[draw(REPLIES.len())].as_bytes().to_vec();
            for _ in 0..draw(3) {
                let at = draw(body.len());
                let end = (at + draw(12)).min(body.len());
                match draw(3) {
                    0 => drop(body.drain(at..end)),
                    1 => body[at] = b" \"{}[]:,.nul\\<tre019\xff"[draw(21)],
                    _ => body.extend_from_within(at..end),
                }
            }
            if let Some(answer) = read(&body) {
                found += 1;
                assert_eq!(Some(answer), whole(&body), "{}", String::from_utf8_lossy(&body));
            }
        }
        assert!(found > 1_000, "{found}");
    }
}
