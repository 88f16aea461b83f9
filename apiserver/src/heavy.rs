//! The thread for heavy writes: those of large objects, which take many milliseconds of computing. The main thread serves
//! everything else, Raft and health among it, so that no write, however heavy, costs a leader its term. Light writes stay
//! on the main thread, because a detour costs each of them a tenth of its time (docs/benchmarks.md).

use std::thread;

use anyhow::Context;
use squall_daemon::Guarded;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Runs heavy writes until this is dropped.
pub struct HeavyThread {
    handle: Handle,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl HeavyThread {
    /// Starts the thread.
    pub fn start() -> anyhow::Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_all().build().context("starting the thread for heavy writes")?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || drop(runtime.block_on(stopped));
        thread::Builder::new().name("heavy".to_owned()).spawn(work).context("starting the thread for heavy writes")?;
        Ok(Self { handle, _stop: stop })
    }

    /// Returns the place for work.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

/// Length of a body, or of a stored object, from which on a write is heavy.
pub const HEAVY_BYTES: usize = 64 << 10;

/// Does work on the thread of a handle. It ends when the returned future is dropped. Returns `None` if that thread has
/// ended.
///
/// # Panics
/// If the work panics, here and not on that thread.
#[expect(clippy::panic, reason = "a panic of a handler is passed on to what answers for it")]
pub async fn elsewhere<T: Send + 'static>(
    handle: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    // A set aborts its tasks when it is dropped.
    let mut alone = JoinSet::new();
    alone.spawn_on(Guarded::new(work), handle);
    match alone.join_next().await?.ok()? {
        Ok(done) => Some(done),
        Err(panic) => panic!("{panic}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_runs_on_the_other_thread_and_ends_with_its_caller() {
        let heavy = HeavyThread::start().unwrap();
        let handle = heavy.handle();
        let name = elsewhere(&handle, async { thread::current().name().map(str::to_owned) }).await;
        assert_eq!(name.unwrap().unwrap(), "heavy");
        let (alive, ended) = oneshot::channel::<()>();
        let work = elsewhere(&handle, async move {
            std::future::pending::<()>().await;
            drop(alive);
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
        assert!(ended.await.is_err(), "it was dropped");
    }
}
