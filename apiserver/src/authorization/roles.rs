//! The roles: their members and what they permit.

use squall_api::Kind;
use squall_api::rbac::v1::PolicyRule;
use squall_daemon::identity::Caller;

use super::action::{Action, Target, Verb};

/// Matches every API group or resource.
const ANY: &str = "*";
/// Matches the API groups of users: those of no built-in kind, with a dot in their names.
const CUSTOM: &str = "*.*";

fn is_custom(group: &str) -> bool {
    group.contains('.') && Kind::ALL.iter().all(|kind| kind.info().group != group)
}

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

/// Verbs that are permitted on some resources. Apart from the administrator's, a rule names each resource and each part: a
/// pattern with exceptions once let viewers read secrets by way of a part.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Permitted operations.
    pub verbs: &'static [Verb],
    /// The API group: "" is the core group, "*" matches all.
    pub group: &'static str,
    /// Resources and subresources, such as "pods" or "pods/log"; "*" matches all resources, and "*/*" all their parts.
    pub resources: &'static [&'static str],
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
const KEEP: &[Verb] =
    &[Verb::Get, Verb::List, Verb::Watch, Verb::Update, Verb::Patch, Verb::Delete, Verb::DeleteCollection];
const CHANGE: &[Verb] = &[Verb::Get, Verb::Update, Verb::Patch];
const CREATE: &[Verb] = &[Verb::Create];

const fn rule(verbs: &'static [Verb], group: &'static str, resources: &'static [&'static str]) -> Rule {
    Rule { verbs, group, resources }
}

/// The resources of the core group that every viewer sees: all but secrets.
const CORE: &[&str] = &[
    "configmaps",
    "endpoints",
    "events",
    "namespaces",
    "nodes",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "serviceaccounts",
    "services",
];
/// The parts of these that only show what the objects show too.
const CORE_PARTS: &[&str] = &[
    "namespaces/status",
    "nodes/status",
    "pods/status",
    "replicationcontrollers/scale",
    "replicationcontrollers/status",
    "resourcequotas/status",
    "services/status",
];
const APPS: &[&str] = &["deployments", "replicasets"];
const APPS_PARTS: &[&str] = &["deployments/scale", "deployments/status", "replicasets/scale", "replicasets/status"];
const LEASES: &[&str] = &["leases"];
const SLICES: &[&str] = &["endpointslices"];
const BUDGETS: &[&str] = &["poddisruptionbudgets"];
const ACCESS: &[&str] = &["roles", "rolebindings", "clusterroles", "clusterrolebindings"];
const BUDGETS_PARTS: &[&str] = &["poddisruptionbudgets/status"];

const EXTENSIONS: &str = "apiextensions.k8s.io";
const DEFINITIONS: &[&str] = &["customresourcedefinitions"];
const DEFINITIONS_PARTS: &[&str] = &["customresourcedefinitions/status"];
const COORDINATION: &str = "coordination.k8s.io";
const DISCOVERY: &str = "discovery.k8s.io";

