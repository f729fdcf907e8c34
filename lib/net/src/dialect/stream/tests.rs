use super::Dialect::{Anthropic, Chat, Completions, Gemini};
use super::*;
use crate::exchange::Usage;
use crate::sse::Events;

const CHAT: &str = include_str!("chat.sse");
const ANTHROPIC: &str = include_str!("anthropic.sse");
const GEMINI: &str = include_str!("gemini.sse");
const COMPLETIONS: &str = include_str!("completions.sse");

/// The answer of a body that comes in such pieces.
fn read<'b>(dialect: Dialect, pieces: impl Iterator<Item = &'b [u8]>) -> Result<Answer, Complaint> {
    let (mut events, mut stream) = (Events::new(1 << 20), Stream::new(dialect));
    for piece in pieces {
        events.push(piece).unwrap();
        for event in events.by_ref() {
            stream.push(event.name.as_deref(), &event.data)?;
        }
    }
    events.end();
    for event in events {
        stream.push(event.name.as_deref(), &event.data)?;
    }
    Ok(stream.finish())
}

fn whole(dialect: Dialect, body: &str) -> Result<Answer, Complaint> {
    read(dialect, std::iter::once(body.as_bytes()))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) >> 1).unwrap() % end
    }
}

const BODIES: [(Dialect, &str); 4] =
    [(Chat, CHAT), (Completions, COMPLETIONS), (Anthropic, ANTHROPIC), (Gemini, GEMINI)];

#[test]
fn a_stream_is_the_answer_that_it_would_have_been_whole() {
    for (dialect, body) in BODIES {
        let answer = whole(dialect, body).unwrap();
        let thinks = dialect != Completions;
        assert_eq!((answer.outcome, answer.error), (Outcome::Answered, None), "{dialect:?}");
        assert_eq!(answer.response.as_deref(), Some("Bé 😀"), "{dialect:?}");
        assert_eq!(answer.reasoning.as_deref(), thinks.then_some("Hm, hm."), "{dialect:?}");
        assert_eq!(answer.served_model.as_deref(), Some("m-1"), "{dialect:?}");
        let counts = (answer.usage.input_tokens, answer.usage.output_tokens);
        assert_eq!(counts, (Some(9), Some(7)), "{dialect:?}");
        let tokens = answer.logprobs.iter().flatten().map(|token| token.logprob);
        let expected = if dialect == Anthropic { vec![] } else { vec![-0.5, -1.5] };
        assert_eq!(tokens.collect::<Vec<_>>(), expected, "{dialect:?}");
    }
    let answer = whole(Chat, CHAT).unwrap();
    assert_eq!(answer.usage.reasoning_tokens, Some(4));
    assert_eq!(answer.system_fingerprint.as_deref(), Some("fp"));
    assert_eq!(answer.logprobs.unwrap()[0].top, [("Bé".to_owned(), -0.5)]);
    let usage = whole(Anthropic, ANTHROPIC).unwrap().usage;
    let (cached_tokens, cache_write_tokens) = (Some(3), Some(2));
    let (input_tokens, output_tokens) = (Some(9), Some(7));
    let reasoning_tokens = None;
    assert_eq!(
        usage,
        Usage { input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens }
    );
}

