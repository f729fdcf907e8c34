//! The language of a text, as far as it can be told. whatlang guesses it by script, alphabet and
//! trigrams; what is no words is taken out before, and a guess that is close to others is none.

use whatlang::{Detector, Info, Lang};

/// Letters of an alphabet that several languages share, below which trigrams say little.
const MIN_LETTERS: usize = 25;
/// Letters of a script that is one language's, or of another script than expected, that are enough.
const MIN_OTHERS: usize = 10;
/// Han characters and kana that are enough.
const MIN_SIGNS: usize = 5;
/// A Han character or a kana says as much as this many letters.
const SIGN: usize = 3;
/// The longest run of Latin letters that passes for a word.
const LONGEST_WORD: usize = 25;
/// No more than this many bytes are looked at: they tell the language of a longer text too.
const MOST: usize = 2000;

/// The BCP 47 primary tag of the language a text is written in. `None` when it cannot be told: too
/// few words, mostly code, numbers or encoded text, two scripts of some weight, or a close call.
pub(super) fn detect(text: &str) -> Option<&'static str> {
    let words = Words::of(text);
    let found = words.guess()?;
    (found.is_reliable() && words.suffice(found.script().langs().len() > 1))
        .then(|| tag(found.lang()))
        .flatten()
}

/// Whether a text is written in the language of a BCP 47 tag. Only the two likeliest are compared, so
/// this can be told of shorter texts than which language it is. `None` when it cannot be told, and
/// for a tag of no language known here.
pub(super) fn is_in(text: &str, tag: &str) -> Option<bool> {
    let primary = tag.split(['-', '_']).next().unwrap_or_default();
    let (wanted, _) = *TAGS.iter().find(|(_, known)| known.eq_ignore_ascii_case(primary))?;
    let words = Words::of(text);
    let found = words.guess()?;
    if found.lang() == wanted {
        return Some(true);
    }
    let rivals = found.script().langs().contains(&wanted);
    if !words.suffice(rivals) {
        return None;
    }
    if !rivals {
        return Some(false);
    }
    let both = Detector::with_allowlist(vec![found.lang(), wanted]).detect(&words.text)?;
    (both.is_reliable() && both.lang() != wanted).then_some(false)
}

/// The words of a text, without what only looks like words.
#[derive(Default)]
struct Words {
    text: String,
    /// Characters of scripts that write words or syllables with one sign: Han, kana.
    signs: usize,
    /// Letters of all other scripts.
    letters: usize,
    /// Letters and digits outside of words.
    other: usize,
}

impl Words {
    fn of(text: &str) -> Self {
        let end = text.floor_char_boundary(MOST);
        let mut words = Self { text: String::with_capacity(end), ..Self::default() };
        // Marks that Indic scripts need within words are no letters for Rust, but above ASCII.
        let inside = |c: char| {
            c.is_alphanumeric() || c == '_' || (!c.is_ascii() && !c.is_whitespace() && !is_mark(c))
        };
        for token in text[..end].split(|c: char| !inside(c)) {
            // Chinese needs no spaces: a word of Latin letters may stand within.
            let mut rest = token;
            while let Some(first) = rest.chars().next() {
                let other = |c: char| is_sign(c) != is_sign(first);
                let (part, after) = rest.split_at(rest.find(other).unwrap_or(rest.len()));
                words.add(part);
                rest = after;
            }
        }
        words
    }

    /// The likeliest language, unless most is no words, or two scripts are of some weight.
    fn guess(&self) -> Option<Info> {
        let (signs, all) = (SIGN * self.signs, self.letters + SIGN * self.signs);
        if self.other > all || 10 * self.letters.max(signs) < 9 * all {
            return None;
        }
        whatlang::detect(&self.text)
    }

    /// Whether there is enough of them: more is needed if languages of one alphabet are in question.
    fn suffice(&self, of_one_alphabet: bool) -> bool {
        let letters = if of_one_alphabet { MIN_LETTERS } else { MIN_OTHERS };
        self.signs >= MIN_SIGNS || self.letters >= letters
    }

    fn add(&mut self, token: &str) {
        if !is_word(token) {
            self.other += token.chars().count();
            return;
        }
        self.signs += token.chars().filter(|c| is_sign(*c)).count();
        self.letters += token.chars().filter(|c| c.is_alphabetic() && !is_sign(*c)).count();
        self.text.push_str(token);
        self.text.push(' ');
    }
}

/// Not an identifier, a number, or a piece of base64.
fn is_word(token: &str) -> bool {
    let mut before = ' ';
    let mut latin = 0;
    for c in token.chars() {
        if c.is_ascii_digit() || c == '_' || (before.is_lowercase() && c.is_uppercase()) {
            return false;
        }
        latin += usize::from(c.is_ascii_alphabetic());
        before = c;
    }
    latin <= LONGEST_WORD
}

/// Punctuation and symbols above ASCII, which divide words.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{bf}' | '×' | '÷' | '\u{2000}'..='\u{2bff}' | '\u{3000}'..='\u{3004}'
        | '\u{3008}'..='\u{3020}' | '\u{30fb}' | '\u{fe00}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff20}'
        | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}' | '\u{1f000}'..='\u{1faff}')
}

