//! Runs `ctl` as a user does: arguments in, text and an exit code out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::transcript::Shell;

/// The timeout of a command.
const LIMIT: Duration = Duration::from_secs(300);

/// `ctl` in a working directory.
pub struct Ctl {
    program: PathBuf,
    folder: PathBuf,
    /// The user and group that commands run as; `None` for this user.
    user: Option<u32>,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code, or -1 if a signal ended the command.
    pub code: i32,
    /// The text on standard output.
    pub stdout: String,
    /// The text on standard error.
    pub stderr: String,
}

impl Ctl {
    /// Finds the program; commands run in this folder.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("finding this program")?;
        let program = own.ancestors().map(|folder| folder.join("ctl")).find(|path| path.is_file());
        Ok(Self { program: program.context("ctl is not built; run ./check")?, folder: folder.to_owned(), user: None })
    }

    /// Returns the same for another user (only root may do so), for whom the program is at this path.
    #[must_use]
    pub fn of_user(self, user: u32, program: PathBuf) -> Self {
        Self { program, user: Some(user), ..self }
    }

    /// Returns the same in a folder within this one.
    #[must_use]
    pub fn in_subfolder(&self, name: &str) -> Self {
        Self { program: self.program.clone(), folder: self.folder.join(name), user: self.user }
    }

    /// Returns the path of the program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns a shell in which `ctl` is this program.
    #[must_use]
    pub fn shell(&self, kubeconfig: &Path) -> Shell {
        Shell {
            name: "ctl".to_owned(),
            program: self.program.clone(),
            folder: self.folder.clone(),
            kubeconfig: kubeconfig.to_owned(),
        }
    }

    /// Runs a command without input; spaces separate the words.
    pub async fn run(&self, words: &str) -> anyhow::Result<Output> {
        self.run_with(words, "").await
    }

    /// Runs a command that must succeed; the error has all of its output.
    pub async fn succeed(&self, words: &str) -> anyhow::Result<Output> {
        let output = self.run(words).await?;
        ensure!(output.code == 0, "ctl {words}: {output:?}");
        Ok(output)
    }

    /// Runs a command with its output in this file.
    pub async fn run_into(&self, file: &str, words: &str) -> anyhow::Result<Output> {
        let file = File::options().write(true).open(file)?;
        let child = self.command(words).stdin(Stdio::null()).stdout(file).spawn().context("starting ctl")?;
        Output::of(child).await
    }

    /// Starts a command in the background; dropping the child kills it.
    pub fn start(&self, words: &str) -> anyhow::Result<Child> {
        self.command(words).stdin(Stdio::piped()).spawn().context("starting ctl")
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words.split(' ')).current_dir(&self.folder).env_remove("KUBECONFIG");
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs a command with this text as input.
    pub async fn run_with(&self, words: &str, input: &str) -> anyhow::Result<Output> {
        let mut child = self.start(words)?;
        let mut stdin = child.stdin.take().context("its input")?;
        // A command that does not read its input closes it.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        Output::of(child).await
    }
}

impl Output {
    /// Waits for a command's output.
    pub(crate) async fn of(child: Child) -> anyhow::Result<Self> {
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = ended.with_context(|| format!("the command timed out after {LIMIT:?}"))??;
        Ok(Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
