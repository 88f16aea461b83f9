//! Labels and label selectors: matching, the text form `app=kubia,tier in (a,b)`, validation.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use squall_proto::meta::v1::LabelSelector;

use crate::field::{Errors, Path};
use crate::names;

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// A set of requirements. An object matches if it meets all of them; an empty set matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

/// The part of a requirement that an index can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought<'a> {
    /// A label of this key with one of these values.
    Value(&'a str, &'a [String]),
    /// A label of this key.
    Key(&'a str),
}

impl Requirement {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => !value.is_some_and(|value| values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::Greater(bound) => number().is_some_and(|number| number > *bound),
            Operator::Less(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

impl Selector {
    /// Returns a selector that matches everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether it matches everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Selects objects that have all these labels.
    #[must_use]
    pub fn from_map(labels: &Labels) -> Self {
        let requirement = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::In(vec![value.clone()]),
        };
        Self(labels.iter().map(requirement).collect())
    }

    /// Converts the selector of a workload. `None` if it matches nothing (Kubernetes: a nil selector).
    #[must_use]
    pub fn from_label_selector(selector: Option<&LabelSelector>) -> Option<Self> {
        let selector = selector?;
        let mut requirements = Self::from_map(&selector.match_labels).0;
        for expression in &selector.match_expressions {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In(expression.values.clone()),
                "NotIn" => Operator::NotIn(expression.values.clone()),
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::Absent,
                _ => return None,
            };
            requirements.push(Requirement { key: expression.key.clone(), operator });
        }
        Some(Self(requirements))
    }

    /// Returns conditions that every matching object meets and that an index can answer.
    pub fn sought(&self) -> impl Iterator<Item = Sought<'_>> {
        self.0.iter().filter_map(|Requirement { key, operator }| match operator {
            Operator::In(values) => Some(Sought::Value(key, values)),
            Operator::Exists | Operator::Greater(_) | Operator::Less(_) => Some(Sought::Key(key)),
            Operator::NotIn(_) | Operator::Absent => None,
        })
    }

    /// Whether the labels meet every requirement.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }

    /// Parses the text form. The error is Kubernetes' own message.
    pub fn parse(text: &str) -> Result<Self, String> {
        Parser { tokens: tokenize(text), position: 0 }.selector()
    }
}

impl Display for Selector {
    /// The text form, sorted by key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut requirements: Vec<&Requirement> = self.0.iter().collect();
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        for (index, requirement) in requirements.into_iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let set = |values: &[String]| {
            let mut values = values.to_vec();
            values.sort();
            values.join(",")
        };
        match &self.operator {
            Operator::In(values) => match values.as_slice() {
                [value] => write!(f, "{key}={value}"),
                values => write!(f, "{key} in ({})", set(values)),
            },
            Operator::NotIn(values) => match values.as_slice() {
                [value] => write!(f, "{key}!={value}"),
                values => write!(f, "{key} notin ({})", set(values)),
            },
            Operator::Exists => f.write_str(key),
            Operator::Absent => write!(f, "!{key}"),
            Operator::Greater(bound) => write!(f, "{key}>{bound}"),
            Operator::Less(bound) => write!(f, "{key}<{bound}"),
        }
    }
}

const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", ",", "(", ")", ">", "<"];

fn tokenize(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
        let end = symbol.map_or_else(
            || rest.find(|c: char| c.is_whitespace() || "=!,()><".contains(c)).unwrap_or(rest.len()),
            str::len,
        );
        tokens.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    tokens
}

