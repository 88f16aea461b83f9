//! Reads the config maps and secrets that a container needs: without them, it does not start. Their values become
//! variables. For volumes, it checks only that the objects and their keys exist.

use std::collections::BTreeSet;

use squall_api::config_source::{ConfigSource, config_sources};
use squall_api::core::v1::{ConfigMap, Container, LocalObjectReference, Pod, Secret};
use squall_client::{Api, Client, Error};

use crate::environment::Contents;
use crate::lifecycle::StartProblem;

/// Reads the contents that become variables of a container. An optional object may be missing.
pub async fn contents(client: &Client, namespace: &str, container: &Container) -> Result<Contents, StartProblem> {
    let mut contents = Contents::default();
    let sources = || container.env.iter().filter_map(|variable| variable.value_from.as_ref());
    let maps = names(
        sources().filter_map(|source| Some(&source.config_map_key_ref.as_ref()?.local_object_reference)),
        container.env_from.iter().filter_map(|source| Some(&source.config_map_ref.as_ref()?.local_object_reference)),
    );
    let secrets = names(
        sources().filter_map(|source| Some(&source.secret_key_ref.as_ref()?.local_object_reference)),
        container.env_from.iter().filter_map(|source| Some(&source.secret_ref.as_ref()?.local_object_reference)),
    );
    for name in maps {
        if let Some(map) = found(Api::<ConfigMap>::new(client.clone(), namespace).get(name).await)? {
            contents.config_maps.insert(name.clone(), map.data);
        }
    }
    for name in secrets {
        if let Some(secret) = found(Api::<Secret>::new(client.clone(), namespace).get(name).await)? {
            let text = |(key, bytes): (String, Vec<u8>)| (key, String::from_utf8_lossy(&bytes).into_owned());
            contents.secrets.insert(name.clone(), secret.data.into_iter().map(text).collect());
        }
    }
    Ok(contents)
}

fn names<'a>(
    of_keys: impl Iterator<Item = &'a LocalObjectReference>,
    of_all: impl Iterator<Item = &'a LocalObjectReference>,
) -> BTreeSet<&'a String> {
    of_keys.chain(of_all).map(|reference| &reference.name).collect()
}

fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, StartProblem> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(StartProblem::Config(error.to_string())),
    }
}

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
