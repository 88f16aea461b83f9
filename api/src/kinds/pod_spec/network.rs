//! Names and addresses that a pod's network gets.

use squall_proto::core::v1::{HostAlias, PodSpec};

use crate::addresses;
use crate::field::{Errors, Path};
use crate::names::{dns1123_subdomain, dns1123_subdomain_with_underscore};

/// Most servers, domains and characters of domains (Kubernetes: the bounds of Linux' libc).
const MAX_SERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_BYTES: usize = 2_048;

pub(super) fn validate_dns(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let config = spec.dns_config.as_ref();
    if spec.dns_policy == "None" {
        let Some(config) = config else {
            errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        };
        if config.nameservers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.required(&path.child("nameservers"), detail);
            return;
        }
    }
    let Some(config) = config else { return };
    let servers = path.child("nameservers");
    if config.nameservers.len() > MAX_SERVERS {
        let detail = format!("must not have more than {MAX_SERVERS} nameservers");
        errors.invalid(&servers, &config.nameservers, &detail);
    }
    for (index, server) in config.nameservers.iter().enumerate() {
        addresses::validate(server, &servers.index(index), errors);
    }
    validate_searches(&config.searches, &path.child("searches"), errors);
    for (index, option) in config.options.iter().enumerate() {
        if option.name.is_empty() {
            errors.required(&path.child("options").index(index), "must not be empty");
        }
    }
}

fn validate_searches(searches: &[String], path: &Path, errors: &mut Errors) {
    if searches.len() > MAX_SEARCHES {
        errors.invalid(path, &searches, &format!("must not have more than {MAX_SEARCHES} search paths"));
    }
    let bytes = searches.iter().map(|search| search.len().saturating_add(1)).fold(0_usize, usize::saturating_add);
    if bytes.saturating_sub(1) > MAX_SEARCH_BYTES {
        let detail =
            format!("must not have more than {MAX_SEARCH_BYTES} characters (including spaces) in the search list");
        errors.invalid(path, &searches, &detail);
    }
    for (index, search) in searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        errors.named(&path.index(index), search, dns1123_subdomain_with_underscore);
    }
}

pub(super) fn validate_host_aliases(aliases: &[HostAlias], path: &Path, errors: &mut Errors) {
    for (index, alias) in aliases.iter().enumerate() {
        let path = path.index(index);
        addresses::validate(&alias.ip, &path.child("ip"), errors);
        for (index, name) in alias.hostnames.iter().enumerate() {
            errors.named(&path.child("hostnames").index(index), name, dns1123_subdomain);
        }
    }
}

pub(super) fn validate_hostname_override(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let path = path.child("hostnameOverride");
    let Some(name) = &spec.hostname_override else { return };
    if spec.set_hostname_as_fqdn == Some(true) {
        errors.forbidden(&path, "may not be specified when setHostnameAsFQDN is true");
    }
    if spec.host_network {
        errors.forbidden(&path, "may not be specified when hostNetwork is true");
    }
    if name.len() > 64 {
        errors.too_long(&path, "may not be more than 64 bytes");
    }
    errors.named(&path, name, dns1123_subdomain);
}
