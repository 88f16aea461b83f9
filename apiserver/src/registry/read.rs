//! Gets and lists.

use std::sync::Arc;

use prost_types::Any;
use squall_api::error::Reason;
use squall_api::field_selector::FieldSelector;
use squall_api::labels::{Selector, Sought};
use squall_api::timing::later;
use squall_api::{Error, Object};
use squall_faults::mutants::Mutant;
use tokio::time::Instant;

use super::freshness::{Freshness, VersionOptions};
use super::page::Continuation;
use super::{REVISION_PATIENCE, Registry, any, decode_stored};
use crate::fairness::turn;
use crate::request::{ResourceRef, Served, Subresource};
use crate::store::{Entry, Revision, State, Term};
use crate::{keys, scan};

/// Number of objects that a list looks at in one turn.
const TURN_ENTRIES: usize = 1_000;

/// The objects of a collection that a request selects.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Kind of the selected objects.
    pub served: Served,
    /// Name of their collection: `deployments.apps`.
    collection: String,
    /// Common prefix of their keys.
    pub prefix: String,
    labels: Selector,
    fields: FieldSelector,
    /// Key of the only object that can match.
    only_key: Option<String>,
}

impl Selection {
    /// Parses the selectors of a request.
    pub fn parse(resource: &ResourceRef, labels: &str, fields: &str) -> Result<Self, Error> {
        let kind = resource.kind;
        let mut fields = FieldSelector::parse(fields).map_err(Error::bad_request)?;
        if !resource.name.is_empty() {
            fields.require("metadata.name", &resource.name);
        }
        let mut sample = Object::decode(kind, &[])?;
        sample.follow(resource.version.as_ref());
        if let Some(field) = fields.unsupported(&sample) {
            return Err(Error::bad_request(format!("field label not supported: {field}")));
        }
        let name = fields.equalities().find(|(field, _)| *field == "metadata.name").map(|(_, name)| name);
        let is_in_one_place = !kind.info().is_namespaced() || !resource.namespace.is_empty();
        let only_key = name.filter(|_| is_in_one_place).map(|name| keys::object(kind, &resource.namespace, name));
        Ok(Self {
            served: resource.served(),
            collection: kind.info().plural_group(),
            only_key,
            prefix: keys::collection(kind, &resource.namespace),
            labels: Selector::parse(labels).map_err(Error::bad_request)?,
            fields,
        })
    }

    /// Whether every object of the collection matches, so that none needs to be decoded.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether a stored object matches.
    pub fn matches(&self, value: &[u8]) -> Result<bool, Error> {
        if self.is_everything() {
            return Ok(true);
        }
        if !self.labels.is_everything() && !self.labels.matches(&scan::labels(value)?) {
            return Ok(false);
        }
        for name in self.fields.fields() {
            let Some(field) = scan::find(self.served.kind, name) else {
                return Ok(self.fields.matches(&super::decode(&self.served, value, 0)?));
            };
            if !self.fields.holds(name, field.read(value)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the entries that may match, in order. The index excludes others where it can.
    pub fn candidates<'a>(
        &'a self,
        state: &'a State,
        start: &'a str,
    ) -> Box<dyn Iterator<Item = (&'a str, &'a Entry)> + Send + 'a> {
        match &self.only_key {
            Some(key) if key.as_str() >= start => {
                Box::new(state.range(key).take(1).filter(move |found| found.0 == key))
            }
            Some(_) => Box::new(std::iter::empty()),
            None => state.candidates(&self.prefix, start, &self.terms()),
        }
    }

    /// Returns groups of index terms. Every matching object has one term of each group.
    fn terms(&self) -> Vec<Vec<Term>> {
        let labels = self.labels.sought().map(|sought| match sought {
            Sought::Value(key, values) => {
                values.iter().map(|value| Term::label(&self.collection, key, value)).collect()
            }
            Sought::Key(key) => vec![Term::labeled(&self.collection, key)],
        });
        let indexed = |name: &str| scan::find(self.served.kind, name).is_some_and(|field| field.indexed);
        let fields = self.fields.equalities().filter(|(name, _)| indexed(name));
        labels.chain(fields.map(|(name, value)| vec![Term::field(&self.collection, name, value)])).collect()
    }
}

/// The options of a list besides its selectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListOptions<'a> {
    /// Resource versions and the token of the previous page.
    pub versions: VersionOptions<'a>,
    /// Maximum number of objects; 0 means no limit.
    pub limit: usize,
    /// The list is truncated when its objects exceed this size.
    pub max_bytes: usize,
}

