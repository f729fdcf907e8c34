//! The filters of prompt templates: the encoders, and what cuts and quotes a text for a program.

use crate::encode::{self, ENCODERS};
use minijinja::Environment;
use minijinja::value::Value;

/// Adds every filter that is not the engine's own.
pub(super) fn add(engine: &mut Environment<'static>) {
    for encoder in ENCODERS {
        engine.add_filter(encoder.name, |text: String| (encoder.encode)(&text));
    }
    engine.add_filter("caesar", |text: String, key: u32| encode::caesar(&text, key));
    engine.add_filter("python", |text: String| encode::python(&text));
    engine.add_filter("pieces", |text: String, parts: usize| {
        encode::pieces(&text, parts).into_iter().map(Value::from).collect::<Vec<Value>>()
    });
}

/// The names of the filters that are not the engine's own.
pub(super) fn names() -> String {
    let encoders = ENCODERS.iter().map(|encoder| encoder.name);
    encoders.chain(["caesar", "pieces", "python"]).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
