//! The target of a request.

use squall_api::Kind;
use squall_proto::squall::api::v1 as proto;

/// A reference to a collection, an object or a subresource.
#[derive(Debug, Clone)]
pub struct ResourceRef {
    /// The kind of the objects.
    pub kind: Kind,
    /// Empty for cluster-scoped kinds, and for all namespaces in lists and watches.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// "status", "scale", "binding" or empty.
    pub subresource: &'static str,
}

impl ResourceRef {
    /// Refers to a collection.
    #[must_use]
    pub fn collection(kind: Kind, namespace: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: String::new(), subresource: "" }
    }

    /// Refers to an object.
    #[must_use]
    pub fn object(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::collection(kind, namespace) }
    }

    /// Refers to a subresource of this object.
    #[must_use]
    pub fn part(self, subresource: &'static str) -> Self {
        Self { subresource, ..self }
    }

    /// Returns the path in the REST API, from the root.
    #[must_use]
    pub fn path(&self) -> String {
        let info = self.kind.info();
        let mut path = match info.group {
            "" => format!("/api/{}", info.version),
            group => format!("/apis/{group}/{}", info.version),
        };
        if !self.namespace.is_empty() {
            path.push_str(&format!("/namespaces/{}", self.namespace));
        }
        for part in [info.plural, &self.name, self.subresource].into_iter().filter(|part| !part.is_empty()) {
            path.push_str(&format!("/{part}"));
        }
        path
    }

    pub(crate) fn to_proto(&self) -> proto::Resource {
        let info = self.kind.info();
        proto::Resource {
            group: info.group.to_owned(),
            version: info.version.to_owned(),
            plural: info.plural.to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            subresource: self.subresource.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_rest_api() {
        let scale = ResourceRef::object(Kind::Deployment, "default", "kubia").part("scale");
        assert_eq!(scale.path(), "/apis/apps/v1/namespaces/default/deployments/kubia/scale");
        assert_eq!(ResourceRef::collection(Kind::Pod, "").path(), "/api/v1/pods");
        assert_eq!(ResourceRef::object(Kind::Node, "", "node-0").path(), "/api/v1/nodes/node-0");
    }
}
