//! Where a text that varies is cut in two.

use std::collections::{BTreeMap, HashMap};

/// A cut must save this share of what the texts take.
const SAVES: f64 = 0.05;
/// A cut must be there in this share of the rows.
const SHARE: f64 = 0.9;
/// Independent parts make at least this share of the combinations that chance would.
const INDEPENDENT: f64 = 0.7;
/// A combination that is this many times as frequent as by chance is none of chance.
const LIFT: f64 = 4.0;
/// Independent parts have at most this share of the rows in such combinations.
const BOUND: f64 = 0.05;
/// Parts that one text is cut into at the most.
const PARTS: usize = 8;
/// Marks from either end that are tried.
const MARKS: usize = 3;
/// Marks that end a sentence.
const SENTENCE: &str = "。？！?!\n";
/// Marks that end a phrase, and quotes.
const PHRASE: &str = "。？！?!\n，,；;：:“”「」『』\"";

/// Whether texts vary independently of each other and are shorter to write down apart.
pub fn apart(columns: &[Vec<String>]) -> bool {
    let Some((first, others)) = columns.split_first() else { return true };
    let mut before: Vec<usize> = numbered(first);
    let mut alone = cost(first);
    for column in others {
        let numbers = numbered(column);
        if !independent(&before, &numbers) {
            return false;
        }
        alone += cost(column);
        let pairs: Vec<(usize, usize)> = before.iter().copied().zip(numbers).collect();
        before = numbered(&pairs);
    }
    let mut bytes: HashMap<usize, usize> = HashMap::new();
    for (row, number) in before.iter().enumerate() {
        bytes.insert(*number, columns.iter().map(|column| column[row].len()).sum());
    }
    let together = bytes.values().sum::<usize>() as f64 + choices(&before);
    others.is_empty() || alone < together
}

/// A text cut into parts. Rows that lack a cut are no longer `alive`.
pub fn cut<'a>(column: &[&'a str], alive: &mut [bool]) -> Vec<Vec<&'a str>> {
    let mut parts = vec![column.to_vec()];
    let mut at = 0;
    while at < parts.len() {
        let best = if parts.len() < PARTS { best(&parts[at], alive) } else { None };
        let Some(cuts) = best else {
            at += 1;
            continue;
        };
        let mut left = Vec::with_capacity(cuts.len());
        let mut right = Vec::with_capacity(cuts.len());
        for (row, cut) in cuts.iter().enumerate() {
            let (before, after) = parts[at][row].split_at(cut.unwrap_or(0));
            left.push(before);
            right.push(after);
            alive[row] &= cut.is_some();
        }
        parts[at] = right;
        parts.insert(at, left);
    }
    parts
}

/// The cut that saves most, for each row; none if no cut is worth it.
fn best(column: &[&str], alive: &[bool]) -> Option<Vec<Option<usize>>> {
    let living: Vec<&str> =
        column.iter().zip(alive).filter(|(_, alive)| **alive).map(|(text, _)| *text).collect();
    let total = living.len();
    let mut best: Option<(f64, &Candidate)> = None;
    let candidates = candidates(&living);
    for candidate in &candidates {
        let parts: Vec<(&str, &str)> =
            living.iter().filter_map(|text| Some(text.split_at(candidate(text)?))).collect();
        if (parts.len() as f64) < SHARE * total as f64 {
            continue;
        }
        let whole: Vec<String> =
            parts.iter().map(|(left, right)| format!("{left}{right}")).collect();
        let (left, right): (Vec<&str>, Vec<&str>) = parts.into_iter().unzip();
        let whole = cost(&whole);
        let saved = whole - cost(&left) - cost(&right);
        let better = best.is_none_or(|(most, _)| saved > most);
        if saved > SAVES * whole && better && independent(&numbered(&left), &numbered(&right)) {
            best = Some((saved, candidate));
        }
    }
    let (_, candidate) = best?;
    Some(column.iter().map(|text| candidate(text)).collect())
}

/// Where a text is cut, if it is.
type Candidate = Box<dyn Fn(&str) -> Option<usize>>;

fn candidates(living: &[&str]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let head = affix(living.iter().map(|text| text.chars()), living.len());
    let tail = affix(living.iter().map(|text| text.chars().rev()), living.len());
    let tail: String = tail.chars().rev().collect();
    if head.chars().count() > 1 {
        all.push(Box::new(move |text| text.starts_with(&head).then_some(head.len())));
    }
    if tail.chars().count() > 1 {
        all.push(Box::new(move |text| text.ends_with(&tail).then(|| text.len() - tail.len())));
    }
    for marks in [SENTENCE, PHRASE] {
        for at in 0..MARKS {
            all.push(Box::new(move |text| bounds(text, marks).nth(at)));
            all.push(Box::new(move |text| bounds(text, marks).rev().nth(at)));
        }
    }
    all
}

