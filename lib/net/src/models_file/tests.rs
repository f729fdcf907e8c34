use super::*;

const FULL: &str = r#"
[model.qwen]
provider = "vllm"
base_url = "http://127.0.0.1:8000/v1"
model = "Qwen/Qwen3-8B"
api_key_env = "QWEN_KEY"
temperature = 0.7
top_p = 1
top_k = 40
max_tokens = 64
seed = -1
top_logprobs = 5
max_connections = 256
requests_per_minute = 600
tokens_per_minute = 100000
context_tokens = 32768
system = "Be brief."
stream = true
[model.qwen.price]
date = 2026-11-01
input = 0.5
output = 2
cached_input = 0.05
cache_write = 0.6

[model."gpt 4"]
api_key_file = "keys/gpt"
"#;

#[test]
fn every_key_is_read() {
    let file = parse("models.toml", FULL).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["gpt 4", "qwen"]);
    assert_eq!(file.get("gpt"), None);
    let qwen = ModelEntry {
        provider: Some("vllm".to_owned()),
        base_url: Some("http://127.0.0.1:8000/v1".to_owned()),
        model: "Qwen/Qwen3-8B".to_owned(),
        api_key_env: Some("QWEN_KEY".to_owned()),
        api_key_file: None,
        decoding: Decoding {
            temperature: Some(0.7),
            top_p: Some(1.0),
            top_k: Some(40),
            max_tokens: Some(64),
            seed: Some(-1),
            top_logprobs: Some(5),
        },
        max_connections: Some(256),
        requests_per_minute: Some(600),
        tokens_per_minute: Some(100_000),
        context_tokens: Some(32_768),
        system: Some("Be brief.".to_owned()),
        stream: Some(true),
        price: Some(Price {
            date: "2026-11-01".to_owned(),
            input: 0.5,
            output: 2.0,
            cached_input: Some(0.05),
            cache_write: Some(0.6),
        }),
    };
    assert_eq!(file.get("qwen"), Some(&qwen));
    let plain = ModelEntry {
        provider: None,
        base_url: None,
        model: "gpt 4".to_owned(),
        api_key_env: None,
        api_key_file: Some("keys/gpt".into()),
        decoding: Decoding::default(),
        max_connections: None,
        requests_per_minute: None,
        tokens_per_minute: None,
        context_tokens: None,
        system: None,
        stream: None,
        price: None,
    };
    assert_eq!(file.get("gpt 4"), Some(&plain));
}

