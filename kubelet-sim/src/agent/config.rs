//! Checks the config maps and secrets that a container needs: without them, it does not start.
//!
//! Their values do not reach the simulated application. Only the existence of the objects and their keys is checked.

use std::collections::BTreeSet;

use squall_api::config_source::{ConfigSource, config_sources};
use squall_api::core::v1::{ConfigMap, Container, Pod, Secret};
use squall_client::{Api, Client};

use crate::lifecycle::StartProblem;

/// Checks that all objects and keys that the container requires exist.
pub async fn check(client: &Client, pod: &Pod, container: &Container) -> Result<(), StartProblem> {
    for source in config_sources(pod, container).iter().filter(|source| !source.is_optional) {
        if let Err(problem) = look_up(client, &pod.metadata.namespace, source).await {
            return Err(match source.volume {
                "" => StartProblem::Config(problem),
                name => StartProblem::Volume(format!("MountVolume.SetUp failed for volume {name:?} : {problem}")),
            });
        }
    }
    Ok(())
}

async fn look_up(client: &Client, namespace: &str, source: &ConfigSource<'_>) -> Result<(), String> {
    let ConfigSource { name, key, .. } = source;
    let kind = if source.is_secret { "Secret" } else { "ConfigMap" };
    let keys: Result<BTreeSet<String>, _> = if source.is_secret {
        let found = Api::<Secret>::new(client.clone(), namespace).get(name).await;
        found.map(|secret| secret.data.into_keys().collect())
    } else {
        let found = Api::<ConfigMap>::new(client.clone(), namespace).get(name).await;
        found.map(|map| map.data.into_keys().chain(map.binary_data.into_keys()).collect())
    };
    match keys {
        Ok(keys) if key.is_empty() || keys.contains(*key) => Ok(()),
        Ok(_) if source.volume.is_empty() => Err(format!("couldn't find key {key} in {kind} {namespace}/{name}")),
        Ok(_) => Err(format!("references non-existent {} key: {key}", kind.to_lowercase())),
        Err(error) if error.is_not_found() => Err(format!("{} {name:?} not found", kind.to_lowercase())),
        Err(error) => Err(error.to_string()),
    }
}
