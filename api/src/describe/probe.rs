//! A probe in one line: `http-get http://:8080/ delay=0s timeout=1s period=1s #success=1 #failure=3`.

use squall_proto::core::v1::Probe;

/// Formats a probe.
pub fn text(probe: &Probe) -> String {
    let attributes = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        probe.initial_delay_seconds,
        probe.timeout_seconds,
        probe.period_seconds,
        probe.success_threshold,
        probe.failure_threshold
    );
    let handler = &probe.handler;
    if let Some(exec) = &handler.exec {
        return format!("exec [{}] {attributes}", exec.command.join(" "));
    }
    if let Some(get) = &handler.http_get {
        let scheme = get.scheme.to_ascii_lowercase();
        return format!("http-get {scheme}://{}:{}{} {attributes}", get.host, get.port, get.path);
    }
    if let Some(tcp) = &handler.tcp_socket {
        return format!("tcp-socket {}:{} {attributes}", tcp.host, tcp.port);
    }
    if let Some(grpc) = &handler.grpc {
        return format!("grpc <pod>:{} {} {attributes}", grpc.port, grpc.service.as_deref().unwrap_or_default());
    }
    format!("unknown {attributes}")
}
