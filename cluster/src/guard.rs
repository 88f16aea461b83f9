//! Guards against what other users of the machine put in the way: their folders, links, and pipes that block.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Opens a lock file, and creates it if need be. Follows no link, waits for nobody, and takes only a file.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

/// Checks that a folder belongs to this user: whoever made it could read and replace what is in it.
pub fn check_ours(folder: &Path) -> anyhow::Result<()> {
    let metadata = fs::symlink_metadata(folder).with_context(|| format!("reading {}", folder.display()))?;
    ensure!(
        metadata.is_dir() && metadata.uid() == geteuid().as_raw(),
        "{} belongs to another user; use a folder of your own",
        folder.display()
    );
    Ok(())
}

/// Returns this user's own folder for temporary files, and creates it if need be.
pub fn own_temporary() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("squall-{}", geteuid().as_raw()));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("creating {}", folder.display()));
        }
        _ => {}
    }
    check_ours(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_lock_is_a_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(open_lock(&path("new")).is_ok() && open_lock(&path("new")).is_ok());
        symlink(path("target"), path("link")).unwrap();
        assert!(open_lock(&path("link")).is_err() && !path("target").exists());
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(open_lock(&path("pipe")).is_err(), "it returned instead of waiting for a reader");
        assert!(open_lock(folder.path()).is_err());
    }

    #[test]
    fn folders_of_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        check_ours(folder.path()).unwrap();
        symlink(folder.path(), folder.path().join("link")).unwrap();
        assert!(check_ours(&folder.path().join("link")).is_err());
        let others = Path::new("/proc/1");
        if fs::metadata(others).is_ok_and(|metadata| metadata.uid() != geteuid().as_raw()) {
            assert!(check_ours(others).unwrap_err().to_string().contains("belongs to another user"));
        }
        check_ours(&own_temporary().unwrap()).unwrap();
    }
}
