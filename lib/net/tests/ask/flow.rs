//! Many requests: their order, how many are under way, and how a run ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

use seval_core::{Error, Kind};
use seval_net::{Known, Model, Outcome, Request, ask};

use crate::server::{Act, Server, question, says};
use crate::{connection, limits, request};

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let (busy, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let peak = most.clone();
    let server = Server::start(move |n, seen| {
        peak.fetch_max(busy.fetch_add(1, SeqCst) + 1, SeqCst);
        sleep(Duration::from_millis((n as u64 * 7919) % 23));
        busy.fetch_sub(1, SeqCst);
        says(&format!("to {}", question(seen)))
    });
    let models = Model::open("m", &connection(&server)).unwrap();
    let limits = limits(16);
    let answers = ask(models, limits, Known::default(), (0..400).map(|n| Ok(request(n))));
    for (n, answer) in answers.map(Result::unwrap).enumerate() {
        assert_eq!(answer.response, Some(format!("to q{n}")));
    }
    assert_eq!(server.count(), 400);
    let most = most.load(SeqCst);
    assert!((8..=16).contains(&most), "{most} at once");
}

#[test]
fn no_request_is_held_back_while_the_next_is_waited_for() {
    let server = Server::start(|_, _| says("yes"));
    let models = Model::open("m", &connection(&server)).unwrap();
    let (taken, wait) = mpsc::channel();
    // Three at a time, each time once the answers to the three before have been taken.
    let mut given = 0;
    let requests = std::iter::from_fn(move || {
        if given > 0 && given % 3 == 0 {
            let came = (0..3).all(|_| wait.recv_timeout(Duration::from_secs(20)).is_ok());
            assert!(came, "{given} requests given, and no answer");
        }
        given += 1;
        (given <= 300).then(|| Ok(request(given)))
    });
    let answers = ask(models, limits(8), Known::default(), requests);
    let count = answers.map(Result::unwrap).inspect(|_| taken.send(()).unwrap_or(())).count();
    assert_eq!(count, 300);
}

#[test]
fn one_slow_answer_does_not_idle_the_others() {
    let server = Server::start(|_, seen| match question(seen).as_str() {
        "q0" => Act::After(Duration::from_millis(600), Box::new(says("slow"))),
        _ => says("quick"),
    });
    let models = Model::open("m", &connection(&server)).unwrap();
    let mut answers = ask(models, limits(2), Known::default(), (0..60).map(|n| Ok(request(n))));
    assert_eq!(answers.next().unwrap().unwrap().response.as_deref(), Some("slow"));
    assert_eq!(server.count(), 60);
    assert_eq!(answers.count(), 59);
}

#[test]
fn answers_are_read_while_the_caller_is_slow_to_take_them() {
    let server =
        Server::start(|_, _| Act::After(Duration::from_millis(100), Box::new(says("yes"))));
    let mut connection = connection(&server);
    connection.attempt_timeout = Duration::from_millis(800);
    let models = Model::open("m", &connection).unwrap();
    let mut answers = ask(models, limits(64), Known::default(), (0..64).map(|n| Ok(request(n))));
    let first = answers.next().unwrap().unwrap();
    sleep(Duration::from_millis(1000));
    assert!(
        std::iter::once(first)
            .chain(answers.map(Result::unwrap))
            .all(|a| a.outcome == Outcome::Answered)
    );
}

#[test]
fn an_error_among_the_requests_ends_the_run_after_the_answers_before_it() {
    let server = Server::start(|_, _| says("yes"));
    for spec in ["m", "sim:"] {
        let models = Model::open(spec, &connection(&server)).unwrap();
        let requests = (0..9).map(|n| match n {
            5 => Err(Error::data("rows.parquet", "broken")),
            _ => Ok(request(n)),
        });
        let answers: Vec<_> = ask(models, limits(64), Known::default(), requests).collect();
        assert_eq!(answers.len(), 6, "{spec}");
        assert!(answers[..5].iter().all(Result::is_ok), "{spec}");
        assert_eq!(answers[5].as_ref().unwrap_err().to_string(), "rows.parquet: broken");
    }
}

