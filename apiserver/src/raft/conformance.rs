//! openraft's own storage test suite, run on our log and our state machine.

use std::fs;
use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::log::LogStorage;
use super::machine::StateMachine;
use super::snapshot::SnapshotFolder;
use super::types::TypeConfig;
use crate::host::LocalDisk;
use crate::metrics::Metrics;

struct Builder;

impl StoreBuilder<TypeConfig, LogStorage, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStorage, StateMachine), StorageError<TypeConfig>> {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::create_dir(&log).unwrap();
        let metrics = Metrics::new();
        let snapshots = SnapshotFolder::open(Arc::new(LocalDisk), &folder.path().join("snapshots")).unwrap();
        Ok((
            folder,
            LogStorage::open(Arc::new(LocalDisk), &log, 1 << 20, metrics.fsync.clone()).unwrap(),
            StateMachine::open(1, snapshots, 1 << 20, metrics.apply.clone()).unwrap(),
        ))
    }
}

#[tokio::test]
async fn the_log_and_the_state_machine_conform_to_openraft() {
    Suite::test_all(Builder).await.unwrap();
}
