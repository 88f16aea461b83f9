//! Slow work: each time there is work to do, it takes a while. Work that arrives meanwhile is done together, as a real
//! log's writer finds more entries after each fsync.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// Does the work, with a pause after each wakeup.
pub async fn slowly(mut work: BoxFuture<'static, ()>, pause: impl Fn() -> Duration) {
    let mut waiting = None;
    poll_fn(|cx| {
        let wait = waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause())));
        match wait.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                waiting = None;
                work.as_mut().poll(cx)
            }
        }
    })
    .await;
}
