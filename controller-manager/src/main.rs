//! Entry point of the controller-manager process.

use std::process::ExitCode;

use clap::Parser;
use squall_controller_manager::manager::run;
use squall_flags::{ControllerManagerFlags, ProcessFlags};

/// The controllers of a Squall cluster.
#[derive(Debug, Parser)]
#[command(name = "controller-manager", version)]
struct Arguments {
    #[command(flatten)]
    manager: ControllerManagerFlags,
    #[command(flatten)]
    process: ProcessFlags,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    squall_daemon::run(&arguments.process, |stopping| run(arguments.manager, stopping))
}
