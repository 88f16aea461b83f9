//! When nobody watches any more: a command that may write nothing for long would not find out by writing.

use std::future::pending;
use std::io;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// Returns at Ctrl-C, and when the reader of standard output has gone away: `ctl get pods --watch | head -1`.
pub async fn unwatched() {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = unread() => {}
    }
}

async fn unread() {
    let (sender, gone) = oneshot::channel();
    // A thread of its own ends with the process; one of the runtime's would have to be waited for.
    thread::spawn(move || {
        let output = io::stdout();
        // What is not asked for is told all the same: that the other end is closed. Of a file nothing is ever told.
        let mut asked = [PollFd::new(&output, PollFlags::empty())];
        let told = loop {
            match poll(&mut asked, None) {
                Err(Errno::INTR) => {}
                told => break told,
            }
        };
        if told.is_ok() {
            // When nobody waits for it any more, the command has ended otherwise.
            sender.send(()).ok();
        }
    });
    if gone.await.is_err() {
        pending::<()>().await;
    }
}
