//! The flags of `ctl fault`.

use std::time::Duration;

use clap::{Args, Subcommand};
use squall_lab::scenario::{Place, Victim};

use super::cluster::DirArgs;
use super::lab::StatusOutput;

#[derive(Debug, Subcommand)]
pub enum FaultCommand {
    /// Cut the link between two ends, in both directions or in one (needs a cluster with --links)
    #[command(
        after_help = "An end is a member (apiserver-0), a node (node-1), raft-leader, controller-leader, a role \
                      (apiservers, kubelets...), any, or client: every program that uses the kubeconfig \
                      .squall/run/client-0.kubeconfig.\n\nExamples:\n  ctl fault cut client any\n  \
                      ctl fault cut raft-leader apiservers --for 5s\n  ctl fault cut node-1 any --reset"
    )]
    Cut(CutArgs),
    /// Delay or throttle the link between two ends (needs a cluster with --links)
    #[command(after_help = "Example:\n  ctl fault slow controller-leader any --delay 100ms --jitter 50ms")]
    Slow(SlowArgs),
    /// Make the disk of an apiserver slow or full
    #[command(after_help = "Examples:\n  ctl fault disk raft-leader --sync 40ms\n  ctl fault disk apiserver-1 --full")]
    Disk(DiskArgs),
    /// Skew the clock of a member
    #[command(after_help = "Example:\n  ctl fault clock kubelets -1h")]
    Clock(ClockArgs),
    /// Hold back or delay the watch events of a member
    #[command(
        after_help = "Examples:\n  ctl fault hold controller-leader --kind Pod --delay 200ms\n  ctl fault hold node-1 --kind Pod --object default/kubia-x"
    )]
    Hold(HoldArgs),
    /// Kill a member (SIGKILL)
    Kill(ProcessFaultArgs),
    /// Stop a member gracefully (SIGTERM)
    Terminate(ProcessFaultArgs),
    /// Freeze a member (SIGSTOP)
    Pause(ProcessFaultArgs),
    /// Stop a member gracefully, and start it again
    Restart(ProcessFaultArgs),
    /// List the faults in force and their effect so far
    List(FaultListArgs),
    /// Heal a fault, or all: restore links, disks, clocks and watches, and get members running again
    #[command(after_help = "Examples:\n  ctl fault heal cut-1\n  ctl fault heal apiserver-0\n  ctl fault heal --all")]
    Heal(HealArgs),
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
pub struct CutArgs {
    /// One end
    #[arg(value_parser = place)]
    pub from: Place,
    /// The other end
    #[arg(value_parser = place)]
    pub to: Place,
    /// Reset connections instead of letting them hang
    #[arg(long)]
    pub reset: bool,
    /// Affect only traffic from the first end to the second
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
    /// Delay of all traffic
    #[arg(long, default_value = "0", value_parser = squall_api::duration::parse)]
    pub delay: Duration,
    /// Maximum of an additional random delay
    #[arg(long, default_value = "0", value_parser = squall_api::duration::parse)]
    pub jitter: Duration,
    /// Maximum number of bytes per second; 0: no limit
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub bytes_per_second: u64,
    /// Affect only traffic from the first end to the second
    #[arg(long)]
    pub one_way: bool,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
#[group(id = "how", required = true, multiple = false, args = ["sync", "full"])]
pub struct DiskArgs {
    /// Apiserver whose disk to break
    #[arg(value_parser = victim)]
    pub of: Victim,
    /// Extra time for each fsync
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub sync: Option<Duration>,
    /// Make the disk full
    #[arg(long)]
    pub full: bool,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct ClockArgs {
    /// Member whose clock to skew
    #[arg(value_parser = victim)]
    pub of: Victim,
    /// Offset of the clock, like 5s or -1h
    #[arg(allow_hyphen_values = true)]
    pub skew: String,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct HoldArgs {
    /// Member whose watches to hold back
    #[arg(value_parser = victim)]
    pub of: Victim,
    /// Only events of this kind, like Pod
    #[arg(long, default_value = "", hide_default_value = true)]
    pub kind: String,
    /// Only events of this object, like default/kubia
    #[arg(long, default_value = "", hide_default_value = true)]
    pub object: String,
    /// Delay of each event, one after the other [default: hold all events until healed]
    #[arg(long, default_value = "0", hide_default_value = true, value_parser = squall_api::duration::parse)]
    pub delay: Duration,
    #[command(flatten)]
    pub flags: FaultFlags,
}

#[derive(Debug, Args)]
pub struct ProcessFaultArgs {
    /// Member to break: apiserver-0, node-1, raft-leader, kubelets...
    #[arg(value_parser = victim)]
    pub victim: Victim,
    #[command(flatten)]
    pub flags: FaultFlags,
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

fn place(text: &str) -> Result<Place, String> {
    Place::try_from(text.to_owned())
}

fn victim(text: &str) -> Result<Victim, String> {
    text.parse()
}
