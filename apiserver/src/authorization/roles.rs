//! The roles: their members and what they permit.

use super::action::{Action, Target, Verb};
use squall_daemon::identity::Caller;

/// Matches every API group or resource.
const ANY: &str = "*";

/// The members of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Members {
    /// Everyone in a group.
    Group(&'static str),
    /// One user.
    User(&'static str),
    /// Kubelets.
    Nodes,
}

/// Verbs that are permitted on some resources.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Permitted operations.
    pub verbs: &'static [Verb],
    /// API groups: "" is the core group, "*" matches all.
    pub groups: &'static [&'static str],
    /// Resources and subresources, such as "pods" or "pods/log"; "*" matches all resources without subresources.
    pub resources: &'static [&'static str],
    /// Resources that "*" excludes.
    pub except: &'static [&'static str],
}

/// The permissions of a set of callers.
#[derive(Debug)]
pub struct Role {
    /// Shown as the reason when a review allows an action.
    pub name: &'static str,
    members: Members,
    /// Permissions on objects.
    pub rules: &'static [Rule],
    /// Non-resource paths that members may read; a trailing "*" matches any suffix.
    pub paths: &'static [&'static str],
}

const READ: &[Verb] = &[Verb::Get, Verb::List, Verb::Watch];
const KEEP: &[Verb] = &[Verb::Get, Verb::List, Verb::Watch, Verb::Update, Verb::Patch, Verb::Delete];
const CHANGE: &[Verb] = &[Verb::Get, Verb::Update, Verb::Patch];
const CREATE: &[Verb] = &[Verb::Create];

const fn rule(verbs: &'static [Verb], groups: &'static [&'static str], resources: &'static [&'static str]) -> Rule {
    Rule { verbs, groups, resources, except: &[] }
}

/// All roles. The first one that permits an action applies.
pub const ROLES: [Role; 6] = [
    Role {
        name: "admin",
        members: Members::Group("system:masters"),
        rules: &[rule(&Verb::ALL, &[ANY], &[ANY, "*/*"])],
        paths: &["*"],
    },
    Role {
        name: "controller-manager",
        members: Members::User("system:kube-controller-manager"),
        rules: &[
            // The garbage collector and the namespace controller manage every kind.
            rule(KEEP, &[ANY], &[ANY]),
            rule(&[Verb::DeleteCollection], &[ANY], &[ANY]),
            rule(CHANGE, &[ANY], &["*/status", "*/scale", "*/finalize"]),
            rule(CREATE, &[""], &["pods", "pods/binding", "pods/eviction", "endpoints", "events"]),
            rule(CREATE, &[""], &["serviceaccounts", "configmaps"]),
            rule(
                CREATE,
                &["apps", "discovery.k8s.io", "coordination.k8s.io"],
                &["replicasets", "endpointslices", "leases"],
            ),
        ],
        paths: &[],
    },
    Role {
        name: "node",
        members: Members::Nodes,
        rules: &[
            rule(READ, &["", "discovery.k8s.io"], &["services", "endpoints", "endpointslices", "nodes", "pods"]),
            // `handlers::read` restricts this to what a pod bound to the node reads from.
            rule(&[Verb::Get], &[""], &["configmaps", "secrets"]),
            // `admission::node` restricts these to the node itself, the pods bound to it and its Lease.
            rule(&[Verb::Create, Verb::Update, Verb::Patch], &[""], &["nodes"]),
            rule(CHANGE, &[""], &["nodes/status", "pods/status"]),
            rule(&[Verb::Delete], &[""], &["pods"]),
            rule(&[Verb::Create, Verb::Patch, Verb::Update], &[""], &["events"]),
            rule(&[Verb::Get, Verb::Create, Verb::Update, Verb::Patch], &["coordination.k8s.io"], &["leases"]),
        ],
        paths: &[],
    },
    Role {
        name: "view",
        members: Members::Group("squall:viewers"),
        rules: &[
            Rule { verbs: READ, groups: &[ANY], resources: &[ANY], except: &["secrets"] },
            rule(&[Verb::Get], &[ANY], &["*/status", "*/scale", "pods/log"]),
        ],
        paths: &["/metrics"],
    },
    Role {
        name: "discovery",
        members: Members::Group("system:authenticated"),
        rules: &[rule(
            CREATE,
            &["authorization.k8s.io", "authentication.k8s.io"],
            &["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"],
        )],
        paths: &["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version", "/healthz*", "/livez*", "/readyz*"],
    },
    Role {
        name: "public",
        members: Members::Group("system:unauthenticated"),
        rules: &[],
        paths: &["/version", "/healthz*", "/livez*", "/readyz*"],
    },
];

impl Role {
    /// Whether the caller is a member.
    #[must_use]
    pub fn has(&self, caller: &Caller) -> bool {
        match self.members {
            Members::Group(group) => caller.is_in(group),
            Members::User(user) => caller.user() == user,
            Members::Nodes => caller.node().is_some(),
        }
    }

    /// Whether the role permits the action.
    #[must_use]
    pub fn permits(&self, action: &Action<'_>) -> bool {
        match action.target {
            Target::Path(path) => action.verb == Verb::Get && self.paths.iter().any(|rule| path_matches(rule, path)),
            Target::Resource { group, resource, subresource, .. } => {
                self.rules.iter().any(|rule| rule.permits(action.verb, group, resource, subresource))
            }
        }
    }
}

impl Rule {
    fn permits(&self, verb: Verb, group: &str, resource: &str, subresource: &str) -> bool {
        self.verbs.contains(&verb)
            && self.groups.iter().any(|allowed| *allowed == ANY || *allowed == group)
            && !self.except.contains(&resource)
            && self.resources.iter().any(|allowed| {
                let (parent, part) = allowed.split_once('/').unwrap_or((allowed, ""));
                (parent == ANY || parent == resource)
                    && (part == subresource || (part == ANY && !subresource.is_empty()))
            })
    }
}

fn path_matches(rule: &str, path: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == rule,
    }
}
