//! The apiserver's process.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use squall_apiserver::server::{ServerArgs, serve};
use squall_daemon::ProcessArgs;

/// glibc's allocator took more than a quarter of a busy apiserver's time (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A Raft-replicated Kubernetes-shaped apiserver over gRPC.
#[derive(Debug, Parser)]
#[command(name = "apiserver", version)]
struct Arguments {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    process: ProcessArgs,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    squall_daemon::run(&arguments.process, |stopping| serve(arguments.server, stopping))
}
