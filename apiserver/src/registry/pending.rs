//! Writes that the write log has not been told of yet. Who asked may be gone before there is an outcome, or give up: then it is looked for in
//! what the store remembers of requests.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::Registry;
use crate::raft::ProposeError;
use crate::store::{Outcome, RequestId, Revision};
use crate::write_log::Intent;

/// How long an outcome is looked for when nobody waits for it any more, and how often.
const LOOKED_FOR: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// A write under way.
pub(super) struct Pending {
    registry: Registry,
    id: RequestId,
    /// `None`: it has been told of.
    intent: Option<Intent>,
}

impl Pending {
    pub(super) fn new(registry: &Registry, id: RequestId, intent: Intent) -> Self {
        Self { registry: registry.clone(), id, intent: Some(intent) }
    }

    /// It has come to this.
    pub(super) fn ended(mut self, outcome: &Result<Outcome, ProposeError>) {
        // Without an answer it may have been done all the same.
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
            let until = Instant::now() + LOOKED_FOR;
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
