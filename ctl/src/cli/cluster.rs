//! The flags of `ctl cluster`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use squall_cluster::TimingProfile;

use super::lab::StatusOutput;

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Start a cluster, or the missing members of one
    #[command(after_help = "Examples:\n  ctl cluster up --detach\n  ctl cluster up --nodes 5 --timing k8s")]
    Up(UpArgs),
    /// Show the state of every member
    Status(StatusArgs),
    /// Compare the states of all apiservers
    #[command(after_help = "Exit code 0 if they are the same, 1 if they differ or an apiserver does not respond.")]
    Check(DirArgs),
    /// Show the metrics of an apiserver in Prometheus format
    #[command(after_help = "Example:\n  ctl cluster metrics apiserver-0 | grep fsync")]
    Metrics(LogsArgs),
    /// Kill members (SIGKILL)
    Kill(MemberArgs),
    /// Stop members gracefully (SIGTERM)
    Stop(MemberArgs),
    /// Freeze members (SIGSTOP)
    Pause(MemberArgs),
    /// Resume frozen members (SIGCONT)
    Resume(MemberArgs),
    /// Restart members; running ones are stopped first
    Restart(MemberArgs),
    /// Start another apiserver and add it to the Raft group
    #[command(after_help = "Example:\n  ctl cluster add apiserver")]
    Add(AddArgs),
    /// Remove an apiserver, running or not, from the Raft group, and delete its data
    #[command(
        after_help = "Replace an apiserver whose data is lost:\n  ctl cluster remove apiserver-1 && ctl cluster add apiserver"
    )]
    Remove(RemoveArgs),
    /// Show the log of a member
    Logs(LogsArgs),
    /// Stop all members; the data stays unless --delete is given
    Down(DownArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DirArgs {
    /// Folder of the cluster [default: .squall in this folder or one above]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The size and options of a new cluster.
#[derive(Debug, Args)]
pub struct ShapeArgs {
    /// Number of apiservers [default: 3]
    #[arg(long)]
    pub apiservers: Option<usize>,
    /// Number of controller-managers [default: 2]
    #[arg(long)]
    pub controller_managers: Option<usize>,
    /// Number of nodes [default: 3]
    #[arg(long)]
    pub nodes: Option<usize>,
    /// Timing: Kubernetes' constants, or all of them divided by ten [default: fast]
    #[arg(long, value_enum)]
    pub timing: Option<TimingProfile>,
    /// Connect the members through links that can be cut and slowed down (ctl fault)
    #[arg(long)]
    pub links: bool,
    /// Let services try another pod when one refuses a connection, which Kubernetes does not
    #[arg(long)]
    pub retry_backends: bool,
    /// Log each write as a line of JSON in logs/apiserver-N.writes: its revisions, its keys and its user
    #[arg(long)]
    pub write_log: bool,
    /// File with simulated images, in addition to the built-in ones
    #[arg(long, value_name = "FILE")]
    pub images: Option<PathBuf>,
    /// Pull no image that is in no catalogue. Without this, such an image is a small web server
    #[arg(long)]
    pub strict_images: bool,
}

#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Return when the cluster is ready, and leave it running
    #[arg(long)]
    pub detach: bool,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Output format
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
    /// Role of the new member
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
    /// Apiserver to remove, like apiserver-1
    pub member: String,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Name of the member, like apiserver-0
    pub member: String,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    /// Also delete the folder with all data
    #[arg(long)]
    pub delete: bool,
    #[command(flatten)]
    pub dir: DirArgs,
}
