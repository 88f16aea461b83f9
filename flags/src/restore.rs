//! The flags for restoring a member's data.

use std::path::PathBuf;

use clap::Args;

use crate::founder::{self, Founder};
use crate::words::Words;

/// The flags of `apiserver restore`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RestoreFlags {
    /// Snapshot file to restore
    pub file: PathBuf,

    /// Raft ID of the member
    #[arg(long)]
    pub id: u64,

    /// Data directory of the member; must not hold data yet
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Member of the new group, such as 1=https://127.0.0.1:6443; repeat for each member
    #[arg(long, value_name = "ID=URL", required = true)]
    pub founder: Vec<Founder>,
}

impl RestoreFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { file, id, data_dir, founder } = self;
        Words::default()
            .flag("id", id.to_string())
            .flag("data-dir", data_dir)
            .repeated("founder", founder::words(founder))
            // A file may begin with a dash.
            .word("--")
            .word(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::read_back;

    #[test]
    fn the_command_line_reads_back() {
        let flags = RestoreFlags {
            file: "-kept".into(),
            id: 2,
            data_dir: "data/apiserver-1".into(),
            founder: vec!["1=https://127.0.0.1:6443".parse().unwrap()],
        };
        assert_eq!(read_back::<RestoreFlags>(flags.to_args()), flags);
    }
}
