//! How much of a text is repetition.

use std::collections::HashSet;

/// The longest piece that is compared, in characters; pieces of shorter texts are a tenth of them.
const LONGEST: usize = 16;
/// Shorter pieces than this come twice by chance.
const SHORTEST: usize = 3;

/// The share, in 0..1, of a text's pieces that stood before in it: 0 for any text of a few lines that
/// says something, about 2/3 where the same is said three times. A piece is a tenth of the text, of 3
/// to 16 characters, and one begins at every character; white space and case make no difference.
/// `None` for a text shorter than a piece.
pub(super) fn share(text: &str) -> Option<f64> {
    let text: String =
        text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let mut starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let length = (starts.len() / 10).clamp(SHORTEST, LONGEST);
    starts.push(text.len());
    let pieces = starts.len().checked_sub(length).filter(|pieces| *pieces > 0)?;
    let ends = starts.iter().skip(length);
    let distinct: HashSet<&str> =
        starts.iter().zip(ends).filter_map(|(start, end)| text.get(*start..*end)).collect();
    #[allow(clippy::cast_precision_loss)]
    Some(1.0 - distinct.len() as f64 / pieces as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share by definition.
    fn counted(text: &str) -> Option<f64> {
        let chars: Vec<char> = text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
        let pieces: Vec<&[char]> = chars.windows((chars.len() / 10).clamp(3, 16)).collect();
        let repeated = (0..pieces.len()).filter(|at| pieces[..*at].contains(&pieces[*at])).count();
        (!pieces.is_empty()).then(|| repeated as f64 / pieces.len() as f64)
    }

    #[test]
    fn it_is_the_share_by_definition() {
        let parts = ["ab", "c", " ", "树叶", "RED ", "é", "?", "a b c d", "\n"];
        let mut state = 1_u32;
        for length in 0..200 {
            let text: String = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    parts[(state >> 24) as usize % parts.len()]
                })
                .collect();
            let (found, expected) = (share(&text), counted(&text));
            assert_eq!(found.is_some(), expected.is_some(), "{text}");
            let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
            assert!((found - expected).abs() < 1e-12, "{text}");
        }
    }

    #[test]
    fn repetition_is_told_from_speech() {
        for text in ["no no no no no no no", "哈哈哈哈哈哈哈哈", "怎么做？怎么做？怎么做？怎么做？"]
        {
            assert!(share(text).is_some_and(|share| share > 0.6), "{text}");
        }
        let line = "How is bread baked in a small kitchen?\n";
        assert!(share(&line.repeat(3)).is_some_and(|share| share > 0.6));
        for text in [line, "面包怎么烤才好吃？", "How do you do, and how do I do it?"] {
            assert!(share(text).is_some_and(|share| share < 0.2), "{text}");
        }
        assert_eq!(share("ab"), None);
        assert_eq!(share(""), None);
    }
}
