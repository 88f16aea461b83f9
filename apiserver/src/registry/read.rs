//! Gets and lists.

use std::sync::Arc;

use prost_types::Any;
use squall_api::error::Reason;
use squall_api::field_selector::FieldSelector;
use squall_api::labels::Selector;
use squall_api::{Error, Kind, Object};
use tokio::time::Instant;

use super::freshness::{Freshness, VersionOptions};
use super::page::Continuation;
use super::{REVISION_PATIENCE, Registry, Resource, any, decode_stored};
use crate::keys;
use crate::store::{Entry, Revision, State};

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
        let mut fields = FieldSelector::parse(fields).map_err(Error::bad_request)?;
        if !resource.name.is_empty() {
            fields.require("metadata.name", &resource.name);
        }
        let sample = Object::decode(kind, &[])?;
        if let Some(field) = fields.unsupported(&sample) {
            return Err(Error::bad_request(format!("field label not supported: {field}")));
        }
        Ok(Self {
            kind,
            prefix: keys::collection(kind, &resource.namespace),
            labels: Selector::parse(labels).map_err(Error::bad_request)?,
            fields,
        })
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

/// What a list says beside its selectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListOptions<'a> {
    /// Resource versions and the token of the page before.
    pub versions: VersionOptions<'a>,
    /// At most so many objects; 0: all.
    pub limit: usize,
    /// The list is cut when its objects take up more than this.
    pub max_bytes: usize,
}

/// Some objects of a collection, as they are stored.
#[derive(Debug)]
pub struct Listing {
    /// The revision at which they were read.
    pub revision: Revision,
    /// The objects.
    pub entries: Vec<Entry>,
    /// Where to go on, when there is more.
    pub next: Option<Continuation>,
    /// How many there are after these, where that is known.
    pub remaining: Option<usize>,
}

impl Registry {
    /// A state that is fresh enough.
    pub async fn state(&self, freshness: Freshness) -> Result<Arc<State>, Error> {
        match freshness {
            Freshness::MostRecent => self.member().read_barrier(self.deadline()).await?,
            Freshness::Any => {}
            Freshness::NotOlderThan(revision) => self.wait_for_revision(revision).await?,
            Freshness::Exact(revision) => {
                self.wait_for_revision(revision).await?;
                return self.member().view().state_at(revision).map_err(|_| Error::expired_list());
            }
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
        let state = self.state(Freshness::of_get(resource_version)?).await?;
        let entry = state.get(&key).ok_or_else(|| Error::not_found(resource.kind, &resource.name))?;
        match resource.subresource.as_str() {
            "" | "status" => Ok(any(resource.kind, &entry.value, entry.mod_revision)),
            "scale" => super::write::scale_any(&mut decode_stored(resource.kind, entry)?),
            other => Err(Error::method_not_allowed("get", &format!("{}/{other}", resource.kind.info().plural))),
        }
    }

    /// The objects of a collection.
    pub async fn list(&self, selection: &Selection, options: &ListOptions<'_>) -> Result<Listing, Error> {
        let (state, start) = self.list_state(selection, options).await?;
        let mut listing = Listing { revision: state.revision(), entries: Vec::new(), next: None, remaining: None };
        let mut bytes = 0;
        let limit = if options.limit == 0 { usize::MAX } else { options.limit };
        let mut range = state.range_from(&selection.prefix, &start);
        let mut last = "";
        while let Some((key, entry)) = range.next() {
            if !selection.matches(&entry.value)? {
                continue;
            }
            if listing.entries.len() == limit || (bytes > options.max_bytes && !listing.entries.is_empty()) {
                let after = last.strip_prefix(&selection.prefix).unwrap_or(last);
                listing.next = Some(Continuation::after(after, state.revision()));
                listing.remaining = selection.is_everything().then(|| 1 + range.count());
                break;
            }
            bytes += entry.value.len();
            listing.entries.push(entry.clone());
            last = key;
        }
        Ok(listing)
    }

    /// The state that a list is of, and the key that it begins at.
    async fn list_state(
        &self,
        selection: &Selection,
        options: &ListOptions<'_>,
    ) -> Result<(Arc<State>, String), Error> {
        let versions = &options.versions;
        let freshness = Freshness::of_list(versions, options.limit > 0)?;
        if versions.continue_token.is_empty() {
            return Ok((self.state(freshness).await?, selection.prefix.clone()));
        }
        if !matches!(versions.version, "" | "0") {
            return Err(Error::bad_request("specifying resource version is not allowed when using continue"));
        }
        let page = Continuation::parse(versions.continue_token)?;
        let start = format!("{}{}", selection.prefix, page.start());
        let freshness = page.revision().map_or(Freshness::MostRecent, Freshness::Exact);
        let state = self.state(freshness).await.map_err(|error| match error.is(Reason::Expired) {
            true => Error::expired_continue(&page.inconsistent().token()),
            false => error,
        })?;
        Ok((state, start))
    }
}
