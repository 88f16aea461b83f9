//! RoleBinding and ClusterRoleBinding: their rules and table columns.

use jiff::Timestamp;
use serde::Serialize;
use squall_proto::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};

use super::{Kind, KindInfo, Resource, Scope};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow, wide};
use crate::{age, names};

/// The API group of roles, bindings, users and groups.
const GROUP: &str = "rbac.authorization.k8s.io";
const SUBJECTS: [&str; 3] = ["ServiceAccount", "User", "Group"];
const COLUMNS: &[Column] =
    &[narrow("Name"), narrow("Role"), narrow("Age"), wide("Users"), wide("Groups"), wide("ServiceAccounts")];

impl Resource for RoleBinding {
    const KIND: Kind = Kind::RoleBinding;
    const INFO: KindInfo = KindInfo {
        kind: "RoleBinding",
        group: GROUP,
        version: "v1",
        plural: "rolebindings",
        singular: "rolebinding",
        short_names: &[],
        scope: Scope::Namespaced,
        message: "rbac.v1.RoleBinding",
        name_rule: names::path_segment,
        create_on_update: true,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = COLUMNS;

    fn set_defaults(&mut self) {
        set_defaults(&mut self.role_ref, &mut self.subjects);
    }

    fn validate(&self, errors: &mut Errors) {
        validate_role(&self.role_ref, &["Role", "ClusterRole"], errors);
        validate_subjects(&self.subjects, Scope::Namespaced, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        validate_same_role(&self.role_ref, &old.role_ref, errors);
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let age = age::since(&self.metadata.creation_timestamp, now);
        row(&self.metadata.name, &self.role_ref, age, &self.subjects)
    }
}

impl Resource for ClusterRoleBinding {
    const KIND: Kind = Kind::ClusterRoleBinding;
    const INFO: KindInfo = KindInfo {
        kind: "ClusterRoleBinding",
        group: GROUP,
        version: "v1",
        plural: "clusterrolebindings",
        singular: "clusterrolebinding",
        short_names: &[],
        scope: Scope::Cluster,
        message: "rbac.v1.ClusterRoleBinding",
        name_rule: names::path_segment,
        create_on_update: true,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = COLUMNS;

    fn set_defaults(&mut self) {
        set_defaults(&mut self.role_ref, &mut self.subjects);
    }

    fn validate(&self, errors: &mut Errors) {
        validate_role(&self.role_ref, &["ClusterRole"], errors);
        validate_subjects(&self.subjects, Scope::Cluster, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        validate_same_role(&self.role_ref, &old.role_ref, errors);
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let age = age::since(&self.metadata.creation_timestamp, now);
        row(&self.metadata.name, &self.role_ref, age, &self.subjects)
    }
}

fn set_defaults(role: &mut RoleRef, subjects: &mut [Subject]) {
    let people = subjects.iter_mut().filter(|subject| ["User", "Group"].contains(&subject.kind.as_str()));
    for group in people.map(|subject| &mut subject.api_group).chain([&mut role.api_group]) {
        if group.is_empty() {
            GROUP.clone_into(group);
        }
    }
}

fn validate_role(role: &RoleRef, kinds: &[&str], errors: &mut Errors) {
    let path = Path::new("roleRef");
    if role.api_group != GROUP {
        errors.not_supported(&path.child("apiGroup"), &role.api_group, &[GROUP]);
    }
    if !kinds.contains(&role.kind.as_str()) {
        errors.not_supported(&path.child("kind"), &role.kind, kinds);
    }
    if role.name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        errors.named(&path.child("name"), &role.name, names::path_segment);
    }
}

fn validate_subjects(subjects: &[Subject], scope: Scope, errors: &mut Errors) {
    for (index, subject) in subjects.iter().enumerate() {
        validate_subject(subject, scope, &Path::new("subjects").index(index), errors);
    }
}

fn validate_subject(subject: &Subject, scope: Scope, path: &Path, errors: &mut Errors) {
    if subject.name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    let group = path.child("apiGroup");
    match subject.kind.as_str() {
        "ServiceAccount" => {
            if !subject.name.is_empty() {
                errors.named(&path.child("name"), &subject.name, names::dns1123_subdomain);
            }
            if !subject.api_group.is_empty() {
                errors.not_supported(&group, &subject.api_group, &[""]);
            }
            if scope == Scope::Cluster && subject.namespace.is_empty() {
                errors.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" if subject.api_group != GROUP => errors.not_supported(&group, &subject.api_group, &[GROUP]),
        "User" | "Group" => {}
        kind => errors.not_supported(&path.child("kind"), &kind, &SUBJECTS),
    }
}

/// A role as Kubernetes writes it in an error: with the names of Go.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InGo<'a> {
    #[serde(rename = "APIGroup")]
    api_group: &'a str,
    kind: &'a str,
    name: &'a str,
}

fn validate_same_role(new: &RoleRef, old: &RoleRef, errors: &mut Errors) {
    if new != old {
        let value = InGo { api_group: &new.api_group, kind: &new.kind, name: &new.name };
        errors.invalid(&Path::new("roleRef"), &value, "cannot change roleRef");
    }
}

fn row(name: &str, role: &RoleRef, age: String, subjects: &[Subject]) -> Vec<String> {
    let of = |kind: &str| subjects.iter().filter(|subject| subject.kind == kind).collect::<Vec<_>>();
    let names = |kind: &str| of(kind).iter().map(|subject| subject.name.as_str()).collect::<Vec<_>>().join(", ");
    let account = |subject: &&Subject| format!("{}/{}", subject.namespace, subject.name);
    let accounts: Vec<String> = of("ServiceAccount").iter().map(account).collect();
    let role = format!("{}/{}", role.kind, role.name);
    vec![name.to_owned(), role, age, names("User"), names("Group"), accounts.join(", ")]
}
