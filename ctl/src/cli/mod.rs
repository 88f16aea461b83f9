//! The command line, as clap reads it. No logic.

mod auth;
mod bench;
mod cluster;
mod lab;
mod objects;
mod rollout;
mod snapshot;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use auth::{AuthCommand, CanIArgs, WhoamiArgs};
pub use bench::{BenchCommand, BenchFailoverArgs, BenchRolloutArgs, BenchSizeArgs, BenchStartupArgs, BenchStoreArgs};
pub use cluster::{
    AddArgs, Addable, ClusterCommand, DirArgs, DownArgs, LogsArgs, MemberArgs, RemoveArgs, ShapeArgs, StatusArgs,
    UpArgs,
};
pub use lab::{LabArgs, SoakArgs, StatusOutput, Timing};
pub use objects::{
    DeleteArgs, DescribeArgs, FileArgs, GetArgs, PatchArgs, PatchForm, ScaleArgs, SelectArgs, SetCommand, SetImageArgs,
};
pub use rollout::{RolloutCommand, RolloutStatusArgs, RolloutUndoArgs};
pub use snapshot::{RestoreArgs, SaveArgs, SnapshotCommand, SummaryArgs};

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
    pub request_timeout: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Roll out under load while the leaders are killed, and judge every revision
    #[command(
        after_help = "Brings up a cluster of its own, rolls the chapter's Deployment from v1 to v2 under HTTP load, kills the leading apiserver and the leading\ncontroller-manager in the middle, starts them again and judges what held. Exit code 0 if all did.\n\nExamples:\n  ctl demo\n  ctl demo -o json > result.json"
    )]
    Demo(LabArgs),
    /// Write, read and watch while apiservers are killed, frozen and cut off; check that nothing is lost
    #[command(after_help = "Examples:\n  ctl soak\n  ctl soak --writes 1000000 --faults 200 --seed 7")]
    Soak(SoakArgs),
    /// Measure clusters of their own
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Start, watch, break and end a local cluster
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Save, check and restore everything that is stored
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
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
    /// Change a part of an object
    #[command(
        after_help = "Examples:\n  ctl patch deployment kubia -p '{\"spec\": {\"minReadySeconds\": 10}}'\n  ctl patch deployment kubia --type json -p '[{\"op\": \"remove\", \"path\": \"/spec/minReadySeconds\"}]'"
    )]
    Patch(PatchArgs),
    /// Say who you are, and what you may do
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Watch and undo rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
}
