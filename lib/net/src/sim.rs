//! Simulated targets: models whose true rates are known, so that a first run works offline and
//! statistics can be checked against the truth.
//!
//! - A draw depends on the seed, the model's name, the prompt, the sample and the temperature, and
//!   on nothing else: not on the order of requests, the clock or the machine.
//! - Draws of different prompts are independent, also those of attacks on one base prompt.

use std::collections::BTreeMap;

use serde::Deserialize;
use seval_core::{Error, Result};
use xxhash_rust::xxh3::Xxh3;

use crate::exchange::{Answer, Message, Outcome, Request, Truth, Usage};
use crate::words::{CHINESE, ENGLISH, MARK, Words};

/// The built-in profiles.
const BUILT_IN: &str = include_str!("../../../templates/sim/default.toml");

/// A file of profiles.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    #[serde(default)]
    model: BTreeMap<String, Profile>,
}

/// One simulated model, as its file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    #[serde(rename = "about")]
    _about: String,
    seed: u64,
    unsafe_rate: f64,
    #[serde(default)]
    risk: BTreeMap<String, f64>,
    #[serde(default)]
    attack: BTreeMap<String, f64>,
    #[serde(default)]
    language: BTreeMap<String, f64>,
    #[serde(default)]
    refuse_harmless: f64,
    #[serde(default)]
    partial: f64,
    #[serde(default)]
    accuracy: f64,
}

/// The profiles that `spec` names, `sim:` taken off: empty, `NAME`, `*`, `FILE:NAME` or `FILE:*`.
pub(crate) fn open(spec: &str) -> Result<Vec<(String, Profile)>> {
    let built_in = || (format!("sim:{spec}"), BUILT_IN.to_owned());
    let file = |path: &str| Ok::<_, Error>((path.to_owned(), read(path)?));
    let ((place, text), name) = match spec.rsplit_once(':') {
        Some((path, name)) if path.ends_with(".toml") => (file(path)?, name),
        _ if spec.ends_with(".toml") => (file(spec)?, ""),
        _ if spec.is_empty() => (built_in(), "default"),
        _ => (built_in(), spec),
    };
    let mut profiles = parse(&place, &text)?;
    if name == "*" {
        return Ok(profiles.into_iter().collect());
    }
    match profiles.remove_entry(name) {
        Some(found) => Ok(vec![found]),
        None => {
            let names: Vec<_> = profiles.keys().map(String::as_str).collect();
            let what = match name {
                "" => "which of its models is not said".to_owned(),
                _ => format!("no simulated model {name:?}"),
            };
            Err(Error::usage(place, what)
                .hint(format!("there are: {}, and * for all", names.join(", "))))
        }
    }
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::usage(path, error).hint("sim:FILE:NAME reads simulated models from FILE")
    })
}

fn parse(place: &str, text: &str) -> Result<BTreeMap<String, Profile>> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| text.as_bytes()[..span.start].iter().filter(|b| **b == b'\n').count() + 1);
        let place = line.map_or(place.to_owned(), |line| format!("{place}:{line}"));
        Error::usage(place, error.message().replace('\n', " "))
    })?;
    if file.model.is_empty() {
        return Err(Error::usage(place, "no model in it").hint("add a table [model.NAME]"));
    }
    for (name, profile) in &file.model {
        profile
            .check()
            .map_err(|(key, what)| Error::usage(place, format!("model.{name}.{key}: {what}")))?;
    }
    Ok(file.model)
}

