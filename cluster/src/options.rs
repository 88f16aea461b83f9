//! What a cluster is made of, as whoever makes one says.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a cluster consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// How many apiservers.
    pub apiservers: usize,
    /// How many controller-managers.
    pub controller_managers: usize,
    /// How many nodes.
    pub nodes: usize,
    /// Which constants: `fast` or `k8s`.
    pub timing: String,
    /// A file of images, beside the built-in ones.
    pub images: Option<PathBuf>,
    /// Whether they reach each other over links that can be broken.
    #[serde(default)]
    pub links: bool,
    /// Whether its apiservers log each write.
    #[serde(default)]
    pub write_log: bool,
    /// The protection that its members leave out, to see whether that is noticed.
    #[serde(default)]
    pub mutant: Option<String>,
}

/// As most clusters are: three of everything but two controller-managers, `fast`, with nothing to break it by.
impl Default for Options {
    fn default() -> Self {
        Self {
            apiservers: 3,
            controller_managers: 2,
            nodes: 3,
            timing: "fast".to_owned(),
            images: None,
            links: false,
            write_log: false,
            mutant: None,
        }
    }
}
