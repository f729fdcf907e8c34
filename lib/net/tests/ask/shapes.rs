//! Bodies as servers really send them: read where they can be, failed with a cause where not, never
//! a panic.

use serde_json::json;
use seval_net::{Answer, Outcome};

use crate::server::{Act, Server};
use crate::{connection, limits, outcome};

/// The answers that these bodies come to.
fn read(bodies: Vec<Vec<u8>>) -> Vec<Answer> {
    let count = bodies.len();
    let server = Server::start(move |n, _| Act::Reply(200, Vec::new(), bodies[n].clone()));
    let answers =
        outcome(&connection(&server), limits(1), count).into_iter().map(Result::unwrap).collect();
    assert_eq!(server.count(), count);
    answers
}

/// The answer that this choice comes to.
fn choice(choice: serde_json::Value) -> Answer {
    read(vec![json!({"choices": [choice]}).to_string().into_bytes()]).remove(0)
}

#[test]
fn text_in_every_shape() {
    let texts = [
        json!({"message": {"content": "ab"}}),
        json!({"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}),
        json!({"message": {"content": ["a", "b", {"type": "image_url", "image_url": {}}]}}),
        json!({"message": {"content": null, "refusal": "ab"}}),
        json!({"message": {"content": "", "refusal": "ab"}}),
        json!({"text": "ab", "logprobs": null}),
        json!({"message": {"content": "ab", "audio": {"deep": [[[]]]}}, "extra": {"new": true}}),
    ];
    for text in texts {
        let answer = choice(text.clone());
        assert_eq!(
            (answer.outcome, answer.response.as_deref()),
            (Outcome::Answered, Some("ab")),
            "{text}"
        );
        assert_eq!((answer.usage.input_tokens, answer.finish_reason), (None, None));
    }
}

#[test]
fn no_text_is_empty() {
    let empty = [
        json!({"message": {"content": null}}),
        json!({"message": {"content": ""}}),
        json!({"message": {"content": []}}),
        json!({"message": {"content": 7}}),
        json!({"message": null, "finish_reason": "stop"}),
        json!({}),
        json!(null),
    ];
    for text in empty {
        assert_eq!(choice(text.clone()).outcome, Outcome::Empty, "{text}");
    }
    assert_eq!(choice(json!({"message": {"content": " \n"}})).outcome, Outcome::Empty);
    let answers = read(vec![br#"{"choices": []}"#.to_vec()]);
    assert_eq!((answers[0].outcome, &answers[0].error), (Outcome::Empty, &None));
}

#[test]
fn reasoning_that_eats_the_budget_is_truncated_not_empty() {
    for name in ["reasoning_content", "reasoning"] {
        let answer =
            choice(json!({"message": {"content": null, name: "hm"}, "finish_reason": "length"}));
        assert_eq!(answer.outcome, Outcome::Truncated);
        assert_eq!((answer.reasoning.as_deref(), answer.response), (Some("hm"), None));
        assert_eq!(answer.finish_reason.as_deref(), Some("length"));
    }
}

#[test]
fn tokens_in_every_shape() {
    let usages = [
        (json!({"prompt_tokens": 3, "completion_tokens": 5}), (Some(3), Some(5))),
        (json!({"prompt_tokens": "3", "completion_tokens": 5.0}), (Some(3), Some(5))),
        (json!({"input_tokens": 3, "output_tokens": 5, "cached_tokens": {}}), (Some(3), Some(5))),
        (json!({"prompt_tokens": null, "completion_tokens": "many"}), (None, None)),
        (json!({"prompt_tokens": 1e300, "completion_tokens": []}), (None, None)),
        (json!([]), (None, None)),
        (json!(null), (None, None)),
    ];
    for (usage, expected) in usages {
        let body = json!({"choices": [{"message": {"content": "ab"}}], "usage": usage});
        let answer = read(vec![body.to_string().into_bytes()]).remove(0);
        assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), expected, "{usage}");
        assert_eq!(answer.outcome, Outcome::Answered);
    }
}

#[test]
fn what_is_no_answer_fails_with_a_cause() {
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let bodies: Vec<Vec<u8>> = vec![
        // A server that never answers ends the run.
        json!({"choices": [{"text": "a"}]}).to_string().into_bytes(),
        b"<html>It works!</html>".to_vec(),
        b"".to_vec(),
        b"{\"choices\": [".to_vec(),
        b"\xff\xfe\x00\x00".to_vec(),
        b"{\"choices\": NaN}".to_vec(),
        b"[]".to_vec(),
        b"7".to_vec(),
        b"{}".to_vec(),
        b"{\"choices\": 7}".to_vec(),
        b"{\"a\": \"\\ud800".to_vec(),
        b"\\\xe4\xb8\xad\\ud800\\".to_vec(),
        deep,
    ];
    for (n, answer) in read(bodies).into_iter().enumerate().skip(1) {
        assert_eq!((answer.outcome, answer.attempts), (Outcome::Failed, 1), "{n}");
        let error = answer.error.unwrap();
        assert!(error.chars().count() <= 300 && !error.contains('\n'), "{n}: {error}");
        assert!(
            error.starts_with("the answer is not JSON") || error.contains("no `choices`"),
            "{n}: {error}"
        );
    }
}

#[test]
fn half_characters_and_broken_bytes_are_mended() {
    let body = |text: &[u8]| {
        [&b"\xef\xbb\xbf{\"choices\":[{\"message\":{\"content\":\""[..], text, b"\"}}]}"].concat()
    };
    let texts: [(&[u8], &str); 6] = [
        (br"cut \ud83d", "cut \u{fffd}"),
        (br"\ude00 cut", "\u{fffd} cut"),
        (br"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
        (br"\\ud83d \ud83d\n", "\\ud83d \u{fffd}\n"),
        (br"whole \ud83d\ude00", "whole \u{1f600}"),
        (b"byte \xff", "byte \u{fffd}"),
    ];
    let answers = read(texts.iter().map(|(text, _)| body(text)).collect());
    for (answer, (_, expected)) in answers.iter().zip(texts) {
        assert_eq!(
            (answer.outcome, answer.response.as_deref()),
            (Outcome::Answered, Some(expected))
        );
    }
}
