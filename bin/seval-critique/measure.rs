//! How good critics are, how far they differ, and one that is learnt.

use crate::flags::{CalibrateFlags, SensitivityFlags, TrainFlags};
use seval_core::cli::{self, count};
use seval_core::critique::figures::Figure;
use seval_core::critique::labelled::{self, Wanted};
use seval_core::critique::train::{Column, Settings, train as learn};
use seval_core::{Error, Result, Rows, input, output};
use std::path::Path;

/// Compares verdicts with labels.
pub fn calibrate(flags: &CalibrateFlags) -> Result<()> {
    flags.output.refuse_over(&flags.input.files)?;
    if let Some(into) = &flags.into {
        let read = flags.input.files.iter().map(String::as_str);
        output::refuse_over("--into", &into.to_string_lossy(), read)?;
    }
    let wanted = Wanted {
        of: flags.of.clone(),
        label: flags.label.clone(),
        meaning: labelled::meanings(&flags.map)?.into_iter().collect(),
        annotators: flags.annotator.clone(),
        by: flags.by.clone(),
    };
    let files = match &flags.input.files[..] {
        [] => "standard input".to_owned(),
        files => files.join(" "),
    };
    let reference = format!("{} of {files}", flags.label);
    let found = labelled::calibrate(rows(&flags.input.files)?, &wanted, &reference)?;
    if found.figures.is_empty() {
        return Err(Error::data(reference, "there are no rows, so nothing was compared"));
    }
    if let Some(path) = &flags.into {
        let [measured] = &found.measured[..] else {
            let what =
                format!("one critic has one file, and {} were measured", found.measured.len());
            return Err(Error::usage("--into", what)
                .hint("give the verdicts of one critic, with labels safe and unsafe"));
        };
        write(path, measured.to_toml()?.as_bytes())?;
    }
    let parts: Vec<(String, Vec<Figure>)> = found
        .figures
        .into_iter()
        .map(|(critic, figures)| (critic, only(figures, &flags.part)))
        .collect();
    let table = Rows::of(labelled::table(&parts)?);
    output::write(table, &(&flags.output).into()).map(|_| ())
}

/// The figures of these parts; of all if none is named.
fn only(figures: Vec<Figure>, parts: &[String]) -> Vec<Figure> {
    let is_wanted = |figure: &Figure| {
        parts.is_empty() || parts.iter().any(|part| figure.part.split(' ').next() == Some(part))
    };
    figures.into_iter().filter(is_wanted).collect()
}

/// Compares critics with each other.
pub fn sensitivity(flags: &SensitivityFlags) -> Result<()> {
    flags.output.refuse_over(&flags.input.files)?;
    let figures = labelled::sensitivity(rows(&flags.input.files)?)?;
    let table = Rows::of(seval_core::critique::figures::as_batch(&figures)?);
    output::write(table, &(&flags.output).into()).map(|_| ())
}

/// Learns a critic.
pub fn train(flags: &TrainFlags) -> Result<()> {
    if flags.into.extension().is_none_or(|end| end != "critic") {
        return Err(Error::usage("--into", "a critic's file ends in .critic")
            .hint("such as --into mine.critic, to be used as -c mine.critic"));
    }
    let mut samples = Vec::new();
    let left_out =
        labelled::samples(rows(&flags.input.files)?, &flags.label, &flags.group, |sample| {
            samples.push(sample);
        })?;
    let labels = labelled::meanings(&flags.map)?;
    let meant = |label: &String| labels.get(label).cloned().unwrap_or_else(|| label.clone());
    let is_refusal = |label: String| Column::Refusal.values().contains(&label.as_str());
    let column = match samples.iter().any(|sample| is_refusal(meant(&sample.label))) {
        true => Column::Refusal,
        false => Column::Verdict,
    };
    let settings = Settings {
        about: format!("learnt from `{}` of {}", flags.label, flags.input.files.join(" ")),
        column,
        labels,
        // How far a response refuses stands in the response.
        prompt: column == Column::Verdict,
        folds: flags.folds as usize,
    };
    let learnt = samples.len();
    let (trained, report) = learn(samples.into_iter(), &settings)?;
    let bytes = trained.to_bytes()?;
    write(&flags.into, &bytes)?;
    let figures = &report.figures;
    cli::note(format_args!(
        "{} rows learnt, {} without a label or response; {} written, {} kB",
        count(learnt as u64),
        count(left_out),
        flags.into.display(),
        count(bytes.len() as u64 / 1000)
    ));
    cli::note(format_args!(
        "on rows it had not seen: accuracy {:.3} (the commonest class {:.3}), balanced {:.3}, F1 {:.3}, AUC {:.3}",
        figures.accuracy, figures.baseline, figures.balanced_accuracy, figures.f1, figures.auc
    ));
    Ok(())
}

fn rows(files: &[String]) -> Result<Rows> {
    input::read(input::sources(files)?, &input::Options::default())
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    output::write_bytes(path, bytes)
}