/// All roles. The first one that permits an action applies.
pub const ROLES: [Role; 6] = [
    Role {
        name: "admin",
        members: Members::Group("system:masters"),
        rules: &[rule(&Verb::ALL, ANY, &[ANY, "*/*"])],
        paths: &["*"],
    },
    Role {
        name: "controller-manager",
        members: Members::User("system:kube-controller-manager"),
        rules: &[
            // The garbage collector and the namespace controller manage every kind.
            rule(KEEP, "", CORE),
            rule(KEEP, "apps", APPS),
            rule(KEEP, COORDINATION, LEASES),
            rule(KEEP, DISCOVERY, SLICES),
            rule(KEEP, "policy", BUDGETS),
            rule(KEEP, "rbac.authorization.k8s.io", ACCESS),
            rule(KEEP, EXTENSIONS, DEFINITIONS),
            rule(CHANGE, EXTENSIONS, DEFINITIONS_PARTS),
            // So it does with kinds that users define.
            rule(KEEP, CUSTOM, &[ANY]),
            // Secrets too: they have owners, and go with their namespace.
            rule(KEEP, "", &["secrets"]),
            rule(CHANGE, "", CORE_PARTS),
            rule(CHANGE, "apps", APPS_PARTS),
            rule(CHANGE, "policy", BUDGETS_PARTS),
            rule(&[Verb::Update], "", &["namespaces/finalize"]),
            rule(CREATE, "", &["pods", "pods/binding", "pods/eviction", "endpoints", "events"]),
            rule(CREATE, "", &["serviceaccounts", "configmaps"]),
            rule(CREATE, "apps", &["replicasets"]),
            rule(CREATE, DISCOVERY, SLICES),
            rule(CREATE, COORDINATION, LEASES),
        ],
        paths: &[],
    },
    Role {
        name: "node",
        members: Members::Nodes,
        rules: &[
            rule(READ, "", &["services", "endpoints", "nodes", "pods"]),
            rule(READ, DISCOVERY, SLICES),
            // `handlers::read` restricts this to what a pod bound to the node reads from.
            rule(&[Verb::Get], "", &["configmaps", "secrets"]),
            // `admission::node` restricts these to the node itself, the pods bound to it and its Lease.
            rule(&[Verb::Create, Verb::Update, Verb::Patch], "", &["nodes"]),
            rule(CHANGE, "", &["nodes/status", "pods/status"]),
            rule(&[Verb::Delete], "", &["pods"]),
            rule(&[Verb::Create, Verb::Patch, Verb::Update], "", &["events"]),
            rule(&[Verb::Get, Verb::Create, Verb::Update, Verb::Patch], COORDINATION, LEASES),
        ],
        paths: &[],
    },
    Role {
        name: "view",
        members: Members::Group("squall:viewers"),
        rules: &[
            rule(READ, "", CORE),
            rule(READ, "apps", APPS),
            rule(READ, COORDINATION, LEASES),
            rule(READ, DISCOVERY, SLICES),
            rule(READ, "policy", BUDGETS),
            rule(READ, EXTENSIONS, DEFINITIONS),
            rule(&[Verb::Get], EXTENSIONS, DEFINITIONS_PARTS),
            rule(&[Verb::Get], "", CORE_PARTS),
            rule(&[Verb::Get], "apps", APPS_PARTS),
            rule(&[Verb::Get], "policy", BUDGETS_PARTS),
            rule(&[Verb::Get], "", &["pods/log"]),
        ],
        paths: &["/metrics"],
    },
    Role {
        name: "discovery",
        members: Members::Group("system:authenticated"),
        rules: &[
            rule(CREATE, "authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
            rule(CREATE, "authentication.k8s.io", &["selfsubjectreviews"]),
        ],
        paths: &["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version", "/healthz*", "/livez*", "/readyz*"],
    },
    Role {
        name: "public",
        members: Members::Group("system:unauthenticated"),
        rules: &[],
        paths: &["/version", "/healthz*", "/livez*", "/readyz*"],
    },
];

/// Returns the rules that a caller has by the fixed roles, in the form of stored ones.
pub fn own_rules(caller: &Caller) -> Vec<PolicyRule> {
    rules_of(ROLES.iter().filter(|role| role.has(caller)))
}

/// Returns those of these rules that the caller may give to others. A node has its rights for its own objects alone.
pub fn lendable_rules(caller: &Caller) -> Vec<PolicyRule> {
    rules_of(ROLES.iter().filter(|role| role.has(caller) && role.members != Members::Nodes))
}

fn rules_of<'a>(roles: impl Iterator<Item = &'a Role>) -> Vec<PolicyRule> {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let mut rules = Vec::new();
    for role in roles {
        // A stored role has no word for the groups of users.
        rules.extend(role.rules.iter().filter(|rule| rule.group != CUSTOM).map(|rule| PolicyRule {
            verbs: rule.words(),
            api_groups: texts(&[rule.group]),
            resources: texts(rule.resources),
            ..PolicyRule::default()
        }));
        if !role.paths.is_empty() {
            let non_resource_urls = texts(role.paths);
            rules.push(PolicyRule { verbs: texts(&["get"]), non_resource_urls, ..PolicyRule::default() });
        }
    }
    rules
}

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
            Target::Path(path) => {
                action.verb == Verb::Get.as_str() && self.paths.iter().any(|rule| path_matches(rule, path))
            }
            Target::Resource { group, resource, subresource, .. } => {
                self.rules.iter().any(|rule| rule.permits(action.verb, group, resource, subresource))
            }
        }
    }
}

