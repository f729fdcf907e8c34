mod random;

use std::time::{Duration, Instant};

use super::server::{ANSWERED, Rng, Run, Sent, lane, limited, ms};
use super::{Ended, Lane, Next, Pace, Reason, Verdict, Why};

const S: Duration = Duration::from_secs(1);

#[test]
fn no_request_before_the_latest_stated_time() {
    for seed in 0..10_000 {
        let mut run = Run::new(vec![lane(1 + seed as usize % 8)], 8, seed);
        run.push(0, 20, 0);
        // When each response comes, and what it asks for.
        let mut wishes: Vec<(Duration, Duration)> = Vec::new();
        run.all(&mut |now, _, rng| {
            let came = wishes.iter().filter(|(came, _)| *came <= now);
            // Of responses of one time the last one counts; `wishes` is in the order of sends.
            if let Some((came, wait)) = came.max_by_key(|(came, _)| *came) {
                assert!(now >= *came + *wait, "seed {seed}: {now:?}, asked {wait:?} at {came:?}");
            }
            let took = ms(1 + rng.below(2000)) + Duration::from_nanos(rng.below(1_000_000));
            let wish = match rng.below(12) {
                0 => Some(86_400),
                1 => Some(301),
                2 => Some(300),
                3 => Some(0),
                4..8 => Some(rng.below(120)),
                8 => None,
                _ => return (took, ANSWERED),
            };
            wishes.extend(wish.map(|wish| (now + took, Duration::from_secs(wish))));
            (took, limited(wish))
        });
        let too_long = wishes.iter().filter(|(_, wait)| *wait > 300 * S).count();
        let given = run.given_up.iter().filter(|reason| match reason {
            Reason::RetryAfter(asked) => *asked > 300 * S,
            Reason::NoAnswers => false,
            reason => panic!("seed {seed}: {reason:?}"),
        });
        assert!(given.count() >= too_long, "seed {seed}: waited in silence");
        // Nobody waits longer than a server may ask, time after time.
        assert!(run.now < 20 * 20 * 300 * S, "seed {seed}");
    }
}

#[test]
fn too_long_a_wait_gives_back_what_waits_and_a_later_wish_opens_again() {
    let start = Instant::now();
    let mut pace = Pace::new(vec![lane(2)], 2);
    for job in 0..4 {
        pace.push(0, job, 0);
    }
    let send = |pace: &mut Pace<i32>, at| match pace.next(at, || 0.5) {
        Next::Send { job, ticket } => (job, ticket),
        next => panic!("{next:?}"),
    };
    let (first, second) = (send(&mut pace, start), send(&mut pace, start));
    let too_long = Reason::RetryAfter(86_400 * S);
    let verdict = pace.ended(start + S, || 0.5, first.0, first.1, limited(Some(86_400)));
    assert_eq!(verdict, Verdict::GiveUp(0, too_long));
    let next = pace.next(start + S, || 0.5);
    assert!(matches!(next, Next::GiveUp { job: 2, reason } if reason == too_long));
    // The second answer came later: its wish holds.
    let verdict = pace.ended(start + 2 * S, || 0.5, second.0, second.1, limited(Some(5)));
    assert_eq!(verdict, Verdict::Again);
    let why = pace.why(0, start + 2 * S);
    assert!(matches!(why, Some((Why::Paused, Some(_)))), "{why:?}");
    let Next::Wait(Some(at)) = pace.next(start + 2 * S, || 0.5) else { panic!() };
    assert!(at >= start + 7 * S && at < start + 8 * S);
    assert_eq!(send(&mut pace, at).0, 1);
}

/// 600 s of a server that turns away 30 %, from second 10, then none: the run, and the limits
/// before, at the end and two cooldowns later.
fn thirty_percent(hint: Option<u64>, seed: u64) -> (Run, [usize; 3]) {
    let mut run = Run::new(vec![lane(64)], 64, seed);
    run.push(0, 450_000, 0);
    let mut server = |now: Duration, _, rng: &mut Rng| {
        let bad = now >= 10 * S && now < 610 * S && rng.draw() < 0.3;
        (ms(100), if bad { limited(hint) } else { ANSWERED })
    };
    let limits = [10, 610, 630 + hint.unwrap_or(0)].map(|until| {
        run.until(Duration::from_secs(until), &mut server);
        run.pace.limit(0)
    });
    assert_eq!(run.given_up, []);
    (run, limits)
}