/// Han and kana.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Languages and their tags: two letters where ISO 639-1 has them. Mandarin is written Chinese.
const TAGS: [(Lang, &str); 70] = [
    (Lang::Epo, "eo"),
    (Lang::Eng, "en"),
    (Lang::Rus, "ru"),
    (Lang::Cmn, "zh"),
    (Lang::Spa, "es"),
    (Lang::Por, "pt"),
    (Lang::Ita, "it"),
    (Lang::Ben, "bn"),
    (Lang::Fra, "fr"),
    (Lang::Deu, "de"),
    (Lang::Ukr, "uk"),
    (Lang::Kat, "ka"),
    (Lang::Ara, "ar"),
    (Lang::Hin, "hi"),
    (Lang::Jpn, "ja"),
    (Lang::Heb, "he"),
    (Lang::Yid, "yi"),
    (Lang::Pol, "pl"),
    (Lang::Amh, "am"),
    (Lang::Jav, "jv"),
    (Lang::Kor, "ko"),
    (Lang::Nob, "nb"),
    (Lang::Dan, "da"),
    (Lang::Swe, "sv"),
    (Lang::Fin, "fi"),
    (Lang::Tur, "tr"),
    (Lang::Nld, "nl"),
    (Lang::Hun, "hu"),
    (Lang::Ces, "cs"),
    (Lang::Ell, "el"),
    (Lang::Bul, "bg"),
    (Lang::Bel, "be"),
    (Lang::Mar, "mr"),
    (Lang::Kan, "kn"),
    (Lang::Ron, "ro"),
    (Lang::Slv, "sl"),
    (Lang::Hrv, "hr"),
    (Lang::Srp, "sr"),
    (Lang::Mkd, "mk"),
    (Lang::Lit, "lt"),
    (Lang::Lav, "lv"),
    (Lang::Est, "et"),
    (Lang::Tam, "ta"),
    (Lang::Vie, "vi"),
    (Lang::Urd, "ur"),
    (Lang::Tha, "th"),
    (Lang::Guj, "gu"),
    (Lang::Uzb, "uz"),
    (Lang::Pan, "pa"),
    (Lang::Aze, "az"),
    (Lang::Ind, "id"),
    (Lang::Tel, "te"),
    (Lang::Pes, "fa"),
    (Lang::Mal, "ml"),
    (Lang::Ori, "or"),
    (Lang::Mya, "my"),
    (Lang::Nep, "ne"),
    (Lang::Sin, "si"),
    (Lang::Khm, "km"),
    (Lang::Tuk, "tk"),
    (Lang::Aka, "ak"),
    (Lang::Zul, "zu"),
    (Lang::Sna, "sn"),
    (Lang::Afr, "af"),
    (Lang::Lat, "la"),
    (Lang::Slk, "sk"),
    (Lang::Cat, "ca"),
    (Lang::Tgl, "tl"),
    (Lang::Hye, "hy"),
    (Lang::Cym, "cy"),
];

fn tag(lang: Lang) -> Option<&'static str> {
    TAGS.iter().find(|(known, _)| *known == lang).map(|(_, tag)| *tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_tag() {
        assert!(Lang::all().iter().all(|lang| tag(*lang).is_some()));
    }

    #[test]
    fn languages_are_told() {
        for (tag, text) in [
            ("en", "What would the neighbours say if the bakery closed on Sundays?"),
            ("en", "Print `x_1 = fooBar(2)` and explain why the result of it is never zero."),
            ("zh", "面包怎么烤才好吃？"),
            ("zh", "请问iPhone的屏幕坏了该去哪里修，要多少钱？"),
            ("ja", "パンをおいしく焼くにはどうすればいいですか？"),
            ("ko", "빵은 어떻게 구워야 맛있나요?"),
            ("ru", "Объясни, пожалуйста, почему листья осенью становятся красными и жёлтыми."),
            ("fr", "Explique-moi pourquoi les feuilles des arbres deviennent rouges en automne."),
            ("de", "Warum werden die Blätter im Herbst rot, und was passiert dabei im Baum?"),
            (
                "vi",
                "Vì sao lá cây chuyển sang màu đỏ vào mùa thu, và điều gì xảy ra bên trong cây?",
            ),
            ("th", "ทำไมใบไม้จึงเปลี่ยนเป็นสีแดงในฤดูใบไม้ร่วง"),
            ("el", "Γιατί κοκκινίζουν τα φύλλα το φθινόπωρο;"),
        ] {
            assert_eq!(detect(text), Some(tag), "{text}");
            assert_eq!(is_in(text, tag), Some(true), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        for text in [
            "",
            "Why?",
            "烤面包",
            "1234567890 3.14159 2,718",
            "?!… 🙂🙂🙂 →→→",
            "aGVsbG8gd29ybGQgaG93IGFyZSB5b3UgdG9kYXk/IEkgYW0gZmluZQ==",
            "68 65 6c 6c 6f 20 77 6f 72 6c 64",
            "let foo_bar = baz_2(qux3); fooBar += x_1 << y_2;",
            "把这句话译成中文：The leaves of the trees turn red in autumn.",
        ] {
            assert_eq!(detect(text), None, "{text}");
            for tag in ["en", "zh", "fr"] {
                assert_ne!(is_in(text, tag), Some(false), "{text}");
            }
        }
    }

    #[test]
    fn every_character_can_be_looked_at() {
        for character in '\0'..=char::MAX {
            let words = Words::of(&character.to_string());
            assert!(words.signs + words.letters + words.other <= 1, "{character:?}");
        }
    }

    #[test]
    fn a_text_is_told_from_a_language_it_is_not_in() {
        for (text, tags) in [
            ("Waarom worden bladeren in de herfst rood?", vec!["en", "zh", "ja"]),
            ("Why do leaves turn red in autumn?", vec!["zh", "zh-Hant", "ru"]),
            ("树叶为什么变红？", vec!["en", "EN-us", "fr", "ko"]),
            ("Почему листья краснеют?", vec!["en", "zh"]),
        ] {
            for tag in tags {
                assert_eq!(is_in(text, tag), Some(false), "{text}: {tag}");
            }
        }
        assert_eq!(is_in("树叶为什么变红？", "zh-Hant"), Some(true));
        assert_eq!(is_in("树叶为什么变红？", "tlh"), None);
    }
}
