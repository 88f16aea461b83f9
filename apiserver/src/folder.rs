//! The data folder of a member: locked against a second process, marked with its format version and its owner.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::host::{Disk, read_all};
use crate::raft::{Begun, LogFolder};

/// Version 1 had no mark of the log, and no member ID in its segments. It is still read.
const FORMAT_VERSION: u32 = 2;
const MARK: &str = "member.json";

/// Written to the folder when it is created, and once the log has begun.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    format_version: u32,
    member_id: u64,
    /// Whether there has been a log, without which the member may not start again.
    #[serde(default)]
    log_begun: bool,
}

/// A member's folder. It stays locked until this is dropped.
pub struct DataFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    mark: Mark,
    _lock: Box<dyn Send + Sync>,
}

/// Whether the folder may be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The member starts for the first time.
    New,
    /// The member has run before: an empty folder means that its data is lost.
    Existing,
}

impl DataFolder {
    /// Opens the folder of a member. A member that lost its data must not come back under its old ID: it could vote
    /// twice in one term.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, member_id: u64, origin: Origin) -> anyhow::Result<Self> {
        disk.create_folder(path).with_context(|| format!("creating {}", path.display()))?;
        let lock = disk.lock(path).with_context(|| format!("locking {}", path.display()))?;
        let lock = lock.with_context(|| format!("{} is in use by another process", path.display()))?;
        let mark_path = path.join(MARK);
        let mark = match read_all(disk.as_ref(), &mark_path) {
            Ok(bytes) => read(&mark_path, &bytes, member_id)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ensure!(
                    origin == Origin::New,
                    "{} holds no data, but member {member_id} has already been part of its group: a member must not \
                     come back empty under its old ID; restore the folder, or add a new member in its place",
                    path.display()
                );
                for folder in [Self::log_of(path), Self::snapshots_of(path)] {
                    disk.create_folder(&folder).with_context(|| format!("creating {}", folder.display()))?;
                    let found = disk.files(&folder).with_context(|| format!("reading {}", folder.display()))?;
                    ensure!(
                        found.is_empty(),
                        "{} holds data, but {} is gone, which says whose it is; restore that file, or start with an \
                         empty folder as a new member",
                        folder.display(),
                        mark_path.display()
                    );
                }
                let mark = Mark { format_version: FORMAT_VERSION, member_id, log_begun: false };
                write_mark(disk.as_ref(), path, &mark)?;
                mark
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", mark_path.display())),
        };
        Ok(Self { disk, path: path.to_owned(), mark, _lock: lock })
    }

    /// Records that the log is there from now on.
    pub fn log_has_begun(&mut self) -> anyhow::Result<()> {
        if self.mark.log_begun {
            return Ok(());
        }
        self.mark.log_begun = true;
        write_mark(self.disk.as_ref(), &self.path, &self.mark)
    }

    /// Returns the disk that holds the folder.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Returns the path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the place of the Raft log.
    #[must_use]
    pub fn log(&self) -> LogFolder {
        LogFolder {
            disk: self.disk.clone(),
            path: Self::log_of(&self.path),
            mark: self.path.join("log.mark"),
            member: self.mark.member_id,
            begun: if self.mark.log_begun { Begun::Yes } else { Begun::No },
        }
    }

    /// Returns the path of the Raft log in a data folder.
    #[must_use]
    pub fn log_of(path: &Path) -> PathBuf {
        path.join("log")
    }

    /// Returns the path of the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        Self::snapshots_of(&self.path)
    }

    fn snapshots_of(path: &Path) -> PathBuf {
        path.join("snapshots")
    }
}

fn read(path: &Path, bytes: &[u8], member_id: u64) -> anyhow::Result<Mark> {
    let mark: Mark = serde_json::from_slice(bytes).with_context(|| format!("{} is damaged", path.display()))?;
    ensure!(
        (1..=FORMAT_VERSION).contains(&mark.format_version),
        "{} has format version {}, but this apiserver reads versions up to {FORMAT_VERSION}; start the version that \
         wrote it",
        path.display(),
        mark.format_version
    );
    ensure!(mark.member_id == member_id, "{} belongs to member {}, not to {member_id}", path.display(), mark.member_id);
    Ok(Mark { format_version: FORMAT_VERSION, ..mark })
}

/// Writes the mark to a temporary file and renames it, so that a crash leaves a complete mark or none.
fn write_mark(disk: &dyn Disk, folder: &Path, mark: &Mark) -> anyhow::Result<()> {
    let aside = folder.join("member.json.tmp");
    if disk.size(&aside).is_ok() {
        disk.remove(&aside).with_context(|| format!("removing {}", aside.display()))?;
    }
    let mut file = disk.create(&aside).with_context(|| format!("creating {}", aside.display()))?;
    file.write_all(&serde_json::to_vec(mark)?).and_then(|()| file.sync()).context("writing the mark")?;
    disk.rename(&aside, &folder.join(MARK)).context("renaming the mark")?;
    disk.sync_folder(folder).context("syncing the data folder")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::LocalDisk;

    fn open(path: &Path, id: u64, origin: Origin) -> anyhow::Result<DataFolder> {
        DataFolder::open(Arc::new(LocalDisk), path, id, origin)
    }

    fn refusal(path: &Path, id: u64, origin: Origin) -> String {
        open(path, id, origin).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), 1, Origin::New).unwrap();
        let error = refusal(folder.path(), 1, Origin::Existing);
        assert!(error.ends_with("is in use by another process"), "{error}");
        drop(first);
        open(folder.path(), 1, Origin::Existing).unwrap();
        let error = refusal(folder.path(), 2, Origin::Existing);
        assert!(error.ends_with("belongs to member 1, not to 2"), "{error}");
    }

    #[test]
    fn lost_data_and_other_versions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = refusal(folder.path(), 1, Origin::Existing);
        assert!(error.contains("must not come back empty"), "{error}");
        fs::write(folder.path().join(MARK), r#"{"formatVersion": 9, "memberId": 1}"#).unwrap();
        let error = refusal(folder.path(), 1, Origin::Existing);
        assert!(error.contains("has format version 9"), "{error}");
        fs::write(folder.path().join(MARK), "{").unwrap();
        assert!(refusal(folder.path(), 1, Origin::New).ends_with("is damaged"));
    }
}
