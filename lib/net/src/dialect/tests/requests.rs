use super::*;

const TALK: [(&str, &str); 4] =
    [("system", "Be brief."), ("user", "Why?"), ("assistant", "Why what?"), ("user", "Just why?")];

fn body(dialect: Dialect, decoding: Decoding, turns: &[(&str, &str)], stream: bool) -> String {
    dialect.body("m", &request(decoding, turns), stream).to_string()
}

#[test]
fn chat_sends_what_is_set() {
    let q = [("user", "Why?")];
    let head = r#"{"model":"m","messages":[{"role":"user","content":"Why?"}]"#;
    assert_eq!(body(Chat, Decoding::default(), &q, false), format!("{head}}}"));
    let settings = concat!(
        r#""temperature":0.0,"top_p":0.5,"top_k":40,"max_tokens":9,"seed":7,"#,
        r#""logprobs":true,"top_logprobs":2"#
    );
    assert_eq!(body(Chat, all(), &q, false), format!("{head},{settings}}}"));
    assert_eq!(Value::Object(Chat.settings(&all())).to_string(), format!("{{{settings}}}"));
    let stream = r#""stream":true,"stream_options":{"include_usage":true}"#;
    assert_eq!(body(Chat, Decoding::default(), &q, true), format!("{head},{stream}}}"));
    let own = Decoding { top_logprobs: Some(0), ..Decoding::default() };
    assert!(body(Chat, own, &q, false).ends_with(r#","logprobs":true,"top_logprobs":0}"#));
}

#[test]
fn a_turn_of_the_assistant_at_the_end_is_gone_on_with() {
    let prefill = [("user", "Why?"), ("assistant", "Because")];
    let end = r#","add_generation_prompt":false,"continue_final_message":true}"#;
    assert!(body(Chat, Decoding::default(), &prefill, false).ends_with(end));
    assert!(!body(Chat, Decoding::default(), &TALK, false).contains("add_generation_prompt"));
    assert_eq!(
        body(Anthropic, Decoding::default(), &prefill, false),
        concat!(
            r#"{"model":"m","messages":[{"role":"user","content":"Why?"},"#,
            r#"{"role":"assistant","content":"Because"}],"max_tokens":1024}"#
        )
    );
}

#[test]
fn completions_send_one_text() {
    assert_eq!(
        body(Completions, all(), &[("user", " Once\n")], false),
        concat!(
            r#"{"model":"m","prompt":" Once\n","temperature":0.0,"top_p":0.5,"top_k":40,"#,
            r#""max_tokens":9,"seed":7,"logprobs":2}"#
        )
    );
    assert_eq!(
        body(Completions, Decoding::default(), &TALK, true),
        concat!(
            r#"{"model":"m","prompt":"Be brief.\n\nWhy?\n\nWhy what?\n\nJust why?","#,
            r#""stream":true,"stream_options":{"include_usage":true}}"#
        )
    );
}

#[test]
fn anthropic_has_the_system_apart_and_no_seed() {
    assert_eq!(
        body(Anthropic, all(), &TALK, true),
        concat!(
            r#"{"model":"m","system":"Be brief.","messages":[{"role":"user","content":"Why?"},"#,
            r#"{"role":"assistant","content":"Why what?"},{"role":"user","content":"Just why?"}],"#,
            r#""temperature":0.0,"top_p":0.5,"top_k":40,"max_tokens":9,"stream":true}"#
        )
    );
}

#[test]
fn gemini_calls_the_assistant_model() {
    assert_eq!(
        body(Gemini, all(), &TALK, true),
        concat!(
            r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":["#,
            r#"{"role":"user","parts":[{"text":"Why?"}]},"#,
            r#"{"role":"model","parts":[{"text":"Why what?"}]},"#,
            r#"{"role":"user","parts":[{"text":"Just why?"}]}],"#,
            r#""generationConfig":{"temperature":0.0,"topP":0.5,"topK":40,"maxOutputTokens":9,"#,
            r#""seed":7,"responseLogprobs":true,"logprobs":2}}"#
        )
    );
    assert_eq!(
        body(Gemini, Decoding::default(), &[("user", "Why?")], false),
        r#"{"contents":[{"role":"user","parts":[{"text":"Why?"}]}]}"#
    );
    let own = Decoding { top_logprobs: Some(0), ..Decoding::default() };
    let settings = Value::Object(Gemini.settings(&own)).to_string();
    assert_eq!(settings, r#"{"responseLogprobs":true}"#);
}

#[test]
fn each_dialect_has_its_address_and_headers() {
    let ends = [Chat, Completions, Anthropic, Gemini].map(|dialect| dialect.api("m", false));
    assert_eq!(
        ends,
        ["/chat/completions", "/completions", "/messages", "/models/m:generateContent"]
    );
    assert_eq!(Gemini.api("models/m", true), "/models/m:streamGenerateContent?alt=sse");
    assert_eq!(Chat.key_header(), ("authorization", "Bearer "));
    assert_eq!(Anthropic.key_header(), ("x-api-key", ""));
    assert_eq!(Gemini.key_header(), ("x-goog-api-key", ""));
    assert_eq!(Anthropic.headers(), [("anthropic-version", "2023-06-01")]);
    assert!(Chat.headers().is_empty() && Gemini.headers().is_empty());
}

#[test]
fn what_a_file_may_rename_is_what_is_sent() {
    for dialect in [Chat, Completions, Anthropic, Gemini] {
        let turns = [("user", "a"), ("assistant", "b")];
        let mut body = dialect.body("m", &request(all(), &turns), true);
        let mut fields: Vec<_> = dialect.settings_in(&mut body).unwrap().keys().cloned().collect();
        fields.retain(|field| !["model", "messages", "prompt", "stream"].contains(&field.as_str()));
        fields.sort();
        let mut known = dialect.fields().to_vec();
        known.sort_unstable();
        assert_eq!(fields, known, "{dialect:?}");
    }
}
