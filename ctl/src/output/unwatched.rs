//! Detects that nobody reads the output any more. A command that rarely writes would not notice it by writing.

use std::future::pending;
use std::io;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// Returns on Ctrl-C, and when the reader of standard output is gone: `ctl get pods --watch | head -1`.
pub async fn unwatched() {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = unread() => {}
    }
}

async fn unread() {
    let (sender, gone) = oneshot::channel();
    // A separate thread ends with the process. The runtime would wait for one of its own threads.
    thread::spawn(move || {
        let output = io::stdout();
        // Even without requested events, poll reports that the other end is closed. For a file it never returns.
        let mut asked = [PollFd::new(&output, PollFlags::empty())];
        let told = loop {
            match poll(&mut asked, None) {
                Err(Errno::INTR) => {}
                told => break told,
            }
        };
        if told.is_ok() {
            // Without a receiver, the command has ended for another reason.
            sender.send(()).ok();
        }
    });
    if gone.await.is_err() {
        pending::<()>().await;
    }
}
