//! A grid of decoding settings: `temperature=0,0.7 top_p=0.9,1` is four of them.

use std::str::FromStr;

use seval_core::{Error, Result};

use crate::exchange::Decoding;

/// What can be set.
const KEYS: [&str; 6] = ["temperature", "top_p", "top_k", "max_tokens", "seed", "top_logprobs"];

/// The value for what is not to be sent.
const DEFAULT: &str = "default";

/// Every combination of the values in `settings`, each `KEY=VALUE,…`, on top of `defaults`; the
/// first key changes slowest. No settings are one combination: the defaults.
///
/// The value `default` is what the server takes if it is told nothing. An unknown key, a value that
/// is none or out of range, and a key or a value given twice are errors.
pub fn grid(settings: &[String], defaults: &Decoding) -> Result<Vec<Decoding>> {
    let wrong = |what: String| Error::usage("--set", what);
    let mut seen: Vec<&str> = Vec::new();
    let mut grid = vec![defaults.clone()];
    for setting in settings {
        let Some((key, values)) = setting.split_once('=') else {
            return Err(
                wrong(format!("`{setting}` is not KEY=VALUE")).hint("write temperature=0,0.7 say")
            );
        };
        if !KEYS.contains(&key) {
            return Err(wrong(format!("no setting is called `{key}`"))
                .hint(format!("there are: {}", KEYS.join(", "))));
        }
        if seen.contains(&key) {
            return Err(wrong(format!("`{key}` is there twice"))
                .hint(format!("give all its values at once: {key}=A,B")));
        }
        seen.push(key);
        let mut wider = Vec::new();
        for base in &grid {
            let first = wider.len();
            for value in values.split(',') {
                let mut point = base.clone();
                set(&mut point, key, value)
                    .and_then(|()| check(&point).map_err(|(_, what)| what))
                    .map_err(|what| {
                        wrong(format!("{key}: {what}"))
                            .hint(format!("`{DEFAULT}` leaves it to the server"))
                    })?;
                if wider[first..].contains(&point) {
                    return Err(wrong(format!("{key}: {value} is there twice"))
                        .hint("ask for several answers with --samples"));
                }
                wider.push(point);
            }
        }
        grid = wider;
    }
    Ok(grid)
}

/// Whether an argument is a setting, `KEY=…` with a key that [`grid`] knows, and not a file's name.
pub fn is_setting(argument: &str) -> bool {
    argument.split_once('=').is_some_and(|(key, _)| KEYS.contains(&key))
}

fn set(decoding: &mut Decoding, key: &str, value: &str) -> Result<(), String> {
    match key {
        "temperature" => decoding.temperature = parse(value)?,
        "top_p" => decoding.top_p = parse(value)?,
        "top_k" => decoding.top_k = parse(value)?,
        "max_tokens" => decoding.max_tokens = parse(value)?,
        "seed" => decoding.seed = parse(value)?,
        _ => decoding.top_logprobs = parse(value)?,
    }
    Ok(())
}

fn parse<T: FromStr<Err: std::fmt::Display>>(value: &str) -> Result<Option<T>, String> {
    match value {
        DEFAULT => Ok(None),
        _ => value.parse().map(Some).map_err(|error| format!("`{value}`: {error}")),
    }
}

