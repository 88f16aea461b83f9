//! The options that a cluster is created with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use squall_flags::TimingProfile;

/// The members of a cluster, and how they run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Number of apiservers, 1 to 9.
    pub apiservers: usize,
    /// Number of controller-managers, 1 to 9.
    pub controller_managers: usize,
    /// Number of nodes, 0 to 192.
    pub nodes: usize,
    /// The set of timing constants.
    pub timing: TimingProfile,
    /// Image catalogue to use in addition to the built-in images.
    pub images: Option<PathBuf>,
    /// Whether an image that no catalogue has cannot be pulled.
    #[serde(default)]
    pub strict_images: bool,
    /// Whether members reach each other over links that can be broken.
    #[serde(default)]
    pub links: bool,
    /// Whether services try another pod when one refuses a connection.
    #[serde(default)]
    pub retry_backends: bool,
    /// Whether its apiservers log each write.
    #[serde(default)]
    pub write_log: bool,
    /// The protection that the members leave out, to test whether that is noticed.
    #[serde(default)]
    pub mutant: Option<String>,
}

/// The usual cluster: three apiservers, two controller-managers and three nodes, `fast`, and nothing to break it with.
impl Default for Options {
    fn default() -> Self {
        Self {
            apiservers: 3,
            controller_managers: 2,
            nodes: 3,
            timing: TimingProfile::Fast,
            images: None,
            strict_images: false,
            links: false,
            retry_backends: false,
            write_log: false,
            mutant: None,
        }
    }
}
