//! Places that rows go to. A file appears complete or not at all; pipes and devices are written through.

use crate::safe_text::SafeText;
use crate::{Error, Result};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::NamedTempFile;

/// Files being written, so that a signal can remove them.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

const BUFFER: usize = 1 << 18;

/// Where bytes go.
pub enum Place {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// Standard output where it is a terminal: lines of text, without what would control it.
    Terminal(Vec<u8>),
    /// A device, FIFO or socket: there is nothing to rename.
    Through(BufWriter<File>),
    /// A file beside the one that it will become.
    Beside {
        /// The bytes so far.
        file: BufWriter<NamedTempFile>,
        /// The name they get.
        target: PathBuf,
    },
}

impl Place {
    /// Standard output.
    pub fn stdout() -> Self {
        Self::Stdout(BufWriter::with_capacity(BUFFER, io::stdout()))
    }

    /// Standard output as a terminal that shows text.
    pub fn terminal() -> Self {
        Self::Terminal(Vec::new())
    }

    /// The file `path`, whose folder must exist.
    pub fn create(path: &str) -> Result<Self> {
        let io = |error: io::Error| Error::io(path, &error);
        // What is open already is written on, also where it is a file.
        if path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/") {
            let file = OpenOptions::new().append(true).open(path).map_err(io)?;
            return Ok(Self::Through(BufWriter::with_capacity(BUFFER, file)));
        }
        // A link stays a link: what it points to is replaced.
        let target = match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.is_symlink() => linked(Path::new(path)).map_err(io)?,
            _ => PathBuf::from(path),
        };
        let existing = std::fs::metadata(&target).ok();
        if let Some(meta) = &existing {
            let kind = meta.file_type();
            if kind.is_dir() {
                return Err(Error::usage(path, "is a folder").hint("name a file in it"));
            }
            if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || kind.is_socket()
            {
                let file = OpenOptions::new().write(true).open(&target).map_err(io)?;
                return Ok(Self::Through(BufWriter::with_capacity(BUFFER, file)));
            }
        }
        let folder = folder_of(&target);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let mode = existing.as_ref().map_or(0o666, |meta| meta.permissions().mode() & 0o7777);
        let file = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.chars().take(40).collect::<String>()))
            .suffix(".tmp")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)
            .map_err(|error| io(error).hint("does the folder exist, and may you write there?"))?;
        if existing.is_some() {
            // The mode above was cut by the umask; a file that is replaced keeps its bits.
            file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(io)?;
        }
        remove_at_end(file.path());
        Ok(Self::Beside { file: BufWriter::with_capacity(BUFFER, file), target })
    }

    /// Makes the bytes appear under their name, and stay there through a power cut.
    pub fn publish(self) -> Result<()> {
        match self {
            mut shown @ (Self::Stdout(_) | Self::Terminal(_)) => {
                shown.flush().map_err(|error| Error::io("standard output", &error))
            }
            Self::Through(mut out) => out.flush().map_err(|error| Error::io("output", &error)),
            Self::Beside { file, target } => {
                let place = target.to_string_lossy().into_owned();
                let io = |error: io::Error| Error::io(&place, &error);
                let file = file.into_inner().map_err(|error| io(error.into_error()))?;
                file.as_file().sync_all().map_err(io)?;
                let unfinished = file.path().to_owned();
                crate::kill_at("before_publish");
                file.persist(&target).map_err(|error| io(error.error))?;
                crate::kill_at("after_publish");
                if let Ok(mut list) = UNFINISHED.lock() {
                    list.retain(|path| *path != unfinished);
                }
                File::open(folder_of(&target)).and_then(|folder| folder.sync_all()).map_err(io)
            }
        }
    }
}

/// Shows text on the terminal, cleaned.
fn show(text: &[u8]) -> io::Result<()> {
    let safe = SafeText::message(&String::from_utf8_lossy(text)).to_string();
    let mut out = io::stdout().lock();
    out.write_all(safe.as_bytes())?;
    out.flush()
}

/// Notes a file that must not be there when the process has ended.
pub fn remove_at_end(path: &Path) {
    if let Ok(mut unfinished) = UNFINISHED.lock() {
        unfinished.push(path.to_owned());
    }
}

/// Removes the files that are not complete: called when the process ends, by a signal or by itself.
pub fn remove_unfinished() {
    if let Ok(unfinished) = UNFINISHED.lock() {
        for path in unfinished.iter() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What a link points to, which need not exist.
fn linked(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path).or_else(|_| Ok(folder_of(path).join(std::fs::read_link(path)?)))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Terminal(line) => {
                line.extend_from_slice(bytes);
                if let Some(end) = line.iter().rposition(|&byte| byte == b'\n') {
                    let rest = line.split_off(end + 1);
                    show(&std::mem::replace(line, rest))?;
                }
                Ok(bytes.len())
            }
            Self::Through(out) => out.write(bytes),
            Self::Beside { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Terminal(line) => show(&std::mem::take(line)),
            Self::Through(out) => out.flush(),
            Self::Beside { file, .. } => file.flush(),
        }
    }
}
