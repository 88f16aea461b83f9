//! Kinds as they are served: found by the words of a request, with the rules of one version at one revision.

use std::sync::Arc;

use serde_json::Value;
use squall_api::Kind;
use squall_api::decode::Expected;
use squall_api::kinds::Version;
use squall_api::table::{self, Column};

/// A kind and, for a custom one, the rules of its version.
#[derive(Debug, Clone)]
pub struct Served {
    /// The kind.
    pub kind: Kind,
    /// The rules of a custom kind.
    pub version: Option<Arc<Version>>,
}

impl From<Kind> for Served {
    fn from(kind: Kind) -> Self {
        Self { kind, version: None }
    }
}

impl From<Arc<Version>> for Served {
    fn from(version: Arc<Version>) -> Self {
        Self { kind: Kind::Custom(version.kind()), version: Some(version) }
    }
}

impl<'a> From<&'a Served> for Expected<'a> {
    fn from(served: &'a Served) -> Self {
        Self { kind: served.kind, version: served.version.as_ref() }
    }
}

impl Served {
    /// Returns the definitions of the columns of a table of objects.
    #[must_use]
    pub fn columns(&self) -> Vec<Value> {
        match self.version.as_ref().filter(|version| !version.columns().is_empty()) {
            Some(version) => {
                let own = version.columns().iter().map(|column| table::printer_definition(&column.column));
                std::iter::once(table::narrow("Name").definition()).chain(own).collect()
            }
            None => self.kind.columns().iter().map(Column::definition).collect(),
        }
    }
}

/// Finds kinds by the words of a request.
pub trait Kinds {
    /// Returns the kind with this plural in a version of a group, if it is served.
    fn find(&self, group: &str, version: &str, plural: &str) -> Option<Served>;
}

/// The kinds that are built in, and no others.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn;

impl Kinds for BuiltIn {
    fn find(&self, group: &str, version: &str, plural: &str) -> Option<Served> {
        Kind::find(group, plural).filter(|kind| kind.info().version == version).map(Served::from)
    }
}
