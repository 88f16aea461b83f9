//! The choice of a network for a new cluster: one in which nothing listens, and which no other cluster will want back.
//!
//! A cluster that is stopped keeps its network, because its services and pods have addresses there. So each network has
//! a file, in the user's own temporary folder, that names the folder of its cluster. The clusters of other users are
//! only noticed while they listen.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};

use crate::addresses::{MAX_EVER_APISERVERS, Network};
use crate::description::Description;
use crate::guard::{open_lock, own_temporary};

/// The longest path that a network's file may name, in bytes.
const LONGEST_PATH: u64 = 4096;

/// A network that a new cluster has for itself. While this exists, no other launcher of this user takes it: until the
/// members listen there, nothing else shows that it is in use.
#[derive(Debug)]
pub struct Reservation {
    pub network: Network,
    /// Locked.
    file: File,
}

impl Reservation {
    /// Reserves a network that no cluster has; failing that, one whose cluster is stopped.
    pub fn of_unused() -> anyhow::Result<Self> {
        let mut networks: Vec<Network> = Network::all().collect();
        fastrand::shuffle(&mut networks);
        for even_of_stopped_clusters in [false, true] {
            for network in &networks {
                if let Some(reservation) = Self::lock(*network)?
                    && (even_of_stopped_clusters || !reservation.has_owner()?)
                    && network.is_silent()
                {
                    return Ok(reservation);
                }
            }
        }
        bail!("every network that clusters use is in use; stop a cluster with \"ctl cluster down\"")
    }

    /// Reserves this network, unless a cluster is using it.
    pub fn of(network: Network) -> anyhow::Result<Self> {
        if let Some(reservation) = Self::lock(network)?
            && network.is_silent()
        {
            return Ok(reservation);
        }
        bail!("the addresses {network} are in use by another cluster")
    }

    /// Records that this folder's cluster has the network, for as long as there is such a cluster.
    pub fn give_to(&self, folder: &Path) -> anyhow::Result<()> {
        let mut file = &self.file;
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(folder.as_os_str().as_bytes()))
            .with_context(|| format!("recording that {} has {}", folder.display(), self.network))
    }

    /// Locks the network's file; `None` if another launcher has it.
    fn lock(network: Network) -> anyhow::Result<Option<Self>> {
        let path = own_temporary()?.join(network.lock_name());
        let file = open_lock(&path).with_context(|| format!("opening {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { network, file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// Whether the folder that the file names has a cluster with this network. A folder that was moved or removed, or
    /// that nobody can read, counts for nothing: the file is a hint.
    fn has_owner(&self) -> anyhow::Result<bool> {
        let mut path = Vec::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0)).context("reading a network's file")?;
        file.take(LONGEST_PATH).read_to_end(&mut path).context("reading a network's file")?;
        let description = Description::read(Path::new(OsStr::from_bytes(&path)));
        Ok(description.is_ok_and(|description| description.network == self.network))
    }
}

impl Network {
    /// Whether no apiserver listens there, whatever its number.
    fn is_silent(self) -> bool {
        (0..MAX_EVER_APISERVERS).all(|index| TcpListener::bind(self.apiserver(index)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::options::Options;

    #[test]
    fn two_launchers_do_not_take_the_same_network() {
        let taken: Vec<Reservation> = (0..8).map(|_| Reservation::of_unused().unwrap()).collect();
        let names: BTreeSet<String> = taken.iter().map(|taken| taken.network.lock_name()).collect();
        assert_eq!(names.len(), taken.len());
    }

    #[test]
    fn a_network_belongs_to_its_cluster_even_while_that_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let reservation = Reservation::of_unused().unwrap();
        assert!(!reservation.has_owner().unwrap());
        reservation.give_to(folder.path()).unwrap();
        assert!(!reservation.has_owner().unwrap(), "there is no cluster yet");
        Description::new(reservation.network, Options::default()).write(folder.path()).unwrap();
        assert!(reservation.has_owner().unwrap());

        let other = Network::all().find(|network| *network != reservation.network).unwrap();
        Description::new(other, Options::default()).write(folder.path()).unwrap();
        assert!(!reservation.has_owner().unwrap(), "its cluster has another network now");
        reservation.give_to(Path::new("")).unwrap();
        assert!(!reservation.has_owner().unwrap());
    }
}
