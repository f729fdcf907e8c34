//! seval-expand's prompts from a generation model (S-Eval's Mt), which here is a server of a few lines.

mod attacks;
mod files;
mod plan;
mod resume;

use crate::run::Folder;
use crate::server::{chat, rows, serve};
use serde_json::{Value, json};

/// Two leaves, of which a request asks about one.
const TAXONOMY: &str = "\
about = 'Two risks.'\nsource = 'seval'\n\
[[risk]]\nid = 'a'\nen = 'Alpha'\nzh = '甲'\nabout = 'The root.'\n\
[[risk]]\nid = 'a.x'\nen = 'Left'\nzh = '左'\nabout = 'What is left.'\ntopics.en = ['one', 'two']\n\
[[risk]]\nid = 'a.y'\nen = 'Right'\nzh = '右'\nabout = 'What is right.'\ntopics.en = ['three']\n";

/// Four prompts of each leaf, in one request a leaf.
const ZERO_SHOT: &str = "seval-expand --taxonomy t.toml -t zero_shot --language en --per-leaf 4 \
    --per-request 4 -m mt --max-retries 0";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.toml", TAXONOMY);
    folder
}

/// All that a request says.
fn said(body: &Value) -> String {
    let turns = body["messages"].as_array().unwrap().iter();
    turns.map(|turn| turn["content"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The leaf that a request asks about.
fn leaf(body: &Value) -> &'static str {
    if said(body).contains("Risk: Left") { "Left" } else { "Right" }
}

/// Four prompts on the leaf, as a numbered list.
fn list(body: &Value) -> String {
    let line = |at: usize| format!("{at}. What about {} in {at} words?\n", leaf(body));
    (1..=4).map(line).collect()
}

/// What a program said, and the rows in a file.
fn run(folder: &Folder, line: &str, file: &str) -> (String, Vec<Value>) {
    let output = folder.bash(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line}\n{said}");
    (said, rows(&String::from_utf8(folder.read(file)).unwrap()))
}

/// A column of rows.
fn column<'a>(rows: &'a [Value], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str().unwrap_or("-")).collect()
}

#[test]
fn a_list_in_every_form_becomes_rows() {
    let numbered: fn(&Value) -> String = |body| list(body);
    let forms: [fn(&Value) -> String; 3] = [
        numbered,
        |body| {
            let items = list(body);
            json!(items.lines().map(|line| &line[3..]).collect::<Vec<_>>()).to_string()
        },
        |body| list(body).lines().map(|line| format!("{}\n", &line[3..])).collect(),
    ];
    for form in forms {
        let (address, seen) = serve(move |_, body| (200, chat(&form(body))));
        let folder = folder();
        let line = format!("{ZERO_SHOT} --base-url {address} -o p.jsonl");
        let (said, rows) = run(&folder, &line, "p.jsonl");
        assert_eq!((rows.len(), seen.count()), (8, 2));
        for (at, row) in rows.iter().enumerate() {
            let leaf = if at < 4 { "Left" } else { "Right" };
            assert_eq!(row["prompt"], json!(format!("What about {leaf} in {} words?", at % 4 + 1)));
            assert_eq!(row["source_id"], json!(if at < 4 { "a.x" } else { "a.y" }));
            assert_eq!(
                ["risk_dimension", "risk_category", "risk_subcategory", "source", "language"]
                    .map(|name| row[name].as_str().unwrap_or("-")),
                ["Alpha", leaf, "-", "t", "en"]
            );
            assert_eq!((&row["expected"], &row["attack"]), (&json!("refuse"), &Value::Null));
            assert!(row["template"].as_str().unwrap().starts_with("generate/zero_shot@"));
        }
        let mut ids = column(&rows, "prompt_id");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 8);
        assert_eq!(
            said,
            "seval-expand: 2 rows in, 8 base prompts made, 0 rows not used\n\
             seval-expand: 2 requests, 8 prompts asked for, 8 came\n\
             seval-expand: 8 rows out\n"
        );
    }
}

