//! Security contexts.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use squall_proto::core::v1::{
    AppArmorProfile, PodSecurityContext, PodSpec, SeLinuxOptions, SeccompProfile, SecurityContext, Sysctl,
    WindowsSecurityContextOptions,
};

use super::annotations::{APP_ARMOR, SECCOMP_CONTAINER};
use super::{containers_of, paths, windows};
use crate::field::{Errors, Path};

const PROFILES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
const SYSCTL: &str = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
const MAX_SYSCTL: usize = 253;

/// Validates the context of a pod.
pub(super) fn validate_pod(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let Some(context) = &spec.security_context else { return };
    validate_ids(context, path, errors);
    if spec.share_process_namespace == Some(true) && spec.host_pid {
        let path = path.child("shareProcessNamespace");
        errors.invalid(&path, &true, "ShareProcessNamespace and HostPID cannot both be enabled");
    }
    validate_sysctls(&context.sysctls, spec, &path.child("sysctls"), errors);
    if let Some(policy) = &context.fs_group_change_policy {
        errors.one_of(&path.child("fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    }
    validate_profiles(
        context.seccomp_profile.as_ref(),
        context.windows_options.as_ref(),
        context.app_armor_profile.as_ref(),
        path,
        errors,
    );
    if let Some(policy) = &context.supplemental_groups_policy {
        errors.one_of(&path.child("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    }
    if let Some(policy) = &context.se_linux_change_policy {
        // Kubernetes: another policy needs a feature that is off.
        errors.one_of(&path.child("seLinuxChangePolicy"), policy, &["Recursive"]);
    }
}

fn validate_ids(context: &PodSecurityContext, path: &Path, errors: &mut Errors) {
    let ids = [("fsGroup", context.fs_group), ("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)];
    for (name, id) in ids {
        validate_id(id, &path.child(name), errors);
    }
    for (index, id) in context.supplemental_groups.iter().enumerate() {
        validate_id(Some(*id), &path.child("supplementalGroups").index(index), errors);
    }
}

fn validate_id(id: Option<i64>, path: &Path, errors: &mut Errors) {
    if let Some(id) = id {
        errors.in_range(path, id, 0..=i32::MAX.into());
    }
}

fn validate_profiles(
    seccomp: Option<&SeccompProfile>,
    windows: Option<&WindowsSecurityContextOptions>,
    app_armor: Option<&AppArmorProfile>,
    path: &Path,
    errors: &mut Errors,
) {
    if let Some(profile) = seccomp {
        validate_seccomp(profile, &path.child("seccompProfile"), errors);
    }
    if let Some(options) = windows {
        windows::validate_options(options, &path.child("windowsOptions"), errors);
    }
    if let Some(profile) = app_armor {
        validate_app_armor(profile, &path.child("appArmorProfile"), errors);
    }
}

fn validate_sysctls(sysctls: &[Sysctl], spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let path = path.index(index).child("name");
        let name = sysctl.name.as_str();
        let is_new = seen.insert(name);
        if name.is_empty() {
            errors.required(&path, "");
        } else if !is_sysctl(name) {
            let detail = format!("must have at most {MAX_SYSCTL} characters and match regex {SYSCTL}");
            errors.invalid(&path, &name, &detail);
        } else if !is_new {
            errors.duplicate(&path, &name);
        }
        let normal = name.replace('/', ".");
        if spec.host_network && normal.starts_with("net.") {
            errors.invalid(&path, &name, "may not be specified when 'hostNetwork' is true");
        } else if spec.host_ipc && is_of_ipc(&normal) {
            errors.invalid(&path, &name, "may not be specified when 'hostIPC' is true");
        }
    }
}

/// Parameters of the kernel's queues, semaphores and shared memory.
const IPC: [&str; 10] = [
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.shm",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.msg",
];

fn is_of_ipc(sysctl: &str) -> bool {
    IPC.contains(&sysctl) || sysctl.starts_with("fs.mqueue.")
}

fn is_sysctl(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_segment = |part: &str| {
        part.starts_with(edge) && part.ends_with(edge) && part.chars().all(|c| edge(c) || c == '-' || c == '_')
    };
    name.len() <= MAX_SYSCTL && name.split(['.', '/']).all(is_segment)
}

/// Validates the context of a container.
pub(super) fn validate(context: &SecurityContext, host_users: bool, path: &Path, errors: &mut Errors) {
    validate_id(context.run_as_user, &path.child("runAsUser"), errors);
    validate_id(context.run_as_group, &path.child("runAsGroup"), errors);
    if let Some(mount) = context.proc_mount.as_deref() {
        let path = path.child("procMount");
        errors.one_of(&path, mount, &["Default", "Unmasked"]);
        if host_users && mount == "Unmasked" {
            errors.invalid(&path, &mount, "`hostUsers` must be false to use `Unmasked`");
        }
    }
    if let Some(profile) = &context.seccomp_profile {
        validate_seccomp(profile, &path.child("seccompProfile"), errors);
    }
    if context.allow_privilege_escalation == Some(false) {
        validate_escalation(context, path, errors);
    }
    validate_profiles(None, context.windows_options.as_ref(), context.app_armor_profile.as_ref(), path, errors);
}

fn validate_escalation(context: &SecurityContext, path: &Path, errors: &mut Errors) {
    if context.privileged == Some(true) {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.invalid(path, &Printed::of(context), detail);
    }
    let added = context.capabilities.iter().flat_map(|capabilities| &capabilities.add);
    if added.into_iter().any(|capability| capability == "CAP_SYS_ADMIN") {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        errors.invalid(path, &Printed::of(context), detail);
    }
}

fn validate_seccomp(profile: &SeccompProfile, path: &Path, errors: &mut Errors) {
    if profile.r#type.is_empty() {
        errors.required(&path.child("type"), "type is required when seccompProfile is set");
    } else {
        errors.one_of(&path.child("type"), &profile.r#type, &PROFILES);
    }
    let path = path.child("localhostProfile");
    match (profile.r#type.as_str(), profile.localhost_profile.as_deref()) {
        ("Localhost", None) => errors.required(&path, "must be set when seccomp type is Localhost"),
        ("Localhost", Some(file)) => paths::descending(file, &path, errors),
        (_, Some(_)) => {
            let printed = PrintedProfile::of(profile);
            errors.invalid(&path, &printed, "can only be set when seccomp type is Localhost");
        }
        (_, None) => {}
    }
}

fn validate_app_armor(profile: &AppArmorProfile, path: &Path, errors: &mut Errors) {
    let (kind, file) = (path.child("type"), path.child("localhostProfile"));
    match (profile.r#type.as_str(), profile.localhost_profile.as_deref()) {
        ("Localhost", None | Some("")) => errors.required(&file, "must be set when AppArmor type is Localhost"),
        ("Localhost", Some(name)) => {
            if name.trim() != name {
                errors.invalid(&file, &name, "must not be padded with whitespace");
            }
            if name.len() > 4_095 {
                errors.too_long(&file, "may not be more than 4095 bytes");
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(name)) => {
            errors.invalid(&file, &name, "can only be set when AppArmor type is Localhost");
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errors.required(&kind, "type is required when appArmorProfile is set"),
        (other, _) => errors.not_supported(&kind, &other, &PROFILES),
    }
}

/// A pod with users of its own shares no other namespace with its node.
pub(super) fn validate_host_users(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if spec.host_users != Some(false) {
        return;
    }
    for (name, shared) in [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)] {
        if shared {
            errors.forbidden(&path.child(name), "when `hostUsers` is false");
        }
    }
    for (container, path) in containers_of(spec, path) {
        if !container.volume_devices.is_empty() {
            errors.forbidden(&path.child("volumeDevices"), "when `hostUsers` is false");
        }
    }
}

/// Annotations that say the same as a field must say the same.
pub(super) fn validate_annotated(
    annotations: &BTreeMap<String, String>,
    spec: &PodSpec,
    path: &Path,
    errors: &mut Errors,
) {
    let context = spec.security_context.as_ref();
    if let Some(profile) = context.and_then(|context| context.seccomp_profile.as_ref())
        && let Some(text) = annotations.get("seccomp.security.alpha.kubernetes.io/pod")
    {
        let allowed = ["runtime/default", "docker/default"];
        let path = path.child("securityContext").child("seccompProfile");
        validate_same(
            ("seccomp", text),
            &profile.r#type,
            profile.localhost_profile.as_deref(),
            &allowed,
            &path,
            errors,
        );
    }
    for (container, path) in containers_of(spec, path) {
        let path = path.child("securityContext");
        let own = container.security_context.as_ref();
        let profile = own.and_then(|context| context.seccomp_profile.as_ref());
        let text = annotations.get(&format!("{SECCOMP_CONTAINER}{}", container.name));
        if let (Some(profile), Some(text)) = (profile, text) {
            let (kind, file) = (&profile.r#type, profile.localhost_profile.as_deref());
            let allowed = ["runtime/default", "docker/default"];
            validate_same(("seccomp", text), kind, file, &allowed, &path.child("seccompProfile"), errors);
        }
        let inherited = context.and_then(|context| context.app_armor_profile.as_ref());
        let profile = own.and_then(|context| context.app_armor_profile.as_ref()).or(inherited);
        let text = annotations.get(&format!("{APP_ARMOR}{}", container.name));
        if let (Some(profile), Some(text)) = (profile, text)
            && spec.os.as_ref().is_none_or(|os| os.name != "windows")
        {
            let (kind, file) = (&profile.r#type, profile.localhost_profile.as_deref());
            let path = path.child("appArmorProfile");
            validate_same(("apparmor", text), kind, file, &["runtime/default"], &path, errors);
        }
    }
}

fn validate_same(
    (what, annotation): (&str, &str),
    kind: &str,
    file: Option<&str>,
    default: &[&str],
    path: &Path,
    errors: &mut Errors,
) {
    let localhost = annotation.strip_prefix("localhost/");
    let is_same_kind = match kind {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => default.contains(&annotation),
        "Localhost" => localhost.is_some(),
        _ => return,
    };
    if !is_same_kind {
        errors.forbidden(&path.child("type"), &format!("{what} type in annotation and field must match"));
    } else if kind == "Localhost" && localhost != file {
        let path = path.child("localhostProfile");
        errors.forbidden(&path, &format!("{what} profile in annotation and field must match"));
    }
}

/// A profile as Kubernetes prints it in messages.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PrintedProfile<'a> {
    r#type: &'a str,
    localhost_profile: Option<&'a str>,
}

impl<'a> PrintedProfile<'a> {
    fn of(profile: &'a SeccompProfile) -> Self {
        Self { r#type: &profile.r#type, localhost_profile: profile.localhost_profile.as_deref() }
    }
}

/// A context as Kubernetes prints it in messages.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed<'a> {
    capabilities: Option<PrintedCapabilities<'a>>,
    privileged: Option<bool>,
    #[serde(rename = "SELinuxOptions")]
    se_linux_options: Option<PrintedSeLinux<'a>>,
    windows_options: Option<windows::Printed<'a>>,
    run_as_user: Option<i64>,
    run_as_group: Option<i64>,
    run_as_non_root: Option<bool>,
    read_only_root_filesystem: Option<bool>,
    allow_privilege_escalation: Option<bool>,
    proc_mount: Option<&'a str>,
    seccomp_profile: Option<PrintedProfile<'a>>,
    app_armor_profile: Option<PrintedProfile<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PrintedCapabilities<'a> {
    add: Option<&'a [String]>,
    drop: Option<&'a [String]>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PrintedSeLinux<'a> {
    user: &'a str,
    role: &'a str,
    r#type: &'a str,
    level: &'a str,
}

impl<'a> Printed<'a> {
    fn of(context: &'a SecurityContext) -> Self {
        let list = |names: &'a [String]| (!names.is_empty()).then_some(names);
        let profile = |profile: &'a AppArmorProfile| PrintedProfile {
            r#type: &profile.r#type,
            localhost_profile: profile.localhost_profile.as_deref(),
        };
        let se_linux = |SeLinuxOptions { user, role, r#type, level }: &'a SeLinuxOptions| PrintedSeLinux {
            user,
            role,
            r#type,
            level,
        };
        Self {
            capabilities: context
                .capabilities
                .as_ref()
                .map(|c| PrintedCapabilities { add: list(&c.add), drop: list(&c.drop) }),
            privileged: context.privileged,
            se_linux_options: context.se_linux_options.as_ref().map(se_linux),
            windows_options: context.windows_options.as_ref().map(windows::Printed::of),
            run_as_user: context.run_as_user,
            run_as_group: context.run_as_group,
            run_as_non_root: context.run_as_non_root,
            read_only_root_filesystem: context.read_only_root_filesystem,
            allow_privilege_escalation: context.allow_privilege_escalation,
            proc_mount: context.proc_mount.as_deref(),
            seccomp_profile: context.seccomp_profile.as_ref().map(PrintedProfile::of),
            app_armor_profile: context.app_armor_profile.as_ref().map(profile),
        }
    }
}
