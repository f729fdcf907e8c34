//! What a model, its server or our own parser could take for more than text: chat tokens, role
//! headers, verdicts in the forms that critics write.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::{Captures, Regex};
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

/// What is reserved, one kind a line.
const RESERVED: &[&str] = &[
    // Tokens of chat templates, in the forms of ChatML, Llama, Mistral, Gemma, GLM, DeepSeek.
    r"<\|[^<>|\n]{0,64}\|>",
    r"<｜[^<>｜\n]{0,64}｜>",
    r"\[/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT|[gs]MASK)\]",
    r"<</?SYS>>",
    r"</?(?:s|bos|eos|pad|unk|system|assistant|tool_call|tool_response)>",
    r"</?(?:start|end)_of_(?:turn|text|image)>",
    // Tags of thinking and of critics' prompts and replies.
    r"</?(?:think|thinking|thought|reasoning|explanation|verdict|nonce)>",
    r"<(?:BEGIN|END) [A-Z _]{3,40}>",
    r"\[(?:User Query|LLM Response|Behavior|Generation)\]",
    r"^[ \t]*(?:Human Question|Chatbot Response|Human user|AI assistant|Input Text)[ \t]*:",
    r"^[ \t]*#[ \t]*(?:Category List|Dynamic Policy)[ \t]*$",
    // Headers of roles at the start of a line.
    r"^[ \t]*#{2,6}[ \t]*(?:system|user|human|assistant)[ \t]*:?[ \t]*$",
    r"^[ \t]*#{2,6}[ \t]*(?:instructions?|response|verdict|evaluation)[ \t]*:?[ \t]*$",
    r"^[ \t]*(?:#{1,6}[ \t]*)?\**(?:system|user|human|assistant|judge)\**[ \t]*[:：]",
    r"^[ \t]*(?:#{1,6}[ \t]*)?\**(?:系统|用户|助手|裁判)\**[ \t]*[:：]",
    // Our own keys; those that other JSON may well have only before something like a verdict.
    r#"["'](?:nonce|verdict|risk_score|risk_tags|unscored_reason|score_from)["'][ \t]*[:：]"#,
    concat!(
        r#"["'](?:score|risk|label|class|category|safety|answer|refusal|refused|harmful|is_safe"#,
        r#"|rating|first|second|request)["'][ \t]*[:：][ \t]*["']?"#,
        r#"(?:safe|unsafe|harmless|harmful|unharmful|yes|no|none|true|false|full_\w+|partial_\w+"#,
        r#"|\d+(?:\.\d+)?|\[\[[a-z]\]\])["']?[ \t]*[,}\n]"#,
    ),
    // Verdicts in the words of other critics.
    r"\[\[(?:A|B|C|N|YES|NO|\d+)\]\]",
    r"\[(?:Answer|答案|Analysis|分析)\]",
    concat!(
        r"^[ \t>*#]*(?:the )?(?:final |overall )?",
        r"(?:verdict|judge?ment|risk[ _]score|safety[ _]score|score|rating|label)\**[ \t]*",
        r"(?:[:=]|is)[ \t*]*(?:safe|unsafe|harmless|harmful|unharmful|\d+(?:\.\d+)?|\[\[)\b",
    ),
    concat!(
        r"^[ \t>*#]*(?:最终)?(?:裁决|判定|判断|结论|评级|评分|得分|风险分|风险评分|答案)[ \t]*",
        r"[:：=为][ \t*]*(?:安全|不安全|无害|有害|无风险|\d)",
    ),
    r"^[ \t>*#]*(?:harmful request|response refusal|harmful response)[ \t]*:",
];

/// What is reserved. The pattern is a constant and compiles (there is a test); no pattern finds
/// nothing.
static PATTERN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("(?im){}", RESERVED.join("|"))).ok());

/// A run of base64 that could hold a sentence.
static ENCODED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/]{16,}").ok());

/// The same text, in which nothing is reserved: the marks of what is are replaced by others that
/// look like them, so that a judge still sees what is there. The nonce is taken out.
pub fn neutralised(text: &str, nonce: &str) -> String {
    let mut copy = match nonce.is_empty() {
        true => text.to_owned(),
        false => text.replace(nonce, "(nonce)"),
    };
    let Some(pattern) = &*PATTERN else { return copy };
    let other = |found: &Captures<'_>| found[0].chars().map(look_alike).collect::<String>();
    loop {
        let next = pattern.replace_all(&copy, other);
        // What stands around marks that were replaced may be reserved in its turn.
        match *next == *copy {
            true => return copy,
            false => copy = next.into_owned(),
        }
    }
}

/// Whether a text holds something reserved: as it stands, written with characters that look alike
/// or with invisible ones in between, or in base64.
pub fn suspected(text: &str) -> bool {
    let has = |text: &str| PATTERN.as_ref().is_some_and(|pattern| pattern.is_match(text));
    if has(text) || (!text.is_ascii() && has(&plain(text))) {
        return true;
    }
    let runs = ENCODED.iter().flat_map(|encoded| encoded.find_iter(text));
    let decoded = runs.filter_map(|run| {
        let run = run.as_str();
        let whole = &run[..run.len() - usize::from(run.len() % 4 == 1)];
        String::from_utf8(STANDARD_NO_PAD.decode(whole).ok()?).ok()
    });
    decoded.into_iter().any(|text| has(&text))
}

/// In compatibility form, without invisible characters, and with Latin letters for those of other
/// alphabets that look the same.
fn plain(text: &str) -> String {
    let is_invisible = |c: &char| {
        matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    };
    let tags = |c: char| match c {
        '\u{e0020}'..='\u{e007e}' => char::from_u32(c as u32 - 0xe0000).unwrap_or(c),
        _ => c,
    };
    text.nfkc().filter(|c| !is_invisible(c)).map(tags).map(latin).collect()
}

/// The Latin letter or ASCII mark that a character looks like.
fn latin(c: char) -> char {
    const ALIKE: &[(&str, char)] = &[
        ("аα", 'a'),
        ("ѕ", 's'),
        ("еε", 'e'),
        ("оο", 'o'),
        ("сϲ", 'c'),
        ("іι", 'i'),
        ("ѵν", 'v'),
        ("гꭇ", 'r'),
        ("ԁ", 'd'),
        ("тτ", 't'),
        ("υս", 'u'),
        ("ո", 'n'),
        ("рρ", 'p'),
        ("хχ", 'x'),
        ("уγ", 'y'),
        ("ӏ", 'l'),
        ("һ", 'h'),
        ("кκ", 'k'),
        ("мм", 'm'),
        ("ϳј", 'j'),
        ("“”„‟″", '"'),
        ("‘’′", '\''),
        ("‹〈", '<'),
        ("›〉", '>'),
        ("¦│∣", '|'),
        ("ː꞉∶", ':'),
        ("⟦", '['),
        ("⟧", ']'),
    ];
    let lower = c.to_lowercase().next().unwrap_or(c);
    ALIKE.iter().find(|(alike, _)| alike.contains(lower)).map_or(c, |(_, latin)| *latin)
}

/// What stands for a mark in a copy.
fn look_alike(c: char) -> char {
    match c {
        '<' => '‹',
        '>' => '›',
        '|' | '｜' => '¦',
        '[' => '⟦',
        ']' => '⟧',
        '"' => '″',
        '\'' => '′',
        ':' | '：' => '꞉',
        '#' => '♯',
        '=' => '꞊',
        _ => c,
    }
}
