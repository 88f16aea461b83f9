//! Finds the installed versions of kubectl.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::transcript::Shell;

/// The minor versions that are looked for on the machine: `kubectl.1.NN` (as in Google's package).
const MINORS: std::ops::RangeInclusive<u32> = 27..=35;
/// The minor versions that `.ci/run` installs beside the build.
const INSTALLED: [u32; 2] = [36, 37];

/// An installed kubectl.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// The version, such as `1.32`; empty if it is plain `kubectl`.
    pub version: String,
    program: PathBuf,
}

impl Kubectl {
    /// Returns all installed versions, oldest first.
    #[must_use]
    pub fn installed() -> Vec<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let plain = folders.iter().map(|folder| folder.join("kubectl")).find(|program| program.is_file());
        // The other versions are next to the target of the plain name.
        let real = plain.as_ref().and_then(|program| program.canonicalize().ok());
        folders.extend(real.and_then(|program| program.parent().map(Path::to_owned)));
        let mut found = BTreeMap::new();
        for minor in INSTALLED {
            let program = build_folder().join(format!("kubectl/1.{minor}/bin/kubectl"));
            if program.is_file() {
                found.insert(minor, Self { version: format!("1.{minor}"), program });
            }
        }
        for minor in MINORS {
            let name = format!("kubectl.1.{minor}");
            if let Some(program) = folders.iter().map(|folder| folder.join(&name)).find(|program| program.is_file()) {
                found.insert(minor, Self { version: format!("1.{minor}"), program });
            }
        }
        match (found.is_empty(), plain) {
            (true, Some(program)) => vec![Self { version: String::new(), program }],
            _ => found.into_values().collect(),
        }
    }

    /// Returns a shell in which `kubectl` is this program.
    #[must_use]
    pub fn shell(&self, folder: &Path, kubeconfig: &Path) -> Shell {
        Shell {
            name: "kubectl".to_owned(),
            program: self.program.clone(),
            folder: folder.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
        }
    }
}

/// The target folder of the build: tests run in `target/PROFILE/deps`.
fn build_folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(3).map(Path::to_owned).unwrap_or_default()
}
