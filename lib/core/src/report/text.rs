//! Reports that are no HTML: tables, lines and data escaped, in Markdown and on a terminal.

use super::Markup;
use super::shown::shown;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle, presets};
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a report on a terminal.
const WIDTH: u16 = 100;
/// The widest text of a cell.
const CELL: usize = 44;
/// A line below the head and no other.
const PLAIN: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table of these columns: numbers to the right, as wide as a terminal at most.
pub fn table(rows: &Value, columns: &[String], markup: Markup) -> Result<String, Error> {
    let mut table = Table::new();
    let cell = |text: &str| match markup {
        Markup::Markdown => markdown(&short(text, 4 * CELL)),
        _ => short(&line(text), CELL),
    };
    match markup {
        Markup::Html => {
            return Err(Error::new(ErrorKind::InvalidOperation, "table: HTML has its own"));
        }
        Markup::Markdown => table.load_style(presets::ASCII_MARKDOWN),
        Markup::Text => table
            .load_style(PLAIN)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDTH),
    };
    table.set_header(columns.iter().map(|name| name.replace('_', " ")));
    let mut is_text = vec![false; columns.len()];
    for row in rows.try_iter()? {
        let cells = columns.iter().zip(&mut is_text).map(|(name, is_text)| {
            let value = row.get_attr(name).unwrap_or_default();
            *is_text |= value.kind() == ValueKind::String;
            cell(&shown(&row, name))
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    for (at, is_text) in is_text.iter().enumerate() {
        if let Some(column) = table.column_mut(at).filter(|_| !is_text) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Ok(table.trim_fmt())
}

/// At most so wide; what is cut ends in …
pub fn short(text: &str, most: usize) -> String {
    // Most texts are short, and a long one is not measured to its end.
    let mut width = 0;
    let mut cut = 0;
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if width + wide > most {
            return format!("{}…", &text[..cut]);
        }
        width += wide;
        if width < most {
            cut = at + c.len_utf8();
        }
    }
    text.to_owned()
}

/// Data on a line of its own making none.
pub fn line(text: &str) -> String {
    text.replace('\n', "␤").replace('\t', " ")
}

/// A text of one or more lines as wide as a terminal, so far from its edge; lines that go on stand further
/// in, so that no text of the data begins one. A word that is wider than a line is cut into pieces.
pub fn wrapped(text: &str, indent: usize) -> String {
    let (first, next) = (" ".repeat(indent), " ".repeat(indent + 2));
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut width, mut begun) = (first.clone(), indent, false);
        let mut turn = |line: &mut String, width: &mut usize| {
            lines.push(std::mem::replace(line, next.clone()));
            *width = next.len();
        };
        for word in paragraph.split_whitespace() {
            if begun && width + 1 + word.width() > WIDTH.into() {
                turn(&mut line, &mut width);
            } else if begun {
                line.push(' ');
                width += 1;
            }
            for c in word.chars() {
                let wide = c.width().unwrap_or(0);
                if width + wide > WIDTH.into() {
                    turn(&mut line, &mut width);
                }
                line.push(c);
                width += wide;
            }
            begun = true;
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Data in Markdown: nothing in it is a link, an image, a mention, a cell's end, code or HTML.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Some pages make links of bare text, once all else is read: something stands in between.
    let text = text.replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.");
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A mention of a person, or of a numbered thread, would be found in an escaped sign as well.
            '@' => out.push_str("@\u{200b}"),
            '#' => out.push_str("\\#\u{200b}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '|' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
