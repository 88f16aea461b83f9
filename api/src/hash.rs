//! The pod-template-hash: FNV-1a over a dump of the template as Go prints it.
//!
//! The layout is pinned to that of Kubernetes 1.18, which produced the hashes in the chapter (`kubia-59d857b444`). Any
//! layout would do, as long as it never changes: controllers find a ReplicaSet by comparing templates, not hashes.
//! Parts of a template that the pinned layout does not describe are dumped as JSON.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

use squall_proto::core::v1::{
    Container, ContainerPort, EnvVar, HttpGetAction, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ProbeHandler,
    TcpSocketAction, Toleration, VolumeMount,
};
use squall_proto::intstr::IntOrString;
use squall_proto::meta::v1::ObjectMeta;
use squall_proto::resource::Quantity;

/// The characters of the hash, chosen so that they cannot form words.
const ALPHABET: &[u8; 27] = crate::names::SUFFIX_ALPHABET;

/// Returns the hash of a template. `collisions` is the Deployment's count, absent before the first collision.
#[must_use]
pub fn pod_template_hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let mut bytes = dump(template).into_bytes();
    if let Some(count) = collisions {
        bytes.extend(count.cast_unsigned().to_le_bytes());
        bytes.extend([0; 4]);
    }
    fnv1a(&bytes)
        .to_string()
        .bytes()
        .filter_map(|digit| ALPHABET.get(usize::from(digit).checked_rem(ALPHABET.len())?).copied())
        .map(char::from)
        .collect()
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The fields of a Go struct, each as `Name:(type)value`.
#[derive(Default)]
struct Fields(Vec<String>);

impl Fields {
    fn add(mut self, name: &str, kind: &str, value: impl Display) -> Self {
        self.0.push(format!("{name}:({kind}){value}"));
        self
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.add(name, "string", value)
    }

    /// Adds a pointer: its type has a star, its value does not.
    fn pointer<T>(self, name: &str, kind: &str, value: Option<&T>, show: impl Fn(&T) -> String) -> Self {
        let value = value.map_or_else(|| "<nil>".to_owned(), show);
        self.add(name, &format!("*{kind}"), value)
    }

    fn list<T>(self, name: &str, kind: &str, items: &[T], show: impl Fn(&T) -> String) -> Self {
        let value = if items.is_empty() {
            "<nil>".to_owned()
        } else {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" "))
        };
        self.add(name, &format!("[]{kind}"), value)
    }

    fn map<V>(self, name: &str, kind: &str, map: &BTreeMap<String, V>, show: impl Fn(&V) -> String) -> Self {
        let value = if map.is_empty() {
            "<nil>".to_owned()
        } else {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", show(value))).collect();
            format!("map[{}]", entries.join(" "))
        };
        self.add(name, kind, value)
    }

    fn finish(self) -> String {
        format!("{{{}}}", self.0.join(" "))
    }
}

/// Formats a value that the pinned layout does not describe.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn display<T: Display>(value: &T) -> String {
    value.to_string()
}

fn dump(template: &PodTemplateSpec) -> String {
    let fields = Fields::default()
        .add("ObjectMeta", "v1.ObjectMeta", meta(&template.metadata))
        .add("Spec", "v1.PodSpec", spec(&template.spec))
        .finish();
    format!("(v1.PodTemplateSpec){fields}")
}

fn meta(meta: &ObjectMeta) -> String {
    let no_time = "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}";
    Fields::default()
        .text("Name", &meta.name)
        .text("GenerateName", &meta.generate_name)
        .text("Namespace", &meta.namespace)
        .text("SelfLink", &meta.self_link)
        .add("UID", "types.UID", &meta.uid)
        .text("ResourceVersion", &meta.resource_version)
        .add("Generation", "int64", meta.generation)
        .add("CreationTimestamp", "v1.Time", no_time)
        .pointer("DeletionTimestamp", "v1.Time", meta.deletion_timestamp.as_ref(), json)
        .pointer("DeletionGracePeriodSeconds", "int64", meta.deletion_grace_period_seconds.as_ref(), display)
        .map("Labels", "map[string]string", &meta.labels, Clone::clone)
        .map("Annotations", "map[string]string", &meta.annotations, Clone::clone)
        .list("OwnerReferences", "v1.OwnerReference", &meta.owner_references, json)
        .list("Finalizers", "string", &meta.finalizers, display)
        .text("ClusterName", "")
        .list("ManagedFields", "v1.ManagedFieldsEntry", &meta.managed_fields, json)
        .finish()
}