#[test]
fn a_reader_that_dies_is_not_the_end_of_the_input() {
    let server = Server::start(|_, _| says("yes"));
    let models = Model::open("m", &connection(&server)).unwrap();
    let requests = (0..9).map(|n| match n {
        3 => panic!("on purpose"),
        _ => Ok(request(n)),
    });
    let error = ask(models, limits(64), Known::default(), requests).find_map(Result::err).unwrap();
    assert!(
        error.to_string().contains("the reader of the requests ended without a word"),
        "{error}"
    );
}

#[test]
fn no_requests_no_answers() {
    let server = Server::start(|_, _| says("yes"));
    let models = Model::open("m", &connection(&server)).unwrap();
    assert_eq!(ask(models, limits(64), Known::default(), std::iter::empty()).count(), 0);
    assert_eq!(ask(Vec::new(), limits(64), Known::default(), std::iter::empty()).count(), 0);
}

/// Says when it is dropped.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn dropping_the_answers_stops_everything() {
    let server = Server::start(|_, _| Act::After(Duration::from_millis(20), Box::new(says("yes"))));
    let models = Model::open("m", &connection(&server)).unwrap();
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = Guard(dropped.clone());
    let requests = (0..).map(move |n| {
        let _still_here = &guard;
        Ok(request(n))
    });
    let mut answers = ask(models, limits(4), Known::default(), requests);
    assert!(answers.by_ref().take(5).all(|answer| answer.is_ok()));
    drop(answers);
    let began = Instant::now();
    while !dropped.load(SeqCst) {
        assert!(began.elapsed() < Duration::from_secs(2), "the requests are still being read");
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(50));
    let count = server.count();
    sleep(Duration::from_millis(100));
    assert_eq!(server.count(), count);
}

#[test]
fn nothing_is_read_far_ahead() {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    let endless = move || {
        let counter = counter.clone();
        (0..).map(move |n| {
            counter.fetch_add(1, SeqCst);
            Ok(request(n))
        })
    };
    let server = Server::start(|_, _| says("yes"));
    let models = Model::open("sim:", &connection(&server)).unwrap();
    assert_eq!(ask(models, limits(64), Known::default(), endless()).take(7).count(), 7);
    assert_eq!(read.swap(0, SeqCst), 7);

    let models = Model::open("m", &connection(&server)).unwrap();
    let mut answers = ask(models, limits(2), Known::default(), endless());
    assert!(answers.next().unwrap().is_ok());
    sleep(Duration::from_millis(300));
    let ahead = read.load(SeqCst);
    assert!(ahead < 300, "{ahead} requests were read for one answer");
}

#[test]
fn simulated_and_real_models_in_one_run() {
    let server = Server::start(|_, seen| says(&question(seen)));
    let mut models = Model::open("m", &connection(&server)).unwrap();
    models.extend(Model::open("sim:cautious", &connection(&server)).unwrap());
    let requests = (0..40).map(|n| Ok(Request { model: n % 2, ..request(n) }));
    let answers: Vec<_> =
        ask(models, limits(64), Known::default(), requests).map(Result::unwrap).collect();
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.truth.is_some(), n % 2 == 1);
    }
    assert_eq!((answers.len(), server.count()), (40, 20));
}

#[test]
fn a_request_to_a_model_that_is_not_there_is_an_error() {
    let server = Server::start(|_, _| says("yes"));
    for spec in ["m", "sim:"] {
        let models = Model::open(spec, &connection(&server)).unwrap();
        let requests = std::iter::once(Ok(Request { model: 7, ..request(0) }));
        let error =
            ask(models, limits(64), Known::default(), requests).next().unwrap().unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
    }
}
