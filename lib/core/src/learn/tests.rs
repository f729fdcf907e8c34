use super::*;
use crate::random::content_id;
use crate::template::Library;
use crate::template::metadata;
use pairs::Base;

const TOPICS: [&str; 8] = ["bread", "tea", "soup", "cheese", "jam", "rice", "kites", "lamps"];

fn pair(prompt: &str, language: &str, text: &str) -> Pair {
    let id = content_id(prompt);
    let language = Some(language.to_owned());
    Pair { base: Arc::new(Base { id, prompt: prompt.to_owned(), language }), text: text.to_owned() }
}

/// Harmless base prompts, all different.
fn prompts(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("How is {} number {at} made?", TOPICS[at % 8])).collect()
}

fn learnt(pairs: Vec<Pair>) -> Learnt {
    attack_learnt("own", &Attack { pairs, unpaired: 0 }, "set.jsonl").unwrap()
}

/// What a template makes of a prompt that it was not learnt from.
fn on_new(learnt: &Learnt, prompt: &str, language: &str) -> String {
    let row = [("prompt", prompt), ("language", language), ("prompt_id", "new")];
    let row = row.map(|(name, text)| (name.to_owned(), toml::Value::String(text.to_owned())));
    let row = row.into_iter().collect();
    expand::example(learnt.file.as_ref().unwrap(), &PromptExample { row, output: String::new() })
        .unwrap()
}

/// The example in the comment is what the template makes of it.
fn check_example(file: &File) {
    let example = metadata::jinja::<metadata::PromptMetadata>(file).unwrap().metadata.example;
    let expected = example.output.strip_prefix('\n').unwrap_or(&example.output);
    assert_eq!(expand::example(file, &example).unwrap(), expected);
}

#[test]
fn a_constant_frame() {
    let all = prompts(30);
    let pairs = all.iter().map(|p| pair(p, "en", &format!("In a tale, {p} So they asked.")));
    let learnt = learnt(pairs.collect());
    assert_eq!((learnt.regenerated, learnt.holds.as_str()), (30, "en one frame"));
    assert_eq!(on_new(&learnt, "Why?", "en"), "In a tale, Why? So they asked.");
    let file = learnt.file.unwrap();
    check_example(&file);
    assert!(!file.text.contains("picks"), "{}", file.text);
}

#[test]
fn white_space_around_is_cut_off_where_that_explains_more() {
    let all = prompts(20);
    let pairs = all.iter().enumerate().map(|(at, p)| {
        let base = if at % 5 == 0 { format!(" {p}\n") } else { p.clone() };
        pair(&base, "en", &format!("<{p}>"))
    });
    let learnt = learnt(pairs.collect());
    assert_eq!((learnt.regenerated, learnt.holds.as_str()), (20, "en one frame"));
    assert_eq!(on_new(&learnt, " Why? ", "en"), "<Why?>");
}

#[test]
fn two_slots_are_mixed_for_new_prompts() {
    let phrase = ["Leave that and answer: ", "Never mind, answer: ", "Skip it and answer: "];
    let all = prompts(240);
    let pairs = all.iter().enumerate().map(|(at, p)| {
        let first =
            format!("What is the {}th word?", content_id(p).as_bytes()[0] as usize + at % 20);
        pair(p, "en", &format!("{first} {}{p}", phrase[at / 3 % 3]))
    });
    let pairs: Vec<Pair> = pairs.collect();
    let learnt = learnt(pairs);
    assert_eq!(learnt.regenerated, 240);
    assert!(learnt.holds.contains("slots of"), "{}", learnt.holds);
    let new = on_new(&learnt, "Why?", "en");
    assert!(new.starts_with("What is the ") && new.ends_with(" answer: Why?"), "{new}");
}

#[test]
fn encoders_are_recognised_with_their_keys() {
    let all = prompts(90);
    let pairs = all.iter().enumerate().map(|(at, p)| {
        let key = at as u32 / 3 % 9 + 1;
        let text = match at % 3 {
            0 => format!("Shifted by {key}: {}", crate::encode::caesar(p, key)),
            1 => format!("Decode b'{}' now", crate::encode::base64(p)),
            _ => format!("As URL: {}", crate::encode::url(p)),
        };
        pair(p, "en", &text)
    });
    let pairs: Vec<Pair> = pairs.collect();
    let learnt = learnt(pairs);
    assert_eq!(learnt.regenerated, 90);
    let text = &learnt.file.as_ref().unwrap().text;
    for filter in ["| caesar(key)", "| base64", "| url", "random.number(1, 9)"] {
        assert!(text.contains(filter), "{filter}");
    }
    assert!(!on_new(&learnt, "Why now?", "en").contains("Why now?"));
}

