//! Makes a process breakable, as its flags say.

use squall_flags::FaultFlags;

use crate::{mutants, service};

/// Applies the flags: selects the mutant and starts the faults service, which runs until the current runtime shuts down.
pub fn begin(flags: &FaultFlags) -> anyhow::Result<()> {
    if let Some(name) = &flags.mutant {
        mutants::choose(name).map_err(anyhow::Error::msg)?;
    }
    flags.faults.as_deref().map_or(Ok(()), service::listen)
}
