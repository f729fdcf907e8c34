//! Which row of a file answers what.

use super::*;
use arrow::array::{Int32Array, StringArray, UInt64Array};
use serde_json::Value;

fn turn(value: &Value) -> Message {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Message { role: text("role"), content: text("content") }
}

/// The conversation in a JSON list of turns.
fn talk(json: &str) -> Vec<Message> {
    serde_json::from_str::<Vec<Value>>(json).unwrap().iter().map(turn).collect()
}

fn from_json(line: &str) -> Result<ReplayEntry> {
    let value: Value = serde_json::from_str(line).map_err(|error| Error::data("", error))?;
    let text = |name: &str| value.get(name).and_then(|v| v.as_str()).map(str::to_owned);
    Ok(ReplayEntry {
        prompt_id: text("prompt_id"),
        prompt: text("prompt"),
        messages: value["messages"].as_array().map(|turns| turns.iter().map(turn).collect()),
        replies: value["replies"].as_array().map_or_else(Vec::new, |texts| {
            texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        }),
        sample: value.get("sample").and_then(Value::as_i64),
        response: text("response"),
        outcome: text("outcome"),
        finish_reason: text("finish_reason"),
        reasoning: text("reasoning"),
        error: text("error"),
    })
}

fn replay(lines: &[&str]) -> Result<Replay> {
    Replay::from_entries("a.jsonl", lines.iter().map(|line| from_json(line)))
}

#[test]
fn a_prompt_is_found_by_its_id_or_its_text() {
    let id = content_id("How?");
    let replay = replay(&[
        r#"{"prompt":"How?","response":"So.","model":"m","labels":[1]}"#,
        r#"{"prompt":"How?","response":"Thus.","sample":1,"reasoning":"r"}"#,
        r#"{"prompt_id":"q1","prompt":"Why?","response":"Hence.","sample":null}"#,
    ])
    .unwrap();
    let how = [Message::user("How?")];
    let text =
        |id: &str, messages: &[Message], sample| replay.answer(id, messages, sample).response;
    assert_eq!(text(&id, &[], 0).as_deref(), Some("So."));
    assert_eq!(text("theirs", &how, 0).as_deref(), Some("So."));
    assert_eq!(text(&id, &[], 1).as_deref(), Some("Thus."));
    assert_eq!(text("q1", &[], 0).as_deref(), Some("Hence."));
    assert_eq!(replay.answer(&id, &[], 1).reasoning.as_deref(), Some("r"));
    for (id, prompt, sample, error) in [
        ("q2", "", 0, "no answer to this prompt in a.jsonl"),
        ("q2", "How", 0, "no answer to this prompt in a.jsonl"),
        // A further sample is not the first one over again.
        ("q1", "", 1, "no answer to sample 1 of this prompt in a.jsonl"),
    ] {
        let answer = replay.answer(id, &[Message::user(prompt)], sample);
        assert_eq!((answer.outcome, answer.response), (Outcome::Failed, None));
        assert_eq!(answer.error.as_deref(), Some(error));
    }
}

