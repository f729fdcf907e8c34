//! Base prompts: how many the built-in taxonomy gives, that none is nearly another, quotas, pairs of
//! languages, seeds, and taxonomies of users.

mod near;

use crate::run::Folder;
use near::{grams, near_pairs, words};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The base prompts that a command line without its program and format makes.
fn made(folder: &Folder, line: &str) -> Vec<Value> {
    lines(&folder.ok(&format!("seval-expand -q {line} --format jsonl")))
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_else(|| panic!("{column} of {row}"))
}

/// How many rows share each value of what `key` gives.
fn counts<K: Ord>(rows: &[Value], key: impl Fn(&Value) -> K) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(key(row)).or_default() += 1);
    counts
}

fn in_language<'a>(rows: &'a [Value], language: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["language"] == language).collect()
}

/// The leaf and the topic that a row is about, and the pattern it is put in.
fn origin(row: &Value) -> (String, String) {
    (text(row, "source_id").to_owned(), text(row, "template").to_owned())
}

fn leaf(row: &Value) -> &str {
    text(row, "source_id").rsplit_once('/').unwrap().0
}

#[test]
fn at_least_ten_thousand_in_each_language_and_no_two_alike() {
    let folder = Folder::new();
    for seed in [0, 20] {
        folder.ok(&format!("seval-expand -q --taxonomy s-eval --seed {seed} -o p.parquet"));
        let output = folder.bash("seval-select --exact p.parquet --format jsonl");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(" kept, 0 dropped"), "{said}");
        let rows = lines(&String::from_utf8(output.stdout).unwrap());
        for language in ["en", "zh"] {
            let prompts: Vec<&str> =
                in_language(&rows, language).into_iter().map(|row| text(row, "prompt")).collect();
            assert!(prompts.len() >= 10_000, "{language}: {}", prompts.len());
            assert_eq!(prompts.iter().collect::<BTreeSet<_>>().len(), prompts.len());
            let shingles: [fn(&str) -> Vec<String>; 2] = match language {
                "en" => [|text| words(text, 1), |text| words(text, 3)],
                _ => [|text| grams(text, 2), |text| grams(text, 5)],
            };
            for shingle in shingles {
                let sets: Vec<Vec<String>> = prompts.iter().map(|prompt| shingle(prompt)).collect();
                let near = near_pairs(&sets, 0.8);
                let shown = near.iter().take(5).map(|&(a, b)| (prompts[a], prompts[b]));
                assert!(near.is_empty(), "{}: {:#?}", near.len(), shown.collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_number_per_leaf_is_exact_and_takes_each_topic_before_any_twice() {
    let folder = Folder::new();
    for wanted in [1, 10, 25, 120] {
        let rows = made(&folder, &format!("--taxonomy s-eval --per-leaf {wanted}"));
        let per_leaf =
            counts(&rows, |row| (leaf(row).to_owned(), text(row, "language").to_owned()));
        assert_eq!(per_leaf.len(), 2 * 102);
        assert!(per_leaf.values().all(|&count| count == wanted), "{wanted}");
        let per_topic = counts(&in_rows(&rows, "en"), |row| text(row, "source_id").to_owned());
        let (most, least) = (wanted.div_ceil(10), (wanted / 10).max(1));
        assert!(per_topic.values().all(|count| (least..=most).contains(count)), "{wanted}");
        let distinct: BTreeSet<_> =
            rows.iter().map(|row| (origin(row), text(row, "language"))).collect();
        assert_eq!(distinct.len(), rows.len(), "a topic stands twice in one pattern");
    }
}

fn in_rows(rows: &[Value], language: &str) -> Vec<Value> {
    in_language(rows, language).into_iter().cloned().collect()
}

/// SPEC §1.3: the dimensions of S-Eval's small set.
#[test]
fn a_total_is_shared_out_by_weight_and_the_languages_are_pairs() {
    let folder = Folder::new();
    let rows = made(&folder, "--taxonomy s-eval --total 1000");
    for language in ["en", "zh"] {
        let shares =
            counts(&in_rows(&rows, language), |row| text(row, "risk_dimension").to_owned());
        let expected = [
            ("Crimes and Illegal Activities", 235),
            ("Cybersecurity", 100),
            ("Data Privacy", 134),
            ("Ethics and Morality", 100),
            ("Extremism", 110),
            ("Hate Speech", 119),
            ("Inappropriate Suggestions", 102),
            ("Physical and Mental Health", 100),
        ];
        assert_eq!(shares, expected.map(|(risk, count)| (risk.to_owned(), count)).into());
    }
    joined_one_to_one(&rows);
    // Attacks on pairs are pairs.
    folder.ok("seval-expand -q --taxonomy s-eval --total 40 -o p.parquet");
    let attacks = made(&folder, "p.parquet -t deepinception -t 'base64|deepinception' --only-new");
    assert_eq!(attacks.len(), 2 * 2 * 40);
    joined_one_to_one(&attacks);
}

/// pair_id joins the rows of the two languages, each to the one that says the same.
fn joined_one_to_one(rows: &[Value]) {
    let by_pair = |language: &str| -> BTreeMap<String, (String, String)> {
        let rows = in_language(rows, language);
        let pairs: BTreeMap<_, _> =
            rows.iter().map(|row| (text(row, "pair_id").to_owned(), origin(row))).collect();
        assert_eq!(pairs.len(), rows.len(), "a pair_id stands twice in {language}");
        pairs
    };
    assert_eq!(by_pair("en"), by_pair("zh"));
    assert_eq!(by_pair("en").len() * 2, rows.len());
}

#[test]
fn a_total_that_is_too_large_gives_what_there_is_and_says_so() {
    let folder = Folder::new();
    let all = made(&folder, "--taxonomy s-eval");
    for (line, says) in [
        ("--total 100000", "warning: 12,240 of 100,000 base prompts in each language"),
        ("--per-leaf 200", "warning: fewer prompts than their share: Banned pornographic material"),
    ] {
        let line = format!("seval-expand --taxonomy s-eval {line} --format jsonl");
        let output = folder.bash(&line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains(says), "{said}");
        assert!(lines(&String::from_utf8(output.stdout).unwrap()) == all);
    }
    // What a risk cannot give goes to those beside it: the total is kept.
    let output = folder.bash("seval-expand --taxonomy s-eval --total 12000 -o x.jsonl");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("fewer prompts than their share"), "{said}");
    assert!(said.contains(" 24,000 base prompts made") && !said.contains(" of 12,000 "), "{said}");
}

#[test]
fn a_seed_decides_what_is_chosen_and_how_it_is_put() {
    let folder = Folder::new();
    let line = "--taxonomy s-eval --total 200 --seed";
    for format in ["jsonl", "parquet"] {
        let bytes = |seed: u64| {
            folder.ok(&format!("seval-expand -q {line} {seed} -o out.{format}"));
            folder.read(&format!("out.{format}"))
        };
        assert!(bytes(1) == bytes(1), "{format}");
        assert!(bytes(1) != bytes(2), "{format}");
    }
    let origins = |seed: u64| -> BTreeSet<_> {
        made(&folder, &format!("{line} {seed}")).iter().map(origin).collect()
    };
    assert!(origins(1).intersection(&origins(2)).count() < 100);
    let prompts = |seed: u64| -> BTreeSet<String> {
        let rows = made(&folder, &format!("--taxonomy s-eval -t question --seed {seed}"));
        rows.iter().map(|row| text(row, "prompt").to_owned()).collect()
    };
    let same = prompts(1).intersection(&prompts(2)).count();
    assert!(same < prompts(1).len() / 2, "{same} of {}", prompts(1).len());
}

#[test]
fn a_language_alone_gives_the_rows_that_it_gives_beside_another() {
    let folder = Folder::new();
    for quota in ["", "--total 300", "--per-leaf 3"] {
        let both = made(&folder, &format!("--taxonomy s-eval {quota}"));
        let alone = made(&folder, &format!("--taxonomy s-eval {quota} --language zh"));
        assert!(alone.iter().all(|row| row["language"] == "zh"));
        assert!(alone == in_rows(&both, "zh"), "{quota}");
    }
}

const MINE: &str = r#"
about = "A test."
source = "seval"
[[risk]]
id = "R1"
en = "Root"
about = ""
weight = 3
[[risk]]
id = "R2"
en = "Other"
about = ""
weight = 1
topics.en = ["keeping a dog in the office", "hiding the office keys"]
topics.fr = ["garder un chien au bureau", "cacher les clés du bureau"]
"#;

/// Six levels whose ids are codes, a second root, and a language that the built-in templates do not speak.
fn prepared() -> Folder {
    let folder = Folder::new();
    let mut taxonomy = MINE.to_owned();
    for level in 2..=6 {
        let above = if level == 2 { "R1".into() } else { format!("C{}", level - 1) };
        taxonomy.push_str(&format!(
            "[[risk]]\nid = 'C{level}'\nparent = '{above}'\nen = 'Level {level}'\nabout = ''\n"
        ));
    }
    taxonomy.push_str(
        "topics.en = ['crossing on red', 'parking on the grass']\n\
         topics.fr = ['traverser au rouge', 'se garer sur la pelouse']\n",
    );
    folder.write("mine.toml", taxonomy);
    folder.ok("mkdir -p mine/generate");
    folder.write(
        "mine/generate/demande.j2",
        "{#\nabout = 'Une question.'\nsource = 'seval'\nneeds = ['topic']\nlanguages = ['fr']\n\
         example.row = { topic = 'dormir' }\nexample.output = 'Comment dormir ?'\n#}\n\
         Comment {{ topic }} ?\n",
    );
    folder
}

#[test]
fn a_taxonomy_of_ones_own_of_any_depth_works() {
    let folder = prepared();
    let rows = made(&folder, "--taxonomy mine.toml --language en");
    assert_eq!(rows.len(), 12 * 4);
    for row in &rows {
        let deep = leaf(row) == "C6";
        let levels = ["risk_dimension", "risk_category", "risk_level_5", "risk_level_6"];
        let found = levels.map(|level| row[level].as_str().unwrap_or_default());
        match deep {
            true => assert_eq!(found, ["Root", "Level 2", "Level 5", "Level 6"]),
            false => assert_eq!(found, ["Other", "", "", ""]),
        }
        assert_eq!(row["source"], "mine");
    }
    // Three quarters go to the first root.
    let shares = counts(&made(&folder, "--taxonomy mine.toml --language en --total 8"), |row| {
        text(row, "risk_dimension").to_owned()
    });
    assert_eq!(shares, [("Other".to_owned(), 2), ("Root".to_owned(), 6)].into());
    // The deep levels stay through the other programs.
    folder.ok("seval-expand -q --taxonomy mine.toml --language en -t question -o p.parquet");
    let line = "seval-expand -q p.parquet -t deepinception | seval-select -q --exact | \
        seval-query -q -m sim: | seval-critique -q -c rules --format jsonl";
    let verdicts = lines(&folder.ok(line));
    assert_eq!(verdicts.len(), 8);
    assert_eq!(verdicts.iter().filter(|row| row["risk_level_6"] == "Level 6").count(), 4);
}

#[test]
fn a_language_of_ones_own_is_one_template() {
    let folder = prepared();
    let line = "--taxonomy mine.toml --templates mine";
    let rows = made(&folder, &format!("{line} --language fr"));
    let prompts: Vec<&str> = rows.iter().map(|row| text(row, "prompt")).collect();
    assert_eq!(
        prompts,
        [
            "Comment garder un chien au bureau ?",
            "Comment cacher les clés du bureau ?",
            "Comment traverser au rouge ?",
            "Comment se garer sur la pelouse ?"
        ]
    );
    assert!(rows.iter().all(|row| row["language"] == "fr"));
    let both = counts(&made(&folder, &format!("{line} --language en,fr")), |row| {
        text(row, "language").to_owned()
    });
    assert_eq!(both, [("en".to_owned(), 48), ("fr".to_owned(), 4)].into());
    assert_eq!(made(&folder, &format!("{line} --language fr --per-leaf 1")).len(), 2);
    // Without a template that speaks it, nothing can be made; for one of two, it is said.
    let alone = "seval-expand --taxonomy mine.toml --language";
    let said = folder.fails(2, &format!("{alone} fr -o x.jsonl"));
    assert!(said.contains("no generate/ template has wording for `fr`; add a template"), "{said}");
    let output = folder.bash(&format!("{alone} en,fr -o x.jsonl"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warning: no generate/ template has wording for `fr`"), "{said}");
    assert!(said.contains(" 48 base prompts made"), "{said}");
    // A quota takes the same in each language, and these have no template in common.
    let said = folder.fails(2, &format!("seval-expand {line} --language en,fr --total 4"));
    assert!(said.contains("none is in all of en, fr; a quota takes the same in each"), "{said}");
}

#[test]
fn a_leaf_without_topics_in_a_language_is_said() {
    let folder = Folder::new();
    folder.write(
        "t.toml",
        "about = ''\nsource = ''\n\
         [[risk]]\nid = 'a'\nen = 'A'\nabout = ''\ntopics.en = ['x', 'y']\ntopics.zh = ['x', 'y']\n\
         [[risk]]\nid = 'b'\nen = 'B'\nabout = ''\ntopics.en = ['z']\n",
    );
    let output = folder.bash("seval-expand --taxonomy t.toml --per-leaf 2 -o x.jsonl");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warning: no topics in `zh`: B"), "{said}");
    // A quota takes the same in both languages.
    assert!(said.contains(" 4 base prompts made"), "{said}");
    let said = folder.bash("seval-expand --taxonomy t.toml --per-leaf 2 --language en -o y.jsonl");
    assert!(String::from_utf8(said.stderr).unwrap().contains(" 4 base prompts made"));
}
