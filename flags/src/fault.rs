//! The flags that make a process breakable.

use std::path::PathBuf;

use clap::Args;

use crate::words::Words;

/// The flags for fault injection and mutants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct FaultFlags {
    /// Accept faults for this process on this Unix socket
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,

    /// Disable this protection, to check that its absence is detected
    #[arg(long, value_name = "NAME", hide = true)]
    pub mutant: Option<String>,
}

impl FaultFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { faults, mutant } = self;
        Words::default().option("faults", faults.as_ref()).option("mutant", mutant.as_ref())
    }
}

#[cfg(test)]
pub fn example() -> FaultFlags {
    FaultFlags { faults: Some("run/a.faults".into()), mutant: Some("no-fence".to_owned()) }
}
