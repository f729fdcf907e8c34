//! Damaged, cut and mislabelled inputs are refused by name and place, never read as fewer or other rows;
//! what is sound is read back as it was written, in every format and from every kind of source.

mod rows;

use crate::run::Folder;
use arrow::array::{ArrayRef, Int64Array, StringArray, UnionArray};
use arrow::buffer::ScalarBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, TimeUnit, UnionFields};
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow::ipc::{CompressionType, MetadataVersion};
use rows::{files, foreign, read, read_bytes, sample, table, text, written};
use seval_core::Kind;
use seval_core::output::Format;
use std::sync::Arc;

/// The error, which must say that the data is wrong, in which file, and more than that.
fn refused(folder: &Folder, name: &str, bytes: &[u8]) -> String {
    let what = format!("{name} of {} bytes", bytes.len());
    let error = read_bytes(folder, name, bytes).err();
    let error = error.unwrap_or_else(|| panic!("{what} is read"));
    let text = error.to_string();
    assert_eq!(error.kind, Kind::Data, "{what}: {text}");
    let path = folder.path(name).to_string_lossy().into_owned();
    assert!(text.starts_with(&path) && text.len() > path.len() + 10, "{what}: {text}");
    assert_eq!(text.matches(&path).count(), 1, "{what}: {text}");
    text
}

/// Single-bit flips at places that do not change from run to run.
fn flips(bytes: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 42_u64;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let bit = (state >> 33) as usize % (bytes.len() * 8);
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

// ---- damage

fn stream(folder: &Folder) -> Vec<u8> {
    let rows = sample().project(&[0, 2, 3, 9]).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema()).unwrap();
    for at in 0..rows.num_rows() {
        writer.write(&rows.slice(at, 1)).unwrap();
    }
    let bytes = writer.into_inner().unwrap();
    assert_eq!(read_bytes(folder, "whole.arrows", &bytes).unwrap(), rows);
    bytes
}

#[test]
fn every_strict_prefix_of_a_stream_is_refused() {
    let folder = Folder::new();
    let bytes = stream(&folder);
    for length in 0..bytes.len() {
        let text = refused(&folder, "cut.arrows", &bytes[..length]);
        let said = ["cut short", "without its end marker", "is empty", "the name says"];
        assert!(said.iter().any(|said| text.contains(said)), "{length}: {text}");
        refused(&folder, "cut", &bytes[..length]);
    }
    let more = [bytes.as_slice(), b"\xff\xff\xff\xff"].concat();
    assert!(refused(&folder, "more.arrows", &more).contains("bytes follow the end marker"));
    let twice = [bytes.as_slice(), bytes.as_slice()].concat();
    assert!(refused(&folder, "twice.arrows", &twice).contains("bytes follow the end marker"));
}

#[test]
fn a_killed_upstream_is_not_a_short_input() {
    let folder = Folder::new();
    let bytes = stream(&folder);
    folder.write("s.arrows", &bytes);
    for length in (0..bytes.len()).step_by(bytes.len() / 12).chain([bytes.len() - 1]) {
        let line =
            format!("head -c {length} s.arrows | seval-expand -t code_injection -o out.parquet");
        let said = folder.fails(5, &line);
        assert!(said.starts_with("seval-expand: standard input: "), "{length}: {said}");
        assert_eq!(said.lines().count(), 1, "{length}: {said}");
        assert_eq!(folder.names(), ["s.arrows", "whole.arrows"], "{length}");
    }
    folder.fails(5, "(cat s.arrows; echo) | seval-expand -t code_injection -o out.parquet");
    folder.ok("cat s.arrows | seval-expand -t code_injection -o out.parquet");
}

#[test]
fn what_is_cut_short_is_refused() {
    let folder = Folder::new();
    for (name, bytes) in files(&sample(), &folder) {
        let said = refused(&folder, name, &[]);
        assert!(said.contains("empty") || said.contains("the name ends in"), "{said}");
        // A text may end after any line: only the other formats can know.
        let lengths = (1..bytes.len()).step_by(bytes.len().div_ceil(97));
        for length in lengths.filter(|_| ![("a.csv"), ("a.jsonl")].contains(&name)) {
            refused(&folder, name, &bytes[..length]);
        }
        if ![("a.csv"), ("a.jsonl")].contains(&name) {
            refused(&folder, name, &bytes[..bytes.len() - 1]);
        }
    }
    assert!(
        refused(&folder, "a.jsonl", b"{\"a\":1}\n{\"a\":").contains("line 2: the JSON text is cut")
    );
    assert!(refused(&folder, "a.csv", b"a,b\n1,\"2").contains("ends inside a quoted cell"));
}

