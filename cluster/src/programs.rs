//! The programs of the members.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// Returns the folder with the programs: this program's own folder, or the one above.
pub fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let folders = own.ancestors().skip(1).take(2);
    for folder in folders {
        if folder.join("apiserver").is_file()
            && folder.join("kubelet-sim").is_file()
            && folder.join("controller-manager").is_file()
        {
            return Ok(folder.to_owned());
        }
    }
    bail!(
        "the programs apiserver, controller-manager and kubelet-sim are not beside {}; build them with \"cargo build --release\"",
        own.display()
    )
}
