//! Subresources: the parts of objects that have a path of their own.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{Kind, Object, StatusUpdate, Version};

/// A subresource of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The name in paths: `scale`.
    pub name: &'static str,
    /// The kind of the objects that are sent and returned.
    pub kind: &'static str,
    /// The group of that kind.
    pub group: &'static str,
    /// The verbs that the subresource supports.
    pub verbs: &'static [&'static str],
}

const CHANGE: &[&str] = &["get", "patch", "update"];

/// The names of all parts of all kinds.
static NAMES: LazyLock<BTreeSet<(Kind, &'static str)>> = LazyLock::new(|| {
    let names = |kind: &Kind| kind.parts().into_iter().map(|part| part.name).collect::<Vec<_>>();
    Kind::ALL.iter().flat_map(|kind| names(kind).into_iter().map(move |name| (*kind, name))).collect()
});

impl Kind {
    /// Whether the kind has a subresource of this name.
    #[must_use]
    pub fn has_part(self, name: &'static str) -> bool {
        NAMES.contains(&(self, name))
    }

    /// Returns the subresources of the kind, sorted by name.
    #[must_use]
    pub fn parts(self) -> Vec<Part> {
        let info = self.info();
        let own = |name, verbs| Part { name, kind: info.kind, group: info.group, verbs };
        let of = |name, kind, group, verbs| Part { name, kind, group, verbs };
        let mut parts = match self {
            Self::Pod => vec![
                of("binding", "Binding", "", &["create"]),
                of("eviction", "Eviction", "policy", &["create"]),
                own("log", &["get"]),
                of("proxy", "PodProxyOptions", "", &["create", "delete", "get", "patch", "update"]),
            ],
            Self::Service => {
                vec![of("proxy", "ServiceProxyOptions", "", &["create", "delete", "get", "patch", "update"])]
            }
            Self::Namespace => vec![own("finalize", &["update"])],
            Self::ServiceAccount => vec![of("token", "TokenRequest", "authentication.k8s.io", &["create"])],
            _ => Vec::new(),
        };
        let Ok(mut sample) = Object::decode(self, &[]) else { return parts };
        if sample.replicas_mut().is_some() {
            parts.push(of("scale", "Scale", "autoscaling", CHANGE));
        }
        if sample.clone().prepare_status_update(&sample) == StatusUpdate::Taken {
            parts.push(own("status", CHANGE));
        }
        parts.sort_by_key(|part| part.name);
        parts
    }
}

impl Version {
    /// Returns the subresources of a version of a custom kind, sorted by name.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let info = self.kind().info();
        let scale = Part { name: "scale", kind: "Scale", group: "autoscaling", verbs: CHANGE };
        let status = Part { name: "status", kind: info.kind, group: info.group, verbs: CHANGE };
        let parts = [(self.scale().is_some(), scale), (self.has_status(), status)];
        parts.into_iter().filter(|(has, _)| *has).map(|(_, part)| part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_follows_from_what_the_kind_can_do() {
        let names = |kind: Kind| kind.parts().iter().map(|part| part.name).collect::<Vec<_>>();
        assert_eq!(names(Kind::Deployment), ["scale", "status"]);
        assert_eq!(names(Kind::Pod), ["binding", "eviction", "log", "proxy", "status"]);
        assert_eq!(names(Kind::Namespace), ["finalize", "status"]);
        assert!(names(Kind::ConfigMap).is_empty());
        assert!(Kind::Pod.has_part("status") && !Kind::Secret.has_part("status") && !Kind::Pod.has_part("scale"));
    }
}
