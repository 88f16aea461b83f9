//! The apiserver's process.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use squall_apiserver::restore::{self, SummaryArgs, TearArgs};
use squall_apiserver::server::serve;
use squall_flags::{ApiserverFlags, ProcessFlags, RestoreFlags};

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
        server: Box<ApiserverFlags>,
        #[command(flatten)]
        process: ProcessFlags,
    },
    /// Print a summary of a snapshot as JSON
    Summary(SummaryArgs),
    /// Create the data of a member of a new group from a snapshot
    Restore(RestoreFlags),
    /// Damage the log of a member that is not running, as a power cut in the middle of a write does
    #[command(hide = true)]
    Tear(TearArgs),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { server, process } => squall_daemon::run(&process, |stopping| serve(*server, stopping)),
        Command::Summary(args) => restore::report(restore::summary(&args)),
        Command::Restore(flags) => restore::report(restore::restore(&flags)),
        Command::Tear(args) => restore::ended(restore::tear(&args)),
    }
}
