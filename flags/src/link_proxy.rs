//! The flags of the process that carries links.

use std::path::PathBuf;

use clap::Args;

use crate::words::Words;

/// The flags of `link-proxy`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct LinkProxyFlags {
    /// Name of this process: links-0
    #[arg(long = crate::NAME)]
    pub name: String,

    /// Unix socket to listen on for faults
    #[arg(long, value_name = "FILE")]
    pub faults: PathBuf,
}

impl LinkProxyFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { name, faults } = self;
        Words::default().flag(crate::NAME, name).flag("faults", faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::read_back;

    #[test]
    fn the_command_line_reads_back() {
        let flags = LinkProxyFlags { name: "links-0".to_owned(), faults: "run/links-0.faults".into() };
        assert_eq!(read_back::<LinkProxyFlags>(flags.to_args()), flags);
    }
}
