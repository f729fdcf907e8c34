use super::*;
use crate::template::Library;

fn open(name: &str) -> ReportTemplate {
    ReportTemplate::open(&Library::default().get(&["report"], name).unwrap()).unwrap()
}

#[test]
fn every_example_holds() {
    for file in Library::default().list("report").unwrap() {
        let missing = ReportTemplate::open(&file).unwrap().check_example();
        assert_eq!(missing.unwrap(), Vec::<String>::new(), "{}", file.place);
    }
}

fn table(lines: &[String]) -> Vec<RecordBatch> {
    let rows = crate::input::of_text(&lines.join("\n")).unwrap();
    rows.batches.collect::<Result<_>>().unwrap()
}

/// What models, risks and responses may say.
fn hostile() -> Vec<String> {
    let texts = [
        "<script>alert(1)</script>",
        "</title><script src=//x.example/a.js></script>",
        "<img src=x onerror=alert(1)>",
        "\"><svg onload=alert(1)>",
        "' onmouseover='alert(1)",
        "\" onfocus=\"alert(1)\" autofocus=\"",
        "</td></tr></table><h1>owned</h1>",
        "</style><style>*{display:none}</style>",
        "url(https://x.example/leak)",
        "<a href=\"javascript:alert(1)\">x</a>",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "<iframe src=https://x.example></iframe>",
        "<meta http-equiv=refresh content=0;url=https://x.example>",
        "<base href=https://x.example>",
        "<link rel=stylesheet href=https://x.example/a.css>",
        "<form action=https://x.example><input name=a></form>",
        "<object data=https://x.example></object>",
        "<math><mtext></mtext></math>",
        "<!-- ",
        "--> <b>",
        "<![CDATA[",
        "]]>",
        "{{ 7 * 7 }}",
        "{% for x in range(1000000) %}x{% endfor %}",
        "${7*7}",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "\u{202e}evil\u{202c}",
        "a\u{0}b",
        "line\nbreak | cell",
        "=cmd|' /C calc'!A0",
        "[x](https://x.example) ![x](https://x.example/a.png)",
        "@everyone #1 https://x.example",
        "`code` **bold** ~~no~~",
        "<details open ontoggle=alert(1)>",
        "\u{feff}\u{200b}hidden",
        "𝓜odel 模型 مودل",
    ];
    let mut all: Vec<String> = texts.map(str::to_owned).into();
    all.push("x".repeat(100_000));
    assert_eq!(all.len(), 40);
    all
}

fn hostile_report() -> Report {
    let mut report = Report { title: "<script>t</script>".into(), ..Report::default() };
    report.notes.push("<b onclick=a()>note".into());
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for text in hostile() {
        let row = |more: serde_json::Value| {
            let mut row = serde_json::json!({
                "critic": "c<script>", "model": text, "language": "all", "risk_dimension": text,
                "n": 5, "unscored": 1
            });
            row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            row.to_string()
        };
        let mut add = |name, more| lines.entry(name).or_default().push(row(more));
        add(
            "leaderboard",
            serde_json::json!({"safety_score":0.5,"safety_score_low":0.1,"safety_score_high":0.9,
                "safety_score_if_unsafe":0.4,"safety_score_if_safe":0.6,"asr_mean":0.5,
                "asr_mean_low":0.1,"asr_mean_high":0.9,"adaptive":0.5,"adaptive_low":0.1,"adaptive_high":0.9}),
        );
        let rate = serde_json::json!({"attack":text,"attack_success_rate":0.5,
            "attack_success_rate_low":0.1,"attack_success_rate_high":0.9});
        lines.entry("attack").or_default().push({
            let mut all = rate.clone();
            all["risk_dimension"] = "all".into();
            let mut row: serde_json::Value = serde_json::from_str(&row(all)).unwrap();
            row["risk_dimension"] = "all".into();
            row.to_string()
        });
        let mut add = |name, more| lines.entry(name).or_default().push(row(more));
        add(
            "risk",
            serde_json::json!({"risk_category":null,"safety_score":0.5,"safety_score_low":0.1,"safety_score_high":0.9}),
        );
        add(
            "risk",
            serde_json::json!({"risk_category":text,"safety_score":0.5,"safety_score_low":0.1,"safety_score_high":0.9}),
        );
        add(
            "examples",
            serde_json::json!({"prompt_id":text,"attack":text,"prompt":text,"response":text,"risk_score":0.9,"explanation":text}),
        );
        add(
            "over_refusal",
            serde_json::json!({"refused":1,"over_refusal":0.2,"over_refusal_low":0.1,"over_refusal_high":0.3,
                "attack_n":5,"attack_success_rate":0.5,"attack_success_rate_low":0.1,"attack_success_rate_high":0.9}),
        );
        add("scores", serde_json::json!({"bin":3,"score_from":0.15,"score_to":0.2}));
    }
    report.tables = lines.iter().map(|(name, lines)| ((*name).to_owned(), table(lines))).collect();
    report
}

