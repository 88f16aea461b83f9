//! Finds the config maps and secrets that the containers of a pod read.

use squall_proto::core::v1::{Container, Pod};

/// A config map or secret that a container reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigSource<'a> {
    /// True for a secret, false for a config map.
    pub is_secret: bool,
    /// The name of the config map or secret, in the pod's namespace.
    pub name: &'a str,
    /// The only key that is read; empty for all keys.
    pub key: &'a str,
    /// The volume that mounts it; empty for an environment variable.
    pub volume: &'a str,
    /// The container can start without it.
    pub is_optional: bool,
}

/// Returns the sources of a container: first those of its volumes, then those of its environment.
#[must_use]
pub fn config_sources<'a>(pod: &'a Pod, container: &'a Container) -> Vec<ConfigSource<'a>> {
    let mut sources = through_volumes(pod, container);
    for from in &container.env_from {
        let of = |is_secret, name, optional: Option<bool>| ConfigSource {
            is_secret,
            name,
            key: "",
            volume: "",
            is_optional: optional == Some(true),
        };
        let map = from.config_map_ref.as_ref();
        let secret = from.secret_ref.as_ref();
        sources.extend(map.map(|map| of(false, &map.local_object_reference.name, map.optional)));
        sources.extend(secret.map(|secret| of(true, &secret.local_object_reference.name, secret.optional)));
    }
    for from in container.env.iter().filter_map(|variable| variable.value_from.as_ref()) {
        let of = |is_secret, name, key, optional: Option<bool>| ConfigSource {
            is_secret,
            name,
            key,
            volume: "",
            is_optional: optional == Some(true),
        };
        let map = from.config_map_key_ref.as_ref();
        let secret = from.secret_key_ref.as_ref();
        sources.extend(map.map(|map| of(false, &map.local_object_reference.name, &map.key, map.optional)));
        sources.extend(secret.map(|from| of(true, &from.local_object_reference.name, &from.key, from.optional)));
    }
    sources
}

fn through_volumes<'a>(pod: &'a Pod, container: &'a Container) -> Vec<ConfigSource<'a>> {
    let mounted = |name: &str| container.volume_mounts.iter().any(|mount| mount.name == name);
    let mut sources = Vec::new();
    for volume in pod.spec.volumes.iter().filter(|volume| mounted(&volume.name)) {
        let source = &volume.volume_source;
        let mut add = |is_secret, name: &'a str, keys: Vec<&'a str>, optional: Option<bool>| {
            // Without keys, the source itself must still exist.
            let keys = if keys.is_empty() { vec![""] } else { keys };
            let (volume, is_optional) = (volume.name.as_str(), optional == Some(true));
            sources.extend(keys.into_iter().map(|key| ConfigSource { is_secret, name, key, volume, is_optional }));
        };
        if let Some(map) = &source.config_map {
            let keys = map.items.iter().map(|item| item.key.as_str()).collect();
            add(false, &map.local_object_reference.name, keys, map.optional);
        }
        if let Some(secret) = &source.secret {
            add(
                true,
                &secret.secret_name,
                secret.items.iter().map(|item| item.key.as_str()).collect(),
                secret.optional,
            );
        }
        for projection in source.projected.iter().flat_map(|projected| &projected.sources) {
            if let Some(map) = &projection.config_map {
                let keys = map.items.iter().map(|item| item.key.as_str()).collect();
                add(false, &map.local_object_reference.name, keys, map.optional);
            }
            if let Some(secret) = &projection.secret {
                let keys = secret.items.iter().map(|item| item.key.as_str()).collect();
                add(true, &secret.local_object_reference.name, keys, secret.optional);
            }
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Object};
    use serde_json::json;

    #[test]
    fn every_way_to_read_is_found() {
        let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "c", "image": "x",
                "volumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "both", "mountPath": "/b"}],
                "envFrom": [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "all-secret", "optional": true}}],
                "env": [{"name": "A", "value": "b"},
                    {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "k"}}},
                    {"name": "C", "valueFrom": {"secretKeyRef": {"name": "one-secret", "key": "k"}}}]}],
            "volumes": [{"name": "a", "configMap": {"name": "files", "items": [{"key": "f", "path": "f"}]}},
                {"name": "unused", "configMap": {"name": "never"}},
                {"name": "both", "projected": {"sources": [{"configMap": {"name": "p1"}}, {"secret": {"name": "p2"}}]}}]}});
        let pod = Pod::try_from(Object::from_json(Kind::Pod, json).unwrap()).unwrap();
        let found = config_sources(&pod, &pod.spec.containers[0]);
        let told: Vec<String> = found
            .iter()
            .map(|s| format!("{} {} {:?} {:?} {}", s.name, s.is_secret, s.key, s.volume, s.is_optional))
            .collect();
        assert_eq!(
            told,
            [
                r#"files false "f" "a" false"#,
                r#"p1 false "" "both" false"#,
                r#"p2 true "" "both" false"#,
                r#"all false "" "" false"#,
                r#"all-secret true "" "" true"#,
                r#"one false "k" "" false"#,
                r#"one-secret true "k" "" false"#,
            ]
        );
    }
}
