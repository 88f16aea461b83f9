//! The data folder of a member: locked against a second process, marked with a format version and whose it is.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::raft::sync_folder;

const FORMAT_VERSION: u32 = 1;
const MARK: &str = "member.json";

/// What is written into a folder when it is made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    format_version: u32,
    member_id: u64,
}

/// A member's folder, locked as long as this lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Whether a folder may be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The member is started for the first time.
    New,
    /// The member has been there before: an empty folder means that its data is lost.
    Existing,
}

impl DataFolder {
    /// Opens the folder of a member. A member whose data is lost must not come back under its old number: it could
    /// vote twice in one term.
    pub fn open(path: &Path, member_id: u64, origin: Origin) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
        let lock = lock(path)?;
        let mark_path = path.join(MARK);
        match fs::read(&mark_path) {
            Ok(bytes) => check(&mark_path, &bytes, member_id)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                ensure!(
                    origin == Origin::New,
                    "{} holds no data, but member {member_id} has been part of its group before: a member must not come back \
                     empty under its old number; restore the folder, or add a new member in its place",
                    path.display()
                );
                for folder in ["log", "snapshots"] {
                    fs::create_dir_all(path.join(folder)).with_context(|| format!("creating {folder}"))?;
                }
                write_mark(path, &Mark { format_version: FORMAT_VERSION, member_id })?;
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", mark_path.display())),
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where the log is.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the snapshots are.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = path.join("lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .with_context(|| format!("opening {}", file.display()))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => bail!("{} is in use by another process", path.display()),
        Err(error) => Err(error).with_context(|| format!("locking {}", file.display())),
    }
}

fn check(path: &Path, bytes: &[u8], member_id: u64) -> anyhow::Result<()> {
    let mark: Mark = serde_json::from_slice(bytes).with_context(|| format!("{} is damaged", path.display()))?;
    ensure!(
        mark.format_version == FORMAT_VERSION,
        "{} is of format version {}, this apiserver reads version {FORMAT_VERSION}; start it with the version that wrote it",
        path.display(),
        mark.format_version
    );
    ensure!(mark.member_id == member_id, "{} belongs to member {}, not to {member_id}", path.display(), mark.member_id);
    Ok(())
}

/// Written aside and renamed, so that a crash leaves a whole mark or none.
fn write_mark(folder: &Path, mark: &Mark) -> anyhow::Result<()> {
    let aside = folder.join("member.json.tmp");
    let mut file = File::create(&aside).with_context(|| format!("creating {}", aside.display()))?;
    file.write_all(&serde_json::to_vec(mark)?).and_then(|()| file.sync_all()).context("writing the mark")?;
    fs::rename(&aside, folder.join(MARK)).context("renaming the mark")?;
    sync_folder(folder).context("syncing the data folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path(), 1, Origin::New).unwrap();
        let error = DataFolder::open(folder.path(), 1, Origin::Existing).unwrap_err().to_string();
        assert!(error.ends_with("is in use by another process"), "{error}");
        drop(first);
        DataFolder::open(folder.path(), 1, Origin::Existing).unwrap();
        let error = DataFolder::open(folder.path(), 2, Origin::Existing).unwrap_err().to_string();
        assert!(error.ends_with("belongs to member 1, not to 2"), "{error}");
    }

    #[test]
    fn lost_data_and_other_versions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = DataFolder::open(folder.path(), 1, Origin::Existing).unwrap_err().to_string();
        assert!(error.contains("must not come back empty"), "{error}");
        fs::write(folder.path().join(MARK), r#"{"formatVersion": 9, "memberId": 1}"#).unwrap();
        let error = DataFolder::open(folder.path(), 1, Origin::Existing).unwrap_err().to_string();
        assert!(error.contains("is of format version 9"), "{error}");
        fs::write(folder.path().join(MARK), "{").unwrap();
        assert!(DataFolder::open(folder.path(), 1, Origin::New).unwrap_err().to_string().ends_with("is damaged"));
    }
}
