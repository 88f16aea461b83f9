//! The command line as clap definitions. No logic.

mod access;
mod auth;
mod bench;
mod chaos;
mod cluster;
mod fault;
mod help;
mod lab;
mod node;
mod read;
mod rolling_update;
mod rollout;
mod snapshot;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use access::{CreateBindingArgs, CreateClusterRoleArgs, CreateRoleArgs, CreateTokenArgs, RuleArgs, TokenOutput};
pub use auth::{AuthCommand, CanIArgs, WhoamiArgs};
pub use bench::{BenchCommand, BenchFailoverArgs, BenchRolloutArgs, BenchSizeArgs, BenchStartupArgs, BenchStoreArgs};
pub use chaos::{ChaosCommand, ChaosListArgs, ChaosRandomArgs, ChaosRunArgs};
pub use cluster::{
    AddArgs, Addable, ClusterCommand, DirArgs, DownArgs, LogsArgs, MemberArgs, RemoveArgs, ShapeArgs, StatusArgs,
    UpArgs,
};
pub use fault::{ByHand, FaultCommand, FaultFlags, FaultListArgs, HealArgs};
pub use help::command;
pub use lab::{LabArgs, SoakArgs, StatusOutput};
pub use node::{CordonArgs, DrainArgs, TaintArgs};
pub use read::{
    ApiResourcesArgs, DescribeArgs, DiffArgs, EventsArgs, ExplainArgs, GetArgs, PodLogsArgs, SelectArgs, VersionArgs,
    WaitArgs, WhyArgs,
};
pub use rolling_update::RollingUpdateArgs;
pub use rollout::{
    RolloutChangeArgs, RolloutCommand, RolloutHistoryArgs, RolloutStatusArgs, RolloutTargets, RolloutUndoArgs,
};
pub use snapshot::{RestoreArgs, SaveArgs, SnapshotCommand, SummaryArgs};
pub use write::{
    ApplyArgs, ApplyCommand, ChangeArgs, CreateArgs, CreateCommand, CreateServiceArgs, CreateServiceCommand,
    DeleteArgs, DryRun, EditArgs, ManifestArgs, MarkArgs, Part, PatchArgs, PatchForm, ReplaceArgs, ScaleArgs, SetArgs,
    SetCommand,
};

/// A crash lab for rollouts: a real, Raft-replicated, Kubernetes-shaped control plane on your laptop.
#[derive(Debug, Parser)]
#[command(
    name = "ctl",
    version,
    after_help = "Examples:
  ctl set image deployment kubia nodejs=luksa/kubia:v2
  ctl rollout status deployment kubia
  ctl why deployment kubia                     show what the rollout is waiting for
  ctl cluster kill apiserver-0                 crash an apiserver: nothing is lost"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

/// Flags that every command accepts.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Kubeconfig file [default: $KUBECONFIG, else .squall/kubeconfig in this folder or one above]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace [default: the one in the kubeconfig]
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// Send requests only to this apiserver
    #[arg(short, long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Time limit of each request, like 5s
    #[arg(long, global = true, value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub request_timeout: Option<Duration>,
    /// Log requests to standard error: 6 one line each, 8 with truncated bodies, 9 with full bodies
    #[arg(short, long = "v", global = true, value_name = "LEVEL", default_value_t = 0, hide_default_value = true)]
    pub verbosity: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a rollout under load, kill both leaders in the middle, check every revision
    #[command(
        after_help = "Starts its own cluster, rolls the chapter's Deployment from v1 to v2 under HTTP load, kills the \
                      leading apiserver and the leading controller-manager in the middle, starts them again and \
                      checks the result. Exit code 0 if every check passes.\n\nExamples:\n  ctl demo\n  \
                      ctl demo -o json > result.json"
    )]
    Demo(LabArgs),
    /// Write, read and watch while apiservers are killed and cut off; nothing may be lost
    #[command(after_help = "Examples:\n  ctl soak\n  ctl soak --writes 1000000 --faults 200 --seed 7")]
    Soak(SoakArgs),
    /// Run scenarios that break a cluster in the middle of a rollout, and give a verdict
    #[command(subcommand)]
    Chaos(ChaosCommand),
    /// Inject faults into a running cluster: links, disks, clocks, watches, processes
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Run benchmarks, each on its own cluster
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Start, inspect, break and stop a local cluster
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Save, check and restore snapshots of all stored data
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    #[command(flatten)]
    Read(ReadCommand),
    #[command(flatten)]
    Change(ChangeCommand),
    /// Describe the fields of a resource type
    #[command(after_help = "Example:\n  ctl explain deployment.spec.strategy.rollingUpdate")]
    Explain(ExplainArgs),
    /// List the resource types
    ApiResources(ApiResourcesArgs),
    /// Show the versions of ctl and of the cluster
    Version(VersionArgs),
    /// Show the kubeconfig, or set the default namespace
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script
    #[command(after_help = "Example:\n  source <(ctl completion bash)")]
    Completion {
        /// Shell to generate the script for
        shell: clap_complete::Shell,
    },
}

