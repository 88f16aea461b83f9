//! The roles: who has them, and what they permit.

use super::action::{Action, Target, Verb};
use squall_daemon::identity::Caller;

/// Stands for all groups, resources or verbs.
const ANY: &str = "*";

/// Who has a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Members {
    /// The members of a group.
    Group(&'static str),
    /// One user.
    User(&'static str),
    /// Kubelets.
    Nodes,
}

/// Some verbs on some resources.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The verbs.
    pub verbs: &'static [Verb],
    /// The groups, "" for the core group, "*" for all.
    pub groups: &'static [&'static str],
    /// The resources, with their subresources: "pods", "pods/log"; "*" for all resources without subresources.
    pub resources: &'static [&'static str],
    /// Resources that "*" leaves out.
    pub except: &'static [&'static str],
}

/// What some callers may do.
#[derive(Debug)]
pub struct Role {
    /// Its name.
    pub name: &'static str,
    members: Members,
    /// On objects.
    pub rules: &'static [Rule],
    /// Paths that may be read; one that ends in "*" stands for all that begin so.
    pub paths: &'static [&'static str],
}

const READ: &[Verb] = &[Verb::Get, Verb::List, Verb::Watch];
const KEEP: &[Verb] = &[Verb::Get, Verb::List, Verb::Watch, Verb::Update, Verb::Patch, Verb::Delete];
const CHANGE: &[Verb] = &[Verb::Get, Verb::Update, Verb::Patch];
const CREATE: &[Verb] = &[Verb::Create];

const fn rule(verbs: &'static [Verb], groups: &'static [&'static str], resources: &'static [&'static str]) -> Rule {
    Rule { verbs, groups, resources, except: &[] }
}

/// Every role.
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
            // The garbage collector and the namespace controller look after every kind.
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
            // Only what a pod bound to it reads from: see `handlers::read`.
            rule(&[Verb::Get], &[""], &["configmaps", "secrets"]),
            // Only the node itself, the pods bound to it and its Lease: see `admission::node`.
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
    /// Whether a caller has it.
    #[must_use]
    pub fn has(&self, caller: &Caller) -> bool {
        match self.members {
            Members::Group(group) => caller.is_in(group),
            Members::User(user) => caller.user() == user,
            Members::Nodes => caller.node().is_some(),
        }
    }

    /// Whether it lets one do this.
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
