//! The flags by which a process is made to be breakable.

use std::path::PathBuf;

use clap::Args;

use crate::{mutants, service};

/// What may be broken in a process, and what is left out of it.
#[derive(Debug, Clone, Default, Args)]
pub struct FaultArgs {
    /// Where to be told what is to be broken in this process: a Unix socket
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,

    /// A protection to leave out, to see whether that is noticed
    #[arg(long, value_name = "NAME", hide = true)]
    mutant: Option<String>,
}

impl FaultArgs {
    /// Listens from now on, for as long as the runtime goes on in which this is called.
    pub fn begin(&self) -> anyhow::Result<()> {
        if let Some(name) = &self.mutant {
            mutants::choose(name).map_err(anyhow::Error::msg)?;
        }
        self.faults.as_deref().map_or(Ok(()), service::listen)
    }
}
