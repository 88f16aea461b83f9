//! The flags of `ctl cluster`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::lab::{StatusOutput, Timing};

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Start a cluster, or what is missing of it
    #[command(after_help = "Examples:\n  ctl cluster up --detach\n  ctl cluster up --nodes 5 --timing k8s")]
    Up(UpArgs),
    /// Show the members
    Status(StatusArgs),
    /// Compare the states of all apiservers
    #[command(after_help = "Exit code 0 if they are the same, 1 if not, or if an apiserver does not answer.")]
    Check(DirArgs),
    /// Show what an apiserver counts and times, as Prometheus reads it
    #[command(after_help = "Example:\n  ctl cluster metrics apiserver-0 | grep fsync")]
    Metrics(LogsArgs),
    /// End a member at once (SIGKILL)
    Kill(MemberArgs),
    /// Ask a member to end (SIGTERM)
    Stop(MemberArgs),
    /// Freeze a member (SIGSTOP)
    Pause(MemberArgs),
    /// Let a frozen member go on (SIGCONT)
    Resume(MemberArgs),
    /// Start a member again, ending it first if it runs
    Restart(MemberArgs),
    /// Start another apiserver, and make it a member of the Raft group
    #[command(after_help = "Example:\n  ctl cluster add apiserver")]
    Add(AddArgs),
    /// Take an apiserver out of the Raft group, whether it runs or not, and remove its data
    #[command(
        after_help = "Replace an apiserver whose data is lost:\n  ctl cluster remove apiserver-1 && ctl cluster add apiserver"
    )]
    Remove(RemoveArgs),
    /// Show the log of a member
    Logs(LogsArgs),
    /// End all members; the data stays, unless told otherwise
    Down(DownArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DirArgs {
    /// The folder of the cluster
    #[arg(long, default_value = ".squall", value_name = "DIR")]
    pub dir: PathBuf,
}

/// What a cluster consists of.
#[derive(Debug, Args)]
pub struct ShapeArgs {
    /// How many apiservers [default: 3]
    #[arg(long)]
    pub apiservers: Option<usize>,
    /// How many controller-managers [default: 2]
    #[arg(long)]
    pub controller_managers: Option<usize>,
    /// How many nodes [default: 3]
    #[arg(long)]
    pub nodes: Option<usize>,
    /// Kubernetes' constants, or all of them divided by ten [default: fast]
    #[arg(long, value_enum)]
    pub timing: Option<Timing>,
    /// With links between the members that can be cut and slowed down (ctl fault)
    #[arg(long)]
    pub links: bool,
    /// With a line of JSON for each write in logs/apiserver-N.writes: its revisions, its keys, on whose behalf
    #[arg(long)]
    pub write_log: bool,
    /// A file of simulated images, beside the built-in ones
    #[arg(long, value_name = "FILE")]
    pub images: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Return when the cluster is ready, and let it run
    #[arg(long)]
    pub detach: bool,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct MemberArgs {
    /// Members: apiserver-0, controller-manager-1, kubelet-2, runtime-2, or node-2 for a kubelet and its runtime
    #[arg(required = true)]
    pub members: Vec<String>,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// What
    #[arg(value_enum)]
    pub what: Addable,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Addable {
    /// An apiserver
    Apiserver,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The apiserver: apiserver-1
    pub member: String,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The member
    pub member: String,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    /// Remove the folder with all data too
    #[arg(long)]
    pub delete: bool,
    #[command(flatten)]
    pub dir: DirArgs,
}
