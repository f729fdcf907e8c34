//! Compiles the text files of schemas/ and templates/ into the programs, so that adding one is adding a file.
//!
//! No path here is absolute: two clones may share a target folder, and each must get its own files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The project's root, from this package's folder, in which a build script runs.
const ROOT: &str = "../..";

fn main() -> io::Result<()> {
    let mut files = Vec::new();
    for folder in ["schemas", "templates"] {
        println!("cargo::rerun-if-changed={ROOT}/{folder}");
        collect(&Path::new(ROOT).join(folder), &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(ROOT).map_err(io::Error::other)?.display();
        let _ = writeln!(
            list,
            "(\"{name}\", include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{ROOT}/{name}\"))),"
        );
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("built_in.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false
                if path
                    .extension()
                    .is_some_and(|end| ["toml", "j2", "sql"].iter().any(|known| end == *known)) =>
            {
                files.push(path);
            }
            false => {}
        }
    }
    Ok(())
}
