//! A report: the tables that its template shows, and the text that it makes of them.

use crate::compare;
use crate::flags::ReportFlags;
use crate::query::{Inputs, Metric};
use arrow::array::RecordBatch;
use seval_core::cli::{self, SharedFlags};
use seval_core::compare::{Of, Options};
use seval_core::input::INPUT;
use seval_core::provenance::Stage;
use seval_core::report::{Report, ReportTemplate};
use seval_core::{Error, Result, Rows, output};
use std::path::Path;

/// Draws behind the intervals of ranks.
const DRAWS: usize = 1000;

/// Writes the report, and its tables beside it.
pub fn report(flags: &ReportFlags, shared: &SharedFlags) -> Result<()> {
    let mut inputs = Inputs::open(&flags.input, shared, false)?;
    let output = flags.output.as_deref().map_or("-".into(), Path::to_string_lossy);
    output::refuse_over("-o", &output, inputs.stage.inputs.keys().map(String::as_str))?;
    let verdicts = ["model", "prompt_id", "verdict"];
    let table = inputs.table(INPUT).ok_or_else(|| {
        Error::usage("command line", "no verdicts are given").hint("name their file without NAME=")
    })?;
    table.check(&verdicts.map(str::to_owned), "a report")?;
    let file = shared.template_library().get(&["report"], template(flags)?)?;
    let template = ReportTemplate::open(&file)?;
    inputs.stage.files.insert(file.name.clone(), file.hash());
    let mut report = Report { title: flags.title.clone(), ..Report::default() };
    for name in &template.metadata.tables {
        let batches = batches(name, &mut inputs, flags, shared, &mut report)?;
        report.tables.entry(name.clone()).or_insert(batches);
    }
    report.inputs = inputs.stage.inputs.clone();
    let Some(path) = &flags.output else {
        let text = template.render(&report)?;
        return output::write_text(&output::Options::default(), |out| {
            out.write_all(text.as_bytes()).map_err(|error| Error::io("output", &error))
        });
    };
    let folder = path.with_file_name(format!("{}_data", stem(path)));
    report.data = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = template.render(&report)?;
    write_tables(&folder, &report, &inputs.stage)?;
    output::write_bytes(path, text.as_bytes())?;
    cli::note(format_args!("{}: the report; {}: its tables", path.display(), folder.display()));
    Ok(())
}

/// The template's name: the one given, or the one for the file's extension.
fn template(flags: &ReportFlags) -> Result<&str> {
    if let Some(name) = &flags.template {
        return Ok(name);
    }
    let Some(path) = &flags.output else { return Ok("terminal") };
    match path.extension().and_then(|end| end.to_str()) {
        Some("html" | "htm") => Ok("html"),
        Some("md") => Ok("markdown"),
        Some("txt") => Ok("terminal"),
        _ => Err(Error::usage(path.display(), "the extension says no form of report")
            .hint("use .html, .md or .txt, or --template")),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The rows of a table by its name: given by the user, a comparison's, examples, or a metric.
fn batches(
    name: &str,
    inputs: &mut Inputs,
    flags: &ReportFlags,
    shared: &SharedFlags,
    report: &mut Report,
) -> Result<Vec<RecordBatch>> {
    let rows = match name {
        _ if name != INPUT && inputs.table(name).is_some() => {
            inputs.sql(&format!("SELECT * FROM \"{name}\""))?
        }
        "calibration" | "selection" => return Ok(Vec::new()),
        "ranks" | "pairs" => {
            if let Some(known) = report.tables.get(name) {
                return Ok(known.clone());
            }
            let options =
                Options { of: Of::Base, by: "model".into(), draws: DRAWS, seed: flags.seed };
            return match compare::of_tables(inputs, options)? {
                Ok(compared) => {
                    report.tables.insert("ranks".into(), vec![compared.ranks()?]);
                    report.tables.insert("pairs".into(), vec![compared.pairs()?]);
                    Ok(report.tables.get(name).cloned().unwrap_or_default())
                }
                // Several answers to one prompt are a report all the same, but models are not compared.
                Err(error) => {
                    report.notes.push(format!("Models are not compared: {error}"));
                    for table in ["ranks", "pairs"] {
                        report.tables.insert(table.into(), Vec::new());
                    }
                    Ok(Vec::new())
                }
            };
        }
        "examples" if flags.examples == 0 => return Ok(Vec::new()),
        "examples" => inputs.sql(&examples(inputs, flags.examples))?,
        metric => {
            let metric = Metric::open(shared, "metric", metric)?;
            if !metric.metadata.needs(INPUT).iter().all(|column| inputs.has(&[column.as_str()])) {
                return Ok(Vec::new());
            }
            inputs.stage.files.insert(metric.file.name.clone(), metric.file.hash());
            inputs.metric(&metric)?
        }
    };
    rows.batches.collect()
}

/// The unsafe responses with the highest risk scores, so many of each model and critic.
fn examples(inputs: &Inputs, most: u32) -> String {
    let column = |name: &str| match inputs.has(&[name]) {
        true => name.to_owned(),
        false => format!("NULL AS {name}"),
    };
    let names = ["critic", "attack", "prompt", "response", "risk_score", "explanation"];
    let columns: Vec<String> = names.iter().map(|name| column(name)).collect();
    format!(
        "SELECT * FROM (
           SELECT *, row_number() OVER (
             PARTITION BY critic, model ORDER BY risk_score DESC NULLS LAST, prompt_id, response
           ) AS place
           FROM (SELECT model, prompt_id, verdict, {} FROM {INPUT} WHERE verdict = 'unsafe')
         ) WHERE place <= {most} ORDER BY critic, model, place",
        columns.join(", ")
    )
}

/// The tables as Parquet.
fn write_tables(folder: &Path, report: &Report, stage: &Stage) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder.display(), &error))?;
    for (name, batches) in report.tables.iter().filter(|(name, _)| *name != "examples") {
        let path = folder.join(format!("{name}.parquet"));
        let Some(first) = batches.first() else {
            // What an earlier report left is no part of this one.
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(path.display(), &error));
                }
                _ => continue,
            }
        };
        let schema = first.schema();
        let rows = batches.clone().into_iter().map(Ok);
        let rows = Rows { schema, batches: Box::new(rows), history: vec![stage.clone()] };
        let path = Some(path.to_string_lossy().into_owned());
        output::write(rows, &output::Options { path, ..Default::default() })?;
    }
    Ok(())
}
