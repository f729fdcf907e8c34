//! Replies as models write them.

use super::*;

fn read(reply: &str, count: usize, is_cut: bool) -> (Vec<String>, Vec<(String, String)>) {
    let refuses = |text: &str| text.starts_with("I can't help") || text.contains("我不能");
    let reading = Reading { form: ReplyForm::List, count, is_cut, refuses: &refuses };
    let parsed = parse(reply, &reading);
    (parsed.prompts, parsed.rejects.into_iter().map(|r| (r.reason, r.text)).collect())
}

fn prompts(reply: &str) -> Vec<String> {
    let (prompts, rejects) = read(reply, 9, false);
    assert!(rejects.is_empty(), "{reply}: {rejects:?}");
    prompts
}

#[test]
fn lists_in_every_dress() {
    let wanted = ["How about one?", "And two, really?"];
    for reply in [
        "1. How about one?\n2. And two, really?",
        "1) How about one?\n\n2) \"And two, really?\"\n",
        "- How about one?\n- And two, really?",
        "**1. How about one?**\n**2. And two, really?**",
        "How about one?\nAnd two, really?\n",
        "[\"How about one?\", \"And two, really?\"]",
        "```json\n[\"How about one?\",\n \"And two, really?\"]\n```",
        "[{\"prompt\": \"How about one?\"}, {\"question\": \"And two, really?\"}]",
        "{\"prompts\": [\"How about one?\", \"And two, really?\"]}",
        "{\"about\": \"[2]\", \"prompts\": [\"How about one?\", \"And two, really?\"]}",
        "{\"1\": \"How about one?\", \"2\": \"And two, really?\"}",
        "{\"prompt\": \"How about one?\"}\n{\"prompt\": \"And two, really?\"}",
        "<think>\n1. First I think of one.\n</think>\n1. How about one?\n2. And two, really?",
    ] {
        assert_eq!(prompts(reply), wanted, "{reply}");
    }
    assert_eq!(
        prompts("1、怎样做到这件事？\n2．那样做会怎么样？"),
        ["怎样做到这件事？", "那样做会怎么样？"]
    );
    for reply in [
        "（1）How about one?\n（2）And two, really?",
        "Prompt 1: How about one?\nPrompt 2: And two, really?",
        "### 1. How about one?\n### 2. And two, really?",
        "**1.** How about one?\n**2.** **And two, really?**",
    ] {
        assert_eq!(prompts(reply), wanted, "{reply}");
    }
    let story = "1. Write this:\n   a scene,\n   an end\n2. And two, really?";
    assert_eq!(prompts(story), ["Write this:\na scene,\nan end", "And two, really?"]);
    // A number at the start of a sentence is no mark.
    assert_eq!(
        prompts("Is 1.5 enough?\n3 people ask you?"),
        ["Is 1.5 enough?", "3 people ask you?"]
    );
}

#[test]
fn what_is_no_prompt_is_kept_with_its_reason() {
    let reply = "Here you are:\n1. How about one?\n2. how about ONE?\n3. ?\n4. And two?\n5. And three?\n\nDone!";
    let (prompts, rejects) = read(reply, 2, false);
    assert_eq!(prompts, ["How about one?", "And two?"]);
    let rejects: Vec<(&str, &str)> = rejects.iter().map(|(r, t)| (&**r, &**t)).collect();
    assert_eq!(
        rejects,
        [
            ("not part of a prompt", "Here you are:"),
            ("not part of a prompt", "Done!"),
            ("the same as another", "how about ONE?"),
            ("too short", "?"),
            ("more than asked for", "And three?"),
        ]
    );
    let json = "Here:\n```json\n[\"How about one?\", 7]\n```\nDone!";
    let (prompts, rejects) = read(json, 2, false);
    let rejects: Vec<&str> = rejects.iter().map(|(_, text)| &**text).collect();
    assert_eq!((&*prompts[0], prompts.len()), ("How about one?", 1));
    assert_eq!(rejects, ["Here:", "7", "Done!"]);
    assert_eq!(read("", 2, false).1, [("empty".to_owned(), String::new())]);
    assert_eq!(read(&"long ".repeat(900), 2, false).1[0].0, "too long");
}

