//! Probes: asks a container over a real socket how it is, and says so when the answer has settled.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use squall_api::core::v1::{Container, Probe};
use squall_api::intstr::IntOrString;
use squall_daemon::Timing;
use tokio::net::TcpStream;

/// What one attempt found; the error is what an event says.
pub type Found = Result<(), String>;

/// Counts answers until they have settled.
#[derive(Debug, Clone)]
pub struct Counter {
    success_threshold: i32,
    failure_threshold: i32,
    successes: i32,
    failures: i32,
}

impl Counter {
    /// With the thresholds of a probe.
    pub fn new(probe: &Probe) -> Self {
        Self {
            success_threshold: probe.success_threshold,
            failure_threshold: probe.failure_threshold,
            successes: 0,
            failures: 0,
        }
    }

    /// Counts one answer. What is settled by it, if anything.
    pub fn count(&mut self, success: bool) -> Option<bool> {
        if success {
            self.failures = 0;
            self.successes += 1;
            (self.successes >= self.success_threshold).then_some(true)
        } else {
            self.successes = 0;
            self.failures += 1;
            (self.failures >= self.failure_threshold).then_some(false)
        }
    }
}

/// Probes for ever; `tell` is called with each answer and what is settled by it.
pub async fn run(
    probe: Probe,
    container: Container,
    pod_ip: String,
    timing: Timing,
    mut tell: impl FnMut(Found, Option<bool>),
) {
    tokio::time::sleep(timing.seconds(probe.initial_delay_seconds.into())).await;
    let mut counter = Counter::new(&probe);
    let limit = timing.seconds(probe.timeout_seconds.into()).max(Duration::from_millis(100));
    loop {
        let found = match tokio::time::timeout(limit, attempt(&probe, &container, &pod_ip)).await {
            Ok(found) => found,
            Err(_) => Err("context deadline exceeded".to_owned()),
        };
        let settled = counter.count(found.is_ok());
        tell(found, settled);
        tokio::time::sleep(timing.seconds(probe.period_seconds.into())).await;
    }
}

async fn attempt(probe: &Probe, container: &Container, pod_ip: &str) -> Found {
    let handler = &probe.handler;
    if let Some(get) = &handler.http_get {
        let host = if get.host.is_empty() { pod_ip } else { &get.host };
        return http_get(address(host, &get.port, container)?, &get.path).await;
    }
    if let Some(tcp) = &handler.tcp_socket {
        let host = if tcp.host.is_empty() { pod_ip } else { &tcp.host };
        let connected = TcpStream::connect(address(host, &tcp.port, container)?).await;
        return connected.map(drop).map_err(|error| error.to_string());
    }
    // The simulated images have no commands to run: an exec probe finds what its image would say, which is nothing bad.
    Ok(())
}

fn address(host: &str, port: &IntOrString, container: &Container) -> Result<SocketAddr, String> {
    let ip: IpAddr = host.parse().map_err(|_| format!("{host:?} is not an address"))?;
    let named = |name: &str| container.ports.iter().find(|port| port.name == name).map(|port| port.container_port);
    let number = port.as_int().or_else(|| port.as_str().and_then(named));
    let number = number.and_then(|number| u16::try_from(number).ok());
    Ok(SocketAddr::new(ip, number.ok_or_else(|| "the container has no such port".to_owned())?))
}

/// Kubernetes: 200 to 399 is a success; the body does not matter.
async fn http_get(address: SocketAddr, path: &str) -> Found {
    let failed = |error: &dyn std::fmt::Display| format!("Get \"http://{address}{path}\": {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let request = Request::get(path)
        .header("host", address.to_string())
        .header("user-agent", "kube-probe/1.36")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        match response.status().as_u16() {
            200..400 => Ok(()),
            status => Err(format!("HTTP probe failed with statuscode: {status}")),
        }
    };
    tokio::select! {
        found = exchange => found,
        Err(error) = connection => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_settles_after_its_threshold() {
        let probe = Probe { success_threshold: 2, failure_threshold: 3, ..Probe::default() };
        let mut counter = Counter::new(&probe);
        let settled: Vec<_> =
            [true, true, false, false, true, false, false, false, false].map(|answer| counter.count(answer)).into();
        assert_eq!(settled, [None, Some(true), None, None, None, None, None, Some(false), Some(false)]);
    }
}
