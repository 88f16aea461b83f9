//! The flags of `ctl fault`.

use std::time::Duration;

use clap::{Args, Subcommand};
use squall_lab::scenario::{Place, Victim};

use super::cluster::DirArgs;
use super::lab::StatusOutput;

#[derive(Debug, Subcommand)]
pub enum FaultCommand {
    /// Let nothing through between two ends, or from one to the other (of a cluster with --links)
    #[command(
        after_help = "Ends are members (apiserver-0), nodes (node-1), raft-leader, controller-leader, apiservers, kubelets and the like, any, or client: whoever uses the kubeconfig .squall/run/client-0.kubeconfig.\n\nExamples:\n  ctl fault cut client any\n  ctl fault cut raft-leader apiservers --for 5s\n  ctl fault cut node-1 any --reset"
    )]
    Cut(CutArgs),
    /// Make what is sent between two ends late, or little (of a cluster with --links)
    #[command(after_help = "Example:\n  ctl fault slow controller-leader any --delay 100ms --jitter 50ms")]
    Slow(SlowArgs),
    /// Make the disk of an apiserver slow or full
    #[command(after_help = "Examples:\n  ctl fault disk raft-leader --sync 40ms\n  ctl fault disk apiserver-1 --full")]
    Disk(DiskArgs),
    /// Put the clock of a member wrong
    #[command(after_help = "Example:\n  ctl fault clock kubelets -1h")]
    Clock(ClockArgs),
    /// Hold back or delay what the watches of a member are told
    #[command(
        after_help = "Examples:\n  ctl fault hold controller-leader --kind Pod --delay 200ms\n  ctl fault hold node-1 --kind Pod --object default/kubia-x"
    )]
    Hold(HoldArgs),
    /// End a member at once (SIGKILL)
    Kill(ProcessFaultArgs),
    /// Ask a member to end (SIGTERM)
    Terminate(ProcessFaultArgs),
    /// Freeze a member (SIGSTOP)
    Pause(ProcessFaultArgs),
    /// Ask a member to end, and start it again
    Restart(ProcessFaultArgs),
    /// Show the faults in force, and what they have done so far
    List(FaultListArgs),
    /// Heal a fault, or all: links, disks, clocks and watches are whole again, members run again
    #[command(after_help = "Examples:\n  ctl fault heal cut-1\n  ctl fault heal apiserver-0\n  ctl fault heal --all")]
    Heal(HealArgs),
}

/// What every fault may have.
#[derive(Debug, Args)]
pub struct FaultFlags {
    /// A name to heal it by; else one is made up
    #[arg(long)]
    pub name: Option<String>,
    /// Heal it after this time, and wait for that
    #[arg(long = "for", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub lasting: Option<Duration>,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct CutArgs {
    /// One end
    #[arg(value_parser = place)]
    pub from: Place,
    /// The other end
    #[arg(value_parser = place)]
    pub to: Place,
    /// Break connections off, instead of letting them wait
    #[arg(long)]
    pub reset: bool,
    /// Only what the first sends to the second
    #[arg(long)]
    pub one_way: bool,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct SlowArgs {
    /// One end
    #[arg(value_parser = place)]
    pub from: Place,
    /// The other end
    #[arg(value_parser = place)]
    pub to: Place,
    /// How much later what is sent comes
    #[arg(long, default_value = "0", value_parser = squall_api::duration::parse)]
    pub delay: Duration,
    /// By up to how much later still
    #[arg(long, default_value = "0", value_parser = squall_api::duration::parse)]
    pub jitter: Duration,
    /// No more bytes than this in a second
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub bytes_per_second: u64,
    /// Only what the first sends to the second
    #[arg(long)]
    pub one_way: bool,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
#[group(id = "how", required = true, multiple = false, args = ["sync", "full"])]
pub struct DiskArgs {
    /// Whose
    #[arg(value_parser = victim)]
    pub of: Victim,
    /// How much longer each fsync takes
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub sync: Option<Duration>,
    /// No byte more fits
    #[arg(long)]
    pub full: bool,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct ClockArgs {
    /// Whose
    #[arg(value_parser = victim)]
    pub of: Victim,
    /// By how much: 5s, or -1h
    #[arg(allow_hyphen_values = true)]
    pub skew: String,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct HoldArgs {
    /// Whose watches
    #[arg(value_parser = victim)]
    pub of: Victim,
    /// Of which kind: Pod
    #[arg(long, default_value = "", hide_default_value = true)]
    pub kind: String,
    /// Of which object: default/kubia
    #[arg(long, default_value = "", hide_default_value = true)]
    pub object: String,
    /// How much longer each change takes, one after the other; else all wait until it is healed
    #[arg(long, default_value = "0", hide_default_value = true, value_parser = squall_api::duration::parse)]
    pub delay: Duration,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct ProcessFaultArgs {
    /// Whom
    #[arg(value_parser = victim)]
    pub victim: Victim,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct FaultListArgs {
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct HealArgs {
    /// The fault's name, or the member that does not run
    #[arg(required_unless_present = "all")]
    pub name: Option<String>,
    /// All faults
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    #[command(flatten)]
    pub dir: DirArgs,
}

fn place(text: &str) -> Result<Place, String> {
    Place::try_from(text.to_owned())
}

fn victim(text: &str) -> Result<Victim, String> {
    text.parse()
}
