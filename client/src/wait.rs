//! Waits for a condition instead of a fixed time.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use squall_api::timing::later;
use tokio::time::Instant;

/// The timeout of a condition, long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// A condition that was not met in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {PATIENCE:?} for {what}; last seen: {seen}")]
pub struct TimedOut {
    what: String,
    seen: String,
}

/// Waits until a condition returns a value. The error reports the last state that was seen.
pub async fn wait_for<T, E: Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    condition: impl Fn() -> F,
) -> Result<T, TimedOut> {
    let deadline = later(Instant::now(), PATIENCE);
    loop {
        match condition().await {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= deadline => {
                return Err(TimedOut { what: what.to_owned(), seen: format!("{seen:?}") });
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
