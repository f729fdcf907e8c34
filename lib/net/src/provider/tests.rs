use super::*;

fn error(text: &str) -> String {
    let text = format!("about = \"a test\"\ndialect = \"chat\"\n{text}");
    Provider::parse("p.toml", &text).unwrap_err().to_string()
}

fn parse(text: &str) -> Provider {
    Provider::parse("p.toml", &format!("about = \"a test\"\n{text}")).unwrap()
}

fn request(decoding: Decoding) -> Request {
    Request {
        model: 0,
        sample: 0,
        decoding,
        messages: vec![Message::user("Why?")],
        traits: Traits::default(),
    }
}

#[test]
fn each_file_that_comes_with_the_program_does_what_its_example_says() {
    for (name, text) in BUILT_IN {
        // The example is tried as the file is read.
        let provider = Provider::parse(name, text).unwrap();
        assert!(provider.example.is_some() && !provider._about.is_empty(), "{name}");
        let tls = provider.base_url.as_deref().is_none_or(|url| url.starts_with("https://"));
        assert!(tls || provider.api_key_env.is_none(), "{name}");
    }
}

#[test]
fn an_example_that_does_not_hold_is_an_error() {
    let (_, good) = *BUILT_IN.iter().find(|(name, _)| *name == "openai").unwrap();
    for (from, to, what) in [
        ("max_completion_tokens\"", "max_token\"", "example.request: what is sent is {\"model\""),
        ("outcome = \"answered\"", "outcome = \"empty\"", "example.answer: what is read is {"),
        ("input_tokens = 9\n", "", "example.answer: what is read is {"),
        ("{\"id\":\"1\"", "{\"error\":\"broken\"", "example.reply: it is an error: broken"),
        ("{\"model\":\"m\"", "{", "example.request: not JSON: "),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = Provider::parse("openai.toml", &text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("openai.toml: {what}")), "{error}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    assert_eq!(
        Provider::parse("p.toml", "about = \"\"\ndialect = \"talk\"").unwrap_err().to_string(),
        "p.toml:2: unknown variant `talk`, expected one of `chat`, `completions`, `anthropic`, \
         `gemini`"
    );
    assert!(error("colour = 1").starts_with("p.toml:3: unknown field `colour`"));
    for (text, expected) in [
        ("[headers]\nX-Api-Key = \"a\"", "headers.X-Api-Key: it would hold a key"),
        ("[headers]\nx = \"Bearer a\"", "headers.x: it would hold a key"),
        ("key_header = \"x-k\"\n[headers]\nX-K = \"a\"", "headers.X-K: it would hold a key"),
        ("[headers]\nx = \"a\\nb\"", "headers.x: it holds characters"),
        ("[headers]\n\"x y\" = \"a\"", "headers.x y: not the name of a header"),
        ("key_header = \"a b\"", "key_header: not the name"),
        ("key_prefix = \"\\n\"", "key_prefix: it holds characters"),
        ("api_key_env = \"sk-123\"", "api_key_env: not the name of a variable"),
        ("base_url = \"https://a.b/v1?key=1\"", "base_url: it holds a key"),
        ("[rename]\nmodel = \"name\"", "rename.model: no such field; there are: temperature, "),
        ("[body]\nstream = true", "body.stream: each request sets it itself"),
        ("[read]\nresponse = \"output\"", "read: \"output\" is no JSON pointer"),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("p.toml: {expected}")), "{error}");
    }
}

#[test]
fn headers_are_the_dialects_unless_the_file_has_others() {
    let plain = Provider::of(Dialect::Anthropic);
    assert_eq!(plain.key_header(), ("x-api-key", ""));
    assert_eq!(plain.headers().collect::<Vec<_>>(), [("anthropic-version", "2023-06-01")]);
    let provider = parse("dialect = \"anthropic\"\n[headers]\nanthropic-version = \"2\"");
    assert_eq!(provider.headers().last(), Some(("anthropic-version", "2")));
    assert_eq!(parse("dialect = \"chat\"").key_header(), ("authorization", "Bearer "));
    let provider = parse("dialect = \"chat\"\nkey_header = \"api-key\"");
    assert_eq!(provider.key_header(), ("api-key", ""));
    let provider = parse("dialect = \"chat\"\nkey_prefix = \"Token \"");
    assert_eq!(provider.key_header(), ("authorization", "Token "));
}

