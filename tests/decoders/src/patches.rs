//! The four kinds of patches, applied to a stored object.

use jiff::Timestamp;
use serde_json::{Value, json};
use squall_api::apply::OnConflict;
use squall_api::decode::FieldValidation;
use squall_api::metav1::v1::Time;
use squall_api::patch::{Patch, PatchType};
use squall_api::{Kind, Object, duplicates, manifest};
use squall_apiserver::admission::{self, Birth};

use crate::objects::survives;
use crate::split;

/// No patch makes an object longer than this many times its own length and the patch's.
const GROWTH: usize = 64;

/// Applies a list of operations.
pub fn json(bytes: &[u8]) {
    patched(PatchType::Json, bytes);
}

/// Applies a merge patch. The second time, it changes nothing.
pub fn merge(bytes: &[u8]) {
    let Some((patch, once)) = patched(PatchType::Merge, bytes) else { return };
    let twice = admission::patch(&once, &patch, FieldValidation::Ignore).map(|twice| twice.object);
    assert_eq!(twice.as_ref().ok(), Some(&once), "a merge patch changes its own result");
}

/// Applies a strategic merge patch.
pub fn strategic(bytes: &[u8]) {
    patched(PatchType::Strategic, bytes);
}

/// Applies configurations of two managers in turn. One that is admitted changes nothing when it is applied again.
pub fn apply(bytes: &[u8]) {
    let birth = Birth { uid: "u".to_owned(), now: Timestamp::UNIX_EPOCH, seed: 1 };
    let Ok(mut object) = admission::create(stored(), &birth) else { return };
    for (place, config) in split(bytes).into_iter().take(8).enumerate() {
        let Some(config) = document(config) else { continue };
        let manager = ["one", "two"][place % 2];
        let applied = |object: &Object| {
            let who = (manager, "", Time { seconds: 1, nanos: 0 });
            let merged = admission::apply(object, &config, who, OnConflict::TakeOver, FieldValidation::Ignore)?;
            survives(&merged.object);
            admission::update(merged.object, object)
        };
        let Ok(once) = applied(&object) else { continue };
        let twice = applied(&once);
        assert_eq!(twice.as_ref().ok(), Some(&once), "a configuration that is applied again changes its object");
        object = once;
    }
}

fn document(bytes: &[u8]) -> Option<Value> {
    let json = duplicates::from_slice(bytes).ok().map(|(json, _)| json);
    json.or_else(|| manifest::parse(std::str::from_utf8(bytes).ok()?).ok())
}

fn patched(patch_type: PatchType, bytes: &[u8]) -> Option<(Patch, Object)> {
    let patch = Patch::parse(patch_type, bytes).ok()?;
    let stored = stored();
    let object = admission::patch(&stored, &patch, FieldValidation::Warn).ok()?.object;
    survives(&object);
    let bound = GROWTH * (stored.encode().len() + bytes.len());
    assert!(object.encode().len() <= bound, "the object grows to {} bytes", object.encode().len());
    Some((patch, object))
}

/// Returns the object that patches are applied to.
///
/// # Panics
/// Never: it can be read.
#[must_use]
#[expect(clippy::unwrap_used, reason = "the manifest below is an object")]
pub fn stored() -> Object {
    let json = json!({
        "metadata": {"name": "kubia", "namespace": "default", "finalizers": ["a", "b"], "labels": {"app": "kubia"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "kubia"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"labels": {"app": "kubia"}},
                "spec": {"containers": [
                    {"name": "a", "image": "i:1", "ports": [{"containerPort": 80}], "env": [{"name": "X"}]},
                    {"name": "b", "image": "i:2"},
                ]},
            },
        },
    });
    Object::from_json(Kind::Deployment, json).unwrap()
}
