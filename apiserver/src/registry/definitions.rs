//! The custom kinds, as their definitions say at the revision that this member has reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_api::kinds::Definition;
use squall_api::{Error, Kind, Object};

use super::{Freshness, Registry, decode_stored};
use crate::keys;
use crate::request::{BuiltIn, Kinds, ResourceRef, Served};
use crate::store::{Entry, State};

/// A definition as it was compiled at a revision; `None` if it cannot be served.
struct Compiled {
    revision: u64,
    definition: Option<Arc<Definition>>,
}

/// The compiled definitions by name. Each is compiled once for each change.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeMap<String, Compiled>>);

impl Known {
    fn map(&self) -> MutexGuard<'_, BTreeMap<String, Compiled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the definition in an entry.
    fn of(&self, name: &str, entry: &Entry) -> Option<Arc<Definition>> {
        if let Some(known) = self.map().get(name)
            && known.revision == entry.mod_revision
        {
            return known.definition.clone();
        }
        // Nobody waits while it is compiled.
        let definition = compile(entry);
        let compiled = Compiled { revision: entry.mod_revision, definition: definition.clone() };
        self.map().insert(name.to_owned(), compiled);
        definition
    }
}

fn compile(entry: &Entry) -> Option<Arc<Definition>> {
    let found = decode_stored(Kind::CustomResourceDefinition, entry).map(|object| match object {
        Object::CustomResourceDefinition(definition) => Definition::of(&definition, entry.mod_revision),
        _ => Err("it is no definition".to_owned()),
    });
    match found {
        Ok(Ok(definition)) => Some(Arc::new(definition)),
        Ok(Err(problem)) => {
            tracing::error!("a custom resource definition cannot be served: {problem}");
            None
        }
        Err(error) => {
            tracing::error!("a custom resource definition cannot be read: {error}");
            None
        }
    }
}

impl Registry {
    /// Returns the definition of a custom kind in a state.
    fn definition(&self, state: &State, group: &str, plural: &str) -> Option<Arc<Definition>> {
        let name = format!("{plural}.{group}");
        let Some(entry) = state.get(&keys::object(Kind::CustomResourceDefinition, "", &name)) else {
            self.inner.definitions.map().remove(&name);
            return None;
        };
        self.inner.definitions.of(&name, entry)
    }

    /// Returns the definitions of all custom kinds that clients can use, in the order of their names.
    #[must_use]
    pub fn definitions(&self) -> Vec<Arc<Definition>> {
        let state = self.member().view().state();
        let prefix = keys::collection(Kind::CustomResourceDefinition, "");
        let all = state
            .range(&prefix)
            .filter_map(|(key, entry)| self.inner.definitions.of(key.strip_prefix(&prefix).unwrap_or(key), entry));
        all.filter(|definition| definition.is_established()).collect()
    }

    /// Finds the kind of a request. A definition that this member has not seen yet may have been acknowledged, so an
    /// unknown kind is looked for in the most recent state.
    pub async fn find_kind(&self, group: &str, version: &str, plural: &str) -> Result<Option<Served>, Error> {
        match self.find(group, version, plural) {
            // Custom kinds have a group with a dot, and most requests for others are typing errors.
            None if group.contains('.') => {
                self.state(Freshness::MostRecent).await?;
                Ok(self.find(group, version, plural))
            }
            found => Ok(found),
        }
    }

    /// Fails if a state has another definition of a kind than the one that these rules are from: a state is not read by
    /// rules that have been replaced in it.
    pub(crate) fn confirm(state: &State, served: &Served) -> Result<(), Error> {
        let Some(version) = &served.version else { return Ok(()) };
        let entry = state.get(&definition_key(served.kind));
        // An earlier state is read by the rules of today.
        if entry.is_none_or(|entry| entry.mod_revision > version.revision()) && state.revision() >= version.revision() {
            return Err(changed(served.kind));
        }
        Ok(())
    }

    /// Returns the resource with the rules of the most recent definition, if they are others. Fails if there is no such
    /// kind any longer.
    pub async fn renewed(&self, resource: &ResourceRef) -> Result<Option<ResourceRef>, Error> {
        let Some(version) = &resource.version else { return Ok(None) };
        self.state(Freshness::MostRecent).await?;
        let info = resource.kind.info();
        let served = self.find(info.group, info.version, info.plural).ok_or_else(Error::no_such_path)?;
        let same = served.version.as_ref().is_some_and(|served| served.revision() == version.revision());
        let Served { kind, version } = served;
        Ok((!same).then(|| ResourceRef { kind, version, ..resource.clone() }))
    }
}

/// The key of the definition of a custom kind.
pub fn definition_key(kind: Kind) -> String {
    keys::object(Kind::CustomResourceDefinition, "", &kind.info().plural_group())
}

/// The definition of a kind is another than the one that a request went by.
pub(super) fn changed(kind: Kind) -> Error {
    Error::unavailable(format!("the definition of {} has changed, please try again", kind.info().plural_group()))
}

impl Kinds for Registry {
    fn find(&self, group: &str, version: &str, plural: &str) -> Option<Served> {
        if let Some(served) = BuiltIn.find(group, version, plural) {
            return Some(served);
        }
        let definition = self.definition(&self.member().view().state(), group, plural)?;
        let version = definition.version(version).filter(|_| definition.is_established())?;
        Some(version.clone().into())
    }
}
