//! Real kubectl, as far as it is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::transcript::Shell;

/// The versions that are known to work; each as `kubectl.1.NN`, as Google's package installs them, or as `kubectl` itself.
const MINORS: std::ops::RangeInclusive<u32> = 27..=33;

/// One kubectl.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// "1.32", or "" if it is just `kubectl`.
    pub version: String,
    program: PathBuf,
}

impl Kubectl {
    /// All that are installed, the oldest first.
    #[must_use]
    pub fn installed() -> Vec<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let plain = folders.iter().map(|folder| folder.join("kubectl")).find(|program| program.is_file());
        // The others stand beside what the plain name leads to.
        let real = plain.as_ref().and_then(|program| program.canonicalize().ok());
        folders.extend(real.and_then(|program| program.parent().map(Path::to_owned)));
        let mut found = BTreeMap::new();
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

    /// A shell in which `kubectl` is this one.
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