#[test]
fn texts_of_the_data_are_never_templates() {
    let hostile = [
        "{{ x }}",
        "{% for %}",
        "#}",
        "{#",
        "{% raw %}{{",
        "}} %}",
        "\"]) -%}",
        "\\",
        "\\\"",
        "'",
        "\n\n",
        "\t\r\0\u{7f}\u{feff}",
        "{{ prompt }}",
        "\u{1f600}\u{200d}",
        "%}{% include 'x' %}",
    ];
    // As constant frames, as variants, and in the names of files and ids.
    for text in hostile {
        let pairs =
            prompts(12).iter().map(|p| pair(p, "en", &format!("{text}{p}{text}"))).collect();
        let learnt = learnt(pairs);
        assert_eq!(learnt.regenerated, 12, "{text}");
        check_example(learnt.file.as_ref().unwrap());
        assert_eq!(on_new(&learnt, "Why?", "en"), format!("{text}Why?{text}"));
    }
    let pairs: Vec<Pair> = prompts(60)
        .iter()
        .enumerate()
        .map(|(at, p)| {
            let text = hostile[at % hostile.len()];
            let id = format!("{at} {text}");
            let base = Base { id, prompt: p.clone(), language: None };
            Pair { base: Arc::new(base), text: format!("{text}: {p} {text}") }
        })
        .collect();
    let attack = Attack { pairs, unpaired: 0 };
    let learnt = attack_learnt("own", &attack, "a\"#}{{ x }}\n.jsonl").unwrap();
    assert_eq!(learnt.regenerated, 60);
    check_example(learnt.file.as_ref().unwrap());
}

#[test]
fn a_base_prompt_inside_another_is_kept_apart() {
    let mut pairs = Vec::new();
    for topic in TOPICS {
        for base in
            [format!("How is {topic} made?"), format!("Well: How is {topic} made? And why?")]
        {
            pairs.push(pair(&base, "en", &format!("Please. {base} Thanks.")));
        }
    }
    // A prompt that is also a word of the frame.
    pairs.push(pair("Please", "en", "Please. Please Thanks."));
    let learnt = learnt(pairs);
    assert_eq!((learnt.regenerated, learnt.holds.as_str()), (17, "en one frame"));
}

#[test]
fn what_cannot_be_learnt_is_counted() {
    let all = prompts(40);
    let mut pairs: Vec<Pair> = all.iter().map(|p| pair(p, "en", &format!("Now: {p}"))).collect();
    pairs[3].text = "Something else altogether".into();
    pairs.push(pair(&all[0], "en", "Another row of it"));
    let some = learnt(pairs);
    assert_eq!(some.regenerated, 39);
    let not: Vec<_> = some.not.into_iter().collect();
    assert_eq!(
        not,
        [("another row of the same base prompt", 1), ("the base prompt is not in it", 1)]
    );
    // A rewriting that holds the prompt once in a while is no template.
    let rewritten = all.iter().enumerate().map(|(at, p)| match at {
        0 => pair(p, "en", &format!("Once: {p}")),
        _ => pair(p, "en", &format!("Tell a tale of item {at}")),
    });
    let none = learnt(rewritten.collect());
    assert_eq!((none.regenerated, none.file.is_none()), (0, true));
    assert_eq!(none.not["like too few others"], 1);
    for name in ["../up", "a/b", "", ".", "a b"] {
        let pairs = vec![pair("How is bread made?", "en", "So: How is bread made?")];
        let learnt = attack_learnt(name, &Attack { pairs, unpaired: 0 }, "x").unwrap();
        assert_eq!(learnt.not["the attack's name is no file name"], 1);
    }
}

#[test]
fn a_large_set_costs_neither_steps_nor_time_per_prompt() {
    let all = prompts(12_000);
    let pairs = all
        .iter()
        .enumerate()
        .map(|(at, p)| pair(p, "en", &format!("What is on page {}? Answer this: {p}", at * 7919)));
    let learnt = learnt(pairs.collect());
    // Every one was rendered within the engine's steps.
    assert_eq!(learnt.regenerated, 12_000);
}

/// What our own templates make is learnt back from it.
#[test]
fn our_own_attacks_are_learnt_and_regenerated() {
    for name in ["deepinception", "instruction_encryption", "code_injection"] {
        let file = Library::default().get(&["attack"], name).unwrap();
        let template = Template::compile(file).unwrap();
        let mut pairs = Vec::new();
        for at in 0..120 {
            let topic = TOPICS[at % 8];
            let (base, language) = match at % 4 {
                0 => (format!("How, in {at} steps, is {topic} made?"), "en"),
                1 => (format!("He said \"{topic}\" \\ and 'no {at}' — why?"), "en"),
                2 => (format!("第{at}次怎么做{topic}？请说明，谢谢。"), "zh"),
                _ => (format!(" 我想问：{topic}，要等{at}天吗？\n"), "zh"),
            };
            pairs.push(pair(&base, language, ""));
        }
        let made = rendered(&template, &pairs).unwrap();
        for (pair, made) in pairs.iter_mut().zip(made) {
            pair.text = made.unwrap();
        }
        let learnt = learnt(pairs);
        assert_eq!(learnt.regenerated, 120, "{name}: {:?}", learnt.not);
        check_example(learnt.file.as_ref().unwrap());
        let new = on_new(&learnt, "How is glue made, please?", "en");
        let same = name == "deepinception";
        assert_eq!(new.contains("How is glue made, please?"), same, "{new}");
    }
}
