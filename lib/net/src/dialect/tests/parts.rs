use super::*;
use crate::exchange::Logprob;

#[test]
fn reasoning_is_kept_apart() {
    let read = |message: Value, why: &str| {
        let answer = Chat.read(&json!({"choices": [{"message": message, "finish_reason": why}]}));
        (answer.outcome, answer.reasoning, answer.response)
    };
    let of = |outcome: Outcome, reasoning: Option<&str>, response: Option<&str>| {
        (outcome, reasoning.map(str::to_owned), response.map(str::to_owned))
    };
    let content = |text: &str| json!({"content": text});
    let both = of(Answered, Some("hm"), Some("yes"));
    assert_eq!(read(json!({"content": "yes", "reasoning_content": "hm"}), "stop"), both);
    assert_eq!(read(json!({"content": "yes", "reasoning": "hm"}), "stop"), both);
    let parts = json!({"content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "yes"}]});
    assert_eq!(read(parts, "stop"), both);
    assert_eq!(read(content("<think>\nhm\n</think>\n\nyes"), "stop"), both);
    assert_eq!(read(content("\n<think>hm</think>yes"), "length"), (Truncated, both.1, both.2));
    assert_eq!(read(content("<think>hm"), "length"), of(Truncated, Some("hm"), None));
    assert_eq!(read(content("<think>hm</think>\n"), "stop"), of(Empty, Some("hm"), None));
    assert_eq!(read(content("<think></think>yes"), "stop"), of(Answered, None, Some("yes")));
    // These are text.
    for text in ["<think>hm", "Well, <think>hm</think>yes", "</think>", "<thinking>a</thinking>"] {
        assert_eq!(read(content(text), "stop"), of(Answered, None, Some(text)));
    }
    let apart = json!({"content": "<think>a</think>", "reasoning": "hm"});
    assert_eq!(read(apart, "stop"), of(Answered, Some("hm"), Some("<think>a</think>")));
    let raw = json!({"choices": [{"text": "<think>a</think>"}]});
    assert_eq!(Completions.read(&raw).response.as_deref(), Some("<think>a</think>"));

    let blocks = json!([{"type": "thinking", "thinking": "h", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"}, {"type": "thinking", "thinking": "m"},
        {"type": "text", "text": "ye"}, {"type": "text", "text": "s"}]);
    let answer = Anthropic.read(&json!({"content": blocks, "stop_reason": "end_turn"}));
    assert_eq!(
        (answer.reasoning.as_deref(), answer.response.as_deref()),
        (Some("hm"), Some("yes"))
    );
    let parts = json!([{"text": "hm", "thought": true}, {"text": "ye"}, {"functionCall": {}},
        {"text": "s", "thought": false}]);
    let answer = Gemini.read(&json!({"candidates": [{"content": {"parts": parts}}]}));
    assert_eq!(
        (answer.reasoning.as_deref(), answer.response.as_deref()),
        (Some("hm"), Some("yes"))
    );
}

#[test]
fn the_likelihood_of_tokens_in_each_shape() {
    let token = |token: &str, logprob: f64, top: &[(&str, f64)]| Logprob {
        token: token.to_owned(),
        logprob,
        top: top.iter().map(|(token, logprob)| ((*token).to_owned(), *logprob)).collect(),
    };
    let expected = Some(vec![
        token("a", -0.5, &[("a", -0.5), ("c", -1.5)]),
        token("b", -2.0, &[("d", -0.25), ("b", -2.0)]),
    ]);
    let chat = json!({"content": [
        {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [
            {"token": "a", "logprob": -0.5}, {"token": "c", "logprob": -1.5}]},
        {"token": "b", "logprob": -2, "top_logprobs": [
            {"token": "d", "logprob": -0.25}, {"token": "b", "logprob": -2.0}]}]});
    let old = json!({"tokens": ["<s>", "a", "b"], "token_logprobs": [null, -0.5, -2.0],
        "top_logprobs": [null, {"c": -1.5, "a": -0.5}, {"b": -2.0, "d": -0.25}],
        "text_offset": [0, 1, 2]});
    let choice = |logprobs: &Value| json!({"choices": [{"text": "ab", "logprobs": logprobs}]});
    for logprobs in [&chat, &old] {
        for dialect in [Chat, Completions] {
            assert_eq!(dialect.read(&choice(logprobs)).logprobs, expected, "{logprobs}");
        }
    }
    let of = |token: &str, number: f64| json!({"token": token, "logProbability": number});
    let result = json!({
        "chosenCandidates": [of("a", -0.5), of("b", -2.0)],
        "topCandidates": [{"candidates": [of("a", -0.5), of("c", -1.5)]},
            {"candidates": [of("d", -0.25), of("b", -2.0)]}]});
    let reply = json!({"candidates": [{"logprobsResult": result, "avgLogprobs": -1.25}]});
    assert_eq!(Gemini.read(&reply).logprobs, expected);
    let bare = json!({"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]});
    assert_eq!(Chat.read(&choice(&bare)).logprobs, Some(vec![token("a", -0.5, &[])]));
    for none in [
        json!(null),
        json!({"content": null}),
        json!({"content": []}),
        json!(-0.5),
        json!({"tokens": 7, "token_logprobs": []}),
        json!({"content": [{"token": "a"}]}),
    ] {
        assert_eq!(Chat.read(&choice(&none)).logprobs, None, "{none}");
    }
}

#[test]
fn the_server_says_which_model_answered() {
    let reply = json!({"choices": [], "model": "m-1", "system_fingerprint": "fp"});
    let answer = Chat.read(&reply);
    assert_eq!(answer.served_model.as_deref(), Some("m-1"));
    assert_eq!(answer.system_fingerprint.as_deref(), Some("fp"));
    let answer = Anthropic.read(&json!({"content": [], "model": "m-1"}));
    assert_eq!(answer.served_model.as_deref(), Some("m-1"));
    let answer = Gemini.read(&json!({"candidates": [], "modelVersion": "m-1"}));
    assert_eq!(answer.served_model.as_deref(), Some("m-1"));
}
