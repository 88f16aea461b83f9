//! The containers of a pod or a template.

use std::collections::BTreeMap;

use squall_proto::core::v1::{Container, ContainerPort, ContainerState, ContainerStatus, EnvVar};
use squall_proto::resource::Quantity;

use super::layout::{Layout, moment};
use super::probe;
use crate::table::or_none;

/// Describes the containers. `indent` is the indentation of the heading: empty in a pod, two spaces in a template.
pub fn describe(
    layout: &mut Layout,
    label: &str,
    containers: &[Container],
    statuses: &[ContainerStatus],
    indent: &str,
) {
    let none = if containers.is_empty() { " <none>" } else { "" };
    layout.line(format_args!("{indent}{label}:{none}"));
    let name_indent = if indent.is_empty() { "  " } else { "   " };
    for container in containers {
        layout.line(format_args!("{name_indent}{}:", container.name));
        let status = statuses.iter().find(|status| status.name == container.name);
        describe_one(layout, container, status);
    }
}

fn describe_one(layout: &mut Layout, container: &Container, status: Option<&ContainerStatus>) {
    if let Some(status) = status {
        layout.field("    Container ID", &status.container_id);
    }
    layout.field("    Image", &container.image);
    if let Some(status) = status {
        layout.field("    Image ID", &status.image_id);
    }
    describe_ports(layout, "Port", &container.ports, |port| port.container_port);
    describe_ports(layout, "Host Port", &container.ports, |port| port.host_port);
    describe_words(layout, "Command", &container.command);
    describe_words(layout, "Args", &container.args);
    if let Some(status) = status {
        describe_status(layout, status);
    }
    describe_amounts(layout, "Limits", &container.resources.limits);
    describe_amounts(layout, "Requests", &container.resources.requests);
    for (label, asked) in [
        ("Liveness", &container.liveness_probe),
        ("Readiness", &container.readiness_probe),
        ("Startup", &container.startup_probe),
    ] {
        if let Some(asked) = asked {
            layout.field(&format!("    {label}"), probe::text(asked));
        }
    }
    describe_environment(layout, &container.env);
    describe_mounts(layout, container);
}

fn describe_ports(layout: &mut Layout, label: &str, ports: &[ContainerPort], number: impl Fn(&ContainerPort) -> i32) {
    let text = |port: &ContainerPort| match port.name.as_str() {
        "" => format!("{}/{}", number(port), port.protocol),
        name => format!("{}/{} ({name})", number(port), port.protocol),
    };
    let plural = if ports.len() > 1 { "s" } else { "" };
    let texts: Vec<String> = ports.iter().map(text).collect();
    layout.field(&format!("    {label}{plural}"), or_none(&texts.join(", ")));
}

fn describe_words(layout: &mut Layout, label: &str, words: &[String]) {
    if !words.is_empty() {
        layout.line(format_args!("    {label}:"));
        words.iter().flat_map(|word| word.split('\n')).for_each(|line| layout.line(format_args!("      {line}")));
    }
}

fn describe_status(layout: &mut Layout, status: &ContainerStatus) {
    describe_state(layout, "State", &status.state);
    if status.last_state.terminated.is_some() {
        describe_state(layout, "Last State", &status.last_state);
    }
    layout.field("    Ready", if status.ready { "True" } else { "False" });
    layout.field("    Restart Count", status.restart_count);
}

fn describe_state(layout: &mut Layout, label: &str, state: &ContainerState) {
    let mut is = |what: &str| layout.field(&format!("    {label}"), what);
    if let Some(running) = &state.running {
        is("Running");
        layout.field("      Started", moment(&running.started_at));
    } else if let Some(terminated) = &state.terminated {
        is("Terminated");
        layout.field_if_set("      Reason", &terminated.reason);
        layout.field_if_set("      Message", &terminated.message);
        layout.field("      Exit Code", terminated.exit_code);
        if terminated.signal > 0 {
            layout.field("      Signal", terminated.signal);
        }
        layout.field("      Started", moment(&terminated.started_at));
        layout.field("      Finished", moment(&terminated.finished_at));
    } else {
        is("Waiting");
        layout.field_if_set("      Reason", state.waiting.as_ref().map_or("", |waiting| &waiting.reason));
    }
}

fn describe_amounts(layout: &mut Layout, label: &str, amounts: &BTreeMap<String, Quantity>) {
    if !amounts.is_empty() {
        layout.line(format_args!("    {label}:"));
        amounts.iter().for_each(|(name, amount)| layout.field(&format!("      {name}"), &amount.string));
    }
}

fn describe_environment(layout: &mut Layout, variables: &[EnvVar]) {
    layout.line(if variables.is_empty() { "    Environment:\t<none>" } else { "    Environment:" });
    for variable in variables {
        let lines: Vec<String> = variable_text(variable).split('\n').map(str::to_owned).collect();
        layout.list(&format!("      {}", variable.name), &lines);
    }
}

fn variable_text(variable: &EnvVar) -> String {
    let Some(from) = &variable.value_from else { return variable.value.clone() };
    let optional = |optional: Option<bool>| optional.unwrap_or(false);
    if let Some(field) = &from.field_ref {
        return format!(" ({}:{})", field.api_version, field.field_path);
    }
    if let Some(field) = &from.resource_field_ref {
        return format!(" ({})", field.resource);
    }
    if let Some(secret) = &from.secret_key_ref {
        let name = &secret.local_object_reference.name;
        return format!(
            "<set to the key '{}' in secret '{name}'>\tOptional: {}",
            secret.key,
            optional(secret.optional)
        );
    }
    if let Some(map) = &from.config_map_key_ref {
        let name = &map.local_object_reference.name;
        return format!("<set to the key '{}' of config map '{name}'>\tOptional: {}", map.key, optional(map.optional));
    }
    String::new()
}

fn describe_mounts(layout: &mut Layout, container: &Container) {
    layout.line(if container.volume_mounts.is_empty() { "    Mounts:\t<none>" } else { "    Mounts:" });
    let mut mounts: Vec<_> = container.volume_mounts.iter().collect();
    mounts.sort_by(|one, other| one.mount_path.cmp(&other.mount_path));
    for mount in mounts {
        let access = if mount.read_only { "ro" } else { "rw" };
        let part = if mount.sub_path.is_empty() { String::new() } else { format!(",path={:?}", mount.sub_path) };
        layout.line(format_args!("      {} from {} ({access}{part})", mount.mount_path, mount.name));
    }
}
