//! Text that may be shown on a terminal. Prompts, answers, column and file names are hostile until they
//! have been through here: a control sequence in them could rewrite what a person reads.

use std::fmt;

/// Text without control characters, escape sequences, direction overrides and invisible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeText(String);

impl SafeText {
    /// A message of one or more lines: line breaks and tabs stay.
    pub fn message(text: &str) -> Self {
        Self(text.chars().filter(|&c| matches!(c, '\n' | '\t') || is_safe(c)).collect())
    }

    /// A table cell of at most `width` characters on one line.
    pub fn cell(text: &str, width: usize) -> Self {
        let mut shown = String::new();
        for (count, c) in text.trim_end().chars().filter_map(visible).enumerate() {
            if count == width {
                shown.pop();
                shown.push('…');
                break;
            }
            shown.push(c);
        }
        Self(shown)
    }
}

/// Line breaks become a visible sign, what is not safe nothing.
fn visible(c: char) -> Option<char> {
    match c {
        '\n' => Some('␤'),
        '\t' => Some(' '),
        c => is_safe(c).then_some(c),
    }
}

fn is_safe(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}'      // zero-width, direction marks
            | '\u{2028}'..='\u{202e}'    // separators, embeddings and overrides
            | '\u{2060}'..='\u{206f}'    // joiners, isolates, deprecated controls
            | '\u{fe00}'..='\u{fe0f}'    // variation selectors
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e01ef}'  // tag characters, variation selectors
        ))
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SafeText;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        let hostile = [
            "\u{1b}]0;title\u{7}x",
            "\u{1b}[2Jx",
            "a\rb",
            "\u{9b}31mx",
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{e0041}x",
            "\0x",
        ];
        for text in hostile {
            let shown = SafeText::cell(text, 60).to_string();
            assert!(shown.chars().all(|c| !c.is_control() && (c as u32) < 0x2000), "{shown:?}");
        }
        assert_eq!(SafeText::cell("a\nb", 60).to_string(), "a␤b");
        assert_eq!(SafeText::cell("abcdef", 4).to_string(), "abc…");
        assert_eq!(SafeText::message("a\n\u{1b}[1mb").to_string(), "a\n[1mb");
    }
}
