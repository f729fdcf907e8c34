//! Each file of tests/cases is a text: what is shown, then commands (`$ …`) and what they print, on both
//! streams, and `[exit N]` where that is not 0. All commands of a file run in one folder.
//! `UPDATE=1` writes what is printed into the files.

use crate::run::{Folder, root};

#[test]
fn cases() {
    let mut files: Vec<_> = std::fs::read_dir(root().join("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let printed = replay(&text);
        if text == printed {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, printed).unwrap();
        } else {
            wrong.push(format!("--- {}\n{}", file.display(), difference(&text, &printed)));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 accepts what is printed", wrong.join("\n"));
}

/// The text with the output of its commands as they print it now.
pub fn replay(text: &str) -> String {
    let folder = Folder::new();
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    let mut inside = false;
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| inside) else { continue };
        let mut command = command.to_owned();
        while let Some(more) = lines.peek().and_then(|next| next.strip_prefix("> ")) {
            command.push('\n');
            command.push_str(more);
            out.push_str(&format!("> {more}\n"));
            lines.next();
        }
        // What it printed before is replaced.
        while lines.peek().is_some_and(|next| !next.starts_with("$ ") && !next.starts_with("```")) {
            lines.next();
        }
        let output = folder.bash(&format!("{{ {command}\n}} 2>&1"));
        out.push_str(&String::from_utf8_lossy(&output.stdout));
        match output.status.code() {
            Some(0) => {}
            code => out.push_str(&format!("[exit {}]\n", code.unwrap_or(-1))),
        }
    }
    out
}

fn difference(expected: &str, found: &str) -> String {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    let mut shown = String::new();
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return shown,
            (a, b) if a == b => {}
            (a, b) => {
                for (sign, line) in [("-", a), ("+", b)] {
                    if let Some(line) = line {
                        shown.push_str(&format!("{sign} {line}\n"));
                    }
                }
            }
        }
    }
}
