//! The commands, a file each.

mod apply;
mod auth;
mod bench;
mod cluster;
mod create;
mod delete;
mod demo;
mod describe;
mod get;
mod patch;
mod record;
mod rollout;
mod scale;
mod set_image;
mod snapshot;
mod soak;

use crate::cli::{Cli, Command, RolloutCommand, SetCommand};
use crate::context::Context;
use crate::failure::Failure;

/// Runs a command.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Bench(command) => bench::run(command).await,
        Command::Soak(args) => soak::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Cluster(command) => cluster::run(command).await,
        Command::Snapshot(command) => snapshot::run(global, command).await,
        Command::Create(args) => create::run(&Context::find(global)?, global, args).await,
        Command::Apply(args) => apply::run(&Context::find(global)?, global, args).await,
        Command::Get(args) => get::run(&Context::find(global)?, args).await,
        Command::Describe(args) => describe::run(&Context::find(global)?, args).await,
        Command::Delete(args) => delete::run(&Context::find(global)?, global, args).await,
        Command::Scale(args) => scale::run(&Context::find(global)?, args).await,
        Command::Set(SetCommand::Image(args)) => set_image::run(&Context::find(global)?, args).await,
        Command::Patch(args) => patch::run(&Context::find(global)?, args).await,
        Command::Auth(command) => auth::run(&Context::find(global)?, command).await,
        Command::Rollout(RolloutCommand::Status(args)) => rollout::status(&Context::find(global)?, args).await,
        Command::Rollout(RolloutCommand::Undo(args)) => rollout::undo(&Context::find(global)?, args).await,
    }
}