#[test]
fn a_generator_that_refuses_is_counted_and_gives_no_prompt() {
    const NO: &str = "I'm sorry, but I can't help with that. I can offer:\n1. Advice on the law.";
    let (address, _) = serve(|_, _| (200, chat(NO)));
    let folder = folder();
    let ask =
        |address: &str| format!("{ZERO_SHOT} --base-url {address} -o p.jsonl --rejects r.jsonl");
    let said = folder.fails(1, &ask(&address));
    assert_eq!(
        said.lines().last().unwrap(),
        "seval-expand: model mt: no prompt came of 2 requests: 2 refused; another model or --system \
         may help: say that it is for a safety evaluation"
    );
    assert_eq!(folder.names(), ["r.jsonl", "t.toml"]);
    let rejects = rows(&String::from_utf8(folder.read("r.jsonl")).unwrap());
    assert_eq!(column(&rejects, "reason"), ["refused"; 2]);
    assert_eq!(column(&rejects, "reply"), [NO; 2]);
    assert_eq!(column(&rejects, "source_id"), ["a.x", "a.y"]);

    // One leaf is refused, and an item of the other.
    let (address, _) = serve(|_, body| match leaf(body) {
        "Left" => (200, chat(NO)),
        _ => (200, chat("1. What is right?\n2. I can't help with that one.\n3. And so?\n")),
    });
    let (said, prompts) = run(&folder, &ask(&address), "p.jsonl");
    assert_eq!(column(&prompts, "prompt"), ["What is right?", "And so?"]);
    assert!(said.contains("2 requests, 8 prompts asked for, 2 came\n"), "{said}");
    assert!(said.contains("warning: what is no prompt: 2 refused; r.jsonl has it\n"), "{said}");
    assert!(said.contains("the generator refused 2 times; --system can say"), "{said}");
}

#[test]
fn garbage_is_rejected_part_by_part() {
    let replies = [
        ("", "empty"),
        ("???", "too short"),
        ("<html>\n<body>\n<h1>Bad Gateway</h1>\n</body>\n</html>", "a web page"),
        ("\u{0}\u{1}\u{2}bytes\u{7f}of some kind\u{8}", "not text"),
        ("{\"error\":\"the model is loading\"}", "not part of a prompt"),
    ];
    for (reply, reason) in replies {
        let answer = move |_: usize, body: &Value| match leaf(body) {
            "Left" => (200, chat(reply)),
            _ => (200, chat(&list(body))),
        };
        let (address, _) = serve(answer);
        let folder = folder();
        let line = format!("{ZERO_SHOT} --base-url {address} -o p.jsonl --rejects r.jsonl");
        let (_, prompts) = run(&folder, &line, "p.jsonl");
        assert_eq!(column(&prompts, "source_id"), ["a.y"; 4]);
        let rejects = rows(&String::from_utf8(folder.read("r.jsonl")).unwrap());
        assert_eq!(
            (column(&rejects, "reason"), column(&rejects, "reply")),
            (vec![reason], vec![reply])
        );
    }
    // One line of 50 kB, from all.
    let (address, _) = serve(|_, _| (200, chat(&"long ".repeat(10_000))));
    let folder = folder();
    let said = folder.fails(1, &format!("{ZERO_SHOT} --base-url {address} -o p.jsonl"));
    let wanted = "no prompt came of 2 requests: 2 too long; see with --rejects FILE what it said";
    assert!(said.contains(wanted) && said.len() < 300, "{said}");
}

#[test]
fn half_a_list_gives_its_whole_items() {
    let (address, _) = serve(|_, body| {
        let mut reply = match leaf(body) {
            "Left" => chat("Here:\n1. What is left?\n2. And what re"),
            _ => chat("[\"What is right?\", \"And so?\", \"And what re"),
        };
        reply["choices"][0]["finish_reason"] = json!("length");
        (200, reply)
    });
    let folder = folder();
    let line = format!("{ZERO_SHOT} --base-url {address} -o p.jsonl --rejects r.jsonl");
    let (said, prompts) = run(&folder, &line, "p.jsonl");
    assert_eq!(column(&prompts, "prompt"), ["What is left?", "What is right?", "And so?"]);
    let rejects = rows(&String::from_utf8(folder.read("r.jsonl")).unwrap());
    assert_eq!(column(&rejects, "reason"), ["not part of a prompt", "cut off", "cut off"]);
    assert_eq!(column(&rejects, "reply"), ["Here:", "And what re", "And what re"]);
    assert!(said.contains("2 cut off, 1 not part of a prompt; r.jsonl has it"), "{said}");
}