/// Parses requirements separated by commas.
struct Parser {
    tokens: Vec<String>,
    position: usize,
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.position).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let token = self.peek().to_owned();
        self.position = self.position.saturating_add(1);
        token
    }

    fn selector(mut self) -> Result<Selector, String> {
        let mut requirements = Vec::new();
        while self.position < self.tokens.len() {
            requirements.push(self.requirement()?);
            match self.next().as_str() {
                "" => break,
                "," if self.peek().is_empty() => return Err("found '', expected: identifier after ','".to_owned()),
                "," => {}
                other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
            }
        }
        Ok(Selector(requirements))
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == "!";
        if absent {
            self.next();
        }
        let key = self.next();
        if key.is_empty() || SYMBOLS.contains(&key.as_str()) {
            return Err(format!("unable to parse requirement: found '{key}', expected: identifier"));
        }
        if let Some(problem) = names::qualified_name(&key).first() {
            return Err(format!("unable to parse requirement: <nil>: Invalid value: {key:?}: {problem}"));
        }
        let operator = if absent { Operator::Absent } else { self.operator()? };
        Ok(Requirement { key, operator })
    }

    fn operator(&mut self) -> Result<Operator, String> {
        match self.peek() {
            "" | "," => return Ok(Operator::Exists),
            _ => {}
        }
        match self.next().as_str() {
            "=" | "==" => Ok(Operator::In(vec![self.value()?])),
            "!=" => Ok(Operator::NotIn(vec![self.value()?])),
            "in" => self.set().map(Operator::In),
            "notin" => self.set().map(Operator::NotIn),
            ">" => self.number().map(Operator::Greater),
            "<" => self.number().map(Operator::Less),
            other => {
                Err(format!("unable to parse requirement: found '{other}', expected: in, notin, =, ==, !=, gt, lt"))
            }
        }
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), "" | ",") {
            return Ok(String::new());
        }
        let value = self.next();
        if SYMBOLS.contains(&value.as_str()) {
            return Err(format!("unable to parse requirement: found '{value}', expected: identifier"));
        }
        match names::label_value(&value).first() {
            Some(problem) => {
                Err(format!("unable to parse requirement: values[0]: Invalid value: {value:?}: {problem}"))
            }
            None => Ok(value),
        }
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        match self.next().as_str() {
            "(" => {}
            other => return Err(format!("unable to parse requirement: found '{other}' expected: '('")),
        }
        let mut values = Vec::new();
        loop {
            match self.peek() {
                ")" => {
                    self.next();
                    return Ok(values);
                }
                "," => {
                    self.next();
                }
                "" => return Err("unable to parse requirement: found '', expected: ',' or ')'".to_owned()),
                _ => values.push(self.value()?),
            }
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let text = self.next();
        text.parse()
            .map_err(|_| format!("unable to parse requirement: values[0]: Invalid value: {text:?}: for 'Gt', 'Lt' operators, the value must be an integer"))
    }
}

/// Validates labels.
pub fn validate(labels: &Labels, path: &Path, errors: &mut Errors) {
    for (key, value) in labels {
        for problem in names::qualified_name(key) {
            errors.invalid(path, key, &problem);
        }
        for problem in names::label_value(value) {
            errors.invalid(path, value, &problem);
        }
    }
}

/// Validates a label selector.
pub fn validate_selector(selector: &LabelSelector, path: &Path, errors: &mut Errors) {
    validate(&selector.match_labels, &path.child("matchLabels"), errors);
    for (index, expression) in selector.match_expressions.iter().enumerate() {
        let path = path.child("matchExpressions").index(index);
        match expression.operator.as_str() {
            "In" | "NotIn" if expression.values.is_empty() => {
                errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !expression.values.is_empty() => {
                errors.forbidden(
                    &path.child("values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(&path.child("operator"), &other, "not a valid selector operator"),
        }
        errors.named(&path.child("key"), &expression.key, names::qualified_name);
        for (index, value) in expression.values.iter().enumerate() {
            errors.named(&path.child("values").index(index), value, names::label_value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        text.split(',').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn text_selectors_match_as_in_kubernetes() {
        for (selector, object, expected) in [
            ("", "a=b", true),
            ("app=kubia", "app=kubia,x=y", true),
            ("app==kubia", "app=other", false),
            ("app!=kubia", "x=y", true),
            ("app in (a, kubia)", "app=kubia", true),
            ("app notin (a)", "app=a", false),
            ("app notin (a)", "b=a", true),
            ("app", "app=", true),
            ("!app", "app=", false),
            ("n>3", "n=4", true),
            ("n<3", "n=x", false),
            ("app in (kubia,x),hash", "app=kubia", false),
        ] {
            assert_eq!(Selector::parse(selector).unwrap().matches(&labels(object)), expected, "{selector} on {object}");
        }
    }

    #[test]
    fn bad_selectors_are_refused_in_kubernetes_words() {
        assert_eq!(Selector::parse("a=b=c").unwrap_err(), "found '=', expected: ',' or 'end of string'");
        assert_eq!(
            Selector::parse("a b c").unwrap_err(),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"
        );
        for bad in ["=b", "a in", "a in (b", "a,", "a>x", "a=-"] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_text_form_reads_back() {
        for text in ["app=kubia,deployment=d1", "a in (b,c)", "!a", "a,b!=c", "n>3"] {
            assert_eq!(Selector::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn no_selector_matches_nothing_and_an_empty_one_everything() {
        assert!(Selector::from_label_selector(None).is_none());
        assert!(Selector::from_label_selector(Some(&LabelSelector::default())).unwrap().is_everything());
    }
}
