//! Example prompts for few-shot generation, drawn from a file with scores as Perez et al. 2022 (§3.1) do:
//! without replacement, with p ∝ exp(score / T).

use crate::random::Draws;
use crate::rows::Rows;
use crate::taxonomy::level_name;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use std::collections::HashMap;

/// Prompts with scores, by language and risk. All are held in memory.
pub struct Examples {
    /// Where they are from, for messages.
    place: String,
    /// T: the lower, the more the highest scores are preferred.
    temperature: f64,
    /// Whether there are scores to prefer some by.
    pub are_scored: bool,
    prompts: Vec<Example>,
}

/// How examples are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// Each as likely as another.
    None,
    /// p ∝ exp(score / T).
    Score,
}

struct Example {
    prompt: String,
    language: Option<String>,
    /// Names of risks, the root first.
    path: Vec<String>,
    /// The scores that it got, summed: a prompt that several models were asked has several.
    sum: f64,
    scores: u32,
}

impl Example {
    fn score(&self) -> Option<f64> {
        (self.scores > 0).then(|| self.sum / f64::from(self.scores))
    }
}

/// The column that holds scores: the higher, the more a prompt is preferred.
const SCORE: &str = "risk_score";

impl Examples {
    /// Reads base prompts: `prompt`, `language`, the risks and `risk_score`. A prompt that is there several
    /// times is one example with the mean of its scores.
    pub fn read(rows: Rows, place: &str, temperature: f64) -> Result<Self> {
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(Error::usage("--examples-temperature", "has to be a number above 0"));
        }
        let (mut prompts, mut known) = (Vec::new(), HashMap::new());
        for batch in rows.batches {
            read_batch(&batch?, place, &mut prompts, &mut known)?;
        }
        let are_scored = prompts.iter().any(|example: &Example| example.scores > 0);
        match prompts.is_empty() {
            true => Err(Error::data(place, "there is no base prompt in it")
                .hint("examples are prompt rows without an `attack`")),
            false => Ok(Self { place: place.to_owned(), temperature, are_scored, prompts }),
        }
    }

    /// `wanted` prompts in a language: of the same leaf if there are that many, else of the risk above it,
    /// and so on up. `row` and `seed` decide which.
    pub fn draw(
        &self,
        preference: Preference,
        path: &[&str],
        language: &str,
        wanted: usize,
        seed: u64,
        row: &str,
    ) -> Result<Vec<&str>> {
        // What nobody could score is neither telling nor harmless.
        let fit = |e: &&Example| preference == Preference::None || e.scores > 0;
        let spoken =
            |e: &&Example| fit(e) && e.language.as_deref().is_none_or(|known| known == language);
        let below = |depth: usize| -> Vec<&Example> {
            let of_risk = |e: &&Example| e.path.len() >= depth && e.path[..depth] == path[..depth];
            self.prompts.iter().filter(spoken).filter(of_risk).collect()
        };
        let enough = |depth: &usize| below(*depth).len() >= wanted;
        let pool = below((0..=path.len()).rev().find(enough).unwrap_or(0));
        if pool.is_empty() {
            let what = format!("there is no example prompt in `{language}`");
            return Err(Error::data(&self.place, what).hint("add some, or leave the language out"));
        }
        let weight = |example: &Example| match preference {
            Preference::None => 0.0,
            Preference::Score => example.score().unwrap_or(0.0) / self.temperature,
        };
        let mut draws = Draws::new(seed, "examples", row);
        // The Gumbel trick: the largest of score / T plus noise are a draw without replacement.
        let mut ranked: Vec<(f64, &Example)> = pool
            .into_iter()
            .map(|example| (weight(example) - (-draws.unit().ln()).ln(), example))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(ranked.into_iter().take(wanted).map(|(_, example)| example.prompt.as_str()).collect())
    }
}

