//! The name that was meant.

/// The name that fewest letters have to be changed in; none if that are more than a third of them. A
/// wanted name without a folder is compared with the last parts of the names.
pub(super) fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let bare = !wanted.contains('/');
    let last = |name: &'a str| if bare { name.rsplit('/').next().unwrap_or(name) } else { name };
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    // Of names that are as near, the one of the same letters: two of them were swapped.
    let swapped = |name: &str| letters(name) != letters(wanted);
    let near = names
        .iter()
        .map(|name| ((distance(wanted, last(name)), swapped(last(name))), name.as_str()));
    let ((changes, _), name) = near.min_by_key(|(nearness, _)| *nearness)?;
    let letters = wanted.rsplit('/').next().unwrap_or(wanted).chars().count();
    (changes * 3 <= letters).then_some(name)
}

/// How many letters have to be put in, taken out or replaced to make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (done, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], done + 1);
        for (at, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        let names = ["attack/base32", "attack/base64", "attack/past_tense", "attack/rot13"]
            .map(str::to_owned);
        assert_eq!(nearest("base46", &names), Some("attack/base64"));
        assert_eq!(nearest("attack/past-tense", &names), Some("attack/past_tense"));
        assert_eq!(nearest("attack/shout", &names), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
