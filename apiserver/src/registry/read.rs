//! Gets and lists.

use std::sync::Arc;

use prost_types::Any;
use squall_api::field_selector::FieldSelector;
use squall_api::labels::Selector;
use squall_api::meta::parse_resource_version;
use squall_api::{Error, Kind, Object};
use tokio::time::Instant;

use super::{REVISION_PATIENCE, Registry, Resource, any, decode_stored};
use crate::keys;
use crate::store::{Revision, State};

/// Which objects of a collection are wanted.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Their kind.
    pub kind: Kind,
    /// What their keys start with.
    pub prefix: String,
    labels: Selector,
    fields: FieldSelector,
}

impl Selection {
    /// Reads the selectors of a request.
    pub fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, Error> {
        let kind = resource.kind;
        let unable = |problem: &str| {
            Error::bad_request(format!(
                "Unable to find {:?} that match label selector {labels:?}, field selector {fields:?}: {problem}",
                format!("{}/{}, Resource={}", kind.info().group, kind.info().version, kind.info().plural)
            ))
        };
        let selection = Self {
            kind,
            prefix: keys::collection(kind, &resource.namespace),
            labels: Selector::parse(labels).map_err(|problem| unable(&problem))?,
            fields: FieldSelector::parse(fields).map_err(|problem| unable(&problem))?,
        };
        let sample = Object::decode(kind, &[])?;
        match selection.fields.unsupported(&sample) {
            Some(field) => Err(unable(&format!("{field:?} is not a known field selector"))),
            None => Ok(selection),
        }
    }

    /// Whether every object of the collection is wanted, so that none needs to be decoded.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether a stored object is wanted.
    pub fn matches(&self, value: &[u8]) -> Result<bool, Error> {
        if self.is_everything() {
            return Ok(true);
        }
        let object = super::decode(self.kind, value, 0)?;
        Ok(self.labels.matches(&object.meta().labels) && self.fields.matches(&object))
    }
}

impl Registry {
    /// A state that is fresh enough: "" the most recent, "0" any, else not older than the revision.
    pub async fn state_for(&self, resource_version: &str) -> Result<Arc<State>, Error> {
        match resource_version {
            "" => self.member().read_barrier(self.deadline()).await?,
            "0" => {}
            text => self.wait_for_revision(parse_resource_version(text)?).await?,
        }
        Ok(self.member().view().state())
    }

    /// Waits until this member has reached a revision.
    pub async fn wait_for_revision(&self, revision: Revision) -> Result<(), Error> {
        let mut reached = self.member().view().watch_revision();
        let deadline = Instant::now() + REVISION_PATIENCE;
        match tokio::time::timeout_at(deadline, reached.wait_for(|reached| *reached >= revision)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::too_large_resource_version(revision, self.member().view().state().revision())),
        }
    }

    /// One object, or its scale.
    pub async fn get(&self, resource: &Resource, resource_version: &str) -> Result<Any, Error> {
        let key = resource.key()?;
        let state = self.state_for(resource_version).await?;
        let entry = state.get(&key).ok_or_else(|| Error::not_found(resource.kind, &resource.name))?;
        match resource.subresource.as_str() {
            "" | "status" => Ok(any(resource.kind, &entry.value, entry.mod_revision)),
            "scale" => super::write::scale_any(&mut decode_stored(resource.kind, entry)?),
            other => Err(Error::method_not_allowed("get", &format!("{}/{other}", resource.kind.info().plural))),
        }
    }

    /// The objects of a collection, and the revision at which they were read.
    pub async fn list(&self, selection: &Selection, resource_version: &str) -> Result<(Revision, Vec<Any>), Error> {
        let state = self.state_for(resource_version).await?;
        let mut items = Vec::new();
        for (_, entry) in state.range(&selection.prefix) {
            if selection.matches(&entry.value)? {
                items.push(any(selection.kind, &entry.value, entry.mod_revision));
            }
        }
        Ok((state.revision(), items))
    }
}
