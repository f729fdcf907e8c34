//! Formats, found from the first bytes. The name of a file only breaks ties between text formats; a name
//! that contradicts the bytes is an error, since one of the two is a mistake.

use crate::{Error, Result};

/// What the bytes are, once gzip, zstd and zip are taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Parquet.
    Parquet,
    /// Arrow IPC with a footer.
    ArrowFile,
    /// Arrow IPC as it flows through pipes.
    ArrowStream,
    /// One JSON object a line.
    JsonLines,
    /// One JSON value.
    JsonDocument,
    /// Comma- or tab-separated text with a header line.
    Csv,
}

/// What is wrapped around the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// gzip, also of several members.
    Gzip,
    /// Zstandard.
    Zstd,
    /// zip: each member is an input.
    Zip,
}

/// The bytes that decide about a wrapping or a binary format.
pub const MAGIC_BYTES: usize = 8;

/// The wrapping that the first bytes announce.
pub fn wrapping(head: &[u8]) -> Option<Wrapping> {
    match head {
        [0x1f, 0x8b, ..] => Some(Wrapping::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Wrapping::Zstd),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Wrapping::Zip),
        _ => None,
    }
}

/// The binary format that the first bytes announce.
pub fn binary(head: &[u8]) -> Option<Format> {
    match head {
        [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => Some(Format::ArrowFile),
        [0xff, 0xff, 0xff, 0xff, ..] => Some(Format::ArrowStream),
        _ => None,
    }
}

/// The text format of `head`, the first bytes of an input (all of it if `whole`).
pub fn text(head: &[u8], whole: bool, name: &str) -> Result<Format> {
    let body = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    if body.is_empty() {
        return Err(Error::data("", "the input is empty: not even a header or an end marker")
            .hint("did the program that made it fail?"));
    }
    if body.contains(&0) {
        return Err(Error::data("byte 0", "the bytes are none of the known formats").hint(
            "known: Parquet, Arrow file and stream, JSON lines, JSON, CSV; gzip, zstd, zip around them",
        ));
    }
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Ok(Format::JsonDocument),
        Some(b'{') => Ok(object(body, whole, name)),
        _ => Ok(Format::Csv),
    }
}

/// Lines of objects or one object? One line that is complete and followed by another decides; the name
/// decides when there is only one line.
fn object(body: &[u8], whole: bool, name: &str) -> Format {
    let by_name = match extension(name) {
        Some("json") => Format::JsonDocument,
        _ => Format::JsonLines,
    };
    let mut lines = body.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let (Some(first), second) = (lines.next(), lines.next()) else { return by_name };
    let is_json = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    let complete = is_json(first) || is_json(&super::numbers::without_nan(first));
    match (complete, second) {
        (true, Some(_)) => Format::JsonLines,
        (true, None) => by_name,
        (false, Some(_)) if extension(name) == Some("jsonl") => Format::JsonLines,
        (false, Some(_)) => Format::JsonDocument,
        (false, None) if whole => Format::JsonDocument,
        (false, None) => by_name,
    }
}

/// Whether a file found in a folder or archive is data by its name.
pub fn is_data(name: &str) -> bool {
    extension(name).is_some() || name.to_ascii_lowercase().ends_with(".zip")
}

/// The last extension, without wrapping extensions, in lower case if it is one we know.
fn extension(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let mut bare = lower.as_str();
    for wrapping in [".gz", ".zst", ".zip"] {
        bare = bare.strip_suffix(wrapping).unwrap_or(bare);
    }
    let known = ["parquet", "arrow", "arrows", "feather", "jsonl", "ndjson", "json", "csv", "tsv"];
    let (_, last) = bare.rsplit_once('.')?;
    known.into_iter().find(|extension| *extension == last)
}

/// Refuses a name that says something else than the bytes.
pub fn check_name(name: &str, format: Format) -> Result<()> {
    let fits = match extension(name) {
        None => true,
        Some("parquet") => format == Format::Parquet,
        Some("arrow" | "arrows" | "feather") => {
            matches!(format, Format::ArrowFile | Format::ArrowStream)
        }
        Some("jsonl" | "ndjson") => format == Format::JsonLines,
        Some("json") => matches!(format, Format::JsonLines | Format::JsonDocument),
        Some(_) => format == Format::Csv,
    };
    match fits {
        true => Ok(()),
        false => Err(Error::data(
            "byte 0",
            format!("the name says one format, the bytes say {}", spoken(format)),
        )
        .hint("rename it, or give it on standard input")),
    }
}

/// Refuses a name that promises a wrapping that is not there.
pub fn check_wrapping(name: &str, found: Option<Wrapping>) -> Result<()> {
    let lower = name.to_ascii_lowercase();
    let promised = [(".gz", Wrapping::Gzip), (".zst", Wrapping::Zstd), (".zip", Wrapping::Zip)]
        .into_iter()
        .find(|(end, _)| lower.ends_with(end));
    match promised {
        Some((end, wrapping)) if found != Some(wrapping) => {
            Err(Error::data("byte 0", format!("the name ends in {end}, the bytes are not that"))
                .hint("rename it, or give it on standard input"))
        }
        _ => Ok(()),
    }
}

fn spoken(format: Format) -> &'static str {
    match format {
        Format::Parquet => "Parquet",
        Format::ArrowFile => "Arrow file",
        Format::ArrowStream => "Arrow stream",
        Format::JsonLines => "JSON lines",
        Format::JsonDocument => "JSON document",
        Format::Csv => "CSV or other text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_alone_is_a_document_if_named_so() {
        assert_eq!(text(b"{\"a\":1}\n", true, "x.json").unwrap(), Format::JsonDocument);
        assert_eq!(text(b"{\"a\":1}\n", true, "-").unwrap(), Format::JsonLines);
        assert_eq!(text(b"{\"a\":1}\n{\"a\":2}", true, "x.json").unwrap(), Format::JsonLines);
        assert_eq!(text(b"{\n \"a\":1}\n", true, "-").unwrap(), Format::JsonDocument);
    }

    #[test]
    fn a_name_that_contradicts_the_bytes_is_refused() {
        assert!(check_name("x.parquet", Format::Csv).is_err());
        assert!(check_name("x.jsonl.gz", Format::JsonLines).is_ok());
        assert!(check_name("README", Format::Csv).is_ok());
        assert!(check_wrapping("x.csv.gz", None).is_err());
    }
}
