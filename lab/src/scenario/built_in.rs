//! The built-in scenarios: `examples/chaos` and the manifests that they use, in the same folders as there.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Scenario;

/// A path in `examples/` and the file's text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../examples/", $path)))),*]
    };
}

/// Every built-in scenario, in the order of `ctl chaos list`.
const SCENARIOS: &[File] = files![
    "chaos/client-interrupted.yaml",
    "chaos/client-interrupted-every-step.yaml",
    "chaos/controller-killed.yaml",
    "chaos/controller-paused.yaml",
    "chaos/raft-leader-paused.yaml",
    "chaos/lagging-apiserver.yaml",
    "chaos/held-watch.yaml",
    "chaos/late-successor.yaml",
    "chaos/leader-isolated.yaml",
    "chaos/quorum-lost.yaml",
    "chaos/node-isolated.yaml",
    "chaos/nodes-apart.yaml",
    "chaos/deaf-node.yaml",
    "chaos/bad-version.yaml",
    "chaos/clock-skew.yaml",
    "chaos/late-endpoints.yaml",
    "chaos/user-storm.yaml",
    "chaos/disk-trouble.yaml",
];

/// The manifests that the scenarios' commands use.
const MANIFESTS: &[File] = files![
    "careful/controller.yaml",
    "careful/deployment.yaml",
    "chapter/kubia-deployment-and-service-v1.yaml",
    "chapter/kubia-deployment-v1.yaml",
    "chapter/kubia-deployment-v2.yaml",
    "chapter/kubia-deployment-v3-with-readinesscheck.yaml",
];

/// Returns the names of all built-in scenarios, in the order in which they are listed.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(path, _)| name(path))
}

fn name(path: &'static str) -> &'static str {
    path.trim_start_matches("chaos/").trim_end_matches(".yaml")
}

/// Returns the built-in scenario of this name, or `None` if there is none. It finds its files where [`unpack`] puts them.
pub fn find(wanted: &str, folder: &Path) -> Option<Result<Scenario, String>> {
    let (path, text) = SCENARIOS.iter().find(|(path, _)| name(path) == wanted)?;
    Some(Scenario::read(text, path, &beside(folder)))
}

/// Returns where a built-in scenario lies once the files are in `folder`, as in `examples/`.
#[must_use]
pub fn beside(folder: &Path) -> PathBuf {
    folder.join("chaos")
}

/// Writes the scenarios' manifests to `folder`.
pub fn unpack(folder: &Path) -> anyhow::Result<()> {
    let chaos = beside(folder);
    std::fs::create_dir_all(&chaos).with_context(|| format!("making {}", chaos.display()))?;
    for (path, text) in MANIFESTS {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_read_and_has_its_name() {
        for wanted in names() {
            let scenario = find(wanted, Path::new(".")).unwrap().unwrap();
            assert_eq!(scenario.name, wanted);
            assert!(scenario.explain.len() > 100, "{wanted} does not say what it shows");
        }
    }

    #[test]
    fn no_scenario_is_left_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/chaos");
        let there = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(there, names().count());
    }
}
