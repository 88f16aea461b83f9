//! When nobody watches any more: a command that may write nothing for long would not find out by writing.

use std::future::pending;
use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Returns at Ctrl-C, and when the reader of standard output has gone away: `ctl get pods --watch | head -1`.
pub async fn unwatched() {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = unread() => {}
    }
}

async fn unread() {
    // A file cannot be waited for: nobody has to read it.
    let Ok(output) = AsyncFd::with_interest(io::stdout(), Interest::ERROR) else { return pending().await };
    // The system reports an error on a pipe when its last reader closes it, and on no other occasion.
    if output.ready(Interest::ERROR).await.is_err() {
        pending().await
    }
}