/// The places inside a text after marks that another character follows.
fn bounds(text: &str, marks: &'static str) -> impl DoubleEndedIterator<Item = usize> {
    let is = move |c: Option<char>| c.is_some_and(|c| marks.contains(c));
    text.char_indices().map(|(at, _)| at).filter(move |at| {
        *at > 0 && is(text[..*at].chars().next_back()) && !is(text[*at..].chars().next())
    })
}

/// What most texts begin with.
fn affix<I: Iterator<Item = char>>(texts: impl Iterator<Item = I>, total: usize) -> String {
    let mut texts: Vec<I> = texts.collect();
    let mut common = String::new();
    loop {
        let mut next: HashMap<char, Vec<I>> = HashMap::new();
        for mut text in texts {
            if let Some(c) = text.next() {
                next.entry(c).or_default().push(text);
            }
        }
        let most = next.into_iter().max_by_key(|(c, texts)| (texts.len(), *c));
        match most {
            Some((c, same)) if same.len() as f64 >= SHARE * total as f64 => {
                common.push(c);
                texts = same;
            }
            _ => return common,
        }
    }
}

/// Bytes to write a column down: each value once, and which one it is in every row.
fn cost<T: AsRef<str> + std::hash::Hash + Eq>(column: &[T]) -> f64 {
    let mut values: Vec<&str> = column.iter().map(AsRef::as_ref).collect();
    values.sort_unstable();
    values.dedup();
    values.iter().map(|value| value.len()).sum::<usize>() as f64 + choices(&numbered(column))
}

/// Bytes to say which value it is in every row.
fn choices(numbers: &[usize]) -> f64 {
    let total = numbers.len() as f64;
    let bits = |count: &usize| *count as f64 * (total / *count as f64).log2();
    counts(numbers).iter().map(bits).sum::<f64>() / 8.0
}

fn counts(numbers: &[usize]) -> Vec<usize> {
    let mut counts = vec![0; numbers.iter().max().map_or(0, |most| most + 1)];
    numbers.iter().for_each(|number| counts[*number] += 1);
    counts
}

/// The same number for the same value.
fn numbered<T: std::hash::Hash + Eq>(values: &[T]) -> Vec<usize> {
    let mut known: HashMap<&T, usize> = HashMap::new();
    values
        .iter()
        .map(|value| {
            let next = known.len();
            *known.entry(value).or_insert(next)
        })
        .collect()
}

/// Whether about as many combinations are there as chance would make of the values, and none of them
/// often where chance would make few.
fn independent(left: &[usize], right: &[usize]) -> bool {
    let total = left.len() as f64;
    let pairs: Vec<(usize, usize)> = left.iter().copied().zip(right.iter().copied()).collect();
    let mut together: HashMap<(usize, usize), f64> = HashMap::new();
    pairs.iter().for_each(|pair| *together.entry(*pair).or_default() += 1.0);
    let (left, right) = (counts(left), counts(right));
    let bound: f64 = together
        .iter()
        .filter(|((a, b), rows)| {
            let chance = left[*a] as f64 * right[*b] as f64 / total;
            **rows >= 3.0 && **rows > LIFT * chance
        })
        .map(|(_, rows)| rows)
        .sum();
    // Values that are equally frequent are taken together: there are few different frequencies.
    let frequencies = |counts: &[usize]| {
        // In order: sums of floats depend on it, and the same rows must give the same template.
        let mut values: BTreeMap<usize, f64> = BTreeMap::new();
        counts.iter().for_each(|count| *values.entry(*count).or_default() += 1.0);
        values
    };
    let (left, right) = (frequencies(&left), frequencies(&right));
    let mut expected = 0.0;
    for (a, many) in &left {
        for (b, times) in &right {
            let chance = (*a as f64 / total) * (*b as f64 / total);
            expected += many * times * (1.0 - (total * (-chance).ln_1p()).exp());
        }
    }
    bound <= BOUND * total && together.len() as f64 >= INDEPENDENT * expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slots_that_vary_on_their_own_are_cut() {
        let texts: Vec<String> = (0..200)
            .map(|row| format!("What is {}? Leave that and answer {}: ", row % 20, row % 7))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut alive = vec![true; texts.len()];
        let parts = cut(&texts, &mut alive);
        assert!(parts.len() > 2, "{parts:?}");
        assert!(alive.iter().all(|alive| *alive));
        let joined: Vec<String> =
            (0..200).map(|row| parts.iter().map(|part| part[row]).collect()).collect();
        assert_eq!(joined, texts);
    }

    #[test]
    fn frames_that_belong_together_are_not() {
        let texts: Vec<String> = (0..200)
            .map(|row| {
                format!("You are the {}th of us. You answer in {} words. ", row % 9, row % 9)
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let own = |text: &&str| (*text).to_owned();
        let columns: [Vec<String>; 2] =
            [texts.iter().map(own).collect(), texts.iter().map(own).collect()];
        assert!(!apart(&columns));
        let parts = cut(&texts, &mut vec![true; texts.len()]);
        let varying = parts.iter().filter(|part| numbered(part).iter().any(|n| *n > 0)).count();
        assert_eq!(varying, 1, "{parts:?}");
    }
}
