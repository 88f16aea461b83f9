//! The handlers of probes and lifecycle hooks: commands, requests and connections to a container.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use squall_api::core::v1::{Container, ExecAction, HttpGetAction, LifecycleHandler, TcpSocketAction};
use squall_api::intstr::IntOrString;
use squall_daemon::{Timing, carried};
use squall_proto::squall::cri::v1 as cri;

use super::runtime_client::Runtime;
use crate::lifecycle::Problem;

/// A container as the target of probes and hooks.
#[derive(Clone)]
pub struct Asked {
    pub container: Container,
    pub id: String,
    pub pod_ip: String,
    pub runtime: Runtime,
    pub timing: Timing,
}

impl Asked {
    /// Runs a command. `sleep` takes as long as it says, in the cluster's time; the image defines the result.
    pub async fn exec(&self, action: &ExecAction) -> Result<(), Problem> {
        if let Some(seconds) = slept_seconds(&action.command) {
            tokio::time::sleep(self.timing.seconds(seconds)).await;
        }
        let request = cri::ExecRequest { id: self.id.clone(), command: action.command.clone() };
        let reply = self.runtime.clone().exec(request).await;
        let reply = reply.map_err(|status| Problem::Error(status.message().to_owned()))?.into_inner();
        if reply.exit_code == 0 { Ok(()) } else { Err(Problem::Failed(reply.output)) }
    }

    /// Opens a connection.
    pub async fn connect(&self, action: &TcpSocketAction) -> Result<(), Problem> {
        let address = self.address(&action.host, &action.port)?;
        let connected = carried::connect(address).await;
        connected.map(drop).map_err(|error| Problem::Failed(format!("dial tcp {address}: {error}")))
    }

    /// Sends an HTTP request. Kubernetes: 200 to 399 is a success; the body does not matter.
    pub async fn get(&self, action: &HttpGetAction) -> Result<(), Problem> {
        let address = self.address(&action.host, &action.port)?;
        let path = if action.path.starts_with('/') { action.path.clone() } else { format!("/{}", action.path) };
        match status_of(address, &path, action).await.map_err(Problem::Failed)? {
            200..400 => Ok(()),
            status => Err(Problem::Failed(format!("HTTP probe failed with statuscode: {status}"))),
        }
    }

    /// Checks the health by gRPC. The simulated images speak only HTTP: a successful answer counts as serving.
    pub async fn health(&self, port: i32) -> Result<(), Problem> {
        let action = HttpGetAction { port: IntOrString::int(port), path: "/".to_owned(), ..HttpGetAction::default() };
        match self.get(&action).await {
            Err(Problem::Failed(text)) if text.contains("statuscode") => {
                Err(Problem::Failed("service unhealthy (responded with \"NOT_SERVING\")".to_owned()))
            }
            other => other,
        }
    }

    /// Runs a lifecycle hook.
    pub async fn hook(&self, handler: &LifecycleHandler) -> Result<(), Problem> {
        if let Some(sleep) = &handler.sleep {
            tokio::time::sleep(self.timing.seconds(sleep.seconds)).await;
        }
        match (&handler.exec, &handler.http_get, &handler.tcp_socket) {
            (Some(exec), _, _) => self.exec(exec).await,
            (_, Some(get), _) => self.get(get).await,
            (_, _, Some(tcp)) => self.connect(tcp).await,
            _ => Ok(()),
        }
    }

    fn address(&self, host: &str, port: &IntOrString) -> Result<SocketAddr, Problem> {
        let host = if host.is_empty() { &self.pod_ip } else { host };
        let ip: IpAddr = host.parse().map_err(|_| Problem::Error(format!("{host:?} is not an address")))?;
        let ports = &self.container.ports;
        let named = |name: &str| ports.iter().find(|port| port.name == name).map(|port| port.container_port);
        let number = port.as_int().or_else(|| port.as_str().and_then(named));
        let number = number.and_then(|number| u16::try_from(number).ok());
        Ok(SocketAddr::new(ip, number.ok_or_else(|| Problem::Error("the container has no such port".to_owned()))?))
    }
}

/// Returns how many seconds a command sleeps: `sleep 5`, also in a shell's `-c`.
fn slept_seconds(command: &[String]) -> Option<i64> {
    let text = command.join(" ");
    let (_, rest) = text.split_once("sleep ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

async fn status_of(address: SocketAddr, path: &str, action: &HttpGetAction) -> Result<u16, String> {
    let failed = |error: &dyn std::fmt::Display| format!("Get \"http://{address}{path}\": {error}");
    let stream =
        carried::connect(address).await.map_err(|error| failed(&format_args!("dial tcp {address}: {error}")))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let mut request = Request::get(path).header("user-agent", "kube-probe/1.36").header("connection", "close");
    for header in &action.http_headers {
        request = request.header(&header.name, &header.value);
    }
    if request.headers_ref().is_some_and(|headers| !headers.contains_key("host")) {
        request = request.header("host", address.to_string());
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed(&error))?;
    let exchange = async {
        sender.send_request(request).await.map(|response| response.status().as_u16()).map_err(|error| failed(&error))
    };
    tokio::select! {
        found = exchange => found,
        Err(error) = connection => Err(failed(&error)),
    }
}

/// Waits for a result up to a limit (Kubernetes: a timeout is a failure).
pub async fn within(limit: Duration, asked: impl Future<Output = Result<(), Problem>>) -> Result<(), Problem> {
    tokio::time::timeout(limit, asked)
        .await
        .unwrap_or_else(|_| Err(Problem::Failed("context deadline exceeded".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_sleeps_is_known() {
        let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        assert_eq!(slept_seconds(&words(&["sleep", "5"])), Some(5));
        assert_eq!(slept_seconds(&words(&["/bin/sh", "-c", "sleep 15; nginx -s quit"])), Some(15));
        assert_eq!(slept_seconds(&words(&["cat", "/tmp/healthy"])), None);
    }
}
