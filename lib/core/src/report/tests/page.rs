//! What a browser makes of a page, as far as it concerns what is an element and what is text.

/// The elements of a page, in order.
pub struct Page {
    /// Names and attributes.
    pub elements: Vec<(String, Vec<(String, String)>)>,
}

/// Elements without an end.
const VOID: [&str; 3] = ["meta", "link", "wbr"];

impl Page {
    /// Reads a page, and panics where it is not well formed: a stray `<`, an attribute without quotes, an
    /// element that is not closed.
    pub fn parse(page: &str) -> Self {
        let mut rest = page.strip_prefix("<!doctype html>").unwrap();
        let mut elements: Vec<(String, Vec<(String, String)>)> = Vec::new();
        let mut open: Vec<String> = Vec::new();
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '/')).unwrap();
            let (name, after) = rest.split_at(end);
            assert!(!name.is_empty(), "a stray <: {}", &rest[..rest.len().min(60)]);
            rest = after;
            if let Some(closed) = name.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(closed));
                rest = rest.strip_prefix('>').unwrap();
                continue;
            }
            let mut attributes = Vec::new();
            let closed = loop {
                rest = rest.trim_start();
                if let Some(after) = rest.strip_prefix("/>") {
                    rest = after;
                    break true;
                }
                if let Some(after) = rest.strip_prefix('>') {
                    rest = after;
                    break false;
                }
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-:".contains(c)));
                let (key, after) = rest.split_at(end.unwrap());
                assert!(!key.is_empty(), "in <{name}: {}", &rest[..rest.len().min(60)]);
                rest = after;
                let mut value = "";
                if let Some(after) = rest.strip_prefix("=\"") {
                    (value, rest) = after.split_once('"').unwrap();
                } else {
                    assert!(!rest.starts_with('='), "{key} without quotes");
                }
                attributes.push((key.to_owned(), value.to_owned()));
            };
            elements.push((name.to_owned(), attributes));
            if name == "style" {
                rest = &rest[rest.find("</style>").unwrap()..];
            }
            if !closed && !VOID.contains(&name) {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty(), "not closed: {open:?}");
        Self { elements }
    }
}
