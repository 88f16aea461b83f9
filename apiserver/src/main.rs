//! The apiserver's process.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use squall_apiserver::restore::{self, RestoreArgs, SummaryArgs};
use squall_apiserver::server::{ServerArgs, serve};
use squall_daemon::ProcessArgs;

/// With glibc's allocator, a busy apiserver spent more than a quarter of its time in it (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A Raft-replicated, Kubernetes-shaped apiserver over gRPC and REST.
#[derive(Debug, Parser)]
#[command(name = "apiserver", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a member of a Raft group
    Serve {
        #[command(flatten)]
        server: Box<ServerArgs>,
        #[command(flatten)]
        process: ProcessArgs,
    },
    /// Print a summary of a snapshot as JSON
    Summary(SummaryArgs),
    /// Create the data of a member of a new group from a snapshot
    Restore(RestoreArgs),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { server, process } => squall_daemon::run(&process, |stopping| serve(*server, stopping)),
        Command::Summary(args) => restore::report(restore::summary(&args)),
        Command::Restore(args) => restore::report(restore::restore(&args)),
    }
}
