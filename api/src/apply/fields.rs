//! A set of fields, and its JSON form (`FieldsV1`): `{"f:spec":{"f:replicas":{}}}`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    /// A field of an object, or a key of a map.
    Field(String),
    /// An element of a list, by its keys (JSON text).
    Key(String),
    /// An element of a list, by its value (JSON text).
    Value(String),
}

impl Element {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("f", name) => Some(Self::Field(name.to_owned())),
            ("k", keys) => Some(Self::Key(keys.to_owned())),
            ("v", value) => Some(Self::Value(value.to_owned())),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => format!("k:{keys}"),
            Self::Value(value) => format!("v:{value}"),
        }
    }

    /// Formats the step for a message: `.name`, `[name="a"]`, `[="a"]`.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Value(value) => format!("[={value}]"),
            Self::Key(keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let texts: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", texts.join(","))
            }
        }
    }
}

/// A set of fields of an object, as a tree of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The field at this place belongs to the set.
    pub(super) member: bool,
    pub(super) children: BTreeMap<Element, Self>,
}

impl Fields {
    /// Returns a set with only the place itself.
    pub(super) fn leaf() -> Self {
        Self { member: true, children: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    /// The set under a step; `None` if there is nothing in it.
    pub(super) fn child(&self, element: &Element) -> Option<&Self> {
        self.children.get(element).filter(|set| !set.is_empty())
    }

    /// Adds a set under a step; ignores an empty set.
    pub(super) fn put(&mut self, element: Element, set: Self) {
        if !set.is_empty() {
            let merged = self.children.remove(&element).unwrap_or_default().union(&set);
            self.children.insert(element, merged);
        }
    }

    /// Returns the fields that are in either set.
    pub(super) fn union(mut self, other: &Self) -> Self {
        self.member |= other.member;
        for (element, set) in &other.children {
            let merged = self.children.remove(element).unwrap_or_default().union(set);
            self.children.insert(element.clone(), merged);
        }
        self
    }

    /// Returns the fields that are not in the other set.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut left = Self { member: self.member && !other.member, children: BTreeMap::new() };
        for (element, set) in &self.children {
            let kept = other.children.get(element).map_or_else(|| set.clone(), |other| set.without(other));
            left.put(element.clone(), kept);
        }
        left
    }

    /// Returns the fields that are in both sets.
    pub(super) fn common(&self, other: &Self) -> Self {
        let mut both = Self { member: self.member && other.member, children: BTreeMap::new() };
        for (element, set) in &self.children {
            if let Some(other) = other.children.get(element) {
                both.put(element.clone(), set.common(other));
            }
        }
        both
    }

    /// Returns the paths of the fields, as messages name them: `.spec.replicas`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(&mut String::new(), &mut paths);
        paths
    }

    fn collect(&self, path: &mut String, paths: &mut Vec<String>) {
        if self.member {
            paths.push(path.clone());
        }
        for (element, set) in &self.children {
            let length = path.len();
            path.push_str(&element.shown());
            set.collect(path, paths);
            path.truncate(length);
        }
    }

    /// Parses the JSON form. Ignores unknown keys.
    pub(super) fn parse(value: &Value) -> Self {
        let mut set = Self::default();
        let Value::Object(fields) = value else { return set };
        for (key, value) in fields {
            if key == "." {
                set.member = true;
                continue;
            }
            let Some(element) = Element::parse(key) else { continue };
            let mut child = Self::parse(value);
            child.member |= child.children.is_empty();
            set.put(element, child);
        }
        set
    }

    /// Converts the set to its JSON form.
    pub(super) fn to_value(&self) -> Value {
        let mut fields = Map::new();
        if self.member && !self.children.is_empty() {
            fields.insert(".".to_owned(), Value::Object(Map::new()));
        }
        fields.extend(self.children.iter().map(|(element, set)| (element.text(), set.to_value())));
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_set_reads_back_and_names_its_fields() {
        let value = json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}, "f:finalizers": {"v:\"a\"": {}}},
            "f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}}}}});
        let set = Fields::parse(&value);
        assert_eq!(set.to_value(), value);
        assert_eq!(
            set.paths(),
            [
                ".metadata.finalizers[=\"a\"]",
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.containers[name=\"c\"]",
                ".spec.containers[name=\"c\"].image",
                ".spec.replicas"
            ]
        );
    }

    #[test]
    fn sets_are_added_and_taken_away() {
        let one = Fields::parse(&json!({"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}}));
        let other = Fields::parse(&json!({"f:b": {"f:d": {}}, "f:e": {}}));
        assert_eq!(one.without(&other), Fields::parse(&json!({"f:a": {}, "f:b": {"f:c": {}}})));
        assert_eq!(one.common(&other), Fields::parse(&json!({"f:b": {"f:d": {}}})));
        assert_eq!(one.clone().union(&other).without(&one), Fields::parse(&json!({"f:e": {}})));
        assert!(one.without(&one).is_empty());
    }
}
