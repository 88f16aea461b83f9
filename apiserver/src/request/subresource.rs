//! The parts of an object that have a path of their own.

use squall_api::Kind;
use squall_api::kinds::Version;

/// A part of an object, or the object itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Subresource {
    /// The object itself, or a collection.
    #[default]
    Whole,
    /// The observed state.
    Status,
    /// The number of replicas, as a Scale.
    Scale,
    /// The binding of a pod to a node.
    Binding,
    /// The eviction of a pod.
    Eviction,
    /// The finalizers of a namespace.
    Finalize,
    /// A token of a service account.
    Token,
    /// The log of a pod.
    Log,
    /// A path that a pod or a service serves, without its leading slash.
    Proxy(String),
    /// A part that the kind does not have. Every verb refuses it.
    Unknown(String),
}

impl Subresource {
    /// Reads the part of a path or a request; an empty text is the object itself.
    #[must_use]
    pub fn parse(kind: Kind, version: Option<&Version>, text: &str) -> Self {
        match (kind, text) {
            (_, "") => Self::Whole,
            (Kind::Custom(_), "status") if version.is_some_and(Version::has_status) => Self::Status,
            (Kind::Custom(_), "scale") if version.is_some_and(|version| version.scale().is_some()) => Self::Scale,
            (kind, "status") if kind.has_part("status") => Self::Status,
            (kind, "scale") if kind.has_part("scale") => Self::Scale,
            (Kind::Pod, "binding") => Self::Binding,
            (Kind::Pod, "eviction") => Self::Eviction,
            (Kind::Pod, "log") => Self::Log,
            (Kind::Namespace, "finalize") => Self::Finalize,
            (Kind::ServiceAccount, "token") => Self::Token,
            (Kind::Pod | Kind::Service, text) => match text.strip_prefix("proxy") {
                Some("") => Self::Proxy(String::new()),
                Some(rest) if rest.starts_with('/') => Self::Proxy(rest.trim_start_matches('/').to_owned()),
                Some(_) | None => Self::Unknown(text.to_owned()),
            },
            (_, text) => Self::Unknown(text.to_owned()),
        }
    }

    /// Whether it is the object itself.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Its name in rules, errors and field ownership; empty for the object itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Whole => "",
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Binding => "binding",
            Self::Eviction => "eviction",
            Self::Finalize => "finalize",
            Self::Token => "token",
            Self::Log => "log",
            Self::Proxy(_) => "proxy",
            Self::Unknown(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_kind_is_known_by_its_name() {
        for kind in Kind::ALL {
            for part in kind.parts() {
                let parsed = Subresource::parse(*kind, None, part.name);
                assert!(!matches!(parsed, Subresource::Unknown(_)), "{kind:?} {}", part.name);
                assert_eq!(parsed.as_str(), part.name);
            }
        }
    }

    #[test]
    fn a_part_of_another_kind_is_unknown() {
        for (kind, text) in [
            (Kind::Node, "log"),
            (Kind::Pod, "finalize"),
            (Kind::Pod, "proxyx"),
            (Kind::Node, "proxy"),
            (Kind::Secret, "status"),
            (Kind::ConfigMap, "scale"),
            (Kind::Pod, "scale"),
        ] {
            assert_eq!(Subresource::parse(kind, None, text), Subresource::Unknown(text.to_owned()));
        }
        assert_eq!(Subresource::parse(Kind::Pod, None, "proxy/a/b"), Subresource::Proxy("a/b".to_owned()));
        assert!(Subresource::parse(Kind::Pod, None, "").is_whole());
    }
}