/// Commands that read objects.
#[derive(Debug, Subcommand)]
pub enum ReadCommand {
    /// Show objects
    #[command(
        after_help = "Examples:\n  ctl get po\n  ctl get svc,po,rs -o wide\n  ctl get deployment kubia -o yaml\n  ctl get po -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'\n  ctl get po -w"
    )]
    Get(GetArgs),
    /// Show objects in detail, with related objects and events
    #[command(
        after_help = "Examples:\n  ctl describe deployment kubia\n  ctl describe po -l app=kubia\n  ctl describe rc kubia    all whose names begin with kubia"
    )]
    Describe(DescribeArgs),
    /// Explain what a rollout, pod or node is waiting for, with evidence
    #[command(after_help = "Examples:\n  ctl why deployment kubia\n  ctl why pod kubia-59d857b444-2z5qd -o json")]
    Why(WhyArgs),
    /// Show events, oldest first
    #[command(after_help = "Examples:\n  ctl events\n  ctl events --for deployment/kubia -w")]
    Events(EventsArgs),
    /// Show the logs of containers
    #[command(
        after_help = "Examples:\n  ctl logs kubia-59d857b444-2z5qd\n  ctl logs deployment/kubia -f\n  ctl logs -l app=kubia --prefix"
    )]
    Logs(PodLogsArgs),
    /// Wait until objects meet a condition
    #[command(
        after_help = "Examples:\n  ctl wait --for=condition=Available deployment/kubia\n  ctl wait --for=jsonpath='{.status.phase}'=Running pod/kubia\n  ctl wait --for=delete pod/kubia --timeout=60s"
    )]
    Wait(WaitArgs),
    /// Show what apply would change; exit code 1 if there are differences
    #[command(after_help = "Example:\n  ctl diff -f examples/chapter/kubia-deployment-v2.yaml")]
    Diff(DiffArgs),
    /// Show who you are and what you may do
    #[command(subcommand)]
    Auth(AuthCommand),
}

/// Commands that change objects.
#[derive(Debug, Subcommand)]
pub enum ChangeCommand {
    /// Create objects, from files or by name
    #[command(
        after_help = "Examples:\n  ctl create -f examples/chapter/kubia-deployment-v1.yaml\n  ctl create namespace lab\n  ctl create deployment web --image=luksa/kubia:v1 --replicas=3"
    )]
    Create(CreateArgs),
    /// Create or update objects to match files
    #[command(
        after_help = "Examples:\n  ctl apply -f examples/chapter/kubia-deployment-v2.yaml\n  ctl apply --server-side -f kubia.yaml\n  ctl apply view-last-applied deployment kubia"
    )]
    Apply(ApplyArgs),
    /// Replace objects with those in files
    #[command(
        after_help = "Examples:\n  ctl replace -f kubia.yaml\n  ctl replace --force -f kubia.yaml    delete first"
    )]
    Replace(ReplaceArgs),
    /// Delete objects
    #[command(
        after_help = "Examples:\n  ctl delete deployment kubia\n  ctl delete -f kubia.yaml\n  ctl delete rc kubia-v1 --cascade=orphan"
    )]
    Delete(DeleteArgs),
    /// Edit objects in an editor
    #[command(after_help = "The editor is KUBE_EDITOR, else EDITOR, else vi.\n\nExample:\n  ctl edit rc kubia-v1")]
    Edit(EditArgs),
    /// Set the number of replicas
    #[command(after_help = "Example:\n  ctl scale deployment kubia --replicas=5")]
    Scale(ScaleArgs),
    /// Set one property of objects
    #[command(subcommand)]
    Set(SetCommand),
    /// Change objects with a patch
    #[command(
        after_help = "Examples:\n  ctl patch deployment kubia -p '{\"spec\": {\"minReadySeconds\": 10}}'\n  ctl patch deployment kubia --type json -p '[{\"op\": \"remove\", \"path\": \"/spec/minReadySeconds\"}]'"
    )]
    Patch(PatchArgs),
    /// Set and remove labels
    #[command(after_help = "Examples:\n  ctl label pod kubia tier=web\n  ctl label pod kubia tier-")]
    Label(MarkArgs),
    /// Set and remove annotations
    #[command(after_help = "Example:\n  ctl annotate deployment kubia kubernetes.io/change-cause='image v4'")]
    Annotate(MarkArgs),
    /// Follow, pause, restart and undo rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Update a replication controller's pods one by one from this client (deprecated)
    #[command(
        after_help = "This command alone drives the update: if it dies, the update stays half done. Run it again to \
                      continue, or with --rollback to undo.\n\nExamples:\n  \
                      ctl rolling-update kubia-v1 kubia-v2 --image=luksa/kubia:v2\n  \
                      ctl rolling-update kubia --image=luksa/kubia:v2          keeping the name\n  \
                      ctl rolling-update kubia-v1 -f kubia-rc-v2.yaml\n  \
                      ctl rolling-update kubia-v1 kubia-v2 --rollback"
    )]
    RollingUpdate(RollingUpdateArgs),
    /// Mark nodes as unschedulable
    Cordon(CordonArgs),
    /// Mark nodes as schedulable again
    Uncordon(CordonArgs),
    /// Cordon nodes and evict their pods, as disruption budgets allow
    #[command(after_help = "Example:\n  ctl drain node-1 --timeout=2m")]
    Drain(DrainArgs),
    /// Set and remove taints on nodes
    #[command(after_help = "Examples:\n  ctl taint node node-1 disk=slow:NoSchedule\n  ctl taint node node-1 disk-")]
    Taint(TaintArgs),
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show the kubeconfig without its keys
    View,
    /// Show the name of the current context
    CurrentContext,
    /// List all contexts
    GetContexts,
    /// Set the namespace of a context: --current --namespace=NAME
    SetContext {
        /// Name of the context
        name: Option<String>,
        /// Change the current context
        #[arg(long)]
        current: bool,
    },
}
