//! The rules of roles: what they permit, and which of them others cover (Kubernetes: `component-helpers/auth/rbac`).

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use squall_proto::rbac::v1::PolicyRule;

/// Matches every verb, group, resource or path.
pub const ALL: &str = "*";
/// How many single permissions of a role are compared with others: ten times those of the largest roles that there are.
const MOST: usize = 10_000;
/// How many comparisons of single permissions with words of rules a request may cost.
const WORK: usize = 20_000_000;

/// The object, or the path, that a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// An object, a part of one, or a collection.
    Resource {
        /// API group; empty for the core group.
        group: &'a str,
        /// Plural name: `deployments`.
        resource: &'a str,
        /// Part: `scale`; empty for the object itself.
        part: &'a str,
        /// Name of the object; empty for collections.
        name: &'a str,
    },
    /// A path that is no resource.
    Path(&'a str),
}

/// Whether a rule permits a verb on a request.
#[must_use]
pub fn permits(rule: &PolicyRule, verb: &str, request: Request<'_>) -> bool {
    let has = |list: &[String], word: &str| list.iter().any(|item| item == ALL || item == word);
    if !has(&rule.verbs, verb) {
        return false;
    }
    match request {
        Request::Path(path) => rule.non_resource_urls.iter().any(|pattern| covers_path(pattern, path)),
        Request::Resource { group, resource, part, name } => {
            has(&rule.api_groups, group)
                && rule.resources.iter().any(|pattern| covers_resource(pattern, resource, part))
                && (rule.resource_names.is_empty() || rule.resource_names.iter().any(|allowed| allowed == name))
        }
    }
}

fn covers_resource(pattern: &str, resource: &str, part: &str) -> bool {
    match pattern.split_once('/') {
        None => pattern == ALL || (pattern == resource && part.is_empty()),
        Some((of, part_of)) => !part.is_empty() && part_of == part && (of == ALL || of == resource),
    }
}