fn spec(spec: &PodSpec) -> String {
    let fields = Fields::default()
        .list("Volumes", "v1.Volume", &spec.volumes, json)
        .list("InitContainers", "v1.Container", &spec.init_containers, container)
        .list("Containers", "v1.Container", &spec.containers, container)
        .list("EphemeralContainers", "v1.EphemeralContainer", &spec.ephemeral_containers, json)
        .add("RestartPolicy", "v1.RestartPolicy", &spec.restart_policy)
        .pointer("TerminationGracePeriodSeconds", "int64", spec.termination_grace_period_seconds.as_ref(), display)
        .pointer("ActiveDeadlineSeconds", "int64", spec.active_deadline_seconds.as_ref(), display)
        .add("DNSPolicy", "v1.DNSPolicy", &spec.dns_policy)
        .map("NodeSelector", "map[string]string", &spec.node_selector, Clone::clone)
        .text("ServiceAccountName", &spec.service_account_name)
        .text("DeprecatedServiceAccount", &spec.service_account)
        .pointer("AutomountServiceAccountToken", "bool", spec.automount_service_account_token.as_ref(), display)
        .text("NodeName", &spec.node_name)
        .add("HostNetwork", "bool", spec.host_network)
        .add("HostPID", "bool", spec.host_pid)
        .add("HostIPC", "bool", spec.host_ipc)
        .pointer("ShareProcessNamespace", "bool", spec.share_process_namespace.as_ref(), display)
        .pointer("SecurityContext", "v1.PodSecurityContext", spec.security_context.as_ref(), security);
    rest_of_spec(fields, spec).finish()
}

fn rest_of_spec(fields: Fields, spec: &PodSpec) -> Fields {
    fields
        .list("ImagePullSecrets", "v1.LocalObjectReference", &spec.image_pull_secrets, |secret| {
            Fields::default().text("Name", &secret.name).finish()
        })
        .text("Hostname", &spec.hostname)
        .text("Subdomain", &spec.subdomain)
        .pointer("Affinity", "v1.Affinity", spec.affinity.as_ref(), json)
        .text("SchedulerName", &spec.scheduler_name)
        .list("Tolerations", "v1.Toleration", &spec.tolerations, toleration)
        .list("HostAliases", "v1.HostAlias", &spec.host_aliases, json)
        .text("PriorityClassName", &spec.priority_class_name)
        .pointer("Priority", "int32", spec.priority.as_ref(), display)
        .pointer("DNSConfig", "v1.PodDNSConfig", spec.dns_config.as_ref(), json)
        .list("ReadinessGates", "v1.PodReadinessGate", &spec.readiness_gates, json)
        .pointer("RuntimeClassName", "string", spec.runtime_class_name.as_ref(), display)
        .pointer("EnableServiceLinks", "bool", spec.enable_service_links.as_ref(), display)
        .pointer("PreemptionPolicy", "v1.PreemptionPolicy", spec.preemption_policy.as_ref(), display)
        .map("Overhead", "v1.ResourceList", &spec.overhead, quantity)
        .list("TopologySpreadConstraints", "v1.TopologySpreadConstraint", &spec.topology_spread_constraints, json)
}

