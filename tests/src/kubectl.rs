//! Real kubectl, as far as it is installed, and transcripts of what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use regex::Regex;

use crate::Output;

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

    /// Runs a shell command in which `kubectl` is this one.
    pub async fn shell(&self, command: &str, folder: &Path, kubeconfig: &Path) -> anyhow::Result<Output> {
        let script = format!("kubectl() {{ '{}' \"$@\"; }}\n{command}\n", self.program.display());
        let output = tokio::process::Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder)
            .env("KUBECONFIG", kubeconfig)
            // What one version has learned of a server is not for the next.
            .env("KUBECACHEDIR", folder.join(format!("cache-{}", self.version)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("starting bash")?;
        Ok(Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// A transcript: commands (after "$ "), what each prints, its `[stderr]` and its `[exit N]`.
#[derive(Debug)]
pub struct Transcript {
    commands: Vec<String>,
}

impl Transcript {
    /// Reads the commands of a transcript.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { commands: text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect() }
    }

    /// Runs the commands, and writes down what they print, with what differs each time masked.
    pub async fn play(&self, kubectl: &Kubectl, folder: &Path, kubeconfig: &Path) -> anyhow::Result<String> {
        let mut text = String::new();
        for command in &self.commands {
            let output = kubectl.shell(command, folder, kubeconfig).await?;
            let mut printed = output.stdout;
            if !printed.is_empty() && !printed.ends_with('\n') {
                printed.push('\n');
            }
            output.stderr.lines().for_each(|line| printed.push_str(&format!("[stderr] {line}\n")));
            text.push_str(&format!("$ {command}\n{}[exit {}]\n\n", masked(&printed)?, output.code));
        }
        Ok(text)
    }
}

/// The text without uids, times, ages, addresses, random suffixes and resource versions.
fn masked(text: &str) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (pattern, mask) in [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[ ][+-][0-9]{4})?", "TIME"),
        (r"\b[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [+-][0-9]{4}", "TIME"),
        (r"\b127\.[0-9]+\.[0-9]+\.[0-9]+\b", "ADDRESS"),
        (r"\b3[0-9]{4}/TCP", "NODEPORT/TCP"),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-SUFFIX"),
        (r#"(resourceVersion"?: )"[0-9]+""#, "${1}VERSION"),
        (r"/tmp/(LIVE|MERGED)-[0-9]+", "/tmp/$1"),
        (r"(?m)^(.*\s)[0-9]+[smh][0-9]*s?( ago)?$", "${1}AGE$2"),
        (r"(?m)(\S) +([0-9]+[smh][0-9]*s?) {2,}", "${1}  AGE  "),
        // How wide a column is depends on what is masked in it.
        (r"(?m)(\S) {2,}", "${1}  "),
    ] {
        text = Regex::new(pattern)?.replace_all(&text, mask).into_owned();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_each_time_is_masked() {
        assert_eq!(
            masked("kubia-59d857b444-2z5qd   1/1   Running   0   12s\nsvc   127.84.3.78   80:30047/TCP   3m5s\n")
                .unwrap(),
            "kubia-59d857b444-SUFFIX  1/1  Running  0  AGE\nsvc  ADDRESS  80:NODEPORT/TCP  AGE\n"
        );
        assert_eq!(masked("resourceVersion: \"12\"\n").unwrap(), "resourceVersion: VERSION\n");
    }

    #[test]
    fn commands_are_read_from_a_transcript() {
        assert_eq!(Transcript::parse("$ a b\nout\n[exit 0]\n\n$ c\n[exit 1]\n").commands, ["a b", "c"]);
    }
}
