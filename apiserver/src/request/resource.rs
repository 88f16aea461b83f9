//! The collection or object that a request is about.

use std::sync::Arc;

use squall_api::decode::Expected;
use squall_api::kinds::Version;
use squall_api::{Error, Kind};
use squall_proto::squall::api::v1 as proto;

use super::{Served, Subresource};
use crate::keys;

/// The collection or object of a request.
#[derive(Debug, Clone)]
pub struct ResourceRef {
    /// Determines group, version and plural name.
    pub kind: Kind,
    /// Namespace; empty for cluster-scoped kinds and for all namespaces.
    pub namespace: String,
    /// Object name; empty for a collection.
    pub name: String,
    /// The part of the object.
    pub subresource: Subresource,
    /// The rules of a custom kind.
    pub version: Option<Arc<Version>>,
}

impl<'a> From<&'a ResourceRef> for Expected<'a> {
    fn from(resource: &'a ResourceRef) -> Self {
        Self { kind: resource.kind, version: resource.version.as_ref() }
    }
}

impl ResourceRef {
    /// An object as a whole.
    #[must_use]
    pub fn object(kind: Kind, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: Subresource::Whole,
            version: None,
        }
    }

    /// A collection; an empty namespace is all of them.
    #[must_use]
    pub fn collection(kind: Kind, namespace: &str) -> Self {
        Self::object(kind, namespace, "")
    }

    /// Another part of the same object.
    #[must_use]
    pub fn part(&self, subresource: Subresource) -> Self {
        Self { subresource, ..self.clone() }
    }

    /// Returns the kind with the rules of its version.
    #[must_use]
    pub fn served(&self) -> Served {
        Served { kind: self.kind, version: self.version.clone() }
    }

    /// Parses a request's resource, whose kind was found.
    pub fn parse(resource: proto::Resource, served: Option<Served>) -> Result<Self, Error> {
        let Served { kind, version } =
            served.ok_or_else(|| Error::bad_request("the server could not find the requested resource"))?;
        if !kind.info().is_namespaced() && !resource.namespace.is_empty() {
            return Err(Error::bad_request(format!("{} are not namespaced", kind.info().plural)));
        }
        let subresource = Subresource::parse(kind, version.as_deref(), &resource.subresource);
        Ok(Self { kind, namespace: resource.namespace, name: resource.name, subresource, version })
    }

    /// Returns the key of the object. Fails if the request names none.
    pub fn key(&self) -> Result<String, Error> {
        if self.name.is_empty() {
            return Err(Error::bad_request("the request names no object"));
        }
        if self.kind.info().is_namespaced() && self.namespace.is_empty() {
            return Err(Error::bad_request("an empty namespace may not be set when a resource name is provided"));
        }
        Ok(keys::object(self.kind, &self.namespace, &self.name))
    }

    /// Returns the error for a verb that this part does not have.
    #[must_use]
    pub fn refuses(&self, verb: &str) -> Error {
        Error::method_not_allowed(verb, &format!("{}/{}", self.kind.info().plural, self.subresource.as_str()))
    }
}