/// Whether a pattern, which may end in `*`, covers a path or another pattern.
fn covers_path(pattern: &str, path: &str) -> bool {
    pattern == path || (pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*')))
}

/// Breaks a rule down into rules with one verb on one resource, name or path. `None` if they are too many.
#[must_use]
pub fn break_down(rules: &[PolicyRule]) -> Option<Vec<PolicyRule>> {
    let size = |rule: &PolicyRule| {
        let objects = rule.api_groups.len().saturating_mul(rule.resources.len());
        let objects = objects.saturating_mul(rule.resource_names.len().max(1));
        rule.verbs.len().saturating_mul(objects.saturating_add(rule.non_resource_urls.len()))
    };
    if rules.iter().fold(0, |sum: usize, rule| sum.saturating_add(size(rule))) > MOST {
        return None;
    }
    let mut single = Vec::new();
    for rule in rules {
        let one = |text: &String| vec![text.clone()];
        for verb in &rule.verbs {
            let of_verb = PolicyRule { verbs: one(verb), ..PolicyRule::default() };
            let urls = rule.non_resource_urls.iter();
            single.extend(urls.map(|url| PolicyRule { non_resource_urls: one(url), ..of_verb.clone() }));
            for group in &rule.api_groups {
                for resource in &rule.resources {
                    let of = PolicyRule { api_groups: one(group), resources: one(resource), ..of_verb.clone() };
                    let names = rule.resource_names.iter();
                    let named = names.map(|name| PolicyRule { resource_names: one(name), ..of.clone() });
                    single.extend(named);
                    if rule.resource_names.is_empty() {
                        single.push(of);
                    }
                }
            }
        }
    }
    Some(single)
}

/// Returns those of the single permissions that the owner's rules do not cover. `None` if too many are to be compared: each
/// single permission is compared with each word of the owner's rules.
#[must_use]
pub fn uncovered(owner: &[PolicyRule], single: Vec<PolicyRule>) -> Option<Vec<PolicyRule>> {
    let words = |rule: &PolicyRule| {
        let lists = [&rule.verbs, &rule.api_groups, &rule.resources, &rule.resource_names, &rule.non_resource_urls];
        lists.iter().fold(0, |sum: usize, list| sum.saturating_add(list.len()))
    };
    let held = owner.iter().fold(0, |sum: usize, rule| sum.saturating_add(words(rule)));
    if held.saturating_mul(single.len()) > WORK {
        return None;
    }
    Some(single.into_iter().filter(|wanted| !owner.iter().any(|held| covers(held, wanted))).collect())
}

/// Whether a rule covers another, which has one verb on one resource, name or path.
fn covers(held: &PolicyRule, wanted: &PolicyRule) -> bool {
    let has_all = |list: &[String], words: &[String]| {
        list.iter().any(|item| item == ALL) || words.iter().all(|word| list.contains(word))
    };
    let resources = wanted.resources.iter().all(|resource| {
        let any_part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        held.resources.iter().any(|item| item == ALL || item == resource || Some(item) == any_part.as_ref())
    });
    let names = held.resource_names.is_empty()
        || (!wanted.resource_names.is_empty()
            && wanted.resource_names.iter().all(|name| held.resource_names.contains(name)));
    let urls = wanted.non_resource_urls.iter();
    has_all(&held.verbs, &wanted.verbs)
        && has_all(&held.api_groups, &wanted.api_groups)
        && resources
        && names
        && urls.clone().all(|url| held.non_resource_urls.iter().any(|pattern| covers_path(pattern, url)))
}

/// Joins single permissions that differ in their verb alone.
#[must_use]
pub fn compact(single: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let mut joined: Vec<PolicyRule> = Vec::new();
    let (mut places, mut seen) = (HashMap::new(), HashSet::new());
    for rule in single {
        if !rule.non_resource_urls.is_empty() {
            joined.push(rule);
            continue;
        }
        let key = (rule.api_groups.clone(), rule.resources.clone(), rule.resource_names.clone());
        let place = *places.entry(key).or_insert_with(|| {
            joined.push(PolicyRule { verbs: Vec::new(), ..rule.clone() });
            joined.len().saturating_sub(1)
        });
        if let Some(found) = joined.get_mut(place) {
            found.verbs.extend(rule.verbs.into_iter().filter(|verb| seen.insert((place, verb.clone()))));
        }
    }
    joined
}

/// Writes a rule as Kubernetes does in its errors: `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get"]}`.
#[must_use]
pub fn text(rule: &PolicyRule) -> String {
    let parts = [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("ResourceNames", &rule.resource_names),
        ("Verbs", &rule.verbs),
    ];
    let mut text = String::new();
    for (name, words) in parts.iter().filter(|(_, words)| !words.is_empty()) {
        let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        write!(text, "{comma}{name}:[{}]", quoted.join(" ")).unwrap_or_default();
    }
    format!("{{{text}}}")
}

/// Returns the first resource of a rule with its group, as kubectl shows it: `deployments.apps/scale`.
#[must_use]
pub fn resource_text(rule: &PolicyRule) -> String {
    let Some(resource) = rule.resources.first() else { return String::new() };
    let (name, part) = resource.split_once('/').unwrap_or((resource, ""));
    let group = rule.api_groups.first().filter(|group| !group.is_empty());
    let group = group.map(|group| format!(".{group}")).unwrap_or_default();
    let part = if part.is_empty() { String::new() } else { format!("/{part}") };
    format!("{name}{group}{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &str, groups: &str, resources: &str, names: &str, urls: &str) -> PolicyRule {
        let words = |text: &str| -> Vec<String> {
            text.split(' ').filter(|word| !word.is_empty()).map(|word| word.replace('-', "")).collect()
        };
        PolicyRule {
            verbs: words(verbs),
            api_groups: words(groups),
            resources: words(resources),
            resource_names: words(names),
            non_resource_urls: words(urls),
        }
    }

    fn of<'a>(group: &'a str, resource: &'a str, name: &'a str) -> Request<'a> {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        Request::Resource { group, resource, part, name }
    }

    #[test]
    fn rules_permit_what_they_name() {
        let pods = rule("get", "-", "pods", "", "");
        assert!(permits(&pods, "get", of("", "pods", "a")) && permits(&pods, "get", of("", "pods", "")));
        for (verb, request) in [
            ("list", of("", "pods", "")),
            ("get", of("apps", "pods", "")),
            ("get", of("", "pods/log", "a")),
            ("get", of("", "services", "")),
            ("get", Request::Path("/pods")),
        ] {
            assert!(!permits(&pods, verb, request), "{verb} {request:?}");
        }
        let scales = rule("*", "*", "*/scale deployments/status", "a", "");
        assert!(permits(&scales, "update", of("x", "things/scale", "a")));
        assert!(permits(&scales, "get", of("apps", "deployments/status", "a")));
        assert!(!permits(&scales, "get", of("apps", "deployments", "a")));
        assert!(!permits(&scales, "get", of("apps", "deployments/scale", "b")), "another name");
        assert!(!permits(&scales, "list", of("apps", "deployments/scale", "")), "a collection has no name");
        let all = rule("*", "*", "*", "", "*");
        assert!(permits(&all, "use", of("x", "y/z", "")) && permits(&all, "get", Request::Path("/x")));
        let paths = rule("get", "", "", "", "/healthz /logs/*");
        assert!(permits(&paths, "get", Request::Path("/healthz")) && permits(&paths, "get", Request::Path("/logs/a")));
        assert!(
            !permits(&paths, "get", Request::Path("/healthz/x")) && !permits(&paths, "get", Request::Path("/logs"))
        );
    }

    #[test]
    fn uncovered_permissions_are_named() {
        let missing = |held: &[PolicyRule], wanted: PolicyRule| -> Vec<String> {
            compact(uncovered(held, break_down(&[wanted]).unwrap()).unwrap()).iter().map(text).collect()
        };
        let held = [
            rule("get list", "-", "pods pods/log", "", ""),
            rule("get", "apps", "*/scale", "a", ""),
            rule("get", "", "", "", "/healthz/*"),
        ];
        assert!(missing(&held, rule("get", "-", "pods", "x", "")).is_empty(), "a name of what is held as a whole");
        assert!(missing(&held, rule("get", "apps", "things/scale", "a", "")).is_empty());
        assert!(missing(&held, rule("get", "", "", "", "/healthz/ping")).is_empty());
        assert_eq!(
            missing(&held, rule("get watch delete", "-", "pods", "", "")),
            ["{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"watch\" \"delete\"]}"]
        );
        assert_eq!(
            missing(&held, rule("get", "apps", "things/scale", "", "")),
            ["{APIGroups:[\"apps\"], Resources:[\"things/scale\"], Verbs:[\"get\"]}"],
            "all names where one is held"
        );
        assert_eq!(missing(&held, rule("get", "", "", "", "/x")), ["{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}"]);
        assert!(missing(&[rule("*", "*", "*", "", "*")], rule("a", "b", "c/d", "e", "/f")).is_empty());
    }

    #[test]
    fn a_role_that_explodes_is_not_compared() {
        let words = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let (some, many) = (words(400), words(20_000));
        assert!(break_down(&[rule(&some, &some, &some, "", "")]).is_none());
        assert!(break_down(&[rule(&many, "", "", "", &many)]).is_none(), "paths too");
        let single = break_down(&[rule(&words(9_000), "-", "pods", "", "")]).unwrap();
        assert!(uncovered(&[rule("get", "-", "pods", &many, "")], single.clone()).is_none(), "nor with what is held");
        assert_eq!(compact(single)[0].verbs.len(), 9_000);
    }
}
