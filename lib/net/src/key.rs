//! Keys: from an environment variable or a file, never from the command line, which every process can read.

use secrecy::SecretString;
use seval_core::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The key named by one of the two, if one is; `named_by` is the flag or the setting that names a
/// variable.
pub fn find(
    named_by: &str,
    variable: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<SecretString>> {
    let (key, empty) = match (variable, file) {
        (Some(name), _) => {
            let unset = |_| {
                let what = match is_variable(name) {
                    true => format!("the environment variable {name} is not set"),
                    // It may be a key, which must not be shown.
                    false => "no environment variable of that name is set".to_owned(),
                };
                Error::usage(named_by, what)
                    .hint("give the name of the variable that holds the key")
            };
            let what = format!("the environment variable {name} is empty");
            (std::env::var(name).map_err(unset)?, Error::usage(named_by, what))
        }
        (None, Some(path)) => {
            (read(path)?, Error::usage(path.to_string_lossy(), "this key file is empty"))
        }
        (None, None) => return Ok(None),
    };
    match key.trim() {
        "" => Err(empty.hint("put the key there")),
        key => Ok(Some(SecretString::from(key.to_owned()))),
    }
}

/// Whether a text has the form of a variable's name: capital letters, digits and `_`.
pub(crate) fn is_variable(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(allowed)
}

fn read(path: &Path) -> Result<String> {
    let place = path.to_string_lossy();
    let failed = |error| Error { kind: seval_core::Kind::Usage, ..Error::io(&place, &error) };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Error::usage(&place, "others may read this key file").hint("chmod 600 it"));
    }
    std::fs::read_to_string(path).map_err(failed)
}
