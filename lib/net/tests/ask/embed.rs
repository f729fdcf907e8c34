//! Embeddings: what is sent, in which order vectors come back, and which answers are none.

use std::path::Path;

use serde_json::{Value, json};
use seval_core::{Error, Kind, Result};
use seval_net::embed::{Embedder, embed};
use seval_net::{Connection, Journal, Message, Model, Request, ask};

use crate::server::{Act, Seen, Server, error, reply, says};
use crate::{connection, limits, request};

/// All that comes for these texts.
fn vectors(connection: &Connection, texts: &[String]) -> Vec<Result<Vec<f32>>> {
    kept(connection, texts, None)
}

/// The same with a journal.
fn kept(
    connection: &Connection,
    texts: &[String],
    journal: Option<Journal>,
) -> Vec<Result<Vec<f32>>> {
    let embedder = Embedder::open("m", connection).unwrap();
    let texts = texts.to_vec();
    let texts = texts.into_iter().map(Ok);
    embed(embedder, limits(4), journal, texts).collect()
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("t{n}")).collect()
}

/// The vector that the servers here give a text: its number first.
fn vector(text: &str) -> Vec<f32> {
    vec![text[1..].parse().unwrap(), 0.1, -2.5e-9]
}

fn inputs(seen: &Seen) -> Vec<String> {
    let texts = seen.body["input"].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A whole reply, the last vector first.
fn backwards(seen: &Seen) -> Act {
    let item = |(index, text): (usize, &String)| {
        let vector = vector(text);
        json!({"object": "embedding", "index": index, "embedding": vector})
    };
    let items: Vec<Value> = inputs(seen).iter().enumerate().map(item).rev().collect();
    reply(json!({"object": "list", "data": items, "usage": {"prompt_tokens": 7}}))
}

/// The only thing that comes when the server replies with this to two texts.
fn refusal(body: &Value) -> Error {
    let body = body.clone();
    let server = Server::start(move |_, _| reply(body.clone()));
    let mut all = vectors(&connection(&server), &texts(2));
    assert_eq!((all.len(), server.count()), (1, 1));
    all.remove(0).unwrap_err()
}

#[test]
fn sends_the_texts_to_the_embeddings_api() {
    let server = Server::start(|_, seen| backwards(seen));
    let whole = Connection {
        api_key: Some("sk-canary".into()),
        base_url: Some(format!("{}/chat/completions", server.url)),
        ..connection(&server)
    };
    let embedder = Embedder::open("openai:org/m", &whole).unwrap();
    assert_eq!(embedder.name(), "org/m");
    let two = texts(2).into_iter().map(Ok);
    let all: Vec<_> = embed(embedder, limits(64), None, two).map(Result::unwrap).collect();
    assert_eq!(all, [vector("t0"), vector("t1")]);
    let seen = &server.seen()[0];
    let expected = r#"{"model":"org/m","input":["t0","t1"],"encoding_format":"float"}"#;
    assert_eq!(seen.body.to_string(), expected);
    let head = seen.head.to_lowercase();
    assert!(head.starts_with("post /v1/embeddings http/1.1"), "{head}");
    assert!(head.contains("authorization: bearer sk-canary"), "{head}");
}

#[test]
fn vectors_are_in_the_order_of_the_texts_in_chunks_that_are_always_the_same() {
    let server = Server::start(|_, seen| backwards(seen));
    let texts = texts(70);
    let all = vectors(&connection(&server), &texts).into_iter().map(Result::unwrap);
    assert_eq!(all.collect::<Vec<_>>(), texts.iter().map(|t| vector(t)).collect::<Vec<_>>());
    let mut chunks: Vec<_> = server.seen().iter().map(inputs).collect();
    chunks.sort_by_key(|chunk| texts.iter().position(|text| *text == chunk[0]));
    assert_eq!(chunks, [&texts[..32], &texts[32..64], &texts[64..]]);
    assert_eq!(vectors(&connection(&server), &[]).len(), 0);
    assert_eq!(server.count(), 3);
}

#[test]
fn vectors_without_a_number_are_in_order() {
    for index in [json!({}), json!({"index": null})] {
        let server = Server::start(move |_, _| {
            let item = |n: usize| {
                let mut item = index.clone();
                item["embedding"] = json!([n, 1]);
                item
            };
            reply(json!({"data": [item(5), item(3)]}))
        });
        let all = vectors(&connection(&server), &texts(2)).into_iter().map(Result::unwrap);
        assert_eq!(all.collect::<Vec<_>>(), [[5.0, 1.0], [3.0, 1.0]]);
    }
}

#[test]
fn an_answer_that_lacks_or_breaks_a_vector_is_an_error_that_says_how() {
    let item = |index: i64, vector: Value| json!({"index": index, "embedding": vector});
    let both = |second: Value| json!({"data": [item(0, json!([1, 2])), second]});
    let cases = [
        (json!({"choices": []}), "the answer has no `data`; does this server give embeddings?"),
        (json!({"data": [item(0, json!([1]))]}), "the answer has 1 vectors for 2 texts"),
        (json!({"data": [1, 2, 3]}), "the answer has 3 vectors for 2 texts"),
        (both(item(0, json!([1, 2]))), "the answer has two vectors with `index` 0"),
        (both(item(2, json!([1, 2]))), "the answer has a vector with `index` 2"),
        (both(item(-1, json!([1, 2]))), "the answer has a vector with `index` -1"),
        (both(item(1, json!([1]))), "`index` 1 has 1 numbers, that with 0 has 2"),
        (both(item(1, json!([]))), "`index` 1 of 2 is empty"),
        (both(item(1, json!([0.0, -0.0]))), "`index` 1 of 2 is all zeros"),
        (both(item(1, json!([1e-60, 0]))), "`index` 1 of 2 is all zeros"),
        (both(item(1, json!([1, null]))), "holds null in place 1, which is no finite number"),
        (both(item(1, json!([1, "2"]))), "holds \"2\" in place 1, which is no finite number"),
        (both(item(1, json!([1e39, 1]))), "holds 1e+39 in place 0, which is no finite number"),
        (both(item(1, json!("AACAPw=="))), "`index` 1 of 2 is no list of numbers"),
        (both(json!({"index": 1})), "`index` 1 of 2 is no list of numbers"),
    ];
    for (body, said) in cases {
        let error = refusal(&body);
        let start = "model m: no embeddings for the texts from 1 on: the ";
        assert!(error.to_string().starts_with(start), "{error}");
        assert!(error.to_string().ends_with(said), "{error}");
        assert_eq!(error.kind, Kind::World);
    }
    // As some servers write it, which is no JSON.
    let nan = br#"{"data": [{"index": 0, "embedding": [NaN]}]}"#.to_vec();
    let server = Server::start(move |_, _| Act::Reply(200, Vec::new(), nan.clone()));
    let error = vectors(&connection(&server), &texts(1)).remove(0).unwrap_err();
    assert!(error.to_string().contains("from 1 on: the answer is not JSON"), "{error}");
}

#[test]
fn vectors_of_another_length_later_are_an_error() {
    let server = Server::start(|_, seen| match inputs(seen)[0].as_str() {
        "t32" => reply(json!({"data": [{"index": 0, "embedding": [1, 2, 3, 4]}]})),
        _ => backwards(seen),
    });
    let mut all = vectors(&connection(&server), &texts(33));
    let error = all.pop().unwrap().unwrap_err().to_string();
    assert!(error.ends_with("from 33 on: its vectors have 4 numbers, those before 3"), "{error}");
    assert_eq!(all.into_iter().map(Result::unwrap).count(), 32);
}

#[test]
fn what_may_pass_is_tried_again_and_what_fails_for_good_ends_the_vectors() {
    let server = Server::start(|n, seen| match n {
        0 => error(429, "slow down"),
        _ => backwards(seen),
    });
    let all = vectors(&connection(&server), &texts(2));
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((all.len(), server.count()), (2, 2));

    let server = Server::start(|_, seen| match inputs(seen)[0].as_str() {
        "t32" => error(400, "too long"),
        _ => backwards(seen),
    });
    let all = vectors(&connection(&server), &texts(100));
    assert_eq!(all.len(), 33);
    let error = all[32].as_ref().unwrap_err().to_string();
    let said = "model m: no embeddings for the texts from 33 on: HTTP 400 Bad Request: too long";
    assert_eq!(error, said);
}

#[test]
fn the_key_is_in_no_error_and_vectors_are_no_place_to_look_for_it() {
    let server = Server::start(|_, _| error(400, "bad key sk-canary"));
    let with = |key: &str, server: &Server| Connection {
        api_key: Some(key.to_owned().into()),
        ..connection(server)
    };
    let error = vectors(&with("sk-canary", &server), &texts(1)).remove(0).unwrap_err().to_string();
    assert!(error.contains("bad key [key]"), "{error}");
    let body = json!({"data": [{"index": 0, "embedding": [["sk-canary"]]}]});
    let server = Server::start(move |_, _| reply(body.clone()));
    let error = vectors(&with("sk-canary", &server), &texts(1)).remove(0).unwrap_err().to_string();
    assert!(error.contains("holds [\"[key]\"] in place 0"), "{error}");

    // The text of such a vector is a row of As.
    let body = json!({"data": [{"index": 0, "embedding": [0, 0, 0, 1]}]});
    let server = Server::start(move |_, _| reply(body.clone()));
    let vector = vectors(&with("AAAA", &server), &texts(1)).remove(0).unwrap();
    assert_eq!(vector, [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn what_a_journal_holds_is_not_asked_for_again() {
    let server = Server::start(|n, seen| match n {
        0 => reply(json!({"data": []})),
        _ if seen.body.get("messages").is_some() => says("yes"),
        _ => backwards(seen),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.db");
    let run = |texts: &[String]| {
        let journal = Journal::open(&path).unwrap();
        let all = kept(&connection(&server), texts, Some(journal.clone()));
        journal.close().unwrap();
        (all.into_iter().collect::<Result<Vec<_>>>(), journal.reused(), server.count())
    };
    // What is no answer is not kept.
    assert!(run(&texts(2)).0.is_err());
    let (first, reused, count) = run(&texts(2));
    assert_eq!((reused, count), (0, 2));
    let (again, reused, count) = run(&texts(2));
    assert_eq!((reused, count), (1, 2));
    assert_eq!(again.unwrap(), first.unwrap());
    let (longer, reused, count) = run(&texts(40));
    assert_eq!((reused, count), (0, 4));
    assert_eq!(longer.unwrap()[39], vector("t39"));
    no_answer_to_a_conversation(&path, &server);
}

/// The texts as turns of a conversation are another question, at the same address too.
fn no_answer_to_a_conversation(path: &Path, server: &Server) {
    let turn = |content: String| Message { role: "input".into(), content };
    let question = Request { messages: texts(2).into_iter().map(turn).collect(), ..request(0) };
    let model = Model::open("m", &connection(server)).unwrap();
    let journal = Journal::open(path).unwrap();
    let once = std::iter::once(Ok(question));
    let answer = ask(model, limits(64), crate::kept(&journal), once).next();
    assert_eq!(answer.unwrap().unwrap().response.as_deref(), Some("yes"));
    assert_eq!(journal.reused(), 0);
}

#[test]
fn an_empty_text_is_an_error_and_not_sent() {
    for empty in ["", " \n"] {
        let server = Server::start(|_, seen| backwards(seen));
        let mut texts = texts(40);
        texts[35] = empty.to_owned();
        let mut all = vectors(&connection(&server), &texts);
        let error = all.pop().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "text 36 to embed: is empty: it has no embedding");
        assert_eq!((error.kind, all.len(), server.count()), (Kind::Data, 32, 1));
    }
}

#[test]
fn an_error_of_the_texts_is_the_end() {
    let server = Server::start(|_, seen| backwards(seen));
    let embedder = Embedder::open("m", &connection(&server)).unwrap();
    let broken = [Ok("t0".to_owned()), Err(Error::data("rows.parquet", "broken"))];
    let all: Vec<_> = embed(embedder, limits(64), None, broken.into_iter()).collect();
    assert_eq!((all.len(), server.count()), (1, 0));
    assert_eq!(all[0].as_ref().unwrap_err().to_string(), "rows.parquet: broken");
}

#[test]
fn who_gives_no_embeddings_is_refused() {
    let server = Server::start(|_, seen| backwards(seen));
    for spec in ["sim:cautious", "gemini:x", ""] {
        assert_eq!(Embedder::open(spec, &connection(&server)).unwrap_err().kind, Kind::Usage);
    }
    let error = Embedder::open("m", &Connection::default()).unwrap_err();
    assert!(error.to_string().starts_with("model m: no address to ask it at"), "{error}");
}
