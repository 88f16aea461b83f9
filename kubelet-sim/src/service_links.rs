//! The variables that lead a container to services. Pure functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_api::core::v1::{Pod, Service};

/// Returns the variables of the services in the pod's namespace, and of the API (Kubernetes: `enableServiceLinks`).
#[must_use]
pub fn variables(services: &[Arc<Service>], pod: &Pod) -> Vec<(String, String)> {
    let mut chosen: BTreeMap<&str, &Service> = BTreeMap::new();
    let with_address = services.iter().filter(|service| !matches!(service.spec.cluster_ip.as_str(), "" | "None"));
    for service in with_address {
        let meta = &service.metadata;
        if meta.namespace == pod.metadata.namespace && pod.spec.enable_service_links != Some(false) {
            chosen.insert(&meta.name, service);
        } else if (meta.namespace.as_str(), meta.name.as_str()) == ("default", "kubernetes") {
            chosen.entry(&meta.name).or_insert(service);
        }
    }
    chosen.into_values().flat_map(links).collect()
}

fn links(service: &Service) -> Vec<(String, String)> {
    let upper = |name: &str| name.replace('-', "_").to_ascii_uppercase();
    let (name, ip) = (upper(&service.metadata.name), &service.spec.cluster_ip);
    let Some(first) = service.spec.ports.first() else { return Vec::new() };
    let mut links = vec![
        (format!("{name}_SERVICE_HOST"), ip.clone()),
        (format!("{name}_SERVICE_PORT"), first.port.to_string()),
        (format!("{name}_PORT"), format!("{}://{ip}:{}", first.protocol.to_ascii_lowercase(), first.port)),
    ];
    for port in &service.spec.ports {
        if !port.name.is_empty() {
            links.push((format!("{name}_SERVICE_PORT_{}", upper(&port.name)), port.port.to_string()));
        }
        let (number, protocol) = (port.port, port.protocol.to_ascii_lowercase());
        let prefix = format!("{name}_PORT_{number}_{}", port.protocol);
        links.extend([
            (prefix.clone(), format!("{protocol}://{ip}:{number}")),
            (format!("{prefix}_PROTO"), protocol),
            (format!("{prefix}_PORT"), number.to_string()),
            (format!("{prefix}_ADDR"), ip.clone()),
        ]);
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(namespace: &str, name: &str, ip: &str, port: &str) -> Arc<Service> {
        let text = format!(
            r#"{{"metadata": {{"namespace": "{namespace}", "name": "{name}"}}, "spec": {{"clusterIP": "{ip}",
               "ports": [{{"port": 80, "protocol": "TCP"{port}}}]}}}}"#
        );
        Arc::new(serde_json::from_str(&text).unwrap())
    }

    fn found(namespace: &str, links: Option<bool>) -> Vec<(String, String)> {
        let services = [
            service("default", "kubernetes", "127.0.0.1", ""),
            service("mine", "my-shop", "127.0.0.2", r#", "name": "http""#),
            service("mine", "headless", "None", ""),
            service("other", "hidden", "127.0.0.3", ""),
        ];
        let mut pod = Pod::default();
        namespace.clone_into(&mut pod.metadata.namespace);
        pod.spec.enable_service_links = links;
        variables(&services, &pod)
    }

    #[test]
    fn a_container_knows_the_services_of_its_namespace_and_the_api() {
        let shop: Vec<_> = found("mine", None).into_iter().filter(|(name, _)| name.starts_with("MY_SHOP")).collect();
        let expected = [
            ("MY_SHOP_SERVICE_HOST", "127.0.0.2"),
            ("MY_SHOP_SERVICE_PORT", "80"),
            ("MY_SHOP_PORT", "tcp://127.0.0.2:80"),
            ("MY_SHOP_SERVICE_PORT_HTTP", "80"),
            ("MY_SHOP_PORT_80_TCP", "tcp://127.0.0.2:80"),
            ("MY_SHOP_PORT_80_TCP_PROTO", "tcp"),
            ("MY_SHOP_PORT_80_TCP_PORT", "80"),
            ("MY_SHOP_PORT_80_TCP_ADDR", "127.0.0.2"),
        ];
        assert_eq!(shop, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn others_and_headless_ones_are_left_out() {
        let hosts = |namespace, links| -> Vec<String> {
            let names = found(namespace, links).into_iter().map(|(name, _)| name);
            names.filter(|name| name.ends_with("_SERVICE_HOST")).collect()
        };
        assert_eq!(hosts("mine", Some(true)), ["KUBERNETES_SERVICE_HOST", "MY_SHOP_SERVICE_HOST"]);
        assert_eq!(hosts("mine", Some(false)), ["KUBERNETES_SERVICE_HOST"]);
        assert_eq!(hosts("other", None), ["HIDDEN_SERVICE_HOST", "KUBERNETES_SERVICE_HOST"]);
    }
}
