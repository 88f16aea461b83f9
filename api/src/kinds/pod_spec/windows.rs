//! The operating system of a pod, and the options of Windows.

use serde::Serialize;
use squall_proto::core::v1::{PodSecurityContext, PodSpec, SecurityContext, WindowsSecurityContextOptions};

use super::containers_of;
use crate::field::{Errors, Path};
use crate::names::dns1123_subdomain;

const MAX_CREDENTIAL_KIB: usize = 64;
const MAX_DOMAIN: usize = 256;
const MAX_USER: usize = 104;
const FORBIDDEN: &str = "cannot be set for a windows pod";

/// Options as Kubernetes prints them in messages.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Printed<'a> {
    #[serde(rename = "GMSACredentialSpecName")]
    credential_name: Option<&'a str>,
    #[serde(rename = "GMSACredentialSpec")]
    credential: Option<&'a str>,
    run_as_user_name: Option<&'a str>,
    host_process: Option<bool>,
}

impl<'a> Printed<'a> {
    pub(super) fn of(options: &'a WindowsSecurityContextOptions) -> Self {
        Self {
            credential_name: options.gmsa_credential_spec_name.as_deref(),
            credential: options.gmsa_credential_spec.as_deref(),
            run_as_user_name: options.run_as_user_name.as_deref(),
            host_process: options.host_process,
        }
    }
}

pub(super) fn validate_options(options: &WindowsSecurityContextOptions, path: &Path, errors: &mut Errors) {
    if let Some(name) = &options.gmsa_credential_spec_name {
        errors.named(&path.child("gmsaCredentialSpecName"), name, dns1123_subdomain);
    }
    if let Some(text) = &options.gmsa_credential_spec {
        let path = path.child("gmsaCredentialSpec");
        if text.is_empty() {
            errors.invalid(&path, text, "gmsaCredentialSpec cannot be an empty string");
        } else if text.len() > MAX_CREDENTIAL_KIB << 10 {
            let detail = format!("gmsaCredentialSpec size must be under {MAX_CREDENTIAL_KIB} KiB");
            errors.invalid(&path, text, &detail);
        }
    }
    if let Some(name) = &options.run_as_user_name {
        for problem in user_problems(name) {
            errors.invalid(&path.child("runAsUserName"), name, &format!("runAsUserName{problem}"));
        }
    }
}

fn user_problems(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec![" cannot be an empty string".to_owned()];
    }
    if name.contains(|c: char| c.is_ascii_control()) {
        return vec![" cannot contain control characters".to_owned()];
    }
    if name.matches('\\').count() > 1 {
        return vec![" cannot contain more than one backslash".to_owned()];
    }
    let (domain, user) = name.split_once('\\').map_or((None, name), |(domain, user)| (Some(domain), user));
    let mut problems = Vec::new();
    if let Some(domain) = domain {
        if domain.len() >= MAX_DOMAIN {
            problems.push(format!("'s Domain length must be under {MAX_DOMAIN} characters"));
        }
        if !is_netbios(domain) && !is_dns(domain) {
            problems.push("'s Domain doesn't match the NetBios nor the DNS format".to_owned());
        }
    }
    if user.is_empty() {
        problems.push("'s User cannot be empty".to_owned());
    } else if user.len() > MAX_USER {
        problems.push(format!("'s User length must not be longer than {MAX_USER} characters"));
    }
    if !user.is_empty() && user.chars().all(|c| c == '.' || c == ' ') {
        problems.push("'s User cannot contain only periods or spaces".to_owned());
    }
    if user.contains(|c| "\"/\\:;|=,+*?<>@[]".contains(c)) {
        problems.push("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]".to_owned());
    }
    problems
}

fn is_netbios(domain: &str) -> bool {
    (1..=15).contains(&domain.chars().count())
        && !domain.starts_with('.')
        && !domain.contains(|c| "\\/:*?\"<>|".contains(c))
}

