//! The likelihood of each token, in the shapes in which servers give it.

use serde_json::Value;

use crate::exchange::Logprob;

/// OpenAI's `logprobs` of a choice, new or old; a token without a number is left out.
pub(crate) fn openai(logprobs: &Value) -> Option<Vec<Logprob>> {
    let tokens = match logprobs.get("content").and_then(Value::as_array) {
        Some(content) => content.iter().filter_map(of_chat).collect(),
        None => of_completions(logprobs)?,
    };
    some(tokens)
}

fn of_chat(item: &Value) -> Option<Logprob> {
    let (token, logprob) = named(item, "logprob")?;
    let top = item.get("top_logprobs").and_then(Value::as_array).into_iter().flatten();
    Some(Logprob { token, logprob, top: sorted(top.filter_map(|item| named(item, "logprob"))) })
}

/// Three lists, of which the last has objects of tokens and their numbers.
fn of_completions(logprobs: &Value) -> Option<Vec<Logprob>> {
    let tokens = logprobs.get("tokens")?.as_array()?.iter();
    let numbers = logprobs.get("token_logprobs")?.as_array()?.iter();
    let tops = logprobs.get("top_logprobs");
    let token = |(at, (token, number)): (usize, (&Value, &Value))| {
        let top = tops.and_then(|tops| tops.get(at)?.as_object()).into_iter().flatten();
        Some(Logprob {
            token: token.as_str()?.to_owned(),
            logprob: number.as_f64()?,
            top: sorted(top.filter_map(|(token, number)| Some((token.clone(), number.as_f64()?)))),
        })
    };
    Some(tokens.zip(numbers).enumerate().filter_map(token).collect())
}

/// Gemini's `logprobsResult` of a candidate.
pub(crate) fn gemini(result: &Value) -> Option<Vec<Logprob>> {
    let tops = result.get("topCandidates");
    let token = |(at, item): (usize, &Value)| {
        let (token, logprob) = named(item, "logProbability")?;
        let top = tops.and_then(|tops| tops.get(at)?.get("candidates")?.as_array());
        let top = top.into_iter().flatten().filter_map(|item| named(item, "logProbability"));
        Some(Logprob { token, logprob, top: sorted(top) })
    };
    let chosen = result.get("chosenCandidates")?.as_array()?;
    some(chosen.iter().enumerate().filter_map(token).collect())
}

fn named(item: &Value, number: &str) -> Option<(String, f64)> {
    Some((item.get("token")?.as_str()?.to_owned(), item.get(number)?.as_f64()?))
}

/// Likeliest first; equals as they came.
fn sorted(top: impl Iterator<Item = (String, f64)>) -> Vec<(String, f64)> {
    let mut top: Vec<_> = top.collect();
    top.sort_by(|a, b| b.1.total_cmp(&a.1));
    top
}

fn some(tokens: Vec<Logprob>) -> Option<Vec<Logprob>> {
    (!tokens.is_empty()).then_some(tokens)
}
