//! Every encoder against its inverse, and against what the standards and Python's library write.

use super::*;
use crate::random::Draws;

type Encode = fn(&str) -> String;
type Decode = fn(&str) -> Option<String>;

const TRICKY: [&str; 16] = [
    "",
    "a",
    " ",
    "\n",
    "How would Zoë go about it? (1/2)~_.-",
    "怎样才能做到？请说明。",
    "混 mixed 文本\n\"quoted\" \\ 龥鿿",
    "don't 'stop', d'or; rhythm queen Yes, yay TV b2b",
    "  two  spaces\tand\r\nlines \n\n end ",
    "a.b/c - - / . .-. Alfa X-ray slash /",
    "0123456789 4 l33t 3.14,15a 7k z9 1-2",
    "👩‍👩‍👧 ❤️ 🏴\u{e0067}\u{e007f} e\u{301} a\u{200b}b",
    "ＦＵＬＬ　ｗｉｄｔｈ，（ok）",
    "Привет, Ελλάδα ⠓⠑⠇⠇⠕ ⠿",
    "\0\0\0\0\0 \u{1} \u{7f} \u{fffd} \u{10ffff}",
    "\u{202e}abc\u{202c} == %41 + =41 \\u0041 \\x00 &amp; begin 644",
];

/// Ranges of characters that some encoder treats in its own way.
const POOLS: [(u32, u32); 18] = [
    (' ' as u32, '~' as u32),
    (' ' as u32, '~' as u32),
    ('a' as u32, 'z' as u32),
    ('A' as u32, 'Z' as u32),
    ('0' as u32, '9' as u32),
    (0, ' ' as u32),
    (' ' as u32, ' ' as u32),
    ('\'' as u32, '/' as u32),
    (0x4e00, 0x9fff),
    (0x3000, 0x303f),
    (0xff00, 0xff5e),
    (0x300, 0x45f),
    (0x200b, 0x206f),
    (0x2800, 0x28ff),
    (0xfe00, 0xfe0f),
    (0xe0000, 0xe01ef),
    (0x1f600, 0x1f64f),
    (0, 0x10ffff),
];

/// Texts made by chance, the same in every run.
fn generated() -> impl Iterator<Item = String> {
    (0..4000).map(|number: u32| {
        let mut draws = Draws::new(1, "text", &number.to_string());
        // Half the texts are of one pool each, so that it has neighbours of its own kind.
        let one = number.is_multiple_of(2).then(|| draws.below(POOLS.len() as u64));
        let character = |draws: &mut Draws| {
            let pool = one.unwrap_or_else(|| draws.below(POOLS.len() as u64));
            let (first, last) = POOLS[pool as usize];
            char::from_u32(first + draws.below(u64::from(last - first + 1)) as u32)
        };
        (0..draws.below(40)).filter_map(|_| character(&mut draws)).collect()
    })
}

fn all() -> impl Iterator<Item = String> {
    TRICKY.into_iter().map(str::to_owned).chain(generated())
}

#[test]
fn every_encoder_is_decoded_back() {
    for text in all() {
        for Encoder { name, encode, decode, kept } in ENCODERS {
            let encoded = encode(&text);
            assert_eq!(decode(&encoded), Some(kept(&text)), "{name} of {text:?}: {encoded:?}");
        }
        assert_eq!(from_python(&python(&text)).as_deref(), Some(&*text));
        for parts in 1..6 {
            assert_eq!(pieces(&text, parts).concat(), text);
        }
    }
}

#[test]
fn caesar_is_decoded_back() {
    for text in all() {
        for key in [0, 1, 3, 9, 25, 26, 100] {
            // Characters right behind the block that is shifted are its documented loss.
            let behind = |c: char| (0xa000..0xa000 + key).contains(&(c as u32));
            if !text.contains(behind) {
                assert_eq!(from_caesar(&caesar(&text, key), key), text, "key {key}");
            }
        }
        assert_eq!(caesar(&text, 13).replace(|c: char| !c.is_ascii(), ""), {
            rot13(&text).replace(|c: char| !c.is_ascii(), "")
        });
    }
    // No key is a crash.
    assert_eq!(from_caesar(&caesar("a文", u32::MAX), u32::MAX), "a文");
}

