//! Waiting for a condition instead of for time.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

/// How long a condition may take on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Waits for a condition; says what was last seen when it does not come.
pub async fn wait_for<T, E: Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    condition: impl Fn() -> F,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= deadline => bail!("waited {PATIENCE:?} for {what}; last seen: {seen:?}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
