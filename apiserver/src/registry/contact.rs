//! Whether a member still hears what the others do. One that was cut off from them has nothing to tell its watches, and
//! nobody would notice: whoever watches there must go and watch elsewhere.

use std::convert::Infallible;
use std::time::Duration;

use squall_api::Error;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Registry;

/// How often a quorum is asked.
const PERIOD: Duration = Duration::from_millis(500);
/// How long one may take to answer.
const LIMIT: Duration = Duration::from_millis(700);
/// One that has not answered so often is out of reach. An election takes less.
const SILENCES: u32 = 3;

/// What is known of it.
pub struct Contact {
    lost: watch::Sender<bool>,
}

impl Default for Contact {
    fn default() -> Self {
        Self { lost: watch::Sender::new(false) }
    }
}

impl Registry {
    /// Finds out again and again whether a quorum is in reach.
    pub async fn keep_contact(&self) -> Infallible {
        let mut silences = 0;
        loop {
            tokio::time::sleep(PERIOD).await;
            let answers = self.member().is_in_touch(Instant::now() + LIMIT).await;
            silences = if answers { 0 } else { silences + 1 };
            let lost = silences >= SILENCES;
            let changed = self.inner.contact.lost.send_if_modified(|known| std::mem::replace(known, lost) != lost);
            if changed {
                tracing::warn!(lost, "the contact to the other apiservers has changed");
            }
        }
    }

    /// Becomes true when no quorum is in reach any more.
    #[must_use]
    pub fn contact_lost(&self) -> watch::Receiver<bool> {
        self.inner.contact.lost.subscribe()
    }
}

/// What a watch is told whose member is out of touch.
pub fn out_of_touch() -> Error {
    Error::unavailable("this apiserver has lost the contact to the others and would not hear of changes")
}