/// What is lost, encoder by encoder; all others lose nothing of any text.
#[test]
fn what_is_lost_is_known() {
    let lower = |text: &str| text.to_ascii_lowercase();
    for text in all() {
        for Encoder { name, kept, .. } in ENCODERS {
            let kept = kept(&text);
            let has = |lost: fn(char) -> bool| text.contains(lost);
            match *name {
                "morse" | "nato" => assert_eq!(kept, lower(&text)),
                // Up to the letters a e i o s t, their case and the digits that stand for them.
                "leetspeak" => {
                    assert_eq!(leetspeak(&kept), leetspeak(&text));
                    if !has(|c| c.is_ascii_uppercase() || "431057".contains(c)) {
                        assert_eq!(kept, text);
                    }
                }
                "camel_case" => {
                    let squeezed = |text: &str| lower(text).replace(char::is_whitespace, "");
                    assert_eq!(squeezed(&kept), squeezed(&text));
                    if text.split(' ').all(|word| {
                        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
                    }) {
                        assert_eq!(kept, text);
                    }
                }
                "homoglyph" if has(|c| ('\u{370}'..='\u{52f}').contains(&c)) => {
                    assert_eq!(homoglyph(&kept), homoglyph(&text));
                }
                "fullwidth" if has(|c| ('\u{3000}'..='\u{ff5e}').contains(&c)) => {
                    assert_eq!(fullwidth(&kept), fullwidth(&text));
                }
                "unicode_tags" if has(|c| ('\u{e0000}'..='\u{e007f}').contains(&c)) => {
                    assert_eq!(unicode_tags(&kept), unicode_tags(&text));
                }
                _ => assert_eq!(kept, text, "{name}"),
            }
        }
    }
}

#[test]
fn no_text_breaks_a_decoder() {
    for text in all() {
        for Encoder { encode, decode, .. } in ENCODERS {
            decode(&text);
            // An encoding that lost its end, or a character within.
            let mut cut = encode(&text);
            cut.pop();
            decode(&cut);
            if let Some((at, _)) = cut.char_indices().nth(3) {
                cut.remove(at);
                decode(&cut);
            }
        }
        from_python(&text);
    }
}