#[test]
fn an_outcome_is_read_or_follows_from_the_row() {
    for (row, outcome, error) in [
        (r#""response":"a""#, Outcome::Answered, None),
        (r#""response":"a","finish_reason":"length""#, Outcome::Truncated, None),
        (r#""response":"","finish_reason":"content_filter""#, Outcome::Filtered, None),
        (r#""response":" ""#, Outcome::Empty, None),
        (r#""response":"a","outcome":"truncated""#, Outcome::Truncated, None),
        (r#""outcome":"empty""#, Outcome::Empty, None),
        (r#""outcome":"timed_out""#, Outcome::TimedOut, Some("timed_out in a.jsonl")),
        (r#""outcome":"failed","error":"HTTP\n500""#, Outcome::Failed, Some("HTTP 500")),
    ] {
        let replay = replay(&[&format!(r#"{{"prompt_id":"q",{row}}}"#)]).unwrap();
        let answer = replay.answer("q", &[], 0);
        assert_eq!((answer.outcome, answer.error.as_deref()), (outcome, error), "{row}");
    }
}

#[test]
fn rows_that_do_not_agree_are_an_error_with_both() {
    let row = |response| format!(r#"{{"prompt_id":"q","response":"{response}"}}"#);
    let (one, other) = (row("a"), row("b"));
    assert!(replay(&[&one, &one]).is_ok());
    let error = replay(&[&one, &one, &other]).unwrap_err().to_string();
    let what = "a.jsonl: row 3: not the answer that row 1 has to the same sample of the same";
    assert!(error.starts_with(what), "{error}");
    // The same text under an id and without one is not one prompt with two answers.
    assert!(replay(&[&one, r#"{"prompt":"q","response":"b"}"#]).is_ok());
}

#[test]
fn a_row_that_says_nothing_is_an_error() {
    for (row, what) in [
        (r#"{"response":"a"}"#, "row 1: it has neither `prompt_id` nor `prompt`"),
        (r#"{"prompt":"q"}"#, "row 1: it has neither `response` nor `outcome`"),
        (r#"{"prompt":"q","response":"a","outcome":"ok"}"#, "no outcome is called `ok`"),
        (r#"{"prompt":"q","outcome":"answered"}"#, "its outcome is `answered`, and it has no"),
        (r#"{"prompt":"q","response":5}"#, "row 1: it has neither `response` nor `outcome`"),
    ] {
        let error = replay(&[row]).unwrap_err().to_string();
        assert!(error.contains(what), "{row}: {error}");
    }
}

const HOW: &str = r#"[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},
    {"role":"user","content":"How?"}]"#;
const OTHER: &str = r#"[{"role":"user","content":"Bye"},{"role":"assistant","content":"So soon?"},
    {"role":"user","content":"How?"}]"#;

#[test]
fn a_conversation_is_found_by_all_of_its_turns() {
    let with = |row: &str, turns: &str| format!(r#"{{{row},"messages":{turns}}}"#);
    let line = |row: &str| format!("{{{row}}}");
    // Its last turn alone is another prompt, whatever the id.
    let how = content_id("How?");
    for row in [
        line(r#""prompt":"How?","response":"no""#),
        line(&format!(r#""prompt_id":"{how}","prompt":"How?","response":"no""#)),
        with(r#""prompt":"How?","response":"no""#, OTHER),
        with(r#""prompt_id":"theirs","response":"no""#, r#"[{"role":"user","content":"How?"}]"#),
    ] {
        let replay = replay(&[&row]).unwrap();
        let answer = replay.answer("mine", &talk(HOW), 0);
        assert_eq!((answer.outcome, answer.response), (Outcome::Failed, None), "{row}");
    }
    for (row, id) in [
        (with(r#""response":"yes""#, HOW), "mine"),
        (with(r#""prompt":"How?","response":"yes""#, HOW), "mine"),
        (with(r#""prompt_id":"theirs","response":"yes""#, HOW), "mine"),
        (with(r#""prompt_id":"mine","response":"yes""#, OTHER), "mine"),
        (line(r#""prompt_id":"mine","response":"yes""#), "mine"),
        (line(&format!(r#""prompt_id":"{}","response":"yes""#, known_by(&talk(HOW)))), ""),
    ] {
        let replay = replay(&[&row, &line(r#""prompt":"How?","response":"no""#)]).unwrap();
        let answer = replay.answer(id, &talk(HOW), 0);
        assert_eq!(answer.response.as_deref(), Some("yes"), "{row}");
    }
    // A prompt is a conversation of one turn, and a system prompt is a part of what was asked.
    let told = r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"How?"}]"#;
    let replay = replay(&[&with(r#""response":"yes""#, r#"[{"role":"user","content":"How?"}]"#)]);
    let replay = replay.unwrap();
    assert_eq!(replay.answer("", &[Message::user("How?")], 0).response.as_deref(), Some("yes"));
    assert_eq!(replay.answer("", &talk(told), 0).outcome, Outcome::Failed);
}

#[test]
fn rows_that_do_not_agree_on_a_conversation_answer_by_their_ids_only() {
    let row = |id: &str| format!(r#"{{"prompt_id":"{id}","response":"{id}","messages":{HOW}}}"#);
    let replay = replay(&[&row("a"), &row("b")]).unwrap();
    assert_eq!(replay.answer("b", &talk(HOW), 0).response.as_deref(), Some("b"));
    assert_eq!(replay.answer("c", &talk(HOW), 0).outcome, Outcome::Failed);
}

#[test]
fn turns_that_were_left_to_the_model_are_answered_one_by_one() {
    let row = |rest: &str| {
        format!(
            r#"{{{rest},"messages":[{{"role":"user","content":"1"}},{{"role":"assistant"}},
            {{"role":"user","content":"2"}}]}}"#
        )
    };
    let first = r#"[{"role":"user","content":"1"}]"#;
    let second = |reply: &str| {
        format!(
            r#"[{{"role":"user","content":"1"}},{{"role":"assistant","content":"{reply}"}},
            {{"role":"user","content":"2"}}]"#
        )
    };
    let text = |replay: &Replay, id: &str, json: &str| replay.answer(id, &talk(json), 0).response;
    for id in ["mine", "other"] {
        let row = row(r#""prompt_id":"mine","replies":["a"],"response":"b""#);
        let replay = replay(&[&row]).unwrap();
        assert_eq!(text(&replay, id, first).as_deref(), Some("a"));
        assert_eq!(text(&replay, id, &second("a")).as_deref(), Some("b"));
        assert_eq!(text(&replay, id, &second("c")), None);
    }
    // Two that begin in the same way and go on in two.
    let [one, two] = ["1", "2"]
        .map(|n| row(&format!(r#""prompt_id":"{n}","replies":["a{n}"],"response":"b{n}""#)));
    let both = replay(&[&one, &two]).unwrap();
    assert_eq!(text(&both, "2", first).as_deref(), Some("a2"));
    assert_eq!(text(&both, "3", first), None);
    assert_eq!(text(&both, "3", &second("a1")).as_deref(), Some("b1"));
    // Where it ended early, that turn has the row's outcome; without replies nothing is known.
    let failed = replay(&[&row(r#""prompt_id":"mine","outcome":"filtered""#)]).unwrap();
    assert_eq!(failed.answer("mine", &talk(first), 0).outcome, Outcome::Filtered);
    let without = replay(&[&row(r#""prompt_id":"mine","response":"b""#)]).unwrap();
    assert_eq!(text(&without, "mine", first), None);
}

/// Two samples of one prompt, with these columns besides.
fn samples(columns: Vec<(&str, ArrayRef)>) -> Result<Vec<Option<String>>> {
    let texts = |texts: [&str; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let known = [("prompt", texts(["q", "q"])), ("response", texts(["a", "b"]))];
    let batch = RecordBatch::try_from_iter(known.into_iter().chain(columns)).unwrap();
    let (schema, batches) = (batch.schema(), Box::new(std::iter::once(Ok(batch))));
    let replay = Replay::read("a.csv", Rows { schema, batches, history: Vec::new() })?;
    let asked = [Message::user("q")];
    Ok((0..2).map(|sample| replay.answer("", &asked, sample).response).collect())
}

#[test]
fn samples_are_numbers_of_any_type() {
    let both = [Some("a".to_owned()), Some("b".to_owned())];
    let cells: [ArrayRef; 5] = [
        Arc::new(StringArray::from(vec!["0", "1"])),
        Arc::new(StringArray::from(vec![None, Some("1")])),
        Arc::new(Int32Array::from(vec![0, 1])),
        Arc::new(UInt64Array::from(vec![0, 1])),
        Arc::new(Float64Array::from(vec![None, Some(1.0)])),
    ];
    for cells in cells {
        assert_eq!(samples(vec![("sample", cells.clone())]).unwrap(), both, "{cells:?}");
    }
    let cells: [ArrayRef; 2] = [
        Arc::new(StringArray::from(vec!["0", "first"])),
        Arc::new(Float64Array::from(vec![0.0, 0.5])),
    ];
    for cells in cells {
        let error = samples(vec![("sample", cells)]).unwrap_err().to_string();
        assert_eq!(error, "a.csv: row 2: its `sample` is not a whole number");
    }
}

#[test]
fn a_csv_file_has_conversations_as_json() {
    let texts = |texts: [&str; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let talks =
        r#"[{"role":"user","content":"q"},{"role":"assistant"},{"role":"user","content":"r"}]"#;
    let columns = || vec![("sample", texts(["0", "1"])), ("replies", texts([r#"["x"]"#, ""]))];
    let with = |messages| columns().into_iter().chain([("messages", texts(messages))]).collect();
    // The second row has no conversation, and is the prompt's.
    let found = samples(with([talks, ""])).unwrap();
    assert_eq!(found, [Some("x".to_owned()), Some("b".to_owned())]);
    let error = samples(with(["User: q", ""])).unwrap_err().to_string();
    assert!(error.starts_with("a.csv: row 1: its `messages` are no list of turns"), "{error}");
}
