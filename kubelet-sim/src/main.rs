//! Entry point of the kubelet and runtime processes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use squall_flags::{KubeletFlags, ProcessFlags, RuntimeFlags};
use squall_kubelet_sim::agent::run_agent;
use squall_kubelet_sim::catalogue::Catalogue;
use squall_kubelet_sim::runtime::run_runtime;

/// A simulated node.
#[derive(Debug, Parser)]
#[command(name = "kubelet-sim", version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Run the kubelet, which manages the pods of its node and reports on them
    Agent {
        #[command(flatten)]
        agent: KubeletFlags,
        #[command(flatten)]
        process: ProcessFlags,
    },
    /// Run the runtime, which runs the containers and forwards connections to services
    Runtime {
        #[command(flatten)]
        runtime: RuntimeFlags,
        #[command(flatten)]
        process: ProcessFlags,
    },
    /// Check whether an image catalogue is valid
    CheckImages {
        /// Image catalogue in YAML
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().role {
        Role::Agent { agent, process } => squall_daemon::run(&process, |stopping| run_agent(agent, stopping)),
        Role::Runtime { runtime, process } => squall_daemon::run(&process, |stopping| run_runtime(runtime, stopping)),
        Role::CheckImages { file } => check_images(&file),
    }
}

fn check_images(file: &Path) -> ExitCode {
    match Catalogue::load(Some(file)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            // If writing fails, there is nowhere else to report it.
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}
