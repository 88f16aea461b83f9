//! A caller: a user and the user's groups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use x509_parser::prelude::{FromDer, X509Certificate};

const ANONYMOUS: &str = "system:anonymous";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const AUTHENTICATED: &str = "system:authenticated";
/// Members of this group may do everything.
const MASTERS: &str = "system:masters";
/// The user of an apiserver's certificate.
pub const MEMBER: &str = "kube-apiserver";
const NODES: &str = "system:nodes";
const NODE_PREFIX: &str = "system:node:";

/// The caller of a request. Clones share the names.
#[derive(Debug, Clone)]
pub struct Caller {
    inner: Arc<Names>,
    /// Set when an anonymous caller shows by a token who it is. Its connection may then stay.
    shown: Arc<AtomicBool>,
}

/// Two callers are the same if their names are.
impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Caller {}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    user: String,
    uid: String,
    groups: Vec<String>,
}

impl Default for Caller {
    /// Returns the anonymous caller.
    fn default() -> Self {
        Self::anonymous()
    }
}

impl Caller {
    fn of(user: &str, groups: Vec<String>) -> Self {
        let names = Names { user: user.to_owned(), uid: String::new(), groups };
        Self { inner: Arc::new(names), shown: Arc::default() }
    }

    /// Returns the same caller with a uid, which tells it from an earlier one of its name.
    #[must_use]
    pub fn with_uid(&self, uid: &str) -> Self {
        let names = Names { uid: uid.to_owned(), ..Names::clone(&self.inner) };
        Self { inner: Arc::new(names), shown: self.shown.clone() }
    }

    /// Notes that the anonymous caller of a connection has shown by a token who it is.
    pub fn has_shown_itself(&self) {
        self.shown.store(true, Ordering::Relaxed);
    }

    /// Whether it has.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }

    /// Creates an authenticated caller, who also belongs to `system:authenticated`.
    #[must_use]
    pub fn new(user: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().copied().chain([AUTHENTICATED]).map(str::to_owned).collect();
        Self::of(user, groups)
    }

    /// Creates the caller that a request stands in for. Kubernetes: the anonymous user is not authenticated.
    #[must_use]
    pub fn impersonated(user: &str, groups: &[&str]) -> Self {
        if user != ANONYMOUS {
            return Self::new(user, groups);
        }
        let groups = groups.iter().copied().chain([UNAUTHENTICATED]).map(str::to_owned).collect();
        Self::of(user, groups)
    }

    /// Creates the caller that a review asks about: in these groups, and in no others.
    #[must_use]
    pub fn reviewed(user: &str, groups: &[String]) -> Self {
        Self::of(user, groups.to_vec())
    }

    /// Creates the caller for a client without a certificate.
    #[must_use]
    pub fn anonymous() -> Self {
        let groups = vec![UNAUTHENTICATED.to_owned()];
        Self::of(ANONYMOUS, groups)
    }

    /// Creates the caller for the server itself, and for clients that it trusts like itself.
    #[must_use]
    pub fn server() -> Self {
        Self::new("system:apiserver", &[MASTERS])
    }

    /// Creates the caller for another member of an apiserver's group.
    #[must_use]
    pub fn member() -> Self {
        Self::new(MEMBER, &[MASTERS])
    }

    /// Returns the owner of a certificate that the TLS layer has verified. `None` if it names no user.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let user = subject.iter_common_name().next()?.as_str().ok()?;
        let groups: Vec<&str> = subject.iter_organization().filter_map(|name| name.as_str().ok()).collect();
        Some(Self::new(user, &groups))
    }

    /// Returns the user name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.inner.user
    }

    /// Returns the uid of a service account; empty for other users.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.inner.uid
    }

    /// Returns the user's groups, including `system:authenticated` or `system:unauthenticated`.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.inner.groups
    }

    /// Whether the user is in a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.inner.groups.iter().any(|other| other == group)
    }

    /// Whether the user is authenticated.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.is_in(AUTHENTICATED)
    }

    /// Whether the user may do everything.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.is_in(MASTERS)
    }

    /// Whether the caller is a member of an apiserver's group. An administrator is not.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.is_master() && self.user() == MEMBER
    }

    /// Returns the name of the node if the caller is a kubelet.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.user().strip_prefix(NODE_PREFIX).filter(|_| self.is_in(NODES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_is_known_by_its_group_and_its_name() {
        assert_eq!(Caller::new("system:node:node-1", &["system:nodes"]).node(), Some("node-1"));
        assert_eq!(Caller::new("system:node:node-1", &["others"]).node(), None);
        assert_eq!(Caller::new("node-1", &["system:nodes"]).node(), None);
    }

    #[test]
    fn a_member_is_an_apiserver_and_not_whoever_may_do_everything() {
        assert!(Caller::member().is_member());
        for (user, groups) in
            [("admin", &["system:masters"][..]), (MEMBER, &[]), ("system:apiserver", &["system:masters"])]
        {
            assert!(!Caller::new(user, groups).is_member(), "{user}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_nobody() {
        assert_eq!(Caller::of_certificate(b"nonsense"), None);
        assert!(!Caller::anonymous().is_known() && Caller::new("a", &[]).is_known());
    }
}