#[test]
fn fields_are_renamed_left_out_and_added_where_the_settings_are() {
    let all = Decoding {
        temperature: Some(0.0),
        top_p: None,
        top_k: Some(4),
        max_tokens: Some(5),
        seed: Some(7),
        top_logprobs: Some(2),
    };
    let provider = parse(
        "dialect = \"chat\"\n[rename]\ntop_k = \"\"\nlogprobs = \"\"\ntop_logprobs = \"logprobs\"\n\
         stream_options = \"\"\n[body]\nmax_tokens = 99\nsafe_prompt = false",
    );
    let settings = r#""temperature":0.0,"max_tokens":5,"seed":7,"logprobs":2"#;
    let head = r#"{"model":"m","messages":[{"role":"user","content":"Why?"}]"#;
    assert_eq!(
        provider.body("m", &request(all.clone()), true).to_string(),
        format!("{head},{settings},\"stream\":true,\"safe_prompt\":false}}")
    );
    assert_eq!(
        Value::Object(provider.settings(&all)).to_string(),
        format!("{{{settings},\"safe_prompt\":false}}")
    );
    let provider = parse(
        "dialect = \"gemini\"\n[rename]\nmaxOutputTokens = \"max\"\n\
         [body.generationConfig]\nseed = 1\nthinkingConfig = { thinkingBudget = 0 }",
    );
    let body = provider.body("m", &request(Decoding { top_logprobs: None, ..all }), false);
    assert_eq!(
        body["generationConfig"].to_string(),
        r#"{"temperature":0.0,"topK":4,"max":5,"seed":7,"thinkingConfig":{"thinkingBudget":0}}"#
    );
    let bare = provider.body("m", &request(Decoding::default()), false);
    assert_eq!(bare["generationConfig"]["seed"], 1);
}

#[test]
fn parts_of_a_reply_are_read_where_the_file_says() {
    let provider = parse(
        "dialect = \"chat\"\n[read]\nresponse = \"/output/0/text\"\nreasoning = \"/thoughts\"\n\
         finish_reason = \"/why\"\ninput_tokens = \"/n/in\"\noutput_tokens = \"/n/out\"",
    );
    assert!(!provider.streams() && Provider::of(Dialect::Chat).streams());
    let read = |reply: Value| Value::Object(shown(&provider.read(&reply))).to_string();
    let reply = |text: Value, why: &str| {
        let (output, n) = (json!([{"text": text}]), json!({"in": 9, "out": "2"}));
        json!({"output": output, "thoughts": "Hm.", "why": why, "n": n})
    };
    let expected = concat!(
        r#"{"outcome":"answered","response":"Because.","reasoning":"Hm.","#,
        r#""finish_reason":"stop","input_tokens":9,"output_tokens":2}"#
    );
    assert_eq!(read(reply(json!("Because."), "stop")), expected);
    for (text, why, outcome) in [
        (json!(null), "stop", Outcome::Empty),
        (json!("Bec"), "length", Outcome::Truncated),
        (json!(""), "content_filter", Outcome::Filtered),
    ] {
        assert_eq!(provider.read(&reply(text, why)).outcome, outcome, "{why}");
    }
    let answer = provider.read(&json!({"output": []}));
    assert_eq!(answer.outcome, Outcome::Failed);
    assert!(answer.error.unwrap().contains("`/output/0/text`"));
    // A place of the reason alone does not make a reply of what is none.
    let provider = parse("dialect = \"chat\"\n[read]\nfinish_reason = \"/why\"");
    assert_eq!(provider.read(&json!({"why": "stop"})).outcome, Outcome::Failed);
}
