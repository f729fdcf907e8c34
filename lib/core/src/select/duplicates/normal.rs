//! Texts made alike before they are compared: Unicode form, case and white space.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Which differences between two texts do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normal {
    /// Unicode compatibility form NFKC: full-width letters, ligatures, composed accents.
    pub nfkc: bool,
    /// Upper and lower case.
    pub case: bool,
    /// How much white space there is, and of what kind; none counts at the ends.
    pub space: bool,
}

impl Default for Normal {
    fn default() -> Self {
        Self { nfkc: true, case: true, space: true }
    }
}

impl Normal {
    /// Reads `nfkc,case,space`, or a part of it, or `none`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut normal = Self { nfkc: false, case: false, space: false };
        for word in text.split(',').filter(|_| text != "none") {
            match word.trim() {
                "nfkc" => normal.nfkc = true,
                "case" => normal.case = true,
                "space" => normal.space = true,
                other => return Err(format!("`{other}` is none of nfkc, case, space, none")),
            }
        }
        Ok(normal)
    }

    /// Whether texts are compared as they are.
    pub fn is_none(&self) -> bool {
        !(self.nfkc || self.case || self.space)
    }

    /// The text in the form that is compared, in `out`, whose content is replaced: UTF-8, as bytes, since
    /// nobody needs it as text and checking it would cost as much as making it.
    pub fn write(&self, text: &str, out: &mut Vec<u8>) {
        out.clear();
        if !(*self == Self::default() && quick(text.as_bytes(), out)) {
            out.clear();
            self.slow(text, out);
        }
    }

    fn slow(&self, text: &str, out: &mut Vec<u8>) {
        let form = match self.nfkc && is_nfkc_quick(text.chars()) != IsNormalized::Yes {
            true => text.nfkc().collect::<String>(),
            false => text.to_owned(),
        };
        let form = if self.case { form.to_lowercase() } else { form };
        if !self.space {
            return out.extend_from_slice(form.as_bytes());
        }
        for word in form.split_whitespace() {
            if !out.is_empty() {
                out.push(b' ');
            }
            out.extend_from_slice(word.as_bytes());
        }
    }
}

/// The whole normal form of texts of ASCII, common Chinese characters and their punctuation, which is
/// nearly all there is; false if something else is in it, whose neighbours may matter.
fn quick(text: &[u8], out: &mut Vec<u8>) -> bool {
    if is_plain(text) {
        out.extend_from_slice(text);
        out.make_ascii_lowercase();
        return true;
    }
    out.reserve(text.len());
    let (mut at, mut space) = (0, false);
    while let Some(&byte) = text.get(at) {
        if is_space(byte) {
            at += 1;
            space = true;
            continue;
        }
        let start = at;
        // Runs of what stays as it is are copied at once.
        while text.get(at).is_some_and(|byte| (0xe4..=0xe9).contains(byte)) {
            at += 3;
        }
        let kept = match &text[start..at] {
            [] if byte < 0x80 => {
                at += 1;
                Some(Kept::One(byte.to_ascii_lowercase()))
            }
            [] => {
                at += 3;
                let Some(&[a, b, c]) = text.get(start..at) else { return false };
                match three(a, b, c) {
                    Some(kept) => kept,
                    None => return false,
                }
            }
            run => Some(Kept::Run(run)),
        };
        let Some(kept) = kept else {
            space = true;
            continue;
        };
        if space && !out.is_empty() {
            out.push(b' ');
        }
        space = false;
        match kept {
            Kept::One(byte) => out.push(byte),
            Kept::Three(bytes) => out.extend(bytes),
            Kept::Run(run) => out.extend_from_slice(run),
        }
    }
    true
}

/// Whether the text is ASCII without white space but single spaces between other characters, as most texts are
/// that are ASCII at all.
fn is_plain(text: &[u8]) -> bool {
    let ends = [text.first(), text.last()].into_iter().flatten().any(|byte| is_space(*byte));
    // Without a branch: the processor looks at many bytes at once.
    let odd = |odd: bool, (a, b): (&u8, &u8)| {
        odd | (*b < b' ') | (*b >= 0x80) | ((*a == b' ') & (*b == b' '))
    };
    !ends
        && text.first().is_none_or(u8::is_ascii)
        && !text.iter().zip(text.iter().skip(1)).fold(false, odd)
}

/// What is left of a character, or of several.
enum Kept<'a> {
    One(u8),
    Three([u8; 3]),
    /// U+4000 to U+9FFF have neither case nor another form, and nothing composes with them.
    Run(&'a [u8]),
}

/// The form of a character of three bytes, which is nothing for white space; none if it is not known here.
#[inline]
fn three(a: u8, b: u8, c: u8) -> Option<Option<Kept<'static>>> {
    let form = match [a, b, c] {
        // Dashes and quotation marks; 、。〈〉《》「」『』【】.
        all @ ([0xe2, 0x80, 0x93 | 0x94 | 0x98 | 0x99 | 0x9c | 0x9d]
        | [0xe3, 0x80, 0x81 | 0x82 | 0x88..=0x91]) => Kept::Three(all),
        [0xe3, 0x80, 0x80] => return Some(None),
        // Full-width forms U+FF01 to U+FF5E are ASCII 0x21 to 0x7e in compatibility form.
        [0xef, 0xbc, third @ 0x81..=0xbf] => Kept::One((third - 0x60).to_ascii_lowercase()),
        [0xef, 0xbd, third @ 0x80..=0x9e] => Kept::One(third - 0x20),
        _ => return None,
    };
    Some(Some(form))
}

/// As `char::is_whitespace` has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        let mut out = b"what was there before".to_vec();
        Normal::default().write(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn form_case_and_space_do_not_make_a_text_another() {
        assert_eq!(normal(" Ｈｏｗ\u{a0}\tDO  I\n"), "how do i");
        assert_eq!(normal("怎样　做？"), "怎样 做?");
        assert_eq!(normal("Cafe\u{301}"), normal("CAFÉ"));
        assert_ne!(normal("do it"), normal("do it!"));
        assert_eq!(normal(""), "");
    }

    #[test]
    fn each_can_be_switched_off() {
        let with = |switches: &str| {
            let mut out = Vec::new();
            Normal::parse(switches).unwrap().write(" Ａ  b", &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(with("none"), " Ａ  b");
        assert_eq!(with("nfkc"), " A  b");
        assert_eq!(with("case"), " ａ  b");
        assert_eq!(with("space"), "Ａ b");
        assert_eq!(with("nfkc,case,space"), "a b");
        assert!(Normal::parse("nfkc,upper").unwrap_err().contains("`upper`"));
    }

    #[test]
    fn the_quick_way_gives_what_the_slow_one_does() {
        // Every character the quick way knows, alone and between others, and many that it does not.
        let all = (0..0x3000u32).chain(0x3000..0x3400).chain(0x4000..0xa000).chain(0xf900..0x10000);
        for c in all.filter_map(char::from_u32) {
            for text in [format!("{c}"), format!("A {c}\u{3000}b"), format!("e{c}  ")] {
                let mut quickly = Vec::new();
                if quick(text.as_bytes(), &mut quickly) {
                    let mut slowly = Vec::new();
                    Normal::default().slow(&text, &mut slowly);
                    assert_eq!(quickly, slowly, "{text:?}");
                }
            }
        }
    }
}
