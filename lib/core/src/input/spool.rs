//! Temporary files for what must be read twice or at any place: they have no name and vanish with the process.

use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek};

/// A temporary file without a name.
pub fn unnamed() -> Result<File> {
    tempfile::tempfile().map_err(|error| no_place(&error))
}

/// All of `bytes` in a temporary file, read from its start.
pub fn spool(bytes: &mut dyn Read) -> Result<File> {
    let mut file = unnamed()?;
    std::io::copy(bytes, &mut file).map_err(|error| Error::io("", &error))?;
    file.rewind().map_err(|error| Error::io("", &error))?;
    Ok(file)
}

/// A temporary file that can be opened by its path; it is removed when dropped, or when the program ends.
pub fn named(suffix: &str) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().prefix("seval-").suffix(suffix).tempfile();
    let file = file.map_err(|error| no_place(&error))?;
    // A query that nobody reads to its end holds it until the process is gone.
    crate::output::remove_at_end(file.path());
    Ok(file)
}

fn no_place(error: &std::io::Error) -> Error {
    Error::io(std::env::temp_dir().to_string_lossy(), error)
        .hint("set TMPDIR to a folder with space")
}