impl Rule {
    /// The names of the verbs.
    fn words(&self) -> Vec<String> {
        if self.verbs.len() == Verb::ALL.len() {
            return vec![ANY.to_owned()];
        }
        self.verbs.iter().map(|verb| verb.as_str().to_owned()).collect()
    }

    fn permits(&self, verb: &str, group: &str, resource: &str, subresource: &str) -> bool {
        let verbs = || self.verbs.iter().any(|permitted| permitted.as_str() == verb);
        // An administrator may do what only stored roles have a name for, too. "*" asks for every verb.
        (self.verbs.len() == Verb::ALL.len() || verbs())
            && (self.group == ANY || self.group == group || (self.group == CUSTOM && is_custom(group)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;

    /// Every resource and every part that the API has, with its group.
    fn resources() -> Vec<(&'static str, String)> {
        let of = |kind: &Kind| {
            let info = kind.info();
            let parts = kind.parts().into_iter().map(|part| format!("{}/{}", info.plural, part.name));
            let all: Vec<String> = std::iter::once(info.plural.to_owned()).chain(parts).collect();
            all.into_iter().map(move |resource| (info.group, resource))
        };
        let mut all: Vec<_> = Kind::ALL.iter().flat_map(of).collect();
        // A kind of a user's own, for all of them.
        all.extend(["widgets", "widgets/scale", "widgets/status"].map(|name| ("example.com", name.to_owned())));
        all.sort();
        all
    }

    #[test]
    fn a_rule_names_resources_and_parts_that_there_are() {
        let known = resources();
        let reviews = ["authorization.k8s.io", "authentication.k8s.io"];
        for role in ROLES.iter().filter(|role| role.name != "admin") {
            for rule in role.rules.iter().filter(|rule| !reviews.contains(&rule.group) && rule.group != CUSTOM) {
                for resource in rule.resources {
                    assert!(known.contains(&(rule.group, (*resource).to_owned())), "{}: {resource}", role.name);
                }
            }
        }
    }

    /// For a reviewer: what each role may do with each resource and part. `UPDATE_EXPECT=1` rewrites it.
    #[test]
    fn every_permission_is_in_the_table() {
        let mut table = String::new();
        for role in &ROLES {
            table.push_str(&format!("{}\n", role.name));
            for (group, resource) in resources() {
                let (name, part) = resource.split_once('/').unwrap_or((&resource, ""));
                let permits =
                    |verb: &Verb| role.rules.iter().any(|rule| rule.permits(verb.as_str(), group, name, part));
                let verbs: Vec<&str> =
                    Verb::ALL.iter().filter(|verb| permits(verb)).map(|verb| verb.as_str()).collect();
                let group = if group.is_empty() { "core" } else { group };
                if !verbs.is_empty() {
                    table.push_str(&format!("  {group:<20} {resource:<30} {}\n", verbs.join(" ")));
                }
            }
            table.push_str(&format!("  paths: {}\n", role.paths.join(" ")));
        }
        expect_file!["permissions.txt"].assert_eq(&table);
    }

    #[test]
    fn nobody_sees_secrets_by_accident() {
        for role in &ROLES {
            for part in ["", "status", "scale", "log", "proxy", "finalize", "x"] {
                for verb in Verb::ALL {
                    let permitted = role.rules.iter().any(|rule| rule.permits(verb.as_str(), "", "secrets", part));
                    let expected = match role.name {
                        "admin" => true,
                        "controller-manager" => part.is_empty() && KEEP.contains(&verb),
                        "node" => part.is_empty() && verb == Verb::Get,
                        _ => false,
                    };
                    assert_eq!(permitted, expected, "{} {verb:?} secrets/{part}", role.name);
                }
            }
        }
    }
}
