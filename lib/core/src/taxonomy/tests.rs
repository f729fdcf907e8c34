//! Taxonomies as their authors meet them.

use super::*;

pub fn parse(risks: &str) -> Result<Taxonomy> {
    Taxonomy::parse(&format!("about=''\nsource=''\n{risks}"), "x", "x.toml")
}

fn says(risks: &str) -> String {
    parse(risks).unwrap_err().to_string()
}

/// SPEC §1.2: 8 dimensions, 25 categories; 102 leaves.
#[test]
fn s_eval_has_the_shape_of_the_paper() {
    let taxonomy = Taxonomy::find(&Library::default(), "s-eval").unwrap();
    let depth =
        |wanted| (0..taxonomy.risks.len()).filter(|&r| taxonomy.path(r).len() == wanted).count();
    assert_eq!([depth(1), depth(2), depth(3), depth(4)], [8, 25, 56, 52]);
    assert_eq!(taxonomy.leaves().count(), 102);
    for risk in &taxonomy.risks {
        assert!(!risk.en.is_empty() && !risk.about.is_empty() && risk.origin.is_some());
        assert!(risk.zh.as_ref().is_some_and(|zh| !zh.is_empty()));
    }
}

#[test]
fn a_wrong_file_is_refused_with_its_place() {
    let risk = |more: &str| format!("[[risk]]\nen=''\nabout=''\n{more}\n");
    let leaf = |more: &str| risk(&format!("topics.en=['t']\n{more}"));
    assert_eq!(
        says(&leaf("id='a.b'")),
        "x.toml:7: risk `a.b`: there is no risk `a` above it; add it, or correct the id or `parent`"
    );
    assert_eq!(
        says(&[leaf("id='a'"), leaf("id='a'")].concat()),
        "x.toml:12: risk `a`: the id stands twice; give one of the two another; first at x.toml:7: risk `a`"
    );
    let cycle = [
        risk("id='a'\nparent='c'"),
        risk("id='b'\nparent='a'"),
        risk("id='c'\nparent='b'"),
        leaf("id='d'"),
    ];
    assert_eq!(
        says(&cycle.concat()),
        "x.toml:6: risk `a`: it is above itself: a → c → b → a; one of these risks has the wrong `parent`"
    );
    assert!(says(&leaf("id='a'\nparent='a'")).contains("it is above itself: a → a"));
    assert_eq!(
        says(&[leaf("id='a'"), leaf("id='a.b'")].concat()),
        "x.toml:7: risk `a`: it has topics, but `a.b` is below it: only leaves have; give them to a leaf of their own"
    );
    assert!(says(&leaf("id='a'\ntopics.zh=[]")).contains("differ in how many topics"));
    assert!(
        says(&[leaf("id='a'\nweight=1"), leaf("id='b'")].concat())
            .contains("risk `b`: it has no weight, but `a` beside it has")
    );
    assert!(says(&leaf("id='a'\nweight=-1")).contains("the weight is no number of at least 0"));
    for topics in ["['t', ' ']", "['t', 'u', 't']"] {
        assert!(
            says(&risk(&format!("id='a'\ntopics.en={topics}"))).contains("empty or stands twice")
        );
    }
    assert!(says(&risk("id='a'")).starts_with("x.toml: no risk has topics"));
    assert!(says("colour=1\n").starts_with("x.toml:3: unknown field `colour`"));
}

#[test]
fn any_depth_is_read() {
    let mut risks: String =
        ["a", "a.b", "a.b.c", "a.b.c.d", "a.b.c.d.e"].map(|id| node(id, "")).concat();
    risks.push_str(&node("a.b.c.d.e.f", "topics.en=['t']"));
    let taxonomy = parse(&risks).unwrap();
    let rows = taxonomy.rows(&["en".to_owned()]).unwrap();
    let names: Vec<&str> = rows.schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert!(names.contains(&"risk_level_5") && names.contains(&"risk_level_6"), "{names:?}");
    // Ids that are codes name their parent.
    let codes = [node("x", ""), node("y", "parent='x'\ntopics.en=['t']")].concat();
    assert_eq!(parse(&codes).unwrap().path(1), [0, 1]);
}

fn node(id: &str, more: &str) -> String {
    format!("[[risk]]\nid='{id}'\nen='{id}'\nabout=''\n{more}\n")
}
