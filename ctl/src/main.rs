//! `ctl`: the command line of a Squall cluster.

mod cli;
mod commands;
mod context;
mod download;
mod failure;
mod files;
mod interruption;
mod kinds;
mod manifests;
mod modify;
mod output;
mod request_log;
mod selection;
mod sorting;

use std::process::ExitCode;

use clap::FromArgMatches;
use mimalloc::MiMalloc;

use cli::{Cli, Command};
use tokio::runtime::Builder;

/// Worker threads for the clients and recorders that run during a scenario.
const LOOKING_ON: usize = 3;

/// A load generator must not be slower than what it measures.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let parsed = cli::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return output::report_usage(&error),
    };
    // Fault injection must not delay the clients and recorders.
    let runtime = match cli.command {
        Command::Chaos(_) => Builder::new_multi_thread().worker_threads(LOOKING_ON).enable_all().build(),
        _ => Builder::new_current_thread().enable_all().build(),
    };
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(failure::Failure::from(anyhow::Error::from(error))),
    };
    match result.and_then(|()| output::checked()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output::report(&failure),
    }
}
