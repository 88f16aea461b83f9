//! The command line, as clap reads it. No logic.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A crash lab for rollouts: a real, Raft-replicated, Kubernetes-shaped control plane on your laptop.
#[derive(Debug, Parser)]
#[command(
    name = "ctl",
    version,
    propagate_version = true,
    after_help = "Examples:
  ctl cluster up                               start a cluster in .squall
  ctl create -f examples/chapter/kubia-deployment-and-service-v1.yaml
  ctl set image deployment kubia nodejs=luksa/kubia:v2
  ctl rollout status deployment kubia
  ctl cluster kill apiserver-0                 and see that nothing is lost"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The kubeconfig to use; else KUBECONFIG, else .squall/kubeconfig in this folder or one above
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace; else the one of the kubeconfig
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// Give up on an apiserver after this time (like 5s)
    #[arg(long, global = true, value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub request_timeout: Option<std::time::Duration>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Roll out under load while the leaders are killed, and judge every revision
    #[command(
        after_help = "Brings up a cluster of its own, rolls the chapter's Deployment from v1 to v2 under HTTP load, kills the leading apiserver and the leading\ncontroller-manager in the middle, starts them again and judges what held. Exit code 0 if all did.\n\nExamples:\n  ctl demo\n  ctl demo -o json > result.json"
    )]
    Demo(DemoArgs),
    /// Write, read and watch while apiservers are killed, frozen and cut from power; check that nothing is lost
    #[command(after_help = "Examples:\n  ctl soak\n  ctl soak --writes 1000000 --faults 200 --seed 7")]
    Soak(SoakArgs),
    /// Measure clusters of their own
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Start, watch, break and end a local cluster
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Create objects from files
    #[command(after_help = "Example:\n  ctl create -f examples/chapter/kubia-deployment-v1.yaml")]
    Create(FileArgs),
    /// Make objects as files say they should be
    #[command(after_help = "Example:\n  ctl apply -f examples/chapter/kubia-deployment-v2.yaml")]
    Apply(FileArgs),
    /// Show objects
    #[command(
        after_help = "Examples:\n  ctl get po\n  ctl get svc,po,rs -o wide\n  ctl get deployment kubia -o yaml\n  ctl get po -w"
    )]
    Get(GetArgs),
    /// Show objects with what belongs to them and what happened to them
    #[command(
        after_help = "Examples:\n  ctl describe deployment kubia\n  ctl describe po -l app=kubia\n  ctl describe rc kubia    all whose names begin with kubia"
    )]
    Describe(DescribeArgs),
    /// Delete objects
    #[command(after_help = "Examples:\n  ctl delete deployment kubia\n  ctl delete -f kubia.yaml")]
    Delete(DeleteArgs),
    /// Set the number of replicas
    #[command(after_help = "Example:\n  ctl scale deployment kubia --replicas=5")]
    Scale(ScaleArgs),
    /// Set a part of an object
    #[command(subcommand)]
    Set(SetCommand),
    /// Change an object by a merge patch
    #[command(after_help = "Example:\n  ctl patch deployment kubia -p '{\"spec\": {\"minReadySeconds\": 10}}'")]
    Patch(PatchArgs),
    /// Watch and undo rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub nodes: u8,
    /// Kubernetes' constants, or all of them divided by ten
    #[arg(long, value_enum, default_value_t = Timing::Fast)]
    pub timing: Timing,
    /// json for scripts: the summary as one object on standard output
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct SoakArgs {
    /// Decides which faults come when; random if it is not given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Go on until so many writes were acknowledged
    #[arg(long, default_value_t = 10_000)]
    pub writes: u64,
    /// And so many faults were made
    #[arg(long, default_value_t = 20)]
    pub faults: u64,
    /// How many clients write
    #[arg(long, default_value_t = 16)]
    pub writers: usize,
    /// How many clients read
    #[arg(long, default_value_t = 8)]
    pub readers: usize,
    /// How many clients watch
    #[arg(long, default_value_t = 3)]
    pub watchers: usize,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// How many reads and writes a second the store does, and how long each takes
    #[command(
        after_help = "Examples:\n  ctl bench store --clients 1,16,64,256\n  ctl bench store --workload get --clients 64 --duration 20s -o json"
    )]
    Store(BenchStoreArgs),
    /// What many objects cost: memory, a list, a restart
    #[command(after_help = "Example:\n  ctl bench size --objects 150000 --value-bytes 2048")]
    Size(BenchSizeArgs),
    /// How fast a cluster starts, and what it uses while idle
    #[command(after_help = "Example:\n  ctl bench startup --runs 10 --idle 60s")]
    Startup(BenchStartupArgs),
    /// How long writes wait when the leading apiserver is killed
    #[command(after_help = "Example:\n  ctl bench failover --rounds 20")]
    Failover(BenchFailoverArgs),
}

