//! The description of a cluster, stored in its folder.

use std::path::Path;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::addresses::Network;
use crate::files::{read_json, write_json};
use crate::options::Options;

const FORMAT_VERSION: u32 = 2;
/// The file with the description.
pub const DESCRIPTION: &str = "cluster.json";

/// The description of a cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    format_version: u32,
    pub network: Network,
    /// The current options.
    pub options: Options,
    /// Number of apiservers that founded the group; they are numbered from 0.
    pub founders: usize,
    /// Whether the group has been running. Until then, founders may create it. After that, none may
    /// return without its data.
    pub founded: bool,
    /// The numbers of the current apiservers. Numbers are never reused.
    pub apiservers: Vec<usize>,
    /// The number of the next apiserver.
    pub next_apiserver: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    format_version: u32,
}

impl Description {
    /// Describes a new cluster.
    pub fn new(network: Network, options: Options) -> Self {
        let founders = options.apiservers;
        let apiservers = (0..founders).collect();
        Self {
            format_version: FORMAT_VERSION,
            network,
            options,
            founders,
            founded: false,
            apiservers,
            next_apiserver: founders,
        }
    }

    /// Reads the description in a folder.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        // The version first: nothing else is known about another version.
        let path = folder.join(DESCRIPTION);
        let Version { format_version } = read_json(&path)?;
        ensure!(
            format_version == FORMAT_VERSION,
            "{} is of format version {format_version}, this program reads version {FORMAT_VERSION}; remove the folder or use the version that made it",
            folder.display(),
        );
        read_json(&path)
    }

    /// Writes the description to a folder.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_json(&folder.join(DESCRIPTION), self)
    }

    /// Changes the list of apiservers.
    pub fn set_apiservers(&mut self, change: impl FnOnce(&mut Vec<usize>)) {
        change(&mut self.apiservers);
        self.options.apiservers = self.apiservers.len();
        let last = self.apiservers.iter().max().map_or(0, |last| last + 1);
        self.next_apiserver = self.next_apiserver.max(last);
    }
}
