//! The flags of `ctl fault`: those of each fault come from the lab's list.

use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use squall_lab::faults::{Fault, FullDisk, SlowDisk, Victim};

use super::cluster::DirArgs;
use super::lab::StatusOutput;

#[derive(Debug, Subcommand)]
pub enum FaultCommand {
    #[command(flatten)]
    Inject(ByHand),
    /// Make the disk of an apiserver slow or full: the older spelling of slow-disk and full-disk
    #[command(hide = true)]
    Disk(DiskArgs),
    /// List the faults in force and their effect so far
    List(FaultListArgs),
    /// Heal a fault, or all: restore links, disks, clocks and watches, and get members running again
    #[command(after_help = "Examples:\n  ctl fault heal cut-1\n  ctl fault heal apiserver-0\n  ctl fault heal --all")]
    Heal(HealArgs),
}

/// A fault with the flags that every fault accepts.
#[derive(Debug)]
pub struct ByHand {
    pub fault: Fault,
    pub flags: FaultFlags,
}

impl Subcommand for ByHand {
    fn augment_subcommands(command: Command) -> Command {
        let faults = Fault::augment_subcommands(Command::new("fault"));
        let with_flags = faults.get_subcommands().map(|fault| {
            // The flags would replace what the fault says of itself.
            let about = fault.get_about().cloned().unwrap_or_default();
            FaultFlags::augment_args(fault.clone()).about(about).long_about(None)
        });
        command.subcommands(with_flags.collect::<Vec<_>>())
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Fault::has_subcommand(name)
    }
}

impl FromArgMatches for ByHand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let fault = Fault::from_arg_matches(matches)?;
        let (_, of_fault) = matches.subcommand().ok_or(clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        Ok(Self { fault, flags: FaultFlags::from_arg_matches(of_fault)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Flags that every fault accepts.
#[derive(Debug, Args)]
pub struct FaultFlags {
    /// Name of the fault, for healing it [default: generated]
    #[arg(long)]
    pub name: Option<String>,
    /// Wait this long, then heal the fault
    #[arg(long = "for", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub lasting: Option<Duration>,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
#[group(id = "how", required = true, multiple = false, args = ["sync", "full"])]
pub struct DiskArgs {
    of: Victim,
    #[arg(long, value_parser = squall_api::duration::parse)]
    sync: Option<Duration>,
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    flags: FaultFlags,
}

impl From<DiskArgs> for ByHand {
    fn from(args: DiskArgs) -> Self {
        let fault = match args.sync {
            Some(sync) => Fault::SlowDisk(SlowDisk::new(args.of, sync)),
            None => Fault::FullDisk(FullDisk::new(args.of)),
        };
        Self { fault, flags: args.flags }
    }
}

#[derive(Debug, Args)]
pub struct FaultListArgs {
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct HealArgs {
    /// Name of the fault, or of the stopped or frozen member
    #[arg(required_unless_present = "all")]
    pub name: Option<String>,
    /// Heal all faults
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    #[command(flatten)]
    pub dir: DirArgs,
}
