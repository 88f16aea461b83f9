//! The volumes of a pod.

mod claim;
mod disks;
mod files;
mod projected;
mod shares;

use std::collections::{BTreeMap, HashSet};

use squall_proto::core::v1::{PodSpec, Volume, VolumeSource};
use squall_proto::meta::v1::ObjectMeta;

use super::paths;
use crate::field::{Errors, Path};
use crate::names;
use crate::quantity;

/// Validates volumes, and returns the valid ones by name.
pub(super) fn validate<'a>(
    volumes: &'a [Volume],
    pod: Option<&ObjectMeta>,
    path: &Path,
    errors: &mut Errors,
) -> BTreeMap<&'a str, &'a VolumeSource> {
    let is_pod = pod.is_some();
    let pod = pod.map(|pod| pod.name.as_str()).filter(|name| !name.is_empty());
    let created: HashSet<String> = pod
        .into_iter()
        .flat_map(|pod| volumes.iter().filter(|v| v.volume_source.ephemeral.is_some()).map(move |v| claim_name(pod, v)))
        .collect();
    let mut valid = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let mut own = Errors::default();
        validate_source(volume, pod, &path, &mut own);
        if let Some(image) = volume.volume_source.image.as_ref().filter(|_| is_pod) {
            // Kubernetes: the owner of a template may fill it in later.
            required(&image.reference, "reference", &path.child("image"), &mut own);
        }
        if volume.name.is_empty() {
            own.required(&path.child("name"), "");
        } else {
            own.named(&path.child("name"), &volume.name, names::dns1123_label);
        }
        if valid.contains_key(volume.name.as_str()) {
            own.duplicate(&path.child("name"), &volume.name);
        }
        if own.is_empty() {
            valid.insert(volume.name.as_str(), &volume.volume_source);
        }
        errors.append(own);
        if let Some(claim) = &volume.volume_source.persistent_volume_claim
            && created.contains(&claim.claim_name)
        {
            let path = path.child("persistentVolumeClaim").child("claimName");
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            errors.invalid(&path, &claim.claim_name, detail);
        }
    }
    valid
}

/// A token needs the service account that it is for.
pub(super) fn validate_tokens(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if !spec.service_account_name.is_empty() {
        return;
    }
    for (index, volume) in spec.volumes.iter().enumerate() {
        let path = path.child("volumes").index(index).child("projected").child("sources");
        let sources = volume.volume_source.projected.iter().flat_map(|projected| &projected.sources);
        for (index, _) in sources.enumerate().filter(|(_, source)| source.service_account_token.is_some()) {
            let path = path.index(index).child("serviceAccountToken");
            errors.forbidden(&path, "must not be specified when serviceAccountName is not set");
        }
    }
}

/// Kubernetes: the claim of an ephemeral volume is named after its pod and itself.
fn claim_name(pod: &str, volume: &Volume) -> String {
    format!("{pod}-{}", volume.name)
}

/// The sources of one volume, of which there may be one.
struct Sources<'a> {
    path: &'a Path,
    errors: &'a mut Errors,
    found: bool,
}

impl Sources<'_> {
    fn check<T>(&mut self, source: Option<&T>, name: &str, rule: impl FnOnce(&T, &Path, &mut Errors)) {
        self.check_named(source, (name, name), rule);
    }

    /// Kubernetes names a few sources in another way if they are too many.
    fn check_named<T>(
        &mut self,
        source: Option<&T>,
        (name, repeated): (&str, &str),
        rule: impl FnOnce(&T, &Path, &mut Errors),
    ) {
        let Some(source) = source else { return };
        if self.found {
            self.errors.forbidden(&self.path.child(repeated), "may not specify more than 1 volume type");
        } else {
            self.found = true;
            rule(source, &self.path.child(name), self.errors);
        }
    }
}

fn validate_source(volume: &Volume, pod: Option<&str>, path: &Path, errors: &mut Errors) {
    let source = &volume.volume_source;
    let mut sources = Sources { path, errors, found: false };
    sources.check(source.empty_dir.as_ref(), "emptyDir", |source, path, errors| {
        if source.size_limit.as_ref().and_then(quantity::parse).is_some_and(|limit| limit.0 < 0) {
            errors.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
        }
    });
    sources.check(source.host_path.as_ref(), "hostPath", files::host_path);
    sources.check(source.git_repo.as_ref(), "gitRepo", files::git_repo);
    let names = ("persistentDisk", "gcePersistentDisk");
    sources.check_named(source.gce_persistent_disk.as_ref(), names, disks::gce);
    sources.check(source.aws_elastic_block_store.as_ref(), "awsElasticBlockStore", disks::aws);
    sources.check(source.secret.as_ref(), "secret", files::secret);
    sources.check(source.nfs.as_ref(), "nfs", shares::nfs);
    sources.check(source.iscsi.as_ref(), "iscsi", disks::iscsi);
    if let Some(iscsi) = source.iscsi.as_ref().filter(|iscsi| iscsi.initiator_name.is_some()) {
        disks::iscsi_name(iscsi, &volume.name, path, sources.errors);
    }
    sources.check(source.glusterfs.as_ref(), "glusterfs", shares::glusterfs);
    sources.check(source.flocker.as_ref(), "flocker", shares::flocker);
    sources.check(source.persistent_volume_claim.as_ref(), "persistentVolumeClaim", |source, path, errors| {
        required(&source.claim_name, "claimName", path, errors);
    });
    sources.check(source.rbd.as_ref(), "rbd", disks::rbd);
    sources.check(source.cinder.as_ref(), "cinder", disks::cinder);
    sources.check_named(source.cephfs.as_ref(), ("cephfs", "cephFS"), shares::cephfs);
    sources.check(source.quobyte.as_ref(), "quobyte", shares::quobyte);
    sources.check_named(source.downward_api.as_ref(), ("downwardAPI", "downwarAPI"), files::downward_api);
    sources.check(source.fc.as_ref(), "fc", disks::fibre_channel);
    sources.check(source.flex_volume.as_ref(), "flexVolume", shares::flex);
    sources.check(source.config_map.as_ref(), "configMap", files::config_map);
    sources.check(source.azure_file.as_ref(), "azureFile", shares::azure_file);
    sources.check(source.vsphere_volume.as_ref(), "vsphereVolume", |source, path, errors| {
        required(&source.volume_path, "volumePath", path, errors);
    });
    sources.check(source.photon_persistent_disk.as_ref(), "photonPersistentDisk", |source, path, errors| {
        required(&source.pd_id, "pdID", path, errors);
    });
    sources.check(source.portworx_volume.as_ref(), "portworxVolume", |source, path, errors| {
        required(&source.volume_id, "volumeID", path, errors);
    });
    sources.check(source.azure_disk.as_ref(), "azureDisk", disks::azure);
    sources.check(source.storageos.as_ref(), "storageos", disks::storage_os);
    sources.check(source.projected.as_ref(), "projected", projected::validate);
    sources.check(source.scale_io.as_ref(), "scaleIO", disks::scale_io);
    sources.check(source.csi.as_ref(), "csi", claim::csi);
    sources.check(source.ephemeral.as_ref(), "ephemeral", |source, ephemeral, errors| {
        claim::ephemeral(source, ephemeral, errors);
        if let Some(pod) = pod.filter(|_| !volume.name.is_empty()) {
            claim::name(&claim_name(pod, volume), &volume.name, path, errors);
        }
    });
    sources.check(source.image.as_ref(), "image", files::image);
    if !sources.found {
        errors.required(path, "must specify a volume type");
    }
}

/// Reports an empty field.
fn required(value: &str, field: &str, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(&path.child(field), "");
    }
}