#[test]
fn cuts_between_bytes_change_nothing() {
    let mut random = Random(1);
    for (dialect, body) in BODIES {
        let expected = whole(dialect, body);
        let bytes = body.as_bytes();
        assert_eq!(read(dialect, bytes.chunks(1)), expected);
        for end in ["\r\n", "\r"] {
            assert_eq!(whole(dialect, &body.replace('\n', end)), expected);
        }
        for _ in 0..500 {
            let mut pieces = Vec::new();
            let mut rest = bytes;
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(1 + random.below(rest.len().min(200)));
                pieces.push(piece);
                rest = more;
            }
            assert_eq!(read(dialect, pieces.into_iter()), expected);
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_never_an_answer() {
    for (dialect, body) in BODIES {
        // What ends it for good: nothing else before that does.
        let end = match dialect {
            Anthropic => body.rfind("message_stop\"}").unwrap() + "message_stop\"}".len(),
            Gemini => body.trim_end().len(),
            _ => {
                let stop = body.find("\"finish_reason\":\"stop\"").unwrap();
                stop + body[stop..].find('\n').unwrap()
            }
        };
        for cut in (0..body.len()).filter(|cut| body.is_char_boundary(*cut)) {
            let early = whole(dialect, &body[..cut]);
            // Half an event is an error, or it is no event at all.
            let Ok(answer) = early else { continue };
            let complete = cut >= end;
            assert_eq!(answer.outcome == Outcome::Answered, complete, "{dialect:?} {cut}");
            if !complete {
                assert_eq!(answer.outcome, Outcome::Failed);
                assert_eq!(answer.error.as_deref(), Some("the stream ended early"));
            }
        }
    }
    let cut = CHAT.find(" 😀").unwrap();
    let cut = CHAT[..cut].rfind("data:").unwrap();
    let answer = whole(Chat, &CHAT[..cut]).unwrap();
    assert_eq!((answer.outcome, answer.response.as_deref()), (Outcome::Failed, Some("Bé")));
    assert_eq!(answer.reasoning.as_deref(), Some("Hm, hm."));
    assert_eq!(whole(Gemini, "").unwrap().error.as_deref(), Some("the stream ended early"));
}

#[test]
fn outcomes_and_errors_of_streams() {
    let outcome = |dialect, body: &str| whole(dialect, body).map(|answer| answer.outcome);
    // Without [DONE].
    let stop = CHAT.split_once("data: {\"model\":\"m-1\",\"choices\":[],\"usage\"").unwrap().0;
    assert_eq!(outcome(Chat, stop), Ok(Outcome::Answered));
    assert_eq!(outcome(Chat, &CHAT.replace("\"stop\"", "\"length\"")), Ok(Outcome::Truncated));
    let filtered = CHAT.replace("\"stop\"", "\"content_filter\"");
    assert_eq!(outcome(Chat, &filtered), Ok(Outcome::Filtered));
    let refused = ANTHROPIC.replace("end_turn", "refusal");
    assert_eq!(outcome(Anthropic, &refused), Ok(Outcome::Filtered));
    assert_eq!(outcome(Gemini, &GEMINI.replace("STOP", "SAFETY")), Ok(Outcome::Filtered));
    let blocked = "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n";
    assert_eq!(outcome(Gemini, blocked), Ok(Outcome::Filtered));
    // What was begun and then blocked is no whole answer either.
    let later =
        GEMINI.split_once("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" 😀");
    assert_eq!(outcome(Gemini, &format!("{}{blocked}", later.unwrap().0)), Ok(Outcome::Filtered));
    // The end of nothing is no answer, and text in a refusal is.
    let none = whole(Chat, "data: [DONE]\n\n").unwrap();
    let early = Some("the stream ended early");
    assert_eq!((none.outcome, none.error.as_deref()), (Outcome::Failed, early));
    // A server that breaks an answer off may say [DONE] all the same.
    let broken = CHAT.replace("\"finish_reason\":\"stop\"", "\"finish_reason\":null");
    assert_eq!(outcome(Chat, &broken), Ok(Outcome::Failed));
    let refusal =
        "data: {\"choices\":[{\"delta\":{\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}";
    assert_eq!(whole(Chat, refusal).unwrap().response.as_deref(), Some("No."));

    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":\
                      {\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    let begun = ANTHROPIC.split_once("event: message_delta").unwrap().0;
    let complaint = whole(Anthropic, &format!("{begun}{overloaded}")).unwrap_err();
    assert_eq!((complaint.message.as_str(), complaint.status), ("busy", Some(529)));
    for (body, message) in [
        ("data: {\"error\":{\"message\":\"broken\",\"code\":500}}\n\n", "broken"),
        ("data: {\"object\":\"error\",\"message\":\"broken\",\"code\":400}\n\n", "broken"),
        ("event: error\ndata: broken\n\n", "broken"),
        ("data: {\"choices\"\n\n", "an event is not JSON: "),
    ] {
        let complaint = whole(Chat, &format!("{stop}{body}")).unwrap_err();
        assert!(complaint.message.starts_with(message), "{complaint:?}");
    }
}

#[test]
fn the_end_is_known_and_what_follows_it_is_not_read() {
    for (dialect, body) in BODIES {
        let (mut events, mut stream) = (Events::new(1 << 20), Stream::new(dialect));
        events.push(body.as_bytes()).unwrap();
        for event in events {
            assert!(!stream.done);
            stream.push(event.name.as_deref(), &event.data).unwrap();
        }
        assert_eq!(stream.done, dialect != Gemini);
        if stream.done {
            stream.push(None, "{\"error\":\"late\"}").unwrap();
        }
        assert_eq!(stream.finish().outcome, Outcome::Answered);
    }
}

#[test]
fn nothing_that_comes_breaks_it() {
    let mut random = Random(2);
    let scraps: [&[u8]; 10] = [
        b"\n\n",
        b"\r",
        b"data: ",
        b"event: error\n",
        b"null",
        b"[]",
        b"{",
        b"\"",
        b"\xf0\x9f",
        b"7",
    ];
    for round in 0..100_000 {
        let (dialect, body) = BODIES[round % 4];
        let mut bytes = body.as_bytes().to_vec();
        for _ in 0..1 + random.below(6) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
                1 => bytes.truncate(at + 1),
                2 => drop(bytes.drain(at..bytes.len().min(at + random.below(40)))),
                3 => drop(bytes.splice(at..at, scraps[random.below(10)].iter().copied())),
                // A value of another kind in place of one that is expected.
                _ => {
                    let Some(colon) = bytes[at..].iter().position(|byte| *byte == b':') else {
                        continue;
                    };
                    let kinds: [&[u8]; 5] = [b"null", b"[]", b"{}", b"-1e999", b"\"x\""];
                    let at = at + colon + 1;
                    let end = bytes.len().min(at + 1 + random.below(12));
                    drop(bytes.splice(at..end, kinds[random.below(5)].iter().copied()));
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        // Any of the dialects may be sent what is another's.
        let dialect = if random.below(8) == 0 { BODIES[random.below(4)].0 } else { dialect };
        if let Ok(answer) = read(dialect, bytes.chunks(1 + random.below(300))) {
            assert_eq!(answer.error.is_some(), answer.outcome == Outcome::Failed);
        }
    }
}