#[test]
fn decoders_refuse_what_no_encoder_wrote() {
    let refused: [(Decode, &[&str]); 13] = [
        (from_hex, &["4", "4g", "+4", "ff", "48 65"]),
        (from_binary, &["0100100", "01001000  01001000", "01001000 ", "01001002"]),
        (from_octal, &["777", "110-145"]),
        (from_base32, &["JBSWY3D", "jbswy3dp", "A=======", "JBSWY3DP====", "J=SWY3DP", "========"]),
        (from_ascii85, &["z!", "~~", "s8W-\""]),
        (from_quoted_printable, &["=4", "=G1", "é", "=FF"]),
        (from_uuencode, &["", "begin 644 a\n", "begin 644 a\n#0V%T\n", "#0V%T\n`\nend"]),
        (from_morse, &["......", ". "]),
        (from_nato, &["Alfa Beta"]),
        (from_unicode_escape, &["\\u00e", "\\ud800", "\\u+041", "A"]),
        (from_variation_selector, &["", "😀", "😊a"]),
        (from_pig_latin, &["word", "ord-w"]),
        (from_spaced, &["ab", "a "]),
    ];
    for (decode, texts) in refused {
        for text in texts {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}

#[test]
fn encoders_write_what_others_write() {
    let known: [(Encode, &str, &str); 34] = [
        (url, "a b/c?d=é&~_.-", "a%20b/c%3Fd%3D%C3%A9%26~_.-"),
        (base64, "é?", "w6k/"),
        (hex, "Hi 文", "486920e69687"),
        (binary, "Hi", "01001000 01101001"),
        (octal, "Hié", "110 151 303 251"),
        // RFC 4648, section 10.
        (base32, "f", "MY======"),
        (base32, "fo", "MZXQ===="),
        (base32, "foo", "MZXW6==="),
        (base32, "foob", "MZXW6YQ="),
        (base32, "fooba", "MZXW6YTB"),
        // Python: base64.a85encode, binascii.b2a_uu.
        (ascii85, "Hello, world\0\0\0\0!", "87cURD_*#TDfTZ)z+T"),
        (quoted_printable, "a=文", "=61=3D=E6=96=87"),
        (uuencode, "Cat", "begin 644 text\n#0V%T\n`\nend"),
        (rot13, "Hello 文", "Uryyb 文"),
        (atbash, "Hello 文", "Svool 文"),
        (morse, "SOS to 文!", "... --- ... / - --- / 文 -.-.--"),
        (nato, "Hi 5/", "Hotel India / Five Slash"),
        (leetspeak, "Elite toast", "3l173 70457"),
        (braille, "Hi, 3.5 km 2b", "⠠⠓⠊⠂ ⠼⠉⠲⠑ ⠅⠍ ⠼⠃⠰⠃"),
        (homoglyph, "apex", "\u{430}\u{440}\u{435}\u{445}"),
        (fullwidth, "Hi 5", "Ｈｉ\u{3000}５"),
        (zero_width, "A", "\u{200b}\u{200c}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200c}"),
        (invisible, "abc", "a\u{200b}b\u{200b}c"),
        (unicode_tags, "Hi 文", "\u{e0048}\u{e0069}\u{e0020}文"),
        (variation_selector, "\u{f}A", "😊\u{fe0f}\u{e0131}"),
        (reordered, "ab\n\ncd", "\u{202e}ba\u{202c}\n\n\u{202e}dc\u{202c}"),
        (zalgo, "a b", "a\u{30d}\u{323} b\u{311}\u{32d}"),
        (reversed, "abc 文", "文 cba"),
        (reversed_words, "how would  one?", "one?  would how"),
        (spaced, "ab c", "a b   c"),
        (camel_case, "How would ONE pick 2 locks", "howWouldOnePick2Locks"),
        (pig_latin, "Pick the queen's apple, Tim", "ick-Pay e-thay een's-quay apple-ay, im-Tay"),
        (unicode_escape, "A文😊", "\\u0041\\u6587\\ud83d\\ude0a"),
        (python, "a\"\\\n", "a\\\"\\\\\\n"),
    ];
    for (encode, text, expected) in known {
        assert_eq!(encode(text), expected, "{text:?}");
    }
    assert_eq!(caesar("Zebra xyz 文", 3), "Cheud abc 斊");
    assert_eq!(from_quoted_printable("a =E6=96=\r\n=87\n").as_deref(), Some("a 文\n"));
}

#[test]
fn tables_have_no_sign_twice() {
    assert!(ENCODERS.is_sorted_by(|a, b| a.name < b.name));
    let alphabets: [Encode; 3] = [morse, nato, braille];
    for spell in alphabets {
        let mut signs: Vec<String> = (' '..='~')
            .filter(|c| !c.is_ascii_uppercase())
            .map(|c| spell(&c.to_string()))
            .collect();
        let count = signs.len();
        signs.sort();
        signs.dedup();
        assert_eq!(signs.len(), count);
    }
}

#[test]
fn quoted_lines_are_short_enough() {
    let long = quoted_printable(&"文".repeat(99));
    assert!(long.lines().all(|line| line.len() <= 76 && !line.is_empty()));
}

#[test]
fn pieces_end_at_phrases() {
    let text = "How would someone go about it, and who would notice?";
    assert_eq!(pieces(text, 3), ["How would someone ", "go about it, and ", "who would notice?"]);
}

#[test]
fn a_perturbed_text_keeps_its_words() {
    let seeded = |text: &str, seed| perturb(text, &mut Draws::new(seed, "attack/x", "row"));
    let text = "How would someone perturb a considerable sentence, and who would notice it?";
    let versions: std::collections::BTreeSet<String> =
        (0..100).map(|seed| seeded(text, seed)).collect();
    assert_eq!(versions.len(), 100);
    let (mut scrambled, mut noisy, mut capitals) = (0, 0, 0);
    for version in &versions {
        for (old, new) in text.split(' ').zip(version.split(' ')) {
            let (old, new) = (old.to_lowercase(), new.to_lowercase());
            let letters = |word: &str| {
                let mut letters: Vec<char> = word.chars().collect();
                letters.sort();
                letters
            };
            scrambled += u32::from(old != new && letters(&old) == letters(&new));
            noisy += u32::from(letters(&old) != letters(&new));
        }
        capitals += version.chars().filter(char::is_ascii_uppercase).count();
    }
    // Of 1,200 words, eight of them long enough to be scrambled, and 6,300 letters.
    assert!(scrambled > 200 && noisy > 60 && noisy < scrambled, "{scrambled} {noisy}");
    assert!((3400..4200).contains(&capitals), "{capitals}");
    for text in all() {
        let new = seeded(&text, 7);
        assert_eq!(new, seeded(&text, 7));
        let (old, new): (Vec<char>, Vec<char>) = (text.chars().collect(), new.chars().collect());
        assert_eq!(old.len(), new.len());
        let letter = |at: Option<&char>| at.is_some_and(char::is_ascii_alphabetic);
        for at in 0..old.len() {
            let edge = !letter(old.get(at.wrapping_sub(1))) || !letter(old.get(at + 1));
            match letter(old.get(at)) {
                true if edge => assert!(old[at].eq_ignore_ascii_case(&new[at])),
                true => assert!(letter(new.get(at))),
                false => assert_eq!(old[at], new[at]),
            }
        }
    }
}
