//! Sources of bytes, and the layers around the rows.

use super::detect::{self, Format, Wrapping};
use crate::{Error, Result};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// Where bytes come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Standard input, which can be read once.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A member of a zip archive.
    Member {
        /// The archive.
        archive: PathBuf,
        /// The member's position in it.
        index: usize,
        /// The member's name.
        name: String,
    },
}

/// A source without its wrapping.
pub struct Opened {
    pub name: String,
    pub format: Format,
    pub bytes: Box<dyn Read + Send>,
    /// The file itself, if nothing is wrapped around the rows: then it can be read at any place.
    pub file: Option<File>,
}

/// How much of a text is looked at to tell JSON lines from a document.
const TEXT_HEAD: usize = 1 << 16;
/// Wrappings inside wrappings.
const MAX_LAYERS: usize = 3;

impl Source {
    /// The name for messages and the `_file` column.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".into(),
            Self::File(path) => path.to_string_lossy().into_owned(),
            Self::Member { archive, name, .. } => format!("{}:{name}", archive.to_string_lossy()),
        }
    }

    /// The file that holds it.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Stdin => None,
            Self::File(path) | Self::Member { archive: path, .. } => Some(path),
        }
    }

    /// Whether its bytes come once: a pipe, also one that has a path.
    pub fn is_once(&self) -> bool {
        match self {
            Self::Stdin => true,
            Self::File(path) => !path.is_file(),
            Self::Member { .. } => false,
        }
    }

    /// Opens it and takes the layers off.
    pub fn open(&self) -> Result<Opened> {
        let io = |error: io::Error| Error::io("", &error);
        let name = self.name();
        let mut plain_file = None;
        let mut bytes: Box<dyn Read + Send> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::File(path) => {
                let file = File::open(path).map_err(io)?;
                if file.metadata().map_err(io)?.is_file() {
                    plain_file = Some(file.try_clone().map_err(io)?);
                }
                Box::new(BufReader::with_capacity(1 << 17, file))
            }
            Self::Member { archive, index, .. } => Box::new(member(archive.clone(), *index)?),
        };
        let file_name = match self {
            Self::Member { name, .. } => name.clone(),
            _ => name.clone(),
        };
        let mut head;
        let mut outermost = true;
        for _ in 0..=MAX_LAYERS {
            head = peek(&mut bytes, detect::MAGIC_BYTES)?;
            let wrapping = detect::wrapping(&head);
            if outermost {
                detect::check_wrapping(&file_name, wrapping)?;
            }
            outermost = false;
            let whole: Box<dyn Read + Send> = Box::new(Cursor::new(head.clone()).chain(bytes));
            bytes = match wrapping {
                None => return finish(file_name, name, head, whole, plain_file),
                Some(Wrapping::Gzip) => {
                    Box::new(Inflated(flate2::read::MultiGzDecoder::new(whole)))
                }
                Some(Wrapping::Zstd) => Box::new(Inflated(zstd::Decoder::new(whole).map_err(io)?)),
                Some(Wrapping::Zip) => Box::new(only_member(whole)?),
            };
            bytes = Box::new(BufReader::with_capacity(1 << 17, bytes));
            plain_file = None;
        }
        Err(Error::data("", format!("more than {MAX_LAYERS} wrappings around each other")))
    }
}

fn finish(
    file_name: String,
    name: String,
    head: Vec<u8>,
    mut bytes: Box<dyn Read + Send>,
    file: Option<File>,
) -> Result<Opened> {
    let format = match detect::binary(&head) {
        Some(format) => format,
        None => {
            let head = peek(&mut bytes, TEXT_HEAD)?;
            let format = detect::text(&head, head.len() < TEXT_HEAD, &file_name)?;
            bytes = Box::new(Cursor::new(head).chain(bytes));
            format
        }
    };
    detect::check_name(&file_name, format)?;
    Ok(Opened { name, format, bytes, file })
}

/// Up to `wanted` bytes; fewer only at the end.
fn peek(bytes: &mut impl Read, wanted: usize) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    bytes.take(wanted as u64).read_to_end(&mut head).map_err(|error| Error::io("", &error))?;
    Ok(head)
}

/// Adds the sources that one argument names.
pub fn resolve(path: &str, found: &mut Vec<Source>) -> Result<()> {
    if path == "-" {
        found.push(Source::Stdin);
        return Ok(());
    }
    if let Some((scheme, _)) = path.split_once("://") {
        return Err(Error::usage(path, format!("{scheme} addresses are not read"))
            .hint("fetch the file first"));
    }
    let as_path = Path::new(path);
    if as_path.is_dir() {
        return folder(as_path, found);
    }
    if as_path.exists() || !path.contains(['*', '?', '[']) {
        return file(as_path, found);
    }
    let matches = glob::glob(path).map_err(|error| Error::usage(path, error))?;
    let before = found.len();
    for entry in matches {
        let entry = entry.map_err(|error| Error::world(path, error))?;
        match entry.is_dir() {
            true => folder(&entry, found)?,
            false => file(&entry, found)?,
        }
    }
    match found.len() > before {
        true => Ok(()),
        false => Err(Error::usage(path, "no file matches")),
    }
}

