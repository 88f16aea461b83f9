//! Cluster IPs and node ports: which ones a service claims, and which ones a new service gets.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use squall_api::core::v1::Service;
use squall_api::field::{Errors, Path};
use squall_api::{Error, Kind};
use squall_flags::Cidr;

use crate::keys;

const NODE_PORTS: RangeInclusive<i32> = 30_000..=32_767;
/// Number of random picks before every candidate is tried in order.
const PICKS: usize = 64;

/// The address range of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    base: u32,
    bits: u32,
}

impl Range {
    /// Parses a range such as `127.64.0.0/20`.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::of(text.parse()?)
    }

    /// Returns the range with these addresses: 4 to 2^20 of them.
    pub fn of(cidr: Cidr) -> Result<Self, String> {
        match cidr.bits() {
            bits @ 2..=20 => Ok(Self { base: u32::from(cidr.base()), bits }),
            _ => Err(format!("the address range {cidr} is too large or too small; use a prefix of 12 to 30")),
        }
    }

    /// Returns the address at this offset in the range. Offset 1 belongs to the `kubernetes` service.
    #[must_use]
    pub fn address(&self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base.saturating_add(number))
    }

    /// Returns the offsets of the addresses that services may have: neither the first nor the last one.
    fn offsets(&self) -> std::ops::Range<u32> {
        1..(1_u32 << self.bits).saturating_sub(1)
    }

    /// Whether an address may be a pod's. A cluster has a /16: the range of services is at its beginning, and nodes with
    /// their pods are in its upper three quarters, each node at the first address of its /24.
    #[must_use]
    pub fn may_be_pod(&self, address: Ipv4Addr) -> bool {
        let [_, _, third, last] = address.octets();
        u32::from(address) >> 16 == self.base >> 16 && third >= 64 && last > 1
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address).checked_sub(self.base).is_some_and(|offset| self.offsets().contains(&offset))
    }
}

/// A store key that only one service can own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Store key, from `keys::service_address` or `keys::node_port`.
    pub key: String,
    /// Reported if another service owns the key.
    pub taken: Taken,
}

/// The field and value to report when a claim is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The cluster IP.
    Address(String),
    /// The index of the port in `spec.ports`, and its node port.
    NodePort(usize, i32),
}

impl Claim {
    /// Returns Kubernetes' error for a refused claim.
    #[must_use]
    pub fn error(&self, service: &str) -> Error {
        let mut errors = Errors::default();
        let spec = Path::new("spec");
        match &self.taken {
            Taken::Address(address) => {
                let detail = format!("failed to allocate IP {address}: provided IP is already allocated");
                errors.invalid(&spec.child("clusterIPs"), &[address], &detail);
            }
            Taken::NodePort(index, port) => {
                errors.invalid(
                    &spec.child("ports").index(*index).child("nodePort"),
                    port,
                    "provided port is already allocated",
                );
            }
        }
        Error::invalid(Kind::Service, service, &errors)
    }
}

/// Returns the claims of a service.
#[must_use]
pub fn claims(service: &Service) -> Vec<Claim> {
    let spec = &service.spec;
    let address = (!matches!(spec.cluster_ip.as_str(), "" | "None")).then(|| Claim {
        key: keys::service_address(&spec.cluster_ip),
        taken: Taken::Address(spec.cluster_ip.clone()),
    });
    let ports = spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0);
    let ports = ports.map(|(index, port)| Claim {
        key: keys::node_port(port.node_port),
        taken: Taken::NodePort(index, port.node_port),
    });
    address.into_iter().chain(ports).collect()
}