#[test]
fn ten_minutes_of_429_on_thirty_percent_lose_nothing_and_pin_nothing() {
    for seed in 0..5 {
        // A client that keeps to a hint of 89 s can send one limit's worth in that time.
        for (hint, admitted) in [(None, 64.0 * 6000.0), (Some(89), 64.0 * 600.0 / 89.2)] {
            let (run, limits) = thirty_percent(hint, seed);
            let answers = run.answers(0, 10, 610) as f64;
            let of = format!("seed {seed}: {answers} of {}, {limits:?}", 0.7 * admitted);
            assert!(answers >= 0.9 * 0.7 * admitted, "{of}");
            assert!(limits[0] == 64 && limits[2] >= 60, "{of}");
        }
    }
}

/// 600 s of a server with a token bucket that answers in `took` ms while there are tokens, else
/// says no in `refusal` ms and `hint`s at when there is one: the part of its rate that we got, and
/// requests per answer.
fn fixed_rate(
    (rate, burst): (f64, f64),
    (took, refusal): (u64, u64),
    hint: fn(f64) -> Option<f64>,
) -> (f64, f64) {
    let mut run = Run::new(vec![lane(64)], 64, 7);
    run.push(0, 700 * rate as u32 + 700, 0);
    let (mut tokens, mut last) = (burst, Duration::ZERO);
    run.until(600 * S, &mut |now, _, _| {
        tokens = (tokens + rate * (now - last).as_secs_f64()).min(burst);
        last = now;
        if tokens >= 1.0 {
            tokens -= 1.0;
            return (ms(took), ANSWERED);
        }
        let retry_after = hint((1.0 - tokens) / rate).map(Duration::from_secs_f64);
        (ms(refusal), Ended::Limited { retry_after, counts: false })
    });
    assert_eq!(run.given_up, []);
    let answers = run.answers(0, 0, 600) as f64;
    (answers / (rate * 600.0), run.sent.len() as f64 / answers)
}

#[test]
fn a_server_with_a_fixed_rate_gives_nine_tenths_of_it_and_is_not_hammered() {
    let times = [(50.0, (100, 5)), (50.0, (100, 100)), (5.0, (2000, 20)), (300.0, (150, 1))];
    for (rate, times) in times {
        let small = f64::max(rate / 10.0, 4.0);
        for burst in [small, rate] {
            for (name, hint) in [("none", (|_| None) as fn(f64) -> _), ("exact", Some)] {
                let (part, sends) = fixed_rate((rate, burst), times, hint);
                assert!(part >= 0.9, "{rate} {burst} {times:?} {name}: {part:.3} {sends:.2}");
                assert!(sends <= 2.1, "{rate} {burst} {times:?} {name}: {part:.3} {sends:.2}");
            }
        }
        // Whole seconds: what the bucket gathers meanwhile is taken at once.
        let (part, sends) = fixed_rate((rate, 2.0 * rate), times, |wait| Some(wait.ceil()));
        assert!(part >= 0.9 && sends <= 2.1, "{rate} {times:?} seconds: {part:.3} {sends:.2}");
    }
}

#[test]
fn a_quota_per_window_is_used_and_waited_for() {
    let mut run = Run::new(vec![lane(64)], 64, 3);
    run.push(0, 50_000, 0);
    let (mut window, mut used) = (0, 0);
    run.until(890 * S, &mut |now, _, _| {
        if now.as_secs() / 89 > window {
            (window, used) = (now.as_secs() / 89, 0);
        }
        used += 1;
        let rest = Duration::from_secs(89 * (window + 1)) - now;
        let full = Ended::Limited { retry_after: Some(rest), counts: false };
        (ms(400), if used > 2000 { full } else { ANSWERED })
    });
    assert_eq!(run.given_up, []);
    assert!(run.answers(0, 0, 890) >= 19_800, "{}", run.answers(0, 0, 890));
}

