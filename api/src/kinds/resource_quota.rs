//! ResourceQuota: its rules and table columns.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use squall_proto::core::v1::{ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement};

use super::{Kind, KindInfo, Resource, Scope, StatusUpdate, pod_spec};
use crate::field::{Errors, Path};
use crate::quantity::{self, Quantity};
use crate::table::{Column, narrow};
use crate::warnings::Warnings;
use crate::{age, names};

impl Resource for ResourceQuota {
    const KIND: Kind = Kind::ResourceQuota;
    const INFO: KindInfo = KindInfo {
        kind: "ResourceQuota",
        group: "",
        version: "v1",
        plural: "resourcequotas",
        singular: "resourcequota",
        short_names: &["quota"],
        scope: Scope::Namespaced,
        message: "core.v1.ResourceQuota",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Request"), narrow("Limit"), narrow("Age")];

    fn validate(&self, errors: &mut Errors) {
        let spec = Path::new("spec");
        for (name, amount) in &self.spec.hard {
            validate_hard(name, amount, &spec.child("hard").key(name), errors);
        }
        validate_scopes(&self.spec, &spec.child("scopes"), errors);
        validate_scope_selector(&self.spec, &spec.child("scopeSelector"), errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        let (new, old) = (sorted(&self.spec.scopes), sorted(&old.spec.scopes));
        if new != old {
            errors.invalid(&Path::new("spec").child("scopes"), &self.spec.scopes, "field is immutable");
        }
    }

    fn prepare_create(&mut self) {
        self.status = Default::default();
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        StatusUpdate::Taken
    }

    fn warn(&self, old: Option<&Self>, warnings: &mut Warnings) {
        if old.is_none() {
            warn_of_requests(&self.spec.hard, warnings);
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in &self.status.hard {
            let used = self.status.used.get(resource).map_or("0", |used| &used.string);
            let list = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
            list.push(format!("{resource}: {used}/{}", hard.string));
        }
        vec![
            self.metadata.name.clone(),
            requests.join(", "),
            limits.join(", "),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}

/// The requests and limits of pods.
const COMPUTE: [&str; 9] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];
const SCOPES: [&str; 6] =
    ["BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating"];

fn validate_hard(name: &str, amount: &Quantity, path: &Path, errors: &mut Errors) {
    pod_spec::resource_name(name, path, errors);
    let is_standard = pod_spec::COUNTED.contains(&name)
        || COMPUTE.contains(&name)
        || name == "requests.storage"
        || ["hugepages-", "requests.hugepages-"].iter().any(|prefix| name.starts_with(prefix));
    if !name.contains('/') && !is_standard {
        errors.invalid(path, &name, "must be a standard resource for quota");
    }
    pod_spec::validate_amount(name, amount, path, errors);
}

/// Whether a scope fits a resource. Kubernetes: scopes select pods, so a scoped quota can limit only pods and their
/// resources. `BestEffort` pods request no resources, so only their number can be limited.
fn fits(scope: &str, resource: &str) -> bool {
    let is_pods = resource == "pods" || resource == "count/pods";
    match scope {
        "BestEffort" => is_pods,
        _ => is_pods || COMPUTE.contains(&resource),
    }
}

fn validate_scopes(spec: &ResourceQuotaSpec, path: &Path, errors: &mut Errors) {
    // Kubernetes reports the same error once.
    if spec.scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        errors.invalid(path, &spec.scopes, "unsupported scope");
    }
    let scopes: BTreeSet<&String> = spec.scopes.iter().filter(|scope| SCOPES.contains(&scope.as_str())).collect();
    let is_unfit = |scope: &&String| spec.hard.keys().any(|resource| !resource.contains('/') && !fits(scope, resource));
    if scopes.iter().any(is_unfit) {
        errors.invalid(path, &spec.scopes, "unsupported scope applied to resource");
    }
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| spec.scopes.iter().any(|other| other == scope)) {
            errors.invalid(path, &spec.scopes, "conflicting scopes");
        }
    }
}

fn validate_scope_selector(spec: &ResourceQuotaSpec, path: &Path, errors: &mut Errors) {
    let Some(selector) = &spec.scope_selector else { return };
    // Kubernetes names the list without an index here.
    let path = path.child("matchExpressions");
    for requirement in &selector.match_expressions {
        let scope = &requirement.scope_name;
        if !SCOPES.contains(&scope.as_str()) {
            errors.invalid(&path.child("scopeName"), scope, "unsupported scope");
        }
        if spec.hard.keys().any(|resource| !resource.contains('/') && !fits(scope, resource)) {
            errors.invalid(&path, selector, "unsupported scope applied to resource");
        }
        validate_operator(requirement, &path, errors);
    }
}

fn validate_operator(requirement: &ScopedResourceSelectorRequirement, path: &Path, errors: &mut Errors) {
    let ScopedResourceSelectorRequirement { scope_name, operator, values } = requirement;
    if scope_name != "PriorityClass" && operator != "Exists" {
        errors.invalid(
            &path.child("operator"),
            operator,
            "must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, \
             ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
             ResourceQuotaScopeCrossNamespacePodAffinity",
        );
    }
    let path_of_values = path.child("values");
    match operator.as_str() {
        "In" | "NotIn" if values.is_empty() => errors.required(
            &path_of_values,
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
        "Exists" | "DoesNotExist" if !values.is_empty() => errors.invalid(
            &path_of_values,
            values,
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.invalid(&path.child("operator"), operator, "not a valid selector operator"),
    }
}

fn sorted(scopes: &[String]) -> Vec<&String> {
    let mut sorted: Vec<&String> = scopes.iter().collect();
    sorted.sort();
    sorted
}

/// Warns about requests that may be more than the limits.
fn warn_of_requests(hard: &BTreeMap<String, Quantity>, warnings: &mut Warnings) {
    for resource in ["cpu", "memory", "storage", "ephemeral-storage"] {
        let (name, bare) = (format!("requests.{resource}"), ["cpu", "memory"].contains(&resource));
        let request = hard.get_key_value(&name).or_else(|| hard.get_key_value(resource).filter(|_| bare));
        let limit = hard.get_key_value(&format!("limits.{resource}"));
        if let (Some((request, most)), Some((limit, least))) = (request, limit)
            && quantity::parse(most) > quantity::parse(least)
        {
            let (most, least) = (&most.string, &least.string);
            warnings.say(format!("ResourceQuota {request} ({most}) should be less than {limit} ({least})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(hard: &[(&str, &str)], scopes: &[&str]) -> Vec<String> {
        let mut quota = ResourceQuota::default();
        let amount = |text: &str| Quantity { string: text.to_owned() };
        quota.spec.hard = hard.iter().map(|(name, text)| ((*name).to_owned(), amount(text))).collect();
        quota.spec.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let mut errors = Errors::default();
        quota.validate(&mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_quota_limits_what_can_be_counted() {
        let good =
            [("pods", "10"), ("count/deployments.apps", "3"), ("cpu", "500m"), ("requests.example.com/gpu", "1")];
        assert_eq!(problems(&good, &[]), Vec::<String>::new());
        assert_eq!(
            problems(&[("deployments", "1"), ("pods", "1500m"), ("services", "-1")], &[]),
            [
                r#"spec.hard[deployments]: Invalid value: "deployments": must be a standard resource type or fully qualified"#,
                r#"spec.hard[deployments]: Invalid value: "deployments": must be a standard resource for quota"#,
                r#"spec.hard[pods]: Invalid value: "1500m": must be an integer"#,
                r#"spec.hard[services]: Invalid value: "-1": must be greater than or equal to 0"#,
            ]
        );
    }

    #[test]
    fn scopes_fit_each_other_and_the_resources() {
        assert_eq!(problems(&[("pods", "1")], &["BestEffort", "Terminating"]), Vec::<String>::new());
        assert_eq!(
            problems(&[("pods", "1")], &["BestEffort", "NotBestEffort"]),
            [r#"spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes"#]
        );
        assert_eq!(
            problems(&[("cpu", "1")], &["BestEffort"]),
            [r#"spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource"#]
        );
        assert_eq!(problems(&[("pods", "1")], &["Odd"]), [r#"spec.scopes: Invalid value: ["Odd"]: unsupported scope"#]);
    }
}