fn container(container: &Container) -> String {
    let resources = Fields::default()
        .map("Limits", "v1.ResourceList", &container.resources.limits, quantity)
        .map("Requests", "v1.ResourceList", &container.resources.requests, quantity)
        .finish();
    Fields::default()
        .text("Name", &container.name)
        .text("Image", &container.image)
        .list("Command", "string", &container.command, display)
        .list("Args", "string", &container.args, display)
        .text("WorkingDir", &container.working_dir)
        .list("Ports", "v1.ContainerPort", &container.ports, port)
        .list("EnvFrom", "v1.EnvFromSource", &container.env_from, json)
        .list("Env", "v1.EnvVar", &container.env, env)
        .add("Resources", "v1.ResourceRequirements", resources)
        .list("VolumeMounts", "v1.VolumeMount", &container.volume_mounts, mount)
        .list("VolumeDevices", "v1.VolumeDevice", &container.volume_devices, json)
        .pointer("LivenessProbe", "v1.Probe", container.liveness_probe.as_ref(), probe)
        .pointer("ReadinessProbe", "v1.Probe", container.readiness_probe.as_ref(), probe)
        .pointer("StartupProbe", "v1.Probe", container.startup_probe.as_ref(), probe)
        .pointer("Lifecycle", "v1.Lifecycle", container.lifecycle.as_ref(), json)
        .text("TerminationMessagePath", &container.termination_message_path)
        .add("TerminationMessagePolicy", "v1.TerminationMessagePolicy", &container.termination_message_policy)
        .add("ImagePullPolicy", "v1.PullPolicy", &container.image_pull_policy)
        .pointer("SecurityContext", "v1.SecurityContext", container.security_context.as_ref(), json)
        .add("Stdin", "bool", container.stdin)
        .add("StdinOnce", "bool", container.stdin_once)
        .add("TTY", "bool", container.tty)
        .finish()
}

fn quantity(quantity: &Quantity) -> String {
    quantity.string.clone()
}

fn port(port: &ContainerPort) -> String {
    Fields::default()
        .text("Name", &port.name)
        .add("HostPort", "int32", port.host_port)
        .add("ContainerPort", "int32", port.container_port)
        .add("Protocol", "v1.Protocol", &port.protocol)
        .text("HostIP", &port.host_ip)
        .finish()
}

fn env(env: &EnvVar) -> String {
    Fields::default()
        .text("Name", &env.name)
        .text("Value", &env.value)
        .pointer("ValueFrom", "v1.EnvVarSource", env.value_from.as_ref(), json)
        .finish()
}

fn mount(mount: &VolumeMount) -> String {
    Fields::default()
        .text("Name", &mount.name)
        .add("ReadOnly", "bool", mount.read_only)
        .text("MountPath", &mount.mount_path)
        .text("SubPath", &mount.sub_path)
        .pointer("MountPropagation", "v1.MountPropagationMode", mount.mount_propagation.as_ref(), display)
        .text("SubPathExpr", &mount.sub_path_expr)
        .finish()
}

fn toleration(toleration: &Toleration) -> String {
    Fields::default()
        .text("Key", &toleration.key)
        .add("Operator", "v1.TolerationOperator", &toleration.operator)
        .text("Value", &toleration.value)
        .add("Effect", "v1.TaintEffect", &toleration.effect)
        .pointer("TolerationSeconds", "int64", toleration.toleration_seconds.as_ref(), display)
        .finish()
}

fn security(context: &PodSecurityContext) -> String {
    Fields::default()
        .pointer("SELinuxOptions", "v1.SELinuxOptions", context.se_linux_options.as_ref(), json)
        .pointer("WindowsOptions", "v1.WindowsSecurityContextOptions", context.windows_options.as_ref(), json)
        .pointer("RunAsUser", "int64", context.run_as_user.as_ref(), display)
        .pointer("RunAsGroup", "int64", context.run_as_group.as_ref(), display)
        .pointer("RunAsNonRoot", "bool", context.run_as_non_root.as_ref(), display)
        .list("SupplementalGroups", "int64", &context.supplemental_groups, display)
        .pointer("FSGroup", "int64", context.fs_group.as_ref(), display)
        .list("Sysctls", "v1.Sysctl", &context.sysctls, json)
        .pointer("FSGroupChangePolicy", "v1.PodFSGroupChangePolicy", context.fs_group_change_policy.as_ref(), display)
        .finish()
}

