//! Keys: from an environment variable or a file, never from the command line, which every process can read.

use secrecy::SecretString;
use seval_core::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The key named by one of the two, if one is.
pub fn find(variable: Option<&str>, file: Option<&Path>) -> Result<Option<SecretString>> {
    let key = match (variable, file) {
        (Some(name), _) => std::env::var(name).map_err(|_| {
            Error::usage("--api-key-env", format!("the environment variable {name} is not set"))
        })?,
        (None, Some(path)) => read(path)?,
        (None, None) => return Ok(None),
    };
    match key.trim() {
        "" => Err(Error::usage("the key", "is empty")),
        key => Ok(Some(SecretString::from(key.to_owned()))),
    }
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
