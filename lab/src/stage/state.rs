//! The state that all arms of a run share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use squall_checkers::traffic::{Tally, Traffic};
use squall_checkers::{Recorder, Witness};
use squall_client::Client;
use squall_cluster::Cluster;
use squall_referee::evidence::FaultRecord;
use tokio::sync::Mutex as AsyncMutex;

use super::record::Note;
use super::view::{View, by_version};

/// The receivers of what happens during a run.
pub struct Audience {
    /// Receives each note.
    pub note: Box<dyn Fn(&Note) + Send + Sync>,
    /// Receives a view of the run several times a second.
    pub view: Option<Box<dyn Fn(View) + Send + Sync>>,
}

impl Audience {
    /// An audience for notes.
    pub fn of_notes(note: impl Fn(&Note) + Send + Sync + 'static) -> Self {
        Self { note: Box::new(note), view: None }
    }
}

/// The state that all arms share.
pub struct Stage {
    pub cluster: AsyncMutex<Cluster>,
    /// A client that no fault affects.
    pub client: Client,
    pub witness: Witness,
    pub start: Instant,
    /// The folder of the files that commands use.
    pub folder: PathBuf,
    /// The writes of the checkers that were acknowledged.
    acknowledged: Arc<AtomicU64>,
    /// The load of each arm.
    loads: Mutex<BTreeMap<String, Traffic>>,
    faults: Mutex<Vec<FaultRecord>>,
    notes: Mutex<Vec<Note>>,
    audience: Audience,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    /// A stage with nothing on it.
    pub fn new(
        cluster: Cluster,
        client: &Client,
        recorder: &Recorder,
        folder: &Path,
        acknowledged: Arc<AtomicU64>,
        audience: Audience,
    ) -> Self {
        Self {
            cluster: AsyncMutex::new(cluster),
            client: client.clone(),
            witness: recorder.witness(),
            start: recorder.start_time(),
            folder: folder.to_owned(),
            acknowledged,
            loads: Mutex::default(),
            faults: Mutex::default(),
            notes: Mutex::default(),
            audience,
        }
    }

    /// The time since the start of the recording.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Records a note and passes it on.
    pub fn note(&self, arm: &str, text: String) {
        let note = Note { at: self.now(), arm: arm.to_owned(), text };
        (self.audience.note)(&note);
        locked(&self.notes).push(note);
    }

    /// Records a fault that has ended.
    pub fn keep(&self, fault: FaultRecord) {
        locked(&self.faults).push(fault);
    }

    /// Takes all notes and faults, in order.
    pub fn taken(&self) -> (Vec<Note>, Vec<FaultRecord>) {
        let notes = std::mem::take(&mut *locked(&self.notes));
        let mut faults = std::mem::take(&mut *locked(&self.faults));
        faults.sort_by_key(|fault| fault.from);
        (notes, faults)
    }

    /// Starts the load of an arm.
    pub fn start_load(&self, arm: &str, traffic: Traffic) {
        locked(&self.loads).insert(arm.to_owned(), traffic);
    }

    /// Takes the load of an arm, to end it.
    pub fn take_load(&self, arm: &str) -> Option<Traffic> {
        locked(&self.loads).remove(arm)
    }

    /// The requests of an arm so far; none if it has no load.
    pub fn tally(&self, arm: &str) -> Tally {
        locked(&self.loads).get(arm).map(Traffic::tally).unwrap_or_default()
    }

    /// The number of writes of the checkers that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Shows the run to an audience that wants to see it.
    pub fn show(&self, raft_leader: &str, elected: &str) {
        let Some(show) = &self.audience.view else { return };
        let mut view = View {
            pods: self.witness.look(by_version),
            raft_leader: raft_leader.to_owned(),
            elected: elected.to_owned(),
            ..View::default()
        };
        for tally in locked(&self.loads).values().map(Traffic::tally) {
            view.failed += tally.failed;
            for (version, count) in tally.by_version {
                *view.requests.entry(version).or_default() += count;
            }
        }
        show(view);
    }
}
