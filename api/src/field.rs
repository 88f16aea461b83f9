//! The validation errors of an object, with Kubernetes' field paths and messages.

use std::fmt::{self, Display};

use serde::Serialize;

use squall_proto::meta::v1::StatusCause;

/// A place in an object: `spec.template.spec.containers[0].name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// The path of a top-level field.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A field of the object at this path.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::new(name) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// An element of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// A value of the map at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}

/// The kinds of field errors, with Kubernetes' reasons and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A value is missing.
    Required,
    /// A value is invalid.
    Invalid,
    /// A value is not an allowed one.
    NotSupported,
    /// The field may not be set here.
    Forbidden,
    /// A value occurs twice.
    Duplicate,
    /// A value is longer than allowed.
    TooLong,
}

impl Problem {
    const fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
        }
    }
}

/// A validation error of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    path: Path,
    problem: Problem,
    message: String,
}

impl FieldError {
    /// Converts the error to a cause in a `Status`.
    #[must_use]
    pub fn cause(&self) -> StatusCause {
        StatusCause {
            reason: self.problem.reason().to_owned(),
            message: self.message.clone(),
            field: self.path.to_string(),
        }
    }
}

impl Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The maximum number of errors kept. Otherwise an object with many thousand bad labels would cause an answer larger
/// than itself.
const MAX_ERRORS: usize = 256;

/// The validation errors of an object, in the order in which they were found.
#[derive(Debug, Default, Clone)]
pub struct Errors(Vec<FieldError>);

impl Errors {
    /// Whether there are no errors.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the errors, without duplicates.
    pub fn iter(&self) -> impl Iterator<Item = &FieldError> {
        self.0.iter()
    }

    /// Reports a missing value; `detail` may be empty.
    pub fn required(&mut self, path: &Path, detail: &str) {
        self.push(path, Problem::Required, None, detail);
    }

    /// Reports an invalid value.
    pub fn invalid(&mut self, path: &Path, value: &impl Serialize, detail: &str) {
        self.push(path, Problem::Invalid, Some(json(value)), detail);
    }

    /// Reports a value that is not an allowed one.
    pub fn not_supported(&mut self, path: &Path, value: &impl Serialize, allowed: &[&str]) {
        self.not_supported_text(path, json(value), allowed);
    }

    /// Like [`Errors::not_supported`], for a value that is text already.
    pub fn not_supported_text(&mut self, path: &Path, value: String, allowed: &[&str]) {
        let quoted: Vec<String> = allowed.iter().map(|value| format!("{value:?}")).collect();
        self.push(path, Problem::NotSupported, Some(value), &format!("supported values: {}", quoted.join(", ")));
    }

    /// Reports a field that may not be set here.
    pub fn forbidden(&mut self, path: &Path, detail: &str) {
        self.push(path, Problem::Forbidden, None, detail);
    }

    /// Reports a value that occurs twice.
    pub fn duplicate(&mut self, path: &Path, value: &impl Serialize) {
        self.push(path, Problem::Duplicate, Some(json(value)), "");
    }

    /// Reports a value that is longer than allowed.
    pub fn too_long(&mut self, path: &Path, detail: &str) {
        self.push(path, Problem::TooLong, None, detail);
    }

    /// Reports a negative number.
    pub fn non_negative(&mut self, path: &Path, value: i64) {
        if value < 0 {
            self.invalid(path, &value, "must be greater than or equal to 0");
        }
    }

    fn push(&mut self, path: &Path, problem: Problem, value: Option<String>, detail: &str) {
        let mut message = problem.words().to_owned();
        for part in value.as_deref().into_iter().chain((!detail.is_empty()).then_some(detail)) {
            message.push_str(": ");
            message.push_str(part);
        }
        let error = FieldError { path: path.clone(), problem, message };
        if self.0.len() < MAX_ERRORS && !self.0.contains(&error) {
            self.0.push(error);
        }
    }
}

/// Formats a value: numbers and bools plain, strings quoted, the rest as compact JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("<{error}>"))
}
