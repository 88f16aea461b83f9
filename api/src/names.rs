//! The syntax of names, label keys and label values, with Kubernetes' own messages.

const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_WITH_UNDERSCORE: &str = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

/// A rule for names. The function returns the problems of a name; none if it is valid.
pub type Rule = fn(&str) -> Vec<String>;

/// The characters of a generated name's random suffix: no vowels, no 0, 1 and 3.
pub const SUFFIX_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// The length of a generated name's random suffix.
pub const SUFFIX_LENGTH: usize = 5;
/// The maximum length of a generated name's prefix, so that the suffix still fits into a DNS label.
pub const MAX_GENERATED_PREFIX: usize = 63 - SUFFIX_LENGTH;

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// Whether the text is not empty, starts and ends with `edge`, and consists of `edge` and `inner` characters.
fn shaped(text: &str, edge: fn(char) -> bool, inner: &[char]) -> bool {
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || inner.contains(&c))
}

fn too_long(text: &str, limit: usize) -> Option<String> {
    (text.len() > limit).then(|| format!("must be no more than {limit} bytes"))
}

/// Checks a DNS-1123 subdomain, 253 bytes at most: the names of most kinds.
#[must_use]
pub fn dns1123_subdomain(name: &str) -> Vec<String> {
    let shape = name.split('.').all(|part| shaped(part, lower, &['-']));
    let wrong = (!shape).then(|| {
        format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
             and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
        )
    });
    too_long(name, 253).into_iter().chain(wrong).collect()
}

/// Checks a DNS-1123 label, 63 bytes at most: the names of namespaces and containers.
#[must_use]
pub fn dns1123_label(name: &str) -> Vec<String> {
    if name.contains('.') && name.len() <= 253 && dns1123_subdomain(name).is_empty() {
        return too_long(name, 63).into_iter().chain(["must not contain dots".to_owned()]).collect();
    }
    let wrong = (!shaped(name, lower, &['-'])).then(|| {
        format!(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
             with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
        )
    });
    too_long(name, 63).into_iter().chain(wrong).collect()
}

/// Checks a DNS-1035 label, 63 bytes at most: the names of services.
#[must_use]
pub fn dns1035_label(name: &str) -> Vec<String> {
    let shape = shaped(name, lower, &['-']) && name.starts_with(|c: char| c.is_ascii_lowercase());
    let wrong = (!shape).then(|| {
        format!(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, \
             and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
             '{LABEL_1035}')"
        )
    });
    too_long(name, 63).into_iter().chain(wrong).collect()
}

/// Checks the key of a label or an annotation: an optional DNS prefix and a name.
#[must_use]
pub fn qualified_name(key: &str) -> Vec<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let mut wrong = Vec::new();
    if name.contains('/') {
        return vec![qualified_message(
            "a qualified name must consist of",
            ", with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )];
    }
    match prefix {
        Some("") => wrong.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            wrong.extend(dns1123_subdomain(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
        }
        None => {}
    }
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if let Some(problem) = too_long(name, 63) {
        wrong.push(format!("name part {problem}"));
    }
    if !shaped(name, alphanumeric, &['-', '_', '.']) {
        wrong.push(qualified_message("name part must consist of", ""));
    }
    wrong
}

fn qualified_message(head: &str, tail: &str) -> String {
    format!(
        "{head} alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
         'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{QUALIFIED}'){tail}"
    )
}

/// Checks a name that is only a part of a path: those of roles and bindings.
#[must_use]
pub fn path_segment(name: &str) -> Vec<String> {
    if [".", ".."].contains(&name) {
        return vec![format!("may not be '{name}'")];
    }
    let forbidden = ['/', '%'].into_iter().filter(|c| name.contains(*c));
    forbidden.map(|c| format!("may not contain '{c}'")).collect()
}

/// Checks the value of a label.
#[must_use]
pub fn label_value(value: &str) -> Vec<String> {
    let wrong = (!value.is_empty() && !shaped(value, alphanumeric, &['-', '_', '.'])).then(|| {
        format!(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
             and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation \
             is '{VALUE}')"
        )
    });
    too_long(value, 63).into_iter().chain(wrong).collect()
}

/// Checks the name of a port: at most 15 of `a-z`, `0-9` and `-`, with a letter, without `--` and without `-` at either
/// end.
#[must_use]
pub fn port_name(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > 15 {
        wrong.push("must be no more than 15 characters".to_owned());
    }
    if !name.chars().all(|c| lower(c) || c == '-') {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !name.contains(|c: char| c.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// Checks a DNS-1123 subdomain whose parts may also have underscores: the domains of a pod's searches.
#[must_use]
pub fn dns1123_subdomain_with_underscore(name: &str) -> Vec<String> {
    let is_part = |part: &str| shaped(part.strip_prefix('_').unwrap_or(part), lower, &['-', '_']);
    let wrong = (!name.split('.').all(is_part)).then(|| {
        format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '{LABEL_WITH_UNDERSCORE}(\\.{LABEL_WITH_UNDERSCORE})*')"
        )
    });
    too_long(name, 253).into_iter().chain(wrong).collect()
}

/// Checks the key of a config map or a secret, 253 bytes at most.
#[must_use]
pub fn config_key(key: &str) -> Vec<String> {
    let is_key = !key.is_empty() && key.chars().all(|c| alphanumeric(c) || "-._".contains(c));
    let wrong = (!is_key).then(|| {
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
         'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            .to_owned()
    });
    let dots = match key {
        "." => Some("must not be '.'"),
        ".." => Some("must not be '..'"),
        _ if key.starts_with("..") => Some("must not start with '..'"),
        _ => None,
    };
    too_long(key, 253).into_iter().chain(wrong).chain(dots.map(str::to_owned)).collect()
}

/// Checks the name of an environment variable: printable ASCII without `=`.
#[must_use]
pub fn environment_variable(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    let is_valid = name.chars().all(|c| (' '..='~').contains(&c) && c != '=');
    let wrong = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    (!is_valid).then(|| wrong.to_owned()).into_iter().collect()
}

/// Checks the name of an HTTP header: letters, digits and `-`.
#[must_use]
pub fn http_header(name: &str) -> Vec<String> {
    let is_valid = !name.is_empty() && name.chars().all(|c| alphanumeric(c) || c == '-');
    let wrong = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for \
                 validation is '[-A-Za-z0-9]+')";
    (!is_valid).then(|| wrong.to_owned()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_dns() {
        for good in ["a", "kubia", "kubia-v1", "a.b-c.d", "0a"] {
            assert!(dns1123_subdomain(good).is_empty(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", ".a"] {
            assert!(!dns1123_subdomain(bad).is_empty(), "{bad}");
        }
        assert!(dns1035_label("0a").len() == 1 && dns1123_label("0a").is_empty());
        assert_eq!(dns1123_label(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    }

    #[test]
    fn label_keys_have_an_optional_prefix() {
        for good in ["app", "app.kubernetes.io/name", "a/B_c.d"] {
            assert!(qualified_name(good).is_empty(), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "-a", "A/b"] {
            assert!(!qualified_name(bad).is_empty(), "{bad}");
        }
        assert!(label_value("").is_empty() && !label_value("a b").is_empty());
    }
}
