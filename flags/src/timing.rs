//! The sets of timing constants.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The set of timing constants that a cluster uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimingProfile {
    /// Kubernetes' constants divided by ten, with the same ratios
    #[default]
    Fast,
    /// Kubernetes' constants
    K8s,
}

impl TimingProfile {
    /// Returns the name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::K8s => "k8s",
        }
    }
}
