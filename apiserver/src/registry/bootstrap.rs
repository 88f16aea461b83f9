//! The initial objects of every cluster: the namespaces and their contents, the first roles, and the
//! `kubernetes` service.

use squall_api::core::v1::{
    ConfigMap, EndpointAddress, EndpointPort as SubsetPort, EndpointSubset, Endpoints, Namespace, Service,
    ServiceAccount, ServicePort,
};
use squall_api::decode::Decoded;
use squall_api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use squall_api::error::Reason;
use squall_api::intstr::IntOrString;
use squall_api::{Error, Kind, Object};
use squall_daemon::identity::Caller;

use super::Registry;
use super::first_roles::first_roles;
use crate::request::{ResourceRef, WriteOptions};

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-node-lease", "kube-public"];

impl Registry {
    /// Whether the initial namespaces exist.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        let state = self.member().view().state();
        NAMESPACES.iter().all(|name| state.get(&crate::keys::object(Kind::Namespace, "", name)).is_some())
    }

    /// Creates missing initial objects. All members do this; an object that already exists is not an error.
    pub async fn bootstrap(&self) -> Result<(), Error> {
        for name in NAMESPACES {
            let mut namespace = Namespace::default();
            name.clone_into(&mut namespace.metadata.name);
            self.create_if_absent(namespace.into()).await?;
        }
        self.furnish_namespaces().await?;
        for role in first_roles() {
            self.create_if_absent(role).await?;
        }
        let addresses: Vec<(String, i32)> =
            self.member().status().voters.values().filter_map(|url| host_and_port(url)).collect();
        let address = self.inner.service_range.address(1).to_string();
        let port = addresses.first().map_or(443, |(_, port)| *port);
        self.create_if_absent(kubernetes_service(address, port).into()).await?;
        if addresses.is_empty() {
            return Ok(());
        }
        self.keep(kubernetes_endpoints(&addresses, port).into()).await?;
        self.keep(kubernetes_slice(&addresses, port).into()).await
    }

    /// Creates an object if it is missing. If this member leads, it also takes back what others made of its content.
    async fn keep(&self, wanted: Object) -> Result<(), Error> {
        let resource = ResourceRef::object(wanted.kind(), &wanted.meta().namespace, &wanted.meta().name);
        self.create_if_absent(wanted.clone()).await?;
        let status = self.member().status();
        if status.leader != Some(status.id) {
            return Ok(());
        }
        let stored = Object::from_any(&self.get(&resource, "0").await?)?;
        let Some(object) = with_content(stored, wanted) else { return Ok(()) };
        let decoded = Decoded { object, warnings: Vec::new() };
        match self.update(&resource, decoded, &by_server()).await {
            // A concurrent write won; the next round tries again.
            Err(error) if error.is(Reason::Conflict) || error.is(Reason::NotFound) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Creates the contents of every namespace: the service account that pods run as, and the CA that they trust.
    async fn furnish_namespaces(&self) -> Result<(), Error> {
        let state = self.member().view().state();
        for (_, entry) in state.range(&crate::keys::collection(Kind::Namespace, "")) {
            let namespace = super::decode_stored(Kind::Namespace, entry)?;
            if namespace.meta().deletion_timestamp.is_some() {
                continue;
            }
            self.furnish(&namespace.meta().name).await?;
        }
        Ok(())
    }

    /// Creates the contents of one namespace.
    pub(super) async fn furnish(&self, name: &str) -> Result<(), Error> {
        let mut account = ServiceAccount::default();
        "default".clone_into(&mut account.metadata.name);
        name.clone_into(&mut account.metadata.namespace);
        let mut outcomes = vec![self.create_if_absent(account.into()).await];
        if let Some(ca) = &self.inner.ca {
            outcomes.push(self.keep(ca_map(name, ca).into()).await);
        }
        for outcome in outcomes {
            match outcome {
                // The namespace is being deleted, or is gone.
                Err(error) if error.is(Reason::Forbidden) || error.is(Reason::NotFound) => {}
                other => other?,
            }
        }
        Ok(())
    }

    async fn create_if_absent(&self, object: Object) -> Result<(), Error> {
        let mut resource = ResourceRef::object(object.kind(), &object.meta().namespace, &object.meta().name);
        // This member's own state is cheap to read.
        if self.get(&resource, "0").await.is_ok() {
            return Ok(());
        }
        resource.name.clear();
        match self.create(&resource, Decoded { object, warnings: Vec::new() }, &by_server()).await {
            Err(error) if error.is(Reason::AlreadyExists) => Ok(()),
            // An existing service holds its own address.
            Err(error) if error.is(Reason::Invalid) && resource.kind == Kind::Service => Ok(()),
            other => other.map(drop),
        }
    }
}

/// The server may give every right.
fn by_server() -> WriteOptions {
    WriteOptions { caller: Caller::server(), ..WriteOptions::default() }
}

/// The stored object with the wanted content. `None` if it has it already.
fn with_content(stored: Object, wanted: Object) -> Option<Object> {
    match (stored, wanted) {
        (Object::ConfigMap(mut stored), Object::ConfigMap(wanted)) if stored.data != wanted.data => {
            stored.data = wanted.data;
            Some(Object::ConfigMap(stored))
        }
        (Object::Endpoints(mut stored), Object::Endpoints(wanted)) if stored.subsets != wanted.subsets => {
            stored.subsets = wanted.subsets;
            Some(Object::Endpoints(stored))
        }
        (Object::EndpointSlice(mut stored), Object::EndpointSlice(wanted))
            if (&stored.endpoints, &stored.ports) != (&wanted.endpoints, &wanted.ports) =>
        {
            (stored.endpoints, stored.ports) = (wanted.endpoints, wanted.ports);
            Some(Object::EndpointSlice(stored))
        }
        _ => None,
    }
}

fn ca_map(namespace: &str, ca: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    "kube-root-ca.crt".clone_into(&mut map.metadata.name);
    namespace.clone_into(&mut map.metadata.namespace);
    map.data.insert("ca.crt".to_owned(), ca.to_owned());
    map
}

fn host_and_port(url: &str) -> Option<(String, i32)> {
    let (host, port) = url.rsplit_once("//")?.1.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

fn kubernetes_service(address: String, target: i32) -> Service {
    let mut service = Service::default();
    "kubernetes".clone_into(&mut service.metadata.name);
    "default".clone_into(&mut service.metadata.namespace);
    service.metadata.labels.insert("component".to_owned(), "apiserver".to_owned());
    service.metadata.labels.insert("provider".to_owned(), "kubernetes".to_owned());
    service.spec.cluster_ip = address;
    service.spec.ports.push(ServicePort {
        name: "https".to_owned(),
        protocol: "TCP".to_owned(),
        port: 443,
        target_port: IntOrString::int(target),
        ..ServicePort::default()
    });
    service
}

/// The older form of the slice below. Kubernetes: it says itself that nobody has to mirror it.
fn kubernetes_endpoints(addresses: &[(String, i32)], port: i32) -> Endpoints {
    let mut endpoints = Endpoints::default();
    "kubernetes".clone_into(&mut endpoints.metadata.name);
    "default".clone_into(&mut endpoints.metadata.namespace);
    endpoints.metadata.labels.insert("endpointslice.kubernetes.io/skip-mirror".to_owned(), "true".to_owned());
    let address = |(ip, _): &(String, i32)| EndpointAddress { ip: ip.clone(), ..EndpointAddress::default() };
    endpoints.subsets.push(EndpointSubset {
        addresses: addresses.iter().map(address).collect(),
        ports: vec![SubsetPort { name: "https".to_owned(), port, protocol: "TCP".to_owned(), ..SubsetPort::default() }],
        ..EndpointSubset::default()
    });
    endpoints
}

fn kubernetes_slice(addresses: &[(String, i32)], port: i32) -> EndpointSlice {
    let mut slice = EndpointSlice { address_type: "IPv4".to_owned(), ..EndpointSlice::default() };
    "kubernetes".clone_into(&mut slice.metadata.name);
    "default".clone_into(&mut slice.metadata.namespace);
    slice.metadata.labels.insert("kubernetes.io/service-name".to_owned(), "kubernetes".to_owned());
    slice.ports.push(EndpointPort {
        name: Some("https".to_owned()),
        port: Some(port),
        protocol: Some("TCP".to_owned()),
        ..EndpointPort::default()
    });
    slice.endpoints.extend(addresses.iter().map(|(address, _)| Endpoint {
        addresses: vec![address.clone()],
        conditions: EndpointConditions { ready: Some(true), serving: Some(true), terminating: Some(false) },
        ..Endpoint::default()
    }));
    slice
}
