//! What someone wants to do, and how a refusal reads.

use squall_api::Error;

/// Kubernetes' verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read a collection.
    List,
    /// Follow a collection.
    Watch,
    /// Make an object.
    Create,
    /// Store an object in the place of one.
    Update,
    /// Change a part of an object.
    Patch,
    /// Remove an object.
    Delete,
    /// Remove the objects of a collection.
    DeleteCollection,
}

impl Verb {
    /// Every verb.
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

    /// The word for it.
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

    /// The verb of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == word)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Objects.
    Resource {
        /// "apps"; empty for the core group.
        group: &'a str,
        /// "deployments".
        resource: &'a str,
        /// "scale"; empty for the object itself.
        subresource: &'a str,
        /// Empty for all namespaces, and for what has none.
        namespace: &'a str,
        /// Empty for collections.
        name: &'a str,
    },
    /// Something that is no object: "/version".
    Path(&'a str),
}

/// A verb and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action<'a> {
    /// The verb.
    pub verb: Verb,
    /// What it is about.
    pub target: Target<'a>,
}

impl Action<'_> {
    /// Kubernetes' words for a refusal.
    pub(super) fn forbidden(&self, user: &str) -> Error {
        let verb = self.verb.as_str();
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