#[test]
fn requests_that_fail_are_rejects_with_the_error() {
    for (status, complaint) in [(500, "overloaded"), (400, "the context is too long")] {
        let refuse = json!({"error": {"message": complaint}});
        let all = refuse.clone();
        let (address, _) = serve(move |_, body| match leaf(body) {
            "Left" => (status, refuse.clone()),
            _ => (200, chat(&list(body))),
        });
        let folder = folder();
        let line = format!("{ZERO_SHOT} --base-url {address} -o p.jsonl --rejects r.jsonl");
        let (said, prompts) = run(&folder, &line, "p.jsonl");
        assert_eq!(column(&prompts, "source_id"), ["a.y"; 4]);
        let rejects = rows(&String::from_utf8(folder.read("r.jsonl")).unwrap());
        assert_eq!((rejects.len(), column(&rejects, "reason")), (1, vec!["failed"]));
        let error = column(&rejects, "reply")[0];
        assert!(error.contains(&status.to_string()) && error.contains(complaint), "{error}");
        assert!(said.contains("what is no prompt: 1 failed; r.jsonl has it"), "{said}");
        // All of them: why is said at once, and nothing is left behind but the rejects.
        let (address, _) = serve(move |_, _| (status, all.clone()));
        std::fs::remove_file(folder.path("p.jsonl")).unwrap();
        let line = format!("{ZERO_SHOT} --base-url {address} -o p.jsonl --rejects r.jsonl");
        let said = folder.fails(1, &line);
        assert!(said.contains("no prompt came of 2 requests: 2 failed (the first: "), "{said}");
        assert!(said.contains(complaint) && said.contains("see to the server"), "{said}");
        assert_eq!(folder.names(), ["r.jsonl", "t.toml"]);
    }
}

#[test]
fn a_server_that_turns_us_away_ends_the_run() {
    let (address, _) = serve(|_, _| (401, json!({"error": {"message": "who are you?"}})));
    let folder = folder();
    let line = format!("{ZERO_SHOT} --base-url {address} -o p.jsonl --rejects r.jsonl");
    let said = folder.fails(1, &line);
    assert!(said.contains("who are you?") && said.contains("mt"), "{said}");
    assert_eq!((said.lines().count(), folder.names()), (1, vec!["t.toml".to_owned()]), "{said}");
    // The rows and the rejects cannot be one file.
    for line in
        [line.replace("r.jsonl", "p.jsonl"), line.replace("r.jsonl", "-").replace("-o p.jsonl", "")]
    {
        let said = folder.fails(2, &line);
        assert!(said.contains("--rejects: is the file of --output; give it a file"), "{said}");
    }
    // Nor can any of them be a file that is read, or the journal.
    folder.write("b.jsonl", "{\"prompt\":\"p\",\"language\":\"en\"}\n");
    let asked = format!("b.jsonl -t translation -m mt --base-url {address}");
    for (line, wanted) in [
        (
            format!("expand {asked} --rejects b.jsonl -o p.jsonl"),
            "--rejects: is the file of an input",
        ),
        (
            format!("expand {asked} --journal p.jsonl -o p.jsonl"),
            "--journal: is the file of --output",
        ),
        (format!("expand {asked} --emit-requests -o b.jsonl"), "-o: would be written over b.jsonl"),
        (
            "expand b.jsonl -t translation -m mt --from-replies r.jsonl -o r.jsonl".to_owned(),
            "--output: is the file of --from-replies",
        ),
        (
            format!("query b.jsonl -m mt --base-url {address} --journal b.jsonl -o p.jsonl"),
            "--journal: is a file of rows that are read or written",
        ),
    ] {
        let said = folder.fails(2, &format!("seval-{line}"));
        assert!(said.contains(wanted), "{line}\n{said}");
    }
    assert_eq!(folder.names(), ["b.jsonl", "t.toml"]);
}

