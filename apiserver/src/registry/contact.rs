//! Detects whether a member has lost contact with the others. Its watches would then miss changes unnoticed, so they
//! end and their clients watch elsewhere.

use std::convert::Infallible;
use std::time::Duration;

use squall_api::Error;
use squall_api::timing::later;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Registry;

/// Interval between quorum checks.
const PERIOD: Duration = Duration::from_millis(500);
/// Timeout of a quorum check.
const LIMIT: Duration = Duration::from_millis(700);
/// Number of failed checks after which the quorum is unreachable. An election takes less time.
const SILENCES: u32 = 3;

/// The last known state of the contact.
pub struct Contact {
    lost: watch::Sender<bool>,
}

impl Default for Contact {
    fn default() -> Self {
        Self { lost: watch::Sender::new(false) }
    }
}

impl Registry {
    /// Checks repeatedly whether a quorum is reachable.
    pub async fn keep_contact(&self) -> Infallible {
        let mut silences = 0_u32;
        loop {
            tokio::time::sleep(PERIOD).await;
            let answers = self.member().is_in_touch(later(Instant::now(), LIMIT)).await;
            silences = if answers { 0 } else { silences.saturating_add(1) };
            let lost = silences >= SILENCES;
            let changed = self.inner.contact.lost.send_if_modified(|known| std::mem::replace(known, lost) != lost);
            if changed {
                tracing::warn!(lost, "contact with the other apiservers has changed");
            }
        }
    }

    /// Returns a signal that becomes true when no quorum is reachable.
    #[must_use]
    pub fn contact_lost(&self) -> watch::Receiver<bool> {
        self.inner.contact.lost.subscribe()
    }
}

/// Returns the error for watches of a member that has lost contact.
pub fn out_of_touch() -> Error {
    Error::unavailable("this apiserver has lost contact with the others and would miss changes")
}
