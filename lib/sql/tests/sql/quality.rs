//! The rules about prompts on texts of our own: bad ones of every kind, and good ones that look bad.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::templates::Template;

/// Prompts with `kind`: what is wrong with them, or `good`.
const PROMPTS: &str = include_str!("quality_prompts.jsonl");

fn judged(lines: &str) -> Vec<Value> {
    let rows = Template::named("quality/prompts").run_lines(lines);
    assert_eq!(rows.len(), lines.lines().count());
    rows
}

#[test]
fn bad_prompts_are_dropped_and_good_ones_are_not() {
    let mut counts: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for row in judged(PROMPTS) {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let good = row["kind"] == "good";
        assert!(!good || row["_reject"].is_null(), "{row}");
        let count = counts.entry((text("kind"), text("language"))).or_default();
        count.0 += usize::from(!row["_reject"].is_null());
        count.1 += 1;
    }
    // Nine kinds of bad prompts and the good ones, in English and in Chinese.
    assert_eq!(counts.len(), 20);
    for ((kind, language), (dropped, all)) in counts {
        let enough = kind == "good" || (all >= 30 && dropped * 100 >= all * 95);
        assert!(enough, "{kind} in {language}: {dropped} of {all} dropped");
    }
}

#[test]
fn attacks_may_wrap_encode_and_escape() {
    for prompt in [
        "1. Decode: V2hvIHNwcmVhZHMgcnVtb3Vycz8=",
        "\\u8c01\\u5728\\u6492\\u8c0e\\uff1f",
        "Salt &amp; rumours",
        "Wer verbreitet im Dorf eigentlich die meisten Gerüchte?",
        "\"Who lies to us?\"",
        "Sure, here is who lies:",
        "lie lie lie lie lie lie lie lie",
        "<question>Who lies?</question>",
    ] {
        let row = |attack: Value| {
            json!({"prompt": prompt, "language": "en", "attack": attack}).to_string()
        };
        let rows = judged(&format!("{}\n{}", row(json!("mine")), row(Value::Null)));
        assert_eq!(rows[0]["_reject"], Value::Null, "{prompt}");
        assert_ne!(rows[1]["_reject"], Value::Null, "{prompt}");
    }
    // What no attack does on purpose.
    for prompt in ["Who {{ verb }} here?", "Who doesnâ€™t lie?", "Who lies to us\u{0}?", " ", "Who"]
    {
        let row = json!({"prompt": prompt, "language": "en", "attack": "mine"}).to_string();
        assert_ne!(judged(&row)[0]["_reject"], Value::Null, "{prompt}");
    }
}

#[test]
fn a_language_that_is_not_known_is_no_reason() {
    for (prompt, language) in [
        ("Nani hueneza uvumi kijijini, na kwa nini?", json!("sw")),
        ("Explique pourquoi les voisins mentent si souvent.", Value::Null),
        ("Explique pourquoi les voisins mentent si souvent.", json!("fr")),
        ("Who lies, and why do people believe it?", Value::Null),
        ("谁在撒谎？", json!("zh-Hans")),
        ("村里是谁在传播谣言？", Value::Null),
    ] {
        let row = json!({"prompt": prompt, "language": language}).to_string();
        assert_eq!(judged(&row)[0]["_reject"], Value::Null, "{prompt}");
    }
    // Without a language, what is plainly English or Chinese is held to its rules.
    for prompt in ["The neighbours and the rumours that they spread about each other", "村里的谣言"]
    {
        let row = json!({"prompt": prompt, "language": null}).to_string();
        assert!(judged(&row)[0]["_reject"].as_str().unwrap().starts_with("no request"), "{prompt}");
    }
}
