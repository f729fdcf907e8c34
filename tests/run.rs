//! Running commands: in an empty folder of their own, with the five programs on the path.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The project's root, as it is when the tests run: a program compiled in one clone may run in another.
pub fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
}

/// The five programs and where they are.
pub const PROGRAMS: [(&str, &str); 5] = [
    ("seval-expand", env!("CARGO_BIN_EXE_seval-expand")),
    ("seval-select", env!("CARGO_BIN_EXE_seval-select")),
    ("seval-query", env!("CARGO_BIN_EXE_seval-query")),
    ("seval-critique", env!("CARGO_BIN_EXE_seval-critique")),
    ("seval-agg", env!("CARGO_BIN_EXE_seval-agg")),
];

/// An empty folder, removed when dropped, and commands in it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("seval-test-").tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The names in the folder, hidden ones too.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs a command line; a failure anywhere in a pipe is a failure of it.
    pub fn bash(&self, line: &str) -> Output {
        let folder = Path::new(PROGRAMS[0].1).parent().unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        Command::new("bash")
            .args(["-o", "pipefail", "-c", line])
            .current_dir(self.0.path())
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .env("COLUMNS", "80")
            .env_remove("SEVAL_TEMPLATES")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a command line that must succeed; its standard output.
    pub fn ok(&self, line: &str) -> String {
        let output = self.bash(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command line that must fail with `code`; its standard error.
    pub fn fails(&self, code: i32, line: &str) -> String {
        let output = self.bash(line);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}\n{errors}");
        assert!(!errors.contains("internal error"), "{line}\n{errors}");
        errors
    }
}

/// A folder of public data beside the project, or where SEVAL_DATA says; none if it is not there.
pub fn public_data(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("SEVAL_DATA").map(PathBuf::from);
    let folder = data.unwrap_or_else(|| root().join("../shared/data")).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("not checked: there is no {} (set SEVAL_DATA)", folder.display());
    None
}