fn error(text: &str) -> String {
    parse("models.toml", text).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, what) in [
        ("", "models.toml: no model in it; add a table [model.NAME]"),
        ("about = 1", "models.toml:1: unknown field `about`"),
        ("[model.a]\nbase = 'x'", "models.toml:2: unknown field `base`"),
        ("[model.a]\nseed = 1\nseed = 2", "models.toml:3: duplicate key"),
        ("[model.a]\n[model.a]", "models.toml:2: duplicate key"),
        ("[model.a]\nmodel = ''", "models.toml:2: model.a.model: is empty"),
        ("[model.a]\nprovider = ' '", "models.toml:2: model.a.provider: is empty"),
        ("[model.a]\nbase_url = ''", "models.toml:2: model.a.base_url: is empty"),
        ("[model.a]\napi_key_file = ''", "models.toml:2: model.a.api_key_file: is empty"),
        ("[model.'']", "models.toml: model..model: is empty"),
        ("[model.a]\ntemperature = nan", "models.toml:2: model.a.temperature: expected a number"),
        ("[model.a]\n\ntemperature = -1", "models.toml:3: model.a.temperature: expected a number"),
        ("[model.a]\ntop_p = 1.01", "models.toml:2: model.a.top_p: expected a number from 0 to 1"),
        ("[model.a]\nmax_tokens = 0", "models.toml:2: model.a.max_tokens: expected 1 or more"),
        ("[model.a]\nmax_connections = 0", ":2: model.a.max_connections: expected 1 or more"),
        ("[model.a]\nrequests_per_minute = 0", ":2: model.a.requests_per_minute: expected 1"),
        ("[model.a]\ntokens_per_minute = -5", ":2: model.a.tokens_per_minute: expected 1"),
        ("[model.a]\ncontext_tokens = 0", ":2: model.a.context_tokens: expected 1 or more"),
        ("[model.a]\nstream = 1", "models.toml:2: invalid type: integer `1`, expected a boolean"),
        (
            "[model.a]\napi_key_env = 'A'\napi_key_file = 'b'",
            "models.toml:3: model.a.api_key_file: api_key_env is there as well",
        ),
    ] {
        let error = error(text);
        assert!(error.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn a_price_has_a_day_and_is_not_negative() {
    for (text, what) in [
        ("input = 1\noutput = 1", "missing field `date`"),
        ("date = 2026-11-01\ninput = 1", "missing field `output`"),
        ("date = '2026-11-01'\ninput = 1\noutput = 1", "models.toml:2: "),
        ("date = 2026-11-01T10:00:00Z\ninput = 1\noutput = 1", "models.toml:2: expected a day"),
        ("date = 10:00:00\ninput = 1\noutput = 1", "models.toml:2: expected a day such as"),
        (
            "date = 2026-11-01\ninput = -1\noutput = 1",
            "models.toml:3: model.a.price.input: expected a price of 0 or more, found -1",
        ),
        ("date = 2026-11-01\ninput = 1\noutput = nan", ":4: model.a.price.output: expected"),
        (
            "date = 2026-11-01\ninput = 1\noutput = 1\ncached_input = inf",
            "models.toml:5: model.a.price.cached_input: expected a price of 0 or more, found inf",
        ),
        ("date = 2026-11-01\ninput = 1\noutput = 1\ncache_write = -1", "price.cache_write: "),
    ] {
        let error = error(&format!("[model.a.price]\n{text}"));
        assert!(error.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn a_key_is_refused_and_not_shown() {
    const KEY: &str = "sk-canary-4711";
    for (line, what) in [
        (format!("api_key = '{KEY}'"), "models.toml:2: model.a.api_key: holds a key; put"),
        (format!("key = '{KEY}'"), "model.a.key: holds a key"),
        (format!("token = '{KEY}'"), "model.a.token: holds a key"),
        (format!("Authorization = 'Bearer {KEY}'"), "write api_key_env = \"ITS_NAME\""),
        // Whatever else is wrong.
        (format!("seed = 'x'\nnonsense = 1\napi_key = '{KEY}'"), "models.toml:4: model.a.api_key"),
        (format!("apikey = '{KEY}'"), "models.toml:2: unknown field `apikey`"),
        (format!("api_key_env = '{KEY}'"), "models.toml:2: model.a.api_key_env: is no variable's"),
        (format!("api_key_env = '{KEY}'"), "write api_key_env = \"ITS_NAME\""),
        ("api_key_env = 'canary4711'".to_owned(), "api_key_env: is no variable's name"),
        ("api_key_env = ''".to_owned(), "api_key_env: is no variable's name"),
        // As text where something else belongs, and without quotes.
        (format!("price = '{KEY}'"), "models.toml:2: invalid type: text, expected"),
        (format!("seed = '{KEY}\", expected x'"), "models.toml:2: invalid type: text, expected"),
        (format!("api_key = {KEY}"), "models.toml:2: "),
        (format!("api_key = '{KEY}"), "models.toml:2: "),
    ] {
        let error = error(&format!("[model.a]\n{line}"));
        assert!(error.contains(what), "{line:?}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let error = error(&format!("[model]\na = '{KEY}'"));
    assert!(error.contains("models.toml:2: ") && !error.contains("canary"), "{error}");
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let error = ModelsFile::read(Path::new("/none/models.toml")).unwrap_err().to_string();
    assert!(error.starts_with("/none/models.toml: No such file"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.toml");
    std::fs::write(&path, FULL).unwrap();
    assert_eq!(ModelsFile::read(&path).unwrap().names().count(), 2);
}
