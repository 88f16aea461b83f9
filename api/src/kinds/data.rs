//! Rules that config maps and secrets share: valid keys, limited size, and data that can be made immutable.

use crate::field::{Errors, Path};

/// Kubernetes: the maximum size of a config map or secret.
const MAX_BYTES: usize = 1 << 20;

/// Validates the keys of the map in this field.
pub(super) fn validate_keys<'a>(keys: impl Iterator<Item = &'a String>, field: &str, errors: &mut Errors) {
    let path = Path::new(field);
    for key in keys {
        for problem in key_problems(key) {
            errors.invalid(&path.key(key), key, &problem);
        }
    }
}

fn key_problems(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if key.len() > 253 {
        problems.push("must be no more than 253 characters".to_owned());
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if key.is_empty() || !key.chars().all(is_allowed) {
        problems.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
             'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match key {
        "." => problems.push("must not be '.'".to_owned()),
        ".." => problems.push("must not be '..'".to_owned()),
        _ if key.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

/// Validates the total size of the values.
pub(super) fn validate_size(bytes: usize, errors: &mut Errors) {
    if bytes > MAX_BYTES {
        // Kubernetes names no field, which prints as `[]`.
        errors.too_long(&Path::new("[]"), &format!("may not be more than {MAX_BYTES} bytes"));
    }
}

/// Rejects changes of immutable data: `changed` says for each field whether it has changed.
pub(super) fn validate_fixed(was: Option<bool>, is: Option<bool>, changed: &[(&str, bool)], errors: &mut Errors) {
    const DETAIL: &str = "field is immutable when `immutable` is set";
    if was != Some(true) {
        return;
    }
    if is != Some(true) {
        errors.forbidden(&Path::new("immutable"), DETAIL);
    }
    for (field, _) in changed.iter().filter(|(_, changed)| *changed) {
        errors.forbidden(&Path::new(field), DETAIL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_file_names() {
        for good in ["a", "key.name", "KEY_NAME", ".hidden", "a..b"] {
            assert!(key_problems(good).is_empty(), "{good}");
        }
        for bad in ["", "a b", "a/b", ".", "..", "..a", "\u{e9}"] {
            assert_eq!(key_problems(bad).len(), 1, "{bad}");
        }
        assert_eq!(key_problems(&"x".repeat(254)).len(), 1);
    }

    #[test]
    fn what_is_fixed_stays() {
        let problems = |was, is, changed| {
            let mut errors = Errors::default();
            validate_fixed(was, is, &[("data", changed)], &mut errors);
            errors.iter().count()
        };
        assert_eq!(problems(None, None, true), 0);
        assert_eq!(problems(Some(true), Some(true), false), 0);
        assert_eq!(problems(Some(true), None, true), 2);
    }
}