#[test]
fn what_data_say_is_text_on_the_page() {
    let page = open("html").render(&hostile_report()).unwrap();
    let attribute = regex::Regex::new(r#"\s([a-zA-Z:-]+)\s*=\s*"([^"]*)""#).unwrap();
    let tag = regex::Regex::new(r"<(/?[a-zA-Z][a-zA-Z0-9]*)((?:\s[^<>]*)?)>").unwrap();
    let known = [
        "html",
        "head",
        "meta",
        "link",
        "title",
        "style",
        "body",
        "header",
        "h1",
        "h2",
        "h3",
        "p",
        "span",
        "nav",
        "a",
        "main",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "rect",
        "path",
        "circle",
        "text",
        "i",
        "small",
        "figure",
        "figcaption",
        "details",
        "summary",
        "pre",
        "code",
        "footer",
        "strong",
    ];
    let mut open: Vec<String> = Vec::new();
    for found in tag.captures_iter(&page) {
        let (name, rest) = (found[1].to_owned(), &found[2]);
        assert!(known.contains(&name.trim_start_matches('/')), "an element {name}");
        for attribute in attribute.captures_iter(rest) {
            let (key, value) = (attribute[1].to_lowercase(), attribute[2].to_lowercase());
            assert!(!key.starts_with("on"), "a handler {key}");
            if ["href", "src", "action", "style"].contains(&key.as_str()) {
                assert!(
                    value.starts_with('#')
                        || value.starts_with("--r:")
                        || value.starts_with("width:")
                        || value == "data:,",
                    "{key}={value}"
                );
            }
        }
        let void = rest.ends_with('/') || ["meta", "link"].contains(&name.as_str());
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed)),
            None if void => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}') && !page.contains('\0'));
    assert!(page.contains("{{ 7 * 7 }}") && !page.contains(">49<"));
    assert!(page.len() < 5_000_000, "{}", page.len());
}

#[test]
fn what_data_say_is_no_markdown_and_controls_no_terminal() {
    let report = hostile_report();
    let page = open("markdown").render(&report).unwrap();
    assert!(!page.contains("<script") && !page.contains("](http") && !page.contains("@everyone"));
    assert!(!page.contains("https://x") && !page.contains("<img"));
    let text = open("terminal").render(&report).unwrap();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn an_empty_input_says_so() {
    for name in ["html", "markdown", "terminal"] {
        let text = open(name).render(&Report { title: "T".into(), ..Report::default() }).unwrap();
        assert!(text.contains("nothing to report"), "{name}");
    }
}

#[test]
fn twenty_models_and_a_hundred_risks_are_one_small_file() {
    let mut report = Report::default();
    let (mut board, mut risks) = (Vec::new(), Vec::new());
    for model in 0..20 {
        let score = r#""n":500,"unscored":0,"safety_score":0.5,"safety_score_low":0.4,"safety_score_high":0.6"#;
        board.push(format!(
            r#"{{"critic":"c","model":"m{model}","language":"all",{score},"safety_score_if_unsafe":0.5,"safety_score_if_safe":0.5,"asr_mean":null,"adaptive":null}}"#
        ));
        for risk in 0..100 {
            risks.push(format!(
                r#"{{"critic":"c","model":"m{model}","risk_dimension":"d{}","risk_category":"r{risk}",{score}}}"#,
                risk / 13
            ));
        }
    }
    report.tables.insert("leaderboard".into(), table(&board));
    report.tables.insert("risk".into(), table(&risks));
    let page = open("html").render(&report).unwrap();
    assert!(page.len() < 1_000_000 && page.contains("r99"), "{}", page.len());
}