/// The selected objects of a collection, as they are stored.
#[derive(Debug)]
pub struct Listing {
    /// Kind of the objects, with the rules that they are read by.
    pub served: Served,
    /// Revision of the state that was read.
    pub revision: Revision,
    /// Selected objects in key order.
    pub entries: Vec<Entry>,
    /// Start of the next page, if there is one.
    pub next: Option<Continuation>,
    /// Number of objects after these, if known.
    pub remaining: Option<usize>,
}

impl Registry {
    /// Returns a state that is fresh enough.
    pub async fn state(&self, freshness: Freshness) -> Result<Arc<State>, Error> {
        match freshness {
            Freshness::MostRecent if Mutant::LocalReads.is_on() => {}
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
        let deadline = later(Instant::now(), REVISION_PATIENCE);
        match tokio::time::timeout_at(deadline, reached.wait_for(|reached| *reached >= revision)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::too_large_resource_version(revision, self.member().view().state().revision())),
        }
    }

    /// Returns an object or its scale.
    pub async fn get(&self, resource: &ResourceRef, resource_version: &str) -> Result<Any, Error> {
        let key = resource.key()?;
        let state = self.state(Freshness::of_get(resource_version)?).await?;
        Self::confirm(&state, &resource.served())?;
        let entry = state.get(&key).ok_or_else(|| Error::not_found(resource.kind, &resource.name))?;
        match &resource.subresource {
            Subresource::Whole | Subresource::Status => Ok(any(resource, &entry.value, entry.mod_revision)),
            Subresource::Scale => super::write::scale_any(&mut decode_stored(resource, entry)?),
            Subresource::Binding
            | Subresource::Eviction
            | Subresource::Finalize
            | Subresource::Token
            | Subresource::Log
            | Subresource::Proxy(_)
            | Subresource::Unknown(_) => Err(resource.refuses("get")),
        }
    }

    /// Lists a collection.
    pub async fn list(&self, selection: &Selection, options: &ListOptions<'_>) -> Result<Listing, Error> {
        let (state, start) = self.list_state(selection, options).await?;
        Self::confirm(&state, &selection.served)?;
        let mut listing = Listing {
            served: selection.served.clone(),
            revision: state.revision(),
            entries: Vec::new(),
            next: None,
            remaining: None,
        };
        let mut bytes = 0;
        let limit = if options.limit == 0 { usize::MAX } else { options.limit };
        let mut range = selection.candidates(&state, &start);
        let mut last = "";
        // Only now: the state may have taken a quorum.
        let (mut this_turn, mut looked_at) = (turn().await, 0usize);
        while let Some((key, entry)) = range.next() {
            looked_at = looked_at.saturating_add(1);
            if looked_at.is_multiple_of(TURN_ENTRIES) {
                drop(this_turn);
                this_turn = turn().await;
            }
            if !selection.matches(&entry.value)? {
                continue;
            }
            if listing.entries.len() == limit || (bytes > options.max_bytes && !listing.entries.is_empty()) {
                let after = last.strip_prefix(&selection.prefix).unwrap_or(last);
                listing.next = Some(Continuation::after(after, state.revision()));
                listing.remaining = selection.is_everything().then(|| range.count().saturating_add(1));
                break;
            }
            bytes = bytes.saturating_add(entry.value.len());
            listing.entries.push(entry.clone());
            last = key;
        }
        drop(this_turn);
        Ok(listing)
    }

    /// Returns the state of a list, and the key at which the list starts.
    async fn list_state(
        &self,
        selection: &Selection,
        options: &ListOptions<'_>,
    ) -> Result<(Arc<State>, String), Error> {
        let versions = &options.versions;
        let freshness = Freshness::of_list(versions, options.limit)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, Transaction, Write};
    use squall_api::Kind;
    use squall_api::core::v1::Pod;

