//! The apiserver's process.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use squall_apiserver::restore::{self, RestoreArgs, SummaryArgs};
use squall_apiserver::server::{ServerArgs, serve};
use squall_daemon::ProcessArgs;

/// glibc's allocator took more than a quarter of a busy apiserver's time (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A Raft-replicated Kubernetes-shaped apiserver over gRPC.
#[derive(Debug, Parser)]
#[command(name = "apiserver", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve as a member of a group
    Serve {
        #[command(flatten)]
        server: Box<ServerArgs>,
        #[command(flatten)]
        process: ProcessArgs,
    },
    /// Say what a snapshot holds, as JSON
    Summary(SummaryArgs),
    /// Begin the data of a member of a new group with a snapshot
    Restore(RestoreArgs),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { server, process } => squall_daemon::run(&process, |stopping| serve(*server, stopping)),
        Command::Summary(args) => restore::report(restore::summary(&args)),
        Command::Restore(args) => restore::report(restore::restore(&args)),
    }
}