#[derive(Debug, Args)]
pub struct BenchStoreArgs {
    /// What the clients ask for
    #[arg(long, value_enum, default_value_t = Workload::Put)]
    pub workload: Workload,
    /// How many clients; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    pub clients: Vec<usize>,
    /// For how long answers are counted
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub duration: std::time::Duration,
    /// How long the clients ask before that
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub warm_up: std::time::Duration,
    /// Whom they ask
    #[arg(long, value_enum, default_value_t = Target::Leader)]
    pub target: Target,
    /// How many connections they share
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// How large each value is
    #[arg(long, default_value_t = 1024, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..1_000_000))]
    pub value_bytes: usize,
    /// How many objects there are
    #[arg(long, default_value_t = 1000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub keys: usize,
    /// How many apiservers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub apiservers: u8,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Workload {
    /// Store an object in the place of another
    Put,
    /// The same, if it has not changed since this client wrote it
    ConditionalPut,
    /// Read an object as it is now
    Get,
    /// Read an object as a member has it
    StaleGet,
    /// List all objects
    Range,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Target {
    /// The leader
    Leader,
    /// All members alike
    All,
}

#[derive(Debug, Args)]
pub struct BenchSizeArgs {
    /// How many objects
    #[arg(long, default_value_t = 150_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub objects: usize,
    /// How large each value is
    #[arg(long, default_value_t = 2048, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..1_000_000))]
    pub value_bytes: usize,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchFailoverArgs {
    /// How often the leader is killed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchStartupArgs {
    /// How many clusters, one after the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// How long the last one is watched
    #[arg(long, default_value = "20s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub idle: std::time::Duration,
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub nodes: u8,
    /// Kubernetes' constants, or all of them divided by ten
    #[arg(long, value_enum, default_value_t = Timing::Fast)]
    pub timing: Timing,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

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

#[derive(Debug, Args)]
pub struct UpArgs {
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
    /// A file of simulated images, beside the built-in ones
    #[arg(long, value_name = "FILE")]
    pub images: Option<PathBuf>,
    /// Return when the cluster is ready, and let it run
    #[arg(long)]
    pub detach: bool,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Timing {
    /// Kubernetes' constants divided by ten
    Fast,
    /// Kubernetes' constants
    K8s,
}

impl Timing {
    /// The word that processes are given.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::K8s => "k8s",
        }
    }
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
    #[command(flatten)]
    pub dir: DirArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum StatusOutput {
    /// JSON
    Json,
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

#[derive(Debug, Args)]
pub struct FileArgs {
    /// Files or folders of manifests, - for standard input
    #[arg(short, long, required = true, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Note the command in the annotation kubernetes.io/change-cause
    #[arg(long)]
    pub record: bool,
    /// What to do with unknown fields
    #[arg(long, value_name = "strict|warn|ignore", default_value = "strict", num_args = 0..=1, default_missing_value = "strict")]
    pub validate: String,
    /// json, yaml or name
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct SelectArgs {
    /// TYPE, TYPE NAME..., or TYPE/NAME...
    pub what: Vec<String>,
    /// Only objects with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Only objects with these fields
    #[arg(long)]
    pub field_selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// json, yaml, wide or name
    #[arg(short, long)]
    pub output: Option<String>,
    /// Show changes as they happen
    #[arg(short, long)]
    pub watch: bool,
    /// Without the headings
    #[arg(long)]
    pub no_headers: bool,
    /// With the labels
    #[arg(long)]
    pub show_labels: bool,
    /// Do not mind when an object is not there
    #[arg(long)]
    pub ignore_not_found: bool,
}

#[derive(Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// With the events of each object
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub show_events: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Delete what these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// What becomes of dependents: background, foreground or orphan
    #[arg(long, default_value = "background")]
    pub cascade: String,
    /// Seconds a pod has to end
    #[arg(long, allow_negative_numbers = true)]
    pub grace_period: Option<i64>,
    /// Delete at once, without waiting for the kubelet (with --grace-period=0)
    #[arg(long)]
    pub force: bool,
    /// Do not mind when an object is not there
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Return when the objects are gone
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub wait: bool,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// TYPE NAME or TYPE/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// How many
    #[arg(long, allow_negative_numbers = true)]
    pub replicas: i32,
}

#[derive(Debug, Subcommand)]
pub enum SetCommand {
    /// Set the images of containers
    #[command(after_help = "Example:\n  ctl set image deployment kubia nodejs=luksa/kubia:v2")]
    Image(SetImageArgs),
}

#[derive(Debug, Args)]
pub struct SetImageArgs {
    /// TYPE NAME CONTAINER=IMAGE..., or TYPE/NAME CONTAINER=IMAGE...
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Note the command in the annotation kubernetes.io/change-cause
    #[arg(long)]
    pub record: bool,
}

#[derive(Debug, Args)]
pub struct PatchArgs {
    /// TYPE NAME or TYPE/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// The patch, as JSON or YAML
    #[arg(short, long)]
    pub patch: String,
    /// The kind of patch
    #[arg(long = "type", default_value = "merge", value_parser = ["merge"])]
    pub patch_type: String,
}

#[derive(Debug, Subcommand)]
pub enum RolloutCommand {
    /// Wait for a rollout to finish
    Status(RolloutStatusArgs),
    /// Go back to an earlier revision
    Undo(RolloutUndoArgs),
}

#[derive(Debug, Args)]
pub struct RolloutStatusArgs {
    /// deployment NAME or deployment/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Wait, or say once how it is
    #[arg(short, long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub watch: bool,
    /// Give up after this time
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub timeout: Option<std::time::Duration>,
}

#[derive(Debug, Args)]
pub struct RolloutUndoArgs {
    /// deployment NAME or deployment/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// The revision; 0 is the one before
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub to_revision: i64,
}
