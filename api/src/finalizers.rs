//! The rules of finalizers.

use crate::field::{Errors, Path};
use crate::names;

/// Kubernetes: `standardFinalizers`.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", ORPHAN, FOREGROUND];
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// Validates the finalizers of an object.
pub fn validate(finalizers: &[String], path: &Path, errors: &mut Errors) {
    for (index, finalizer) in finalizers.iter().enumerate() {
        validate_one(finalizer, path, &path.index(index), errors);
    }
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    if has(ORPHAN) && has(FOREGROUND) {
        errors.invalid(path, &finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
    }
}

/// Validates a finalizer. A name that is none is reported at `path`, one that nobody has at `place`.
pub fn validate_one(finalizer: &str, path: &Path, place: &Path, errors: &mut Errors) {
    let problems = names::qualified_name(finalizer);
    if problems.is_empty() && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        errors.invalid(place, &finalizer, "name is neither a standard finalizer name nor is it fully qualified");
    }
    for problem in problems {
        errors.invalid(path, &finalizer, &problem);
    }
}
