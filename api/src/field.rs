//! The validation errors of an object, with Kubernetes' field paths and messages.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use serde::Serialize;

use squall_proto::meta::v1::StatusCause;
use squall_proto::resource::Quantity;

use crate::names::Rule;
use crate::quantity::{self, Milli};

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
    /// A value is of the wrong type.
    TypeInvalid,
    /// A value is not an allowed one.
    NotSupported,
    /// The field may not be set here.
    Forbidden,
    /// A value occurs twice.
    Duplicate,
    /// A value is longer than allowed.
    TooLong,
    /// A list has more elements than allowed.
    TooMany,
    /// A reference leads nowhere.
    NotFound,
}

impl Problem {
    const fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
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

    /// Reports a value of the wrong type.
    pub fn type_invalid(&mut self, path: &Path, value: &impl Serialize, detail: &str) {
        self.push(path, Problem::TypeInvalid, Some(json(value)), detail);
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

    /// Reports a value that is not one of these.
    pub fn one_of(&mut self, path: &Path, value: &str, allowed: &[&str]) {
        if !allowed.contains(&value) {
            self.not_supported(path, &value, allowed);
        }
    }

    /// Reports a missing value, or one that is not one of these.
    pub fn required_one_of(&mut self, path: &Path, value: &str, allowed: &[&str]) {
        if value.is_empty() {
            self.required(path, "");
        } else {
            self.one_of(path, value, allowed);
        }
    }

    /// Reports each problem of a name.
    pub fn named(&mut self, path: &Path, name: &str, rule: Rule) {
        for problem in rule(name) {
            self.invalid(path, &name, &problem);
        }
    }

    /// Reports a reference that leads nowhere.
    pub fn not_found(&mut self, path: &Path, value: &str) {
        self.not_found_because(path, value, "");
    }

    /// Like [`Errors::not_found`], with a reason.
    pub fn not_found_because(&mut self, path: &Path, value: &str, detail: &str) {
        self.push(path, Problem::NotFound, Some(json(&value)), detail);
    }

    /// Reports a list that is longer than allowed.
    pub fn too_many(&mut self, path: &Path, count: usize, most: usize) {
        let items = if most == 1 { "item" } else { "items" };
        let detail = format!("must have at most {most} {items}");
        self.push(path, Problem::TooMany, Some(count.to_string()), &detail);
    }

    /// Reports a number outside a range.
    pub fn in_range(&mut self, path: &Path, value: i64, range: RangeInclusive<i64>) {
        if !range.contains(&value) {
            let detail = format!("must be between {} and {}, inclusive", range.start(), range.end());
            self.invalid(path, &value, &detail);
        }
    }

    /// Reports a number that is not greater than zero.
    pub fn positive(&mut self, path: &Path, value: i64) {
        if value <= 0 {
            self.invalid(path, &value, "must be greater than zero");
        }
    }

    /// Reports a quantity that is none, or negative.
    pub fn quantity(&mut self, path: &Path, amount: &Quantity) {
        match quantity::parse(amount) {
            None => self.invalid(path, &amount.string, quantity::SYNTAX),
            Some(Milli(..0)) => self.invalid(path, &amount.string, "must be greater than or equal to 0"),
            Some(_) => {}
        }
    }

    /// Adds the errors of a part.
    pub fn append(&mut self, other: Self) {
        for error in other.0 {
            self.keep(error);
        }
    }

    /// Reports a field that may not be set here.
    pub fn forbidden(&mut self, path: &Path, detail: &str) {
        self.push(path, Problem::Forbidden, None, detail);
    }

    /// Reports a value that occurs twice.
    pub fn duplicate(&mut self, path: &Path, value: &impl Serialize) {
        self.push(path, Problem::Duplicate, Some(json(value)), "");
    }

    /// Like [`Errors::duplicate`], with a reason.
    pub fn duplicate_because(&mut self, path: &Path, value: &impl Serialize, detail: &str) {
        self.push(path, Problem::Duplicate, Some(json(value)), detail);
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
        self.keep(FieldError { path: path.clone(), problem, message });
    }

    fn keep(&mut self, error: FieldError) {
        if self.0.len() < MAX_ERRORS && !self.0.contains(&error) {
            self.0.push(error);
        }
    }
}

/// Formats a value: numbers and bools plain, strings quoted, the rest as compact JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("<{error}>"))
}
