//! Paths within volumes.

use crate::field::{Errors, Path};

/// A path that does not leave its folder: without `..`.
pub(super) fn no_backsteps(text: &str, path: &Path, errors: &mut Errors) {
    if text.split('/').any(|part| part == "..") {
        errors.invalid(path, &text, "must not contain '..'");
    }
}

/// A relative path that does not leave its folder.
pub(super) fn descending(text: &str, path: &Path, errors: &mut Errors) {
    if text.starts_with('/') {
        errors.invalid(path, &text, "must be a relative path");
    }
    no_backsteps(text, path, errors);
}

/// A relative path that does not leave its folder, and does not begin like the kubelet's own files: `..data`.
pub(super) fn not_reserved(text: &str, path: &Path, errors: &mut Errors) {
    descending(text, path, errors);
    if text.starts_with("..") && !text.starts_with("../") {
        errors.invalid(path, &text, "must not start with '..'");
    }
}