/// Adds the base prompts of a batch.
fn read_batch(
    batch: &RecordBatch,
    place: &str,
    prompts: &mut Vec<Example>,
    known: &mut HashMap<(String, Option<String>), usize>,
) -> Result<()> {
    let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let cell = |name: &str, row: usize| {
        text(name).filter(|c| c.is_valid(row)).map(|column| column.value(row).to_owned())
    };
    if text("prompt").is_none() {
        return Err(Error::data(place, "column `prompt` is missing")
            .hint("examples are prompt rows, with risk_score where they were scored"));
    }
    let scores = match batch.column_by_name(SCORE) {
        None => None,
        // Whole numbers in JSON or CSV are read as such.
        Some(column) if column.data_type().is_numeric() || column.data_type().is_null() => {
            Some(cast(column, &DataType::Float64).map_err(|error| Error::data(place, error))?)
        }
        Some(_) => {
            return Err(Error::data(place, format!("column `{SCORE}` holds no numbers"))
                .hint("cast it: CAST(risk_score AS DOUBLE)"));
        }
    };
    let scores = scores.as_ref().map(|scores| scores.as_primitive::<Float64Type>());
    for row in 0..batch.num_rows() {
        let Some(prompt) = cell("prompt", row).filter(|_| cell("attack", row).is_none()) else {
            continue;
        };
        let score = scores.filter(|s| s.is_valid(row)).map(|scores| scores.value(row));
        if let Some(score) = score.filter(|score| !score.is_finite()) {
            return Err(Error::data(place, format!("`{SCORE}` of a row is {score}"))
                .hint("scores are finite numbers"));
        }
        let language = cell("language", row);
        let at = *known.entry((prompt.clone(), language.clone())).or_insert(prompts.len());
        if at == prompts.len() {
            let path = (0..).map_while(|level| cell(&level_name(level), row)).collect();
            prompts.push(Example { prompt, language, path, sum: 0.0, scores: 0 });
        }
        prompts[at].sum += score.unwrap_or(0.0);
        prompts[at].scores += u32::from(score.is_some());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(temperature: f64) -> Examples {
        let rows = crate::input::of_text(
            "{\"prompt\":\"low\",\"language\":\"en\",\"risk_dimension\":\"A\",\"risk_score\":0.0}\n\
             {\"prompt\":\"high\",\"language\":\"en\",\"risk_dimension\":\"A\",\"risk_score\":0.1}\n\
             {\"prompt\":\"high\",\"language\":\"en\",\"risk_dimension\":\"A\",\"risk_score\":0.1}\n\
             {\"prompt\":\"base64\",\"language\":\"en\",\"risk_dimension\":\"A\",\"attack\":\"base64\"}\n\
             {\"prompt\":\"other\",\"language\":\"en\",\"risk_dimension\":\"B\",\"risk_score\":0.9}\n\
             {\"prompt\":\"zh\",\"language\":\"zh\",\"risk_dimension\":\"A\",\"risk_score\":null}\n",
        );
        Examples::read(rows.unwrap(), "examples.jsonl", temperature).unwrap()
    }

    #[test]
    fn draws_follow_the_scores() {
        // p(high) / p(low) = exp((0.1 - 0) / 0.1) = e: 0.731 of 2,000 draws, standard deviation 20.
        let examples = examples(0.1);
        let draw = |row: usize| {
            examples.draw(Preference::Score, &["A"], "en", 1, 7, &row.to_string()).unwrap()[0]
        };
        let high = (0..2000).filter(|&row| draw(row) == "high").count();
        assert!((1402..1522).contains(&high), "{high}");
        assert_eq!(draw(3), draw(3));
        assert!(examples.draw(Preference::Score, &["A"], "zh", 1, 0, "x").is_err());
        assert_eq!(examples.draw(Preference::None, &["A"], "zh", 1, 0, "x").unwrap(), ["zh"]);
    }

    #[test]
    fn the_nearest_risk_that_has_enough_is_drawn_from() {
        let examples = examples(0.1);
        let draw = |path: &[&str], n| {
            let mut drawn = examples.draw(Preference::None, path, "en", n, 0, "x").unwrap();
            drawn.sort_unstable();
            drawn
        };
        assert_eq!(draw(&["B"], 1), ["other"]);
        assert_eq!(draw(&["A"], 2), ["high", "low"]);
        assert_eq!(draw(&["B"], 3), ["high", "low", "other"]);
        assert_eq!(draw(&["B"], 9).len(), 3);
        assert!(examples.draw(Preference::None, &["A"], "fr", 1, 0, "x").is_err());
    }
}
