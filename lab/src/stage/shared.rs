//! The state of an arm that outlives a single step, and its conditions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_checkers::traffic::Tally;
use tokio::sync::watch;

use super::state::Stage;
use crate::faults::{Commands, Scene};
use crate::scenario::{Condition, Seen};

/// How often to check conditions that no event announces.
pub const LOOK: Duration = Duration::from_millis(20);

/// The state that outlives a single step.
pub struct Shared {
    pub stage: Arc<Stage>,
    /// The name of the arm and of its namespace.
    pub name: String,
    pub commands: Commands,
    /// The number of the arm's own client, for its links.
    pub slot: usize,
    /// The faults that have ended.
    pub healed: watch::Sender<BTreeSet<String>>,
}

impl Shared {
    pub fn note(&self, text: String) {
        self.stage.note(&self.name, text);
    }

    /// Returns the targets for the arm's faults.
    pub fn scene(&self) -> Scene<'_> {
        let (cluster, client) = (&self.stage.cluster, &self.stage.client);
        Scene { cluster, client, commands: &self.commands, slot: self.slot }
    }

    /// Records that a fault has ended.
    pub fn note_healed(&self, fault: &str) {
        self.healed.send_modify(|healed| {
            healed.insert(fault.to_owned());
        });
    }

    /// Waits until a fault has ended.
    pub async fn is_healed(&self, fault: &str) {
        // The sender is in `self`, so this cannot fail.
        drop(self.healed.subscribe().wait_for(|healed| healed.contains(fault)).await);
    }

    /// Checks a condition now; the error describes the actual state.
    fn check(&self, condition: &Condition) -> Result<(), String> {
        let Tally { by_version: answers, failed, .. } = self.stage.tally(&self.name);
        let (commands, acknowledged) = (self.commands.states(), self.stage.acknowledged());
        let namespace = &self.name;
        self.stage
            .witness
            .look(|world| condition.holds(&Seen { world, namespace, commands, answers, failed, acknowledged }))
    }

    /// Waits until a condition holds; the error describes the last state.
    pub async fn until(&self, condition: &Condition, limit: Duration) -> Result<(), String> {
        let (start, mut news) = (Instant::now(), self.stage.witness.news());
        loop {
            news.borrow_and_update();
            let Err(seen) = self.check(condition) else { return Ok(()) };
            if start.elapsed() >= limit {
                return Err(seen);
            }
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Checks that a condition keeps holding; the error says when it stopped.
    pub async fn stays(&self, condition: &Condition, time: Duration) -> Result<(), String> {
        let (start, mut news) = (Instant::now(), self.stage.witness.news());
        while start.elapsed() < time {
            news.borrow_and_update();
            self.check(condition).map_err(|seen| {
                format!("it held at first, but not after {:.1} s: {seen}", start.elapsed().as_secs_f64())
            })?;
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(())
    }
}
