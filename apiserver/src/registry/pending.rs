//! Writes that are not in the write log yet. If the requester is gone or gives up before there is an outcome, the
//! outcome is looked up among the requests that the store remembers.

use std::time::Duration;

use squall_api::timing::later;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::Registry;
use crate::raft::ProposeError;
use crate::store::{Outcome, RequestId, Revision};
use crate::write_log::Intent;

/// How long to look for an outcome that no one waits for any longer, and how often.
const LOOKED_FOR: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// A write in progress.
pub(super) struct Pending {
    registry: Registry,
    id: RequestId,
    /// `None` once the outcome is reported.
    intent: Option<Intent>,
}

impl Pending {
    pub(super) fn new(registry: &Registry, id: RequestId, intent: Intent) -> Self {
        Self { registry: registry.clone(), id, intent: Some(intent) }
    }

    /// Reports the outcome to the write log.
    pub(super) fn ended(mut self, outcome: &Result<Outcome, ProposeError>) {
        if matches!(outcome, Err(ProposeError::Overloaded)) {
            self.intent = None;
        }
        // Without an answer, the write may still have happened.
        let Ok(outcome) = outcome else { return };
        if let (Some(intent), Some(revision)) = (self.intent.take(), outcome.applied()) {
            self.registry.note(&intent, revision);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let (Some(intent), Ok(runtime)) = (self.intent.take(), Handle::try_current()) else { return };
        let (registry, id) = (self.registry.clone(), self.id);
        runtime.spawn(async move {
            let until = later(Instant::now(), LOOKED_FOR);
            while Instant::now() < until {
                let outcome = registry.member().view().requests().outcome(&id);
                if let Some(outcome) = outcome {
                    return outcome.applied().into_iter().for_each(|revision| registry.note(&intent, revision));
                }
                tokio::time::sleep(LOOK).await;
            }
        });
    }
}

impl Registry {
    fn note(&self, intent: &Intent, revision: Revision) {
        if let Some(log) = &self.inner.write_log {
            log.note(intent, revision, self.now());
        }
    }
}