#[test]
fn bursts_of_failures_cost_at_most_a_fifth_more() {
    for seed in 0..20 {
        let mut run = Run::new(vec![lane(64)], 64, seed);
        run.push(0, 30_000, 0);
        run.all(&mut |now, _, rng| match (now.as_secs() / 10 % 3, rng.below(10)) {
            (1, 0..9) => (ms(20), if seed % 2 == 0 { Ended::Failed } else { Ended::Overloaded }),
            (2, 0) => (ms(20), Ended::Failed),
            _ => (ms(200 + rng.below(100)), ANSWERED),
        });
        assert!(run.sent.len() <= 36_010, "seed {seed}: {}", run.sent.len());
        assert!(run.sent.iter().all(|sent| sent.attempt <= 6), "seed {seed}");
        // A burst is no fire that burns the whole input: the lane slows down.
        assert!(run.given_up.len() < 600, "seed {seed}: {}", run.given_up.len());
    }
}

#[test]
fn failures_of_some_requests_are_retried_on_a_budget() {
    for (failing, lost) in [(0.1, 0..1), (0.4, 1..4_000)] {
        let mut run = Run::new(vec![lane(64)], 64, 1);
        run.push(0, 10_000, 0);
        run.all(&mut |_, _, rng| {
            (ms(100), if rng.draw() < failing { Ended::Failed } else { ANSWERED })
        });
        assert!(run.sent.len() <= 12_010, "{failing}: {}", run.sent.len());
        assert!(lost.contains(&run.given_up.len()), "{failing}: {}", run.given_up.len());
        assert_eq!(run.given_up.contains(&Reason::Budget), lost.start > 0, "{failing}");
    }
}

#[test]
fn a_retry_waits_twice_as_long_each_time_and_goes_first_when_due() {
    let start = Instant::now();
    let mut pace = Pace::new(vec![Lane { max_retries: 2, ..lane(1) }], 1);
    (0..9).for_each(|job| assert_eq!(pace.push(0, job, 0), None));
    let fails = |pace: &mut Pace<i32>, at: Instant| match pace.next(at, || 0.5) {
        Next::Send { job, ticket } => (job, pace.ended(at, || 0.5, job, ticket, Ended::Failed)),
        next => panic!("{next:?}"),
    };
    // Half of the bound, which is 500 ms, then 1 s.
    assert_eq!(fails(&mut pace, start), (0, Verdict::Again));
    let Next::Send { job: 1, ticket } = pace.next(start + ms(249), || 0.5) else { panic!() };
    let answered = pace.ended(start + ms(250), || 0.5, 1, ticket, ANSWERED);
    assert_eq!(answered, Verdict::Done(1));
    assert_eq!(fails(&mut pace, start + ms(800)), (0, Verdict::Again));
    let Next::Send { job: 2, ticket } = pace.next(start + ms(1299), || 0.5) else { panic!() };
    pace.ended(start + ms(1299), || 0.5, 2, ticket, Ended::Refused);
    let last = fails(&mut pace, start + ms(1900));
    assert_eq!(last, (0, Verdict::GiveUp(0, Reason::Attempts)));
}

#[test]
fn lanes_take_turns() {
    let mut run = Run::new(vec![lane(4), lane(4), lane(4)], 1, 1);
    (0..3).for_each(|lane| run.push(lane, 5, 0));
    run.all(&mut |_, _, _| (ms(10), ANSWERED));
    assert!(run.sent.iter().enumerate().all(|(at, sent)| sent.lane == at % 3));
}

#[test]
fn a_server_that_is_down_is_asked_slowly_and_found_again() {
    let mut run = Run::new(vec![lane(64)], 64, 1);
    run.push(0, 100_000, 0);
    let mut server = |now: Duration, _, _: &mut Rng| match now.as_secs() {
        60..6060 => (ms(1), Ended::Failed),
        _ => (ms(500), ANSWERED),
    };
    run.until(6060 * S, &mut server);
    assert!(run.given_up.len() < 800, "{}", run.given_up.len());
    assert_eq!(run.pace.limit(0), 1);
    run.until(6120 * S, &mut server);
    assert!(run.pace.limit(0) >= 60, "{}", run.pace.limit(0));
}

