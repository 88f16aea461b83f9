//! A requested action, and the error that refuses it.

use squall_api::Error;

/// Kubernetes' request verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read a collection.
    List,
    /// Watch the changes of a collection.
    Watch,
    /// Create an object.
    Create,
    /// Replace an object.
    Update,
    /// Change a part of an object.
    Patch,
    /// Remove an object.
    Delete,
    /// Remove the objects of a collection.
    DeleteCollection,
}

impl Verb {
    /// All verbs, as the admin role permits them.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::List,
        Self::Watch,
        Self::Create,
        Self::Update,
        Self::Patch,
        Self::Delete,
        Self::DeleteCollection,
    ];

    /// Returns the verb's name in the Kubernetes API, such as "deletecollection".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// The object or path that an action applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// An object, a subresource or a collection.
    Resource {
        /// API group such as "apps"; empty for the core group.
        group: &'a str,
        /// Plural name such as "deployments".
        resource: &'a str,
        /// Subresource such as "scale"; empty for the object itself.
        subresource: &'a str,
        /// Namespace; empty for all namespaces and for cluster-scoped kinds.
        namespace: &'a str,
        /// Object name; empty for collections.
        name: &'a str,
    },
    /// A path that is not an object, such as "/version".
    Path(&'a str),
}

/// A verb and its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action<'a> {
    /// The requested operation: one of [`Verb`], or another that a stored role may name, such as "bind".
    pub verb: &'a str,
    /// The target of the operation.
    pub target: Target<'a>,
}

impl Action<'_> {
    /// Returns Kubernetes' error for a refused action.
    #[must_use]
    pub fn forbidden(&self, user: &str) -> Error {
        let verb = self.verb;
        match self.target {
            Target::Path(path) => Error::refused("", "", "", &format!("User {user:?} cannot {verb} path {path:?}")),
            Target::Resource { group, resource, subresource, namespace, name } => {
                let full =
                    if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
                let place = match namespace {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {namespace:?}"),
                };
                let detail = format!("User {user:?} cannot {verb} resource {full:?} in API group {group:?} {place}");
                Error::refused(group, resource, name, &detail)
            }
        }
    }
}