/// The setting that is out of range, and how.
pub(crate) fn check(decoding: &Decoding) -> Result<(), (&'static str, String)> {
    let numbers = [
        ("temperature", decoding.temperature, f64::MAX, "a number of 0 or more"),
        ("top_p", decoding.top_p, 1.0, "a number from 0 to 1"),
    ];
    for (key, number, most, what) in numbers {
        // Not a number is in no range.
        if let Some(number) = number.filter(|number| !(0.0..=most).contains(number)) {
            return Err((key, format!("expected {what}, found {number}")));
        }
    }
    let counts = [
        // Some servers write -1 for all tokens.
        ("top_k", decoding.top_k, -1),
        ("max_tokens", decoding.max_tokens, 1),
        ("top_logprobs", decoding.top_logprobs, 0),
    ];
    for (key, count, least) in counts {
        if let Some(count) = count.filter(|count| *count < least) {
            return Err((key, format!("expected {least} or more, found {count}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid_of(settings: &[&str], defaults: &Decoding) -> Result<Vec<Decoding>> {
        let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
        grid(&settings, defaults)
    }

    #[test]
    fn the_first_key_changes_slowest() {
        let defaults = Decoding { seed: Some(7), top_k: Some(40), ..Decoding::default() };
        let given = ["temperature=0,0.7", "top_k=default", "top_p=0.9,1", "max_tokens=64"];
        let points = grid_of(&given, &defaults).unwrap();
        let pairs: Vec<_> = points.iter().map(|p| (p.temperature, p.top_p)).collect();
        let pair = |temperature, top_p| (Some(temperature), Some(top_p));
        assert_eq!(pairs, [pair(0.0, 0.9), pair(0.0, 1.0), pair(0.7, 0.9), pair(0.7, 1.0)]);
        for point in &points {
            let rest = (point.top_k, point.max_tokens, point.seed, point.top_logprobs);
            assert_eq!(rest, (None, Some(64), Some(7), None));
        }
        assert_eq!(grid_of(&[], &defaults).unwrap(), [defaults]);
    }

    #[test]
    fn every_key_sets_its_own_field() {
        let given =
            ["temperature=1", "top_p=0.5", "top_k=-1", "max_tokens=3", "seed=-4", "top_logprobs=5"];
        assert_eq!(given.map(|setting| setting.split('=').next().unwrap()), KEYS);
        let all = Decoding {
            temperature: Some(1.0),
            top_p: Some(0.5),
            top_k: Some(-1),
            max_tokens: Some(3),
            seed: Some(-4),
            top_logprobs: Some(5),
        };
        assert_eq!(grid_of(&given, &Decoding::default()).unwrap(), [all]);
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for (given, what) in [
            (&["temperature"][..], "--set: `temperature` is not KEY=VALUE; write"),
            (&["temprature=1"], "no setting is called `temprature`; there are: temperature, top_p"),
            (&["top_p=1", "top_p=0.5"], "`top_p` is there twice; give all its values at once"),
            (&["temperature=0,-0.0"], "temperature: -0.0 is there twice"),
            (&["seed=1", "top_k=default,default"], "top_k: default is there twice"),
            (&["temperature=hot"], "temperature: `hot`: invalid float"),
            (&["temperature=0,,1"], "temperature: ``: "),
            (&["temperature=nan"], "temperature: expected a number of 0 or more, found NaN"),
            (&["temperature=inf"], "expected a number of 0 or more, found inf"),
            (&["temperature=-1"], "expected a number of 0 or more, found -1"),
            (&["top_p=1.5"], "top_p: expected a number from 0 to 1, found 1.5"),
            (&["max_tokens=0"], "max_tokens: expected 1 or more, found 0"),
            (&["max_tokens=6.4"], "max_tokens: `6.4`: invalid digit"),
            (&["top_k=-2"], "top_k: expected -1 or more, found -2"),
            (&["top_logprobs=-1"], "top_logprobs: expected 0 or more, found -1"),
        ] {
            let error = grid_of(given, &Decoding::default()).unwrap_err().to_string();
            assert!(error.contains(what), "{given:?}: {error}");
        }
    }

    #[test]
    fn a_file_name_is_no_setting() {
        for (argument, setting) in [
            ("temperature=0", true),
            ("seed=", true),
            ("prompts.parquet", false),
            ("temperature", false),
            ("a=b.jsonl", false),
            ("./seed=1.jsonl", false),
        ] {
            assert_eq!(is_setting(argument), setting, "{argument}");
        }
    }
}
