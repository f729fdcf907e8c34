//! The filters of prompt templates: the encoders, and what cuts and quotes a text for a program.

use crate::encode::{self, ENCODERS};
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind};

/// The detail of the error that using a null as text raises.
pub(super) const NULL: &str = "printed a null";

/// Adds every filter that is not the engine's own.
pub(super) fn add(engine: &mut Environment<'static>) {
    for encoder in ENCODERS {
        engine.add_filter(encoder.name, |value: Value| Ok((encoder.encode)(&text(value)?)));
    }
    engine.add_filter("caesar", |value: Value, key: u32| Ok(encode::caesar(&text(value)?, key)));
    engine.add_filter("python", |value: Value| Ok(encode::python(&text(value)?)));
    engine.add_filter("pieces", |value: Value, parts: usize| {
        let text = text(value)?;
        let pieces = encode::pieces(&text, parts).into_iter().map(Value::from);
        Ok(pieces.collect::<Vec<Value>>())
    });
}

/// A value as text. The engine would make the word None of a null, and nothing of what is undefined.
fn text(value: Value) -> Result<String, Error> {
    match () {
        () if value.is_undefined() => Err(Error::from(ErrorKind::UndefinedError)),
        () if value.is_none() => Err(Error::new(ErrorKind::InvalidOperation, NULL)),
        () => Ok(value.to_string()),
    }
}

/// The names of the filters that are not the engine's own.
pub(super) fn names() -> String {
    let encoders = ENCODERS.iter().map(|encoder| encoder.name);
    encoders.chain(["caesar", "pieces", "python"]).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
