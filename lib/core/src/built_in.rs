//! The text files of schemas/ and templates/, compiled in (see build.rs).

/// Path from the project's root, text.
static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// The text of a built-in file.
pub fn text(path: &str) -> Option<&'static str> {
    FILES.binary_search_by_key(&path, |(name, _)| name).ok().map(|index| FILES[index].1)
}

/// The built-in files whose path starts so, in order of their paths.
pub fn under(prefix: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().filter(move |(name, _)| name.starts_with(prefix))
}
