//! Requests to stop: Ctrl-C, SIGTERM, a closed terminal. Listening begins before the command starts anything that it
//! would have to stop again.

use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// The signals that ask a command to stop.
pub struct Interruption {
    signals: [(&'static str, Signal); 3],
    has_come: bool,
}

impl Interruption {
    /// Starts listening. From now on these signals do not end the process by themselves.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(anyhow::Error::from);
        Ok(Self {
            signals: [
                ("SIGINT", listen(SignalKind::interrupt())?),
                ("SIGTERM", listen(SignalKind::terminate())?),
                ("SIGHUP", listen(SignalKind::hangup())?),
            ],
            has_come: false,
        })
    }

    /// Whether `wait` has returned a signal.
    pub const fn has_come(&self) -> bool {
        self.has_come
    }

    /// Waits for a signal and returns its name.
    pub async fn wait(&mut self) -> &'static str {
        let name = poll_fn(|context| {
            let came = self
                .signals
                .iter_mut()
                .find_map(|(name, signal)| signal.poll_recv(context).is_ready().then_some(*name));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        self.has_come = true;
        name
    }
}