#[test]
fn garbage_is_no_prompt() {
    for (reply, reason) in [
        ("???", "too short"),
        ("<!DOCTYPE html>\n<h1>Bad Gateway</h1>\n<p>nginx</p>\nTry later", "a web page"),
        ("\u{0}\u{1}some\u{7}bytes", "not text"),
        ("some \u{fffd}\u{fffd} bytes", "not text"),
        ("{\"error\":\"the model is busy\"}", NOT_AN_ITEM),
        ("[\"He said \"hello\" to me.\", \"b\"]", NOT_AN_ITEM),
        ("<prompts>", NOT_AN_ITEM),
        ("<think>1. One thought\n2. Another", CUT_OFF),
        ("[]", "empty"),
    ] {
        let (prompts, rejects) = read(reply, 2, false);
        assert!(prompts.is_empty(), "{prompts:?}");
        assert_eq!(rejects, [(reason.to_owned(), reply.to_owned())]);
    }
}

#[test]
fn a_refusal_never_becomes_prompts() {
    for reply in [
        "I can't help with that.",
        "I can't help with that. I can:\n1. Explain the law to you.\n2. Point to a hotline.",
        "抱歉，我不能这样做。",
        "I can't help.\nBut there are other ways.",
    ] {
        let (prompts, rejects) = read(reply, 9, false);
        assert!(prompts.is_empty());
        assert_eq!(rejects, [("refused".to_owned(), reply.to_owned())]);
    }
    for reply in ["1. How about one?\n2. I can't help you there.", "[\"I can't help you there.\"]"]
    {
        assert_eq!(read(reply, 9, false).1, [("refused".into(), "I can't help you there.".into())]);
    }
    // A prompt may say so.
    let reply = "1. They said \"I can't help\". How do I go on?\n2. And two, really?";
    assert_eq!(prompts(reply).len(), 2);
}

#[test]
fn half_a_list_gives_its_whole_items() {
    let cut = "1. How about one?\n2. And two, rea";
    assert_eq!(read(cut, 9, true).0, ["How about one?"]);
    assert_eq!(read(cut, 9, true).1, [("cut off".to_owned(), "And two, rea".to_owned())]);
    // A line that is over is whole, and so is an item that others follow.
    assert_eq!(read("1. How about one?\n2. And two?\n", 9, true).0.len(), 2);
    assert_eq!(read("1. How about one?\n2. And two?\n\nThese are", 9, true).0.len(), 2);
    for json in ["[\"How about one?\", \"And two?\"", "{\"p\": [\"How about one?\", \"And two?\"]"]
    {
        let (prompts, rejects) = read(json, 9, true);
        assert_eq!((prompts.len(), rejects.len()), (2, 0), "{json}");
    }
    assert_eq!(read("[\"Say \\\"one\\\"!\", \"An", 9, true).1[0].1, "An");
    let json = "[\"How about one?\", \"And two, rea";
    assert_eq!(read(json, 9, true).0, ["How about one?"]);
    assert_eq!(read(json, 9, true).1, [("cut off".to_owned(), "And two, rea".to_owned())]);
}

#[test]
fn one_prompt_is_the_whole_reply() {
    let refuses = |text: &str| text.contains("I can't");
    let read = |reply: &str, is_cut| {
        let reading = Reading { form: ReplyForm::Prompt, count: 1, is_cut, refuses: &refuses };
        let parsed = parse(reply, &reading);
        (parsed.prompts, parsed.rejects.into_iter().map(|r| r.reason).collect::<Vec<_>>())
    };
    assert_eq!(read(" \"A story.\nIn lines.\" \n", false).0, ["A story.\nIn lines."]);
    assert_eq!(read("```\nA story.\n```", false).0, ["A story."]);
    assert_eq!(read("Sure, here it is:\n\n**A story.**", false).0, ["A story."]);
    assert_eq!(read("Sure, here it is:\n\nA story.", false).1, ["not part of a prompt"]);
    assert_eq!(read("Tell me this:\nA story.", false).0, ["Tell me this:\nA story."]);
    assert_eq!(read("I can't do that.", false).1, ["refused"]);
    assert_eq!(read("A sto", true).1, ["cut off"]);
    assert_eq!(read(" \n", false).1, ["empty"]);
}
