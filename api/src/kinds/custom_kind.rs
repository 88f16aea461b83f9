//! Kinds that users define, as values of the same type as the built-in ones.
//!
//! A custom kind is known by its group, version, names and scope. There is one value for each such combination in a
//! process, so that a kind stays a small thing to copy and compare. It says nothing about the schema, which changes:
//! see `definition`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{LazyLock, RwLock};

use super::{KindInfo, Scope};
use crate::names;

/// The most custom kinds that a process knows in its life. Each takes a few hundred bytes for good.
const MOST: usize = 65_536;

/// A custom kind.
#[derive(Clone, Copy)]
pub struct CustomKind(&'static KindInfo);

/// The identity of a custom kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomName {
    /// The API group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The kind in a manifest.
    pub kind: String,
    /// The plural in paths.
    pub plural: String,
    /// The singular in output.
    pub singular: String,
    /// Whether objects live in a namespace.
    pub is_namespaced: bool,
}

static KNOWN: LazyLock<RwLock<BTreeMap<CustomName, CustomKind>>> = LazyLock::new(RwLock::default);

impl CustomKind {
    /// Returns the kind of this name; `None` if this process knows too many kinds.
    #[must_use]
    pub fn of(name: &CustomName) -> Option<Self> {
        if let Some(known) = KNOWN.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(name) {
            return Some(*known);
        }
        let mut known = KNOWN.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() >= MOST {
            return None;
        }
        Some(*known.entry(name.clone()).or_insert_with(|| Self(Box::leak(Box::new(info(name))))))
    }

    /// Returns the fixed properties of the kind.
    #[must_use]
    pub const fn info(self) -> &'static KindInfo {
        self.0
    }

    fn identity(self) -> (&'static str, &'static str, &'static str, &'static str, &'static str, bool) {
        let KindInfo { group, plural, version, kind, singular, .. } = *self.0;
        (group, plural, version, kind, singular, self.0.is_namespaced())
    }
}

fn info(name: &CustomName) -> KindInfo {
    let kept = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    KindInfo {
        kind: kept(&name.kind),
        group: kept(&name.group),
        version: kept(&name.version),
        plural: kept(&name.plural),
        singular: kept(&name.singular),
        short_names: &[],
        scope: if name.is_namespaced { Scope::Namespaced } else { Scope::Cluster },
        message: "squall.api.v1.CustomObject",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    }
}

impl fmt::Debug for CustomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind)
    }
}

impl PartialEq for CustomKind {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for CustomKind {}

impl std::hash::Hash for CustomKind {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for CustomKind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CustomKind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.identity().cmp(&other.identity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one_kind() {
        let name = CustomName {
            group: "example.com".to_owned(),
            version: "v1".to_owned(),
            kind: "Widget".to_owned(),
            plural: "widgets".to_owned(),
            singular: "widget".to_owned(),
            is_namespaced: true,
        };
        let kind = CustomKind::of(&name).unwrap();
        assert_eq!(CustomKind::of(&name).unwrap(), kind);
        let other = CustomKind::of(&CustomName { version: "v2".to_owned(), ..name }).unwrap();
        assert!(other != kind && kind < other);
        assert_eq!(
            (kind.info().api_version().as_str(), kind.info().plural_group().as_str()),
            ("example.com/v1", "widgets.example.com")
        );
    }
}