#[test]
fn late_refusals_cut_once() {
    let mut run = Run::new(vec![lane(64)], 64, 1);
    run.push(0, 64, 0);
    // All 64 leave before the first refusal is back.
    run.until(2 * S, &mut |_, _, rng| (S + ms(rng.below(500)), limited(None)));
    assert_eq!(run.pace.limit(0), 32);
}

/// The most that any minute has, of sends weighed by `weigh`.
fn busiest_minute(sent: &[Sent], weigh: impl Fn(&Sent) -> u64) -> u64 {
    let (mut from, mut sum, mut most) = (0, 0, 0);
    for one in sent {
        sum += weigh(one);
        while sent[from].at + 60 * S <= one.at {
            sum -= weigh(&sent[from]);
            from += 1;
        }
        most = most.max(sum);
    }
    most
}

#[test]
fn no_minute_has_more_than_the_limit_and_a_second() {
    for (rate, most) in [(600.0, 610), (6000.0, 6100), (6.0, 7), (90.0, 92)] {
        let limited = Lane { requests_per_minute: Some(rate), ..lane(200) };
        let mut run = Run::new(vec![limited], 200, 1);
        run.push(0, 5 * rate as u32, 0);
        run.all(&mut |_, _, rng| (ms(rng.below(3000)), ANSWERED));
        assert!(busiest_minute(&run.sent, |_| 1) <= most, "{rate}");
        assert!(run.now <= 304 * S, "{rate}: not used, {:?}", run.now);
    }
    // Tokens: half of what was estimated, then twice as much. The overdraft is one request.
    for (actual, rate) in [(50, 60_000.0), (200, 60_000.0), (50, 600.0), (200, 600.0)] {
        let limited = Lane { tokens_per_minute: Some(rate), ..lane(500) };
        let mut run = Run::new(vec![limited], 500, 1);
        run.push(0, 3 * (rate / actual as f64) as u32, 100);
        run.all(&mut |_, _, _| (ms(10), Ended::Answered { tokens: Some(actual) }));
        let most = busiest_minute(&run.sent, |_| actual) as f64;
        // What is under way at 100 a piece may turn out to be more: 10 ms of it.
        let slack = rate / 60.0 + 2.0 * actual as f64 + rate / 6000.0;
        assert!(most <= rate + slack, "{actual} {rate}: {most}");
        assert!(run.now <= 183 * S, "{actual} {rate}: not used, {:?}", run.now);
    }
}

#[test]
fn a_lane_that_is_slow_or_paused_leaves_the_others_alone() {
    let quick = |bad: Option<(u64, Ended)>, most| {
        let mut run = Run::new(vec![lane(32), lane(32)], most, 5);
        run.push(0, if bad.is_some() { 20_000 } else { 0 }, 0);
        run.push(1, 200_000, 0);
        run.until(100 * S, &mut |_, lane, rng| match bad.filter(|_| lane == 0) {
            Some((took, ended)) => (ms(took), ended),
            None => (ms(50 + rng.below(100)), ANSWERED),
        });
        run.answers(1, 0, 100) as f64
    };
    let alone = quick(None, 32);
    let faults =
        [(30_000, ANSWERED), (10, limited(Some(200))), (10, limited(None)), (1, Ended::Failed)];
    for fault in faults {
        // With room for both, and with room for half: then each has half.
        let (both, half) = (quick(Some(fault), 64), quick(Some(fault), 32));
        assert!(both >= 0.95 * alone, "{fault:?}: {both} of {alone}");
        assert!(half >= 0.95 * alone / 2.0, "{fault:?}: {half} of {alone}");
    }
}

