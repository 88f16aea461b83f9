//! Templates of `-o jsonpath`: text, `{.path}`, `{range .path}...{end}` and `{"literal"}`, as kubectl reads them.
//!
//! The paths themselves are RFC 9535's, written the way kubectl writes them (`.metadata.name`, `.a\.b`).

use serde_json::Value;
use serde_json_path::JsonPath;

/// A path, relative to the current value or to the whole document.
#[derive(Debug, Clone)]
pub struct Path {
    path: JsonPath,
    from_root: bool,
}

/// A parsed template.
#[derive(Debug, Clone)]
pub struct Template {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Text(String),
    Path(Path),
    Range(Path, Vec<Self>),
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

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let from_root = text.starts_with('$');
        let rest = text.trim_start_matches(['$', '@']);
        let standard = format!("${}", standard(rest)?);
        let path = JsonPath::parse(&standard).map_err(|error| format!("unrecognized path {text:?}: {error}"))?;
        Ok(Self { path, from_root })
    }

    /// Returns the values at the path.
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.path.query(value).all()
    }
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
                rest = &rest[end + 1..];
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
        let path = &rest[at + 1..];
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
    let (mut depth, mut quote) = (0, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') if depth == 1 => return Some(at),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

impl Template {
    /// Parses a template. Errors have the wording of kubectl.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut open: Vec<(Path, Vec<Node>)> = Vec::new();
        let mut nodes = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            if start > 0 {
                nodes.push(Node::Text(rest[..start].to_owned()));
            }
            let end = end_of_action(&rest[start..]).ok_or("unclosed action")?;
            let action = rest[start + 1..start + end].trim();
            rest = &rest[start + end + 1..];
            if action == "end" {
                let (path, before) = open.pop().ok_or("not in range, nothing to end")?;
                let inner = std::mem::replace(&mut nodes, before);
                nodes.push(Node::Range(path, inner));
            } else if let Some(path) = action.strip_prefix("range ") {
                open.push((Path::parse(path)?, std::mem::take(&mut nodes)));
            } else {
                nodes.extend(pieces(action)?);
            }
        }
        if !rest.is_empty() {
            nodes.push(Node::Text(rest.to_owned()));
        }
        if open.is_empty() { Ok(Self { nodes }) } else { Err("unclosed range".to_owned()) }
    }

    /// Fills in the template. Missing values are empty.
    pub fn render(&self, root: &Value) -> String {
        let mut out = String::new();
        render(&self.nodes, root, root, &mut out);
        out
    }
}

/// The position at which the leading brace is closed.
fn end_of_action(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '}') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// Parses the content of one pair of braces: paths and literals, one after the other.
fn pieces(action: &str) -> Result<Vec<Node>, String> {
    let mut nodes = Vec::new();
    let mut rest = action;
    while !rest.is_empty() {
        if let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            let end = end_of_quote(rest, quote).ok_or("unterminated quoted string")?;
            nodes.push(Node::Text(unescaped(&rest[1..end])));
            rest = &rest[end + 1..];
        } else {
            let end = end_of_path(rest);
            let text = if rest.starts_with(['.', '[', '$', '@']) {
                rest[..end].to_owned()
            } else {
                format!(".{}", &rest[..end])
            };
            nodes.push(Node::Path(Path::parse(&text)?));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(nodes)
}

/// The end of the leading path: a space or a quote outside of brackets.
fn end_of_path(text: &str) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth -= 1,
            ' ' | '"' | '\'' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// The position at which the leading quote is closed.
fn end_of_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = true;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            other if other == quote => return Some(at),
            _ => {}
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

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (other, false) => out.push(other),
        }
    }
    out
}

fn render(nodes: &[Node], root: &Value, current: &Value, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Path(path) => {
                let found = path.find(if path.from_root { root } else { current });
                out.push_str(&found.into_iter().map(text_of).collect::<Vec<String>>().join(" "));
            }
            Node::Range(path, inner) => {
                for value in path.find(if path.from_root { root } else { current }) {
                    render(inner, root, value, out);
                }
            }
        }
    }
}

/// A value as text: strings as they are, everything else as JSON.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(template: &str) -> String {
        let value = json!({"items": [
            {"metadata": {"name": "a", "annotations": {"kubernetes.io/cause": "x y"}}, "n": 1, "list": [{"type": "Ready", "status": "True"}]},
            {"metadata": {"name": "b"}, "n": 2, "list": []},
        ]});
        Template::parse(template).unwrap().render(&value)
    }

    #[test]
    fn templates_are_filled_in_as_by_kubectl() {
        for (template, expected) in [
            ("{.items[0].metadata.name}", "a"),
            ("{.items[*].metadata.name}", "a b"),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{.n}{\"\\n\"}{end}", "a\t1\nb\t2\n"),
            ("{.items[0].nosuch}", ""),
            ("plain", "plain"),
            ("{.items[0].metadata.annotations.kubernetes\\.io/cause}", "x y"),
            ("{.items[0].list[?(@.type==\"Ready\")].status}", "True"),
            ("{.items[-1].n}", "2"),
            ("{.items[0:1].n}", "1"),
            ("{..name}", "a b"),
            ("{.items[0].list}", "[{\"status\":\"True\",\"type\":\"Ready\"}]"),
            ("{range .items[*]}{$.items[0].n}{end}", "11"),
            ("{range .items[*]}{@.n} {end}", "1 2 "),
            ("{items[0].n}", "1"),
            ("{range .items[*]}[{.metadata.name}, {.n}] {end}", "[a, 1] [b, 2] "),
            ("{\"say \\\"x\\\"\"}", "say \"x\""),
            ("{.items[?(@.metadata.name==\"a@b\")].n}", ""),
        ] {
            assert_eq!(render(template), expected, "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for bad in ["{.a", "{end}", "{range .a}", "{.a[}", "{\"x}", "{.a b}c{..}x{.[}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        assert!(Path::relaxed("").is_err());
        assert_eq!(Path::relaxed("metadata.name").unwrap().find(&json!({"metadata": {"name": 3}})), [&json!(3)]);
    }
}
