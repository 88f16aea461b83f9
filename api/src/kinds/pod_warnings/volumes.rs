//! Warnings about volumes: sources of the past, and files at the same path.

use std::fmt;

use squall_proto::core::v1::{DownwardApiVolumeFile, KeyToPath, Volume, VolumeProjection, VolumeSource};

use super::warn_of_fraction;
use crate::field::Path;
use crate::warnings::Warnings;

/// How many earlier paths are compared with each: a volume with thousands of files costs no more.
const COMPARED: usize = 256;

pub(super) fn warn(volumes: &[Volume], path: &Path, warnings: &mut Warnings) {
    for (index, volume) in volumes.iter().enumerate() {
        let (source, path) = (&volume.volume_source, path.index(index));
        for (name, reason) in deprecations(source) {
            warnings.at(&path.child(name), reason);
        }
        let template = source.ephemeral.as_ref().and_then(|ephemeral| ephemeral.volume_claim_template.as_ref());
        if let Some(resources) = template.map(|template| &template.spec.resources) {
            let path = path.child("ephemeral").child("volumeClaimTemplate").child("spec").child("resources");
            warn_of_fraction(resources.requests.get("storage"), &path.child("requests").key("storage"), warnings);
            warn_of_fraction(resources.limits.get("storage"), &path.child("limits").key("storage"), warnings);
        }
    }
    volumes.iter().for_each(|volume| warn_of_overlaps(volume, warnings));
}

/// The sources that are deprecated or gone, in Kubernetes' order.
fn deprecations(source: &VolumeSource) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = [
        (
            source.photon_persistent_disk.is_some(),
            "photonPersistentDisk",
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        (source.git_repo.is_some(), "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
        (source.scale_io.is_some(), "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
        (source.flocker.is_some(), "flocker", "deprecated in v1.22, non-functional in v1.25+"),
        (source.storageos.is_some(), "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
        (source.quobyte.is_some(), "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
        (source.glusterfs.is_some(), "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
        (source.cephfs.is_some(), "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
        (source.rbd.is_some(), "rbd", "deprecated in v1.28, non-functional in v1.31+"),
    ];
    all.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, name, reason)| (name, reason))
}

/// A file of a volume, and where it is from.
#[derive(Clone, PartialEq, Eq)]
struct File<'a> {
    path: &'a str,
    source: String,
}

impl fmt::Display for File<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source.as_str() {
            "" => write!(f, "{:?}", self.path),
            source => write!(f, "{:?} ({source})", self.path),
        }
    }
}

fn warn_of_overlaps(volume: &Volume, warnings: &mut Warnings) {
    let source = &volume.volume_source;
    let mut warn = |kind: &str, files: Vec<File<'_>>| {
        for overlap in overlaps(&files) {
            warnings.say(format!("volume {:?} ({kind}): overlapping paths: {overlap}", volume.name));
        }
    };
    if let Some(map) = &source.config_map {
        warn(&format!("ConfigMap {:?}", map.local_object_reference.name), items(&map.items, ""));
    }
    if let Some(secret) = &source.secret {
        warn(&format!("Secret {:?}", secret.secret_name), items(&secret.items, ""));
    }
    if let Some(downward) = &source.downward_api {
        warn("DownwardAPI", fields(&downward.items, ""));
    }
    if let Some(projected) = &source.projected {
        warn("Projected", projected.sources.iter().flat_map(of_projection).collect());
        for _ in projected.sources.iter().filter(|source| **source == VolumeProjection::default()) {
            warnings.say(format!("volume {:?} (Projected) has no sources provided", volume.name));
        }
    }
}

fn items<'a>(items: &'a [KeyToPath], source: &str) -> Vec<File<'a>> {
    items.iter().map(|item| File { path: &item.path, source: source.to_owned() }).collect()
}

fn fields<'a>(items: &'a [DownwardApiVolumeFile], source: &str) -> Vec<File<'a>> {
    items.iter().map(|item| File { path: &item.path, source: source.to_owned() }).collect()
}

fn of_projection(source: &VolumeProjection) -> Vec<File<'_>> {
    let one = |path, source: String| vec![File { path, source }];
    if let Some(map) = &source.config_map {
        return items(&map.items, &format!("ConfigMap {:?}", map.local_object_reference.name));
    }
    if let Some(secret) = &source.secret {
        return items(&secret.items, &format!("Secret {:?}", secret.local_object_reference.name));
    }
    if let Some(downward) = &source.downward_api {
        return fields(&downward.items, "DownwardAPI");
    }
    if let Some(token) = &source.service_account_token {
        return one(&token.path, "ServiceAccountToken".to_owned());
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        let name = bundle.name.as_ref().or(bundle.signer_name.as_ref()).map_or("", String::as_str);
        return one(&bundle.path, format!("ClusterTrustBundle {name:?}"));
    }
    let certificate = source.pod_certificate.iter().flat_map(|certificate| {
        [
            (&certificate.certificate_chain_path, "PodCertificate chain"),
            (&certificate.key_path, "PodCertificate key"),
            (&certificate.credential_bundle_path, "PodCertificate credential bundle"),
        ]
    });
    let files = certificate.filter(|(path, _)| !path.is_empty());
    files.map(|(path, source)| File { path, source: source.to_owned() }).collect()
}

/// Returns each pair of files of which one is, or is in, the other.
fn overlaps(files: &[File<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    let mut earlier: Vec<File<'_>> = Vec::new();
    for file in files {
        let file = File { path: file.path.trim_end_matches('/'), source: file.source.clone() };
        let clashes = earlier.iter().filter(|other| is_within(&file, other) || is_within(other, &file));
        found.extend(clashes.map(|other| format!("{file} with {other}")));
        if earlier.len() < COMPARED && !file.path.is_empty() {
            earlier.push(file);
        }
    }
    found
}

fn is_within(inner: &File<'_>, outer: &File<'_>) -> bool {
    let rest = inner.path.strip_prefix(outer.path);
    !outer.path.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
