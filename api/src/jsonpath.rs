//! Paths into JSON, as kubectl and printer columns write them: `.metadata.name`, `.a\.b`, `.list[?(@.type=="Ready")].status`.
//!
//! The paths themselves are RFC 9535's; only the notation is translated.

use serde_json::Value;
use serde_json_path::JsonPath;

/// A path, relative to the current value or to the whole document.
#[derive(Debug, Clone)]
pub struct Path {
    path: JsonPath,
    from_root: bool,
}

impl Path {
    /// Parses `.metadata.name`, `metadata.name` or `{.metadata.name}`: the forms in `--sort-by` and custom columns.
    pub fn relaxed(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        match bare.chars().next() {
            Some('.' | '[' | '$' | '@') => Self::parse(bare),
            Some(_) => Self::parse(&format!(".{bare}")),
            None => Err("the path is empty".to_owned()),
        }
    }

    /// Parses `.metadata.name`, `$.metadata.name` or `@.metadata.name`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let from_root = text.starts_with('$');
        let rest = text.trim_start_matches(['$', '@']);
        let standard = format!("${}", standard(rest)?);
        let path = JsonPath::parse(&standard).map_err(|error| format!("unrecognized path {text:?}: {error}"))?;
        Ok(Self { path, from_root })
    }

    /// Whether the path is relative to the whole document (`$`), and not to the current value.
    #[must_use]
    pub fn is_from_root(&self) -> bool {
        self.from_root
    }

    /// Returns the values at the path.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.path.query(value).all()
    }
}

/// Whether looking for a path takes linear time, and reading it too: names, indexes, few wildcards, and one filter without
/// others in it. A library may read what nests time and again, and lists of indexes multiply what is found.
#[must_use]
pub fn is_simple(text: &str) -> bool {
    let (mut depth, mut filters, mut parentheses) = (0usize, 0usize, 0usize);
    for (at, character) in outside_quotes(text) {
        match character {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            '?' => filters = filters.saturating_add(1),
            '(' => parentheses = parentheses.saturating_add(1),
            ',' | ':' | '!' | '&' | '|' => return false,
            '$' if at > 1 => return false,
            _ => {}
        }
        if depth > 1 || filters > 1 || parentheses > 1 {
            return false;
        }
    }
    text.matches("..").count() <= 1 && text.matches('*').count() <= 2
}

/// Translates a path from kubectl's syntax to RFC 9535, without the `$`.
fn standard(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            '.' => {
                let deep = rest.starts_with("..");
                rest = rest.trim_start_matches('.');
                let (name, after) = name(rest);
                out.push_str(if deep { ".." } else { "" });
                match name.as_str() {
                    "" if after.starts_with('[') || after.is_empty() => {}
                    "" => return Err(format!("unexpected {after:?} in a path")),
                    "*" => out.push_str("[*]"),
                    name => out.push_str(&format!("[{}]", quoted(name))),
                }
                rest = after;
            }
            '[' => {
                let end = closing(rest).ok_or("unterminated array")?;
                let inner = &rest[1..end];
                match inner.strip_prefix("?(").and_then(|inner| inner.strip_suffix(')')) {
                    Some(filter) => out.push_str(&format!("[?{}]", standard_filter(filter)?)),
                    None => out.push_str(&format!("[{inner}]")),
                }
                rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
            }
            other => return Err(format!("unexpected {other:?} in a path")),
        }
    }
    Ok(out)
}

/// Translates the paths in a filter (`@.name`), and copies the rest.
fn standard_filter(filter: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = filter;
    while let Some(at) = outside_quotes(rest).find(|(_, character)| *character == '@').map(|(at, _)| at) {
        out.push_str(&rest[..at]);
        let path = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let end = path.find([' ', '=', '!', '<', '>', ')', '&', '|']).unwrap_or(path.len());
        out.push_str(&format!("@{}", standard(&path[..end])?));
        rest = &path[end..];
    }
    Ok(out + rest)
}

/// Splits a text after its leading name, in which `\.` stands for a dot.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, &text[at..]),
            other => name.push(other),
        }
    }
    (name, "")
}

fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The position at which the leading bracket is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '[') => depth = depth.saturating_add(1),
            (None, ']') if depth == 1 => return Some(at),
            (None, ']') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}

/// The characters of a text that are not within quotes.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    text.char_indices().filter(move |(_, character)| {
        match quote {
            Some(open) if open == *character => quote = None,
            None if matches!(character, '"' | '\'') => quote = Some(*character),
            None => return true,
            Some(_) => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_that_multiplies_work_is_not_simple() {
        for simple in [".a.b", ".status.conditions[?(@.type==\"a,b:[?(\")].status", ".a[0].b[*].c", "..name", "{.a}"] {
            assert!(is_simple(simple), "{simple}");
        }
        for not in [".a[?@[?@.b]]", ".a[0,0]", ".a[:]", ".a[?($.b)]", "..a..b", ".a[*][*][*]", ".a[?(@.a==1||@.b==2)]"]
        {
            assert!(!is_simple(not), "{not}");
        }
    }

    #[test]
    fn paths_are_read_in_kubectls_notation() {
        assert!(Path::relaxed("").is_err());
        assert_eq!(Path::relaxed("metadata.name").unwrap().find(&json!({"metadata": {"name": 3}})), [&json!(3)]);
        let value = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "a.b": 1});
        let ready = Path::relaxed(".status.conditions[?(@.type==\"Ready\")].status").unwrap();
        assert_eq!(ready.find(&value), [&json!("True")]);
        assert_eq!(Path::relaxed(".a\\.b").unwrap().find(&value), [&json!(1)]);
        assert!(Path::parse("$.a").unwrap().is_from_root() && !Path::parse("@.a").unwrap().is_from_root());
    }
}