/// Assigns the cluster IP and node ports that a service needs but does not name. `taken` reports whether a key exists.
pub fn choose_addresses(
    service: &mut Service,
    range: Range,
    seed: u64,
    taken: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let mut random = fastrand::Rng::with_seed(seed);
    let name = service.metadata.name.clone();
    let spec = &mut service.spec;
    if spec.r#type == "ExternalName" {
        spec.cluster_ip.clear();
        spec.cluster_ips.clear();
        return Ok(());
    }
    if spec.cluster_ip.is_empty() {
        // Kubernetes: the lower part is reserved for addresses that users choose.
        let offsets = range.offsets();
        let lower = offsets.end.div_ceil(16).clamp(2, 256);
        let pick = |random: &mut fastrand::Rng| range.address(random.u32(lower..offsets.end)).to_string();
        let free = |address: &String| !taken(&keys::service_address(address));
        let found = (0..PICKS).map(|_| pick(&mut random)).find(free);
        let found = found.or_else(|| (2..offsets.end).map(|number| range.address(number).to_string()).find(free));
        spec.cluster_ip = found
            .ok_or_else(|| Error::internal(format!("failed to allocate a serviceIP for {name}: range is full")))?;
        spec.cluster_ips = vec![spec.cluster_ip.clone()];
    } else if spec.cluster_ip != "None" && !spec.cluster_ip.parse().is_ok_and(|address| range.contains(address)) {
        let mut errors = Errors::default();
        let detail = format!(
            "failed to allocate IP {}: the provided IP ({}) is not in the valid range. The range of valid IPs is {}/{}",
            spec.cluster_ip,
            spec.cluster_ip,
            range.address(0),
            32_u32.saturating_sub(range.bits)
        );
        errors.invalid(&Path::new("spec").child("clusterIPs"), &spec.cluster_ips, &detail);
        return Err(Error::invalid(Kind::Service, &name, &errors));
    }
    choose_node_ports(service, &mut random, taken)
}

fn choose_node_ports(
    service: &mut Service,
    random: &mut fastrand::Rng,
    taken: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let spec = &mut service.spec;
    let wanted = match spec.r#type.as_str() {
        "NodePort" => true,
        "LoadBalancer" => spec.allocate_load_balancer_node_ports.unwrap_or(true),
        _ => {
            spec.ports.iter_mut().for_each(|port| port.node_port = 0);
            false
        }
    };
    let mut chosen: HashSet<i32> = spec.ports.iter().map(|port| port.node_port).collect();
    for port in spec.ports.iter_mut().filter(|port| wanted && port.node_port == 0) {
        let free = |number: &i32| !chosen.contains(number) && !taken(&keys::node_port(*number));
        let found = (0..PICKS).map(|_| random.i32(NODE_PORTS)).find(free).or_else(|| NODE_PORTS.into_iter().find(free));
        port.node_port = found.ok_or_else(|| Error::internal("failed to allocate a nodePort: range is full"))?;
        chosen.insert(port.node_port);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::Resource;
    use squall_api::core::v1::ServicePort;

    #[test]
    fn only_pods_have_the_addresses_of_pods() {
        let range = Range::parse("127.91.0.0/20").unwrap();
        for (address, may_be) in [
            ("127.91.64.2", true),
            ("127.91.255.254", true),
            ("127.91.64.1", false),
            ("127.91.48.1", false),
            ("127.91.47.1", false),
            ("127.91.0.1", false),
            ("127.92.64.2", false),
            ("127.0.0.1", false),
            ("10.0.0.5", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(range.may_be_pod(address.parse().unwrap()), may_be, "{address}");
        }
    }

    fn service(kind: &str) -> Service {
        let mut service = Service::default();
        service.spec.r#type = kind.to_owned();
        service.spec.ports.push(ServicePort { port: 80, ..ServicePort::default() });
        service.set_defaults();
        service
    }

    #[test]
    fn a_service_gets_what_is_free() {
        let range = Range::parse("127.64.0.0/28").unwrap();
        let mut seen = Vec::new();
        for seed in 0..13 {
            let mut service = service("NodePort");
            choose_addresses(&mut service, range, seed, |key| seen.contains(&key.to_owned())).unwrap();
            seen.extend(claims(&service).into_iter().map(|claim| claim.key));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 26, "13 addresses and 13 ports, all different");
        let error =
            choose_addresses(&mut service("ClusterIP"), range, 0, |key| seen.contains(&key.to_owned())).unwrap_err();
        assert!(error.to_string().contains("range is full"));
    }

    #[test]
    fn a_named_address_must_be_in_the_range() {
        let range = Range::parse("127.64.0.0/20").unwrap();
        let mut named = service("ClusterIP");
        named.spec.cluster_ip = "10.0.0.1".to_owned();
        assert!(choose_addresses(&mut named, range, 0, |_| false).unwrap_err().to_string().contains("127.64.0.0/20"));
        named.spec.cluster_ip = "None".to_owned();
        choose_addresses(&mut named, range, 0, |_| false).unwrap();
        assert!(claims(&named).is_empty());
        for bad in ["", "1.2.3.4", "1.2.3.4/33", "x/8", "1.2.3.4/1"] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }
}
