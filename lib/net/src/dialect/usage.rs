//! The tokens of an answer, as each kind of server counts them.

use serde_json::Value;

use crate::exchange::Usage;
use crate::reply;

/// The first of these paths, with dots between their names, that leads to a count.
fn count(usage: &Value, paths: &[&str]) -> Option<i64> {
    let count = |path: &&str| {
        let found = path.split('.').try_fold(usage, |value, name| value.get(name))?;
        reply::count(found)
    };
    paths.iter().find_map(count)
}

/// OpenAI's: the input includes what was cached, the output the reasoning.
pub(crate) fn openai(usage: Option<&Value>) -> Usage {
    let Some(usage) = usage else { return Usage::default() };
    Usage {
        input_tokens: count(usage, &["prompt_tokens", "input_tokens"]),
        cached_tokens: count(
            usage,
            &[
                "prompt_tokens_details.cached_tokens",
                "input_tokens_details.cached_tokens",
                "prompt_cache_hit_tokens", // DeepSeek
                "cached_tokens",           // Moonshot
            ],
        ),
        cache_write_tokens: count(
            usage,
            &[
                "prompt_tokens_details.cache_write_tokens", // OpenRouter
                "prompt_tokens_details.cache_creation_input_tokens", // Alibaba
            ],
        ),
        output_tokens: count(usage, &["completion_tokens", "output_tokens"]),
        reasoning_tokens: count(
            usage,
            &[
                "completion_tokens_details.reasoning_tokens",
                "output_tokens_details.reasoning_tokens",
                "reasoning_tokens",
            ],
        ),
    }
}

/// Anthropic's: the input is without what was cached, so that the three are added up.
pub(crate) fn anthropic(value: &Value) -> Usage {
    let Some(usage) = value.get("usage") else { return Usage::default() };
    let cached_tokens = count(usage, &["cache_read_input_tokens"]);
    let cache_write_tokens = count(usage, &["cache_creation_input_tokens"]);
    let cache = [cached_tokens, cache_write_tokens].into_iter().flatten();
    Usage {
        input_tokens: count(usage, &["input_tokens"])
            .map(|fresh| cache.fold(fresh, i64::saturating_add)),
        cached_tokens,
        cache_write_tokens,
        output_tokens: count(usage, &["output_tokens"]),
        reasoning_tokens: None,
    }
}

/// Gemini's: the output is without the reasoning, and a count of zero may be left out.
pub(crate) fn gemini(value: &Value) -> Usage {
    let Some(usage) = value.get("usageMetadata") else { return Usage::default() };
    let text = count(usage, &["candidatesTokenCount"]);
    let reasoning_tokens = count(usage, &["thoughtsTokenCount"]);
    Usage {
        input_tokens: count(usage, &["promptTokenCount"]),
        cached_tokens: count(usage, &["cachedContentTokenCount"]),
        cache_write_tokens: None,
        output_tokens: [text, reasoning_tokens].into_iter().flatten().reduce(i64::saturating_add),
        reasoning_tokens,
    }
}
