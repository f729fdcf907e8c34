//! What models, files and responses may say, to a browser, a page of a code host and a terminal.

use super::page::Page;
use super::*;

/// Forty texts that would be more than text.
fn texts() -> Vec<String> {
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
        "line\nbreak | cell\n\n# owned",
        "=cmd|' /C calc'!A0",
        "[x](https://x.example) ![x](https://x.example/a.png)",
        "@everyone #1 https://x.example www.x.example",
        "`code` **bold** ~~no~~ _it_",
        "<details open ontoggle=alert(1)>",
        "\u{feff}\u{200b}hidden",
        "𝓜odel 模型 مودل",
    ];
    let mut all: Vec<String> = texts.map(str::to_owned).into();
    all.push("x".repeat(100_000));
    assert_eq!(all.len(), 40);
    all
}

/// A report whose every text is one of these.
fn report_of(texts: &[String]) -> Report {
    let critics = [texts[0].as_str(), texts[3].as_str()];
    let (risks, attacks) = (&texts[..8], &texts[8..20]);
    let mut report = report(&critics, texts, risks, attacks);
    let example = |text: &String| {
        json!({"critic": critics[0], "model": text, "prompt_id": text, "attack": text,
            "prompt": text, "response": text, "verdict": text, "risk_score": 0.9,
            "explanation": text})
    };
    report.tables.insert("examples".into(), table(&texts.iter().map(example).collect::<Vec<_>>()));
    let figure = |text: &String| {
        json!({"part": format!("group {text}"), "of": text, "measure": text, "value": 0.5,
            "low": 0.4, "high": 0.6, "n": 9})
    };
    let figures = texts.iter().map(figure).collect::<Vec<_>>();
    report.tables.insert("calibration".into(), table(&figures));
    let line = |text: &String| json!({"part": "dropped", "stage": text, "of": text, "measure": "rows", "value": 9.0});
    report.tables.insert("selection".into(), table(&texts.iter().map(line).collect::<Vec<_>>()));
    report.title = texts[1].clone();
    report.data = texts[5].clone();
    report.notes = texts.to_vec();
    report.inputs = [(texts[0].clone(), texts[2].clone())].into();
    report
}

#[test]
fn what_data_say_is_text_on_the_page() {
    let template = open("html");
    let page = template.render(&report_of(&texts())).unwrap();
    let parsed = Page::parse(&page);
    for (name, attributes) in &parsed.elements {
        for (key, value) in attributes {
            let fine = match key.as_str() {
                "href" => value.starts_with('#') || value == "data:,",
                "style" => {
                    let share = value.strip_prefix("width:").and_then(|v| v.strip_suffix('%'));
                    share.is_some_and(|share| share.parse::<f64>().is_ok())
                }
                "id" | "class" | "role" => !value.contains("alert"),
                "title" | "aria-label" | "content" | "d" | "transform" | "stroke" => true,
                // A length, a place, or a word of our own: nothing that is fetched or run.
                _ => !key.starts_with("on") && !value.contains("//") && !value.contains("script"),
            };
            assert!(fine, "<{name} {key}={value}>");
            assert!(!["src", "srcset", "action", "data", "background"].contains(&key.as_str()));
        }
    }
    // The same elements as if nothing were hostile, whatever texts there are.
    let benign: Vec<String> = (0..40).map(|at| format!("calm {at}")).collect();
    let calm = Page::parse(&template.render(&report_of(&benign)).unwrap());
    let elements = |page: &Page| -> Vec<String> {
        page.elements.iter().map(|(name, _)| name.clone()).filter(|name| name != "wbr").collect()
    };
    assert_eq!(elements(&parsed), elements(&calm));
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}') && !page.contains('\0'));
    assert!(page.contains("{{ 7 * 7 }}") && !page.contains(">49<"));
    assert!(page.len() < 10_000_000, "{}", page.len());
}

#[test]
fn the_page_has_no_script_and_loads_nothing() {
    let page = open("html").render(&report_of(&texts())).unwrap();
    let policy = "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
        base-uri 'none'; form-action 'none'\"";
    assert!(page.contains(policy));
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    assert!(!style.contains("url(") && !style.contains("@import"));
    // It stands in the template, no data in it.
    let file = Library::default().get(&["report"], "html").unwrap();
    assert!(file.text.contains(style));
}

#[test]
fn what_data_say_is_no_markdown() {
    let page = open("markdown").render(&report_of(&texts())).unwrap();
    for held in ["<script", "<img", "](http", "@everyone", "https://x", "#1 "] {
        assert!(!page.contains(held), "{held}");
    }
    assert!(page.contains("\\`code\\` \\*\\*bold\\*\\* \\~\\~no\\~\\~ \\_it\\_"));
    // Every line begins as one of ours, so no text of the data begins a heading or a row.
    let ours = [
        "#",
        "⚠",
        "More than",
        "|",
        "**Note**",
        "Rates in",
        "Difference",
        "<details>",
        "</details>",
        "Made by",
    ];
    for line in page.lines().filter(|line| !line.is_empty()) {
        let counts = line.contains("pairs of models can be told apart");
        assert!(counts || ours.iter().any(|ours| line.starts_with(ours)), "{line}");
        assert!(!line.starts_with("# owned"));
    }
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut expected = 0;
    for line in page.lines() {
        if line.starts_with('|') {
            expected = if expected == 0 { columns(line) } else { expected };
            assert_eq!(columns(line), expected, "{line}");
        } else {
            expected = 0;
        }
    }
}

#[test]
fn what_data_say_controls_no_terminal() {
    let text = open("terminal").render(&report_of(&texts())).unwrap();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    for line in text.lines() {
        assert!(line.width() <= 100, "{line}");
        // What begins a line of its own is prompts and responses, and they stand further in.
        assert!(!line.starts_with("# owned"), "{line}");
    }
    assert!(!text.contains('\u{202e}') && text.contains("{{ 7 * 7 }}"));
}
