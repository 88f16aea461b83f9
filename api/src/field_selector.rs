//! Field selectors: `status.phase=Running,metadata.name!=x`.

use std::collections::BTreeSet;

use crate::kinds::Object;

/// Maximum number of different terms: each object is compared with all of them.
const MAX_TERMS: usize = 64;

/// A conjunction of equalities on fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector(BTreeSet<Term>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Term {
    field: String,
    value: String,
    equal: bool,
}

impl Term {
    fn holds(&self, value: &str) -> bool {
        (value == self.value) == self.equal
    }
}

impl FieldSelector {
    /// Parses the text form. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = BTreeSet::new();
        for term in text.split(',').map(str::trim).filter(|term| !term.is_empty()) {
            terms.insert(parse_term(term)?);
            if terms.len() > MAX_TERMS {
                return Err(format!("invalid selector: a field selector has at most {MAX_TERMS} different terms"));
            }
        }
        Ok(Self(terms))
    }

    /// Adds an equality.
    pub fn require(&mut self, field: &str, value: &str) {
        self.0.insert(Term { field: field.to_owned(), value: value.to_owned(), equal: true });
    }

    /// Whether it matches everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the first field by which objects of this kind cannot be selected.
    #[must_use]
    pub fn unsupported(&self, sample: &Object) -> Option<&str> {
        self.0.iter().find(|term| sample.selectable(&term.field).is_none()).map(|term| term.field.as_str())
    }

    /// Whether the object's fields have (or, with `!=`, do not have) the values.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        self.0.iter().all(|term| object.selectable(&term.field).is_some_and(|value| term.holds(&value)))
    }

    /// Returns the fields that the selector tests, each once.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.0.iter().map(|term| term.field.as_str()).filter(move |field| last.replace(*field) != Some(*field))
    }

    /// Whether this value of a field meets the selector's terms for that field.
    #[must_use]
    pub fn holds(&self, field: &str, value: &str) -> bool {
        self.0.iter().filter(|term| term.field == field).all(|term| term.holds(value))
    }

    /// Returns the fields that must have a certain value, with that value.
    pub fn equalities(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|term| term.equal).map(|term| (term.field.as_str(), term.value.as_str()))
    }
}

fn parse_term(term: &str) -> Result<Term, String> {
    let (field, value, equal) = if let Some((field, value)) = term.split_once("!=") {
        (field, value, false)
    } else if let Some((field, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (field, value, true)
    } else {
        return Err(format!("invalid selector: '{term}'; can't understand '{term}'"));
    };
    Ok(Term { field: field.to_owned(), value: value.to_owned(), equal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_proto::core::v1::Pod;

    #[test]
    fn fields_are_compared_as_text() {
        let mut pod = Pod::default();
        pod.metadata.name = "a".to_owned();
        pod.status.phase = "Running".to_owned();
        let pod = Object::from(pod);
        for (text, expected) in [
            ("", true),
            ("metadata.name=a", true),
            ("metadata.name==b", false),
            ("status.phase=Running,spec.nodeName!=n1", true),
            ("spec.nodeName=", true),
        ] {
            assert_eq!(FieldSelector::parse(text).unwrap().matches(&pod), expected, "{text}");
        }
        assert_eq!(FieldSelector::parse("spec.foo=1").unwrap().unsupported(&pod), Some("spec.foo"));
        assert!(FieldSelector::parse("metadata.name").is_err());
    }

    #[test]
    fn equal_terms_count_once_and_too_many_are_refused() {
        let same = vec!["metadata.name=a"; 100_000].join(",");
        let selector = FieldSelector::parse(&format!("{same},metadata.name!=b,spec.nodeName=n")).unwrap();
        assert_eq!(selector.fields().collect::<Vec<_>>(), ["metadata.name", "spec.nodeName"]);
        assert_eq!(selector.equalities().count(), 2);
        let different: Vec<String> = (0..=MAX_TERMS).map(|number| format!("metadata.name!={number}")).collect();
        assert!(FieldSelector::parse(&different.join(",")).unwrap_err().contains("at most 64 different terms"));
        assert!(FieldSelector::parse(&different[1..].join(",")).is_ok());
    }
}