fn is_dns(domain: &str) -> bool {
    domain.split('.').all(|label| {
        label.len() <= 63
            && label.starts_with(|c: char| c.is_ascii_alphanumeric())
            && label.ends_with(|c: char| c.is_ascii_alphanumeric())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}

/// If one container is a process of its node, all are, in its network.
pub(super) fn validate_host_process(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let of_pod = spec.security_context.as_ref().and_then(|c| c.windows_options.as_ref()?.host_process);
    let (mut count, mut on_host) = (0_usize, 0_usize);
    for (container, path) in containers_of(spec, path) {
        let own = container.security_context.as_ref().and_then(|c| c.windows_options.as_ref()?.host_process);
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let path = path.child("securityContext").child("windowsOptions").child("hostProcess");
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            errors.invalid(&path, &own, &detail);
        }
        count = count.saturating_add(1);
        on_host = on_host.saturating_add(usize::from(own.or(of_pod) == Some(true)));
    }
    if on_host == 0 {
        return;
    }
    if on_host != count {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.invalid(path, &"", detail);
    }
    if !spec.host_network {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.invalid(&path.child("hostNetwork"), &false, detail);
    }
}

pub(super) fn validate_os(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let Some(os) = &spec.os else { return };
    match os.name.as_str() {
        "" => errors.required(&path.child("os").child("name"), ""),
        "linux" => validate_linux(spec, path, errors),
        "windows" => validate_windows(spec, path, errors),
        other => errors.not_supported(&path.child("os"), &other, &["linux", "windows"]),
    }
}

fn validate_linux(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let detail = "windows options cannot be set for a linux pod";
    if spec.security_context.as_ref().is_some_and(|context| context.windows_options.is_some()) {
        errors.forbidden(&path.child("securityContext").child("windowsOptions"), detail);
    }
    for (container, path) in containers_of(spec, path) {
        if container.security_context.as_ref().is_some_and(|context| context.windows_options.is_some()) {
            errors.forbidden(&path.child("securityContext").child("windowsOptions"), detail);
        }
    }
}

fn validate_windows(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if let Some(context) = &spec.security_context {
        forbid_in_pod(spec, context, path, errors);
    }
    for (container, path) in containers_of(spec, path) {
        if let Some(context) = &container.security_context {
            forbid_in_container(context, &path.child("securityContext"), errors);
        }
    }
}

fn forbid_in_pod(spec: &PodSpec, context: &PodSecurityContext, path: &Path, errors: &mut Errors) {
    let inner = path.child("securityContext");
    let given = [
        (&inner, "appArmorProfile", context.app_armor_profile.is_some()),
        (&inner, "seLinuxOptions", context.se_linux_options.is_some()),
        (path, "hostUsers", spec.host_users.is_some()),
        (path, "hostPID", spec.host_pid),
        (path, "hostIPC", spec.host_ipc),
        (&inner, "seccompProfile", context.seccomp_profile.is_some()),
        (&inner, "fsGroup", context.fs_group.is_some()),
        (&inner, "fsGroupChangePolicy", context.fs_group_change_policy.is_some()),
        (&inner, "sysctls", !context.sysctls.is_empty()),
        (path, "shareProcessNamespace", spec.share_process_namespace.is_some()),
        (&inner, "runAsUser", context.run_as_user.is_some()),
        (&inner, "runAsGroup", context.run_as_group.is_some()),
        (&inner, "supplementalGroups", !context.supplemental_groups.is_empty()),
        (&inner, "supplementalGroupsPolicy", context.supplemental_groups_policy.is_some()),
        (&inner, "seLinuxChangePolicy", context.se_linux_change_policy.is_some()),
    ];
    for (path, name, _) in given.into_iter().filter(|(_, _, given)| *given) {
        errors.forbidden(&path.child(name), FORBIDDEN);
    }
}

fn forbid_in_container(context: &SecurityContext, path: &Path, errors: &mut Errors) {
    let given = [
        ("appArmorProfile", context.app_armor_profile.is_some()),
        ("seLinuxOptions", context.se_linux_options.is_some()),
        ("seccompProfile", context.seccomp_profile.is_some()),
        ("capabilities", context.capabilities.is_some()),
        ("readOnlyRootFilesystem", context.read_only_root_filesystem.is_some()),
        ("privileged", context.privileged.is_some()),
        ("allowPrivilegeEscalation", context.allow_privilege_escalation.is_some()),
        ("procMount", context.proc_mount.is_some()),
        ("runAsUser", context.run_as_user.is_some()),
        ("runAsGroup", context.run_as_group.is_some()),
    ];
    for (name, _) in given.into_iter().filter(|(_, given)| *given) {
        errors.forbidden(&path.child(name), FORBIDDEN);
    }
}