    /// Returns the pod `number`, with labels and fields that depend on `of`.
    fn pod(number: usize, of: usize) -> Object {
        let mut pod = Pod::default();
        pod.metadata.name = format!("pod-{number}");
        pod.metadata.namespace = if of.is_multiple_of(2) { "default" } else { "other" }.to_owned();
        let mut label = |key: &str, value: &str| pod.metadata.labels.insert(key.to_owned(), value.to_owned());
        match of / 2 % 3 {
            0 => drop(label("app", "a")),
            1 => drop(label("app", "b")),
            _ => {}
        }
        match of / 6 % 3 {
            0 => drop(label("tier", "")),
            1 => drop(label("tier", "7")),
            _ => {}
        }
        ["", "node-0"][of / 18 % 2].clone_into(&mut pod.spec.node_name);
        ["Pending", "Running"][of / 36 % 2].clone_into(&mut pod.status.phase);
        pod.into()
    }

    fn write(store: &mut Store, object: &Object, stays: bool) {
        let key = keys::object(Kind::Pod, &object.meta().namespace, &object.meta().name);
        let write = Write { key, value: stays.then(|| object.encode().into()) };
        let id = u128::try_from(store.changes.len()).unwrap().to_le_bytes();
        store.apply(Transaction { request_id: id, compares: Vec::new(), writes: vec![write] });
    }

    fn check(state: &State) {
        let labels =
            ["", "app=a", "app!=a", "app in (a,b)", "app", "!app", "app=a,tier=7", "tier=", "tier>6", "app=nosuch"];
        let fields = [
            "",
            "spec.nodeName=",
            "spec.nodeName=node-0,status.phase=Running",
            "status.phase!=Running",
            "metadata.name=pod-3",
            "metadata.name!=pod-3",
            "spec.restartPolicy=Always",
            "metadata.namespace=other",
        ];
        for (labels, fields) in labels.iter().flat_map(|labels| fields.iter().map(move |fields| (labels, fields))) {
            for namespace in ["", "default"] {
                let resource = ResourceRef::collection(Kind::Pod, namespace);
                let selection = Selection::parse(&resource, labels, fields).unwrap();
                let found: Vec<&str> = selection
                    .candidates(state, "")
                    .filter(|(_, entry)| selection.matches(&entry.value).unwrap())
                    .map(|(key, _)| key)
                    .collect();
                let wanted = |entry: &Entry| {
                    let object = decode_stored(Kind::Pod, entry).unwrap();
                    selection.labels.matches(&object.meta().labels) && selection.fields.matches(&object)
                };
                let range = state.range(&selection.prefix);
                let expected: Vec<&str> = range.filter(|(_, entry)| wanted(entry)).map(|(key, _)| key).collect();
                assert_eq!(found, expected, "{labels} {fields}");
            }
        }
    }

    #[test]
    fn the_index_finds_what_looking_at_each_object_would() {
        let mut store = Store::default();
        for number in 0..72 {
            write(&mut store, &pod(number, number), true);
        }
        check(&store.state);
        let (revision, count) = (store.state.revision(), store.changes.len());
        // Every pod changes within its namespace, and some are removed.
        for number in 0..72 {
            write(&mut store, &pod(number, number * 10 + number % 2), number % 5 > 0);
        }
        check(&store.state);
        check(&store.state.before(revision, &store.changes[count..]));
        let mut restored = State::at_revision(store.state.revision());
        for (key, entry) in store.state.range("") {
            restored.restore_entry(key.into(), entry.clone());
        }
        check(&restored);
    }

    #[test]
    fn few_objects_are_looked_at_for_few_that_are_wanted() {
        let mut store = Store::default();
        for number in 0..72 {
            write(&mut store, &pod(number, if number == 5 { 0 } else { 1 + number / 36 * 36 }), true);
        }
        let resource = ResourceRef::collection(Kind::Pod, "");
        let looked_at = |labels: &str, fields: &str| {
            let selection = Selection::parse(&resource, labels, fields).unwrap();
            selection.candidates(&store.state, "").count()
        };
        assert_eq!(looked_at("", ""), 72);
        assert_eq!(looked_at("app=a", "status.phase=Running"), 36);
        assert_eq!(looked_at("app=nosuch,app=a", ""), 0);
        assert_eq!(looked_at("app in (nosuch,a)", "status.phase=Succeeded"), 0);
        assert_eq!(looked_at("!app", ""), 72);
    }
}
