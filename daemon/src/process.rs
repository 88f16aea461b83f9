//! The frame of a process: logs to standard error, one thread by default, graceful shutdown on a signal.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use crate::panics;
use anyhow::Context;
use squall_flags::ProcessFlags;
use tokio::io::AsyncReadExt;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// The timeout of a graceful shutdown.
const DRAIN: Duration = Duration::from_secs(4);
/// The log filter of a process without one.
const LOG: &str = "info,openraft=warn";

/// The work of a process. The library that defines it boxes it, so that the work is compiled there: a program that
/// polled the bare future would compile all of it a second time.
pub type Work = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// Runs `work` until it returns or a signal arrives. On a signal, the value that `work` receives becomes true: it
/// should drain and return.
pub fn run(flags: &ProcessFlags, work: impl FnOnce(watch::Receiver<bool>) -> Work) -> ExitCode {
    panics::end_the_process();
    if let Err(error) = log_to_stderr(flags.log.as_deref().unwrap_or(LOG)) {
        // There is no log to report it in.
        drop(writeln!(std::io::stderr(), "{error:#}"));
        return ExitCode::from(2);
    }
    let runtime = match flags.worker_threads {
        Some(threads) if threads > 1 => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
        _ => Builder::new_current_thread().enable_all().build(),
    };
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let result = runtime.block_on(async {
            files_may_be_limited()?;
            open_as_many_files_as_allowed()?;
            let (stop, stopping) = watch::channel(false);
            let mut work = work(stopping);
            tokio::select! {
                result = &mut work => return result,
                () = end_requested(flags.end_with_stdin) => tracing::info!("shutting down"),
            }
            stop.send_replace(true);
            match tokio::time::timeout(DRAIN, work).await {
                Ok(result) => result,
                Err(_) => Err(anyhow::anyhow!("graceful shutdown timed out after {DRAIN:?}")),
            }
        });
        // A thread that blocks on standard input must not delay the shutdown.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Starts the log. The filter is a list of levels, of everything or of a module: `info,openraft=warn`.
fn log_to_stderr(filter: &str) -> anyhow::Result<()> {
    let filter: Targets = filter.parse().with_context(|| format!("--log {filter:?} is not a list like {LOG:?}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    Ok(())
}

/// Makes a write beyond the file size limit (`ulimit -f`) fail like on a full disk instead of killing the process: once
/// tokio handles the signal, it is not fatal.
fn files_may_be_limited() -> anyhow::Result<()> {
    drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
    Ok(())
}

/// Raises the limit of open files to the maximum that the administrator allows. Each connection is a file, and the
/// usual limit is 1,024.
fn open_as_many_files_as_allowed() -> anyhow::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

async fn end_requested(with_stdin: bool) {
    let stdin_closed = async {
        if with_stdin {
            let mut sink = [0; 64];
            while tokio::io::stdin().read(&mut sink).await.is_ok_and(|count| count > 0) {}
        } else {
            std::future::pending::<()>().await;
        }
    };
    let signalled = async {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            _ => std::future::pending().await,
        }
    };
    tokio::select! { () = stdin_closed => {}, () = signalled => {} }
}