#[test]
fn one_flipped_bit_is_refused_or_changes_no_value() {
    let folder = Folder::new();
    for (name, bytes) in files(&sample(), &folder) {
        let sound = read_bytes(&folder, name, &bytes).unwrap();
        // These carry no checksum: they must be read or refused.
        let bare = ["a.arrows", "a.json", "a.jsonl", "a.csv"].contains(&name);
        for flipped in flips(&bytes, 600) {
            match read_bytes(&folder, name, &flipped) {
                Err(error) => assert_eq!(error.kind, Kind::Data, "{name}: {error}"),
                Ok(read) => assert!(bare || read == sound, "{name}: other rows"),
            }
        }
    }
}

#[test]
fn flipped_bits_in_files_of_other_programs_end_no_process() {
    let folder = Folder::new();
    let rows = sample();
    for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5)
            .unwrap()
            .try_with_compression(Some(compression))
            .unwrap();
        let schema = rows.schema();
        let mut file =
            FileWriter::try_new_with_options(Vec::new(), &schema, options.clone()).unwrap();
        file.write(&rows).unwrap();
        let mut stream = StreamWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
        stream.write(&rows).unwrap();
        let both =
            [("f.arrow", file.into_inner().unwrap()), ("s.arrows", stream.into_inner().unwrap())];
        for (name, bytes) in both {
            assert_eq!(read_bytes(&folder, name, &bytes).unwrap(), rows);
            for flipped in flips(&bytes, 700) {
                if let Err(error) = read_bytes(&folder, name, &flipped) {
                    assert_eq!(error.kind, Kind::Data, "{name}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_name_that_says_another_format_is_refused() {
    let folder = Folder::new();
    let all = files(&sample(), &folder);
    let ours = |name: &str| if name.starts_with("a.arrow") { "arrow" } else { name }.to_owned();
    for (name, _) in &all {
        for (other, bytes) in all.iter().filter(|(other, _)| ours(other) != ours(name)) {
            // JSON lines are also what many call JSON; a name need not say the wrapping, and the members
            // of an archive have names of their own.
            let unwrapped = other.trim_end_matches(".gz").trim_end_matches(".zst");
            if *name == unwrapped
                || (*name, unwrapped) == ("a.json", "a.jsonl")
                || *other == "a.zip"
            {
                continue;
            }
            let text = refused(&folder, name, bytes);
            assert!(text.contains("the name "), "{other} as {name}: {text}");
        }
    }
}

#[test]
fn a_program_that_refuses_leaves_nothing_behind() {
    let folder = Folder::new();
    for (name, bytes) in files(&sample(), &folder) {
        let mut damaged = bytes.clone();
        let third = damaged.len() / 3;
        damaged[third..2 * third].fill(0xff);
        folder.write(name, &damaged);
        for out in ["out.parquet", "out.arrow", "out.csv"] {
            let said = folder.fails(5, &format!("seval-critique -c rules {name} -o {out}"));
            assert!(said.starts_with(&format!("seval-critique: {name}")), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        assert_eq!(folder.names(), [name]);
        std::fs::remove_file(folder.path(name)).unwrap();
    }
}

// ---- texts

#[test]
fn json_lines_say_which_line_is_wrong() {
    let folder = Folder::new();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let cases: [(&[u8], &str); 11] = [
        (b"{\"a\":1,\"b\":2,\"a\":3}", "the key `a` stands twice"),
        (b"{\"a\":{\"b\":1,\"b\":2}}", "the key `b` stands twice"),
        (b"[1]", "expected a JSON object"),
        (b"7", "expected a JSON object"),
        (b"{\"a\":1} {\"a\":2}", "trailing characters"),
        (deep.as_bytes(), "recursion limit"),
        (b"{\"a\":Na}", "expected value"),
        (b"{\"a\":1e999}", "number out of range"),
        (b"{\"a\":\"\\ud800\"}", "hex escape"),
        (b"{\"a\":\"\xff\"}", "invalid unicode"),
        (b"{\"a\":\"\x01\"}", "control character"),
    ];
    for (line, says) in cases {
        let bytes = [b"{\"a\":null}\r\n\r\n", line, b"\n{\"a\":null}"].concat();
        let text = refused(&folder, "a.jsonl", &bytes);
        assert!(text.contains(": line 3: ") && text.contains(says), "{text}");
        let document = [b"[{\"a\":null},\n\n", line, b",\n{\"a\":null}]"].concat();
        if !says.starts_with("expected a") && !says.starts_with("trailing") {
            let text = refused(&folder, "a.json", &document);
            assert!(text.contains(": line 3: ") && text.contains(says), "{text}");
        }
    }
}

#[test]
fn csv_says_which_line_is_wrong() {
    let folder = Folder::new();
    for (bytes, says) in [
        (b"a,b\n1,2\n3\n".as_slice(), "line 3"),
        (b"a,b\n1,2\n3,4,5\n", "line 3"),
        (b"a,b\n1,2\n3,\"4\n", "ends inside a quoted cell"),
        (b"a,b,a\n1,2,3\n", "two columns are named `a`"),
        (b"a,b\n1,\xff\n", "UTF-8"),
    ] {
        let text = refused(&folder, "a.csv", bytes);
        assert!(text.contains(says), "{text}");
    }
    let rows = read_bytes(&folder, "a.csv", b"\"a\nb\",c\r\n\"1\n2\",007\r\n").unwrap();
    assert_eq!(rows.schema().field(0).name(), "a\nb");
    assert_eq!(written(&rows, &folder, Format::CsvRaw), b"\"a\nb\",c\n\"1\n2\",007\n");
}

#[test]
fn two_files_with_one_column_of_two_types_are_refused() {
    let folder = Folder::new();
    folder.write("1.jsonl", "{\"response\":\"a\",\"n\":1}\n");
    folder.write("2.jsonl", "{\"response\":\"a\",\"n\":\"one\"}\n");
    let said = folder.fails(5, "seval-critique -c rules 1.jsonl 2.jsonl -o out.csv");
    assert!(said.contains("2.jsonl: column `n`: Utf8 here, Int64 in 1.jsonl"), "{said}");
}

#[test]
fn a_missing_column_is_named_with_the_program_that_adds_it() {
    let folder = Folder::new();
    folder.write("prompts.jsonl", "{\"prompt\":\"How?\"}\n");
    let said = folder.fails(5, "seval-critique -c rules prompts.jsonl -o out.csv");
    assert!(said.contains("column `response` is missing; there are: prompt"), "{said}");
    assert!(said.contains("seval-query"), "{said}");
    let said =
        folder.fails(5, "seval-critique -c rules -q prompts.jsonl | seval-critique -c rules");
    assert!(said.contains("column `response` is missing"), "{said}");
    folder.write("typed.jsonl", "{\"response\":7}\n");
    let said = folder.fails(5, "seval-critique -c rules typed.jsonl -o out.csv");
    assert!(said.contains("column `response`: the type is Int64, responses need text"), "{said}");
}

// ---- types

#[test]
fn types_of_other_programs_become_plain_and_keep_their_values() {
    let folder = Folder::new();
    let columns = foreign();
    let rows = table(columns.iter().map(|(name, column, _)| (*name, column.clone())));
    let mut stream = StreamWriter::try_new(Vec::new(), &rows.schema()).unwrap();
    stream.write(&rows).unwrap();
    let mut file = FileWriter::try_new(Vec::new(), &rows.schema()).unwrap();
    file.write(&rows).unwrap();
    // Parquet has no list views.
    let stored = rows.project(&(0..columns.len() - 1).collect::<Vec<_>>()).unwrap();
    let mut parquet =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), stored.schema(), None).unwrap();
    parquet.write(&stored).unwrap();
    for (name, bytes) in [
        ("a.arrows", stream.into_inner().unwrap()),
        ("a.arrow", file.into_inner().unwrap()),
        ("a.parquet", parquet.into_inner().unwrap()),
    ] {
        let read = read_bytes(&folder, name, &bytes).unwrap();
        for (field, (column, _, plain)) in read.schema().fields().iter().zip(&columns) {
            assert_eq!((field.name().as_str(), field.data_type()), (*column, plain), "{name}");
        }
        let expected = concat!(
            "é,é,é,c3a9,1,1,1,1.0,2026-01-02T00:00:00Z,2026-01-02T00:00:00Z,2026-01-01T22:00:00Z,",
            "1.50,\"[\"\"é\"\"]\",\"[{\"\"keys\"\":\"\"k\"\",\"\"values\"\":\"\"v\"\"}]\",",
        );
        let text = text(&read, &folder);
        assert!(text.lines().nth(1).unwrap().starts_with(expected), "{name}:\n{text}");
    }
}

#[test]
fn checksums_that_another_program_copied_are_not_ours() {
    let folder = Folder::new();
    let rows = sample();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    let stale = parquet::file::metadata::KeyValue::new("seval.checksums".into(), "{}".to_owned());
    writer.append_key_value_metadata(stale);
    assert!(read_bytes(&folder, "a.parquet", &writer.into_inner().unwrap()).unwrap() == rows);
}

#[test]
fn what_has_no_plain_equivalent_is_refused_by_name() {
    let folder = Folder::new();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let members = [(0, Arc::new(Field::new("a", DataType::Int64, true)))];
    let members = members.into_iter().collect::<UnionFields>();
    let union =
        UnionArray::try_new(members, ScalarBuffer::from(vec![0]), None, vec![numbers.clone()]);
    let large = arrow::array::UInt64Array::from(vec![u64::MAX]);
    let fine = arrow::array::TimestampNanosecondArray::from(vec![1]);
    let length = cast(&numbers, &DataType::Duration(TimeUnit::Second)).unwrap();
    let columns: [(&str, ArrayRef, &str); 4] = [
        ("union", Arc::new(union.unwrap()), "no plain equivalent"),
        ("large", Arc::new(large), "18446744073709551615"),
        ("fine", Arc::new(fine), "finer than a microsecond"),
        ("length", length, "no plain equivalent"),
    ];
    for (name, column, says) in columns {
        let rows = table([
            ("response", Arc::new(StringArray::from(vec!["x"])) as ArrayRef),
            (name, column),
        ]);
        let mut stream = StreamWriter::try_new(Vec::new(), &rows.schema()).unwrap();
        stream.write(&rows).unwrap();
        let said = refused(&folder, "a.arrows", &stream.into_inner().unwrap());
        assert!(said.contains(&format!("column `{name}`: ")) && said.contains(says), "{said}");
        let said = folder.fails(5, "seval-critique -c rules a.arrows -o out.parquet");
        assert!(said.contains(&format!("a.arrows: column `{name}`: ")), "{said}");
        assert_eq!(folder.names(), ["a.arrows"]);
    }
}

// ---- sound inputs

#[test]
fn every_format_is_read_back_from_a_file_and_from_a_pipe() {
    let folder = Folder::new();
    let rows = sample();
    folder.write("in.parquet", written(&rows, &folder, Format::Parquet));
    folder.ok("seval-expand -q in.parquet -t code_injection -o all.arrow");
    let all = read(&folder.path("all.arrow")).unwrap();
    let kept: Vec<usize> = (0..rows.num_columns()).collect();
    // The columns that came in are there first, in their types, and untouched.
    assert_eq!(all.project(&kept).unwrap().schema(), rows.schema());
    assert_eq!(all.project(&kept).unwrap().slice(0, 1).columns(), rows.slice(0, 1).columns());
    let names = (0..all.num_columns()).collect::<Vec<_>>();
    for (end, format) in [
        ("parquet", "parquet"),
        ("arrow", "feather"),
        ("arrows", "arrow"),
        ("jsonl", "jsonl"),
        ("csv", "csv-raw"),
    ] {
        folder.ok(&format!(
            "seval-expand -q in.parquet -t code_injection -o a.{end} --format {format}"
        ));
        let line = "gzip -k a.E; gzip -dc a.E.gz | seval-critique -q -c rules -o piped.arrow;
            seval-critique -q -c rules a.E a.E.gz -o named.arrow; rm a.E.gz;
            seval-critique -q -c rules <(cat a.E) -o fifo.arrow";
        folder.ok(&format!("set -e; {}", line.replace("E", end)));
        let judged = |name: &str| read(&folder.path(name)).unwrap().project(&names).unwrap();
        let twice = judged("named.arrow");
        assert_eq!(twice.num_rows(), 2 * all.num_rows(), "{end}");
        let halves = [twice.slice(0, all.num_rows()), twice.slice(all.num_rows(), all.num_rows())];
        for read in [judged("piped.arrow"), judged("fifo.arrow")].into_iter().chain(halves) {
            match end {
                // A text has no types: the texts are the same.
                "jsonl" | "csv" => assert_eq!(text(&read, &folder), text(&all, &folder), "{end}"),
                _ => assert!(read == all, "{end}"),
            }
        }
    }
}