impl Profile {
    /// The key that is out of range, and how.
    fn check(&self) -> Result<(), (String, String)> {
        let rates = [
            ("unsafe_rate", self.unsafe_rate),
            ("refuse_harmless", self.refuse_harmless),
            ("partial", self.partial),
            ("accuracy", self.accuracy),
        ];
        for (key, rate) in rates {
            if !(0.0..=1.0).contains(&rate) {
                return Err((key.to_owned(), format!("expected a rate from 0 to 1, found {rate}")));
            }
        }
        for (table, factors) in
            [("risk", &self.risk), ("attack", &self.attack), ("language", &self.language)]
        {
            for (key, factor) in factors {
                if !(factor.is_finite() && *factor >= 0.0) {
                    return Err((
                        format!("{table}.{key}"),
                        format!("expected a factor of 0 or more, found {factor}"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Answers as the model called `name`.
    pub(crate) fn answer(&self, name: &str, request: &Request) -> Answer {
        let traits = &request.traits;
        let mut draws = Draws::new(self.seed, name, request);
        if let Some(right) = traits.expected.as_deref().filter(|expected| is_option(expected)) {
            return self.choose(right, &mut draws, request);
        }
        let harmless = traits.expected.as_deref() == Some("comply");
        // A harmless prompt has no unsafe answer: what is drawn there is whether it is refused all
        // the same.
        let unsafe_rate = if harmless { 0.0 } else { self.unsafe_rate(request) };
        let chance = draws.next();
        let is_unsafe = chance < unsafe_rate;
        let refuses = if harmless { chance < self.refuse_harmless } else { !is_unsafe };
        let words = words(traits.language.as_deref(), &request.messages);
        let text = if !refuses {
            [MARK, draws.pick(&words.compliances), "", ""]
        } else if draws.next() < self.partial {
            [MARK, draws.pick(&words.refusals), words.gap, draws.pick(&words.advice)]
        } else {
            [MARK, draws.pick(&words.refusals), "", ""]
        }
        .concat();
        said(text, request, Truth { unsafe_rate, is_unsafe })
    }

    /// Answers a question with options. The right one is the safe one; of the others it takes the
    /// first, since it does not know how many there are.
    fn choose(&self, right: &str, draws: &mut Draws, request: &Request) -> Answer {
        let is_unsafe = draws.next() >= self.accuracy;
        let option = match (is_unsafe, right) {
            (false, right) => right,
            (true, "A") => "B",
            (true, _) => "A",
        };
        let truth = Truth { unsafe_rate: 1.0 - self.accuracy, is_unsafe };
        said(format!("{MARK}({option})"), request, truth)
    }

    fn unsafe_rate(&self, request: &Request) -> f64 {
        let traits = &request.traits;
        let risk = traits.risk_dimension.as_deref().and_then(|risk| factor(&self.risk, risk));
        let attack = traits.attack.as_deref().and_then(|attack| {
            factor(&self.attack, attack).or_else(|| self.attack.get("*").copied())
        });
        let language = traits.language.as_deref().and_then(|language| {
            factor(&self.language, language).or_else(|| factor(&self.language, primary(language)))
        });
        let factors: f64 = [risk, attack, language].into_iter().flatten().product();
        let against = 1.0 - self.unsafe_rate;
        match self.unsafe_rate * factors {
            odds if odds > 0.0 => odds / (odds + against),
            _ => 0.0,
        }
    }
}

fn said(text: String, request: &Request, truth: Truth) -> Answer {
    let asked = request.messages.iter().map(|message| tokens(&message.content));
    Answer {
        usage: Usage {
            input_tokens: Some(asked.sum()),
            output_tokens: Some(tokens(&text)),
            ..Usage::default()
        },
        response: Some(text),
        finish_reason: Some("stop".to_owned()),
        truth: Some(truth),
        ..Answer::of(Outcome::Answered)
    }
}

/// Whether a question is to be answered with one of several options.
fn is_option(expected: &str) -> bool {
    matches!(expected.as_bytes(), [b'A'..=b'Z'])
}

/// Looks `name` up as people spell it: `Hate_Speech` in one data set is `Hate Speech` in another.
fn factor(factors: &BTreeMap<String, f64>, name: &str) -> Option<f64> {
    let plain = |byte: u8| {
        if matches!(byte, b'_' | b'-') { b' ' } else { byte.to_ascii_lowercase() }
    };
    let same =
        |key: &str| key.len() == name.len() && key.bytes().map(plain).eq(name.bytes().map(plain));
    factors.iter().find(|(key, _)| same(key)).map(|(_, factor)| *factor)
}

/// The language of a tag without its region or script.
fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

/// The wordings for a language; where none is given, for the script of the last message.
fn words(language: Option<&str>, messages: &[Message]) -> &'static Words {
    let chinese = match language {
        Some(tag) => primary(tag).eq_ignore_ascii_case("zh"),
        None => messages.last().is_some_and(|message| {
            message.content.chars().take(200).any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
        }),
    };
    if chinese { &CHINESE } else { &ENGLISH }
}

/// A rough count: a quarter of the characters.
fn tokens(text: &str) -> i64 {
    i64::try_from(text.chars().count().div_ceil(4)).unwrap_or(i64::MAX)
}

/// A stream of draws for one request.
struct Draws(u64);

impl Draws {
    fn new(seed: u64, name: &str, request: &Request) -> Self {
        let mut hash = Xxh3::with_seed(seed);
        let mut add = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        add(name);
        add(&request.traits.prompt_id);
        if request.traits.prompt_id.is_empty() {
            for message in &request.messages {
                add(&message.role);
                add(&message.content);
            }
        }
        hash.update(&request.sample.to_le_bytes());
        match request.decoding.temperature {
            // Adding zero makes -0 and 0 one number.
            Some(temperature) => hash.update(&(temperature + 0.0).to_bits().to_le_bytes()),
            None => hash.update(b"-"),
        }
        Self(hash.digest())
    }

    /// The next 64 bits (SplitMix64: the hash is its state, so every draw is as good as the hash).
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 up to but not including 1.
    fn next(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn pick(&mut self, wordings: &[&'static str]) -> &'static str {
        let index = (self.next() * wordings.len() as f64) as usize;
        wordings[index]
    }
}
