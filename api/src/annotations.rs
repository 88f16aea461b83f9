//! The rules of annotations.

use std::collections::BTreeMap;

use crate::field::{Errors, Path};
use crate::names;

/// The maximum total size of all annotations (Kubernetes: 256 KiB).
const MAX_ANNOTATIONS_BYTES: usize = 256 << 10;

/// Validates the keys and the size of annotations.
pub fn validate(annotations: &BTreeMap<String, String>, path: &Path, errors: &mut Errors) {
    for key in annotations.keys() {
        for problem in names::qualified_name(&key.to_ascii_lowercase()) {
            errors.invalid(path, key, &problem);
        }
    }
    let size: usize = annotations.iter().map(|(key, value)| key.len().saturating_add(value.len())).sum();
    if size > MAX_ANNOTATIONS_BYTES {
        errors.too_long(path, &format!("may not be more than {MAX_ANNOTATIONS_BYTES} bytes"));
    }
}
