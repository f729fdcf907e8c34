//! Templates as their authors meet them: one text, one row, one result.

use super::*;
use arrow::array::StringArray;
use arrow::datatypes::{Field, Schema};

fn render(body: &str, columns: &[(&str, Option<&str>)]) -> Result<String> {
    let head = "{#\nabout = 'x'\nsource = 'seval'\nexample.row = {}\nexample.output = ''\n#}\n";
    let file =
        File { name: "attack/x".into(), place: "x.j2".into(), text: format!("{head}{body}") };
    let fields: Vec<Field> =
        columns.iter().map(|(n, _)| Field::new(*n, DataType::Utf8, true)).collect();
    let arrays =
        columns.iter().map(|(_, v)| Arc::new(StringArray::from(vec![*v])) as ArrayRef).collect();
    let batch = Arc::new(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap());
    let mut out = String::new();
    Template::compile(file)?
        .render(&Row { batch: &batch, row: 0, seed: 0, id: "1", prompt: None }, &mut out)?;
    Ok(out)
}

fn says(body: &str, columns: &[(&str, Option<&str>)]) -> String {
    render(body, columns).unwrap_err().to_string()
}

const ROW: &[(&str, Option<&str>)] = &[("prompt", Some("P {{ 7*7 }}")), ("hole", None)];

#[test]
fn the_quick_plan_and_the_engine_agree() {
    for body in
        ["{{ prompt }}", "a {{prompt}} b\n", "a\n\n{{ prompt }}{{ prompt }}\n\n", "no row at all"]
    {
        let engine = format!("{{# by the engine #}}{body}");
        assert_eq!(render(body, ROW).unwrap(), render(&engine, ROW).unwrap());
    }
    for body in ["{{ prompt }}\r\n", "{{ prompt }}\r", "a\r\n{{ prompt }}\n\r\n"] {
        let engine = format!("{{# by the engine #}}{body}");
        assert_eq!(render(body, ROW).unwrap(), render(&engine, ROW).unwrap(), "{body:?}");
    }
    assert!(split("{{ prompt | upper }}").is_none());
    assert!(split("{{ none }}").is_none());
}

#[test]
fn a_row_is_never_a_template() {
    assert_eq!(render("[{{ prompt }}]", ROW).unwrap(), "[P {{ 7*7 }}]");
    assert_eq!(render("[{{ prompt | upper }}]", ROW).unwrap(), "[P {{ 7*7 }}]");
}

#[test]
fn holes_are_errors_with_their_place() {
    let names = "the rows have: prompt, hole";
    assert_eq!(says("{{ mark }}", ROW), format!("x.j2:7: undefined value `mark`; {names}"));
    assert_eq!(
        says("a\n{{ prompt }}\n{{ mark }}", ROW),
        format!("x.j2:9: undefined value `mark`; {names}")
    );
    assert_eq!(says("\n{{ mark|upper }}", ROW), format!("x.j2:8: undefined value `mark`; {names}"));
    let null =
        "attack/x needs `hole`, which is null here; fill the column, or leave the template out";
    assert_eq!(says("{% if 1 %}{{ hole }}{% endif %}", &[("hole", None)]), null);
    assert!(says("{% if x", ROW).starts_with("x.j2:7: syntax error"));
}

#[test]
fn runaway_templates_are_stopped() {
    let loops = "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}";
    assert_eq!(
        says(loops, ROW),
        "x.j2:7: the template takes more than 50000 steps; let its loops go round less often"
    );
    let huge = "{% set s = 'a' * 60000 %}{% for a in range(40) %}{{ s }}{% endfor %}";
    let large = "the template writes more than 1048576 bytes; a prompt has to be shorter";
    assert!(says(huge, ROW).starts_with(&format!("x.j2: {large}")), "{}", says(huge, ROW));
}

#[test]
fn choices_repeat_with_the_seed() {
    let body = "{{ random.choice(['a','b','c']) }}{{ random.number(1, 9) }}";
    assert_eq!(render(body, ROW).unwrap(), render(body, ROW).unwrap());
    assert!(says("{{ random.number(9, 1) }}", ROW).contains("the lower first"));
}

#[test]
fn metadata_is_checked() {
    let file =
        |text: &str| File { name: "attack/x".into(), place: "x.j2".into(), text: text.into() };
    let error = |text: &str| Template::compile(file(text)).err().unwrap().to_string();
    assert!(
        error("{{ prompt }}").starts_with("x.j2:1: the file does not start with a comment {# … #}")
    );
    let unknown = "{#\nabout = 'x'\ncolour = 'red'\n#}\n{{ prompt }}";
    assert!(error(unknown).starts_with("x.j2:3: unknown field `colour`"), "{}", error(unknown));
}
