//! Transcripts of a command line: commands with output and exit code, which are run again and compared.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use regex_lite::Regex;

use crate::Output;

/// A shell in which one program has a short name.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The short name: `ctl` or `kubectl`.
    pub name: String,
    /// The path of the program.
    pub program: PathBuf,
    /// The working directory.
    pub folder: PathBuf,
    /// The kubeconfig of the target cluster.
    pub kubeconfig: PathBuf,
}

impl Shell {
    /// Runs a command.
    pub async fn run(&self, command: &str) -> anyhow::Result<Output> {
        // Scripts and programs that the command starts find the program if it has the same name.
        let path = std::env::var("PATH").unwrap_or_default();
        let own = self.program.parent().map_or(path.clone(), |folder| format!("{}:{path}", folder.display()));
        // For real kubectl only the last command of a pipe counts: it fails when its output is not read.
        let fail = if self.name == "ctl" { "set -o pipefail\n" } else { "" };
        let script = format!("{fail}{}() {{ '{}' \"$@\"; }}\n{command}\n", self.name, self.program.display());
        let child = tokio::process::Command::new("bash")
            .args(["-c", &script])
            .current_dir(&self.folder)
            .env("PATH", own)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("USER", "anna")
            .env_remove("EDITOR")
            // A version must not use the cache of another version.
            .env("KUBECACHEDIR", self.folder.join(format!("cache-{}", self.name)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting bash")?;
        Output::of(child).await.with_context(|| command.to_owned())
    }
}

/// The commands of a transcript (after "$ "); each is followed by its output, its `[stderr]` and its `[exit N]`.
#[derive(Debug)]
pub struct Transcript {
    commands: Vec<String>,
}

impl Transcript {
    /// Parses the commands of a transcript.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { commands: text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect() }
    }

    /// Runs the commands and returns the transcript of their output, with varying parts masked.
    pub async fn play(&self, shell: &Shell) -> anyhow::Result<String> {
        let mut text = String::new();
        for command in &self.commands {
            let output = shell.run(command).await?;
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

/// Masks uids, times, ages, addresses, random suffixes, hashes and resource versions.
pub fn masked(text: &str) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (pattern, mask) in [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"\b[0-9a-f]{32}\b", "MD5"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[ ][+-][0-9]{4})?", "TIME"),
        (r"\b[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [+-][0-9]{4}", "TIME"),
        (r"\b127\.[0-9]+\.[0-9]+\.[0-9]+\b", "ADDRESS"),
        (r"\b3[0-9]{4}/TCP", "NODEPORT/TCP"),
        (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-SUFFIX"),
        (r#"(resourceVersion"?: )"[0-9]+""#, "${1}VERSION"),
        (r"\(version [0-9]+\)", "(version N)"),
        (r"Resource Version: +[0-9]+", "Resource Version: N"),
        (r"\.[0-9a-f]{16}\b", ".EVENT"),
        (r"\b(in|for|has|renewed) [0-9]+(ms|s|m|h)[0-9a-z]*", "$1 TIME"),
        (r" \([0-9]+ times\)", " (N times)"),
        (r"/tmp/(LIVE|MERGED)-[0-9]+", "/tmp/$1"),
        (r"ctl-edit-\w+", "ctl-edit-NAME"),
        (r"(?m)^(.*\s)[0-9]+[smh][0-9]*s?( ago)?$", "${1}AGE$2"),
        (r"(?m)(\S) +([0-9]+[smh][0-9]*s?) {2,}", "${1}  AGE  "),
        (r"(?m)^[0-9]+[smh][0-9]*s? {2,}", "AGE  "),
        // The width of a column depends on its masked values.
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
