//! The command-line flags that make a process breakable.

use std::path::PathBuf;

use clap::Args;

use crate::{mutants, service};

/// The flags for fault injection and mutants.
#[derive(Debug, Clone, Default, Args)]
pub struct FaultArgs {
    /// Accept faults for this process on this Unix socket
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,

    /// Disable this protection, to check that its absence is detected
    #[arg(long, value_name = "NAME", hide = true)]
    mutant: Option<String>,
}

impl FaultArgs {
    /// Applies the flags: selects the mutant and starts the faults service, which runs until the current runtime shuts
    /// down.
    pub fn begin(&self) -> anyhow::Result<()> {
        if let Some(name) = &self.mutant {
            mutants::choose(name).map_err(anyhow::Error::msg)?;
        }
        self.faults.as_deref().map_or(Ok(()), service::listen)
    }
}