/// Every file of a folder and the folders in it, by name; hidden files and `_SUCCESS`-like markers are not data.
fn folder(path: &Path, found: &mut Vec<Source>) -> Result<()> {
    let io = |error: io::Error| Error::io(path.to_string_lossy(), &error);
    let mut entries = std::fs::read_dir(path)
        .map_err(io)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()
        .map_err(io)?;
    entries.sort();
    let before = found.len();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['.', '_']) {
            continue;
        }
        match (entry.is_dir(), detect::is_data(&name)) {
            (true, _) => folder(&entry, found)?,
            (false, true) => file(&entry, found)?,
            (false, false) => left_out(&entry.to_string_lossy()),
        }
    }
    match found.len() > before {
        true => Ok(()),
        false => Err(Error::usage(path.to_string_lossy(), "the folder holds no file to read")),
    }
}

/// A file that nobody named and whose name does not say that it is data, such as a README.
fn left_out(place: &str) {
    crate::cli::note(format_args!("{place}: left out: the name has no extension of a data file"));
}

/// A file, or each member of a zip archive.
fn file(path: &Path, found: &mut Vec<Source>) -> Result<()> {
    let place = path.to_string_lossy();
    let missing = |error: io::Error| {
        let error = Error::io(&place, &error);
        Error { kind: crate::Kind::Usage, ..error }.hint("check the path")
    };
    // A FIFO must be opened once only: closing it again would end its writer.
    let head = match std::fs::metadata(path).map_err(missing)?.is_file() {
        true => {
            let mut file = File::open(path).map_err(missing)?;
            peek(&mut file, detect::MAGIC_BYTES).map_err(|error| error.at(&place))?
        }
        false => Vec::new(),
    };
    if detect::wrapping(&head) != Some(Wrapping::Zip) {
        found.push(Source::File(path.to_owned()));
        return Ok(());
    }
    let archive = open_archive(path)?;
    let before = found.len();
    let members = members(&archive);
    let alone = members.len() == 1;
    for (index, name) in members {
        if !alone && !detect::is_data(&name) {
            left_out(&format!("{place}:{name}"));
            continue;
        }
        found.push(Source::Member { archive: path.to_owned(), index, name });
    }
    match found.len() > before {
        true => Ok(()),
        false => Err(Error::data(place, "the archive holds no file")),
    }
}

type Archive = zip::ZipArchive<BufReader<File>>;

fn open_archive(path: &Path) -> Result<Archive> {
    let place = path.to_string_lossy();
    let file = File::open(path).map_err(|error| Error::io(&place, &error))?;
    zip::ZipArchive::new(BufReader::new(file))
        .map_err(|error| Error::data(&place, format!("damaged zip archive: {error}")))
}

/// The members that are data: no folders, and none of the `__MACOSX` copies that macOS adds.
fn members<R>(archive: &zip::ZipArchive<R>) -> Vec<(usize, String)>
where
    R: Read + io::Seek,
{
    let names = (0..archive.len()).filter_map(|index| match archive.name_for_index(index)? {
        Ok(name) => Some((index, name.into_owned())),
        // A name that cannot be read is data all the same: opening the member says what is wrong.
        Err(_) => Some((index, format!("member {index}"))),
    });
    names
        .filter(|(_, name)| {
            let base = name.rsplit('/').next().unwrap_or(name);
            !name.starts_with("__MACOSX/") && !base.is_empty() && !base.starts_with('.')
        })
        .collect()
}

/// The bytes of one member, inflated as they are read: an archive's reader borrows it, so both live on a
/// thread at the other end of a pipe.
fn member(path: PathBuf, index: usize) -> Result<impl Read + Send> {
    let archive = open_archive(&path)?;
    piped(archive, index)
}

/// A zip archive on a pipe must hold one file; its directory is at the end, so it is read whole.
fn only_member(mut bytes: Box<dyn Read + Send>) -> Result<impl Read + Send> {
    let mut file = super::spool::unnamed()?;
    io::copy(&mut bytes, &mut file).map_err(|error| Error::io("", &error))?;
    let archive = zip::ZipArchive::new(BufReader::new(file))
        .map_err(|error| Error::data("", format!("damaged zip archive: {error}")))?;
    match members(&archive).as_slice() {
        [(index, _)] => piped(archive, *index),
        many => Err(Error::data("", format!("the archive on the pipe holds {} files", many.len()))
            .hint("give the archive by its path")),
    }
}

fn piped(mut archive: Archive, index: usize) -> Result<impl Read + Send> {
    let (reader, mut writer) = io::pipe().map_err(|error| Error::io("", &error))?;
    let worker = std::thread::Builder::new().name("unzip".into()).spawn(move || {
        let mut member = archive
            .by_index(index)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        io::copy(&mut member, &mut writer).map(|_| ())
    });
    let worker = worker.map_err(|error| Error::io("", &error))?;
    Ok(Joined { reader, worker: Some(worker) })
}

/// What comes out of a decoder, whose own errors are about the data, whatever kind it gives them.
struct Inflated<R>(R);

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(about_data)
    }
}

fn about_data(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => error,
        None => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// Reads a worker's output; at its end, the worker's failure (a bad checksum, say) is the reader's.
struct Joined {
    reader: io::PipeReader,
    worker: Option<std::thread::JoinHandle<io::Result<()>>>,
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if read == 0
            && !buffer.is_empty()
            && let Some(worker) = self.worker.take()
        {
            let damaged = |_| Err(io::Error::new(io::ErrorKind::InvalidData, "damaged zip member"));
            worker.join().unwrap_or_else(damaged).map_err(about_data)?;
        }
        Ok(read)
    }
}
