//! Parses the path of a URL. Pure functions.

use squall_api::Kind;

use crate::request::{Kinds, ResourceRef, Served, Subresource};

/// The target of a path.
#[derive(Debug, Clone)]
pub enum Target {
    /// An object, a subresource or a collection.
    Objects(ResourceRef),
    /// A question about the caller.
    Review(Review),
}

/// The questions about callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Review {
    /// `SelfSubjectAccessReview`: may I?
    Access,
    /// `SelfSubjectRulesReview`: what may I?
    Rules,
    /// `SelfSubjectReview`: who am I?
    Subject,
    /// `SubjectAccessReview`: may they?
    AccessOfOthers,
    /// `LocalSubjectAccessReview`: may they, in this namespace?
    LocalAccess(String),
    /// `TokenReview`: whose token is it?
    Token,
}

/// Parses a path. Returns `None` if it names nothing.
#[must_use]
pub fn parse(path: &str, kinds: &impl Kinds) -> Option<Target> {
    let parts: Vec<String> = path.strip_prefix('/')?.split('/').map(decoded).collect::<Option<_>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    if let Some(review) = review(group, version, rest) {
        return Some(Target::Review(review));
    }
    let (namespace, rest) = match rest {
        // "namespaces" is itself a collection: at most a subresource follows its objects.
        ["namespaces", namespace, plural, more @ ..]
            if !namespace.is_empty() && kinds.find(group, version, plural).is_some() =>
        {
            (*namespace, [&[*plural][..], more].concat())
        }
        rest => ("", rest.to_vec()),
    };
    let Served { kind, version } = kinds.find(group, version, rest.first()?)?;
    let (name, part) = match rest.get(1..)? {
        [] => ("", String::new()),
        [name] => (*name, String::new()),
        [name, part @ ..] => (*name, part.join("/")),
    };
    // An unknown part of a namespace is a collection in it that does not exist.
    let subresource = Subresource::parse(kind, version.as_deref(), &part);
    if kind == Kind::Namespace && !part.is_empty() && kind.parts().iter().all(|known| known.name != part) {
        return None;
    }
    let placed = match (kind.info().is_namespaced(), namespace, name) {
        (true, "", "") | (false, "", _) => true,
        (true, namespace, _) => !namespace.is_empty(),
        (false, _, _) => false,
    };
    // Only the path of a collection has no name, and it does not end in a slash.
    if !placed || (name.is_empty() && rest.len() > 1) {
        return None;
    }
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Some(Target::Objects(ResourceRef { kind, namespace, name, subresource, version }))
}

fn review(group: &str, version: &str, rest: &[&str]) -> Option<Review> {
    match (group, version, rest) {
        ("authorization.k8s.io", "v1", ["selfsubjectaccessreviews"]) => Some(Review::Access),
        ("authorization.k8s.io", "v1", ["selfsubjectrulesreviews"]) => Some(Review::Rules),
        ("authorization.k8s.io", "v1", ["subjectaccessreviews"]) => Some(Review::AccessOfOthers),
        ("authorization.k8s.io", "v1", ["namespaces", namespace, "localsubjectaccessreviews"]) => {
            Some(Review::LocalAccess((*namespace).to_owned()))
        }
        ("authentication.k8s.io", "v1", ["selfsubjectreviews"]) => Some(Review::Subject),
        ("authentication.k8s.io", "v1", ["tokenreviews"]) => Some(Review::Token),
        _ => None,
    }
}

/// Decodes the percent-encoding of a path segment. Returns `None` if it is not UTF-8.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            bytes.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(subresource: &Subresource) -> String {
        match subresource {
            Subresource::Proxy(path) if !path.is_empty() => format!("proxy/{path}"),
            other => other.as_str().to_owned(),
        }
    }

    fn named(path: &str) -> Option<String> {
        match parse(path, &crate::request::BuiltIn)? {
            Target::Objects(r) => {
                Some(format!("{} {:?} {:?} {:?}", r.kind.info().kind, r.namespace, r.name, part(&r.subresource)))
            }
            Target::Review(review) => Some(format!("{review:?}")),
        }
    }

    #[test]
    fn paths_name_objects_collections_and_parts() {
        for (path, expected) in [
            ("/api/v1/pods", "Pod \"\" \"\" \"\""),
            ("/api/v1/namespaces/default/pods", "Pod \"default\" \"\" \"\""),
            ("/api/v1/namespaces/default/pods/x%2Dy", "Pod \"default\" \"x-y\" \"\""),
            ("/api/v1/namespaces/default/pods/x/log", "Pod \"default\" \"x\" \"log\""),
            ("/api/v1/namespaces/default/pods/x:80/proxy/a/b", "Pod \"default\" \"x:80\" \"proxy/a/b\""),
            ("/api/v1/namespaces", "Namespace \"\" \"\" \"\""),
            ("/api/v1/namespaces/default", "Namespace \"\" \"default\" \"\""),
            ("/api/v1/namespaces/default/finalize", "Namespace \"\" \"default\" \"finalize\""),
            ("/api/v1/nodes/node-0/status", "Node \"\" \"node-0\" \"status\""),
            ("/apis/apps/v1/namespaces/a/deployments/b/scale", "Deployment \"a\" \"b\" \"scale\""),
            ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "Access"),
        ] {
            assert_eq!(named(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "",
            "/",
            "/x",
            "/api/v2/pods",
            "/api/v1/deployments",
            "/apis/apps/v1/nosuch",
            "/api/v1/namespaces/default/nodes",
            "/api/v1/namespaces/default/limitranges",
            "/api/v1/pods/x",
            "/api/v1/namespaces/default/pods//log",
            "/api/v1/namespaces//pods",
            "/api/v1/pods/%ff",
            "/api/v1/pods%",
        ] {
            assert_eq!(named(path), None, "{path}");
        }
    }
}
