use serde_json::{Value, json};

use super::Dialect::{self, Anthropic, Chat, Completions, Gemini};
use crate::exchange::Outcome::{self, Answered, Empty, Failed, Filtered, Truncated};
use crate::exchange::{Answer, Decoding, Message, Request, Traits, Usage};
use crate::reply::{self, Reply};

fn request(decoding: Decoding, turns: &[(&str, &str)]) -> Request {
    let turn = |(role, content): &(&str, &str)| Message {
        role: (*role).to_owned(),
        content: (*content).to_owned(),
    };
    let messages = turns.iter().map(turn).collect();
    Request { model: 0, sample: 0, decoding, messages, traits: Traits::default() }
}

fn all() -> Decoding {
    Decoding {
        temperature: Some(-0.0),
        top_p: Some(0.5),
        top_k: Some(40),
        max_tokens: Some(9),
        seed: Some(7),
        top_logprobs: Some(2),
    }
}

/// Input, cached, written to the cache, output, reasoning; below zero is not known.
fn usage(counts: [i64; 5]) -> Usage {
    let [input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens] =
        counts.map(|count| (count >= 0).then_some(count));
    Usage { input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens }
}

#[test]
fn tokens_of_each_server_are_counted_alike() {
    let openai = |usage: Value| json!({"choices": [], "usage": usage});
    let anthropic = |usage: Value| json!({"content": [], "usage": usage});
    let gemini = |usage: Value| json!({"candidates": [], "usageMetadata": usage});
    let table = [
        (
            Chat,
            openai(json!({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})),
            [9, -1, -1, 2, -1],
        ),
        // OpenAI: what is cached is a part of the input, reasoning of the output.
        (
            Chat,
            openai(json!({"prompt_tokens": 9, "completion_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 6}})),
            [9, 4, -1, 8, 6],
        ),
        // OpenAI's newer API.
        (
            Chat,
            openai(json!({"input_tokens": 9, "output_tokens": 8,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 6}})),
            [9, 4, -1, 8, 6],
        ),
        // DeepSeek.
        (
            Chat,
            openai(json!({"prompt_tokens": 9, "completion_tokens": 2,
            "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 1})),
            [9, 8, -1, 2, -1],
        ),
        // Moonshot.
        (
            Chat,
            openai(json!({"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 3})),
            [9, 3, -1, 2, -1],
        ),
        // OpenRouter.
        (
            Chat,
            openai(json!({"prompt_tokens": 9, "completion_tokens": 2, "cost": 0.1,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 5}})),
            [9, 0, 5, 2, -1],
        ),
        // vLLM gives no details.
        (
            Chat,
            openai(json!({"prompt_tokens": 9, "completion_tokens": 2,
            "prompt_tokens_details": null})),
            [9, -1, -1, 2, -1],
        ),
        (
            Completions,
            openai(json!({"prompt_tokens": 9, "completion_tokens": 2})),
            [9, -1, -1, 2, -1],
        ),
        (Chat, openai(json!({"prompt_tokens": "9", "completion_tokens": 2.0})), [9, -1, -1, 2, -1]),
        (
            Chat,
            openai(json!({"prompt_tokens": 9.0, "completion_tokens": " 2 "})),
            [9, -1, -1, 2, -1],
        ),
        (Chat, openai(json!({"prompt_tokens": -1, "completion_tokens": 1e300})), [-1; 5]),
        (
            Chat,
            openai(json!({"prompt_tokens": null, "completion_tokens": "many",
            "prompt_tokens_details": [4]})),
            [-1; 5],
        ),
        (Chat, openai(json!(null)), [-1; 5]),
        (Chat, openai(json!("none")), [-1; 5]),
        (Chat, json!({"choices": []}), [-1; 5]),
        // Anthropic: what is cached comes on top.
        (
            Anthropic,
            anthropic(json!({"input_tokens": 4, "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 3, "output_tokens": 5})),
            [9, 3, 2, 5, -1],
        ),
        (
            Anthropic,
            anthropic(json!({"input_tokens": 4, "output_tokens": 5,
            "cache_creation_input_tokens": null})),
            [4, -1, -1, 5, -1],
        ),
        (
            Anthropic,
            anthropic(json!({"input_tokens": i64::MAX, "output_tokens": 5,
            "cache_read_input_tokens": 3})),
            [-1, 3, -1, 5, -1],
        ),
        (Anthropic, anthropic(json!({"output_tokens": 5})), [-1, -1, -1, 5, -1]),
        (Anthropic, json!({"content": []}), [-1; 5]),
        // Gemini: reasoning comes on top.
        (
            Gemini,
            gemini(json!({"promptTokenCount": 9, "cachedContentTokenCount": 4,
            "candidatesTokenCount": 2, "thoughtsTokenCount": 6})),
            [9, 4, -1, 8, 6],
        ),
        (
            Gemini,
            gemini(json!({"promptTokenCount": 9, "candidatesTokenCount": 2})),
            [9, -1, -1, 2, -1],
        ),
        (
            Gemini,
            gemini(json!({"promptTokenCount": 9, "thoughtsTokenCount": 6})),
            [9, -1, -1, 6, 6],
        ),
        (Gemini, gemini(json!({"promptTokenCount": 9})), [9, -1, -1, -1, -1]),
        (Gemini, json!({"candidates": []}), [-1; 5]),
    ];
    for (at, (dialect, reply, counts)) in table.into_iter().enumerate() {
        assert_eq!(dialect.read(&reply).usage, usage(counts), "{at}: {reply}");
    }
}

fn read(dialect: Dialect, reply: &Value) -> Result<Answer, reply::Complaint> {
    match reply::read(reply.to_string().as_bytes(), |value| dialect.read(value)) {
        Ok(Reply::Answer(answer)) => Ok(*answer),
        Ok(Reply::Complaint(complaint)) => Err(complaint),
        Err(cause) => panic!("{cause}"),
    }
}

#[test]
fn why_each_server_stopped_decides_the_outcome() {
    let chat = |content: Value, why: Value| {
        let message = json!({"content": content});
        json!({"choices": [{"message": message, "finish_reason": why}]})
    };
    let text = |why: &str| json!({"choices": [{"text": "a", "finish_reason": why}]});
    let anthropic =
        |why: &str| json!({"content": [{"type": "text", "text": "a"}], "stop_reason": why});
    let gemini = |why: &str| {
        let content = json!({"parts": [{"text": "a"}]});
        json!({"candidates": [{"content": content, "finishReason": why}]})
    };
    let a = Some("a");
    let table = [
        (Chat, chat(json!("a"), json!("stop")), Answered, a),
        (Chat, chat(json!("a"), json!(null)), Answered, a),
        (Chat, chat(json!("a"), json!("eos")), Answered, a),
        (Chat, chat(json!("a"), json!("stop_sequence")), Answered, a),
        (Chat, chat(json!("a"), json!({"type": "stop"})), Answered, a),
        (Chat, chat(json!("a"), json!("length")), Truncated, a),
        (Chat, chat(json!("a"), json!("max_tokens")), Truncated, a),
        (Chat, chat(json!("a"), json!("model_length")), Truncated, a),
        (Chat, chat(json!("a"), json!("MAX_TOKENS")), Truncated, a),
        (Chat, chat(json!("a"), json!("error")), Failed, a),
        (Chat, chat(json!("a"), json!("abort")), Failed, a),
        (Chat, chat(json!("a"), json!("insufficient_system_resource")), Failed, a),
        (Chat, chat(json!(null), json!("tool_calls")), Empty, None),
        (Chat, chat(json!([{"type": "text", "text": "a"}]), json!("stop")), Answered, a),
        (Chat, json!({"choices": []}), Empty, None),
        (
            Chat,
            json!({"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}),
            Answered,
            a,
        ),
        (Chat, json!({"choices": [{"message": {"content": null, "refusal": "a"}}]}), Answered, a),
        (Chat, json!({"object": "list", "data": []}), Failed, None),
        // Filters: OpenAI and Azure, Zhipu, Bedrock behind a gateway.
        (Chat, chat(json!("a"), json!("content_filter")), Filtered, a),
        (Chat, chat(json!(null), json!("content_filter")), Filtered, None),
        (Chat, chat(json!(""), json!("sensitive")), Filtered, None),
        (Chat, chat(json!(""), json!("guardrail_intervened")), Filtered, None),
        (Completions, text("stop"), Answered, a),
        (Completions, text("length"), Truncated, a),
        (Completions, text("content_filter"), Filtered, a),
        (Anthropic, anthropic("end_turn"), Answered, a),
        (Anthropic, anthropic("stop_sequence"), Answered, a),
        (Anthropic, anthropic("tool_use"), Answered, a),
        (Anthropic, anthropic("max_tokens"), Truncated, a),
        (Anthropic, anthropic("model_context_window_exceeded"), Truncated, a),
        (Anthropic, anthropic("refusal"), Filtered, a),
        (Anthropic, json!({"content": [], "stop_reason": "refusal"}), Filtered, None),
        (Anthropic, json!({"content": [], "stop_reason": "end_turn"}), Empty, None),
        (
            Anthropic,
            json!({"content": [{"type": "redacted_thinking", "data": "x"}],
            "stop_reason": "max_tokens"}),
            Truncated,
            None,
        ),
        (Anthropic, json!({"choices": []}), Failed, None),
        (Gemini, gemini("STOP"), Answered, a),
        (Gemini, gemini("MAX_TOKENS"), Truncated, a),
        (Gemini, gemini("SAFETY"), Filtered, a),
        (Gemini, gemini("RECITATION"), Filtered, a),
        (Gemini, gemini("BLOCKLIST"), Filtered, a),
        (Gemini, gemini("PROHIBITED_CONTENT"), Filtered, a),
        (Gemini, gemini("SPII"), Filtered, a),
        (Gemini, gemini("OTHER"), Failed, a),
        (Gemini, json!({"candidates": [{"finishReason": "SAFETY"}]}), Filtered, None),
        (
            Gemini,
            json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {"promptTokenCount": 9}}),
            Filtered,
            None,
        ),
        (Gemini, json!({"promptFeedback": {"blockReason": "OTHER"}}), Filtered, None),
        (Gemini, json!({"usageMetadata": {"promptTokenCount": 9}}), Empty, None),
        (Gemini, json!({"choices": []}), Failed, None),
    ];
    for (at, (dialect, reply, outcome, text)) in table.into_iter().enumerate() {
        let answer = read(dialect, &reply).unwrap();
        assert_eq!((answer.outcome, answer.response.as_deref()), (outcome, text), "{at}: {reply}");
        assert_eq!(answer.error.is_some(), outcome == Failed, "{at}: {reply}");
    }
}

#[test]
fn errors_say_whether_a_filter_was_at_work_and_what_status_they_would_have() {
    let error = |error: Value| json!({"error": error});
    let table = [
        (error(json!({"code": "content_filter", "message": "no", "status": 400})), true, Some(400)),
        (
            error(json!({"code": null, "innererror": {"code": "ResponsibleAIPolicyViolation"}})),
            true,
            None,
        ),
        (error(json!({"type": "data_inspection_failed", "message": "no"})), true, None),
        (error(json!({"code": "InputTextSensitiveContentDetected", "message": "no"})), true, None),
        (
            error(json!({"message": "Content Exists Risk", "type": "invalid_request_error",
            "code": "invalid_request_error"})),
            true,
            Some(400),
        ),
        (
            json!({"contentFilter": [{"level": 1, "role": "user"}],
            "error": {"code": "1301", "message": "no"}}),
            true,
            None,
        ),
        (
            json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "Output blocked by content filtering policy"}}),
            true,
            Some(400),
        ),
        (
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
            false,
            Some(529),
        ),
        (error(json!({"code": 503, "message": "busy", "status": "UNAVAILABLE"})), false, Some(503)),
        (error(json!({"code": "bad", "message": "content_filter is no parameter"})), false, None),
    ];
    for (reply, filtered, status) in table {
        for dialect in [Chat, Anthropic, Gemini] {
            let complaint = read(dialect, &reply).unwrap_err();
            assert_eq!((complaint.filtered, complaint.status), (filtered, status), "{reply}");
        }
    }
}

mod parts;
mod requests;
