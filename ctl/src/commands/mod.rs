//! The commands, one file each.

mod api_resources;
mod apply;
mod auth;
mod bench;
mod chaos;
mod cluster;
mod config;
mod create;
mod delete;
mod demo;
mod describe;
mod diff;
mod edit;
mod events;
mod explain;
mod fault;
mod get;
mod logs;
mod mark;
mod node;
mod patch;
mod record;
mod replace;
mod rolling_update;
mod rollout;
mod scale;
mod set;
mod snapshot;
mod soak;
mod version;
mod wait;
mod why;

use clap::CommandFactory;

use crate::cli::{ChangeCommand, Cli, Command, Global, ReadCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::text;

/// Runs a command.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Bench(command) => bench::run(command).await,
        Command::Chaos(command) => chaos::run(command).await,
        Command::Fault(command) => fault::run(command).await,
        Command::Soak(args) => soak::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Cluster(command) => cluster::run(command).await,
        Command::Snapshot(command) => snapshot::run(global, command).await,
        Command::Explain(args) => explain::run(global, &args).await,
        Command::ApiResources(args) => api_resources::run(global, &args).await,
        Command::Version(args) => version::run(global, args).await,
        Command::Config(command) => config::run(global, command),
        Command::Completion { shell } => completion(shell),
        Command::Read(command) => read(&Context::find(global)?, command).await,
        Command::Change(command) => change(global, command).await,
    }
}

async fn read(context: &Context, command: ReadCommand) -> Result<(), Failure> {
    match command {
        ReadCommand::Get(args) => get::run(context, args).await,
        ReadCommand::Describe(args) => describe::run(context, args).await,
        ReadCommand::Why(args) => why::run(context, args).await,
        ReadCommand::Events(args) => events::run(context, args).await,
        ReadCommand::Logs(args) => logs::run(context, args).await,
        ReadCommand::Wait(args) => wait::run(context, args).await,
        ReadCommand::Diff(args) => diff::run(context, args).await,
        ReadCommand::Auth(command) => auth::run(context, command).await,
    }
}

async fn change(global: &Global, command: ChangeCommand) -> Result<(), Failure> {
    // Errors that need no cluster are reported first.
    if let ChangeCommand::RollingUpdate(args) = &command {
        rolling_update::check(args)?;
    }
    let context = &Context::find(global)?;
    match command {
        ChangeCommand::Create(args) => create::run(context, args).await,
        ChangeCommand::Apply(args) => apply::run(context, args).await,
        ChangeCommand::Replace(args) => replace::run(context, args).await,
        ChangeCommand::Delete(args) => delete::run(context, args).await,
        ChangeCommand::Edit(args) => edit::run(context, args).await,
        ChangeCommand::Scale(args) => scale::run(context, args).await,
        ChangeCommand::Set(command) => set::run(context, command).await,
        ChangeCommand::Patch(args) => patch::run(context, args).await,
        ChangeCommand::Label(args) => mark::run(context, mark::Mark::Label, args).await,
        ChangeCommand::Annotate(args) => mark::run(context, mark::Mark::Annotation, args).await,
        ChangeCommand::Rollout(command) => rollout::run(context, command).await,
        ChangeCommand::RollingUpdate(args) => rolling_update::run(context, args).await,
        ChangeCommand::Cordon(args) => node::cordon(context, args, node::Scheduling::Stopped).await,
        ChangeCommand::Uncordon(args) => node::cordon(context, args, node::Scheduling::Allowed).await,
        ChangeCommand::Drain(args) => node::drain(context, args).await,
        ChangeCommand::Taint(args) => node::taint(context, args).await,
    }
}

fn completion(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_BIN_NAME"), &mut script);
    text(&String::from_utf8_lossy(&script));
    Ok(())
}
