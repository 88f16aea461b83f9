//! The creation of a cluster's folder, and its removal.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::addresses::{MAX_APISERVERS, MAX_NODES};
use crate::certificates::issue_certificates;
use crate::description::{DESCRIPTION, Description};
use crate::files::{make_folder, write_private};
use crate::folder::Folder;
use crate::guard::check_ours;
use crate::lock::FolderLock;
use crate::options::Options;
use crate::programs::programs;
use crate::reservation::Reservation;

/// One leads and the others stand by, so more are of no use.
const MAX_CONTROLLER_MANAGERS: usize = 9;
/// The folders that a cluster creates in its own.
const PARTS: [&str; 5] = ["pki", "data", "logs", "run", "members"];
/// The files that a cluster creates in its folder.
const FILES: [&str; 3] = [DESCRIPTION, "kubeconfig", UNFINISHED];
/// The file that exists while a cluster is being created.
const UNFINISHED: &str = "unfinished";
/// Its content. A user's own file of this name has another one, and stays.
const MARK: &[u8] = b"ctl is creating a cluster in this folder\n";

/// Checks the options, creates the cluster's folder and locks it.
pub fn prepare(path: &Path, options: &Options) -> anyhow::Result<(PathBuf, FolderLock)> {
    check(options)?;
    make_folder(path)?;
    let path = path.canonicalize().with_context(|| format!("finding {}", path.display()))?;
    check_ours(&path)?;
    let lock = FolderLock::take(&path)?;
    Ok((path, lock))
}

/// Creates a cluster in a prepared folder. `fill` can add files before the folder counts as a cluster.
pub fn create(
    path: PathBuf,
    options: Options,
    reservation: &Reservation,
    fill: impl FnOnce(&Folder) -> anyhow::Result<()>,
) -> anyhow::Result<Folder> {
    if std::fs::read(path.join(UNFINISHED)).is_ok_and(|mark| mark == MARK) {
        // Its launcher was killed before anything was started.
        remove_files(&path)?;
    }
    if let Some(taken) = PARTS.iter().chain(&FILES).map(|name| path.join(name)).find(|path| path.exists()) {
        bail!("{} already exists and belongs to no cluster; use another folder", taken.display());
    }
    let folder = Folder::new(path, Description::new(reservation.network, options));
    reservation.give_to(folder.path())?;
    if let Err(error) = write_files(&folder, fill) {
        // An unfinished folder would be in the way of the next attempt.
        remove_files(folder.path())?;
        return Err(error);
    }
    Ok(folder)
}

fn write_files(folder: &Folder, fill: impl FnOnce(&Folder) -> anyhow::Result<()>) -> anyhow::Result<()> {
    // Until the cluster is complete, this file marks the folder as ours and unfinished.
    write_private(&folder.path().join(UNFINISHED), MARK)?;
    for part in PARTS {
        make_folder(&folder.path().join(part))?;
    }
    issue_certificates(folder)?;
    fill(folder)?;
    // Written last: a folder without it is not a cluster.
    folder.description.write(folder.path())?;
    std::fs::remove_file(folder.path().join(UNFINISHED)).context("removing the mark of an unfinished folder")
}

/// Removes everything that a cluster creates in its folder, except the lock.
pub fn remove_files(path: &Path) -> anyhow::Result<()> {
    let gone = |path: &Path, result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    };
    for path in PARTS.map(|part| path.join(part)) {
        gone(&path, std::fs::remove_dir_all(&path))?;
    }
    for path in FILES.map(|file| path.join(file)) {
        gone(&path, std::fs::remove_file(&path))?;
    }
    Ok(())
}

fn check(options: &Options) -> anyhow::Result<()> {
    let within = |count: usize, range: RangeInclusive<usize>, what: &str| {
        let (least, most) = (range.start(), range.end());
        ensure!(range.contains(&count), "a cluster has {least} to {most} {what}, not {count}");
        Ok(())
    };
    within(options.apiservers, 1..=MAX_APISERVERS, "apiservers")?;
    within(options.controller_managers, 1..=MAX_CONTROLLER_MANAGERS, "controller-managers")?;
    within(options.nodes, 0..=MAX_NODES, "nodes")?;
    if let Some(images) = &options.images {
        ensure!(images.is_file(), "there is no image catalogue at {}", images.display());
        check_images(images)?;
    }
    Ok(())
}

/// Checks an image catalogue with the program that will read it.
///
/// # Errors
/// If it has a mistake, or the program cannot be started.
pub fn check_images(file: &Path) -> anyhow::Result<()> {
    let output = Command::new(programs()?.join("kubelet-sim")).arg("check-images").arg(file).output();
    let output = output.context("starting kubelet-sim")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
    Ok(())
}
