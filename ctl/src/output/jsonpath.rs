//! Templates of `-o jsonpath`: text, `{.path}`, `{range .path}...{end}` and `{"literal"}`, as kubectl reads them.

use serde_json::Value;
use squall_api::jsonpath::Path;

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
                let found = path.find(if path.is_from_root() { root } else { current });
                out.push_str(&found.into_iter().map(text_of).collect::<Vec<String>>().join(" "));
            }
            Node::Range(path, inner) => {
                for value in path.find(if path.is_from_root() { root } else { current }) {
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
    }
}
