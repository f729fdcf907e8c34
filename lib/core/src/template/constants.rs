//! Constants of a template: lists and maps that do not depend on the row, such as the personas of an
//! attack or a bank of questions. They are evaluated once, not for every prompt.

use minijinja::{Environment, Value};
use std::ops::Range;

/// The body with `{% set NAME = CONSTANT %}` for each constant list or map replaced by a reference to its
/// value, which becomes a global of the engine. Lines stay where they are.
pub(super) fn hoist(engine: &mut Environment<'static>, body: &str) -> String {
    let mut hoisted = String::with_capacity(body.len());
    let mut done = 0;
    for expression in assigned(body) {
        let Some(value) = constant(engine, &body[expression.clone()]) else { continue };
        let name = format!("_constant_{}", expression.start);
        hoisted.push_str(&body[done..expression.start]);
        hoisted.push_str(&name);
        // What an error says of a line stays true.
        hoisted.extend(body[expression.clone()].matches('\n'));
        done = expression.end;
        engine.add_global(name, value);
    }
    hoisted.push_str(&body[done..]);
    hoisted
}

/// The value of a list or map that names nothing outside of itself.
fn constant(engine: &Environment<'_>, expression: &str) -> Option<Value> {
    if !expression.starts_with(['[', '{']) {
        return None;
    }
    let expression = engine.compile_expression(expression).ok()?;
    let is_closed = expression.undeclared_variables(false).is_empty();
    is_closed.then(|| expression.eval(()).ok()).flatten()
}

/// Where the expressions of `set` statements are. None at all where text is quoted with `raw`.
fn assigned(body: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = body[at..].find('{').map(|place| at + place) {
        let Some(kind) = body.as_bytes().get(open + 1) else { break };
        let (start, end) = match kind {
            b'#' => (open + 2, body[open + 2..].find("#}").map(|end| open + 2 + end)),
            b'%' | b'{' => (open + 2, code_end(body, open + 2, *kind)),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let Some(end) = end else { break };
        if *kind == b'%' {
            let code = body[start..end].trim_matches(['-', '+', ' ', '\n', '\t']);
            if code == "raw" {
                return Vec::new();
            }
            found.extend(expression(body, start..end));
        }
        at = end + 2;
    }
    found
}

/// Where the code that begins at `at` ends, quoted text aside.
fn code_end(body: &str, at: usize, kind: u8) -> Option<usize> {
    let bytes = body.as_bytes();
    let close = [if kind == b'{' { b'}' } else { kind }, b'}'];
    let (mut here, mut quote, mut depth) = (at, None, 0_usize);
    while here < bytes.len() {
        match (quote, bytes[here]) {
            (Some(_), b'\\') => here += 1,
            (Some(mark), byte) if byte == mark => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, _) if depth == 0 && bytes[here..].starts_with(&close) => return Some(here),
            (None, b'{' | b'[' | b'(') => depth += 1,
            (None, b'}' | b']' | b')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        here += 1;
    }
    None
}

/// The expression of `set NAME = EXPRESSION`.
fn expression(body: &str, code: Range<usize>) -> Option<Range<usize>> {
    let text = &body[code.clone()];
    let rest = text.trim_start_matches(['-', '+']).trim_start().strip_prefix("set")?;
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    let name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let value = rest[name..].trim_start().strip_prefix('=')?.trim_start();
    let start = code.end - value.len();
    let end = start + value.trim_end_matches(['-', '+']).trim_end().len();
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hoisted(body: &str) -> (String, usize) {
        let mut engine = Environment::new();
        let before = engine.globals().count();
        let made = hoist(&mut engine, body);
        let rendered = |engine: &Environment<'_>, body: &str| {
            engine.render_str(body, minijinja::context!(prompt => "P")).unwrap()
        };
        assert_eq!(rendered(&engine, &made), rendered(&Environment::new(), body), "{made}");
        assert_eq!(made.matches('\n').count(), body.matches('\n').count());
        (made, engine.globals().count() - before)
    }

    #[test]
    fn constants_are_made_once() {
        let body = "{%- set a = [\n \"%}\", '}}',\n {\"b\": [1, {\"c\": 2}]} ] -%}{{ a[2].b[1].c }}{{ a[0] }}";
        let (made, constants) = hoisted(body);
        assert_eq!(constants, 1);
        assert!(made.starts_with("{%- set a = _constant_12\n\n -%}"), "{made}");
        assert_eq!(hoisted("{% set a = {\"x\": 1} %}{% set b = [2] %}{{ a.x }}{{ b }}").1, 2);
    }

    #[test]
    fn what_depends_on_the_row_is_not() {
        for body in [
            "{% set a = [prompt] %}{{ a }}",
            "{% set a = prompt %}{{ a }}",
            "{% set a = 3 %}{{ a }}",
            "{# {% set a = [1] %} #}{{ prompt }}",
            "{% raw %}{% set a = [1] %}{% endraw %}",
            "{{ '{% set a = [1] %}' }}",
            "{% set n = namespace(x=[1]) %}{% set n.x = prompt %}{{ n.x }}",
            "{ % set a = [1] %}",
        ] {
            assert_eq!(hoisted(body), (body.to_owned(), 0));
        }
    }

    #[test]
    fn a_name_keeps_its_scope() {
        let body = "{% set a = [1] %}{% if prompt %}{% set a = [2] %}{% endif %}{% for x in a %}{% set a = [3] %}{{ a }}{% endfor %}{{ a }}";
        assert_eq!(hoisted(body).1, 3);
    }
}