#[test]
fn no_storm_after_a_long_stop() {
    let mut run = Run::new(vec![lane(16)], 16, 5);
    run.push(0, 5_000, 0);
    let mut server = |now: Duration, _, rng: &mut Rng| match now.as_secs() {
        5..10 => (ms(50), limited(Some(1 + rng.below(5)))),
        _ => (ms(200 + rng.below(100)), ANSWERED),
    };
    run.until(7 * S, &mut server);
    // Everything under way, due or paused is long due.
    run.now += 120 * S;
    let (before, limit) = (run.sent.len(), run.pace.limit(0));
    let resumed = run.now;
    run.until(resumed + ms(1), &mut server);
    assert!((1..=limit).contains(&(run.sent.len() - before)));
    run.all(&mut server);
}

#[test]
fn after_a_pause_requests_are_spread() {
    let mut run = Run::new(vec![lane(64)], 64, 5);
    run.push(0, 2_000, 0);
    let mut bad = false;
    run.until(100 * S, &mut |now, _, _| {
        let wish = now >= 2 * S && !std::mem::replace(&mut bad, now >= 2 * S);
        (ms(1000), if wish { limited(Some(20)) } else { ANSWERED })
    });
    let resumed: Vec<_> = run.sent.iter().map(|s| s.at).filter(|at| *at >= 20 * S).collect();
    assert!(resumed[0] < 24 * S, "{:?}", resumed[0]);
    let at_once = resumed.iter().filter(|at| **at < resumed[0] + ms(100)).count();
    assert!((2..=16).contains(&at_once), "{at_once}");
    let in_a_second = resumed.iter().filter(|at| **at < resumed[0] + S).count();
    assert!((48..=80).contains(&in_a_second), "{in_a_second}");
}

#[test]
fn the_limit_grows_to_what_is_allowed() {
    let mut run = Run::new(vec![lane(2000)], 2000, 5);
    run.push(0, 20_000, 0);
    run.until(ms(100), &mut |_, _, _| (S, ANSWERED));
    assert_eq!(run.pace.in_flight(), 64);
    run.until(7 * S, &mut |_, _, _| (S, ANSWERED));
    assert_eq!(run.pace.limit(0), 2000);
}

#[test]
fn what_limits_is_said() {
    let start = Instant::now();
    let lanes = vec![
        Lane { requests_per_minute: Some(60.0), ..lane(2) },
        Lane { tokens_per_minute: Some(60.0), ..lane(2) },
        lane(1),
    ];
    let mut pace = Pace::new(lanes, 9);
    assert_eq!(pace.push(3, 0, 0), Some(0));
    assert_eq!(pace.why(0, start), Some((Why::Idle, None)));
    for job in 0..9 {
        pace.push(job % 3, job, 3);
    }
    assert_eq!(pace.why(0, start), None);
    let mut last = None;
    while let Next::Send { job, ticket } = pace.next(start, || 0.5) {
        last = Some((job, ticket));
    }
    assert_eq!(pace.why(0, start), Some((Why::Requests, Some(start + S))));
    assert_eq!(pace.why(1, start), Some((Why::Tokens, Some(start + 2 * S))));
    assert_eq!(pace.why(2, start), Some((Why::Connections, None)));
    let (job, ticket) = last.unwrap();
    assert_eq!((ticket.lane, ticket.attempt), (2, 1));
    assert_eq!(pace.ended(start, || 0.5, job, ticket, limited(Some(4))), Verdict::Again);
    assert_eq!(pace.why(2, start), Some((Why::Paused, Some(start + 4 * S))));
}

#[test]
fn what_is_put_back_was_not_sent_and_is_next() {
    let slow = Lane { requests_per_minute: Some(60.0), ..lane(4) };
    let (mut pace, now) = (Pace::new(vec![slow], 4), Instant::now());
    assert!(['a', 'b'].into_iter().all(|job| pace.push(0, job, 1).is_none()));
    for _ in 0..3 {
        let Next::Send { job: 'a', ticket } = pace.next(now, || 0.5) else { panic!("not a") };
        pace.put_back(now, 'a', ticket);
    }
    assert_eq!((pace.in_flight(), pace.waiting()), (0, 2));
    assert_eq!((pace.give_up(0), pace.waiting()), (vec!['a', 'b'], 0));
}
