//! openraft's own storage test suite, run on our log and our state machine.

use std::fs;
use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::config::LogLimits;
use super::log::{Begun, LogFolder, LogStorage};
use super::machine::StateMachine;
use super::snapshot::SnapshotFolder;
use super::types::TypeConfig;
use crate::host::LocalDisk;
use crate::metrics::Metrics;

struct Builder(LogLimits);

impl StoreBuilder<TypeConfig, LogStorage, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStorage, StateMachine), StorageError<TypeConfig>> {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::create_dir(&log).unwrap();
        let place = LogFolder {
            disk: Arc::new(LocalDisk),
            path: log,
            mark: folder.path().join("log.mark"),
            member: 1,
            begun: Begun::No,
        };
        let metrics = Metrics::new();
        let snapshots = SnapshotFolder::open(Arc::new(LocalDisk), &folder.path().join("snapshots")).unwrap();
        Ok((
            folder,
            LogStorage::open(place, self.0, metrics.fsync.clone()).unwrap(),
            StateMachine::open(1, snapshots, self.0, metrics.apply.clone()).unwrap(),
        ))
    }
}

#[tokio::test]
async fn the_log_and_the_state_machine_conform_to_openraft() {
    Suite::test_all(Builder(LogLimits::default())).await.unwrap();
}

#[tokio::test]
async fn a_log_that_reads_everything_from_disk_conforms_too() {
    Suite::test_all(Builder(LogLimits { held_bytes: 0, ..LogLimits::default() })).await.unwrap();
}
