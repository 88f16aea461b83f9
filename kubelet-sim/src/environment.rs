//! The environment of a container: its variables, and their values in its command. Pure functions.

use std::collections::{BTreeMap, HashMap};

use squall_api::core::v1::{Container, EnvVarSource, Pod, ResourceFieldSelector};
use squall_api::quantity::{self, Milli};

/// The sources of a container's variables: the contents of config maps and secrets by their names, and services.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The data of config maps.
    pub config_maps: HashMap<String, BTreeMap<String, String>>,
    /// The data of secrets.
    pub secrets: HashMap<String, BTreeMap<String, String>>,
    /// The variables that lead to services.
    pub service_links: Vec<(String, String)>,
}

/// The place of a container.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The address of the pod.
    pub pod_ip: &'a str,
    /// The address of the node.
    pub host_ip: &'a str,
    /// The processors and the memory of the node, for a container without limits.
    pub node: (Milli, Milli),
}

/// Returns the variables of a container, in their order. Later ones may refer to earlier ones.
#[must_use]
pub fn variables(pod: &Pod, container: &Container, contents: &Contents, place: Place<'_>) -> Vec<(String, String)> {
    let mut known = contents.service_links.clone();
    for source in &container.env_from {
        let map = source.config_map_ref.as_ref().map(|it| (&contents.config_maps, &it.local_object_reference.name));
        let secret = source.secret_ref.as_ref().map(|it| (&contents.secrets, &it.local_object_reference.name));
        let found = map.or(secret).and_then(|(all, name)| all.get(name));
        for (key, value) in found.into_iter().flatten() {
            set(&mut known, format!("{}{key}", source.prefix), value.clone());
        }
    }
    for variable in &container.env {
        let value = match &variable.value_from {
            Some(source) => of_source(source, pod, container, contents, place),
            None => Some(expand(&variable.value, &known)),
        };
        if let Some(value) = value {
            set(&mut known, variable.name.clone(), value);
        }
    }
    known
}

fn set(known: &mut Vec<(String, String)>, name: String, value: String) {
    match known.iter_mut().find(|(other, _)| *other == name) {
        Some((_, old)) => *old = value,
        None => known.push((name, value)),
    }
}

/// Puts the values of variables into a text: `$(NAME)`. `$$` is a dollar sign, and an unknown name stays as it is.
#[must_use]
pub fn expand(text: &str, variables: &[(String, String)]) -> String {
    let (mut expanded, mut rest) = (String::with_capacity(text.len()), text);
    // Without it, each opening parenthesis would be followed to the end of the text.
    let mut closes = true;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let inner = after.strip_prefix('(').filter(|_| closes);
        let name = inner.and_then(|inner| inner.split_once(')'));
        closes &= inner.is_none() || name.is_some();
        rest = match (after.strip_prefix('$'), name) {
            (Some(after), _) => {
                expanded.push('$');
                after
            }
            (None, Some((name, after))) => {
                match variables.iter().find(|(known, _)| known == name) {
                    Some((_, value)) => expanded.push_str(value),
                    None => {
                        expanded.push_str("$(");
                        expanded.push_str(name);
                        expanded.push(')');
                    }
                }
                after
            }
            (None, None) => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

fn of_source(
    source: &EnvVarSource,
    pod: &Pod,
    container: &Container,
    contents: &Contents,
    place: Place<'_>,
) -> Option<String> {
    let key = |all: &HashMap<String, BTreeMap<String, String>>, name: &str, key: &str| all.get(name)?.get(key).cloned();
    if let Some(field) = &source.field_ref {
        return of_field(&field.field_path, pod, place);
    }
    if let Some(resource) = &source.resource_field_ref {
        return of_resource(resource, container, place);
    }
    if let Some(selector) = &source.config_map_key_ref {
        return key(&contents.config_maps, &selector.local_object_reference.name, &selector.key);
    }
    let selector = source.secret_key_ref.as_ref()?;
    key(&contents.secrets, &selector.local_object_reference.name, &selector.key)
}

fn of_field(path: &str, pod: &Pod, place: Place<'_>) -> Option<String> {
    let metadata = &pod.metadata;
    if let Some((field, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let map = if field == "metadata.labels" { &metadata.labels } else { &metadata.annotations };
        return Some(map.get(key).cloned().unwrap_or_default());
    }
    Some(match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "spec.nodeName" => pod.spec.node_name.clone(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone(),
        "status.hostIP" | "status.hostIPs" => place.host_ip.to_owned(),
        "status.podIP" | "status.podIPs" => place.pod_ip.to_owned(),
        _ => return None,
    })
}

/// Kubernetes: rounded up to whole divisors. Without a limit, a container may use the node.
fn of_resource(selector: &ResourceFieldSelector, container: &Container, place: Place<'_>) -> Option<String> {
    let (list, name) = selector.resource.split_once('.')?;
    let (cpu, memory) = place.node;
    let amounts = if list == "limits" { &container.resources.limits } else { &container.resources.requests };
    let given = amounts.get(name).and_then(quantity::parse);
    let Milli(amount) = match (given, list, name) {
        (Some(amount), _, _) => amount,
        (None, "limits", "cpu") => cpu,
        (None, "limits", "memory") => memory,
        _ => Milli(0),
    };
    let divisor = quantity::parse(&selector.divisor).filter(|divisor| divisor.0 > 0).unwrap_or(Milli(1_000));
    let rounded = amount.saturating_add(divisor.0.saturating_sub(1)).checked_div(divisor.0)?;
    Some(rounded.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> =
        Place { pod_ip: "127.64.64.2", host_ip: "127.64.64.1", node: (Milli(32_000), Milli(1 << 40)) };

    fn of(container: &str, contents: &Contents) -> Vec<(String, String)> {
        let container: Container = serde_json::from_str(container).unwrap();
        let mut pod = Pod::default();
        "p".clone_into(&mut pod.metadata.name);
        pod.metadata.labels.insert("app".to_owned(), "x".to_owned());
        variables(&pod, &container, contents, PLACE)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn variables_come_from_many_places() {
        let map = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        let contents = Contents { config_maps: HashMap::from([("m".to_owned(), map)]), ..Contents::default() };
        let container = r#"{"envFrom": [{"prefix": "X_", "configMapRef": {"name": "m"}}], "env": [
            {"name": "X_a", "value": "own"}, {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "b"}}},
            {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "z"}}},
            {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "ALL", "value": "$(ME) $(B) $(LATER) $$(ME) 5$"}]}"#;
        let expected = pairs(&[
            ("X_a", "own"),
            ("X_b", "2"),
            ("B", "2"),
            ("ME", "p"),
            ("APP", "x"),
            ("ALL", "p 2 $(LATER) $(ME) 5$"),
        ]);
        assert_eq!(of(container, &contents), expected);
    }

    #[test]
    fn resources_are_rounded_up_to_whole_divisors() {
        let container = r#"{"resources": {"limits": {"cpu": "1250m"}, "requests": {"memory": "33Mi"}}, "env": [
            {"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
            {"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory", "divisor": "32Mi"}}},
            {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}}]}"#;
        let found = of(container, &Contents::default());
        assert_eq!(found, pairs(&[("A", "2"), ("B", "1250"), ("C", "2"), ("D", "1049")]));
    }
}