#[test]
fn few_shots_show_the_examples() {
    let (address, seen) = serve(|_, body| (200, chat(&list(body))));
    let folder = folder();
    let example = |prompt: &str, leaf: &str, score: &str| {
        format!(
            "{{\"prompt\":\"{prompt}\",\"language\":\"en\",\"risk_dimension\":\"Alpha\",\
             \"risk_category\":\"{leaf}\"{score}}}\n"
        )
    };
    let examples = |score: &str| -> String {
        ["Left", "Right"].iter().flat_map(|leaf| (0..3).map(move |at| (leaf, at))).fold(
            String::new(),
            |all, (leaf, at)| {
                let score = score.replace('?', &at.to_string());
                all + &example(&format!("Example {at} of {leaf}"), leaf, &score)
            },
        )
    };
    folder.write("plain.jsonl", examples(""));
    folder.write("scored.jsonl", examples(",\"risk_score\":?"));
    let ask = |name: &str, more: &str| {
        let line = ZERO_SHOT.replace("zero_shot", name);
        format!("{line} --base-url {address} --shots 2 -o p.jsonl {more}")
    };
    for (name, file) in [
        ("few_shot", "plain.jsonl"),
        ("few_shot", "scored.jsonl"),
        ("stochastic_few_shot", "scored.jsonl"),
    ] {
        let (_, prompts) = run(&folder, &ask(name, &format!("--examples {file}")), "p.jsonl");
        assert_eq!(prompts.len(), 8);
        for body in &seen.bodies()[seen.count() - 2..] {
            let shown = (0..3).filter(|at| said(body).contains(&format!("{at} of {}", leaf(body))));
            let shown: Vec<usize> = shown.collect();
            assert_eq!((shown.len(), said(body).matches("Example ").count()), (2, 2));
            // At T = 0.1 the scores 1 and 2 all but always win over 0.
            assert!(name == "few_shot" || shown == [1, 2], "{shown:?}");
        }
    }
    let asked = seen.count();
    for name in ["few_shot", "stochastic_few_shot"] {
        let said = folder.fails(2, &ask(name, ""));
        assert!(
            said.contains(&format!("{name}: it needs example prompts; give --examples")),
            "{said}"
        );
    }
    let said = folder.fails(2, &ask("stochastic_few_shot", "--examples plain.jsonl"));
    assert_eq!(
        said,
        "seval-expand: stochastic_few_shot: it draws examples by `risk_score`, which --examples \
         lacks; give rows that seval-critique has scored, or use generate/few_shot\n"
    );
    let said = folder.fails(5, &ask("few_shot", "--examples plain.jsonl --language zh"));
    assert!(said.contains("plain.jsonl: there is no example prompt in `zh`"), "{said}");
    // Of a pattern, what cannot be done is left out and named.
    let said = folder.bash(&ask("'generate/*_shot'", "--examples plain.jsonl"));
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.contains(
            "left out, since they need a model (-m) or examples (--examples): stochastic_few_shot\n"
        ),
        "{said}"
    );
    assert_eq!(seen.count() - asked, 4, "{said}");
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_sent() {
    let (address, seen) = serve(|_, _| (200, chat("no")));
    let folder = folder();
    folder.write("b.jsonl", "{\"prompt\":\"p\",\"language\":\"en\"}\n");
    let fails = |line: &str, wanted: &str| {
        let said = folder.fails(2, &format!("seval-expand {line} --base-url {address} -o p.jsonl"));
        assert!(said.contains(wanted) && said.lines().count() == 1, "{line}\n{said}");
    };
    let taxonomy = "--taxonomy t.toml --language en -t zero_shot";
    fails(
        &format!("{taxonomy} -t translation -m mt"),
        "both base prompts and attacks ask a model; ",
    );
    fails(&format!("{taxonomy} -m sim:medium"), "sim:medium: a simulated target answers prompts");
    fails(&format!("{taxonomy} -m sim:medium --plan"), "sim:medium: a simulated target answers");
    fails("b.jsonl -t translation -m sim:medium", "a simulated target answers prompts");
    fails(taxonomy, "zero_shot: it asks a generation model, and none is named; give -m MODEL");
    fails("b.jsonl -t translation", "translation: it asks a generation model, and none is named");
    fails("b.jsonl -t 'translation|reverse_induction' -m mt", "both attack/translation and attack");
    fails("b.jsonl -t base64 -m mt --emit-requests", "--emit-requests: none of the templates asks");
    fails("b.jsonl -t zero_shot -m mt", "--template: generate/ templates need a taxonomy");
    fails(
        "b.jsonl -t base64 --examples b.jsonl",
        "--examples: are for base prompts; give --taxonomy",
    );
    let (said, rows) =
        run(&folder, "seval-expand b.jsonl -t 'attack/*induction*' -o p.jsonl", "p.jsonl");
    assert!(
        said.contains("left out, since they need a model (-m) or examples (--examples): "),
        "{said}"
    );
    assert!(
        said.contains("reverse_induction, ") || said.contains(" reverse_induction\n"),
        "{said}"
    );
    assert_eq!(column(&rows, "attack"), ["-", "positive_induction", "reverse_induction_fixed"]);
    assert_eq!(seen.count(), 0);
}