fn probe(probe: &Probe) -> String {
    Fields::default()
        .add("Handler", "v1.Handler", handler(&probe.handler))
        .add("InitialDelaySeconds", "int32", probe.initial_delay_seconds)
        .add("TimeoutSeconds", "int32", probe.timeout_seconds)
        .add("PeriodSeconds", "int32", probe.period_seconds)
        .add("SuccessThreshold", "int32", probe.success_threshold)
        .add("FailureThreshold", "int32", probe.failure_threshold)
        .finish()
}

fn handler(handler: &ProbeHandler) -> String {
    Fields::default()
        .pointer("Exec", "v1.ExecAction", handler.exec.as_ref(), |exec| {
            Fields::default().list("Command", "string", &exec.command, display).finish()
        })
        .pointer("HTTPGet", "v1.HTTPGetAction", handler.http_get.as_ref(), http_get)
        .pointer("TCPSocket", "v1.TCPSocketAction", handler.tcp_socket.as_ref(), tcp_socket)
        .finish()
}

fn http_get(get: &HttpGetAction) -> String {
    Fields::default()
        .text("Path", &get.path)
        .add("Port", "intstr.IntOrString", int_or_string(&get.port))
        .text("Host", &get.host)
        .add("Scheme", "v1.URIScheme", &get.scheme)
        .list("HTTPHeaders", "v1.HTTPHeader", &get.http_headers, json)
        .finish()
}

fn tcp_socket(tcp: &TcpSocketAction) -> String {
    Fields::default().add("Port", "intstr.IntOrString", int_or_string(&tcp.port)).text("Host", &tcp.host).finish()
}

fn int_or_string(value: &IntOrString) -> String {
    Fields::default()
        .add("Type", "intstr.Type", value.r#type)
        .add("IntVal", "int32", value.int_val)
        .text("StrVal", &value.str_val)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubia(image: &str, name: &str, ready: bool) -> PodTemplateSpec {
        let mut template = PodTemplateSpec::default();
        template.metadata.name = name.to_owned();
        template.metadata.labels.insert("app".to_owned(), "kubia".to_owned());
        let mut container = Container { name: "nodejs".to_owned(), image: image.to_owned(), ..Container::default() };
        if ready {
            let get = HttpGetAction { port: IntOrString::int(8080), path: "/".to_owned(), ..HttpGetAction::default() };
            let handler = ProbeHandler { http_get: Some(get), ..ProbeHandler::default() };
            container.readiness_probe = Some(Probe { handler, period_seconds: 1, ..Probe::default() });
        }
        template.spec.containers.push(container);
        crate::kinds::pod_spec::set_spec_defaults(&mut template.spec);
        template
    }

    /// The ReplicaSets of the chapter, as Kubernetes 1.18 named them.
    #[test]
    fn the_hashes_are_those_of_the_chapter() {
        for (image, name, ready, hash) in [
            ("luksa/kubia:v1", "kubia", false, "59d857b444"),
            ("luksa/kubia:v2", "kubia", false, "7d5c456ffc"),
            ("luksa/kubia:v3", "kubia", false, "79b84b44f4"),
            ("luksa/kubia:v4", "kubia", false, "586b45dbdc"),
            ("luksa/kubia:v3", "kubia", true, "7d6c89d47b"),
            ("luksa/kubia:v1", "", false, "77b8dd4c6"),
        ] {
            assert_eq!(pod_template_hash(&kubia(image, name, ready), None), hash, "{image} {name}");
        }
    }

    #[test]
    fn a_collision_gives_another_hash() {
        let template = kubia("luksa/kubia:v1", "kubia", false);
        assert_ne!(pod_template_hash(&template, Some(1)), pod_template_hash(&template, None));
        assert_ne!(pod_template_hash(&template, Some(1)), pod_template_hash(&template, Some(2)));
    }
}
