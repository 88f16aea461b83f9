//! Probes and hooks of a container.

use squall_proto::core::v1::{
    Container, ExecAction, GrpcAction, HttpGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction, TcpSocketAction,
};

use super::{Context, ports};
use crate::field::{Errors, Path};
use crate::names;

pub(super) fn validate(container: &Container, context: &Context<'_>, path: &Path, errors: &mut Errors) {
    if let Some(lifecycle) = &container.lifecycle {
        validate_lifecycle(lifecycle, context, &path.child("lifecycle"), errors);
    }
    for (name, probe) in probes(container) {
        if let Some(probe) = probe {
            validate_probe(probe, name, context, &path.child(name), errors);
        }
    }
}

/// Reports probes and hooks of an init container that ends before the others start.
pub(super) fn forbid(container: &Container, path: &Path, errors: &mut Errors) {
    let lifecycle = [("lifecycle", container.lifecycle.is_some())];
    let probes = probes(container).map(|(name, probe)| (name, probe.is_some()));
    for (name, _) in lifecycle.into_iter().chain(probes).filter(|(_, given)| *given) {
        errors.forbidden(&path.child(name), "may not be set for init containers without restartPolicy=Always");
    }
}

fn probes(container: &Container) -> [(&'static str, Option<&Probe>); 3] {
    [
        ("livenessProbe", container.liveness_probe.as_ref()),
        ("readinessProbe", container.readiness_probe.as_ref()),
        ("startupProbe", container.startup_probe.as_ref()),
    ]
}

fn validate_probe(probe: &Probe, name: &str, context: &Context<'_>, path: &Path, errors: &mut Errors) {
    let handler = Handler {
        exec: probe.handler.exec.as_ref(),
        http_get: probe.handler.http_get.as_ref(),
        tcp_socket: probe.handler.tcp_socket.as_ref(),
        grpc: probe.handler.grpc.as_ref(),
        sleep: None,
    };
    handler.validate(context, path, errors);
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        errors.non_negative(&path.child(field), value.into());
    }
    let grace = path.child("terminationGracePeriodSeconds");
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        errors.invalid(&grace, &seconds, "must be greater than 0");
    }
    if name != "readinessProbe" {
        if probe.success_threshold != 1 {
            errors.invalid(&path.child("successThreshold"), &probe.success_threshold, "must be 1");
        }
    } else if let Some(seconds) = probe.termination_grace_period_seconds {
        errors.invalid(&grace, &seconds, "must not be set for readinessProbes");
    }
}

fn validate_lifecycle(lifecycle: &Lifecycle, context: &Context<'_>, path: &Path, errors: &mut Errors) {
    for (name, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(hook) = hook {
            Handler::of_hook(hook).validate(context, &path.child(name), errors);
        }
    }
}

/// The ways to ask a container.
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HttpGetAction>,
    tcp_socket: Option<&'a TcpSocketAction>,
    grpc: Option<&'a GrpcAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> Handler<'a> {
    fn of_hook(hook: &'a LifecycleHandler) -> Self {
        Self {
            exec: hook.exec.as_ref(),
            http_get: hook.http_get.as_ref(),
            tcp_socket: hook.tcp_socket.as_ref(),
            grpc: None,
            sleep: hook.sleep.as_ref(),
        }
    }

    /// The first one given is checked; every further one is too many.
    fn validate(&self, context: &Context<'_>, path: &Path, errors: &mut Errors) {
        let given = [
            ("exec", self.exec.is_some()),
            ("httpGet", self.http_get.is_some()),
            ("tcpSocket", self.tcp_socket.is_some()),
            ("grpc", self.grpc.is_some()),
            ("sleep", self.sleep.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        let Some(first) = given.next() else {
            errors.required(path, "must specify a handler type");
            return;
        };
        self.validate_first(context, &path.child(first), errors);
        for name in given {
            errors.forbidden(&path.child(name), "may not specify more than 1 handler type");
        }
    }

    fn validate_first(&self, context: &Context<'_>, path: &Path, errors: &mut Errors) {
        let port = path.child("port");
        if let Some(exec) = self.exec {
            if exec.command.is_empty() {
                errors.required(&path.child("command"), "");
            }
        } else if let Some(get) = self.http_get {
            validate_get(get, path, errors);
        } else if let Some(tcp) = self.tcp_socket {
            ports::validate_port(&tcp.port, &port, errors);
        } else if let Some(grpc) = self.grpc {
            ports::validate_port_number(grpc.port, &port, errors);
        } else if let (Some(sleep), Some(grace)) = (self.sleep, context.grace)
            && !(0..=grace).contains(&sleep.seconds)
        {
            let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
            errors.invalid(path, &sleep.seconds, &detail);
        }
    }
}

fn validate_get(get: &HttpGetAction, path: &Path, errors: &mut Errors) {
    if get.path.is_empty() {
        errors.required(&path.child("path"), "");
    }
    ports::validate_port(&get.port, &path.child("port"), errors);
    errors.one_of(&path.child("scheme"), &get.scheme, &["HTTP", "HTTPS"]);
    for header in &get.http_headers {
        errors.named(&path.child("httpHeaders"), &header.name, names::http_header);
    }
}
